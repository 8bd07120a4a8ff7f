"""Cases on two stores: the same operations leave the same bytes, and a run that is copied stays the same run."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from activegraph.conformance.cases import case, check, of_scale, same
from activegraph.conformance.samples import HARD_VALUES, event, events, fields, generated, payloads, same_events
from activegraph.conformance.suite import StoreSuite
from activegraph.core.event import Event
from activegraph.errors import ActiveGraphError, StoreNotFoundError
from activegraph.operations.migrate import migrate
from activegraph.store.base import RunRecord

__all__ = ["PairConformance"]

_MADE = "2026-05-15T10:32:01Z"


class PairConformance:
    """Promises of every ordered pair of stores. `source` and `destination` are suites of one store each."""

    __test__ = False

    source: StoreSuite
    destination: StoreSuite

    def missing(self, need: str) -> str | None:
        """What one of the two lacks for `need`, as a skip says it."""
        if need == "migrate":
            return self.source.missing("url") or self.destination.missing("import")
        if need == "damaged row":
            return self.source.missing(need)
        return next((lacking for each in self._both() if (lacking := each.missing(need)) is not None), None)

    def finish(self) -> None:
        """Give back what the case opened in both."""
        try:
            self.source.finish()
        finally:
            self.destination.finish()

    def _both(self) -> tuple[StoreSuite, StoreSuite]:
        return self.source, self.destination

    @case("B2", "the same appends leave the same rows and digests in both stores", needs=("iter_raw",), kind="P")
    def test_b2_the_same_appends_leave_the_same_bytes(self) -> None:
        one: Any = self.source.open()
        two: Any = self.destination.open()
        count = 0

        @generated(of_scale(60, 1000))
        @given(payload=payloads())
        def append(payload: dict[str, Any]) -> None:
            nonlocal count
            count += 1
            for store in (one, two):
                store.append(event(f"evt_{count}", payload=payload))

        append()
        for name, value in HARD_VALUES.items():
            for store in (one, two):
                store.append(Event(name, "t", {"value": value}, "", None, "", " 2026 "))
        same("the rows of both stores", list(one.iter_raw()), list(two.iter_raw()))
        ours, theirs = ([fields(each) for each in store.iter_events()] for store in (one, two))
        same("what is read from both stores", ours, theirs)

    @case("I1", "a migrated run is the same run: rows, digests and record", needs=("migrate", "iter_raw", "metadata"))
    def test_i1_a_migrated_run_is_the_same_run(self) -> None:
        store: Any = self.source.open()
        store.upsert_run(
            created_at="2026-05-15T12:32:01.5+02:00",
            parent_run_id="elsewhere",
            forked_at_event_id="evt_0",
            label="l",
            goal="g",
            frame_id="f",
            setup_count=2,
        )
        for name, value in HARD_VALUES.items():
            store.append(event(name, payload={"value": value, name: [value]}))
        store.append(Event("bare", "t", {}, None, None, None, ""))
        report = self._migrate([store.run_id])
        same("the report", _told(report), [(store.run_id, "ok", len(HARD_VALUES) + 1, None)])

        copy: Any = self._copied(store.run_id)
        same("the rows", list(copy.iter_raw()), list(store.iter_raw()))
        same("the record", copy.get_run(), store.get_run())
        copy.append(event("further"))
        same("the run goes on", copy.count(), len(HARD_VALUES) + 2)

    @case("I2", "migrating again writes nothing, and a prefix that is there is completed", needs=("migrate",))
    def test_i2_a_migration_can_be_repeated(self) -> None:
        store: Any = self.source.filled(4)
        same("the first report", _told(self._migrate([store.run_id])), [(store.run_id, "ok", 4, None)])
        same("the second report", _told(self._migrate([store.run_id])), [(store.run_id, "ok", 0, None)])
        for each in events(3, start=5):
            store.append(each)
        same("the third report", _told(self._migrate([store.run_id])), [(store.run_id, "ok", 3, None)])
        same_events(list(self._copied(store.run_id).iter_events()), events(7))

    @case(
        "I3",
        "a run that conflicts fails, named with its event, and the others go through",
        needs=("migrate", "metadata"),
    )
    def test_i3_a_conflicting_run_fails_alone(self) -> None:
        good, bad, longer = (self._recorded(self.source, self.source.new_run(), events(3)) for _ in range(3))
        other = [event("evt_1", payload={"n": 1}), event("evt_2", payload={"n": "other"})]
        there = self._recorded(self.destination, bad.run_id, other)
        more = self._recorded(self.destination, longer.run_id, events(5))
        report = self._migrate([good.run_id, bad.run_id, longer.run_id])

        told = {run.run_id: run for run in report.runs}
        same(
            "status of each run",
            {id: run.status for id, run in told.items()},
            {good.run_id: "ok", bad.run_id: "failed", longer.run_id: "failed"},
        )
        check(not report.ok and len(report.failures) == 2, "the report does not say that two runs failed")
        error = told[bad.run_id].error or ""
        check("evt_2" in error and "payload" in error, f"the error does not name event and field: {error}")
        same("events of the conflicting run", [each.payload["n"] for each in there.iter_events()], [1, "other"])
        same_events(list(more.iter_events()), events(5))
        same_events(list(self._copied(good.run_id).iter_events()), events(3))

    @case(
        "I6",
        "an unreadable event fails its run, or is left out and listed when that is asked for",
        needs=("migrate", "damaged row"),
    )
    def test_i6_an_unreadable_event_is_named_or_left_out(self) -> None:
        for bad in ((1,), (3,), (5,), (2, 4)):
            store = self.source.filled(5)
            store.close()
            for position in bad:
                self.source.damage(store.run_id, position, payload='{"a":{"$ag.new":1}}')
            (failed,) = self._migrate([store.run_id]).runs
            same("status without skipping", (failed.status, failed.events_migrated), ("failed", 0))
            check(
                (failed.error or "").startswith("read failure: CorruptedEventPayloadError:")
                and f"evt_{bad[0]}" in (failed.error or ""),
                f"the error does not name the unreadable event: {failed.error}",
            )
            for written in (5 - len(bad), 0):
                (kept,) = self._migrate([store.run_id], skip_corrupted=True).runs
                same("status with skipping", (kept.status, kept.events_migrated, kept.error), ("ok", written, None))
                same("events left out", kept.skipped_events, tuple(f"evt_{n}" for n in bad))
            copy = self._copied(store.run_id)
            same_events(list(copy.iter_events()), [each for n, each in enumerate(events(5), start=1) if n not in bad])

    @case("I7", "an unknown run is reported, and the same store or a missing one is refused", needs=("migrate",))
    def test_i7_what_cannot_be_migrated_is_said(self) -> None:
        store, unknown = self.source.filled(1), self.source.new_run("unknown")
        report = self._migrate([store.run_id, unknown, store.run_id])
        same(
            "runs of the report",
            [(run.run_id, run.status) for run in report.runs],
            [(store.run_id, "ok"), (unknown, "failed")],
        )
        check((report.runs[1].error or "").startswith("RunNotFoundError:"), "an unknown run has another error")
        with pytest.raises(ActiveGraphError):
            migrate(self.source.store_url(), self.source.store_url())
        if self.source.offers("empty place"):
            with pytest.raises(StoreNotFoundError):
                migrate(self.source.empty_url(), self.destination.store_url())

    @case("I7", "a run that grows meanwhile is copied as it was at the beginning", needs=("migrate", "append_many"))
    def test_i7_a_growing_run_is_copied_as_it_was(self) -> None:
        store: Any = self.source.filled(3000)
        grown = 0

        def grow(done: int, total: int) -> None:
            nonlocal grown
            if grown < 6:
                grown += 1
                store.append_many(events(700, start=store.count() + 1))

        (report,) = self._migrate([store.run_id], on_events=grow).runs
        check(grown > 1, "the source did not grow while it was read")
        same("the report", (report.status, report.events_migrated, report.error), ("ok", 3000, None))
        same_events(list(self._copied(store.run_id).iter_events()), events(3000))

    @case(
        "I8",
        "progress is told run by run in order, and an exception from whoever listens is ignored",
        needs=("migrate",),
    )
    def test_i8_progress_is_told_in_order(self) -> None:
        runs = [self.source.filled(2).run_id for _ in range(3)]
        heard: list[str] = []

        def listen(report: Any) -> None:
            heard.append(report.run_id)
            raise RuntimeError("a listener's own trouble")

        report = self._migrate(runs, on_progress=listen)
        same("runs that were told of", heard, [run.run_id for run in report.runs])
        same("status of each run", [run.status for run in report.runs], ["ok"] * 3)

    @case(
        "H1",
        "a run can be forked into another store, with its digests and its lineage",
        needs=("url", "iter_raw", "import", "metadata"),
    )
    def test_h1_a_fork_into_another_store_is_the_parents_prefix(self) -> None:
        from activegraph.store.runs import fork_run

        parent: Any = self.source.filled(5)
        new_run_id = self.destination.new_run("fork")
        result = fork_run(
            self.source.store_url(),
            run_id=parent.run_id,
            at_event="evt_3",
            label="l",
            to_url=self.destination.store_url(),
            new_run_id=new_run_id,
        )
        same("events copied", result.events_copied, 3)
        made: Any = self.destination.open(new_run_id)
        same("the rows", list(made.iter_raw()), list(parent.iter_raw())[:3])
        record: RunRecord = made.get_run()
        same(
            "the lineage",
            (record.parent_run_id, record.forked_at_event_id, record.label),
            (parent.run_id, "evt_3", "l"),
        )
        same("events of the parent", parent.count(), 5)

    def _migrate(self, run_ids: list[str], **options: Any) -> Any:
        for run_id in run_ids:
            self.destination.known_run(run_id)
        return migrate(self.source.store_url(), self.destination.store_url(), only_run_ids=run_ids, **options)

    def _recorded(self, suite: StoreSuite, run_id: str, batch: list[Event]) -> Any:
        """A run of these events that was made at the same time in whatever store."""
        store: Any = suite.open(suite.known_run(run_id))
        if hasattr(store, "upsert_run"):
            store.upsert_run(created_at=_MADE)
        for each in batch:
            store.append(each)
        return store

    def _copied(self, run_id: str) -> Any:
        return self.destination.open(run_id)


def _told(report: Any) -> list[tuple[str, str, int, str | None]]:
    return [(run.run_id, run.status, run.events_migrated, run.error) for run in report.runs]
