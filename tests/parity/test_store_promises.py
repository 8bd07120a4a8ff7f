"""What the three stores promise alike, case by case."""

from __future__ import annotations

import logging
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from activegraph import IncompatibleRuntimeState, InvalidArgumentType, InvalidRuntimeConfiguration
from activegraph.store import (
    AtomicAppend,
    ConcurrentWriterError,
    DuplicateEventError,
    EventNotFoundError,
    EventStore,
    InMemoryEventStore,
    NonSerializableEventError,
    RangeRead,
    RunMetadata,
    SQLiteEventStore,
    StoreUnavailableError,
    Transactional,
)
from activegraph.store.postgres import PostgresEventStore
from support.logs import event, events, is_whole, raw

CREATED = "2026-05-15T10:32:01Z"


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    made: Any
    if request.param == "memory":
        made = InMemoryEventStore("run_a")
    elif request.param == "sqlite":
        made = SQLiteEventStore(tmp_path / "a.db", "run_a")
    else:
        made = PostgresEventStore(request.getfixturevalue("postgres_url"), "run_a")
    yield made
    made.close()


def ids(found: Any) -> list[str]:
    return [e.id for e in found]


def test_every_capability_is_there(store: Any) -> None:
    for capability in (EventStore, AtomicAppend, RangeRead, Transactional, RunMetadata):
        assert isinstance(store, capability)


def test_what_is_refused_first_decides_the_error(store: Any) -> None:
    store.append_many(events(1, 2))
    bad, known, fresh = event("evt_009", payload={"x": object()}), event("evt_001"), event("evt_010")

    with pytest.raises(NonSerializableEventError):
        store.append_many([known, bad], expected_count=7)
    with pytest.raises(DuplicateEventError):
        store.append_many([fresh, known], expected_count=7)
    with pytest.raises(ConcurrentWriterError):
        store.append_many([fresh], expected_count=7)
    assert ids(store.iter_events()) == ["evt_001", "evt_002"]
    assert store.append_many([fresh], expected_count=2) == 3
    store.close()
    with pytest.raises(StoreUnavailableError):
        store.append_many([bad])


@pytest.mark.parametrize("wrong", ["x", None, 5, {"id": "x"}, object, lambda: None], ids=range(6))
def test_what_is_no_event_is_refused_by_its_kind(store: Any, wrong: Any) -> None:
    for append in (store.append, lambda it: store.append_many([event("x"), it])):
        with pytest.raises(InvalidArgumentType) as refusal:
            append(wrong)
        assert refusal.value.context == {"type": type(wrong).__name__}
    with pytest.raises(InvalidArgumentType, match="not int"):
        store.append_many(5)
    assert store.count() == 0
    assert store.append_many(events(1, 2)) == 2


@pytest.mark.parametrize(("batch", "named"), [("xyy", "x"), ("ayyx", "y"), ("aa", "a"), ("abx", "x")])
def test_the_first_doubled_id_of_a_batch_is_named(store: Any, batch: str, named: str) -> None:
    store.append(event("x"))

    with pytest.raises(DuplicateEventError) as refusal:
        store.append_many([event(id) for id in batch])

    assert refusal.value.context == {"event_id": named, "run_id": "run_a"}
    assert store.count() == 1


@pytest.mark.parametrize("believed", [0, 1, 3, -1, 10**30])
@pytest.mark.parametrize("batch", [0, 1, 2])
def test_a_wrong_expectation_is_refused_in_either_direction(store: Any, believed: int, batch: int) -> None:
    store.append_many(events(1, 2))

    with pytest.raises(ConcurrentWriterError) as refusal:
        store.append_many(events(8, 7 + batch), expected_count=believed, sync=True)

    context = refusal.value.context
    assert (context["expected_count"], context["actual_count"]) == (believed, 2)
    assert (context["expected_head"], context["actual_head"]) == ({1: "evt_001"}.get(believed), "evt_002")
    assert refusal.value.actual_count == 2
    assert store.append_many(events(8, 7 + batch), expected_count=2) == 2 + batch


