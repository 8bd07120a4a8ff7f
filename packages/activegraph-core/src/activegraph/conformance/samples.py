"""What the cases write: ordinary events, values that go wrong easily, and how results are compared."""

from __future__ import annotations

import string
import struct
from collections import OrderedDict
from collections.abc import Sequence
from datetime import date, datetime, time
from decimal import Decimal
from enum import IntEnum
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from activegraph.conformance.cases import check, same
from activegraph.core.codec import decode_value, encode_payload_bytes
from activegraph.core.event import Event
from activegraph.core.frozen import thaw
from activegraph.store.base import EventStore

__all__ = [
    "HARD_VALUES",
    "ODD_TEXTS",
    "difference",
    "event",
    "events",
    "fields",
    "generated",
    "holds",
    "ids",
    "nested",
    "payloads",
    "reference",
    "same_events",
]

ODD_TEXTS = (
    "x" * 10_000,
    "' OR '1'='1",
    'say "hi"; DROP TABLE events; --',
    "100%_of %s %(name)s {0} ?1 :a $1",
    "emoji 🦉 and 日本語",
    "e\u0301 is not \u00e9",
    "tab\tand\nnewline\r\n",
    " spaced ",
    "back\\slash",
    "line\u2028separator\u00a0\ufeff",
)
"""Texts that a header field holds exactly; none has a NUL or a surrogate."""


class _Level(IntEnum):
    HIGH = 3


def event(id: str, type: str = "note.made", payload: dict[str, Any] | None = None, **header: Any) -> Event:
    """An event; what a case does not spell out is ordinary."""
    chosen = {"n": 1} if payload is None else payload
    return Event(id, type, chosen, **{"timestamp": "2026-05-15T10:32:01Z", "actor": "user", **header})


def events(number: int, start: int = 1, prefix: str = "evt_", type: str = "note.made") -> list[Event]:
    """Events with the numbers `start`, `start + 1`, … in id and payload."""
    return [event(f"{prefix}{n}", type, {"n": n}) for n in range(start, start + number)]


def ids(found: Sequence[Event]) -> list[str]:
    """The ids, in order."""
    return [each.id for each in found]


def reference(payload: dict[str, Any]) -> dict[str, Any]:
    """The payload as every store returns it: past the event boundary, through the reference codec."""
    decoded: dict[str, Any] = decode_value(encode_payload_bytes(payload))
    return decoded


def fields(each: Event) -> tuple[Any, ...]:
    """All seven fields, the payload as canonical bytes of what a reader of it sees."""
    header = (each.id, each.type, each.actor, each.frame_id, each.caused_by, each.timestamp)
    return (*header, encode_payload_bytes(thaw(each.payload)))


def same_events(found: Sequence[Event], expected: Sequence[Event]) -> None:
    """Fail unless two lists of events are equal in all seven fields, types of values included."""
    check(ids(found) == ids(expected), f"the ids are {_some(ids(found))}, not {_some(ids(expected))}")
    for got, wanted in zip(found, expected, strict=True):
        for name in ("type", "actor", "frame_id", "caused_by", "timestamp"):
            ours, theirs = getattr(wanted, name), getattr(got, name)
            check(
                ours == theirs and type(ours) is type(theirs),
                f"{name} of {wanted.id!r} is {theirs!r:.200}, not {ours!r:.200}",
            )
        differs = difference(reference(wanted.payload), got.payload)
        check(differs is None, f"the payload of {wanted.id!r:.80} differs: {differs}")


def holds(store: EventStore, number: int) -> None:
    """Fail unless a run is exactly `evt_1` to `evt_<number>`, by its events, its count and its head."""
    same_events(list(store.iter_events()), events(number))
    same("count()", store.count(), number)
    head = getattr(store, "head", None)
    if head is not None:
        same("head()", head(), number)


def _some(found: Sequence[str]) -> str:
    shown = [each if len(each) <= 40 else f"{each[:40]}…" for each in found]
    return repr(shown) if len(shown) <= 12 else f"{shown[:6]} … {shown[-6:]} ({len(shown)} of them)"


def difference(expected: Any, got: Any, path: str = "payload") -> str | None:
    """Where two plain values differ in type, value, order of keys, sign of zero; None if nowhere."""
    if isinstance(expected, dict):
        if not isinstance(got, dict):
            return f"{path} is a {type(got).__name__}, not a dict"
        if list(got) != list(expected):
            return f"{path} has the keys {list(got)!r:.200}, not {list(expected)!r:.200}"
        found = (difference(item, got[key], f"{path}[{key!r:.40}]") for key, item in expected.items())
        return next((each for each in found if each is not None), None)
    if isinstance(expected, list):
        if not isinstance(got, list):
            return f"{path} is a {type(got).__name__}, not a list"
        if len(got) != len(expected):
            return f"{path} has {len(got)} items, not {len(expected)}"
        found = (difference(item, got[n], f"{path}[{n}]") for n, item in enumerate(expected))
        return next((each for each in found if each is not None), None)
    if type(expected) is not type(got):
        return (
            f"{path} is {_shown(got)} of type {type(got).__name__}, not {_shown(expected)} of {type(expected).__name__}"
        )
    if isinstance(expected, float):
        equal = struct.pack("<d", expected) == struct.pack("<d", got) or (expected != expected and got != got)
    else:
        equal = expected == got
    return None if equal else f"{path} is {_shown(got)}, not {_shown(expected)}"


