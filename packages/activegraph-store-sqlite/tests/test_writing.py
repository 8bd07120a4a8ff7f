"""Appends to a file: fenced by the key, patient with other writers, whole or not at all when the disk is not."""

from __future__ import annotations

import os
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest
from activegraph.core.event import Event
from activegraph.errors import (
    ConcurrentWriterError,
    DuplicateEventError,
    EventNotFoundError,
    StoreUnavailableError,
)
from activegraph.store.sqlite import SQLiteEventStore, connection
from activegraph.store.sqlite import store as store_module
from support.logs import event, events, is_whole, raw, start_python


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.db"


def driver(store: SQLiteEventStore) -> sqlite3.Connection:
    found = store._connection
    assert found is not None
    return found


def test_the_second_of_two_writers_is_refused_and_may_read_and_go_on(path: Path) -> None:
    with SQLiteEventStore(path, "run_a") as first, SQLiteEventStore(path, "run_a") as second:
        first.append_many(events(1, 3))

        for batch in (events(7, 7), events(7, 8), []):
            with pytest.raises(ConcurrentWriterError) as refusal:
                second.append_many(batch)
            assert refusal.value.context == {
                "run_id": "run_a",
                "expected_head": None,
                "actual_head": "evt_003",
                "expected_count": 0,
                "actual_count": 3,
                "driver": "sqlite",
            }
        assert first.append_many(events(4, 4)) == 4

        assert len(list(second.iter_events())) == 4
        assert second.append_many(events(5, 6)) == 6
        with pytest.raises(ConcurrentWriterError):
            first.append(event("evt_005"))
        assert is_whole(raw(first))


def test_an_id_of_the_known_prefix_is_a_duplicate_and_one_behind_it_a_conflict(path: Path) -> None:
    with SQLiteEventStore(path, "run_a") as mine, SQLiteEventStore(path, "run_a") as other:
        mine.append_many(events(1, 2))
        list(other.iter_events())
        other.append_many(events(3, 4))

        for batch in ([event("evt_001")], [event("x"), event("evt_002")]):
            with pytest.raises(DuplicateEventError):
                mine.append_many(batch)
            with pytest.raises(DuplicateEventError):
                mine.append_many(batch, expected_count=9)
        for batch in ([event("evt_003")], [event("x"), event("evt_004")]):
            with pytest.raises(ConcurrentWriterError):
                mine.append_many(batch)


def test_a_log_that_lost_its_end_is_not_gone_on_with(path: Path) -> None:
    with SQLiteEventStore(path, "run_a") as writer:
        writer.append_many(events(1, 50))
        lost = sqlite3.connect(path)
        lost.execute("DELETE FROM events WHERE position > 47")
        lost.commit()
        lost.close()

        for batch in (events(51, 51), events(51, 53), []):
            with pytest.raises(ConcurrentWriterError) as refusal:
                writer.append_many(batch, sync=True)
            assert (refusal.value.expected_count, refusal.value.actual_count) == (50, 47)
            assert (refusal.value.expected_head, refusal.value.actual_head) == ("evt_050", "evt_047")
        assert writer.count() == 47


def test_a_log_with_another_past_of_the_same_length_is_not_gone_on_with(path: Path) -> None:
    with SQLiteEventStore(path, "run_a") as mine, SQLiteEventStore(path, "run_a") as other:
        mine.append_many(events(1, 3))
        list(other.iter_events())
        other.truncate_after("evt_001")
        other.append_many([event("evt_008"), event("evt_009")])

        for batch in (events(4, 4), events(4, 5), []):
            with pytest.raises(ConcurrentWriterError) as refusal:
                mine.append_many(batch)
            assert (refusal.value.expected_head, refusal.value.actual_head) == ("evt_003", "evt_009")
        assert [row.id for row in raw(other)] == ["evt_001", "evt_008", "evt_009"]


@pytest.mark.parametrize("size", [1, 3])
def test_a_log_whose_rows_got_other_numbers_is_gone_on_with(path: Path, size: int) -> None:
    with SQLiteEventStore(path, "run_a") as store:
        store.append_many(events(1, 3))
        driver(store).execute("UPDATE events SET seq = 100 - seq")

        assert store.append_many(events(4, 3 + size)) == 3 + size
        assert store.append_many(events(4 + size, 3 + 2 * size)) == 3 + 2 * size
        assert is_whole(raw(store))


