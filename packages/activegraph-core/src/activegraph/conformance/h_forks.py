"""Group H: a fork is its parent's past, byte for byte, made in one transaction, and a run of its own from then on."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from activegraph.conformance.cases import Lacking, case, check, of_scale, same
from activegraph.conformance.catalog import Catalog
from activegraph.conformance.samples import event, events, ids, same_events
from activegraph.conformance.steps import watched
from activegraph.conformance.suite import StoreSuite
from activegraph.conformance.workload import append_batch, chain_problem, log_problem, numbered
from activegraph.errors import EventNotFoundError, NonSerializableEventError, RunExistsError, RunNotFoundError
from activegraph.store.base import EventStore

__all__ = ["ForkCases"]

_MADE = "2026-05-15T10:32:01Z"


class ForkCases(StoreSuite):
    """Cases H1 to H6."""

    @case("H1", "a fork holds its parent's events up to and including the one it was made at", needs=("fork",))
    def test_h1_a_fork_is_the_parents_prefix(self) -> None:
        parent = self._parent(6)
        before = list(parent.iter_events())
        for name, fork in self._forks():
            for at in (1, 3, 6):
                run = self.new_run("fork")
                copied = fork(
                    parent_run_id=parent.run_id, new_run_id=run, at_event_id=f"evt_{at}", label="l", created_at=_MADE
                )
                same(f"events copied by {name}", copied, at)
                made = self.open(run)
                same_events(list(made.iter_events()), before[:at])
                same("count() of the fork", made.count(), at)
        same_events(list(parent.iter_events()), before)

    @case("H1", "a fork's rows are its parent's rows, digests and positions included", needs=("fork", "iter_raw"))
    def test_h1_the_rows_of_a_fork_are_those_of_its_parent(self) -> None:
        parent: Any = self._parent(5)
        before = list(parent.iter_raw())
        for _, fork in self._forks():
            run = self.new_run("fork")
            fork(parent_run_id=parent.run_id, new_run_id=run, at_event_id="evt_4", label=None, created_at=_MADE)
            made: Any = self.open(run)
            same("rows of the fork", list(made.iter_raw()), before[:4])
            made.append(event("evt_5"))
            problem = chain_problem(made.iter_raw())
            check(problem is None, f"the fork is no chain: {problem}")
        same("rows of the parent", list(parent.iter_raw()), before)

    @case("H1", "a fork's record tells its lineage, and keeps its parent's goal and frame", needs=("fork", "metadata"))
    def test_h1_a_fork_tells_where_it_comes_from(self) -> None:
        parent: Any = self._parent(6)
        parent.upsert_run(
            created_at=parent.get_run().created_at, goal="to know", frame_id="frm_1", label="parent", setup_count=4
        )
        before = parent.get_run()
        for _, fork in self._forks():
            for at, setup in ((2, 2), (5, 4)):
                run = self.new_run("fork")
                fork(
                    parent_run_id=parent.run_id,
                    new_run_id=run,
                    at_event_id=f"evt_{at}",
                    label="a try",
                    created_at="2026-05-15T12:32:01+02:00",
                )
                store: Any = self.open(run)
                made = store.get_run()
                told = (made.run_id, made.parent_run_id, made.forked_at_event_id, made.label, made.created_at)
                same("lineage of the fork", told, (run, parent.run_id, f"evt_{at}", "a try", _MADE))
                same("goal and frame of the fork", (made.goal, made.frame_id), ("to know", "frm_1"))
                same("setup_count of the fork", made.setup_count, setup)
                same("derived fields", (made.event_count, made.last_event_id), (at, f"evt_{at}"))
                store.append(event("evt_new"))
                store.upsert_run(created_at=_MADE)
                after = self.open(run).get_run()  # type: ignore[attr-defined]  # by the need
                same(
                    "lineage after an append",
                    (after.parent_run_id, after.forked_at_event_id),
                    (parent.run_id, f"evt_{at}"),
                )
        same("record of the parent", parent.get_run(), before)

    @case("H1", "a fork's record takes nothing else from its parent", needs=("fork", "metadata"))
    def test_h1_a_fork_takes_no_label_and_no_lineage_of_its_parent(self) -> None:
        for name, fork in self._forks():
            for setup, kept in ((None, {None, 0}), (0, {0}), (9, {3})):
                parent: Any = self._parent(4)
                made = parent.get_run().created_at
                parent.upsert_run(
                    created_at=made, label="l", setup_count=setup, parent_run_id="before", forked_at_event_id="evt_0"
                )
                run = self.new_run("fork")
                fork(parent_run_id=parent.run_id, new_run_id=run, at_event_id="evt_3", label=None, created_at=_MADE)
                store: Any = self.open(run)
                record = store.get_run()
                same(f"label of a fork without one by {name}", record.label, None)
                lineage = (record.parent_run_id, record.forked_at_event_id)
                same(f"lineage of a fork of a fork by {name}", lineage, (parent.run_id, "evt_3"))
                check(
                    record.setup_count in kept,
                    f"the fork of 3 events has the setup_count {record.setup_count}, its parent {setup}",
                )

    @case("H2", "a fork of what is not there, or into a taken id, is refused and leaves no trace", needs=("fork",))
    def test_h2_a_fork_that_cannot_be_made_leaves_no_trace(self) -> None:
        parent, taken, unknown = self._parent(3), self._parent(2), self.new_run()
        elsewhere = self.open()
        elsewhere.append(event("evt_elsewhere"))
        for name, fork in self._forks():
            run = self.new_run("fork")
            attempts: list[tuple[type[Exception], dict[str, str]]] = [
                (EventNotFoundError, {"parent_run_id": parent.run_id, "new_run_id": run, "at_event_id": "evt_4"}),
                (
                    EventNotFoundError,
                    {"parent_run_id": parent.run_id, "new_run_id": run, "at_event_id": "evt_elsewhere"},
                ),
                (RunNotFoundError, {"parent_run_id": unknown, "new_run_id": run, "at_event_id": "evt_1"}),
                (RunExistsError, {"parent_run_id": parent.run_id, "new_run_id": taken.run_id, "at_event_id": "evt_1"}),
                (RunExistsError, {"parent_run_id": parent.run_id, "new_run_id": parent.run_id, "at_event_id": "evt_1"}),
            ]
            for error, arguments in attempts:
                with pytest.raises(error) as refusal:
                    fork(**arguments, label=None, created_at=_MADE)
                context = refusal.value.context  # type: ignore[attr-defined]  # all are errors of ours
                if error is EventNotFoundError:
                    same("operation of the error", context.get("operation"), "fork")
                elif error is RunExistsError:
                    same("run of the error", context.get("run_id"), arguments["new_run_id"])
            for catalog in self.catalogs():
                known = [record.run_id for record in catalog.list_runs()]
                check(run not in known, f"{name} left the record of a fork that it refused")
                check(unknown not in known, f"{name} made the parent that it did not find")
            same("events of the refused fork", self.open(run).count(), 0)
        same_events(list(parent.iter_events()), events(3))
        same_events(list(taken.iter_events()), events(2))

    @case("H3", "after a fork both runs go on by themselves, and a fork can be forked", needs=("fork",))
    def test_h3_parent_and_fork_go_on_by_themselves(self) -> None:
        for _, fork in self._forks():
            parent = self._parent(4)
            child, grandchild = self.new_run("fork"), self.new_run("fork")
            fork(parent_run_id=parent.run_id, new_run_id=child, at_event_id="evt_3", label=None, created_at=_MADE)
            forked = self.open(child)
            parent.append(event("evt_5", payload={"of": "parent"}))
            forked.append(event("evt_4", payload={"of": "child"}))
            forked.append(event("evt_5", payload={"of": "child"}))
            fork(parent_run_id=child, new_run_id=grandchild, at_event_id="evt_4", label=None, created_at=_MADE)
            last = self.open(grandchild)
            last.append(event("evt_5", payload={"of": "grandchild"}))

            same_events(list(parent.iter_events()), [*events(4), event("evt_5", payload={"of": "parent"})])
            own = [event("evt_4", payload={"of": "child"}), event("evt_5", payload={"of": "child"})]
            same_events(list(forked.iter_events()), [*events(3), *own])
            same_events(list(last.iter_events()), [*events(3), own[0], event("evt_5", payload={"of": "grandchild"})])

    @case(
        "H4",
        "a fork whose process dies is whole or absent, wherever that happens",
        needs=("second process", "fork", "url"),
        kind="X",
    )
    def test_h4_a_killed_fork_is_whole_or_absent(self) -> None:
        parent = self.open()
        append_batch(parent, numbered(1, 20))
        runs = [self.new_run("fork") for _ in range(of_scale(100, 400))]
        told = self.swept("fork", runs, parent=parent.run_id, at="evt_15")
        known = {record.run_id: record for record in self.backend().list_runs(self.parsed_url())}
        for message in told:
            where = f"step {message['step']} of {message['of']}"
            made = self.open(message["run"])
            count = made.count()
            made.close()
            check(count in (0, 15), f"{count} of 15 events are in the fork after a kill at {where}")
            check(
                (message["run"] in known) == (count == 15),
                f"the fork has {count} events and {'a' if message['run'] in known else 'no'} record after a kill at {where}",
            )
            if message["step"] is None:
                same("events of a fork that had returned", count, 15)
        same("events of the parent", parent.count(), 20)

    @case("H4", "at no instant does anybody see part of a fork", needs=("fork", "second handle"))
    def test_h4_nobody_ever_sees_part_of_a_fork(self) -> None:
        parent = self._parent(8)
        for catalog in self.catalogs():
            if catalog.fork_run is None:
                continue
            run = self.new_run("fork")
            made = self.open(run)
            fork = partial(
                catalog.fork_run,
                parent_run_id=parent.run_id,
                new_run_id=run,
                at_event_id="evt_6",
                label=None,
                created_at=_MADE,
            )

            def look(made: EventStore = made, catalog: Catalog = catalog) -> tuple[int, bool]:
                return made.count(), any(record.run_id == made.run_id for record in catalog.list_runs())

            seen = set(watched(fork, look))
            check(
                seen <= {(0, False), (6, True)},
                f"while {catalog.name} forked 6 events, others saw (events, record) {seen}",
            )
            same("events of the fork", made.count(), 6)

    @case("H4", "a fork whose insert fails leaves nothing behind", needs=("fork", "url"))
    def test_h4_a_fork_whose_insert_fails_leaves_nothing(self) -> None:
        parent = self._parent(4)
        for extra, error in (
            ([event("extra"), event("evt_2")], ValueError),
            ([event("extra"), event("extra")], ValueError),
            ([event("extra"), event("wrong", payload={"a": object()})], NonSerializableEventError),
        ):
            run = self.new_run("fork")
            with pytest.raises(error):
                self._fork_with(extra, parent_run_id=parent.run_id, new_run_id=run, at_event_id="evt_3")
            same("events of a fork that failed", self.open(run).count(), 0)
            known = [record.run_id for record in self.backend().list_runs(self.parsed_url())]
            check(run not in known, "a fork that failed left its record")
        same_events(list(parent.iter_events()), events(4))

    @case("H4", "a fork is a prefix while its parent is appended to", needs=("fork", "second handle"))
    def test_h4_a_fork_beside_a_writer_is_a_whole_prefix(self) -> None:
        parent = self.open()
        append_batch(parent, numbered(1, 10))
        runs = [(fork, self.new_run("fork")) for _, fork in self._forks() for _ in range(10)]

        def write() -> None:
            for n in range(40):
                append_batch(parent, numbered(11 + 5 * n, 5))

        with ThreadPoolExecutor(1) as threads:
            writing = threads.submit(write)
            for fork, run in runs:
                copied = fork(
                    parent_run_id=parent.run_id, new_run_id=run, at_event_id="evt_7", label=None, created_at=_MADE
                )
                same("events copied", copied, 7)
            writing.result()
        for _, run in runs:
            problem = log_problem(self.open(run).iter_events(), size=7, at_least=7)
            check(problem is None, f"the fork: {problem}")
        problem = log_problem(parent.iter_events(), size=5, at_least=210)
        check(problem is None, f"the parent: {problem}")

    @case("H5", "extra events follow the copied ones, chained, in the same transaction", needs=("fork", "url"))
    def test_h5_extra_events_belong_to_the_fork(self) -> None:
        parent, run = self._parent(4), self.new_run("fork")
        extra = [event("extra_1", "pack.settings_overridden", {"a": 1}), event("extra_2", payload={"b": 2})]
        copied = self._fork_with(extra, parent_run_id=parent.run_id, new_run_id=run, at_event_id="evt_3")
        same("events copied", copied, 3)
        store: Any = self.open(run)
        same_events(list(store.iter_events()), [*events(3), *extra])
        if hasattr(store, "iter_raw"):
            problem = chain_problem(store.iter_raw())
            check(problem is None, f"the fork is no chain: {problem}")

    @case("H6", "a long fork does not pass through the client's memory", needs=("fork", "append_many"))
    def test_h6_a_long_fork_takes_no_memory(self) -> None:
        parent = self.open()
        for start in range(1, 100_001, 5000):
            append_batch(parent, numbered(start, 5000, padding=100))
        for name, fork in self._forks()[:1]:
            run = self.new_run("fork")
            tracemalloc.start()
            try:
                copied = fork(
                    parent_run_id=parent.run_id, new_run_id=run, at_event_id="evt_99999", label=None, created_at=_MADE
                )
                peak = tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()
            same("events copied", copied, 99_999)
            check(peak < 8_000_000, f"a fork of 100,000 events by {name} took {peak // 1000} kB of this process")
            made: Any = self.open(run)
            same("count() of the fork", made.count(), 99_999)
            if hasattr(made, "tail"):
                same("end of the fork", ids(made.tail(2)), ["evt_99998", "evt_99999"])

    def _parent(self, number: int) -> EventStore:
        return self.filled(number, self.new_run("parent"))

    def _forks(self) -> list[tuple[str, Callable[..., int]]]:
        return [(each.name, each.fork_run) for each in self.catalogs() if each.fork_run is not None]

    def _fork_with(self, extra: list[Any], **named: str) -> int:
        fork: Any = getattr(self.backend(), "fork_run", None)
        if fork is None:
            raise Lacking("fork_run of the store's backend")
        copied: int = fork(self.parsed_url(), **named, label=None, created_at=_MADE, extra_events=extra)
        return copied
