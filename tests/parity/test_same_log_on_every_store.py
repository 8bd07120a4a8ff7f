"""The same operations give the same log on the memory store and on SQLite, byte for byte, and the same refusals."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from support.logs import is_whole, raw
from support.values import examples, payload_dicts

from activegraph import Event
from activegraph.errors import ActiveGraphError
from activegraph.store import InMemoryEventStore, SQLiteEventStore

IDS = st.sampled_from([f"evt_{n}" for n in range(12)] + ["\ud800", "", "a\x00"])
TYPES = st.sampled_from(["note.taken", "runtime.idle", "runtime.budget_exhausted", "goal.created", "tool.in_doubt"])
HEADERS = st.none() | st.sampled_from(["", "planner", "\u00e9\u2028", "\udfff"])
CREATED = "2026-05-15T10:32:01Z"


@st.composite
def made_events(draw: st.DrawFn) -> Event:
    payload: dict[str, Any] = draw(payload_dicts()) if draw(st.booleans()) else {"goal": draw(st.text())}
    return Event(
        draw(IDS), draw(TYPES), payload, draw(HEADERS), draw(HEADERS), draw(HEADERS), draw(st.sampled_from(["", "now"]))
    )


BATCHES = st.lists(made_events(), max_size=4)
APPENDS = st.tuples(st.just("append"), BATCHES, st.none() | st.integers(-1, 8), st.sampled_from([None, True, False]))
OPERATIONS = st.one_of(
    APPENDS,
    st.tuples(st.just("truncate"), IDS),
    st.tuples(st.just("record"), st.sampled_from(["label", "goal", "frame_id", "parent_run_id"]), HEADERS),
    st.tuples(st.just("read"), st.none() | IDS, st.none() | IDS),
    st.tuples(st.just("look"), st.integers(1, 6), st.integers(0, 6), TYPES),
    st.tuples(st.just("transaction"), st.lists(APPENDS, max_size=3), st.booleans()),
)


class Undone(Exception):
    """Ends a transaction badly."""


def perform(store: Any, operation: tuple[Any, ...]) -> Any:
    """What the operation gives, or how it is refused."""
    try:
        return apply(store, operation)
    except (ActiveGraphError, Undone) as error:
        context = {k: v for k, v in getattr(error, "context", {}).items() if k != "driver"}
        return type(error).__name__, getattr(error, "summary", ""), context


def apply(store: Any, operation: tuple[Any, ...]) -> Any:
    match operation:
        case ("append", batch, expected, sync):
            return store.append_many(batch, expected_count=expected, sync=sync)
        case ("truncate", event_id):
            return store.truncate_after(event_id)
        case ("record", field, value):
            return store.upsert_run(created_at=CREATED, **{field: value})
        case ("read", after, until):
            return [e.id for e in store.iter_events(after, until)]
        case ("look", start, stop, type):
            found = [*store.iter_range(start, stop), *store.tail(stop), *store.iter_types(type, "note.taken")]
            return [e.id for e in found], store.head(), store.count()
        case ("transaction", appends, ends_well):
            with store.transaction():
                outcomes = [perform(store, append) for append in appends]
                if not ends_well:
                    raise Undone
            return outcomes
    raise AssertionError(operation)


@given(operations=st.lists(OPERATIONS, max_size=10))
@examples(60)
def test_the_same_operations_give_the_same_log_and_the_same_refusals(operations: list[tuple[Any, ...]]) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        SQLiteEventStore(Path(folder) / "a.db", "run_a") as disk,
        InMemoryEventStore("run_a") as memory,
    ):
        memory.upsert_run(created_at=CREATED)
        disk.upsert_run(created_at=CREATED)
        for operation in operations:
            assert perform(disk, operation) == perform(memory, operation)
            assert raw(disk) == raw(memory)
            assert disk.get_run() == memory.get_run()
        assert is_whole(raw(disk))
        with SQLiteEventStore(Path(folder) / "a.db", "run_a", read_only=True) as reopened:
            assert raw(reopened) == raw(memory)
            assert [msgspec.to_builtins(e.payload) for e in reopened.iter_events()] is not None
