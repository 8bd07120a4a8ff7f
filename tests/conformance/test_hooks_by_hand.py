"""The suite in hand-written classes over a store on disk, with few hooks and with all of them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from activegraph.conformance import BrokenPromise, EventStoreConformance
from activegraph.conformance.cases import cases_of
from activegraph.core.event import Event
from activegraph.store import EventStore, RunRecord, SQLiteEventStore, sqlite_url

CASES = dict(cases_of(EventStoreConformance))


class ByHand(EventStoreConformance):
    """All hooks but `crash_command`, which follows from the URL."""

    kind: type[SQLiteEventStore] = SQLiteEventStore

    def at(self, path: Path) -> ByHand:
        self.path = path
        self.url = sqlite_url(path)
        return self

    def make_store(self, run_id: str) -> EventStore:
        return self.kind(self.path, run_id)

    def reopen(self, store: EventStore) -> EventStore:
        store.close()
        return self.kind(self.path, store.run_id)

    def open_read_only(self, run_id: str) -> EventStore:
        return self.kind(self.path, run_id, read_only=True)

    def damage(self, run_id: str, position: int, *, delete: bool = False, **columns: Any) -> None:
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            if delete:
                connection.execute("DELETE FROM events WHERE run_id = ? AND position = ?", (run_id, position))
            for name, value in columns.items():
                statement = f"UPDATE events SET {name} = ? WHERE run_id = ? AND position = ?"
                connection.execute(statement, (value, run_id, position))

    def set_meta(self, key: str, value: str | None) -> None:
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            connection.execute("UPDATE meta SET value = ? WHERE key = ?", (value, key))


class TestWithEveryHook(ByHand):
    __test__ = True

    @pytest.fixture(autouse=True)
    def _file(self, tmp_path: Path) -> None:
        self.at(tmp_path / "c.db")


class OneHook(EventStoreConformance):
    """Only what is required; the store of an id is made once, as the hook may do."""

    def __init__(self, path: Path, kind: type[SQLiteEventStore] = SQLiteEventStore) -> None:
        self.path, self.kind = path, kind
        self.stores: dict[str, EventStore] = {}

    def make_store(self, run_id: str) -> EventStore:
        return self.stores.setdefault(run_id, self.kind(self.path, run_id))


def ending(suite: EventStoreConformance, name: str) -> str:
    """How a case ends."""
    try:
        getattr(suite, name)()
    except pytest.skip.Exception:
        return "skipped"
    except BrokenPromise as broken:
        return str(broken)
    return "passed"


def refusals(kind: type[SQLiteEventStore], id: str, path: Path) -> list[str]:
    """What the cases of one id say about a store, each in a file of its own."""
    suite = type("Suite", (ByHand,), {"kind": kind})
    names = [name for name, case in CASES.items() if case.id == id]
    endings = [ending(suite().at(path / f"{n}.db"), name) for n, name in enumerate(names)]
    return [each for each in endings if each not in ("passed", "skipped")]


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if not case.kind and case.group not in "BH"])
def test_one_hook_is_enough_for_a_sound_store(name: str, tmp_path: Path) -> None:
    assert ending(OneHook(tmp_path / "c.db"), name) in ("passed", "skipped")


def test_a_store_that_does_not_fence_is_refused(tmp_path: Path) -> None:
    class Trusting(SQLiteEventStore):
        def append_many(self, events: Any, *, expected_count: int | None = None, sync: bool | None = None) -> int:
            list(super().iter_events())
            return super().append_many(events, sync=sync)

    assert refusals(Trusting, "C5", tmp_path / "c")
    assert refusals(Trusting, "E1", tmp_path / "e")


def test_a_store_that_commits_piece_by_piece_is_seen_at_it(tmp_path: Path) -> None:
    class Piecemeal(SQLiteEventStore):
        def append_many(self, events: Any, **options: Any) -> int:
            head = super().append_many(events[:1], **options)
            for event in events[1:]:
                head = super().append_many([event])
            return head

    assert any("at no instant" in refusal for refusal in refusals(Piecemeal, "C3", tmp_path))


def test_a_fork_in_two_transactions_is_seen_at_it(tmp_path: Path) -> None:
    class TwoSteps(SQLiteEventStore):
        @classmethod
        def fork_run(cls, target: Any, **named: Any) -> int:
            with closing(cls(target, named["new_run_id"])) as store:
                if named["new_run_id"] not in [run.run_id for run in cls.list_runs(target)]:
                    store.upsert_run(created_at=named["created_at"])
            with closing(sqlite3.connect(target, isolation_level=None)) as connection:
                connection.execute("DELETE FROM runs WHERE run_id = ?", (named["new_run_id"],))
            return super().fork_run(target, **named)

    # A look that has to wait for the fork is given up, so one fork is a chance to see its half.
    attempts = (refusals(TwoSteps, "H4", tmp_path / str(number)) for number in range(8))
    assert any("at no instant" in refusal for attempt in attempts for refusal in attempt)


def test_a_store_that_accepts_any_version_is_refused(tmp_path: Path) -> None:
    class Tolerant(SQLiteEventStore):
        def __init__(self, path: Any, run_id: str, **options: Any) -> None:
            if Path(path).exists():
                with closing(sqlite3.connect(path, isolation_level=None)) as connection:
                    connection.execute("UPDATE meta SET value = '2' WHERE key = 'schema_version'")
            super().__init__(path, run_id, **options)

    assert refusals(Tolerant, "K1", tmp_path)


def test_a_catalog_that_is_wrong_in_the_class_alone_is_refused(tmp_path: Path) -> None:
    class Backwards(SQLiteEventStore):
        @classmethod
        def list_runs(cls, target: Any) -> list[RunRecord]:
            return super().list_runs(target)[::-1]

    assert any("by the class Backwards" in refusal for refusal in refusals(Backwards, "G2", tmp_path))


def test_a_store_that_makes_the_file_that_it_reads_is_refused(tmp_path: Path) -> None:
    class Making(SQLiteEventStore):
        def __init__(self, path: Any, run_id: str, **options: Any) -> None:
            SQLiteEventStore(path, run_id).close()
            super().__init__(path, run_id, **options)

    assert refusals(Making, "J1", tmp_path)


def test_a_store_that_forgets_to_sync_is_refused(tmp_path: Path) -> None:
    class Lazy(SQLiteEventStore):
        def append_many(self, events: Any, *, sync: bool | None = None, **options: Any) -> int:
            return super().append_many(events, **options)

    told = refusals(Lazy, "F4", tmp_path)

    assert not told or "without any call for stable storage" in told[0]


def test_a_store_that_hands_out_what_it_was_given_is_refused(tmp_path: Path) -> None:
    class Lending(SQLiteEventStore):
        def append_many(self, events: Any, **options: Any) -> int:
            self.__dict__.setdefault("given", {}).update({event.id: event for event in events})
            return super().append_many(events, **options)

        def get_event(self, event_id: str) -> Event | None:
            found = super().get_event(event_id)
            return self.__dict__.get("given", {}).get(event_id, found)

    assert refusals(Lending, "B5", tmp_path)
