"""Pattern text as tokens, each with its place. Nothing is refused here: the parser meets tokens in order."""

from __future__ import annotations

import re
from typing import Any, Literal, NamedTuple

__all__ = ["KEYWORDS", "Token", "tokenize"]

KEYWORDS = frozenset({"WHERE", "AND", "OR", "NOT", "EXISTS", "TRUE", "FALSE", "NULL"})
"""Words of the language, in any case; none of them is a name."""

Kind = Literal["name", "keyword", "literal", "quoted", "symbol", "malformed", "end"]


class Token(NamedTuple):
    """One token of a pattern."""

    kind: Kind
    text: str
    """As written; what a symbol or, in capitals, a keyword is known by is `word`."""
    position: int
    """Place of its first character in the text, from 0."""
    word: str
    value: Any = None
    """Of a number, a string or a quoted type; of a malformed token, what is wrong with it."""


# `<-5` is a comparison with a negative number, so an arrow never stands before a digit.
_TOKEN = re.compile(
    r"""
      (?P<space>\s+)
    | (?P<number>-?[0-9]+(?:\.[0-9]+)?)
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    | (?P<quoted>`[^`]*`)
    | (?P<open>["'`])
    | (?P<symbol><-(?![0-9])|->|<=|>=|<>|!=|==|[()\[\]{}:,.*=<>-])
    """,
    re.VERBOSE | re.DOTALL,
)

_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|(.))", re.DOTALL)
_SHORT_ESCAPES = {"\\": "\\", '"': '"', "'": "'", "n": "\n", "t": "\t", "r": "\r"}


def tokenize(text: str) -> list[Token]:
    """All tokens of `text` and one of kind `end`; what is malformed ends the list as such a token."""
    tokens: list[Token] = []
    position = 0
    while position < len(text):
        found = _TOKEN.match(text, position)
        token = _unexpected(text, position) if found is None else _token(found, position)
        if token is not None:
            tokens.append(token)
            if token.kind == "malformed":
                return tokens
        position += 1 if found is None else len(found.group())
    tokens.append(Token("end", "", len(text), "end"))
    return tokens


def _token(found: re.Match[str], position: int) -> Token | None:
    text = found.group()
    match found.lastgroup:
        case "space":
            return None
        case "number":
            value = float(text) if "." in text else _integer(text)
            return Token("literal", text, position, text, value)
        case "name" if text.upper() in KEYWORDS:
            return Token("keyword", text, position, text.upper())
        case "name":
            return Token("name", text, position, text)
        case "string":
            return _string(text, position)
        case "quoted" if len(text) > 2:
            return Token("quoted", text, position, text, text[1:-1])
        case "quoted":
            return Token("malformed", text, position, text, f"empty type in backticks at position {position}")
        case "open":
            rest = found.string[position:]
            return Token("malformed", rest, position, text, f"unterminated {text} that opens at position {position}")
        case _:
            return Token("symbol", text, position, text)


def _integer(digits: str) -> Any:
    if len(digits) <= 4000:
        return int(digits)
    # Python refuses to read very long integers, which guards against quadratic time; the codec does not.
    from activegraph.core.codec import decode_canonical

    value = decode_canonical(f"[{digits.lstrip('-0') or '0'}]")[0]
    return -value if digits.startswith("-") else value


def _string(text: str, position: int) -> Token:
    body = text[1:-1]
    if "\\" not in body:
        return Token("literal", text, position, text, body)
    for escape in _ESCAPE.finditer(body):
        if escape.group(1) is None and escape.group(2) not in _SHORT_ESCAPES:
            place = position + 1 + escape.start()
            what = f"unknown escape {escape.group()} at position {place}"
            return Token("malformed", escape.group(), place, escape.group(), what)
    value = _ESCAPE.sub(_unescaped, body)
    # Two escapes of surrogates that belong together are one character, as in JSON.
    value = value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    return Token("literal", text, position, text, value)


def _unescaped(escape: re.Match[str]) -> str:
    code = escape.group(1)
    return _SHORT_ESCAPES[escape.group(2)] if code is None else chr(int(code, 16))


def _unexpected(text: str, position: int) -> Token:
    character = text[position]
    return Token("malformed", character, position, character, f"unexpected character at position {position}")
