"""Group D: a run is a world of its own; no other run shows through, whatever the ids look like."""

from __future__ import annotations

from typing import Any

from activegraph.conformance.cases import case, check, same
from activegraph.conformance.samples import event, events, ids, same_events
from activegraph.conformance.suite import StoreSuite
from activegraph.store.base import EventStore

__all__ = ["IsolationCases"]


class IsolationCases(StoreSuite):
    """Cases D1 to D3."""

    @case("D1", "two runs with equal ids and different contents never mix")
    def test_d1_runs_with_equal_ids_never_mix(self) -> None:
        first, second = self.open(), self.open()
        for n in range(6):
            for store, name in ((first, "first"), (second, "second")):
                store.append(event(f"evt_{n}", f"note.{name}", {"run": name, "n": n}))

        for store, name in ((first, "first"), (second, "second")):
            _belongs(store, name, 6)
        first.truncate_after("evt_1")
        _belongs(first, "first", 2)
        _belongs(second, "second", 6)
        first.append(event("evt_2", "note.first", {"run": "first", "n": 2}))
        _belongs(first, "first", 3)
        _belongs(second, "second", 6)

    @case("D1", "a fork shares its past with its parent and nothing else", needs=("fork",))
    def test_d1_a_fork_never_mixes_with_its_parent(self) -> None:
        parent = self.open()
        for n in range(4):
            parent.append(event(f"evt_{n}", "note.parent", {"run": "parent", "n": n}))
        fork_id = self.new_run("fork")
        self.backend().fork_run(  # type: ignore[attr-defined]  # by the need
            self.parsed_url(),
            parent_run_id=parent.run_id,
            new_run_id=fork_id,
            at_event_id="evt_3",
            label=None,
            created_at="2026-05-15T10:32:01Z",
        )
        fork = self.open(fork_id)
        fork.append(event("evt_4", "note.fork", {"run": "fork"}))
        parent.append(event("evt_4", "note.parent", {"run": "parent", "n": 4}))
        fork.truncate_after("evt_2")

        _belongs(parent, "parent", 5)
        same("the fork", ids(list(fork.iter_events())), ["evt_0", "evt_1", "evt_2"])
        check(fork.get_event("evt_4") is None, "the fork gives an event of its parent")

    @case("D2", "run ids that look alike, or mean something to a database or a file system, are different runs")
    def test_d2_run_ids_that_look_alike_are_different_runs(self) -> None:
        base = self.new_run("Run")
        endings = [
            "",
            "1",
            "_",
            "%",
            "'",
            '"',
            ";--",
            " ",
            "/x",
            "/../x",
            "\\",
            ".",
            ":",
            "?",
            "#",
            "*",
            "\u00e9",
            "e\u0301",
            "x" * 300,
        ]
        names = [
            *(base + ending for ending in endings),
            base.lower(),
            base.upper(),
            base[:-1],
            f"%{base}",
            f"_{base}",
            f"../{base}",
        ]
        stores = [self.open(self.known_run(name)) for name in names]
        for n, store in enumerate(stores):
            store.append(event("evt_1", payload={"run": n}))
            store.append(event(f"evt_of_{n}", payload={"run": n}))

        for n, store in enumerate(stores):
            found = list(store.iter_events())
            same(f"events of run {names[n]!r}", ids(found), ["evt_1", f"evt_of_{n}"])
            same(f"payloads of run {names[n]!r}", [each.payload["run"] for each in found], [n, n])
            same("count()", store.count(), 2)
            check(
                store.get_event(f"evt_of_{(n + 1) % len(names)}") is None, f"run {names[n]!r} gives an event of another"
            )
        stores[0].truncate_after("evt_1")
        for n, store in enumerate(stores[1:], start=1):
            same(f"count() of run {names[n]!r} after run {names[0]!r} was truncated", store.count(), 2)

    @case("D2", "run ids that look alike keep records of their own", needs=("metadata",))
    def test_d2_records_of_runs_that_look_alike_stay_apart(self) -> None:
        base = self.new_run("Run")
        names = [base, f"{base}1", f"{base}%", f"{base}_", base.lower(), base.upper(), base[:-1]]
        stores: list[Any] = [self.open(self.known_run(name)) for name in names]
        for n, store in enumerate(stores):
            store.upsert_run(created_at=f"2026-05-15T10:32:0{n}Z", label=f"label {n}")
        for n, store in enumerate(stores):
            record = store.get_run()
            same(
                "the record",
                (record.run_id, record.label, record.created_at),
                (names[n], f"label {n}", f"2026-05-15T10:32:0{n}Z"),
            )

    @case("D3", "truncating one run leaves the bytes and digests of the others", needs=("iter_raw",))
    def test_d3_truncating_a_run_leaves_the_others_alone(self) -> None:
        stores: list[Any] = [self.filled(5) for _ in range(3)]
        before = [list(store.iter_raw()) for store in stores]
        stores[1].truncate_after("evt_2")

        same("rows of the first run", list(stores[0].iter_raw()), before[0])
        same("rows of the third run", list(stores[2].iter_raw()), before[2])
        same("rows of the truncated run", list(stores[1].iter_raw()), before[1][:2])
        same_events(list(stores[1].iter_events()), events(2))


def _belongs(store: EventStore, name: str, number: int) -> None:
    """Fail unless every way of reading gives this run's own events."""
    reads: Any = store
    found = list(store.iter_events())
    same(f"events of the {name} run", [each.payload for each in found], [{"run": name, "n": n} for n in range(number)])
    same(f"count() of the {name} run", store.count(), number)
    single = [store.get_event(f"evt_{n}") for n in range(number)]
    check(
        all(each is not None and each.payload["run"] == name for each in single),
        "get_event() gives another run's event",
    )
    if hasattr(reads, "tail"):
        same("tail()", [each.payload["run"] for each in reads.tail(100)], [name] * number)
    if hasattr(reads, "iter_range"):
        same("iter_range()", [each.payload["run"] for each in reads.iter_range()], [name] * number)
    if hasattr(reads, "iter_types"):
        same("iter_types()", len(list(reads.iter_types("note.first", "note.second", "note.parent"))), number)
    if hasattr(reads, "iter_raw"):
        same("positions", [row.position for row in reads.iter_raw()], list(range(1, number + 1)))