def test_an_empty_batch_stores_nothing_and_returns_the_head(store: Any) -> None:
    assert store.append_many([]) == 0
    assert store.append_many([], expected_count=0, sync=True) == 0
    assert store.get_run() is None
    store.append_many(events(1, 3))
    assert store.append_many((), expected_count=3, sync=True) == 3
    assert store.append_many((), sync=False) == 3


def test_appends_beside_an_iteration_do_not_show_in_it_and_go_on_afterwards(store: Any) -> None:
    store.append_many(events(1, 3))
    reading = store.iter_events()
    assert next(reading).id == "evt_001"

    store.append_many(events(4, 5))
    assert ids(reading) == ["evt_002", "evt_003"]

    assert store.append_many(events(6, 6)) == 6
    assert ids(store.iter_events()) == ids(events(1, 6))


def test_truncating_beside_an_iteration_disturbs_no_later_append(store: Any) -> None:
    store.append_many(events(1, 4))
    reading = store.iter_events()
    assert next(reading).id == "evt_001"
    store.truncate_after("evt_002")
    assert store.append_many(events(9, 9), expected_count=2) == 3
    assert ids(store.iter_events()) == ["evt_001", "evt_002", "evt_009"]


def test_a_refused_batch_inside_a_transaction_leaves_nothing_of_itself(store: Any) -> None:
    with store.transaction():
        store.append_many(events(1, 2))
        with pytest.raises(DuplicateEventError):
            store.append_many([event("evt_003"), event("evt_004"), event("evt_001")])
        with pytest.raises(ConcurrentWriterError):
            store.append_many(events(7, 8), expected_count=5)
        assert store.append_many(events(3, 3)) == 3

    assert ids(store.iter_events()) == ids(events(1, 3))
    assert is_whole(raw(store))


def test_a_transaction_that_raises_leaves_no_event_and_no_record(store: Any) -> None:
    store.append_many(events(1, 1))
    with pytest.raises(RuntimeError, match="undone"), store.transaction():
        store.append_many(events(2, 5), sync=True)
        store.upsert_run(created_at=store.get_run().created_at, label="undone")
        store.truncate_after("evt_001")
        raise RuntimeError("undone")

    assert ids(store.iter_events()) == ["evt_001"]
    assert store.get_run().label is None
    assert store.append_many(events(2, 2), expected_count=1) == 2


def test_an_inner_transaction_joins_the_outer_one(store: Any) -> None:
    with store.transaction():
        with pytest.raises(RuntimeError), store.transaction():
            store.append_many(events(1, 1))
            raise RuntimeError
        store.append_many(events(2, 2))
    assert ids(store.iter_events()) == ["evt_001", "evt_002"]

    with pytest.raises(RuntimeError), store.transaction():
        with store.transaction():
            store.append_many(events(3, 3))
        raise RuntimeError
    assert store.count() == 2