def _shown(value: Any) -> str:
    try:
        return f"{value!r:.100}"
    except ValueError:
        return "an integer of thousands of digits"


def nested(levels: int) -> list[Any]:
    """A list in a list in a list …, that many deep."""
    inner: list[Any] = []
    for _ in range(levels - 1):
        inner = [inner]
    return inner


_STRANGE = (
    "a\x00b",
    "\ud800",
    "\udfff tail",
    "𝄞🦉",
    "e\u0301",
    "\u00e9",
    "\u2028\u2029",
    'quote " and \\',
    "\x07\x1f\x7f",
)

HARD_VALUES: dict[str, Any] = {
    **{f"text {n}": text for n, text in enumerate(_STRANGE)},
    "empty text": "",
    "empty containers": [{}, [], {"a": {}, "b": []}],
    "order of keys": {"z": 1, "a": 2, "m": 3, "": 4, "10": 5, "9": 6},
    "strange keys": {text: n for n, text in enumerate(_STRANGE)},
    "key with a tag's name": {"$ag.int": "5"},
    "keys with tags' names": {"$ag.int": "5", "$ag.new": 1},
    "keys of schemas": {"$ref": "#/a", "$schema": None, "__proto__": {}, "constructor": 1},
    "2**53 + 1": 2**53 + 1,
    "2**63 - 1": 2**63 - 1,
    "-2**63": -(2**63),
    "2**63": 2**63,
    "-2**63 - 1": -(2**63) - 1,
    "10**400": 10**400,
    "many digits": -(7**6000),
    "1e23": 1e23,
    "smallest": 5e-324,
    "largest": 1.7976931348623157e308,
    "0.1 + 0.2": 0.1 + 0.2,
    "minus zero": -0.0,
    "float and int": [1.0, 1, 10.0, 10, 1e3, 1000],
    "bool and int": [True, 1, False, 0, None],
    "not finite": [float("nan"), float("inf"), float("-inf")],
    "bytes": bytes(range(256)),
    "no bytes": b"",
    "bytes in arrays": [bytearray(b"ab"), memoryview(b"cd")],
    "decimals": [Decimal("12.50"), Decimal("-0"), Decimal("NaN"), Decimal("1E+3")],
    "times": [date(2026, 8, 29), datetime(2026, 5, 15, 10, 32, 1), time(1, 2, 3, 4)],
    "sets": [{"b", "a", "c"}, frozenset({3, 1, 2}), {1, "a", None}],
    "tuples": (1, (2, (3,))),
    "subclasses": [_Level.HIGH, OrderedDict(b=1, a=2)],
    "keys that are not text": {7: "a", False: "b", None: "c", 2.5: "d"},
    "looks like JSON": '{"a": [1, 2.0, null]}',
    "looks like a number": ["1", "1.0", "1e5", "NaN", "null", "true", "0x10"],
    "looks like a time": ["2026-05-15T10:32:01Z", "2026-05-15 10:32:01+02", "infinity"],
    "198 levels": nested(198),
}
"""Values by name that a store, a driver or a database changes easily."""

_KEYS = st.one_of(
    st.text(max_size=6),
    st.text(st.characters(exclude_categories=()), max_size=4),
    st.sampled_from(["$ag.int", "$ag.str", "$ag.new", "$ref", "__proto__", "a\x00", "\ud800", "z", "a", "m"]),
)

_LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=20),
    st.text(st.characters(exclude_categories=()), max_size=8),
    st.text(string.printable, max_size=30),
    st.sampled_from([2**53 + 1, 2**63, -(2**63) - 1, 1e23, 5e-324, -0.0, "\x00", "\udc80"]),
    st.binary(max_size=20),
    st.binary(max_size=5).map(bytearray),
    st.decimals(),
    st.dates(),
    st.datetimes(),
    st.times(),
    st.frozensets(st.one_of(st.integers(), st.text(max_size=3)), max_size=4),
)

_VALUES = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(_KEYS, inner, max_size=4),
        st.dictionaries(st.integers(), inner, max_size=2),
    ),
    max_leaves=15,
)


def generated(examples: int) -> settings:
    """Settings of a generated case: the same examples each time, and no files left behind."""
    return settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )


def payloads() -> st.SearchStrategy[dict[str, Any]]:
    """Any payload that the event boundary accepts, nested, with every type of its table."""
    return st.dictionaries(_KEYS, _VALUES, max_size=5)
