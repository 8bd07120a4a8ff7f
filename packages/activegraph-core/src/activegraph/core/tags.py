"""Typed values beyond JSON: how the codec tags them, and how it reads the tags.

Reading is strict about a tag's body, since what is not in the form that the codec writes was
not written by it: it is corruption, not another spelling.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from activegraph.core.boundary import Walk, in_set_order
from activegraph.core.codec import CodecError, encode_value
from activegraph.core.digits import number_of
from activegraph.core.frozen import FrozenDict, FrozenList

__all__ = ["read_tag", "tagged_tree"]

_INTEGER = re.compile(r"-?[1-9][0-9]*|0", re.ASCII)


def tagged_tree(value: Any) -> Any:
    """`value` as a tree of JSON values in which every type of the table keeps its type."""
    return _TypedWalk("").whole_tree(value, 1)


class _TypedWalk(Walk):
    """The walk that keeps types: what is not exactly of one that the table names is refused."""

    def _scalar(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if value is None or kind is bool:
            return value
        if kind is str:
            return self._text(value, depth)
        if kind is int:
            return self._integer(value, depth)
        if kind is float:
            return self._float(value, depth)
        if kind is bytes:
            return self._bytes(value, depth)
        tag = _TYPED.get(kind)
        if tag is None:
            raise self._refusal(value, "its type is not one that the canonical form knows")
        self._require_level(value, depth)
        return {tag: str(value) if kind is Decimal else self._foreign(value.isoformat, value)}

    def _key(self, key: Any) -> str | None:
        return key if type(key) is str else None

    def _entries(self, value: dict[Any, Any]) -> Any:
        self._require_exact(value)
        return super()._entries(value)

    def _elements(self, value: Any) -> tuple[Iterable[Any], str | None]:
        self._require_exact(value)
        if isinstance(value, (set, frozenset)):
            return _one_nan(in_set_order(value, encode_value)), "$ag.set"
        return value, "$ag.tuple" if isinstance(value, tuple) else None

    def _require_exact(self, value: Any) -> None:
        if type(value) not in _EXACT_CONTAINERS:
            raise self._refusal(value, "it is of a subclass, which would not come back")


_TYPED = {Decimal: "$ag.decimal", datetime: "$ag.datetime", date: "$ag.date", time: "$ag.time"}
_EXACT_CONTAINERS = frozenset({dict, list, tuple, set, frozenset, FrozenDict, FrozenList})


def _one_nan(items: list[Any]) -> list[Any]:
    """`items` with at most one NaN: a set may hold several, and in canonical form they are one value."""
    met = False
    kept = []
    for item in items:
        if isinstance(item, float) and item != item:
            if met:
                continue
            met = True
        kept.append(item)
    return kept


def read_tag(tag: str, body: Any) -> Any:
    """The value of `{tag: body}`, whose body has been read already.

    Raises:
        CodecError: The tag is unknown, or the body is not one that the codec writes.
    """
    reader = _READERS.get(tag)
    if reader is None:
        raise CodecError(f"unknown tag {tag!r:.80}")
    try:
        return reader(body)
    except CodecError:
        raise
    except (ValueError, TypeError, ArithmeticError) as error:
        # The reader's own message may quote the text, and this one stands in log lines.
        raise _malformed(tag, "its text is none of this kind") from error


def _malformed(tag: str, what: str) -> CodecError:
    return CodecError(f"malformed {tag}: {what}")


def _text(tag: str, body: Any) -> str:
    if type(body) is not str:
        raise _malformed(tag, "its body is no text")
    return body


def _list(tag: str, body: Any) -> list[Any]:
    if type(body) is not list:
        raise _malformed(tag, "its body is no list")
    return body


def _read_integer(body: Any) -> int:
    digits = _text("$ag.int", body)
    if not _INTEGER.fullmatch(digits):
        raise _malformed("$ag.int", "its body is no decimal number")
    return number_of(digits)


_FLOATS = {"nan": float("nan"), "inf": float("inf"), "-inf": float("-inf")}


def _read_float(body: Any) -> float:
    number = _FLOATS.get(_text("$ag.float", body))
    if number is None:
        raise _malformed("$ag.float", f"{body!r:.40} is not one of {', '.join(_FLOATS)}")
    return number


def _base64(tag: str, body: Any) -> bytes:
    text = _text(tag, body)
    content = base64.b64decode(text, validate=True)
    if base64.b64encode(content).decode("ascii") != text:
        raise _malformed(tag, "its body is base64 of another spelling")
    return content


def _read_dict(body: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for pair in _list("$ag.dict", body):
        if type(pair) is not list or len(pair) != 2 or type(pair[0]) is not str or pair[0] in plain:
            raise _malformed("$ag.dict", "its body is no list of pairs of a key of its own and a value")
        plain[pair[0]] = pair[1]
    return plain


def _read_set(body: Any) -> set[Any]:
    elements = [_hashable(item) for item in _list("$ag.set", body)]
    found = set(elements)
    if len(found) != len(elements):
        raise _malformed("$ag.set", "an element occurs twice")
    return found


def _hashable(item: Any) -> Any:
    """A set inside a set, at any depth of tuples, as the frozenset that it must have been."""
    if type(item) is set:
        return frozenset(item)
    if type(item) is tuple:
        return tuple(_hashable(part) for part in item)
    return item


def _exact(tag: str, read: Callable[[str], Any], write: Callable[[Any], str]) -> Callable[[Any], Any]:
    """A reader that takes a text only if its value is written as that same text."""

    def reader(body: Any) -> Any:
        value = read(_text(tag, body))
        if write(value) != body:
            raise _malformed(tag, f"{body!r:.40} is another spelling of {write(value)!r:.40}")
        return value

    return reader


_READERS: dict[str, Callable[[Any], Any]] = {
    "$ag.int": _read_integer,
    "$ag.float": _read_float,
    "$ag.str": lambda body: _base64("$ag.str", body).decode("utf-8", "surrogatepass"),
    "$ag.bytes": lambda body: _base64("$ag.bytes", body),
    "$ag.dict": _read_dict,
    "$ag.decimal": _exact("$ag.decimal", Decimal, str),
    "$ag.datetime": _exact("$ag.datetime", datetime.fromisoformat, datetime.isoformat),
    "$ag.date": _exact("$ag.date", date.fromisoformat, date.isoformat),
    "$ag.time": _exact("$ag.time", time.fromisoformat, time.isoformat),
    "$ag.tuple": lambda body: tuple(_list("$ag.tuple", body)),
    "$ag.set": _read_set,
}
