"""Group J: a read changes nothing, creates nothing, and needs no right to write."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from activegraph.conformance.cases import case, check, not_on_this_machine, same
from activegraph.conformance.children import Message
from activegraph.conformance.processes import ask, options
from activegraph.conformance.samples import event, events, ids, same_events
from activegraph.conformance.suite import StoreSuite, directory_state
from activegraph.conformance.workload import append_batch, log_problem, numbered
from activegraph.errors import StoreNotFoundError, StoreReadOnlyError
from activegraph.store.base import EventStore
from activegraph.store.runs import get_run, list_runs, most_recent_run_id, open_store

__all__ = ["ReadingCases"]

_NOBODY = 65534


class ReadingCases(StoreSuite):
    """Cases J1 to J4."""

    @case("J1", "reading where no store is says so and creates nothing", needs=("empty place",))
    def test_j1_reading_where_no_store_is_creates_nothing(self) -> None:
        url = self.empty_url()
        before = self.state_of(url)
        reads: dict[str, Callable[[], object]] = {
            "open_store(read_only=True)": lambda: open_store(url, "run", read_only=True),
            "list_runs()": lambda: list_runs(url),
            "most_recent_run_id()": lambda: most_recent_run_id(url),
            "get_run()": lambda: get_run(url, "run"),
        }
        for name, read in reads.items():
            with pytest.raises(StoreNotFoundError) as refusal:
                read()
            check(isinstance(refusal.value, FileNotFoundError), "the refusal is no FileNotFoundError")
            same(f"what is there after {name}", self.state_of(url), before)

    @case("J1", "a run that does not exist is read as empty, and reading does not make it", needs=("read-only handle",))
    def test_j1_reading_an_unknown_run_does_not_make_it(self) -> None:
        self.filled(1)
        ghost = self.new_run("ghost")
        store: Any = self.reader(ghost)
        same("events of an unknown run", list(store.iter_events()), [])
        same("count() of an unknown run", store.count(), 0)
        check(store.get_event("evt_1") is None, "an unknown run gives an event")
        if hasattr(store, "get_run"):
            check(store.get_run() is None, "an unknown run has a record")
            check(self.open(ghost).get_run() is None, "reading an unknown run made its record")  # type: ignore[attr-defined]  # as above

    @case("J1", "a read-only handle where nothing is makes no file", needs=("read-only handle", "url"))
    def test_j1_a_read_only_handle_makes_no_file(self) -> None:
        path = self.parsed_url().sqlite_path
        if path is None or Path(path).exists():
            return
        before = directory_state(Path(path).parent)
        with pytest.raises(StoreNotFoundError):
            self.reader(self.new_run())
        same("what is there afterwards", directory_state(Path(path).parent), before)

    @case("J2", "a read-only handle reads everything and refuses every write", needs=("read-only handle",))
    def test_j2_a_read_only_handle_refuses_every_write(self) -> None:
        writer = self.filled(3)
        writer.close()
        store: Any = self.reader(writer.run_id)
        calls: dict[str, Callable[[], object]] = {
            "append": lambda: store.append(event("evt_4")),
            "append of what cannot be kept": lambda: store.append(event("evt_4", payload={"a": object()})),
            "truncate_after": lambda: store.truncate_after("evt_1"),
            "append_many": lambda: store.append_many([event("evt_4")]),
            "append_many of nothing": lambda: store.append_many([]),
            "upsert_run": lambda: store.upsert_run(created_at="2026-05-15T10:32:01Z"),
            "transaction": lambda: store.transaction().__enter__(),
        }
        for name, call in calls.items():
            if not hasattr(store, name.split(" ")[0]):
                continue
            with pytest.raises(StoreReadOnlyError) as refusal:
                call()
            check(isinstance(refusal.value, PermissionError), "the refusal is no PermissionError")
            same(f"run of the refusal of {name}()", refusal.value.context.get("run_id"), store.run_id)
        _reads_all(store, 3)
        store.close()
        same_events(list(self.again(writer).iter_events()), events(3))

    @case("J2", "reading leaves every byte as it was", needs=("read-only handle", "state"))
    def test_j2_reading_changes_nothing(self) -> None:
        writer = self.filled(20)
        writer.close()
        before = self.state_of(None)
        store: Any = self.reader(writer.run_id)
        _reads_all(store, 20)
        held = store.iter_events()
        next(held)
        for catalog in self.catalogs_at(self._url(), store):
            catalog.list_runs()
            catalog.most_recent_run_id()
        same("what is there beside an open reader", self.state_of(None), before)
        del held
        store.close()
        same("what is there after reading", self.state_of(None), before)

    @case("J2", "reading beside an open writer changes nothing", needs=("second process", "state"), kind="X")
    def test_j2_reading_beside_a_writer_changes_nothing(self) -> None:
        writer = self.filled(20)
        before = self.state_of(None)
        told = self.work("read", run=writer.run_id)
        same("what another process reads", told[-1].get("ids"), ids(events(20)))
        same("what is there after another process has read", self.state_of(None), before)
        writer.append(event("evt_21"))

    @case("J3", "a role or a file without write rights can be read", needs=("empty place",))
    def test_j3_reading_needs_no_right_to_write(self) -> None:
        if self.offers("server"):
            url = self.empty_url()
            append_batch(self.open_at(url, "run"), numbered(1, 5))
            reader, _ = self.resources.enter_context(self.hook("without_rights")(url))
            found = list(self.open_at(reader, "run", read_only=True).iter_events())
            problem = log_problem(found, size=5, at_least=5)
            check(problem is None, f"{problem}")
            same("runs", [record.run_id for record in list_runs(reader)], ["run"])
            return
        url, folder = self.public_url()
        store = self.open_at(url, "run")
        append_batch(store, numbered(1, 5))
        store.close()
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o555 if path.is_dir() else 0o444)
        try:
            user = _NOBODY if os.geteuid() == 0 else None
            told = ask(self.worker_on(url, "read", options(run="run", user=user)))
        finally:
            folder.chmod(0o755)
        _understood(told)
        same("events as a reader without rights sees them", told[-1].get("ids"), [f"evt_{n}" for n in range(1, 6)])

    @case("J4", "a read-only handle beside a writer sees each commit when it is made", needs=("read-only handle",))
    def test_j4_a_reader_beside_a_writer_sees_each_commit(self) -> None:
        writer = self.filled(2)
        store = self.reader(writer.run_id)
        _reads_all(store, 2)
        for n in range(3, 8):
            writer.append(event(f"evt_{n}", payload={"n": n}))
            _reads_all(store, n)
        running = store.iter_events()
        next(running)
        writer.append(event("evt_8", payload={"n": 8}))
        same("an iteration that was under way", len(list(running)), 6)

    @case(
        "J4",
        "what a crashed writer had committed can be read at once, and reading changes nothing",
        needs=("second process", "read-only handle"),
        kind="X",
    )
    def test_j4_a_reader_after_a_crashed_writer(self) -> None:
        runs = [self.new_run() for _ in range(3)]
        told = self.work("sweep", action="append", runs=runs, size=7, held=0)
        check(not any("error" in message for message in told), f"the writers failed: {told}")
        for message in told:
            if message["step"] is None:
                store = self.reader(message["run"])
                problem = log_problem(store.iter_events(), size=7, at_least=7)
                check(problem is None, f"{problem}")


def _reads_all(store: EventStore, number: int) -> None:
    """Fail unless every way of reading gives the `number` events."""
    reads: Any = store
    same_events(list(store.iter_events()), events(number))
    same("count()", store.count(), number)
    check(store.get_event(f"evt_{number}") is not None, "get_event() does not find the last event")
    if hasattr(reads, "head"):
        same("head()", reads.head(), number)
    if hasattr(reads, "tail"):
        same("tail(2)", ids(reads.tail(2)), ids(events(number))[-2:])
    if hasattr(reads, "iter_range"):
        same("iter_range(2)", len(list(reads.iter_range(2))), number - 1)
    if hasattr(reads, "iter_types"):
        same("iter_types()", len(list(reads.iter_types("note.made"))), number)
    if hasattr(reads, "iter_raw"):
        same("iter_raw()", len(list(reads.iter_raw())), number)
    if hasattr(reads, "get_run"):
        record = reads.get_run()
        same("event_count of the record", record.event_count if record else None, number)


def _understood(told: list[Message]) -> None:
    failed = [message for message in told if "error" in message]
    if failed and failed[0]["error"] in ("ImportError", "ModuleNotFoundError"):
        not_on_this_machine("does not let another user read the interpreter's files")
    check(not failed, f"a reader without rights failed: {failed[:1]}")
