"""The event boundary: whatever a user passed becomes plain data, or is refused by path.

This is the slow path of the codec; it gives a tree that msgspec can write as it is. The walk
goes in document order and remembers the way to where it stands, so that the first offending
value is named, and counts the levels of the canonical text, tags included.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from itertools import pairwise
from typing import Any

from activegraph.core.codec import MAX_DEPTH, encode_plain, refused
from activegraph.core.digits import digits_of
from activegraph.core.frozen import FrozenDict, FrozenList
from activegraph.errors import NonSerializableEventError

__all__ = ["Walk", "boundary_tree", "in_set_order"]

_MIN_INT = -(2**63)
_MAX_INT = 2**63 - 1

_CONTAINERS = (dict, list, tuple, set, frozenset)
_TOO_DEEP = f"it is nested deeper than {MAX_DEPTH} levels"
_NO_STACK = "too little of the interpreter's stack is left to write it"


def boundary_tree(value: Any, path: str, depth: int) -> Any:
    """`value` as a tree of plain JSON values and tags.

    Args:
        path: Where the value stands in its payload.
        depth: Level at which it stands; a payload is 1.

    Raises:
        NonSerializableEventError: For the first offending value in document order.
    """
    return Walk(path).whole_tree(value, depth)


class Walk:
    """One pass over a value. This one is the event boundary; the typed codec refines its steps."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._way: list[str | int] = []
        self._open: set[int] = set()

    def whole_tree(self, value: Any, depth: int) -> Any:
        """The tree of the value that the walk starts from."""
        try:
            return self._tree(value, depth)
        except RecursionError as error:
            raise refused(value, self._path, _NO_STACK) from error

    def _tree(self, value: Any, depth: int) -> Any:
        # Dicts and lists are dealt with in this one frame, so that 200 levels cost 200 frames.
        if not isinstance(value, _CONTAINERS):
            return self._scalar(value, depth)
        if id(value) in self._open:
            raise self._refusal(value, "it contains itself")
        self._open.add(id(value))
        way = self._way
        if isinstance(value, dict):
            entries, tagged = self._entries(value)
            if depth + (2 if tagged else 0) > MAX_DEPTH:
                raise self._refusal(value, _TOO_DEEP)
            inner = depth + 3 if tagged else depth + 1
            plain: dict[str, Any] = {}
            for key, text, item in entries:
                if text is None:
                    raise self._refusal(key, f"it is a dict key of type {type(key).__name__}")
                if text in plain:
                    raise self._refusal(value, f"two of its keys become the same text {text!r:.40}")
                way.append(text)
                plain[text] = self._tree(item, inner)
                way.pop()
            tree: Any = {"$ag.dict": self._pairs(plain, inner)} if tagged else plain
        else:
            elements, tag = self._elements(value)
            if depth + (1 if tag else 0) > MAX_DEPTH:
                raise self._refusal(value, _TOO_DEEP)
            inner = depth + 2 if tag else depth + 1
            tree = []
            for place, item in enumerate(elements):
                way.append(place)
                tree.append(self._tree(item, inner))
                way.pop()
            if tag:
                tree = {tag: tree}
        self._open.discard(id(value))
        return tree

    def _scalar(self, value: Any, depth: int) -> Any:
        if value is None or value is True or value is False:
            return value
        if isinstance(value, str):
            return self._text(value if type(value) is str else str.__str__(value), depth)
        if isinstance(value, int):
            return self._integer(value if type(value) is int else int.__index__(value), depth)
        if isinstance(value, float):
            return self._float(value if type(value) is float else float.__float__(value), depth)
        if isinstance(value, (bytes, bytearray, memoryview)):
            return self._bytes(value, depth)
        if isinstance(value, (Decimal, datetime, date, time)):
            return self._foreign(lambda: _text_form(value), value)
        raise self._refusal(value, "its type is not one that the log carries")

    def _key(self, key: Any) -> str | None:
        """The text of a dict key; None for one that has none."""
        if isinstance(key, str):
            return key if type(key) is str else str.__str__(key)
        if key is None or key is True or key is False:
            return "null" if key is None else "true" if key else "false"
        if isinstance(key, int):
            return digits_of(int.__index__(key))
        if isinstance(key, float):
            if key - key == 0.0:
                return encode_plain(float.__float__(key)).decode("ascii")
            return "NaN" if key != key else "Infinity" if key > 0 else "-Infinity"
        return None

    def _elements(self, value: Any) -> tuple[Iterable[Any], str | None]:
        """The elements of a list, tuple or set in written order, and the tag that wraps them."""
        if isinstance(value, (set, frozenset)):
            return self._foreign(lambda: in_set_order(value, encode_plain), value), None
        return value if type(value) in (list, tuple, FrozenList) else self._foreign(lambda: list(value), value), None

    def _entries(self, value: dict[Any, Any]) -> tuple[Sequence[tuple[Any, str | None, Any]], bool]:
        """Key, its text, and item of each entry, and whether the dict has to be written as `$ag.dict`."""
        plain = value if type(value) in (dict, FrozenDict) else self._foreign(lambda: dict(value), value)
        entries = [(key, self._key(key), item) for key, item in plain.items()]
        tagged = any(text is not None and _needs_tag(text) for _, text, _ in entries)
        if not tagged and len(entries) == 1:
            tagged = (entries[0][1] or "").startswith("$ag.")
        return entries, tagged

    def _pairs(self, plain: dict[str, Any], depth: int) -> list[list[Any]]:
        return [[self._text(text, depth), item] for text, item in plain.items()]

    def _text(self, text: str, depth: int) -> Any:
        if not _needs_tag(text):
            return text
        self._require_level(text, depth)
        return {"$ag.str": base64.b64encode(text.encode("utf-8", "surrogatepass")).decode("ascii")}

    def _integer(self, number: int, depth: int) -> Any:
        if _MIN_INT <= number <= _MAX_INT:
            return number
        self._require_level(number, depth)
        return {"$ag.int": digits_of(number)}

    def _float(self, number: float, depth: int) -> Any:
        if number - number == 0.0:
            return number
        self._require_level(number, depth)
        return {"$ag.float": "nan" if number != number else "inf" if number > 0 else "-inf"}

    def _bytes(self, value: Any, depth: int) -> Any:
        self._require_level(value, depth)
        # By way of a memoryview, since `bytes(value)` would ask a subclass for its own idea of them.
        content = self._foreign(lambda: bytes(memoryview(value)), value)
        return {"$ag.bytes": base64.b64encode(content).decode("ascii")}

    def _require_level(self, value: Any, depth: int) -> None:
        """Refuse a tagged scalar, which is an object in the text, below the last level."""
        if depth > MAX_DEPTH:
            raise self._refusal(value, _TOO_DEEP)

    def _foreign(self, convert: Callable[[], Any], value: Any) -> Any:
        """What code of the value's own class gives; whatever it raises makes the value one we refuse."""
        try:
            return convert()
        except RecursionError:
            raise
        except Exception as error:
            raise self._refusal(value, f"converting it raised {type(error).__name__}") from error

    def _refusal(self, value: Any, why: str) -> NonSerializableEventError:
        path = self._path
        for step in self._way:
            path = _joined(path, step)
        return refused(value, path, why)


