"""Group E, several writers at once: writers of one run give one history, and writers of different runs do not meet."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from typing import Any

from activegraph.conformance.cases import case, check, of_scale, same
from activegraph.conformance.children import Message
from activegraph.conformance.processes import ask, options, running
from activegraph.conformance.samples import event, events, ids
from activegraph.conformance.suite import StoreSuite
from activegraph.conformance.workload import chain_problem, log_problem
from activegraph.errors import ConcurrentWriterError
from activegraph.store.base import EventStore

__all__ = ["WriterCases"]

_PROCESSES = 8


class WriterCases(StoreSuite):
    """Cases E2 to E7."""

    @case(
        "E2",
        "eight processes that reload and try again make one dense history of whole batches",
        needs=("second process", "append_many"),
        kind="X",
    )
    def test_e2_processes_that_retry_make_one_history(self) -> None:
        run, batches, size = self.new_run(), of_scale(6, 40), 3
        told = self.work("contend", run=run, processes=_PROCESSES, batches=batches, size=size)
        _no_errors(told)
        same("writers that were done", sorted(message["writer"] for message in told), list(range(_PROCESSES)))

        store: Any = self.open(run)
        found = list(store.iter_events())
        same("events", len(found), _PROCESSES * batches * size)
        written = Counter(each.id for each in found)
        check(max(written.values()) == 1, f"event {written.most_common(1)[0]} is there more than once")
        for start in range(0, len(found), size):
            batch = [(each.payload["w"], each.payload["b"], each.payload["n"]) for each in found[start : start + size]]
            writer, number = batch[0][:2]
            same("a batch in the log", batch, [(writer, number, n) for n in range(size)])
            same("the head that the writer of a batch expected", found[start].payload["at"], start)
        order: dict[int, list[int]] = {}
        for each in found[::size]:
            order.setdefault(each.payload["w"], []).append(each.payload["b"])
        same("batches of each writer", set(map(tuple, order.values())), {tuple(range(batches))})
        if hasattr(store, "iter_raw"):
            problem = chain_problem(store.iter_raw())
            check(problem is None, f"the log is no chain: {problem}")

    @case(
        "E3",
        "of processes that race for one position exactly one wins, the others are told that they lost",
        needs=("second process", "append_many"),
        kind="X",
    )
    def test_e3_one_of_eight_processes_wins_each_position(self) -> None:
        for size, rounds in ((1, of_scale(150, 1000)), (3, of_scale(50, 300))):
            run = self.new_run()
            told = self.work("race", run=run, processes=_PROCESSES, rounds=rounds, size=size)
            _no_errors(told)
            same("rounds", len(told), rounds)
            winners = [_winner(message, size) for message in told]
            store: Any = self.open(run)
            expected = [f"{n * size}_{winner}_{k}" for n, winner in enumerate(winners) for k in range(size)]
            same("the log", ids(list(store.iter_events())), expected)
            if hasattr(store, "iter_raw"):
                problem = chain_problem(store.iter_raw())
                check(problem is None, f"the log is no chain: {problem}")

    @case(
        "E3",
        "of handles that race for one position exactly one wins, the others are told that they lost",
        needs=("second handle", "append_many"),
    )
    def test_e3_one_of_eight_threads_wins_each_position(self) -> None:
        first = self.open()
        self._race(first, [self.beside(first) for _ in range(_PROCESSES)])

    @case(
        "E3",
        "of threads that race for one position on one handle exactly one wins, the others are told that they lost",
        needs=("append_many",),
    )
    def test_e3_one_of_eight_threads_on_a_handle_wins_each_position(self) -> None:
        shared = self.open()
        self._race(shared, [shared] * _PROCESSES)

    def _race(self, first: EventStore, handles: list[Any]) -> None:
        rounds = of_scale(40, 300)
        barrier = Barrier(_PROCESSES)

        def write(n: int) -> list[int]:
            won = []
            for round in range(rounds):
                barrier.wait(60)
                try:
                    handles[n].append_many([event(f"{round}_{n}")], expected_count=round)
                    won.append(round)
                except ConcurrentWriterError:
                    pass
            return won

        with _switching_often(), ThreadPoolExecutor(_PROCESSES) as threads:
            won = list(threads.map(write, range(_PROCESSES)))
        taken = Counter(round for rounds_won in won for round in rounds_won)
        check(max(taken.values(), default=0) <= 1, f"a position was given away {max(taken.values(), default=0)} times")
        same("positions that somebody won", len(taken), rounds)
        expected = {round: n for n, rounds_won in enumerate(won) for round in rounds_won}
        same("the log", ids(list(first.iter_events())), [f"{round}_{expected[round]}" for round in range(rounds)])

    @case("E4", "writers of different runs do not disturb each other", needs=("second process",), kind="X")
    def test_e4_processes_on_runs_of_their_own_all_succeed(self) -> None:
        runs, batches, size = [self.new_run() for _ in range(_PROCESSES)], of_scale(20, 200), 5
        told = self.work("own", runs=runs, batches=batches, size=size)
        _no_errors(told)
        same("events written", sum(message["written"] for message in told), _PROCESSES * batches * size)
        for run in runs:
            store: Any = self.open(run)
            problem = log_problem(store.iter_events(), size=size, at_least=batches * size)
            check(problem is None, f"run {run}: {problem}")

    @case(
        "E5",
        "a reader beside a writer always sees whole batches and a dense prefix",
        needs=("second process", "append_many"),
        kind="X",
    )
    def test_e5_readers_in_other_processes_see_whole_batches(self) -> None:
        batches, size = of_scale(60, 400), 5
        told = self.work("stream", run=self.new_run(), batches=batches, size=size)
        _no_errors(told)
        check(any(message.get("written") == batches * size for message in told), "the writer was not done")
        for message in told:
            if "reads" in message:
                same("events that a reader saw in the end", message["seen"], batches * size)

    @case(
        "E5",
        "a handle of this process sees whole batches of another process",
        needs=("second process", "append_many"),
        kind="X",
    )
    def test_e5_this_process_sees_whole_batches_of_another(self) -> None:
        run, batches, size = self.new_run(), of_scale(60, 400), 5
        store: Any = self.open(run)
        seen = 0
        with running(self.crash_command("write", options(run=run, batches=batches, size=size))) as told:
            for message in told:
                check("error" not in message, f"the writer failed: {message}")
                found = list(store.iter_events())
                problem = log_problem(found, size=size, at_least=max(seen, message["head"]))
                check(problem is None, f"{problem}")
                seen = len(found)
        same("events in the end", store.count(), batches * size)

    @case("E5", "a reader on another thread sees whole batches", needs=("second handle", "append_many"))
    def test_e5_a_reading_thread_sees_whole_batches(self) -> None:
        writer: Any = self.open()
        reader: Any = self.beside(writer)
        size, batches = 4, of_scale(60, 300)

        def write() -> None:
            for batch in range(batches):
                writer.append_many(events(size, start=batch * size + 1))

        with ThreadPoolExecutor(1) as threads:
            working = threads.submit(write)
            while not working.done():
                found = ids(list(reader.iter_events()))
                same("what a reader saw", found, ids(events(len(found))))
                same("events beyond the last whole batch", len(found) % size, 0)
            working.result()
        same("count()", reader.count(), size * batches)

    @case("E6", "one handle serves eight threads, each call whole")
    def test_e6_threads_share_a_handle(self) -> None:
        store: Any = self.open()
        each_writes = of_scale(40, 400)
        barrier = Barrier(_PROCESSES)

        def write(n: int) -> None:
            barrier.wait(60)
            for k in range(each_writes):
                store.append(event(f"{n}_{k}", payload={"n": n, "k": k}))
                if k % 8 == n:
                    found = list(store.iter_events())
                    check(len(found) <= store.count(), "an iteration saw more events than count() afterwards")
                    check(store.get_event(f"{n}_{k}") is not None, "a thread does not find its own event")

        with ThreadPoolExecutor(_PROCESSES) as threads:
            list(threads.map(write, range(_PROCESSES)))
        found = [(each.payload["n"], each.payload["k"]) for each in store.iter_events()]
        same("events", len(found), _PROCESSES * each_writes)
        for n in range(_PROCESSES):
            same(f"events of thread {n}", [k for who, k in found if who == n], list(range(each_writes)))

    @case("E6", "threads with handles of their own on one run lose, read, and go on", needs=("second handle",))
    def test_e6_threads_with_handles_of_their_own_make_one_history(self) -> None:
        first = self.open()
        handles = [self.beside(first) for _ in range(4)]
        each_writes = of_scale(15, 100)

        def write(n: int) -> None:
            for k in range(each_writes):
                _insist(lambda: handles[n].append(event(f"{n}_{k}")), lambda: list(handles[n].iter_events()))  # noqa: B023 - called at once

        with ThreadPoolExecutor(len(handles)) as threads:
            list(threads.map(write, range(len(handles))))
        found = ids(list(first.iter_events()))
        for n in range(len(handles)):
            same(
                f"events of thread {n}",
                [id for id in found if id.startswith(f"{n}_")],
                [f"{n}_{k}" for k in range(each_writes)],
            )
        same("events", len(found), len(handles) * each_writes)

    @case(
        "E7",
        "any number of processes may open an empty place at the same moment",
        needs=("second process", "empty place"),
        kind="X",
    )
    def test_e7_sixty_processes_open_an_empty_place_at_once(self) -> None:
        url = self.empty_url()
        runs = [f"run_{n}" for n in range(60)]
        told = ask(self.worker_on(url, "first", options(runs=runs)))
        _no_errors(told)
        same("processes that were done", sorted(message["run"] for message in told), sorted(runs))
        for run in runs:
            store = self.open_at(url, run)
            problem = log_problem(store.iter_events(), size=2, at_least=2)
            check(problem is None, f"{run}: {problem}")
            store.close()


@contextmanager
def _switching_often() -> Iterator[None]:
    """Let threads take turns as often as the interpreter can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def _insist(attempt: Callable[[], object], reload: Callable[[], object]) -> None:
    for _ in range(10_000):
        try:
            attempt()
            return
        except ConcurrentWriterError:
            reload()
    raise AssertionError("a writer that reloads after each loss never wins")


def _no_errors(told: list[Message]) -> None:
    failed = [message for message in told if "error" in message]
    check(not failed, f"{len(failed)} processes failed; the first with {failed[0] if failed else ''}")


def _winner(round: Message, size: int) -> int:
    results: list[Message] = round["results"]
    wrong = [result for result in results if result is None or "error" in result]
    check(not wrong, f"round {round['round']}: a process failed: {wrong[:1]}")
    winners: list[int] = [result["won"] for result in results if "won" in result]
    same(f"winners of round {round['round']}", len(winners), 1)
    for result in results:
        if "lost" in result:
            same("expected count of a loser's error", result["expected"], round["round"] * size)
            same("actual count of a loser's error", result["actual"], (round["round"] + 1) * size)
    return winners[0]
