"""The same operations give the same log on the memory store, SQLite and PostgreSQL, byte for byte, and the same refusals."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from activegraph import Event
from activegraph.errors import ActiveGraphError
from activegraph.store import InMemoryEventStore, SQLiteEventStore
from activegraph.store.postgres import PostgresEventStore
from hypothesis import given
from hypothesis import strategies as st
from support.logs import is_whole, raw
from support.postgres_fixtures import with_search_path
from support.values import examples, payload_dicts

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


@pytest.fixture(scope="module")
def fresh_postgres(postgres_server_url: str) -> Callable[[], PostgresEventStore]:
    """A function that empties the store of one schema and gives a handle on `run_a` in it."""
    schema = f"t_{uuid.uuid4().hex[:16]}"
    url = with_search_path(postgres_server_url, schema)
    with psycopg.connect(postgres_server_url, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}")
        connection.execute(f"SET search_path = {schema}")
        connection.execute(PostgresEventStore.ddl())

    def fresh() -> PostgresEventStore:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("TRUNCATE events, runs")
        return PostgresEventStore(url, "run_a")

    return fresh


@given(operations=st.lists(OPERATIONS, max_size=10))
@examples(60)
def test_the_same_operations_give_the_same_log_and_the_same_refusals(
    fresh_postgres: Callable[[], PostgresEventStore], operations: list[tuple[Any, ...]]
) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        SQLiteEventStore(Path(folder) / "a.db", "run_a") as disk,
        fresh_postgres() as server,
        InMemoryEventStore("run_a") as memory,
    ):
        for store in (memory, disk, server):
            store.upsert_run(created_at=CREATED)
        for operation in operations:
            outcome = perform(memory, operation)
            for store in (disk, server):
                assert perform(store, operation) == outcome
                assert raw(store) == raw(memory)
                assert store.get_run() == memory.get_run()
        assert is_whole(raw(disk))
        with (
            SQLiteEventStore(disk.path, "run_a", read_only=True) as reopened_disk,
            PostgresEventStore(server.target, "run_a", read_only=True) as reopened_server,
        ):
            for reopened in (reopened_disk, reopened_server):
                assert raw(reopened) == raw(memory)
                assert list(reopened.iter_events()) == list(memory.iter_events())
