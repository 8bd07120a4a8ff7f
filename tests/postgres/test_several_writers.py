"""Several processes on one database: one history per run, and every loser is told."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

import psycopg
from activegraph.errors import ConcurrentWriterError
from activegraph.store import list_runs
from activegraph.store.postgres import PostgresEventStore
from support.killed import in_a_process, kill, wait_for
from support.postgres_events import ask, is_whole
from support.stored_runs import event

FULL = os.environ.get("ACTIVEGRAPH_TEST_SCALE") == "full"
TRIES = 1000 if FULL else 60
ROUNDS = 200 if FULL else 40
PROCESSES = 8


def started_together(url: str, work: Callable[[int], Any], count: int) -> list[int]:
    """Exit codes of `count` forked processes that all begin `work` at one instant."""
    with psycopg.connect(url, autocommit=True) as gate:
        gate.execute("SELECT pg_advisory_lock(4711)")

        def begin(number: int) -> None:
            with psycopg.connect(url, autocommit=True) as waiting:
                waiting.execute("SELECT pg_advisory_lock_shared(4711)")
            work(number)

        pids = [in_a_process(lambda number=number: begin(number)) for number in range(count)]  # type: ignore[misc]
        waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711 AND NOT granted"
        while gate.execute(waiting).fetchone() != (count,):
            assert all(os.waitpid(pid, os.WNOHANG) == (0, 0) for pid in pids), "a process ended before the start"
        gate.execute("SELECT pg_advisory_unlock(4711)")
        return [wait_for(pid) for pid in pids]


def test_eight_processes_on_one_run_leave_one_history_and_every_loser_is_told(postgres_url: str) -> None:
    """Each process tries its batches with what it knows, and reads again when it is refused."""

    def work(number: int) -> None:
        store = PostgresEventStore(postgres_url, "run_a")
        won = []
        for attempt in range(TRIES):
            batch = [event(f"p{number}_{attempt}_{n}", payload={"of": attempt % 3 + 1}) for n in range(attempt % 3 + 1)]
            try:
                store.append_many(batch)
                won.append(attempt)
            except ConcurrentWriterError as error:
                assert error.actual_count > error.expected_count  # noqa: PT017 - what a loser is told
                for _ in store.iter_events(after=error.expected_head):
                    pass
        ask(postgres_url, "INSERT INTO won SELECT %s, unnest(%s::int[])", number, won)

    PostgresEventStore(postgres_url, "run_a").close()
    ask(postgres_url, "CREATE TABLE won (process int, attempt int)")
    assert started_together(postgres_url, work, PROCESSES) == [0] * PROCESSES

    log = [e.id for e in PostgresEventStore(postgres_url, "run_a").iter_events()]
    acknowledged = ask(postgres_url, "SELECT process, attempt FROM won")
    expected = {f"p{p}_{a}_{n}" for p, a in acknowledged for n in range(a % 3 + 1)}
    assert len(log) == len(set(log)) == len(expected)
    assert set(log) == expected
    for place, id in enumerate(log):
        process, attempt, n = id.split("_")
        if int(n):
            assert log[place - 1] == f"{process}_{attempt}_{int(n) - 1}"
    assert len(acknowledged) < PROCESSES * TRIES
    assert {process for process, _ in acknowledged} == set(range(PROCESSES))
    assert is_whole(postgres_url, "run_a")


def test_of_eight_that_race_for_one_position_one_wins_and_seven_hear_of_it(postgres_url: str) -> None:
    def race(number: int) -> None:
        store = PostgresEventStore(postgres_url, "run_a")
        with psycopg.connect(postgres_url, autocommit=True) as meeting:
            for position in range(1, ROUNDS + 1):
                meet(meeting, 2 * position)
                try:
                    assert store.append_many([event(f"evt_{position}", payload={"by": number})]) == position
                    outcome = "won"
                except ConcurrentWriterError as error:
                    assert (error.expected_count, error.actual_count) == (position - 1, position)  # noqa: PT017
                    outcome = "lost"
                meeting.execute("INSERT INTO outcomes VALUES (%s, %s, %s)", (position, number, outcome))
                meet(meeting, 2 * position + 1)
                for _ in store.iter_events():
                    pass

    def meet(connection: psycopg.Connection[Any], round: int) -> None:
        connection.execute("INSERT INTO met VALUES (%s)", (round,))
        while connection.execute("SELECT count(*) FROM met WHERE round = %s", (round,)).fetchone() != (PROCESSES,):
            pass

    PostgresEventStore(postgres_url, "run_a").close()
    ask(postgres_url, "CREATE TABLE outcomes (round int, process int, outcome text)")
    ask(postgres_url, "CREATE TABLE met (round int); CREATE INDEX ON met (round)")
    assert started_together(postgres_url, race, PROCESSES) == [0] * PROCESSES

    counted = ask(
        postgres_url, "SELECT round, count(*) FILTER (WHERE outcome = 'won'), count(*) FROM outcomes GROUP BY 1"
    )
    assert sorted(counted) == [(round, 1, PROCESSES) for round in range(1, ROUNDS + 1)]
    assert is_whole(postgres_url, "run_a")


def test_writers_of_different_runs_do_not_disturb_each_other(postgres_url: str) -> None:
    def work(number: int) -> None:
        store = PostgresEventStore(postgres_url, f"run_{number}")
        for n in range(TRIES):
            store.append_many([event(f"evt_{n}_{k}") for k in range(1 + n % 4)])

    assert started_together(postgres_url, work, PROCESSES) == [0] * PROCESSES
    each = sum(1 + n % 4 for n in range(TRIES))
    assert [record.event_count for record in list_runs(postgres_url)] == [each] * PROCESSES
    assert all(is_whole(postgres_url, f"run_{number}") for number in range(PROCESSES))


def test_sixty_processes_that_open_an_empty_database_at_once_all_succeed(postgres_url: str) -> None:
    def work(number: int) -> None:
        with PostgresEventStore(postgres_url, f"run_{number}") as store:
            store.append(event("evt_1"))

    assert started_together(postgres_url, work, 60 if FULL else 40) == [0] * (60 if FULL else 40)
    assert len(list_runs(postgres_url)) == (60 if FULL else 40)
    assert ask(postgres_url, "SELECT key, count(*) FROM meta GROUP BY key ORDER BY key") == [
        ("codec_version", 1),
        ("created_at", 1),
        ("created_by", 1),
        ("schema_version", 1),
    ]


def test_a_writer_that_was_stopped_and_overtaken_cannot_append_when_it_wakes(postgres_url: str) -> None:
    PostgresEventStore(postgres_url, "run_a").append(event("evt_0"))
    for round in range(50 if FULL else 8):
        before = PostgresEventStore(postgres_url, "run_a").count()

        def write() -> None:
            store = PostgresEventStore(postgres_url, "run_a")
            try:
                for n in range(100_000):
                    store.append_many([event(f"s{round}_{n}_{k}") for k in range(3)])  # noqa: B023 - forked at once
            except ConcurrentWriterError:
                os._exit(3)

        pid = in_a_process(write)
        try:
            overtaker = PostgresEventStore(postgres_url, "run_a")
            while overtaker.count() < before + 6:
                pass
            os.kill(pid, signal.SIGSTOP)
            stand = overtake(overtaker, f"o{round}")
            os.kill(pid, signal.SIGCONT)
            assert wait_for(pid) == 3
        except BaseException:
            kill(pid)
            raise
        assert overtaker.count() == stand
        log = [e.id for e in overtaker.iter_range(before + 1)]
        assert all(id.startswith(f"s{round}_") for id in log[:-1])
        assert log[-1] == f"o{round}"
        assert (len(log) - 1) % 3 == 0
        assert is_whole(postgres_url, "run_a")


def overtake(store: PostgresEventStore, id: str) -> int:
    """Append behind whatever the stopped writer got through; returns the head."""
    while True:
        for _ in store.iter_events():
            pass
        try:
            return store.append_many([event(id)])
        except ConcurrentWriterError:
            # The server was still committing what the stopped process had sent.
            continue


def test_a_reader_beside_a_writer_sees_whole_batches(postgres_url: str) -> None:
    def write() -> None:
        store = PostgresEventStore(postgres_url, "run_a")
        for n in range(TRIES):
            store.append_many([event(f"evt_{n}_{k}", payload={"of": 7}) for k in range(7)])

    PostgresEventStore(postgres_url, "run_a").close()
    reader = PostgresEventStore(postgres_url, "run_a", read_only=True)
    seen = {reader.count()}
    pid = in_a_process(write)
    while reader.count() < 7 * TRIES:
        count = sum(1 for _ in reader.iter_events())
        seen.add(count)
    assert wait_for(pid) == 0
    assert {count % 7 for count in seen} == {0}
