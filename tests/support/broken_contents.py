"""Stores that change what they are given, or hand out what is theirs."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from activegraph.core.event import Event
from activegraph.core.frozen import thaw
from activegraph.store.sqlite import SQLiteEventStore
from support.broken_stores import breaks


class _Changed(SQLiteEventStore):
    """Appends each event as `changed` leaves it."""

    def changed(self, event: Event) -> Event:
        return replace(event, payload=self.value(thaw(event.payload)))

    def value(self, value: Any) -> Any:
        """A value of a payload, containers last."""
        if isinstance(value, dict):
            return {key: self.value(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.value(item) for item in value]
        return self.scalar(value)

    def scalar(self, value: Any) -> Any:
        return value

    def append_many(self, events: Sequence[Event], **options: Any) -> int:
        return super().append_many([self.changed(each) for each in events], **options)


@breaks("B2", "B3")
class sorts_keys(_Changed):
    def value(self, value: Any) -> Any:
        found = super().value(value)
        return dict(sorted(found.items())) if isinstance(found, dict) else found


@breaks("B3")
class writes_whole_floats_as_integers(_Changed):
    def scalar(self, value: Any) -> Any:
        return int(value) if isinstance(value, float) and value == 1.0 else value


@breaks("B3")
class forgets_the_sign_of_zero(_Changed):
    def scalar(self, value: Any) -> Any:
        return value + 0.0 if isinstance(value, float) and value == 0 else value


@breaks("B3")
class rounds_integers_to_doubles(_Changed):
    def scalar(self, value: Any) -> Any:
        return int(float(value)) if type(value) is int and 2**53 < abs(value) < 2**63 else value


@breaks("B3")
class clamps_integers_to_64_bits(_Changed):
    def scalar(self, value: Any) -> Any:
        return max(-(2**63), min(2**63 - 1, value)) if type(value) is int else value


@breaks("B3")
class rounds_doubles_to_fifteen_digits(_Changed):
    def scalar(self, value: Any) -> Any:
        return float(f"{value:.15g}") if isinstance(value, float) else value


@breaks("B3")
class writes_null_for_what_is_not_finite(_Changed):
    def scalar(self, value: Any) -> Any:
        return None if isinstance(value, float) and value - value != 0.0 else value


@breaks("B3")
class writes_booleans_as_integers(_Changed):
    def scalar(self, value: Any) -> Any:
        return int(value) if isinstance(value, bool) else value


@breaks("B3")
class cuts_texts_at_a_nul(_Changed):
    def scalar(self, value: Any) -> Any:
        return value.split("\x00")[0] if isinstance(value, str) else value


@breaks("B3")
class replaces_lone_surrogates(_Changed):
    def scalar(self, value: Any) -> Any:
        return value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else value


@breaks("B3")
class composes_characters(_Changed):
    def scalar(self, value: Any) -> Any:
        return unicodedata.normalize("NFC", value) if isinstance(value, str) else value


@breaks("B3")
class writes_bytes_as_text(_Changed):
    def scalar(self, value: Any) -> Any:
        return value.decode("latin-1") if isinstance(value, bytes) else value


@breaks("B6")
class cuts_texts_at_a_mebibyte(_Changed):
    def scalar(self, value: Any) -> Any:
        return value[: 1024 * 1024] if isinstance(value, str) else value


@breaks("B3")
class leaves_out_empty_containers(_Changed):
    def value(self, value: Any) -> Any:
        found = super().value(value)
        return {k: v for k, v in found.items() if v != {}} if isinstance(found, dict) else found


@breaks("B1")
class writes_none_for_an_empty_actor(_Changed):
    def changed(self, event: Event) -> Event:
        return replace(event, actor=event.actor or None)


@breaks("B1")
class writes_an_empty_text_for_no_cause(_Changed):
    def changed(self, event: Event) -> Event:
        return replace(event, caused_by=event.caused_by or "")


@breaks("B1")
class reformats_timestamps(_Changed):
    def changed(self, event: Event) -> Event:
        return replace(event, timestamp=event.timestamp.replace("Z", "+00:00"))


@breaks("B1")
class fills_in_a_missing_timestamp(_Changed):
    def changed(self, event: Event) -> Event:
        return replace(event, timestamp=event.timestamp or "1970-01-01T00:00:00Z")


@breaks("B7")
class cuts_types_at_255_characters(_Changed):
    def changed(self, event: Event) -> Event:
        return replace(event, type=event.type[:255])


@breaks("B4")
class writes_what_it_cannot_keep_as_its_repr(_Changed):
    def changed(self, event: Event) -> Event:
        try:
            payload = json.loads(json.dumps(event.payload, default=repr))
        except (TypeError, ValueError):
            payload = event.payload
        return replace(event, payload=payload)


class _Remembering(SQLiteEventStore):
    """Gives events back from its memory."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._remembered: dict[str, Event] = {}

    def get_event(self, event_id: str) -> Event | None:
        found = super().get_event(event_id)
        return found if found is None else self._remembered.setdefault(event_id, self.kept(found))

    def kept(self, event: Event) -> Event:
        return event


@breaks("B5")
class hands_out_its_own_payloads(_Remembering):
    def kept(self, event: Event) -> Event:
        return replace(event, payload=thaw(event.payload))


@breaks("B5")
class keeps_the_payloads_that_it_was_given(_Remembering):
    def append_many(self, events: Sequence[Event], **options: Any) -> int:
        head = super().append_many(events, **options)
        self._remembered |= {each.id: each for each in events}
        return head


@breaks("B8")
class takes_ids_in_any_case(SQLiteEventStore):
    def get_event(self, event_id: str) -> Event | None:
        return next((each for each in self.iter_events() if each.id.lower() == event_id.lower()), None)


@breaks("B7", "B8")
class trims_ids(_Changed):
    def changed(self, event: Event) -> Event:
        return replace(event, id=event.id.strip())
