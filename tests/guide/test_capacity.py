"""The section on capacity: orders of magnitude. Seconds are measured by the benchmarks, and sizes here."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any

import psycopg
import psycopg_pool
import pytest
from activegraph import FrozenClock, Graph, IncompatibleRuntimeState, Runtime
from activegraph.behaviors.base import Behavior
from activegraph.store import list_runs
from activegraph.store.postgres import PostgresEventStore

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("what", ["append of 1 event, Postgres", "load of 100,000 events, Postgres"])
def test_the_speed_of_writes_and_reads_has_a_benchmark(monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    monkeypatch.syspath_prepend(ROOT)
    rows = import_module("benchmarks.rows").ROWS

    assert [row.name for row in rows if row.name.startswith(what)]


def test_an_event_takes_one_to_two_kilobytes_with_its_indexes(postgres_url: str) -> None:
    def work(event: Any, graph: Any, ctx: Any) -> None:
        finding = {"title": "Look up the price", "status": "open", "quote": "a line of a log of usual length " * 6}
        task = graph.add_object("finding", finding)
        graph.patch_object(task.id, {"status": "done"})

    worker = Behavior("worker", work, ["goal.created"])
    with Runtime(Graph(run_id="run_a"), [worker], persist_to=postgres_url, durability="os") as runtime:
        for number in range(300):
            runtime.run_goal(f"price {number}")
        events = runtime.status().events_processed

    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("VACUUM FULL events")
        row = connection.execute("SELECT pg_total_relation_size('events')").fetchone()
    assert row is not None
    assert events > 1500
    assert 500 < row[0] / events < 2_000


def test_as_many_runs_can_write_at_once_as_the_pool_has_connections(postgres_url: str) -> None:
    together = threading.Barrier(4, timeout=60)

    with psycopg_pool.ConnectionPool(conninfo=postgres_url, min_size=4, max_size=4, open=True) as pool:

        def work(number: int) -> str:
            store = PostgresEventStore(pool, f"run_{number}")
            with Runtime(Graph(run_id=f"run_{number}"), [], store=store) as runtime, store.transaction():
                together.wait()
                runtime.graph.add_object("task", {})
            return runtime.status().state

        with ThreadPoolExecutor(4) as threads:
            assert list(threads.map(work, range(4))) == ["stopped"] * 4

    assert [run.event_count for run in list_runs(postgres_url)] == [1] * 4


def test_a_runtime_has_a_single_thread() -> None:
    used: set[int] = set()
    noting = Behavior("noting", lambda event, graph, ctx: used.add(threading.get_ident()), ["goal.created", "a"])
    runtime = Runtime(Graph(clock=FrozenClock()), [noting])

    runtime.run_goal("prices")

    assert used == {threading.get_ident()}


def test_a_second_thread_is_refused_while_the_first_is_at_work() -> None:
    refused: list[BaseException] = []

    def call() -> None:
        try:
            runtime.run_until_idle()
        except IncompatibleRuntimeState as error:
            refused.append(error)

    def start_another(event: Any, graph: Any, ctx: Any) -> None:
        thread = threading.Thread(target=call)
        thread.start()
        thread.join(timeout=60)

    runtime = Runtime(Graph(clock=FrozenClock()), [Behavior("start", start_another, ["goal.created"])])
    runtime.run_goal("prices")

    assert len(refused) == 1
