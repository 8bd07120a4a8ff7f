"""Group F: a process may die at any instant; what was acknowledged is there, everything else whole or absent."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import count
from typing import Any

from activegraph.conformance.cases import Lacking, case, check, of_scale, same
from activegraph.conformance.children import Message
from activegraph.conformance.processes import ask, options
from activegraph.conformance.samples import event, events, ids
from activegraph.conformance.suite import StoreSuite
from activegraph.conformance.tracing import SyncTrace
from activegraph.conformance.workload import append_batch, chain_problem, log_problem, numbered, raw_copy
from activegraph.store.base import EventStore, RunRecord
from activegraph.store.imports import import_run
from activegraph.store.url import parse_store_url

__all__ = ["CrashCases"]

_MADE = "2026-05-15T10:32:01Z"

_ROUNDS = 8
_CALLS = 7
_PAUSE_SECONDS = 1.0


class CrashCases(StoreSuite):
    """Cases F1 to F4."""

    @case(
        "F1",
        "a process that dies while it appends leaves the batch whole or absent",
        needs=("second process", "append_many"),
        kind="X",
    )
    def test_f1_a_batch_is_whole_or_absent_wherever_its_writer_dies(self) -> None:
        for held in (0, 2):
            runs = [self.new_run() for _ in range(of_scale(40, 200))]
            told = self.swept("append", runs, size=6, held=held)
            for message in told:
                store: Any = self.open(message["run"])
                count = store.count()
                where = f"step {message['step']} of {message['of']}"
                check(count in (held, held + 6), f"{count - held} of 6 events are there after a kill at {where}")
                if message["step"] is None:
                    same("events after an append that had returned", count, held + 6)
                self._is_sound_and_goes_on(store, where)
                store.close()

    @case(
        "F1",
        "an append that has returned is there, even if its process dies at once",
        needs=("second process",),
        kind="X",
    )
    def test_f1_an_append_that_returned_survives_its_process(self) -> None:
        runs = [self.new_run() for _ in range(6)]
        told = self.swept("append", runs[:2], size=1, held=0) + self.swept("append", runs[2:4], size=1, held=3)
        told += self.swept("append", runs[4:], size=4, held=3)
        for message in told:
            if message["step"] is None:
                store = self.open(message["run"])
                problem = log_problem(store.iter_events(), size=1)
                check(problem is None, f"{problem}")
                check(store.count() in (1, 4, 7), f"{store.count()} events are there after an append had returned")

    @case("F1", "a process that dies while it closes its handle loses nothing", needs=("second process",), kind="X")
    def test_f1_dying_while_closing_loses_nothing(self) -> None:
        runs = [self.new_run() for _ in range(of_scale(6, 30))]
        for message in self.swept("close", runs, size=200):
            store = self.open(message["run"])
            problem = log_problem(store.iter_events(), size=200, at_least=200)
            check(problem is None, f"after a kill at step {message['step']} of {message['of']}: {problem}")

    @case("F1", "an import is whole or absent wherever its process dies", needs=("second process", "import"), kind="X")
    def test_f1_an_import_is_whole_or_absent(self) -> None:
        runs = [self.new_run("import") for _ in range(of_scale(100, 400))]
        told = self.swept("import", runs, size=20)
        known = {record.run_id: record for record in self.backend().list_runs(self.parsed_url())}
        for message in told:
            where = f"step {message['step']} of {message['of']}"
            store: Any = self.open(message["run"])
            count = store.count()
            check(count in (0, 20), f"{count} of 20 events are there after a kill at {where}")
            check((message["run"] in known) == (count == 20), f"a run of {count} events has the wrong record, {where}")
            if message["step"] is None:
                same("events of an import that had returned", count, 20)
            if count:
                self._is_sound_and_goes_on(store, where)
            store.close()
            store.close()

    @case(
        "F1",
        "a store whose making was cut off can be opened and used",
        needs=("second process", "empty place"),
        kind="X",
    )
    def test_f1_a_store_whose_making_was_cut_off_is_usable(self) -> None:
        cuts = of_scale(8, 30)
        told = ask(self.worker_on(self.empty_url(), "sweep", options(action="open", runs=["a"])))
        _no_errors(told)
        for cut in range(cuts):
            url = self.empty_url()
            at = 1 + cut * told[0]["of"] // cuts
            _no_errors(ask(self.worker_on(url, "kill", options(action="open", run="a", at=at))))
            store = self.open_at(url, "run")
            append_batch(store, numbered(1, 3))
            problem = log_problem(store.iter_events(), size=3, at_least=3)
            check(problem is None, f"{problem}")
            store.close()

    @case(
        "F2",
        "after a hundred kills at random instants every acknowledged batch is there whole",
        needs=("second process", "append_many"),
        kind="X",
    )
    def test_f2_random_kills_lose_nothing_that_was_acknowledged(self) -> None:
        size = 5
        for seed in range(of_scale(4, 20)):
            run = self.new_run()
            told = self.work("storm", run=run, kills=of_scale(25, 50), size=size, seed=seed)
            _no_errors(told)
            acknowledged = 0
            for message in told:
                found = message["found"]
                check(found is not None, "a process could not open the run after a kill")
                check(found >= acknowledged, f"{acknowledged} events were acknowledged, the next process found {found}")
                check(found % size == 0, f"the next process found {found} events: part of a batch of {size}")
                acknowledged = message["acknowledged"]
            store: Any = self.open(run)
            problem = log_problem(store.iter_events(), size=size, at_least=acknowledged)
            check(problem is None, f"{problem}")
            check(store.count() > 0, "no process ever appended anything")
            self._is_sound_and_goes_on(store, "random kills")

    @case("F3", "a writer that was killed leaves no lock", needs=("second process",), kind="X")
    def test_f3_a_killed_writer_leaves_no_lock(self) -> None:
        for _ in range(3):
            run = self.new_run()
            told = self.work("hold", run=run)
            _no_errors(told)
            store = self.open(run)
            held = store.count()
            same("events of the killed writer", held, 0 if told[0]["holding"] else 3)
            append_batch(store, numbered(held + 1, 3))
            same("count()", store.count(), held + 3)

    @case("F4", "append_many(sync=True) has reached stable storage when it returns", needs=("append_many", "storage"))
    def test_f4_a_synced_append_reaches_stable_storage(self) -> None:
        if self.offers("server"):
            self._server_syncs()
            return
        store: Any = self.filled(2)
        with SyncTrace() as trace:
            if not trace.writes(lambda: store.append_many(events(1, start=3))):
                raise Lacking("storage outside of its process")
            self._traced_syncs(store, trace)
            held = store.iter_events()
            next(held)
            self._traced_syncs(store, trace, beside=" beside an open reader")
        same("the log", ids(list(store.iter_events())), ids(events(13)))

    def _traced_syncs(self, store: Any, trace: SyncTrace, *, beside: str = "") -> None:
        at = store.count()
        calls: dict[str, Callable[[], object]] = {
            "append_many([event], sync=True)": lambda: store.append_many(events(1, start=at + 1), sync=True),
            "append_many of a batch, sync=True": lambda: store.append_many(events(3, start=at + 2), sync=True),
        }
        for name, call in calls.items():
            check(trace.syncs(call) > 0, f"{name}{beside} returned without any call for stable storage")
        store.append_many(events(1, start=at + 5), sync=False)
        synced = trace.syncs(lambda: store.append_many([], sync=True))
        check(synced > 0, f"append_many([], sync=True){beside} left an earlier commit unsynced")

    @case(
        "F4", "a fork and an import have reached stable storage when they return", needs=("fork", "import", "storage")
    )
    def test_f4_forks_and_imports_reach_stable_storage(self) -> None:
        parent = self.filled(20)
        backend, url = self.backend(), self.parsed_url()
        if self.offers("server"):
            url = parse_store_url(self.hook("asynchronous")(self.store_url()))
        named = {"parent_run_id": parent.run_id, "at_event_id": "evt_20", "label": None, "created_at": _MADE}
        calls: dict[str, Callable[[], object]] = {
            "fork_run": lambda: backend.fork_run(url, **named, new_run_id=self.new_run("fork")),  # type: ignore[attr-defined]  # by the need
            "import_run": lambda: import_run(
                url, RunRecord(self.new_run("import"), None, None, None, _MADE, None, None), raw_copy(events(20))
            ),
        }
        if self.offers("server"):
            for name, call in calls.items():
                self._server_has_synced(name, url.raw, call)
            return
        with SyncTrace() as trace:
            for name, call in calls.items():
                check(trace.syncs(call) > 0, f"{name} returned without any call for stable storage")

    @case("F4", "sync=None and sync=False store the events like any append", needs=("append_many",))
    def test_f4_every_value_of_sync_stores_the_events(self) -> None:
        store: Any = self.open()
        for n, sync in enumerate((None, False, True), start=1):
            same(f"append_many(sync={sync})", store.append_many(events(1, start=n), sync=sync), n)
        same("append_many([], sync=True)", store.append_many([], sync=True), 3)
        same("the log", ids(list(store.iter_events())), ids(events(3)))

    def _server_syncs(self) -> None:
        url = self.hook("asynchronous")(self.store_url())
        store: Any = self.open_at(url, self.new_run())
        number = count(1)

        def synced() -> None:
            store.append_many([event(f"evt_{next(number)}")], sync=True)

        def synced_afterwards() -> None:
            store.append_many([event(f"evt_{next(number)}")], sync=False)
            store.append_many([], sync=True)

        self._server_has_synced("append_many(sync=True)", url, synced)
        self._server_has_synced("append_many([], sync=True) behind an earlier commit", url, synced_afterwards)

    def _server_has_synced(self, name: str, url: str, call: Callable[[], object]) -> None:
        is_synced = self.hook("is_synced")
        least = _CALLS
        for _ in range(_ROUNDS):
            unsynced = 0
            for _ in range(_CALLS):
                call()
                unsynced += not is_synced(url)
            if unsynced <= _CALLS // 3:
                return
            least = min(least, unsynced)
            # Other sessions write too, and the server's own housekeeping does so for seconds. Waiting for a
            # quieter moment helps no store that does not sync: each look comes right after its call.
            time.sleep(_PAUSE_SECONDS)
        check(False, f"after {least} of {_CALLS} calls of {name} the server had not synced them")

    def _is_sound_and_goes_on(self, store: EventStore, where: str) -> None:
        count = store.count()
        if hasattr(store, "iter_raw"):
            problem = chain_problem(store.iter_raw())
            check(problem is None, f"after a kill at {where}: {problem}")
        append_batch(store, numbered(count + 1, 1))
        problem = log_problem(store.iter_events(), size=1, at_least=count + 1)
        check(problem is None, f"the append after a kill at {where}: {problem}")
        store.close()  # a server takes only so many connections


def _no_errors(told: list[Message]) -> None:
    failed = [message for message in told if "error" in message]
    check(not failed, f"{len(failed)} processes failed; the first with {failed[0] if failed else ''}")
