"""The canonical form: one text for one value, on every store (operator.md 2).

Two layers. The event boundary turns what a user passed into plain data, or refuses it with the
path of the value. The codec writes plain data as canonical JSON and reads it back, losing
nothing: what JSON cannot carry is written as an object with one `$ag.` key.

Ordinary data takes a fast path: one walk that answers only "plain or not", then msgspec.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

import msgspec

from activegraph.errors import NonSerializableEventError

__all__ = [
    "MAX_BYTES",
    "MAX_DEPTH",
    "CodecError",
    "check_header",
    "decode_canonical",
    "decode_value",
    "encode_payload_bytes",
    "encode_plain",
    "encode_value",
    "quote",
]

MAX_DEPTH = 200
"""Levels of objects and arrays in the canonical text; the payload itself is level 1."""

MAX_BYTES = 64 * 1024 * 1024
"""Longest canonical text of one payload."""

_MIN_INT = -(2**63)
_MAX_INT = 2**63 - 1

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class CodecError(ValueError):
    """Text that is no canonical value: invalid JSON, an unknown tag, a malformed body."""


def encode_payload_bytes(payload: object) -> bytes:
    """A payload as canonical bytes, past the event boundary.

    Raises:
        NonSerializableEventError: It is no dict, or holds a value that the log cannot carry.
    """
    if type(payload) is not dict and not isinstance(payload, dict):
        raise refused(payload, "", "a payload is a dict")
    return encode_plain(payload)


def encode_plain(value: Any, path: str = "", depth: int = 1) -> bytes:
    """A value that stands at `path` of a payload as canonical bytes, past the event boundary.

    Args:
        depth: Level at which the value stands; a payload is 1.

    Raises:
        NonSerializableEventError: The value, or one inside it, cannot be carried; the error names its path.
    """
    kind = type(value)
    if kind is dict or kind is list:
        if _is_plain(value, depth):
            text = _encode(value)
            if b"\\u0000" not in text and len(text) <= MAX_BYTES:
                return text
    elif kind is str:
        try:
            text = _encode(value)
        except UnicodeEncodeError:
            text = b"\\u0000"
        if b"\\u0000" not in text:
            return text
    elif value is None:
        return b"null"
    from activegraph.core.boundary import to_tree

    text = _encode_tree(to_tree(value, path, depth), value, path)
    if len(text) > MAX_BYTES:
        raise refused(value, path, f"its canonical text is longer than {MAX_BYTES} bytes")
    return text


def _encode_tree(tree: Any, value: Any, path: str) -> bytes:
    try:
        return _encode(tree)
    except (RecursionError, ValueError, TypeError) as error:
        raise refused(value, path, str(error)) from error


def _is_plain(value: Any, depth: int) -> bool:
    """Whether msgspec writes this container exactly: built-in types, 64-bit integers, finite floats, no tags."""
    if depth > MAX_DEPTH:
        return False
    if type(value) is dict:
        for key in value:
            if type(key) is not str or not (key.isascii() or _is_utf8(key)):
                return False
        if len(value) == 1 and key[:4] == "$ag.":
            return False
        value = value.values()
    for item in value:
        kind = type(item)
        if kind is str:
            if not (item.isascii() or _is_utf8(item)):
                return False
        elif item is None or kind is bool:
            continue
        elif kind is int:
            if not _MIN_INT <= item <= _MAX_INT:
                return False
        elif kind is float:
            if item - item != 0.0:
                return False
        elif kind is dict or kind is list:
            if depth >= MAX_DEPTH or (item and not _is_plain(item, depth + 1)):
                return False
        else:
            return False
    return True


def _is_utf8(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def quote(text: str) -> bytes:
    """A string as canonical JSON."""
    return encode_plain(text)


def check_header(name: str, value: Any) -> Any:
    """`value` if it may stand in a header field: None, or text that is UTF-8 without NUL.

    `id`, `type` and `run_id` are required and not empty.

    Raises:
        NonSerializableEventError: Anything else; the path is the field's name.
    """
    if value is None and name not in ("id", "type", "run_id", "timestamp"):
        return None
    if not isinstance(value, str):
        raise refused(value, name, "a header field is text")
    text = value if type(value) is str else str.__str__(value)
    if "\x00" in text or not (text.isascii() or _is_utf8(text)):
        raise refused(value, name, "a header field holds neither NUL nor a lone surrogate")
    if not text and name in ("id", "type", "run_id"):
        raise refused(value, name, "it must not be empty")
    return text


def decode_canonical(data: bytes | str) -> Any:
    """Plain data from canonical text, or from text that ordinary tools have edited.

    Raises:
        CodecError: The text is no JSON, or a `$ag.` tag is unknown or malformed.
    """
    tagged = ('"$ag.' in data) if isinstance(data, str) else (b'"$ag.' in data)
    escaped = ("\\u" in data) if isinstance(data, str) else (b"\\u" in data)
    if not tagged and not escaped:
        try:
            return _decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
    return _decode_slowly(data)


def _decode_slowly(data: bytes | str) -> Any:
    """Through the standard library: it tells where text is wrong, and keeps integers of any size."""
    try:
        text = data if isinstance(data, str) else bytes(data).decode("utf-8")
        tree = json.loads(text, parse_constant=_no_constant, parse_int=_integer, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        raise CodecError(f"{error.msg}: line {error.lineno} column {error.colno} (char {error.pos})") from error
    except (RecursionError, UnicodeDecodeError, ValueError) as error:
        raise CodecError(str(error)) from error
    return tree


def _no_constant(name: str) -> Any:
    raise CodecError(f"{name} is no JSON value")


def _integer(digits: str) -> int:
    if len(digits) <= 4000:
        return int(digits)
    return _big_integer(digits)


def _big_integer(digits: str) -> int:
    """`int(digits)` without the interpreter's limit on digits, which guards against quadratic time."""
    negative = digits.startswith("-")
    body = digits.lstrip("-")
    if not body.isdigit() or not body.isascii():
        raise CodecError("malformed $ag.int")
    value = 0
    for start in range(0, len(body), 4000):
        part = body[start : start + 4000]
        value = value * 10 ** len(part) + int(part)
    return -value if negative else value


