"""Connections and pools that a store was lent: used, left as they were, and never closed."""

from __future__ import annotations

import gc
import logging
import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import psycopg_pool
import pytest
from activegraph.errors import ConcurrentWriterError, DuplicateEventError, InvalidArgumentType, StoreUnavailableError
from activegraph.store.postgres import PostgresEventStore
from psycopg.rows import dict_row
from support.postgres_events import as_a_runtime_writes, ask, batch, end_other_sessions, is_whole
from support.postgres_server import PostgresServer
from support.stored_runs import event


@pytest.fixture
def lent(postgres_url: str) -> Iterator[psycopg.Connection[Any]]:
    PostgresEventStore(postgres_url, "run_0").close()
    with psycopg.connect(postgres_url) as connection:
        yield connection


def settings_of(connection: psycopg.Connection[Any]) -> tuple[object, ...]:
    """What a caller may have set on a connection."""
    return (
        connection.autocommit,
        connection.isolation_level,
        connection.read_only,
        connection.row_factory,
        connection.cursor_factory,
        connection.prepare_threshold,
        connection.info.transaction_status,
        connection.closed,
    )


@pytest.mark.parametrize("autocommit", [True, False])
@pytest.mark.parametrize("isolation", [None, psycopg.IsolationLevel.SERIALIZABLE])
@pytest.mark.parametrize("factory", [psycopg.Cursor, psycopg.ClientCursor, psycopg.RawCursor])
def test_a_lent_connection_is_used_as_it_is_and_left_as_it_was(
    lent: psycopg.Connection[Any], autocommit: bool, isolation: Any, factory: Any, postgres_url: str
) -> None:
    lent.autocommit, lent.row_factory, lent.cursor_factory = autocommit, dict_row, factory  # type: ignore[assignment]
    lent.isolation_level, lent.prepare_threshold = isolation, None
    before = settings_of(lent)
    with PostgresEventStore(lent, "run_a") as store:
        store.append(event("evt_1"))
        store.append_many(batch(2, 9), sync=True)
        store.append_many([], sync=True)
        with store.transaction():
            store.append(event("evt_10"))
        reading = store.iter_events()
        next(reading)
        reading.close()
        store.upsert_run(created_at=store.get_run().created_at, label="x")  # type: ignore[union-attr]
        with pytest.raises(DuplicateEventError):
            store.append(event("evt_3"))
        with pytest.raises(ConcurrentWriterError):
            store.append_many(batch(20, 22), expected_count=3)
        store.truncate_after("evt_8")
        assert settings_of(lent) == before
        assert PostgresEventStore.list_runs(lent)[-1].run_id == "run_a"
        assert (
            PostgresEventStore.fork_run(
                lent,
                parent_run_id="run_a",
                new_run_id="run_f",
                at_event_id="evt_2",
                label=None,
                created_at="2026-05-15T10:32:01Z",
            )
            == 2
        )

    assert settings_of(lent) == before
    assert ask(postgres_url, "SELECT count(*) FROM events WHERE run_id = 'run_a'") == [(8,)]
    assert is_whole(postgres_url, "run_f")


def test_inside_the_callers_transaction_the_caller_commits(lent: psycopg.Connection[Any], postgres_url: str) -> None:
    store = PostgresEventStore(lent, "run_a")
    with lent.transaction():
        lent.execute("CREATE TABLE orders (id int)")
        store.append_many(batch(1, 3), sync=True)
        assert store.in_callers_transaction
        with pytest.raises(DuplicateEventError):
            store.append(event("evt_2"))
        with pytest.raises(ConcurrentWriterError):
            store.append_many([event("evt_4")], expected_count=7)
        store.append(event("evt_4"))
        assert ask(postgres_url, "SELECT count(*) FROM events") == [(0,)]

    assert not store.in_callers_transaction
    assert ask(postgres_url, "SELECT count(*) FROM events") == [(4,)]


def test_the_callers_rollback_removes_the_events_and_the_record(
    lent: psycopg.Connection[Any], postgres_url: str
) -> None:
    store = PostgresEventStore(lent, "run_a")
    with lent.transaction(force_rollback=True):
        store.append_many(batch(1, 3))
        with store.transaction():
            store.append(event("evt_4"))
        store.upsert_run(created_at=store.get_run().created_at, label="gone")  # type: ignore[union-attr]

    assert store.count() == 0
    with pytest.raises(ConcurrentWriterError):
        store.append(event("evt_5"))
    assert list(store.iter_events()) == []
    store.append(event("evt_1"))
    record = store.get_run()
    assert record is not None
    assert (record.event_count, record.label) == (1, None)
    assert is_whole(postgres_url, "run_a")


