"""The event boundary: whatever a user passed becomes plain data, or is refused by path.

This is the slow path of the codec; it gives a tree that msgspec can write as it is.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from activegraph.core.codec import MAX_DEPTH, encoded_text, refused

__all__ = ["integer_tree", "string_tree", "to_tree"]

_MIN_INT = -(2**63)
_MAX_INT = 2**63 - 1


def to_tree(value: Any, path: str, depth: int) -> Any:
    """`value` as a tree of plain JSON values and tags.

    Raises:
        NonSerializableEventError: For the first offending value in document order.
    """
    return _Walk().tree(value, path, depth)


class _Walk:
    def __init__(self) -> None:
        self._open: set[int] = set()

    def tree(self, value: Any, path: str, depth: int) -> Any:
        if value is None or value is True or value is False:
            return value
        if isinstance(value, str):
            return string_tree(str.__str__(value))
        if isinstance(value, int):
            return integer_tree(int.__index__(value))
        if isinstance(value, float):
            return float_tree(float.__float__(value))
        if isinstance(value, (bytes, bytearray, memoryview)):
            return {"$ag.bytes": base64.b64encode(bytes(value)).decode("ascii")}
        if isinstance(value, Decimal):
            return str(value)
        if isinstance(value, (datetime, date, time)):
            return value.isoformat()
        if isinstance(value, dict):
            return self._container(value, path, depth, self._dict)
        if isinstance(value, (list, tuple)):
            return self._container(value, path, depth, self._list)
        if isinstance(value, (set, frozenset)):
            return self._container(value, path, depth, self._set)
        raise refused(value, path, "its type is not one that the log carries")

    def _container(self, value: Any, path: str, depth: int, convert: Any) -> Any:
        if depth > MAX_DEPTH:
            raise refused(value, path, f"it is nested deeper than {MAX_DEPTH} levels")
        if id(value) in self._open:
            raise refused(value, path, "it contains itself")
        self._open.add(id(value))
        try:
            return convert(value, path, depth)
        finally:
            self._open.discard(id(value))

    def _dict(self, value: dict[Any, Any], path: str, depth: int) -> Any:
        keys = [_key(key, value, path) for key in value]
        tagged = any(_needs_tag(key) for key in keys) or (len(keys) == 1 and keys[0].startswith("$ag."))
        if len(set(keys)) != len(keys):
            raise refused(value, path, "two of its keys become the same text")
        # A tagged dict is an object over a list of lists: three levels instead of one.
        inner = depth + 3 if tagged else depth + 1
        if tagged and depth + 2 > MAX_DEPTH:
            raise refused(value, path, f"it is nested deeper than {MAX_DEPTH} levels")
        items = [
            (key, self.tree(item, _join(path, key), inner)) for key, item in zip(keys, value.values(), strict=True)
        ]
        if tagged:
            return {"$ag.dict": [[string_tree(key), item] for key, item in items]}
        return dict(items)

    def _list(self, value: Iterable[Any], path: str, depth: int) -> Any:
        return [self.tree(item, f"{path}[{place}]", depth + 1) for place, item in enumerate(value)]

    def _set(self, value: Any, path: str, depth: int) -> Any:
        return self._list(sorted_set(value), path, depth)


def sorted_set(value: Iterable[Any]) -> list[Any]:
    """A set's elements in one order: the natural one, else by type name and canonical bytes."""
    from activegraph.core.codec import encode_value

    items = list(value)
    numbers = [item for item in items if isinstance(item, float) and item != item]
    if not numbers:
        try:
            return sorted(items)
        except TypeError:
            pass
    return sorted(items, key=lambda item: (type(item).__name__, encode_value(item)))


def _key(key: Any, owner: Any, path: str) -> str:
    if isinstance(key, str):
        return str.__str__(key)
    if key is None:
        return "null"
    if isinstance(key, bool):
        return "true" if key else "false"
    if isinstance(key, int):
        return _digits(int.__index__(key))
    if isinstance(key, float):
        from activegraph.core.codec import encode_plain

        if key - key == 0.0:
            return encode_plain([float.__float__(key)])[1:-1].decode("ascii")
        return "NaN" if key != key else "Infinity" if key > 0 else "-Infinity"
    raise refused(key, path, f"it is a dict key of type {type(key).__name__}")


def _needs_tag(text: str) -> bool:
    if text.isascii():
        return "\x00" in text
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return "\x00" in text


def _join(path: str, key: str) -> str:
    if not key.isidentifier():
        return f'{path}["{key}"]'
    return f"{path}.{key}" if path else key


def string_tree(text: str) -> Any:
    """A string, tagged if it holds NUL or a lone surrogate."""
    return {"$ag.str": encoded_text(text)} if _needs_tag(text) else text


def integer_tree(number: int) -> Any:
    """An integer, tagged outside the signed 64-bit range."""
    return number if _MIN_INT <= number <= _MAX_INT else {"$ag.int": _digits(number)}


def float_tree(number: float) -> Any:
    """A float, tagged if it is not finite."""
    if number - number == 0.0:
        return number
    return {"$ag.float": "nan" if number != number else "inf" if number > 0 else "-inf"}


def _digits(number: int) -> str:
    """Decimal digits without the interpreter's limit on their number."""
    if -(10**4000) < number < 10**4000:
        return str(number)
    sign, rest = ("-", -number) if number < 0 else ("", number)
    return sign + _long_digits(rest)


def _long_digits(number: int) -> str:
    if number < 10**4000:
        return str(number)
    half = int(number.bit_length() * 0.30103) // 2
    high, low = divmod(number, 10**half)
    return _long_digits(high) + _long_digits(low).rjust(half, "0")