def _text_form(value: Decimal | date | time) -> str:
    if isinstance(value, Decimal):
        return Decimal.__str__(value)
    if isinstance(value, datetime):
        return datetime.isoformat(value)
    return date.isoformat(value) if isinstance(value, date) else time.isoformat(value)


def in_set_order(elements: Iterable[Any], encode: Callable[[Any], bytes]) -> list[Any]:
    """A set's elements in an order that follows from them alone.

    The natural order, where it is one: sets compare by inclusion and NaN compares with nothing,
    and sorting by such a comparison would depend on the order of the hash table. Otherwise by
    type name and canonical bytes.
    """
    items = list(elements)
    try:
        ordered = sorted(items)
        if all(a < b for a, b in pairwise(ordered)):
            return ordered
    except Exception:  # elements may be of any class, and compare as it likes
        ordered = items

    def by_type_and_bytes(item: Any) -> tuple[str, bytes]:
        try:
            return type(item).__name__, encode(item)
        except NonSerializableEventError:
            return type(item).__name__, b""

    return sorted(ordered, key=by_type_and_bytes)


def _needs_tag(text: str) -> bool:
    """Whether a string holds what JSON or a JSONB column cannot carry: NUL or a lone surrogate."""
    if "\x00" in text:
        return True
    if text.isascii():
        return False
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


def _joined(path: str, step: str | int) -> str:
    if isinstance(step, int):
        return f"{path}[{step}]"
    if step.isidentifier():
        return f"{path}.{step}" if path else step
    return f"{path}[{json.dumps(step, ensure_ascii=_needs_tag(step))}]"