def test_a_transaction_that_failed_is_refused_until_the_caller_ends_it(lent: psycopg.Connection[Any]) -> None:
    store = PostgresEventStore(lent, "run_a")
    with pytest.raises(psycopg.errors.DivisionByZero):
        lent.execute("SELECT 1/0")

    with pytest.raises(StoreUnavailableError, match="failed") as refusal:
        store.append(event("evt_1"))
    assert "rollback" in refusal.value.how_to_fix
    lent.rollback()
    store.append(event("evt_1"))


def test_opening_in_the_callers_transaction_does_not_end_it(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        connection.execute("CREATE TABLE mine (id int)")
        with pytest.raises(StoreUnavailableError):
            PostgresEventStore(connection, "run_a", create_schema=False)
        store = PostgresEventStore(connection, "run_a")
        store.append(event("evt_1"))
        connection.rollback()

        assert ask(
            postgres_url, "SELECT count(*) FROM pg_class WHERE relnamespace = current_schema()::regnamespace"
        ) == [(0,)]


def test_a_lent_connection_that_broke_is_not_replaced(lent: psycopg.Connection[Any], postgres_url: str) -> None:
    store = PostgresEventStore(lent, "run_a")
    store.append(event("evt_1"))
    ask(postgres_url, "SELECT pg_terminate_backend(%s, 5000)", lent.info.backend_pid)

    for _ in range(2):
        with pytest.raises(StoreUnavailableError) as refusal:
            store.append(event("evt_2"))
        assert refusal.value.context["reason"] == "lost"
    with pytest.raises(StoreUnavailableError):
        store.count()
    store.close()
    with pytest.raises(StoreUnavailableError):
        PostgresEventStore(lent, "run_a")


def test_two_handles_and_eight_threads_share_one_lent_connection(
    lent: psycopg.Connection[Any], postgres_url: str
) -> None:
    stores = [PostgresEventStore(lent, f"run_{n}") for n in range(4)]

    def work(n: int) -> None:
        store = stores[n % 4]
        for k in range(5):
            if n < 4:
                with store.transaction():
                    store.append(event(f"evt_{k}"))
            else:
                assert len(list(store.iter_events())) <= 5

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(8)))
    assert all(is_whole(postgres_url, f"run_{n}") for n in range(4))
    assert [store.count() for store in stores] == [5] * 4


def test_asynchronous_connections_are_refused(postgres_url: str) -> None:
    pool = psycopg_pool.AsyncConnectionPool(postgres_url, open=False)
    with pytest.raises(InvalidArgumentType, match="AsyncConnectionPool"):
        PostgresEventStore(pool, "run_a")


@pytest.fixture
def pool(postgres_url: str) -> Iterator[psycopg_pool.ConnectionPool[Any]]:
    with psycopg_pool.ConnectionPool(postgres_url, min_size=1, max_size=1, timeout=20, open=True) as made:
        yield made


def test_a_pool_of_one_serves_eight_threads(pool: psycopg_pool.ConnectionPool[Any], postgres_url: str) -> None:
    PostgresEventStore(pool, "run_0").close()
    shared = PostgresEventStore(pool, "run_s")
    barrier = threading.Barrier(8)

    def work(n: int) -> None:
        store = PostgresEventStore(pool, f"run_{n}")
        barrier.wait(30)
        for k in range(10):
            store.append_many(batch(3 * k, 3 * k + 2))
            shared.append(event(f"evt_{n}_{k}"))
            next(store.iter_events())
            assert len(list(store.iter_events())) == 3 * k + 3

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(8)))
    assert shared.count() == 80
    assert all(is_whole(postgres_url, run) for run in ("run_s", *(f"run_{n}" for n in range(8))))


