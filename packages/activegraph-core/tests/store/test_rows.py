"""Events as rows and back, and the payloads that are no events."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from activegraph import Event
from activegraph.core.event import NO_DIGEST
from activegraph.errors import CorruptedEventPayloadError, NonSerializableEventError
from activegraph.store.serde import (
    canonicalize_event,
    clone_event,
    decode_event,
    decode_payload,
    encode_event,
    encode_payload,
    event_digest,
    validate_event,
)
from hypothesis import given
from support.logs import event
from support.values import examples, payload_dicts

HARD = {"money": Decimal("12.50"), "when": date(2026, 8, 29), "set": {"b", "a"}, "z": -0.0, "nul": "\x00\ud800"}


def test_a_row_has_the_seven_fields_and_canonical_text() -> None:
    row = encode_event(Event("evt_001", "note.taken", HARD, "host", None, "evt_000", ""))

    assert list(row) == ["id", "type", "payload", "actor", "frame_id", "caused_by", "timestamp"]
    assert row["payload"].startswith('{"money":"12.50","when":"2026-08-29","set":["a","b"],"z":-0.0,"nul":{"$ag.str":')
    assert decode_event(row).payload == decode_payload(row["payload"])


def test_absent_keys_of_a_row_are_none_and_an_absent_time_is_empty() -> None:
    found = decode_event({"id": "x", "type": "t", "payload": "{}"})
    assert (found.actor, found.frame_id, found.caused_by, found.timestamp) == (None, None, None, "")
    assert decode_event({"id": "x", "type": "t", "payload": b'{"a":1}'}).payload == {"a": 1}


@given(payload=payload_dicts())
@examples(60)
def test_a_row_and_its_event_say_the_same(payload: dict[str, Any]) -> None:
    made = Event("evt_001", "note.taken", payload)
    row = encode_event(made)

    assert encode_event(decode_event(row)) == row
    assert encode_event(canonicalize_event(made)) == row
    assert encode_event(clone_event(canonicalize_event(made))) == row
    assert encode_payload(payload) == row["payload"]
    assert event_digest(NO_DIGEST, decode_event(row)) == event_digest(NO_DIGEST, made)


def test_a_canonical_event_is_detached() -> None:
    payload = {"items": [1]}
    kept = canonicalize_event(event("x", payload=payload))
    payload["items"].append(2)
    assert kept.payload == {"items": [1]}


@pytest.mark.parametrize("bad", [event("x", payload={"a": object()}), event(""), Event("x", "t", actor="\x00")])
def test_what_no_store_could_carry_does_not_validate(bad: Event) -> None:
    for check in (validate_event, encode_event, canonicalize_event):
        with pytest.raises(NonSerializableEventError):
            check(bad)


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ('{"a": 1,\n  "b" 2}', 2, 7),
        ("", 1, 1),
        ("[1]", None, None),
        ('{"$ag.what": 1}', None, None),
        ('{"a": 1e999}', None, None),
        ('{"a": NaN}', None, None),
        (b'{"a": "\xff"}', None, None),
        ('{"a": "' + "x" * 500, 1, 7),
    ],
)
def test_text_that_is_no_payload_is_named_by_its_place(text: str | bytes, line: int | None, column: int | None) -> None:
    with pytest.raises(CorruptedEventPayloadError) as damage:
        decode_payload(text)
    context = damage.value.context
    assert (context["line"], context["column"]) == (line, column)
    assert (context["event_id"], context["run_id"]) == (None, None)
    assert len(context["preview"]) <= 120
    assert context["underlying_msg"] in damage.value.summary
    with pytest.raises(CorruptedEventPayloadError) as damage:
        decode_event({"id": "evt_001", "type": "t", "payload": text})
    assert damage.value.context["event_id"] == "evt_001"
    str(damage.value).encode()


@pytest.mark.parametrize("text", ['{ "a" : 1 }', '{"a":"\\u00e9","b":1.50E1}', '{"a":"e999","b":"1e999"}', "{}"])
def test_text_that_ordinary_tools_have_edited_is_a_payload(text: str) -> None:
    assert isinstance(decode_payload(text), dict)
    assert decode_event({"id": "x", "type": "t", "payload": text}).payload == decode_payload(text)
