"""The section on connections: what the Postgres store takes, and whose it stays."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import psycopg
import psycopg_pool
import pytest
from activegraph import Graph, Runtime
from activegraph.store.postgres import PostgresEventStore
from support.logs import event, events
from support.stored_runs import record_prices


class CountingPool(psycopg_pool.ConnectionPool):
    """Knows how many connections are out, and how often one went."""

    def __init__(self, url: str, **options: Any) -> None:
        self.out = self.most = self.taken = 0
        super().__init__(conninfo=url, open=True, **options)

    def getconn(self, timeout: float | None = None) -> psycopg.Connection[Any]:
        connection = super().getconn(timeout)
        self.out += 1
        self.taken += 1
        self.most = max(self.most, self.out)
        return connection

    def putconn(self, conn: psycopg.Connection[Any]) -> None:
        self.out -= 1
        super().putconn(conn)


@pytest.fixture
def pool(postgres_url: str) -> Iterator[CountingPool]:
    with CountingPool(postgres_url, min_size=1, max_size=2) as made:
        yield made


def own_connections(connection: psycopg.Connection[Any], name: str) -> int:
    """How many sessions the server has under an application name."""
    row = connection.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = %s", (name,)).fetchone()
    assert row is not None
    return int(row[0])


def test_a_url_makes_the_store_open_one_connection_of_its_own(postgres_url: str, request: Any) -> None:
    name = f"guide_{id(request)}"
    with (
        psycopg.connect(postgres_url, autocommit=True) as looking,
        closing(PostgresEventStore(f"{postgres_url}&application_name={name}", "run_a")) as store,
    ):
        for n in range(5):
            store.append(event(f"evt_{n}"))
            assert own_connections(looking, name) == 1
            assert len(list(store.iter_events())) == n + 1


def test_a_connection_stays_its_owners(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        store = PostgresEventStore(connection, "run_a")
        store.append(event("evt_1"))
        store.close()

        assert not connection.closed
        assert connection.execute("SELECT count(*) FROM events").fetchone() == (1,)


def test_a_pools_connection_is_taken_and_given_back_around_each_operation(pool: CountingPool) -> None:
    store = PostgresEventStore(pool, "run_a")
    for operation in (
        lambda: store.append(event("evt_1")),
        lambda: store.append_many(events(2, 4)),
        store.count,
        lambda: store.get_event("evt_1"),
        lambda: list(store.iter_events()),
    ):
        before = pool.taken
        operation()
        assert pool.taken > before
        assert pool.out == 0


def test_a_pool_stays_open_when_a_store_on_it_is_closed(pool: CountingPool) -> None:
    PostgresEventStore(pool, "run_a").close()

    assert not pool.closed
    with pool.connection() as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_the_pool_of_the_guide_works_as_it_is_written_there(postgres_url: str) -> None:
    record_prices(postgres_url)

    pool = psycopg_pool.ConnectionPool(conninfo=postgres_url, min_size=2, max_size=10)
    with pool:
        store = PostgresEventStore(pool, run_id="run_a")

        assert [e.id for e in store.iter_events()][-1] == "evt_014"


def test_a_runtime_works_on_a_pool(pool: CountingPool, postgres_url: str) -> None:
    with Runtime(Graph(run_id="run_a"), store=PostgresEventStore(pool, "run_a")) as runtime:
        runtime.run_goal("prices")

    assert pool.out == 0
    with Runtime.load(postgres_url, "run_a") as loaded:
        assert loaded.status().events_processed == 2


def test_there_is_no_pool_but_the_one_that_is_handed_over(postgres_url: str) -> None:
    code = """
import sys
from activegraph import Graph, Runtime
with Runtime(Graph(run_id="run_a"), persist_to=sys.argv[1]) as runtime:
    runtime.run_goal("prices")
print("psycopg" in sys.modules, "psycopg_pool" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code, postgres_url], capture_output=True, text=True, check=True)

    assert done.stdout == "True False\n"


def test_a_pool_serves_many_threads_with_few_connections(pool: CountingPool) -> None:
    def work(number: int) -> int:
        with closing(PostgresEventStore(pool, f"run_{number}")) as store:
            for n in range(10):
                store.append(event(f"evt_{n}"))
            return store.count()

    with ThreadPoolExecutor(8) as threads:
        counts = list(threads.map(work, range(8)))

    assert counts == [10] * 8
    assert pool.most <= 2
    assert pool.out == 0