def test_every_connection_goes_back_to_the_pool_as_it_came(pool: psycopg_pool.ConnectionPool[Any]) -> None:
    with pool.connection() as connection:
        connection.row_factory = dict_row
        before = settings_of(connection)
        assert not connection.autocommit
    store = PostgresEventStore(pool, "run_a")
    store.append_many(batch(1, 700))
    reading = store.iter_events()
    next(reading)
    with pytest.raises(DuplicateEventError):
        store.append(event("evt_1"))
    with pytest.raises(ConcurrentWriterError):
        store.append_many(batch(800, 801), expected_count=3)

    def fail_inside() -> None:
        with store.transaction():
            store.append(event("evt_701"))
            raise KeyError("mine")

    with pytest.raises(KeyError):
        fail_inside()
    with pytest.raises(KeyError):
        next(store.iter_events(after="none"))
    del reading
    store.close()

    assert pool.get_stats()["pool_available"] == 1
    with pool.connection() as connection:
        assert settings_of(connection) == before
    assert not pool.closed


def test_a_pool_that_is_taken_is_named_as_the_reason(postgres_url: str) -> None:
    with psycopg_pool.ConnectionPool(postgres_url, min_size=1, max_size=1, timeout=0.2, open=True) as small:
        store = PostgresEventStore(small, "run_a")
        with small.connection():
            for use in (lambda: store.append(event("evt_1")), store.count):
                with pytest.raises(StoreUnavailableError) as refusal:
                    use()
                assert refusal.value.context["reason"] == "pool_timeout"
                assert "max_size" in refusal.value.how_to_fix
        store.append(event("evt_1"))
    with pytest.raises(StoreUnavailableError, match="closed"):
        store.append(event("evt_2"))
    store.close()


def test_dead_connections_of_a_pool_are_passed_over(postgres_url: str, caplog: pytest.LogCaptureFixture) -> None:
    kwargs = {"application_name": "three_of_a_pool"}
    with psycopg_pool.ConnectionPool(postgres_url, min_size=3, max_size=3, kwargs=kwargs, open=True) as three:
        three.wait()
        store = PostgresEventStore(three, "run_a")
        store.append(event("evt_1"))
        assert end_other_sessions(postgres_url, "three_of_a_pool") == 3
        caplog.clear()
        as_a_runtime_writes(lambda: store.append(event("evt_2")))
        assert end_other_sessions(postgres_url, "three_of_a_pool") >= 1

        assert len(list(store.iter_events())) == 2
    assert {record.message for record in caplog.records if record.name == "activegraph.store"} == {
        "connection lost, reconnecting (attempt 1)"
    }


def test_a_connection_that_the_pool_has_given_up_is_not_held_on_to(
    pool: psycopg_pool.ConnectionPool[Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, "psycopg.pool")  # its warnings hold the connections that they name
    store = PostgresEventStore(pool, "run_a")
    store.append(event("evt_1"))
    with pool.connection() as connection:
        given_up = weakref.ref(connection)
        connection.close()
    del connection
    store.append(event("evt_2"))

    gc.collect()
    assert given_up() is None
    assert store.count() == 2


def test_a_transaction_holds_one_connection_of_the_pool(pool: psycopg_pool.ConnectionPool[Any]) -> None:
    store = PostgresEventStore(pool, "run_a")
    with store.transaction():
        store.append(event("evt_1"))
        assert store.count() == 1
        assert pool.get_stats()["pool_available"] == 0
    assert pool.get_stats()["pool_available"] == 1


@pytest.mark.parametrize("kind", ["url", "words", "kwargs"])
def test_no_password_of_a_pool_or_a_connection_is_shown(kind: str) -> None:
    with PostgresServer() as server:
        host = str(server.socket_directory)
        target: Any = {
            "url": {"conninfo": f"postgresql://postgres:s3cr3t@/postgres?host={host}"},
            "words": {"conninfo": f"user=postgres password=s3cr3t dbname=postgres host={host}"},
            "kwargs": {
                "conninfo": "",
                "kwargs": {"user": "postgres", "password": "s3cr3t", "host": host, "dbname": "postgres"},
            },
        }[kind]
        with psycopg_pool.ConnectionPool(min_size=1, max_size=1, timeout=0.2, open=True, **target) as one:
            store = PostgresEventStore(one, "run_a")
            assert "s3cr3t" not in repr(store)
            assert "postgres" in store.safe_url
            with one.connection(), pytest.raises(StoreUnavailableError) as refusal:
                store.count()
            assert "s3cr3t" not in f"{refusal.value}{refusal.value.__cause__}{refusal.value.context}"
        with psycopg.connect(target["conninfo"], **target.get("kwargs", {})) as connection:
            assert "s3cr3t" not in repr(PostgresEventStore(connection, "run_a"))
