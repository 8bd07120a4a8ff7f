"""Records: what a run carries of its events, and what others are given instead."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Sequence
from typing import Any

import pytest
from activegraph import Behavior, Graph, Runtime
from activegraph.core.event import NO_DIGEST, Event, event_digest
from activegraph.core.record import EventBatch, EventRecord, RecordAsRead, record_of
from activegraph.errors import NonSerializableEventError
from activegraph.store.chain import rows_behind
from activegraph.store.memory import InMemoryEventStore
from hypothesis import given
from support.values import examples, payload_dicts


def record(id: str = "evt_1", payload: bytes = b'{"a":[1]}') -> EventRecord:
    return EventRecord(id, "x", payload, "user", None, "evt_0", "t")


def test_a_record_gives_an_event_of_its_own_at_each_call() -> None:
    first, second = record().event(), record().event()
    assert first == second == Event("evt_1", "x", {"a": [1]}, "user", None, "evt_0", "t")
    assert first.payload is not second.payload
    with pytest.raises(TypeError, match="patch_object"):
        first.payload["a"].append(2)


@pytest.mark.parametrize(
    ("field", "value"), [("id", ""), ("type", "a\x00"), ("actor", 5), ("caused_by", "\ud800"), ("timestamp", None)]
)
def test_a_header_that_no_log_carries_makes_no_record(field: str, value: Any) -> None:
    fields: dict[str, Any] = {"id": "evt_1", "type": "x", field: value}
    with pytest.raises(NonSerializableEventError, match=field):
        record_of(Event(**fields))


@given(payload_dicts())
@examples(40)
def test_a_record_and_its_event_have_the_same_row(payload: dict[str, Any]) -> None:
    event = Event("evt_1", "x", payload, "user", "frame_001", "evt_0", "t")
    rows = rows_behind([event], 0, NO_DIGEST)
    assert rows_behind(EventBatch([record_of(event)]), 0, NO_DIGEST) == rows
    assert rows_behind([record_of(event).event()], 0, NO_DIGEST) == rows


def test_what_was_edited_is_canonical_only_in_its_row() -> None:
    edited = RecordAsRead("evt_1", "x", b'{ "b": 1,  "a": 2 }', None, None, None, "t")
    (row,) = rows_behind(EventBatch([edited]), 0, NO_DIGEST)
    assert row == rows_behind([Event("evt_1", "x", {"b": 1, "a": 2}, timestamp="t")], 0, NO_DIGEST)[0]
    assert row[-1] == event_digest(NO_DIGEST, edited.event())


def test_a_header_that_no_store_carries_is_refused_in_a_record_too() -> None:
    with pytest.raises(NonSerializableEventError, match="caused_by"):
        rows_behind(EventBatch([EventRecord("evt_1", "x", b"{}", None, None, "a\x00", "t")]), 0, NO_DIGEST)


def test_a_batch_is_a_sequence_of_events() -> None:
    batch = EventBatch([record("evt_1"), record("evt_2"), record("evt_3")])
    ids = ["evt_1", "evt_2", "evt_3"]
    assert [event.id for event in batch] == ids
    assert [event.id for event in batch[1:]] == ids[1:]
    assert batch[-1] == record("evt_3").event()
    assert (len(batch), record("evt_2").event() in batch, repr(batch)) == (3, True, "<3 events>")
    with pytest.raises(IndexError):
        batch[3]


def test_a_batch_equals_a_list_of_its_events() -> None:
    batch = EventBatch([record("evt_1"), record("evt_2")])
    events = [record("evt_1").event(), record("evt_2").event()]
    assert batch == events
    assert events == batch
    assert batch == EventBatch(list(batch.records))
    assert batch != events[:1]
    assert batch != events[::-1]
    assert EventBatch(()) == ()
    assert EventBatch(()) != ""
    assert pickle.loads(pickle.dumps(batch)) == copy.deepcopy(batch) == events


class OneByOne:
    """A store of somebody's own with nothing but what every store has."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.seen: list[Any] = []
        inner = InMemoryEventStore(run_id)
        self.iter_events, self.get_event = inner.iter_events, inner.get_event
        self.count, self.truncate_after, self.close = inner.count, inner.truncate_after, inner.close
        self._inner = inner

    def append(self, event: Event) -> None:
        self.seen.append(event)
        self._inner.append(event)


class Watching(InMemoryEventStore):
    """A store of somebody's own, which looks at what it is given."""

    def __init__(self, run_id: str) -> None:
        super().__init__(run_id)
        self.seen: list[Any] = []

    def append_many(
        self, events: Sequence[Event], *, expected_count: int | None = None, sync: bool | None = None
    ) -> int:
        self.seen.extend(events)
        return super().append_many(list(events), expected_count=expected_count, sync=sync)


@pytest.mark.parametrize("kind", [Watching, OneByOne])
def test_stores_listeners_behaviors_views_and_readers_are_given_events(kind: type[Watching | OneByOne]) -> None:
    told: list[Any] = []

    def look(event: Any, graph: Any, ctx: Any) -> None:
        told.extend([event, *ctx.view.events()])
        told.append(graph.emit("seen", {"id": event.id}))

    store = kind("r")
    graph = Graph(run_id="r")
    graph.attach_store(store)
    graph.add_listener(told.append)
    runtime = Runtime(graph, behaviors=[Behavior("look", look, on=["object.created"])])
    told.append(graph.emit(Event(graph.ids.event(), "host", {})))
    with graph.transaction():
        graph.add_object("task", {"n": 1})
        told.extend(graph.events)
    patches = [graph.propose_patch("task#1", "update", {"n": 2}, proposed_by="user") for _ in range(2)]
    told += [graph.apply_patch(patches[0].id), graph.reject_patch(patches[1].id, "no")]
    runtime.run_until_idle()
    told += [*graph.events, *graph.events[2:], graph.events[-1], *store.seen]
    assert len(store.seen) == len(graph.events) > 5
    assert {type(event) for event in told} == {Event}
    assert [event.id for event in store.seen] == [event.id for event in graph.events]


def test_behaviors_on_one_event_are_given_the_same_one() -> None:
    seen: list[Event] = []
    behaviors = [Behavior(name, lambda event, graph, ctx: seen.append(event), on=["host"]) for name in ("a", "b")]
    graph = Graph(run_id="r")
    runtime = Runtime(graph, behaviors=behaviors)
    graph.emit(Event(graph.ids.event(), "host", {"n": [1]}))
    runtime.run_until_idle()
    assert seen[0] is seen[1]
    assert seen[0] == graph.events[0]