def _object(pairs: list[tuple[str, Any]]) -> Any:
    if len(pairs) == 1 and pairs[0][0][:4] == "$ag.":
        return _untagged(*pairs[0])
    return dict(pairs)


def _untagged(tag: str, body: Any) -> Any:
    from activegraph.core.tags import READERS

    reader = READERS.get(tag)
    if reader is None:
        raise CodecError(f"unknown tag {tag!r}")
    try:
        return reader(body)
    except CodecError:
        raise
    except (ValueError, TypeError, ArithmeticError, binascii.Error, UnicodeError) as error:
        raise CodecError(f"malformed {tag}: {error}") from error


def encode_value(value: Any) -> bytes:
    """Any value of the table in operator.md 2.3 as canonical bytes; reversible.

    Raises:
        NonSerializableEventError: The value is not of the table.
    """
    from activegraph.core.tags import to_tagged_tree

    return _encode_tree(to_tagged_tree(value), value, "")


def decode_value(data: bytes | str) -> Any:
    """The value that `encode_value` wrote.

    Raises:
        CodecError: It is no canonical text.
    """
    return decode_canonical(data)


def refused(value: Any, path: str, why: str) -> NonSerializableEventError:
    """The error for a value that the log cannot carry, naming its path and type."""
    place, kind = path or "<root>", type(value).__name__
    return NonSerializableEventError(
        f"value at {place} of type {kind} cannot be recorded: {why}",
        what_failed=f"Recording the value at {place}, of type {kind}. Nothing was changed.",
        why="What a behavior sees live must be what it sees after a reload, so every value has one exact written form.",
        how_to_fix="Pass plain data: None, bool, int, float, str, bytes, Decimal, dates, lists and dicts of these. "
        "Convert other objects first, for example `dataclasses.asdict(x)` or `str(x)`.",
        context={"path": place, "type": kind},
    )


def encoded_text(value: str) -> str:
    """Base64 of UTF-8 with surrogates passed through: the body of `$ag.str`."""
    return base64.b64encode(value.encode("utf-8", "surrogatepass")).decode("ascii")
