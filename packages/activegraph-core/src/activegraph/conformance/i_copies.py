"""Group I: what is copied from elsewhere arrives byte for byte, or not at all; what conflicts is never skipped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from msgspec.structs import replace as replace_row

from activegraph.conformance.cases import case, check, of_scale, same
from activegraph.conformance.samples import HARD_VALUES, event, events, same_events
from activegraph.conformance.steps import watched
from activegraph.conformance.suite import StoreSuite
from activegraph.conformance.workload import chain_problem, raw_copy
from activegraph.core.event import Event
from activegraph.errors import ActiveGraphError, LogInconsistencyError
from activegraph.store.base import ImportResult, RawEvent, RunRecord
from activegraph.store.imports import import_run

__all__ = ["CopyCases"]

_MADE = "2026-05-15T10:32:01Z"

_CHANGED = {
    "type": "other.type",
    "payload": '{"n":"other"}',
    "actor": "somebody",
    "frame_id": "frm_2",
    "caused_by": "evt_1",
    "timestamp": "2026-05-15T10:32:02Z",
}


class CopyCases(StoreSuite):
    """Cases I1 to I8, as far as one store decides them; `pairs` holds those of two."""

    @case("I1", "an imported run is the source's: rows, digests and record", needs=("import",))
    def test_i1_an_imported_run_is_the_sources(self) -> None:
        batch = [event(name, payload={"value": value, name: value}) for name, value in HARD_VALUES.items()]
        batch += [Event("bare", "t", {}, None, None, None, ""), Event("blank", "t", {}, "", "", "", " 2026 ")]
        rows = raw_copy(batch)
        record = self._record(
            parent_run_id="elsewhere", forked_at_event_id="evt_9", label="l", goal="g", frame_id="f", setup_count=2
        )
        same("what the import tells", self._import(record, rows), ImportResult(len(rows), 0))

        store: Any = self.open(record.run_id)
        same_events(list(store.iter_events()), batch)
        if hasattr(store, "iter_raw"):
            same("the rows", list(store.iter_raw()), rows)
        if hasattr(store, "get_run"):
            wanted = replace(record, event_count=len(rows), last_event_id="blank")
            same("the record", store.get_run(), wanted)

    @case(
        "I1", "rows without digests get the next ones of the chain, and the run can be gone on with", needs=("import",)
    )
    def test_i1_rows_without_digests_are_chained(self) -> None:
        record = self._record()
        self._import(record, raw_copy(events(5), digests=False))
        store: Any = self.open(record.run_id)
        store.append(event("evt_6", payload={"n": 6}))
        same_events(list(store.iter_events()), events(6))
        if hasattr(store, "iter_raw"):
            problem = chain_problem(store.iter_raw())
            check(problem is None, f"the imported run is no chain: {problem}")
            same("digests", [row.digest for row in store.iter_raw()], [row.digest for row in raw_copy(events(6))])

    @case(
        "I1",
        "rows without digests are stored as canonical text, which is what their digests are of",
        needs=("import", "iter_raw"),
    )
    def test_i1_rows_without_digests_are_stored_as_canonical_text(self) -> None:
        record, wanted = self._record(), raw_copy(events(4))
        self._import(record, wanted[:1])
        respelt = [replace_row(row, payload=f'{{ "n" : {n} }}', digest=None) for n, row in enumerate(wanted, start=1)]
        same("what the import tells", self._import(record, respelt), ImportResult(3, 1))
        store: Any = self.open(record.run_id)
        same("the rows", list(store.iter_raw()), wanted)

    @case("I1", "a run without events is imported as well: its record", needs=("import", "metadata"))
    def test_i1_a_run_without_events_is_imported(self) -> None:
        record = self._record(label="l", goal="g", setup_count=0)
        same("what the import tells", self._import(record, []), ImportResult(0, 0))
        store: Any = self.open(record.run_id)
        same("the record", store.get_run(), record)
        same("count()", store.count(), 0)

    @case("I2", "an event that is there in another spelling of the same content is no conflict", needs=("import",))
    def test_i2_another_spelling_is_no_conflict(self) -> None:
        record, rows = self._record(), raw_copy(events(3))
        self._import(record, rows)
        respelt = [replace_row(row, payload=f'{{ "n" : {n} }}') for n, row in enumerate(rows, start=1)]
        same("import of the same in another spelling", self._import(record, respelt), ImportResult(0, 3))
        same_events(list(self.open(record.run_id).iter_events()), events(3))

    @case("I2", "importing again writes nothing, and a prefix that is there is completed", needs=("import",))
    def test_i2_an_import_can_be_repeated_and_completed(self) -> None:
        record, rows = self._record(), raw_copy(events(6))
        same("import of a prefix", self._import(record, rows[:2]), ImportResult(2, 0))
        same("import of all", self._import(record, rows), ImportResult(4, 2))
        same("import again", self._import(record, rows), ImportResult(0, 6))
        same_events(list(self.open(record.run_id).iter_events()), events(6))

    @case("I2", "a run of another store's length is imported whole, whatever batches it is read in", needs=("import",))
    def test_i2_a_long_import_is_whole(self) -> None:
        number = of_scale(5_003, 50_003)
        record, rows = self._record(), raw_copy(events(number))
        same("import of a part", self._import(record, rows[:1500]), ImportResult(1500, 0))
        same("import of all", self._import(record, rows), ImportResult(number - 1500, 1500))
        same("count()", self.open(record.run_id).count(), number)

    @case(
        "I3", "an event that is there with another content fails the import, which changes nothing", needs=("import",)
    )
    def test_i3_a_conflicting_event_fails_the_import(self) -> None:
        for field, value in _CHANGED.items():
            for place in (1, 4):
                record, rows = self._record(), raw_copy(events(5))
                self._import(record, rows)
                incoming = raw_copy(events(7))
                incoming[place] = replace_row(incoming[place], **{field: value})
                self._conflicts(record, incoming, events(5), names=incoming[place].id, tells=field)

    @case("I3", "an event that is there at another position fails the import", needs=("import",))
    def test_i3_an_event_at_another_position_fails_the_import(self) -> None:
        record = self._record()
        self._import(record, raw_copy(events(5)))
        one, two, three, four, five = events(5)
        self._conflicts(record, raw_copy([one, three, two, four, five]), events(5), names=None, tells=None)
        self._conflicts(record, raw_copy([one, event("new"), *events(4, start=2)]), events(5), names=None, tells=None)
        self._conflicts(record, raw_copy([*events(5), event("new"), event("evt_2")]), events(5), names=None, tells=None)

    @case("I4", "a run that is longer here than at its source is not imported into", needs=("import",))
    def test_i4_a_longer_destination_fails_the_import(self) -> None:
        record = self._record()
        self._import(record, raw_copy(events(5)))
        for shorter in (3, 0):
            self._conflicts(record, raw_copy(events(shorter)), events(5), names=None, tells=None)

    @case("I4", "a record of another lineage or creation time fails the import", needs=("import", "metadata"))
    def test_i4_another_lineage_fails_the_import(self) -> None:
        record = self._record(parent_run_id="parent", forked_at_event_id="evt_0")
        self._import(record, raw_copy(events(3)))
        for changed in (
            {"parent_run_id": "other"},
            {"forked_at_event_id": "evt_8"},
            {"created_at": "2020-01-01T00:00:00Z"},
        ):
            with pytest.raises(ActiveGraphError):
                self._import(replace(record, **changed), raw_copy(events(4)))  # type: ignore[arg-type]  # texts all
            same_events(list(self.open(record.run_id).iter_events()), events(3))

    @case("I4", "an import fills in what a record does not tell yet", needs=("import", "metadata"))
    def test_i4_an_import_fills_in_the_record(self) -> None:
        record = self._record()
        self._import(record, raw_copy(events(2)))
        self._import(replace(record, label="l", goal="g", frame_id="f"), raw_copy(events(2)))
        store: Any = self.open(record.run_id)
        told = store.get_run()
        same("label, goal and frame", (told.label, told.goal, told.frame_id), ("l", "g", "f"))
        store.upsert_run(created_at=_MADE, label="mine")
        self._import(replace(record, label="l", goal="g", frame_id="f"), raw_copy(events(2)))
        same("a label that was there", store.get_run().label, "mine")

    @case(
        "I5", "an import that is cut off at any event leaves nothing of itself, and can be repeated", needs=("import",)
    )
    def test_i5_an_import_that_is_cut_off_leaves_nothing(self) -> None:
        rows = raw_copy(events(2100))
        for held in (0, 5):
            for cut in (0, 1, 6, 999, 1000, 1001, 2099, 2100):
                record = self._record()
                if held:
                    self._import(record, rows[:held])
                with pytest.raises(_CutOff):
                    self._import(record, _cut(rows, cut))
                same("count() after the failure", self.open(record.run_id).count(), held)
                known = [each.run_id for each in self.backend().list_runs(self.parsed_url())]
                check((record.run_id in known) == bool(held), "an import that failed left a record, or took one away")
                if cut in (1, 1001):
                    same("import again", self._import(record, rows), ImportResult(2100 - held, held))

    @case("I5", "at no instant does anybody see part of an import", needs=("import", "second handle"))
    def test_i5_nobody_ever_sees_part_of_an_import(self) -> None:
        record = self._record()
        other = self.open(record.run_id)
        rows = raw_copy(events(12))
        seen = watched(lambda: self._import(record, rows), other.count)
        check(set(seen) <= {0, 12}, f"while 12 events were imported, others counted {set(seen)}")
        same("count()", other.count(), 12)

    @case("I5", "rows of an import that are no run are refused whole", needs=("import",))
    def test_i5_rows_that_are_no_run_are_refused(self) -> None:
        record = self._record()
        with pytest.raises(ActiveGraphError):
            self._import(record, raw_copy([*events(3), event("evt_2")]))
        same("count()", self.open(record.run_id).count(), 0)

    @case("I6", "a damaged row is imported as it is, so that it can still be found", needs=("import", "iter_raw"))
    def test_i6_damage_is_copied_not_hidden(self) -> None:
        record, rows = self._record(), raw_copy(events(4))
        rows[2] = replace_row(rows[2], payload='{"n":"changed"}')
        self._import(record, rows)
        store: Any = self.open(record.run_id)
        same("the rows", list(store.iter_raw()), rows)
        check(chain_problem(store.iter_raw()) is not None, "damage of the source cannot be found any more")

    def _record(self, **fields: Any) -> RunRecord:
        told = {
            "parent_run_id": None,
            "forked_at_event_id": None,
            "label": None,
            "goal": None,
            "frame_id": None,
            **fields,
        }
        return RunRecord(self.new_run("import"), created_at=_MADE, **told)

    def _import(self, record: RunRecord, rows: Iterable[RawEvent]) -> ImportResult:
        return import_run(self.parsed_url(), record, rows)

    def _conflicts(
        self, record: RunRecord, rows: list[RawEvent], held: list[Event], *, names: str | None, tells: str | None
    ) -> None:
        """Fail unless the import is refused as a conflict and the run is what it was."""
        with pytest.raises(LogInconsistencyError) as refusal:
            self._import(record, rows)
        same("reason of the refusal", refusal.value.context.get("reason"), "conflict")
        if names is not None and tells is not None:
            same("the event that the error names", refusal.value.context.get("event_id"), names)
            check(tells in str(refusal.value), f"the error does not tell that {tells} differs: {refusal.value.summary}")
        same_events(list(self.open(record.run_id).iter_events()), held)


class _CutOff(Exception):
    """What the source raises in the middle of an import."""


def _cut(rows: list[RawEvent], at: int) -> Iterator[RawEvent]:
    yield from rows[:at]
    raise _CutOff