CALLS: dict[str, Callable[[Any], Any]] = {
    "append": lambda s: s.append(event("x")),
    "append_many": lambda s: s.append_many([]),
    "iter_events": lambda s: s.iter_events(),
    "iter_range": lambda s: s.iter_range(),
    "iter_types": lambda s: s.iter_types("a"),
    "iter_raw": lambda s: s.iter_raw(),
    "tail": lambda s: s.tail(1),
    "get_event": lambda s: s.get_event("x"),
    "count": lambda s: s.count(),
    "head": lambda s: s.head(),
    "truncate_after": lambda s: s.truncate_after("x"),
    "get_run": lambda s: s.get_run(),
    "upsert_run": lambda s: s.upsert_run(created_at=CREATED),
    "transaction": lambda s: s.transaction().__enter__(),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_closed_store_says_so_at_once(store: Any, call: str) -> None:
    store.close()
    store.close()

    with pytest.raises(StoreUnavailableError) as refusal:
        CALLS[call](store)

    assert refusal.value.context["reason"] == "closed"
    assert "closed" in str(refusal.value)
    writes = call in ("append", "append_many", "truncate_after", "upsert_run", "transaction")
    assert ("committed" in refusal.value.context) is writes


@pytest.mark.parametrize("odd", ["\ud800", "a\x00b", "", "evt_01", "EVT_001", "evt_001 "])
def test_an_id_that_no_event_has_is_not_found(store: Any, odd: str) -> None:
    store.append_many(events(1, 1))

    assert store.get_event(odd) is None
    assert list(store.iter_types(odd)) == []
    for where, reading in (
        ("after", store.iter_events(after=odd)),
        ("until", store.iter_events(until=odd)),
    ):
        with pytest.raises(EventNotFoundError) as refusal:
            next(reading)
        assert refusal.value.context["where"] == where
        assert isinstance(refusal.value, KeyError)
    with pytest.raises(EventNotFoundError) as refusal:
        store.truncate_after(odd)
    assert refusal.value.context["operation"] == "truncate_after"
    assert str(refusal.value).startswith("EventNotFoundError: ")


def test_header_fields_come_back_as_plain_text(store: Any) -> None:
    class Kind(StrEnum):
        TAKEN = "note.taken"

    store.append(event("evt_001", Kind.TAKEN, actor=Kind.TAKEN))

    found = store.get_event("evt_001")
    assert (type(found.type), type(found.actor)) == (str, str)
    assert type(raw(store)[0].type) is str
    assert is_whole(raw(store))


@pytest.mark.parametrize("field", ["id", "type", "actor", "frame_id", "caused_by", "timestamp"])
@pytest.mark.parametrize("value", ["a\x00b", "\udfff", 5])
def test_header_fields_that_no_store_could_carry_are_refused_by_name(store: Any, field: str, value: Any) -> None:
    made = event("evt_001")
    object.__setattr__(made, field, value)

    with pytest.raises(NonSerializableEventError) as refusal:
        store.append(made)

    assert refusal.value.context["path"] == field
    assert store.count() == 0


def test_slices_by_position_and_from_the_end(store: Any) -> None:
    store.append_many(events(1, 5))
    everything = ids(events(1, 5))

    for start in range(1, 8):
        assert ids(store.iter_range(start)) == everything[start - 1 :]
        for stop in (-1, 0, 1, 3, 5, 9):
            assert ids(store.iter_range(start, stop)) == everything[start - 1 : max(stop, 0)]
    for n in (-1, 0, 1, 3, 5, 9):
        assert ids(store.tail(n)) == everything[max(0, 5 - n) :][: max(n, 0)]
    with pytest.raises(ValueError, match="positions start at 1"):
        store.iter_range(0)


def test_events_of_types_come_in_order_whether_a_type_has_an_index_or_not(store: Any) -> None:
    kinds = ["goal.created", "runtime.idle", "note.taken", "behavior.failed", "Runtime.idle", "note.taken"]
    store.append_many([event(f"evt_{n}", kind) for n, kind in enumerate(kinds)])

    assert ids(store.iter_types("note.taken", "runtime.idle", "note.taken")) == ["evt_1", "evt_2", "evt_5"]
    assert ids(store.iter_types("behavior.failed")) == ["evt_3"]
    assert ids(store.iter_types()) == []


@pytest.mark.parametrize(
    ("kinds", "status"),
    [
        ([], "stopped"),
        (["goal.created"], "stopped"),
        (["goal.created", "runtime.idle"], "idle"),
        (["runtime.idle", "approval.denied", "llm.responded"], "idle"),
        (["runtime.idle", "object.created"], "stopped"),
        (["runtime.idle", "Behavior.started"], "stopped"),
        (["runtime.idle", "goal.created", "behavior.started"], "stopped"),
        (["runtime.idle", "runtime.paused"], "stopped"),
        (["runtime.budget_exhausted", "object.created"], "exhausted"),
        (["runtime.budget_exhausted", "runtime.idle"], "idle"),
        (["runtime.idle", "tool.in_doubt"], "stopped"),
        (["tool.in_doubt", "runtime.idle"], "idle"),
    ],
)
def test_the_status_of_a_stored_run_follows_from_its_log(store: Any, kinds: list[str], status: str) -> None:
    store.upsert_run(created_at=CREATED)
    store.append_many([event(f"evt_{n}", kind) for n, kind in enumerate(kinds)])

    record = store.get_run()

    assert record.status == status
    assert record.event_count == len(kinds)
    assert record.last_event_id == (f"evt_{len(kinds) - 1}" if kinds else None)


def test_a_run_exists_from_its_first_append_with_the_goal_of_that_batch(store: Any) -> None:
    assert store.get_run() is None
    store.append_many([event("evt_001"), event("evt_002", "goal.created", payload={"goal": "a\x00b\ud800c"})])

    record = store.get_run()

    assert record.goal == "a\ufffdb\ufffdc"
    assert record.setup_count is None
    assert (record.parent_run_id, record.label) == (None, None)


def test_none_erases_nothing_and_what_a_run_comes_from_stays(store: Any) -> None:
    store.upsert_run(created_at=CREATED, parent_run_id="p", forked_at_event_id="evt_009", label="a", setup_count=3)
    store.upsert_run(created_at=CREATED, goal="g\x00", frame_id="frame_001")
    store.upsert_run(created_at="2026-05-15T12:32:01+02:00", label="b")

    record = store.get_run()
    assert (record.parent_run_id, record.forked_at_event_id) == ("p", "evt_009")
    assert (record.label, record.goal, record.frame_id, record.setup_count) == ("b", "g\ufffd", "frame_001", 3)

    for other in (
        {"created_at": "2026-05-15T10:32:02Z"},
        {"created_at": CREATED, "parent_run_id": "q"},
        {"created_at": CREATED, "forked_at_event_id": "evt_010"},
    ):
        with pytest.raises(IncompatibleRuntimeState):
            store.upsert_run(**other)
    assert store.get_run() == record


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("2026-05-15T10:32:01+02:00", "2026-05-15T08:32:01Z"),
        ("2026-05-15T10:32:01.500000Z", "2026-05-15T10:32:01.500000Z"),
        ("2026-05-15T10:32:01.000Z", "2026-05-15T10:32:01Z"),
        ("2026-05-15 10:32:01", "2026-05-15T10:32:01Z"),
        ("2026-05-15", "2026-05-15T00:00:00Z"),
    ],
)
def test_times_of_creation_are_kept_in_one_form(store: Any, given: str, kept: str) -> None:
    store.upsert_run(created_at=given)
    assert store.get_run().created_at == kept