@pytest.mark.parametrize("size", [1, 3])
def test_another_run_at_the_number_of_the_last_row_is_no_predecessor(path: Path, size: int) -> None:
    with SQLiteEventStore(path, "run_a") as store:
        store.append_many(events(1, 3))
        driver(store).execute("UPDATE events SET run_id = 'run_b' WHERE position = 3")

        with pytest.raises(ConcurrentWriterError):
            store.append_many(events(4, 3 + size))
        assert len(raw(store)) == 2


def test_a_right_expectation_is_believed_whatever_the_handle_knew(path: Path) -> None:
    with SQLiteEventStore(path, "run_a") as mine, SQLiteEventStore(path, "run_a") as other:
        other.append_many(events(1, 3))

        with pytest.raises(DuplicateEventError):
            mine.append_many([event("evt_002")], expected_count=3)
        with pytest.raises(ConcurrentWriterError):
            mine.append(event("evt_004"))
        assert mine.append_many([event("evt_004")], expected_count=3) == 4
        assert mine.append_many([event("evt_005")]) == 5
        assert is_whole(raw(mine))


def test_truncation_is_refused_where_the_run_grew_or_changed_meanwhile(path: Path) -> None:
    with SQLiteEventStore(path, "run_a") as mine, SQLiteEventStore(path, "run_a") as other:
        mine.append_many(events(1, 3))
        list(other.iter_events())
        other.append_many(events(4, 4))

        with pytest.raises(ConcurrentWriterError):
            mine.truncate_after("evt_002")
        with pytest.raises(EventNotFoundError):
            mine.truncate_after("evt_009")
        assert other.count() == 4
        list(mine.iter_events(after="evt_003"))
        mine.truncate_after("evt_002")
        assert other.count() == 2


def test_runs_of_one_file_do_not_disturb_each_other(path: Path) -> None:
    handles = [SQLiteEventStore(path, run_id) for run_id in ("run_a", "run_ab", "RUN_A", "run_%", "run_'")]
    for round in range(1, 6):
        for handle in handles:
            handle.append_many([event(f"evt_{round}", actor=handle.run_id), event(f"more_{round}")])
    handles[0].truncate_after("evt_1")

    assert handles[0].count() == 1
    for handle in handles[1:]:
        assert is_whole(raw(handle))
        assert {row.actor for row in raw(handle)} == {handle.run_id, None}
        assert handle.count() == 10
        handle.close()
    handles[0].close()


@pytest.mark.parametrize("size", [1, 999, 1000, 1001, 40_000])
def test_a_batch_of_any_size_is_one_commit(path: Path, size: int) -> None:
    with SQLiteEventStore(path, "run_a") as store:
        assert store.append_many(events(1, size)) == size
        assert is_whole(raw(store))


def test_a_writer_waits_for_another_one_and_then_says_that_it_is_locked(path: Path) -> None:
    with SQLiteEventStore(path, "run_a") as holder, SQLiteEventStore(path, "run_b", busy_timeout=0.01) as waiting:
        with holder.transaction():
            holder.append_many(events(1, 1))
            for batch in (events(1, 1), events(1, 2)):
                with pytest.raises(StoreUnavailableError) as refusal:
                    waiting.append_many(batch)
                assert refusal.value.context["reason"] == "locked"
                assert refusal.value.context["committed"] is False
                assert isinstance(refusal.value.__cause__, sqlite3.OperationalError)
        assert waiting.append_many(events(1, 2)) == 2

    released = threading.Event()
    with SQLiteEventStore(path, "run_a") as holder, SQLiteEventStore(path, "run_b") as patient:
        began = threading.Event()

        def hold() -> None:
            with holder.transaction():
                began.set()
                released.wait(30)

        thread = threading.Thread(target=hold)
        thread.start()
        began.wait(30)
        threading.Timer(0.05, released.set).start()
        assert patient.append(event("evt_003")) is None
        thread.join()


