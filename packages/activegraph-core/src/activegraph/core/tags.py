"""Typed values beyond JSON: how the codec tags them, and how it reads the tags."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from activegraph.core.boundary import float_tree, integer_tree, sorted_set, string_tree
from activegraph.core.codec import CodecError, _big_integer, refused

__all__ = ["READERS", "to_tagged_tree"]


def to_tagged_tree(value: Any) -> Any:
    """`value` as a tree of JSON values in which every type of the table keeps its type."""
    return _tree(value, "", frozenset())


def _tree(value: Any, path: str, open_containers: frozenset[int]) -> Any:
    kind = type(value)
    if value is None or kind is bool:
        return value
    writer = _WRITERS.get(kind)
    if writer is not None:
        return writer(value)
    if kind in (dict, list, tuple, set, frozenset) or isinstance(value, (dict, list)):
        if id(value) in open_containers:
            raise refused(value, path, "it contains itself")
        inside = open_containers | {id(value)}
        if len(inside) > 200:
            raise refused(value, path, "it is nested deeper than 200 levels")
        if isinstance(value, dict):
            return _dict_tree(value, path, inside)
        items = sorted_set(value) if kind in (set, frozenset) else value
        tree = [_tree(item, f"{path}[{place}]", inside) for place, item in enumerate(items)]
        return {"$ag.tuple": tree} if kind is tuple else {"$ag.set": tree} if kind in (set, frozenset) else tree
    raise refused(value, path, "its type is not one that the canonical form knows")


def _dict_tree(value: dict[Any, Any], path: str, inside: frozenset[int]) -> Any:
    items = []
    for key, item in value.items():
        if type(key) is not str:
            raise refused(key, path, f"it is a dict key of type {type(key).__name__}")
        items.append((key, _tree(item, f"{path}.{key}" if path else key, inside)))
    lone_tag = len(items) == 1 and items[0][0].startswith("$ag.")
    if lone_tag or any(not isinstance(string_tree(key), str) for key, _ in items):
        return {"$ag.dict": [[string_tree(key), item] for key, item in items]}
    return dict(items)


_WRITERS: dict[type, Callable[[Any], Any]] = {
    str: string_tree,
    int: integer_tree,
    float: float_tree,
    bytes: lambda v: {"$ag.bytes": base64.b64encode(v).decode("ascii")},
    Decimal: lambda v: {"$ag.decimal": str(v)},
    datetime: lambda v: {"$ag.datetime": v.isoformat()},
    date: lambda v: {"$ag.date": v.isoformat()},
    time: lambda v: {"$ag.time": v.isoformat()},
}

_FLOATS = {"nan": float("nan"), "inf": float("inf"), "-inf": float("-inf")}


def _text(body: Any) -> str:
    if not isinstance(body, str):
        raise CodecError("a tag's body must be text")
    return body


def _list(body: Any) -> list[Any]:
    if not isinstance(body, list):
        raise CodecError("a tag's body must be a list")
    return body


def _read_float(body: Any) -> float:
    if _text(body) not in _FLOATS:
        raise CodecError(f"unknown float {body!r}")
    return _FLOATS[body]


def _read_dict(body: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for pair in _list(body):
        if not isinstance(pair, list) or len(pair) != 2 or not isinstance(pair[0], str):
            raise CodecError("malformed $ag.dict")
        plain[pair[0]] = pair[1]
    return plain


READERS: dict[str, Callable[[Any], Any]] = {
    "$ag.int": lambda body: _big_integer(_text(body)),
    "$ag.float": _read_float,
    "$ag.str": lambda body: base64.b64decode(_text(body), validate=True).decode("utf-8", "surrogatepass"),
    "$ag.bytes": lambda body: base64.b64decode(_text(body), validate=True),
    "$ag.dict": _read_dict,
    "$ag.decimal": lambda body: Decimal(_text(body)),
    "$ag.datetime": lambda body: datetime.fromisoformat(_text(body)),
    "$ag.date": lambda body: date.fromisoformat(_text(body)),
    "$ag.time": lambda body: time.fromisoformat(_text(body)),
    "$ag.tuple": lambda body: tuple(_list(body)),
    "$ag.set": lambda body: set(_list(body)),
}