@pytest.mark.parametrize("given", ["", "yesterday", "2026-13-01T00:00:00Z", "0001-01-01T00:00:00+14:00", None, 5])
def test_a_time_that_cannot_be_read_is_refused(store: Any, given: Any) -> None:
    with pytest.raises(InvalidRuntimeConfiguration):
        store.upsert_run(created_at=given)
    assert store.get_run() is None


def test_a_committed_batch_writes_one_debug_line(store: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="activegraph.store"):
        store.append_many(events(1, 3))
        store.append_many([])

    (line,) = [r for r in caplog.records if r.name == "activegraph.store"]
    assert line.getMessage() == "append: 3 events at 1..3"
    assert line.run_id == "run_a"
    assert line.latency_seconds >= 0


def test_truncating_leaves_a_log_that_goes_on_densely(store: Any) -> None:
    store.append_many(events(1, 5))
    store.truncate_after("evt_005")
    assert store.count() == 5
    store.truncate_after("evt_002")
    assert store.append_many([event("evt_003", payload={"other": True})]) == 3
    assert ids(store.iter_events()) == ["evt_001", "evt_002", "evt_003"]
    assert is_whole(raw(store))


def test_a_store_is_a_context_manager_and_shows_no_more_than_its_place(store: Any) -> None:
    with store as same:
        assert same is store
        assert "run_a" in repr(store)
    with pytest.raises(StoreUnavailableError):
        store.count()