def test_a_full_disk_leaves_the_log_as_it_was_and_the_handle_usable(path: Path) -> None:
    with SQLiteEventStore(path, "run_a") as store:
        store.append_many(events(1, 10))
        pages = driver(store).execute("PRAGMA page_count").fetchone()[0]
        driver(store).execute(f"PRAGMA max_page_count={pages}")
        big = [event(f"big_{n}", payload={"text": "x" * 9000}) for n in range(3)]

        for batch in (big, big[:1]):
            with pytest.raises(StoreUnavailableError) as refusal:
                store.append_many(batch, sync=True)
            assert refusal.value.context["reason"] == "full"
            assert refusal.value.context["committed"] is False
            assert "Nothing was stored" in str(refusal.value)
        with pytest.raises(StoreUnavailableError), store.transaction():
            store.append_many(big)
        assert is_whole(raw(store))
        assert store.count() == 10

        driver(store).execute("PRAGMA max_page_count=1000000")
        assert store.append_many(big) == 13
        assert is_whole(raw(store))


def test_a_transaction_that_the_database_undid_takes_nothing_more(path: Path) -> None:
    with SQLiteEventStore(path, "run_a") as store:
        store.append_many(events(1, 1))
        with pytest.raises(StoreUnavailableError) as refusal, store.transaction():
            store.append_many(events(2, 2))
            driver(store).execute("ROLLBACK")
            with pytest.raises(StoreUnavailableError):
                store.append_many(events(3, 3))
        assert refusal.value.context["reason"] == "io"
        assert [row.id for row in raw(store)] == ["evt_001"]
        assert store.append_many(events(2, 2), expected_count=1) == 2


