"""Group G: what a store remembers of a run is what it was told, and what it derives is what the log says."""

from __future__ import annotations

from typing import Any

import pytest

from activegraph.conformance.cases import Lacking, case, check, of_scale, same
from activegraph.conformance.samples import ODD_TEXTS, event
from activegraph.conformance.suite import StoreSuite
from activegraph.errors import IncompatibleRuntimeState, InvalidRuntimeConfiguration, NonSerializableEventError
from activegraph.store.base import RunRecord

__all__ = ["RecordCases"]

_MADE = "2026-05-15T10:32:01Z"

_TIMES = {
    "2026-05-15T10:32:01Z": "2026-05-15T10:32:01Z",
    "2026-05-15T12:32:01+02:00": "2026-05-15T10:32:01Z",
    "2026-05-15T10:32:01": "2026-05-15T10:32:01Z",
    "2026-05-15T10:32:01.000000+00:00": "2026-05-15T10:32:01Z",
    "2026-05-15T10:32:01.250000Z": "2026-05-15T10:32:01.250000Z",
    "2026-01-01T00:30:00+01:00": "2025-12-31T23:30:00Z",
}


class RecordCases(StoreSuite):
    """Cases G1 to G4."""

    @case("G1", "a run's record is what was recorded", needs=("metadata",))
    def test_g1_a_record_is_what_was_recorded(self) -> None:
        store: Any = self.open()
        told = {
            "parent_run_id": "run_parent",
            "forked_at_event_id": "evt_7",
            "label": "a label's \u00e9 100%",
            "created_at": _MADE,
            "goal": "to know",
            "frame_id": "frm_1",
            "setup_count": 3,
        }
        store.upsert_run(**told)
        _tells(store, **told)
        store.append(event("evt_1"))
        _tells(store, **told, event_count=1, last_event_id="evt_1")

    @case("G1", "a record that was handed out can be changed without changing the store", needs=("metadata",))
    def test_g1_a_record_is_handed_out_as_a_copy(self) -> None:
        store: Any = self.open()
        store.upsert_run(created_at=_MADE, label="kept")
        handed = store.get_run()
        handed.label, handed.created_at, handed.parent_run_id = "changed", "never", "nobody"
        _tells(store, label="kept", created_at=_MADE, parent_run_id=None)

    @case("G1", "texts of a record are kept whole, whatever their length and signs", needs=("metadata",))
    def test_g1_texts_of_a_record_are_kept_whole(self) -> None:
        for text in (*ODD_TEXTS, ""):
            store: Any = self.open()
            store.upsert_run(created_at=_MADE, label=text, goal=text)
            _tells(store, label=text, goal=text)
        store = self.open()
        store.append(event("evt_1", "goal.created", {"goal": "know " * 2000}))
        _tells(store, goal="know " * 2000)

    @case("G1", "names in a record that no store could carry are refused, and nothing is recorded", needs=("metadata",))
    def test_g1_names_that_no_store_can_carry_are_refused(self) -> None:
        store: Any = self.open()
        for name in ("frame_id", "parent_run_id", "forked_at_event_id"):
            for text in ("a\x00b", "\ud800"):
                with pytest.raises(NonSerializableEventError) as refusal:
                    store.upsert_run(created_at=_MADE, label="refused", **{name: text})
                same("path of the refusal", refusal.value.context.get("path"), name)
        check(store.get_run() is None, "a refused record was stored")

    @case("G1", "None never erases what is recorded, and a new value replaces it", needs=("metadata",))
    def test_g1_none_never_erases(self) -> None:
        store: Any = self.open()
        store.upsert_run(created_at=_MADE)
        _tells(store, created_at=_MADE, label=None, goal=None, frame_id=None, parent_run_id=None, setup_count=None)
        store.upsert_run(created_at=_MADE, label="first", goal="goal", setup_count=0)
        store.upsert_run(created_at=_MADE, frame_id="frm_1")
        _tells(store, label="first", goal="goal", frame_id="frm_1", setup_count=0)
        store.upsert_run(created_at=_MADE, label="second")
        _tells(store, label="second", goal="goal", frame_id="frm_1", setup_count=0)

    @case("G1", "lineage and creation time are fixed once they are set", needs=("metadata",))
    def test_g1_lineage_and_creation_time_are_fixed(self) -> None:
        store: Any = self.open()
        store.upsert_run(created_at=_MADE)
        store.upsert_run(created_at=_MADE, parent_run_id="parent", forked_at_event_id="evt_7")
        kept = {"parent_run_id": "parent", "forked_at_event_id": "evt_7", "created_at": _MADE}
        store.upsert_run(created_at=_MADE, label="later")
        _tells(store, **kept)
        for changed in (
            {"created_at": "2026-05-15T10:32:02Z"},
            {"created_at": _MADE, "parent_run_id": "other"},
            {"created_at": _MADE, "forked_at_event_id": "evt_8"},
        ):
            with pytest.raises(IncompatibleRuntimeState):
                store.upsert_run(**changed, label="refused")
            _tells(store, **kept, label="later")
        store.upsert_run(created_at="2026-05-15T12:32:01+02:00", parent_run_id="parent")
        _tells(store, **kept)

    @case(
        "G1",
        "opening, appending to and recording a run through another handle keeps its lineage",
        needs=("metadata", "second handle"),
    )
    def test_g1_another_handle_keeps_the_lineage(self) -> None:
        store: Any = self.open()
        store.upsert_run(created_at=_MADE, parent_run_id="parent", forked_at_event_id="evt_7", label="kept")
        other: Any = self.again(store)
        other.append(event("evt_1"))
        other.upsert_run(created_at=_MADE, goal="new")
        last: Any = self.again(other)
        _tells(last, parent_run_id="parent", forked_at_event_id="evt_7", label="kept", goal="new", created_at=_MADE)

    @case("G1", "what one handle has recorded is fixed for another one too", needs=("metadata", "second handle"))
    def test_g1_a_record_is_fixed_for_every_handle(self) -> None:
        store: Any = self.open()
        other: Any = self.beside(store)
        check(other.get_run() is None, "a run that nobody has recorded has a record")
        store.upsert_run(created_at=_MADE, parent_run_id="parent", forked_at_event_id="evt_7", label="first")
        for changed in ({"created_at": "2026-05-15T10:32:02Z"}, {"created_at": _MADE, "parent_run_id": "other"}):
            with pytest.raises(IncompatibleRuntimeState):
                other.upsert_run(**changed)
        other.upsert_run(created_at=_MADE, goal="to know")
        for each in (store, other):
            _tells(each, created_at=_MADE, parent_run_id="parent", label="first", goal="to know")

    @case("G1", "a creation time is kept in one form, and what is no time is refused", needs=("metadata",))
    def test_g1_creation_times_are_normalised(self) -> None:
        for given, kept in _TIMES.items():
            store: Any = self.open()
            store.upsert_run(created_at=given)
            _tells(store, created_at=kept)
        store = self.open()
        for wrong in ("yesterday", "", "2026-13-01T00:00:00Z"):
            with pytest.raises(InvalidRuntimeConfiguration):
                store.upsert_run(created_at=wrong)
        check(store.get_run() is None, "a refused record was stored")

    @case("G1", "goal and label are display copies, in which NUL and lone surrogates are replaced", needs=("metadata",))
    def test_g1_texts_that_cannot_be_shown_are_replaced(self) -> None:
        store: Any = self.open()
        store.upsert_run(created_at=_MADE, label="a\x00b", goal="\ud800 c")
        _tells(store, label="a\ufffdb", goal="\ufffd c")

    @case("G2", "count, last event and status of a run are those of its log", needs=("metadata",))
    def test_g2_derived_fields_are_those_of_the_log(self) -> None:
        logs = {
            "stopped": (
                ["note.made"],
                ["runtime.idle", "note.made"],
                ["runtime.paused"],
                ["runtime.idle", "runtime.paused"],
                ["runtime.budget_exhausted", "runtime.paused", "note.made"],
                ["runtime.budget_exhausted", "tool.in_doubt"],
            ),
            "idle": (["note.made", "runtime.idle"], ["runtime.budget_exhausted", "runtime.idle"]),
            "exhausted": (["runtime.idle", "runtime.budget_exhausted"], ["runtime.budget_exhausted", "note.made"]),
        }
        for status, written in logs.items():
            for types in written:
                store: Any = self.open()
                for n, type in enumerate(types):
                    store.append(event(f"evt_{n}", type))
                _tells(store, status=status, event_count=len(types), last_event_id=f"evt_{len(types) - 1}")
        store = self.filled(5)
        store.truncate_after("evt_3")
        _tells(store, status="stopped", event_count=3, last_event_id="evt_3")
        empty: Any = self.open()
        empty.upsert_run(created_at=_MADE)
        _tells(empty, status="stopped", event_count=0, last_event_id=None)

    @case("G2", "runs are listed by creation time, then id, with what is derived", needs=("metadata", "catalog"))
    def test_g2_runs_are_listed_by_creation_time_then_id(self) -> None:
        base = self.new_run()
        made = {
            "d": ("3Z", 3),
            "b": ("2Z", 2),
            "c": ("2.500000Z", 1),
            "a": ("2Z", 2),
            "B": ("2Z", 1),
            "z": ("1Z", 1),
            "y": ("4Z", 4),
        }
        for name, (second, number) in made.items():
            store: Any = self.open(self.known_run(f"{base}{name}"))
            store.upsert_run(created_at=f"2001-01-01T00:00:0{second}", label=name)
            for n in range(number):
                store.append(event(f"evt_{n}", "runtime.idle" if n == 1 else "note.made"))
        expected = [
            (
                f"{base}{name}",
                name,
                made[name][1],
                f"evt_{made[name][1] - 1}",
                "idle" if made[name][1] == 2 else "stopped",
            )
            for name in "zBabcdy"
        ]
        for catalog in self.catalogs():
            found = [record for record in catalog.list_runs() if record.run_id.startswith(base)]
            listed = [(each.run_id, each.label, each.event_count, each.last_event_id, each.status) for each in found]
            same(f"the list of runs by {catalog.name}", listed, expected)
            times = [each.created_at.rstrip("Z") for each in catalog.list_runs()]
            same(f"creation times as listed by {catalog.name}", times, sorted(times))

    @case(
        "G2", "a list of runs holds each run's whole record, of runs without events too", needs=("metadata", "catalog")
    )
    def test_g2_a_list_holds_whole_records(self) -> None:
        told = {"parent_run_id": "parent", "forked_at_event_id": "evt_7", "goal": "to know", "frame_id": "frm_1"}
        full, bare, empty = [self.open() for _ in range(3)]
        stores: list[Any] = [full, bare, empty]
        stores[0].upsert_run(created_at="2001-01-01T00:00:00.25Z", label="all", setup_count=0, **told)
        stores[1].append(event("evt_1"))
        stores[2].upsert_run(created_at=_MADE, setup_count=3)
        stores[0].append(event("evt_1", "runtime.idle"))
        for catalog in self.catalogs():
            listed = {record.run_id: record for record in catalog.list_runs()}
            for store in stores:
                same(f"a record as listed by {catalog.name}", listed.get(store.run_id), store.get_run())

    @case("G2", "a list of runs is whole, however many there are", needs=("metadata", "catalog"))
    def test_g2_a_list_of_many_runs_is_whole(self) -> None:
        runs = [self.new_run() for _ in range(of_scale(105, 1_050))]
        for run in runs:
            store: Any = self.open(run)
            store.upsert_run(created_at=_MADE)
            store.close()
        for catalog in self.catalogs():
            known = [record.run_id for record in catalog.list_runs() if record.run_id in set(runs)]
            same(f"runs made at one time as listed by {catalog.name}", known, sorted(runs))

    @case("G3", "the most recent run is the one that was appended to last", needs=("metadata", "catalog"))
    def test_g3_the_most_recent_run_was_appended_to_last(self) -> None:
        names = ("old", "new", "empty", "emptier")
        if self.offers("empty place"):
            url = self.empty_url()
            stores: dict[str, Any] = {name: self.open_at(url, name) for name in names}
            catalogs = self.catalogs_at(url, stores["old"])
        else:
            stores = {name: self.open(self.known_run(name)) for name in names}
            catalogs = self.catalogs_at(self._url(), stores["old"])
            if any(catalog.list_runs() for catalog in catalogs):
                raise Lacking("an empty place")
        _most_recent(catalogs, None)
        for catalog in catalogs:
            same(f"runs of an empty store by {catalog.name}", catalog.list_runs(), [])
        stores["empty"].upsert_run(created_at="2030-01-01T00:00:00Z")
        stores["emptier"].upsert_run(created_at="2029-01-01T00:00:00Z")
        _most_recent(catalogs, "empty")
        stores["new"].append(event("evt_1", timestamp="2026"))
        _most_recent(catalogs, "new")
        stores["old"].append(event("evt_1", timestamp="1999"))
        _most_recent(catalogs, "old")
        stores["new"].append(event("evt_2", timestamp="1998"))
        _most_recent(catalogs, "new")
        stores["old"].upsert_run(created_at=stores["old"].get_run().created_at, label="touched")
        _most_recent(catalogs, "new")
        for n in range(2, 8):
            stores["old"].append(event(f"evt_{n}"))
        _most_recent(catalogs, "old")
        stores["new"].append(event("evt_3"))
        _most_recent(catalogs, "new")

    @case("G4", "a run exists from its first append or record on", needs=("metadata",))
    def test_g4_a_run_exists_once_something_is_known_of_it(self) -> None:
        store: Any = self.open()
        check(store.get_run() is None, "opening a handle makes a record")
        store.append(event("evt_1", "goal.created", {"goal": "to know"}))
        _tells(store, run_id=store.run_id, goal="to know", event_count=1, last_event_id="evt_1", parent_run_id=None)
        recorded: Any = self.open()
        recorded.upsert_run(created_at=_MADE)
        _tells(recorded, run_id=recorded.run_id, event_count=0)

    @case("G4", "the goal of a first batch is found wherever in it it stands", needs=("metadata", "append_many"))
    def test_g4_the_goal_of_a_first_batch_is_found(self) -> None:
        store: Any = self.open()
        store.append_many([event("evt_1"), event("evt_2", "goal.created", {"goal": "to know"}), event("evt_3")])
        _tells(store, goal="to know", event_count=3, last_event_id="evt_3")

    @case("G4", "opening and reading a run that does not exist leaves no run behind", needs=("metadata", "catalog"))
    def test_g4_merely_opening_makes_no_run(self) -> None:
        anchor = self.filled(1)
        ghost: Any = self.open()
        list(ghost.iter_events())
        ghost.count()
        ghost.get_run()
        for catalog in self.catalogs():
            known = [record.run_id for record in catalog.list_runs()]
            check(anchor.run_id in known, f"{catalog.name} does not list a run that was appended to")
            check(ghost.run_id not in known, f"{catalog.name} lists a run that was merely opened")


def _tells(store: Any, **expected: Any) -> None:
    """Fail unless the record has these values."""
    record: RunRecord | None = store.get_run()
    check(record is not None, "get_run() is None for a run that exists")
    for name, value in expected.items():
        same(f"{name} of the record", getattr(record, name), value)


def _most_recent(catalogs: list[Any], expected: str | None) -> None:
    for catalog in catalogs:
        same(f"most_recent_run_id() by {catalog.name}", catalog.most_recent_run_id(), expected)
