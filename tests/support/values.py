"""Values for property tests: what payloads accept, what the codec carries, and when two are the same."""

from __future__ import annotations

import math
import os
from collections import OrderedDict
from datetime import UTC, timedelta, timezone
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Any, NamedTuple

from hypothesis import settings
from hypothesis import strategies as st
from support.sampling import by_scale

__all__ = ["examples", "payload_dicts", "payload_values", "plain_dicts", "plain_values", "same", "typed_values"]

_FACTOR = int(os.environ.get("ACTIVEGRAPH_EXAMPLES", "1"))


def examples(count: int) -> settings:
    """`count` generated examples, times ACTIVEGRAPH_EXAMPLES for the long run; a quarter where the scale is small."""
    return settings(max_examples=by_scale(count, small=max(15, count // 4), full=count) * _FACTOR, deadline=None)


class Colour(StrEnum):
    """A text that is no exact `str`."""

    RED = "red"


class Level(IntEnum):
    """A number that is no exact `int`."""

    LOW = 1


class Point(NamedTuple):
    """A tuple with names."""

    x: Any
    y: Any


HARD_STRINGS = [
    "",
    "\x00",
    "a\x00b",
    "\ud800",
    "\udfff!",
    "\U0001f600",
    "e\u0301",
    "\u2028",
    '"\\',
    "\x1f\x7f",
    "\\u0000",
]
HARD_KEYS = [*HARD_STRINGS, "$ag.int", "$ag.str", "$ag.", "$ref", "__proto__", "provenance", "odd key"]
HARD_INTS = [2**53 + 1, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 10**400]
HARD_FLOATS = [1e23, 5e-324, 1.7976931348623157e308, -0.0, 1.0, 1e16, math.nan, math.inf, -math.inf]

# The default alphabet of hypothesis leaves surrogates out.
_strings = st.one_of(st.text(max_size=8), st.sampled_from(HARD_STRINGS), st.text(st.characters(), max_size=4))
_keys = st.one_of(st.text(max_size=6), st.sampled_from(HARD_KEYS))
_plain_scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from(HARD_INTS),
    st.floats(),
    st.sampled_from(HARD_FLOATS),
    _strings,
    st.binary(max_size=8),
)
_zones = st.sampled_from([None, UTC, timezone(timedelta(hours=-3, minutes=-30))])
_typed_scalars = st.one_of(
    _plain_scalars,
    st.decimals(allow_nan=False),
    st.sampled_from([Decimal("12.50"), Decimal("1E+3"), Decimal("-0"), Decimal("Infinity")]),
    st.datetimes(timezones=_zones),
    st.dates(),
    st.times(timezones=_zones),
)
_hashable_typed = st.recursive(
    _typed_scalars,
    lambda inner: st.one_of(st.tuples(inner, inner), st.frozensets(inner, max_size=3)),
    max_leaves=4,
)


def plain_values() -> st.SearchStrategy[Any]:
    """Values of the built-in types that a payload holds after the event boundary."""
    return st.recursive(
        _plain_scalars,
        lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(_keys, inner, max_size=4)),
        max_leaves=12,
    )


def plain_dicts() -> st.SearchStrategy[dict[str, Any]]:
    """Payloads that the event boundary leaves as they are."""
    return st.dictionaries(_keys, plain_values(), max_size=5)


def payload_values() -> st.SearchStrategy[Any]:
    """Everything that the event boundary takes, subclasses and converted types included."""
    odd_keys = st.one_of(_keys, st.integers(), st.floats(), st.booleans(), st.none())
    scalars = st.one_of(
        _typed_scalars,
        st.just(Colour.RED),
        st.just(Level.LOW),
        st.binary(max_size=4).map(bytearray),
        st.binary(max_size=4).map(memoryview),
    )
    return st.recursive(
        scalars,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.tuples(inner, inner),
            st.builds(Point, inner, inner),
            st.dictionaries(_keys, inner, max_size=3),
            st.dictionaries(_keys, inner, max_size=3).map(OrderedDict),
            st.dictionaries(odd_keys, inner, max_size=2).filter(_keys_stay_apart),
            st.frozensets(_hashable_typed, max_size=4),
            st.sets(_hashable_typed, max_size=4),
        ),
        max_leaves=12,
    )


def payload_dicts() -> st.SearchStrategy[dict[str, Any]]:
    """Payloads as users write them."""
    return st.dictionaries(_keys, payload_values(), max_size=4)


def typed_values() -> st.SearchStrategy[Any]:
    """Everything that `encode_value` carries; frozensets stand inside sets only, as they come back."""
    return st.recursive(
        _typed_scalars,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.tuples(inner, inner),
            st.dictionaries(_keys, inner, max_size=3),
            st.sets(_hashable_typed.filter(_has_no_nan), max_size=4),
        ),
        max_leaves=12,
    )


def _keys_stay_apart(value: dict[Any, Any]) -> bool:
    texts = ["null" if key is None else str(key).lower() for key in value]
    return len(set(texts)) == len(texts) and all(not isinstance(key, float) for key in value)


def _has_no_nan(value: Any) -> bool:
    if isinstance(value, (tuple, frozenset)):
        return all(_has_no_nan(item) for item in value)
    return value == value


def same(left: Any, right: Any) -> bool:
    """Equal in type, value and order; NaN is NaN, and zero has a sign."""
    if type(left) is not type(right):
        return {type(left), type(right)} == {set, frozenset} and left == right
    if isinstance(left, float):
        return (left != left and right != right) or (
            left == right and math.copysign(1, left) == math.copysign(1, right)
        )
    if isinstance(left, dict):
        return same(list(left.items()), list(right.items()))
    if isinstance(left, (list, tuple)):
        return len(left) == len(right) and all(same(a, b) for a, b in zip(left, right, strict=True))
    if isinstance(left, Decimal):
        return str(left) == str(right)
    return bool(left == right)
