"""A run on a server that crashes, ends sessions and loses lines: no event lost, none twice, and it goes on."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event as Flag
from threading import Thread
from typing import Any

import pytest
from activegraph import Event, FrozenClock, Graph, Runtime
from activegraph.behaviors.base import AnyBehavior, Behavior
from activegraph.errors import StoreUnavailableError
from activegraph.store.postgres import PostgresEventStore
from support.equal_logs import essences
from support.killed import in_a_process, kill, wait_for
from support.postgres_events import ask, batch, end_other_sessions, is_whole
from support.postgres_proxy import CuttingProxy, Moment
from support.postgres_server import PostgresServer
from support.sampling import by_scale
from support.stored_runs import event

RESTARTS = by_scale(8, small=2, full=50)
CUTS = by_scale(30, small=8, full=200)
KILLS = by_scale(25, small=6, full=1000)
TASKS = by_scale(150, small=150, full=600)


def behaviors(tasks: int) -> list[AnyBehavior]:
    """A planner, and a worker for each of its tasks."""

    def plan(event: Event, graph: Any, ctx: Any) -> None:
        for number in range(tasks):
            graph.add_object("task", {"number": number})

    def work(event: Event, graph: Any, ctx: Any) -> None:
        graph.patch_object(event.payload["id"], {"estimate": ctx.random.randrange(100)})
        graph.emit("task.noted", {"task": event.payload["id"]})

    return [Behavior("planner", plan, ["goal.created"]), Behavior("worker", work, ["object.created"])]


def expected_log(tasks: int) -> Any:
    """The log of the same run where nothing goes wrong."""
    with Runtime(Graph(run_id="run_a", clock=FrozenClock()), behaviors(tasks)) as runtime:
        runtime.run_goal("work")
        return essences(list(runtime.graph.events))


def work_to_the_end(url: str, tasks: int) -> int:
    """Begin the run and load it again as often as the store gives up on it; returns how often it did."""
    stops = 0
    while True:
        try:
            runtime = loaded_or_new(url, tasks)
            with runtime:
                if runtime.status().events_processed == 0:
                    runtime.run_goal("work")
                else:
                    runtime.run_until_idle()
                return stops
        except StoreUnavailableError:
            stops += 1


def loaded_or_new(url: str, tasks: int) -> Runtime:
    with PostgresEventStore(url, "run_a") as look:
        started = look.get_run() is not None
    if started:
        return Runtime.load(url, "run_a", behaviors=behaviors(tasks), clock=FrozenClock())
    return Runtime(Graph(run_id="run_a", clock=FrozenClock()), behaviors(tasks), persist_to=url)


def begun(url: str, tasks: int) -> Runtime:
    """A new runtime; made once more if its store lost the connection and says that nothing was stored."""
    for _ in range(2):
        try:
            return Runtime(Graph(run_id="run_a", clock=FrozenClock()), behaviors(tasks), persist_to=url)
        except StoreUnavailableError as error:
            outcome = error.context.get("committed", False)  # a read inside a transaction has none
        assert outcome is False
    raise AssertionError("a second cut")


def stored_log(url: str) -> Any:
    return essences(list(PostgresEventStore(url, "run_a", read_only=True).iter_events()))


@contextmanager
def trouble(cause: Callable[[], object]) -> Iterator[Callable[[], int]]:
    """Cause trouble again and again while the block runs; gives the number of times so far."""
    over, times = Flag(), [0]

    def again() -> None:
        while not over.is_set():
            cause()
            times[0] += 1

    thread = Thread(target=again)
    thread.start()
    try:
        yield lambda: times[0]
    finally:
        over.set()
        thread.join()


def test_a_server_that_crashes_again_and_again_loses_nothing_of_a_working_run() -> None:
    chance = random.Random(7)
    whole = expected_log(TASKS)
    restarts = 0
    with PostgresServer() as server:

        def crash() -> None:
            time.sleep(0.05 + 0.2 * chance.random())  # the instant of the crash is what is tried here
            server.restart(immediate=True)

        while restarts < RESTARTS:
            ask(server.url, "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
            with trouble(crash) as times:
                work_to_the_end(server.url, TASKS)
            restarts += times()
            assert stored_log(server.url) == whole
            assert is_whole(server.url, "run_a")


def test_sessions_that_are_ended_at_random_are_not_noticed_by_a_run() -> None:
    chance = random.Random(11)
    whole = expected_log(TASKS)
    ended = [0]
    with PostgresServer() as server:

        def end() -> None:
            time.sleep(0.15 * chance.random())  # the instant is what is tried here
            ended[0] += end_other_sessions(server.url)

        while ended[0] < CUTS:
            ask(server.url, "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
            with trouble(end):
                work_to_the_end(server.url, TASKS)
            assert stored_log(server.url) == whole
        assert is_whole(server.url, "run_a")


@pytest.mark.parametrize("moment", ["before", "during", "after"])
def test_lines_that_are_cut_again_and_again_lose_nothing_of_a_run(moment: Moment) -> None:
    chance = random.Random(13)
    whole = expected_log(40)
    cuts = 0
    with PostgresServer() as server:
        while cuts < CUTS:
            ask(server.url, "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
            with CuttingProxy(server) as proxy:
                proxy.cut_again(iter(lambda: chance.randint(3, 40), None), moment)
                work_to_the_end(proxy.url, 40)
                cuts += proxy.cuts
            assert stored_log(server.url) == whole
            assert is_whole(server.url, "run_a")


@pytest.mark.parametrize("moment", ["before", "during", "after"])
def test_one_cut_anywhere_loses_nothing_and_is_not_noticed_by_a_run_that_works(moment: Moment) -> None:
    whole = expected_log(6)
    with PostgresServer() as server, CuttingProxy(server) as proxy:
        PostgresEventStore(server.url, "run_0").close()
        messages = cuts = 0
        while True:
            ask(server.url, "TRUNCATE events, runs")
            proxy.cut_after(messages, moment)
            with begun(proxy.url, 6) as runtime:
                runtime.run_goal("work")
            assert stored_log(server.url) == whole, f"cut at message {messages}"
            if proxy.cuts == cuts:
                break
            cuts = proxy.cuts
            messages += by_scale(1, small=5, full=1)
        assert messages > 10


def test_a_killed_writer_leaves_every_acknowledged_batch_whole_and_no_lock(postgres_url: str) -> None:
    chance = random.Random(5)
    PostgresEventStore(postgres_url, "run_a").append(event("evt_0"))
    acknowledged = {0: 1}
    for round in range(1, KILLS + 1):
        reading, writing = os.pipe()

        def write() -> None:
            store = PostgresEventStore(postgres_url, "run_a")
            for n in range(100_000):
                size = 1 + n % 5
                store.append_many([event(f"r{round}_{n}_{k}", payload={"of": size}) for k in range(size)])  # noqa: B023
                os.write(writing, b".")  # noqa: B023 - forked at once

        pid = in_a_process(write)
        os.close(writing)
        os.read(reading, 1)
        time.sleep(0.02 * chance.random())  # the instant of the kill is what is tried here
        kill(pid)
        wait_for(pid)
        told = 1
        while got := os.read(reading, 65536):
            told += len(got)
        os.close(reading)
        acknowledged[round] = told

    found: dict[int, dict[int, list[tuple[int, int]]]] = {}
    for item in PostgresEventStore(postgres_url, "run_a").iter_events():
        if item.id != "evt_0":
            round, n, k = (int(part) for part in item.id[1:].split("_"))
            found.setdefault(round, {}).setdefault(n, []).append((k, item.payload["of"]))
    for round in range(1, KILLS + 1):
        batches = found[round]
        assert list(batches) == list(range(len(batches)))
        assert acknowledged[round] <= len(batches) <= acknowledged[round] + 1
        for n, held in batches.items():
            assert held == [(k, 1 + n % 5) for k in range(1 + n % 5)]
    assert is_whole(postgres_url, "run_a")
    assert PostgresEventStore(postgres_url, "run_a").append_many(batch(1, 2)) > KILLS


def test_commits_that_a_crash_took_back_are_noticed_and_leave_no_hole() -> None:
    settings = {"synchronous_commit": "off", "wal_writer_delay": "10s"}
    with PostgresServer(settings=settings) as server:
        store = PostgresEventStore(server.url, "run_a")
        store.append_many(batch(1, 10), sync=True)
        for n in range(11, 60):
            store.append_many([event(f"evt_{n}")], sync=False)
        server.restart(immediate=True)
        survived = PostgresEventStore(server.url, "run_a").count()
        assert 10 <= survived < 59

        with pytest.raises(Exception, match=f"has {survived} events") as refusal:
            store.append(event("evt_60"))
        assert type(refusal.value).__name__ == "ConcurrentWriterError"
        assert is_whole(server.url, "run_a")
