"""The event boundary: what payloads accept, what they become, and what is refused by which path."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections import OrderedDict, defaultdict, namedtuple
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from pathlib import Path
from typing import Any

import pytest
from activegraph.core.codec import MAX_DEPTH, check_header, decode_canonical, encode_payload_bytes
from activegraph.core.frozen import freeze
from activegraph.errors import NonSerializableEventError
from hypothesis import given
from support.values import examples, payload_dicts, same


class Colour(StrEnum):
    RED = "red"


class OldColour(str, Enum):  # noqa: UP042 - the older spelling, which formats as its name
    RED = "red"


class Level(IntEnum):
    HIGH = 3


class Share(float):
    pass


class Blob(bytes):
    def __bytes__(self) -> bytes:
        return b"something else"


class Plain(Enum):
    ONE = 1


class Hostile(dict[str, Any]):
    def __iter__(self) -> Any:
        raise RuntimeError("no keys for you")

    keys = __iter__


@dataclass
class Record:
    a: int = 1


Point = namedtuple("Point", "x y")


def boundary(value: Any) -> Any:
    return decode_canonical(encode_payload_bytes({"v": value}))["v"]


def refusal_of(payload: Any) -> NonSerializableEventError:
    with pytest.raises(NonSerializableEventError) as refusal:
        encode_payload_bytes(payload)
    return refusal.value


BECOMES = [
    (Colour.RED, "red"),
    (OldColour.RED, "red"),
    (Level.HIGH, 3),
    (Share(0.5), 0.5),
    (Blob(b"x"), b"x"),
    (OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
    (defaultdict(list, a=[1]), {"a": [1]}),
    (bytearray(b"ab"), b"ab"),
    (memoryview(b"abcd")[::2], b"ac"),
    ((1, (2,)), [1, [2]]),
    (Point(1, 2), [1, 2]),
    (Decimal("3.14"), "3.14"),
    (Decimal("12.50"), "12.50"),
    (datetime(2026, 5, 15, 10, 32, 1), "2026-05-15T10:32:01"),
    (datetime(2026, 5, 15, 10, 32, 1, tzinfo=UTC), "2026-05-15T10:32:01+00:00"),
    (date(2026, 5, 15), "2026-05-15"),
    (time(10, 32), "10:32:00"),
    ({"b", "a", "c"}, ["a", "b", "c"]),
    (frozenset({2, 10, 1}), [1, 2, 10]),
    ({"b", 1, None}, [None, 1, "b"]),
    ({1: "a"}, {"1": "a"}),
    ({10**400: "a"}, {"1" + "0" * 400: "a"}),
    ({1.0: "a", 1e23: "b"}, {"1.0": "a", "1e23": "b"}),
    ({True: "a", False: "b"}, {"true": "a", "false": "b"}),
    ({None: "a"}, {"null": "a"}),
    ({Colour.RED: 1}, {"red": 1}),
    (freeze({"a": [1, {"b": 2}]}), {"a": [1, {"b": 2}]}),
]


@pytest.mark.parametrize(("given_value", "plain"), BECOMES, ids=[type(v).__name__ for v, _ in BECOMES])
def test_each_accepted_type_becomes_plain_data(given_value: Any, plain: Any) -> None:
    assert same(boundary(given_value), plain)


def test_the_order_of_an_ordered_dict_is_its_own() -> None:
    ordered = OrderedDict(a=1, b=2)
    ordered.move_to_end("a")
    assert list(boundary(ordered)) == ["b", "a"]


@given(payload=payload_dicts())
@examples(200)
def test_what_passed_the_boundary_passes_it_again_unchanged(payload: dict[str, Any]) -> None:
    text = encode_payload_bytes(payload)
    assert encode_payload_bytes(decode_canonical(text)) == text


@pytest.mark.parametrize(
    "value",
    [Record(), Plain.ONE, uuid.uuid4(), Path("x"), len, object(), 1j, range(3), iter([1]), Hostile(a=1), type],
    ids=lambda v: type(v).__name__,
)
def test_other_types_are_refused_by_path_and_type(value: Any) -> None:
    error = refusal_of({"object": {"data": {"items": [1, 2, {"owner": value}]}}})
    assert error.context == {"path": "object.data.items[2].owner", "type": type(value).__name__}
    assert "object.data.items[2].owner" in error.summary
    assert type(value).__name__ in error.summary
    assert isinstance(error, TypeError)


def test_keys_that_are_no_identifiers_are_quoted_in_paths() -> None:
    assert refusal_of({"a": {"odd key": [object()]}}).context["path"] == 'a["odd key"][0]'
    assert refusal_of({"1": object()}).context["path"] == '["1"]'
    assert refusal_of({'"\x00': object()}).context["path"] == '["\\"\\u0000"]'
    refusal_of({"\ud800": object()}).context["path"].encode("utf-8")


@pytest.mark.parametrize("payload", [None, [], "text", [("a", 1)]])
def test_a_payload_is_a_dict(payload: Any) -> None:
    assert refusal_of(payload).context == {"path": "<root>", "type": type(payload).__name__}


def test_the_first_offending_value_in_document_order_is_named() -> None:
    assert refusal_of({"a": [1, object()], "b": 1j}).context == {"path": "a[1]", "type": "object"}
    assert refusal_of({"a": 1j, b"b": 1}).context == {"path": "a", "type": "complex"}
    assert refusal_of({"a": {b"b": 1j}}).context == {"path": "a", "type": "bytes"}
    assert refusal_of({"a": {1: 0, "1": object()}}).context == {"path": "a", "type": "dict"}
    assert refusal_of({"a": {1: object(), "1": 0}}).context == {"path": 'a["1"]', "type": "object"}


def test_keys_that_become_equal_are_refused() -> None:
    error = refusal_of({"a": {1: "x", "1": "y"}})
    assert error.context == {"path": "a", "type": "dict"}
    assert "same text" in error.summary


def test_a_cycle_is_refused_where_it_closes() -> None:
    loop: dict[str, Any] = {"a": []}
    loop["a"].append({"again": loop})
    assert refusal_of(loop).context == {"path": "a[0].again", "type": "dict"}


def test_one_value_in_two_places_is_no_cycle() -> None:
    shared = (1, 2)
    assert encode_payload_bytes({"a": shared, "b": [shared, shared]}) == b'{"a":[1,2],"b":[[1,2],[1,2]]}'


def nested(levels: int, core: Any) -> Any:
    value = core
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("core", "levels_of_core"),
    [
        ([], 1),
        ({}, 1),
        (1, 0),
        ((), 1),
        (b"x", 1),
        ("\x00", 1),
        (2**70, 1),
        (float("nan"), 1),
        ({"\x00": 1}, 4),
        ({"$ag.x": 1}, 3),
        ({"$ag.x": b""}, 4),
    ],
    ids=repr,
)
def test_200_levels_of_the_text_are_carried_and_no_more(core: Any, levels_of_core: int) -> None:
    fitting = MAX_DEPTH - 1 - levels_of_core
    text = encode_payload_bytes({"a": nested(fitting, core)})
    assert same(decode_canonical(text)["a"], nested(fitting, [] if core == () else core))

    error = refusal_of({"a": nested(fitting + 1, core)})
    assert error.context["path"].startswith("a[0][0]")
    assert "200 levels" in error.summary


def test_no_depth_of_nesting_is_too_much_for_the_refusal() -> None:
    assert "200 levels" in refusal_of({"a": nested(100_000, 1)}).summary
    assert "200 levels" in refusal_of({"a": nested(100_000, b"")}).summary


def test_sets_of_elements_that_cannot_be_recorded_name_the_element() -> None:
    assert refusal_of({"a": {1, "x", len}}).context == {"path": "a[0]", "type": "builtin_function_or_method"}


def test_a_released_buffer_is_refused_like_any_value_that_cannot_be_read() -> None:
    view = memoryview(b"abc")
    view.release()
    assert refusal_of({"a": view}).context == {"path": "a", "type": "memoryview"}


def test_what_was_passed_is_not_changed_and_not_kept() -> None:
    inner = [1]
    payload = {"a": inner, "b": b"x"}
    text = encode_payload_bytes(payload)
    inner.append(2)
    assert decode_canonical(text) == {"a": [1], "b": b"x"}
    assert payload == {"a": [1, 2], "b": b"x"}


@pytest.mark.parametrize("name", ["id", "type", "run_id"])
def test_required_header_fields_are_not_empty(name: str) -> None:
    for value in ("", None, 5):
        with pytest.raises(NonSerializableEventError) as refusal:
            check_header(name, value)
        assert refusal.value.context == {"path": name, "type": type(value).__name__}


@pytest.mark.parametrize("name", ["id", "type", "actor", "frame_id", "caused_by", "timestamp", "run_id"])
@pytest.mark.parametrize("value", ["a\x00", "\ud800", b"bytes", 7])
def test_header_fields_are_text_that_every_store_carries(name: str, value: Any) -> None:
    with pytest.raises(NonSerializableEventError) as refusal:
        check_header(name, value)
    assert refusal.value.context["path"] == name


def test_optional_header_fields_may_be_missing_or_empty() -> None:
    assert check_header("actor", None) is None
    assert check_header("actor", "") == ""
    assert check_header("timestamp", "") == ""
    assert type(check_header("type", Colour.RED)) is str


def test_a_payload_is_written_alike_whatever_the_hash_seed() -> None:
    program = (
        "from activegraph.core.codec import encode_payload_bytes, encode_value\n"
        "sets = {'a': set('abcdefgh'), 'b': {frozenset('xy'), frozenset('yz'), frozenset('z')}, 'c': {'x', 1, None, 2.5}}\n"
        "print(encode_payload_bytes(sets), encode_value(sets))\n"
    )
    written = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(written) == 1
