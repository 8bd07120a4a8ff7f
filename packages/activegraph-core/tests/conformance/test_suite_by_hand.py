"""The store suite in hand-written classes: what is asked of the hooks, and what happens without them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from activegraph.conformance import BrokenPromise, EventStoreConformance
from activegraph.conformance.cases import SETTINGS, cases_of
from activegraph.core.event import Event
from activegraph.store import EventStore, InMemoryEventStore
from activegraph.store.conformance import EventStoreConformance as SameSuite

CASES = list(cases_of(EventStoreConformance))
CLEANED: list[str] = []


class TestMemoryStore(EventStoreConformance):
    """The memory store, by the one hook that is required."""

    __test__ = True

    @pytest.fixture(autouse=True)
    def _stores(self) -> None:
        self.stores: dict[str, InMemoryEventStore] = {}

    def make_store(self, run_id: str) -> EventStore:
        return self.stores.setdefault(run_id, InMemoryEventStore(run_id))


class Forgetful(EventStoreConformance):
    """A class whose `make_store` gives a new, empty store each time, so that there is no second handle."""

    def __init__(self, kind: type[InMemoryEventStore] = InMemoryEventStore) -> None:
        self.kind = kind

    def make_store(self, run_id: str) -> EventStore:
        return self.kind(run_id)

    def cleanup(self) -> None:
        CLEANED.append("cleaned")


@pytest.fixture
def _required() -> Iterator[None]:
    SETTINGS.require_all = True
    yield
    SETTINGS.require_all = False


def run(suite: EventStoreConformance, name: str) -> str:
    """How a case ends: passed, the reason of its skip, or the promise that it says is broken."""
    try:
        getattr(suite, name)()
    except pytest.skip.Exception as skip:
        return f"skipped: {skip}"
    except BrokenPromise as broken:
        return f"broken: {broken}"
    return "passed"


def test_the_suite_is_the_same_by_both_of_its_paths() -> None:
    assert SameSuite is EventStoreConformance


def test_every_case_has_an_id_of_the_contract_and_a_promise_in_one_sentence() -> None:
    numbers = {"A": 11, "B": 8, "C": 9, "D": 3, "E": 7, "F": 4, "G": 4, "H": 6, "I": 8, "J": 4, "K": 4, "L": 5, "M": 2}
    for name, case in CASES:
        assert name.startswith(f"test_{case.id.lower()}_")
        assert 1 <= int(case.id[1:]) <= numbers[case.group]
        assert case.promise
        assert not case.promise.endswith(".")
        assert "\n" not in case.promise


def test_every_group_has_cases() -> None:
    assert {case.group for _, case in CASES} == set("ABCDEFGHIJKLM")


def test_a_base_class_collects_nothing() -> None:
    assert EventStoreConformance.__test__ is False


def test_a_store_without_the_hooks_is_skipped_by_the_names_of_what_is_lacking() -> None:
    endings = {name: run(Forgetful(), name) for name, case in CASES if "append_many" not in case.needs and case.needs}

    assert endings["test_e1_a_stale_handle_is_refused_until_it_reads"] == (
        "skipped: E1 needs a second handle on the same data (hook: reopen)"
    )
    assert endings["test_j2_a_read_only_handle_refuses_every_write"] == (
        "skipped: J2 needs a read-only handle (hook: open_read_only)"
    )
    assert endings["test_m1_a_missing_position_is_told"] == "skipped: M1 needs a damaged row (hook: damage)"
    assert {ending.split(":")[0] for ending in endings.values()} == {"passed", "skipped"}


@pytest.mark.usefixtures("_required")
def test_what_is_lacking_fails_when_everything_is_required() -> None:
    ending = run(Forgetful(), "test_e1_a_stale_handle_is_refused_until_it_reads")

    assert ending.startswith("broken: E1 is broken: a handle that was overtaken")
    assert "a second handle on the same data" in ending


def test_a_capability_that_the_store_lacks_is_skipped_by_its_name() -> None:
    class Plain:
        """Only what is required of every store."""

        def __init__(self, run_id: str) -> None:
            self.run_id = run_id
            store = InMemoryEventStore(run_id)
            for name in ("append", "iter_events", "get_event", "count", "truncate_after", "close"):
                setattr(self, name, getattr(store, name))

    suite: Any = Forgetful(Plain)  # type: ignore[arg-type]  # a store by its methods alone

    assert run(suite, "test_c3_a_batch_is_stored_in_order") == "skipped: C3 needs append_many [AtomicAppend]"
    assert run(suite, "test_a8_a_tail_is_the_last_events_oldest_first") == "skipped: A8 needs tail [RangeRead]"
    assert run(suite, "test_a1_events_come_back_in_the_order_of_their_appends") == "passed"


def test_cleanup_is_called_after_each_case_however_it_ends() -> None:
    CLEANED.clear()
    run(Forgetful(), "test_a2_count_is_the_number_of_events")
    run(Forgetful(), "test_e1_a_stale_handle_is_refused_until_it_reads")

    assert CLEANED == ["cleaned", "cleaned"]


class TestBroken:
    """Stores that keep everything in memory and break one promise, under the one required hook."""

    def test_a_store_that_hands_out_its_own_objects_is_refused(self) -> None:
        class Lending(InMemoryEventStore):
            def append(self, event: Event) -> None:
                super().append(event)
                self.__dict__.setdefault("given", {})[event.id] = event

            def get_event(self, event_id: str) -> Event | None:
                super().get_event(event_id)
                found: Event | None = self.__dict__.get("given", {}).get(event_id)
                return found

        broken = [run(Forgetful(Lending), name) for name, case in CASES if case.id == "B5"]

        assert any(ending.startswith("broken: B5 is broken: changing") for ending in broken)

    def test_a_store_that_stores_half_a_batch_is_refused(self) -> None:
        class Halving(InMemoryEventStore):
            def append_many(self, events: Any, **options: Any) -> int:
                for event in events:
                    super().append_many((event,))
                return self.count()

        broken = [run(Forgetful(Halving), name) for name, case in CASES if case.id == "C3"]

        assert any(ending.startswith("broken: C3 is broken: a batch with") for ending in broken)

    def test_a_store_that_forgets_is_told_from_one_that_has_no_second_handle(self) -> None:
        class Dropping(InMemoryEventStore):
            def append(self, event: Event) -> None:
                if event.id != "b":
                    super().append(event)

        ending = run(Forgetful(Dropping), "test_a1_events_come_back_in_the_order_of_their_appends")

        assert "A1 is broken: events are read in the order in which they were appended, each once" in ending


class TestSweepsOfKills:
    """A sweep tells at which step each process was killed; the first two are killed at none."""

    class Told(Forgetful):
        def __init__(self, *, steps: int, killed: int) -> None:
            super().__init__()
            self.steps, self.killed = steps, killed

        def work(self, command: str, **named: Any) -> list[dict[str, Any]]:
            told: list[dict[str, Any]] = [{"run": run, "step": None, "of": self.steps} for run in named["runs"][:2]]
            return told + [{"run": run, "step": 1, "of": self.steps} for run in named["runs"][2 : 2 + self.killed]]

    def test_an_action_of_no_step_has_no_place_to_die_at(self) -> None:
        assert len(self.Told(steps=0, killed=0).swept("close", ["a", "b", "c"])) == 2

    def test_an_action_of_one_step_is_killed_there(self) -> None:
        assert len(self.Told(steps=1, killed=1).swept("close", ["a", "b", "c"])) == 3

    def test_a_sweep_that_kills_nobody_is_no_test(self) -> None:
        with pytest.raises(AssertionError, match="no process was killed"):
            self.Told(steps=5, killed=0).swept("close", ["a", "b", "c"])


class ChecksTheHeadFirst(InMemoryEventStore):
    def append_many(
        self, events: Sequence[Event], *, expected_count: int | None = None, sync: bool | None = None
    ) -> int:
        if expected_count is None or expected_count != self.count():
            return super().append_many(events, expected_count=expected_count, sync=sync)
        time.sleep(0.0001)
        return super().append_many(events)


def test_a_race_needs_no_second_handle() -> None:
    kept: dict[str, EventStore] = {}

    class Shared(Forgetful):
        def make_store(self, run_id: str) -> EventStore:
            return kept.setdefault(run_id, ChecksTheHeadFirst(run_id))

    said = run(Shared(), "test_e3_one_of_eight_threads_on_a_handle_wins_each_position")

    assert said.startswith("broken: E3 is broken: of threads that race for one position on one handle")
