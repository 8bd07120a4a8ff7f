"""The canonical form: one text for one value, on every store.

Two layers. The event boundary turns what a user passed into plain data, or refuses it with the
path of the value. The codec writes plain data as canonical JSON and reads it back, losing
nothing: what JSON cannot carry is written as an object with one `$ag.` key.

Ordinary data takes a fast path: one walk that answers only "plain or not", then msgspec.
"""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

import msgspec

from activegraph.core.digits import number_of
from activegraph.core.frozen import FrozenDict, FrozenList
from activegraph.errors import NonSerializableEventError

__all__ = [
    "MAX_BYTES",
    "MAX_DEPTH",
    "UNREADABLE",
    "CodecError",
    "check_header",
    "decode_canonical",
    "decode_value",
    "encode_payload_bytes",
    "encode_plain",
    "encode_value",
    "may_hold_tags",
    "oversized",
    "refused",
]

MAX_DEPTH = 200
"""Levels of objects and arrays in the canonical text; the payload itself is level 1."""

MAX_BYTES = 64 * 1024 * 1024
"""Longest canonical text of one payload."""

UNREADABLE = (msgspec.MsgspecError, UnicodeError, RecursionError)
"""What a decoder raises at bytes that were damaged: no JSON, no UTF-8, or nested without end."""

_MIN_INT = -(2**63)
_MAX_INT = 2**63 - 1

_DOLLAR, _BACKSLASH = b"$\\"
"""Bytes, which are found in a text by looking for a number."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class CodecError(ValueError):
    """Text that is no canonical value: invalid JSON, an unknown tag, a malformed body.

    `line` and `column` count from 1; None where the text is JSON and means nothing.
    """

    def __init__(self, message: str, line: int | None = None, column: int | None = None) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


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
    try:
        if kind is dict or kind is list or kind is FrozenDict or kind is FrozenList:
            if depth <= MAX_DEPTH and _is_plain(value, depth):
                text = _encode(value)
                # A NUL is tagged, because a JSONB column refuses it; the same six characters
                # behind an escaped backslash are harmless, and the slow path tells them apart.
                if (_BACKSLASH not in text or b"\\u0000" not in text) and len(text) <= MAX_BYTES:
                    return text
        elif kind is str:
            text = _encode(value)
            if (_BACKSLASH not in text or b"\\u0000" not in text) and len(text) <= MAX_BYTES:
                return text
        elif value is None:
            return b"null"
        elif kind is bool:
            return b"true" if value else b"false"
        elif kind is int and _MIN_INT <= value <= _MAX_INT:
            return b"%d" % value
    except (UnicodeEncodeError, RecursionError):
        pass
    return _encode_slowly(value, path, depth)


def _encode_slowly(value: Any, path: str, depth: int) -> bytes:
    from activegraph.core.boundary import boundary_tree

    text = _encode_tree(boundary_tree(value, path, depth), value, path)
    if len(text) > MAX_BYTES:
        raise oversized(value, path)
    return text


def _encode_tree(tree: Any, value: Any, path: str) -> bytes:
    try:
        return _encode(tree)
    except RecursionError as error:
        raise refused(value, path, "too little of the interpreter's stack is left to write it") from error


def _is_plain(value: Any, depth: int) -> bool:
    """Whether msgspec writes this container exactly, lone surrogates apart, which it refuses by itself.

    True for built-in types (or our frozen ones), text keys, 64-bit integers and finite floats,
    and for no object that would read as a tag.
    """
    if isinstance(value, dict):
        for key in value:
            if type(key) is not str:
                return False
        if len(value) == 1 and key[:4] == "$ag.":
            return False
        value = value.values()
    for item in value:
        kind = type(item)
        if kind is str or item is None or kind is bool:
            continue
        if kind is int:
            if not _MIN_INT <= item <= _MAX_INT:
                return False
        elif kind is float:
            if item - item != 0.0:
                return False
        elif kind is dict or kind is list or kind is FrozenDict or kind is FrozenList:
            if depth >= MAX_DEPTH or (item and not _is_plain(item, depth + 1)):
                return False
        else:
            return False
    return True


def check_header(name: str, value: Any) -> Any:
    """`value` if it may stand in a header field: None, or text that is UTF-8 without NUL.

    `id`, `type` and `run_id` are required and not empty; `timestamp` is required.

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


def _is_utf8(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def decode_canonical(data: bytes | str) -> Any:
    """Plain data from canonical text, or from text that ordinary tools have edited.

    Raises:
        CodecError: The text is no JSON, or a `$ag.` tag is unknown or malformed.
    """
    if not may_hold_tags(data):
        try:
            return _decode(data)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            pass  # the slow reader knows integers of any size, and says where text is wrong
    return _decode_slowly(data)


def may_hold_tags(data: bytes | str) -> bool:
    """Whether something in a JSON text might be a tag; an escape may spell a tag's name in another way.

    One sign is looked for first, since that is many times faster than looking for several.
    """
    if isinstance(data, str):
        return ("$" in data and '"$ag.' in data) or ("\\" in data and "\\u" in data)
    return (_DOLLAR in data and b'"$ag.' in data) or (_BACKSLASH in data and b"\\u" in data)


def _decode_slowly(data: bytes | str) -> Any:
    try:
        text = data if isinstance(data, str) else bytes(data).decode("utf-8")
        return json.loads(
            text,
            parse_constant=_no_constant,
            parse_int=number_of,
            parse_float=_finite,
            object_pairs_hook=_object,
        )
    except CodecError:
        raise
    except json.JSONDecodeError as error:
        message = f"{error.msg}: line {error.lineno} column {error.colno} (char {error.pos})"
        raise CodecError(message, error.lineno, error.colno) from error
    except (RecursionError, ValueError) as error:
        raise CodecError(str(error)) from error


def _no_constant(name: str) -> NoReturn:
    raise CodecError(f"{name} is no JSON value")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise CodecError("a number is beyond the range of a float")
    return number


def _object(pairs: list[tuple[str, Any]]) -> Any:
    plain = dict(pairs)
    if len(plain) == 1:
        [(key, body)] = plain.items()
        if key[:4] == "$ag.":
            from activegraph.core.tags import read_tag

            return read_tag(key, body)
    return plain


def encode_value(value: Any) -> bytes:
    """Any value that the log carries as canonical bytes; reversible.

    Raises:
        NonSerializableEventError: The value is none of those; subclasses of their types are none,
            since they would come back as something else.
    """
    from activegraph.core.tags import tagged_tree

    return _encode_tree(tagged_tree(value), value, "")


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


def oversized(value: Any, path: str) -> NonSerializableEventError:
    """The error for a payload whose canonical text is too long because of `value`."""
    return refused(value, path, f"the payload's canonical text would be longer than {MAX_BYTES} bytes")
