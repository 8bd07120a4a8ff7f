"""Events: immutable records whose payload is detached when they are emitted."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
import pickle
from typing import Any

import pytest
from activegraph.core.codec import encode_value
from activegraph.core.event import NO_DIGEST, Event, event_digest
from activegraph.core.record import record_of
from activegraph.errors import NonSerializableEventError
from hypothesis import given
from support.values import examples, payload_dicts


def detached(event: Event) -> Event:
    return record_of(event).event()


def recorded(payload: dict[str, Any] | None = None) -> Event:
    return detached(Event("evt_1", "x", payload or {"a": [1, {"b": 2}]}, "user", "frame_001", "evt_0", "t"))


def test_fields_stand_in_order_with_their_defaults() -> None:
    event = Event("evt_1", "x")
    assert [f.name for f in dataclasses.fields(Event)] == [
        "id",
        "type",
        "payload",
        "actor",
        "frame_id",
        "caused_by",
        "timestamp",
    ]
    assert (event.payload, event.actor, event.frame_id, event.caused_by, event.timestamp) == ({}, None, None, None, "")


@pytest.mark.parametrize("event", [Event("evt_1", "x"), recorded()])
@pytest.mark.parametrize("field", [f.name for f in dataclasses.fields(Event)])
def test_assigning_to_a_field_raises(event: Event, field: str) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(event, field, "other")
    with pytest.raises(dataclasses.FrozenInstanceError):
        delattr(event, field)


def test_to_dict_gives_the_seven_fields_in_order_as_plain_values() -> None:
    plain = recorded().to_dict()
    assert list(plain) == ["id", "type", "payload", "actor", "frame_id", "caused_by", "timestamp"]
    assert plain["payload"] == {"a": [1, {"b": 2}]}
    assert type(plain["payload"]) is dict
    assert type(plain["payload"]["a"]) is list
    plain["payload"]["a"].append("changed")
    assert recorded().to_dict()["payload"] == {"a": [1, {"b": 2}]}


def test_a_recorded_event_equals_one_built_with_the_same_values() -> None:
    built = Event("evt_1", "x", {"a": [1, {"b": 2}]}, "user", "frame_001", "evt_0", "t")
    assert recorded() == built
    assert built == recorded()
    assert recorded() != dataclasses.replace(built, payload={"a": 1})
    assert recorded() != dataclasses.replace(built, actor=None)
    assert repr(recorded()) == repr(built)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))])
def test_copies_are_equal_and_their_payloads_are_plain(copied: Any) -> None:
    event = recorded()
    other = copied(event)
    assert other == event
    assert type(other.payload) is dict
    other.payload["a"].append("changed")
    assert event.payload == {"a": [1, {"b": 2}]}


def test_dataclass_tools_give_plain_values() -> None:
    event = recorded()
    assert dataclasses.asdict(event) == event.to_dict()
    assert type(dataclasses.asdict(event)["payload"]["a"]) is list
    assert dataclasses.replace(event, id="evt_2").payload == event.payload
    assert dataclasses.astuple(event)[0] == "evt_1"


def test_unknown_attributes_are_missing_as_on_any_object() -> None:
    assert not hasattr(recorded(), "colour")
    assert not hasattr(Event("evt_1", "x"), "colour")


def test_events_without_a_payload_share_none() -> None:
    first, second = Event("evt_1", "x"), Event("evt_2", "x")
    first.payload["a"] = 1
    assert second.payload == Event("evt_3", "x").payload == {}


def test_detaching_keeps_nothing_by_reference() -> None:
    payload: dict[str, Any] = {"a": [1]}
    event = detached(Event("evt_1", "x", payload))
    payload["a"].append(2)
    payload["b"] = 3
    assert event.payload == {"a": [1]}


@pytest.mark.parametrize(
    ("event", "path"),
    [
        (Event("", "x"), "id"),
        (Event("evt_1", ""), "type"),
        (Event("evt_1", "x\x00"), "type"),
        (Event("evt_1", "x", actor="\ud800"), "actor"),
        (Event("evt_1", "x", caused_by=5), "caused_by"),  # type: ignore[arg-type]
        (Event("evt_1", "x", timestamp=None), "timestamp"),  # type: ignore[arg-type]
        (Event("evt_1", "x", {"a": [object()]}), "a[0]"),
        (Event("evt_1", "x", ["a"]), "<root>"),  # type: ignore[arg-type]
    ],
)
def test_what_no_log_carries_is_refused_by_field_or_path(event: Event, path: str) -> None:
    with pytest.raises(NonSerializableEventError) as refusal:
        detached(event)
    assert refusal.value.context["path"] == path


def test_digests_chain_the_canonical_array_of_the_fields() -> None:
    first, second = detached(Event("evt_1", "x", {"b": b"\x00", "a": 1.0})), recorded({"z": "\x00"})
    expected = NO_DIGEST
    for event in (first, second):
        fields = [event.id, event.type, event.to_dict()["payload"]]
        fields += [event.actor, event.frame_id, event.caused_by, event.timestamp]
        expected = hashlib.sha256(expected + encode_value(fields)).digest()
    assert event_digest(event_digest(NO_DIGEST, first), second) == expected


@given(payload=payload_dicts())
@examples(60)
def test_detaching_twice_changes_nothing(payload: dict[str, Any]) -> None:
    once = detached(Event("evt_1", "x", payload))
    twice = detached(Event("evt_1", "x", once.payload))
    assert event_digest(NO_DIGEST, once) == event_digest(NO_DIGEST, twice)


def test_a_payload_reads_as_json() -> None:
    assert json.dumps(recorded().payload) == '{"a": [1, {"b": 2}]}'