def test_a_sync_that_fails_says_that_the_commit_is_in_the_database(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with SQLiteEventStore(path, "run_a") as store:
        store.append_many(events(1, 1), sync=True)

        def broken(descriptor: int) -> None:
            raise OSError(5, "Input/output error")

        monkeypatch.setattr(connection, "force", broken)
        with pytest.raises(StoreUnavailableError) as refusal:
            store.append_many(events(2, 2), sync=True)
        assert refusal.value.context["reason"] == "io"
        assert refusal.value.context["committed"] is True
        assert store.count() == 2


class Synced:
    """Counts syncs of the write-ahead log."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        monkeypatch.setattr(store_module, "sync_log", self)

    def __call__(self, location: Any) -> None:
        self.count += 1
        connection.sync_log(location)


def test_what_is_synced_and_when(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = Synced(monkeypatch)
    with SQLiteEventStore(path, "run_a") as store:
        for sync, expected in ((None, 0), (False, 0), (True, 1)):
            synced.count = 0
            store.append_many(events(1 + store.count(), 1 + store.count()), sync=sync)
            assert synced.count == expected
        store.append_many([], sync=True)
        assert synced.count == 2
        with store.transaction():
            store.append_many(events(4, 4), sync=True)
            store.append_many(events(5, 5), sync=True)
            assert synced.count == 2
        assert synced.count == 3
        with store.transaction():
            store.append_many(events(6, 6))
        assert synced.count == 3
        with pytest.raises(DuplicateEventError):
            store.append_many(events(6, 6), sync=True)
        assert synced.count == 3
    with SQLiteEventStore(path, "run_b", synchronous="full") as store:
        store.append_many(events(1, 1), sync=True)
        assert synced.count == 3
        store.append_many([], sync=True)
        assert synced.count == 4


def test_full_means_that_sqlite_syncs_every_commit(path: Path) -> None:
    for setting, level in (("normal", 1), ("full", 2)):
        with SQLiteEventStore(path, "run_a", synchronous=setting) as store:
            assert driver(store).execute("PRAGMA synchronous").fetchone() == (level,)
            assert driver(store).execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_child_made_by_fork_may_not_use_its_parents_handle(path: Path) -> None:
    store = SQLiteEventStore(path, "run_a")
    store.append_many(events(1, 2))
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        outcomes = []
        for call in (store.count, lambda: store.append(event("x")), lambda: list(store.iter_events()), store.get_run):
            try:
                call()
            except StoreUnavailableError as error:
                outcomes.append(f"{error.context['reason']}:{error.context.get('committed')}")
        store.close()
        with SQLiteEventStore(path, "run_b") as own:
            own.append(event("evt_001"))
        os.write(write, " ".join(outcomes).encode())
        os._exit(0)
    os.close(write)
    assert os.waitpid(child, 0)[1] == 0
    with os.fdopen(read) as pipe:
        assert pipe.read() == "forked:None forked:False forked:None forked:None"
    assert store.append_many(events(3, 3)) == 3
    store.close()


def test_a_child_that_ends_in_the_ordinary_way_harms_nobody(path: Path) -> None:
    code = """
import os, sys
from activegraph import Event
from activegraph.store.sqlite import SQLiteEventStore
store = SQLiteEventStore(sys.argv[1], "run_a")
store.append(Event("evt_001", "note.taken"))
if os.fork() == 0:
    sys.exit(0)
os.wait()
store.append(Event("evt_002", "note.taken"))
store.close()
store = SQLiteEventStore(sys.argv[1], "run_a")
store.append(Event("evt_003", "note.taken"))
print(store.count())
"""
    child = start_python(code, path)
    assert child.communicate(timeout=60)[0] == "3\n"
    assert child.returncode == 0
    with SQLiteEventStore(path, "run_a", read_only=True) as store:
        assert is_whole(raw(store))


def test_threads_share_a_handle(path: Path) -> None:
    store = SQLiteEventStore(path, "run_a")
    failures: list[BaseException] = []

    def work(name: str) -> None:
        try:
            for n in range(40):
                store.append_many([event(f"{name}_{n}_a"), event(f"{name}_{n}_b")])
                store.tail(3)
                with store.transaction():
                    store.append(event(f"{name}_{n}_c"))
                    store.append(event(f"{name}_{n}_d"))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(f"t{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    rows = raw(store)
    assert len(rows) == 8 * 40 * 4
    assert is_whole(rows)
    for first, second in zip(rows[::2], rows[1::2], strict=True):
        assert first.id[:-1] == second.id[:-1]
    store.close()


def test_closing_inside_a_transaction_undoes_it(path: Path) -> None:
    store = SQLiteEventStore(path, "run_a")
    with pytest.raises(StoreUnavailableError) as refusal, store.transaction():
        store.append(event("evt_001"))
        store.close()
    assert refusal.value.context["reason"] == "closed"
    assert SQLiteEventStore(path, "run_a", read_only=True).count() == 0


def test_a_handle_that_was_not_closed_holds_no_lock(path: Path) -> None:
    abandoned = SQLiteEventStore(path, "run_a")
    abandoned.append_many(events(1, 2))
    with SQLiteEventStore(path, "run_a", busy_timeout=0.0) as store:
        assert store.append_many(events(3, 3)) == 3
    assert abandoned.count() == 3
    abandoned.close()


def test_a_dropped_iterator_leaves_no_lock_and_no_copy(path: Path) -> None:
    with SQLiteEventStore(path, "run_a", busy_timeout=0.0) as store:
        store.append_many(events(1, 5000))
        reading, second = store.iter_events(), store.iter_events()
        assert [next(reading).id, next(second).id, next(reading).id] == ["evt_001", "evt_001", "evt_002"]
        del reading
        second.close()  # type: ignore[attr-defined]  # a generator
        driver(store).execute("BEGIN EXCLUSIVE")
        driver(store).execute("ROLLBACK")
        assert store.append_many([event("more")]) == 5001


@pytest.mark.parametrize("events_at_once", [1, 2])
def test_an_append_takes_the_write_lock_at_its_start(path: Path, events_at_once: int) -> None:
    """Without it a writer that waited would hold a stale snapshot, and be refused without waiting."""
    with SQLiteEventStore(path, "run_a") as first, SQLiteEventStore(path, "run_b") as second:
        first.append(event("x"))
        second.append(event("x"))
        stop = threading.Event()

        def disturb() -> None:
            n = 0
            while not stop.is_set():
                n += 1
                second.append(event(f"disturb_{n}"))

        thread = threading.Thread(target=disturb)
        thread.start()
        try:
            for n in range(150):
                first.append_many([event(f"evt_{n}_{k}") for k in range(events_at_once)])
        finally:
            stop.set()
            thread.join()
        assert first.count() == 1 + 150 * events_at_once


def test_a_large_payload_comes_back_and_leaves_its_neighbours_alone(path: Path) -> None:
    with SQLiteEventStore(path, "run_a") as store:
        large = {"text": "\u00e9" * (8 * 1024 * 1024), "keys": {f"k{n}": n for n in range(20_000)}}
        store.append_many([event("evt_001"), Event("evt_002", "note.taken", large), event("evt_003")])
        found = store.get_event("evt_002")
        assert found is not None
        assert found.payload == large
        assert [e.id for e in store.iter_events()] == ["evt_001", "evt_002", "evt_003"]
