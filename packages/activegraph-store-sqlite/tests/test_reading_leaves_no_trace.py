"""Reading changes no byte: beside a live writer, after a crash, from a copy, without rights."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from activegraph.errors import (
    CorruptedEventPayloadError,
    LogInconsistencyError,
    StoreNotFoundError,
    StoreReadOnlyError,
    StoreUnavailableError,
)
from activegraph.store.sqlite import SQLiteEventStore
from support.logs import event, events, is_whole, raw, start_python

WRITER = """
import sys
from activegraph import Event
from activegraph.store.sqlite import SQLiteEventStore
store = SQLiteEventStore(sys.argv[1], "run_a")
for first in range(1, 41, 10):
    store.append_many([Event(f"evt_{n:03d}", "note.taken", {"text": "x" * 500}) for n in range(first, first + 10)])
print("ready", flush=True)
for line in sys.stdin:
    n = store.append_many([Event(line.strip(), "note.taken")])
    print(n, flush=True)
"""


def files(folder: Path) -> dict[str, tuple[int, str]]:
    """Every file with its mode and what it holds."""
    return {
        path.name: (path.stat().st_mode, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in sorted(folder.iterdir())
    }


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Any]:
    """A living process that has appended 40 events and has not closed its store."""
    child = start_python(WRITER, tmp_path / "a.db")
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    yield child
    child.kill()
    child.communicate()


def read_everything(path: Path) -> int:
    """Every read there is; returns the number of events."""
    with SQLiteEventStore(path, "run_a", read_only=True) as store:
        rows = raw(store)
        assert is_whole(rows)
        assert [e.id for e in store.iter_events()] == [row.id for row in rows]
        assert store.count() == store.head() == len(rows)
        assert [e.id for e in store.tail(3)] == [row.id for row in rows[-3:]]
        assert len(list(store.iter_range(2, 5))) == 4
        assert len(list(store.iter_types("note.taken"))) == len(rows)
        assert store.get_event("evt_001") is not None
        assert store.get_run() is not None
    (record,) = SQLiteEventStore.list_runs(path)
    assert record.event_count == len(rows)
    assert SQLiteEventStore.most_recent_run_id(path) == "run_a"
    return len(rows)


def test_beside_a_living_writer(tmp_path: Path, writer: Any) -> None:
    before = files(tmp_path)
    assert set(before) == {"a.db", "a.db-wal", "a.db-shm"}

    assert read_everything(tmp_path / "a.db") == 40

    after = files(tmp_path)
    # The index in shared memory holds the readers' marks; nothing else may move.
    assert (after["a.db"], after["a.db-wal"]) == (before["a.db"], before["a.db-wal"])
    assert set(after) == set(before)
    writer.stdin.write("evt_041\n")
    writer.stdin.flush()
    assert writer.stdout.readline() == "41\n"
    assert read_everything(tmp_path / "a.db") == 41


def test_after_a_crash(tmp_path: Path, writer: Any) -> None:
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    before = files(tmp_path)
    assert set(before) == {"a.db", "a.db-wal", "a.db-shm"}

    assert read_everything(tmp_path / "a.db") == 40
    assert files(tmp_path) == before


@pytest.mark.parametrize("rest", [b"", b"header", bytes(5000)])
@pytest.mark.parametrize("with_index", [True, False])
def test_after_a_crash_before_the_first_frame_of_the_log(
    tmp_path: Path, writer: Any, rest: bytes, with_index: bool
) -> None:
    writer.kill()
    writer.wait()
    log, path = tmp_path / "a.db-wal", tmp_path / "a.db"
    with open(log, "rb") as file:
        header = file.read(32) if rest == b"header" else rest
    with SQLiteEventStore(path, "run_a"):
        pass
    log.write_bytes(header)
    if with_index:
        (tmp_path / "a.db-shm").write_bytes(bytes(32768))
    before = files(tmp_path)

    assert read_everything(path) == 40
    assert files(tmp_path) == before


def test_after_a_clean_end(tmp_path: Path) -> None:
    with SQLiteEventStore(tmp_path / "a.db", "run_a") as store:
        store.append_many(events(1, 40))
    before = files(tmp_path)
    assert set(before) == {"a.db"}

    assert read_everything(tmp_path / "a.db") == 40
    assert files(tmp_path) == before


@pytest.mark.parametrize("alive", [True, False])
def test_a_copy_with_its_write_ahead_log_alone(tmp_path: Path, writer: Any, alive: bool) -> None:
    if not alive:
        writer.kill()
        writer.wait()
    copied = tmp_path / "copied"
    copied.mkdir()
    for name in ("a.db", "a.db-wal"):
        shutil.copy(tmp_path / name, copied / name)
    before = files(copied)
    private = set(Path(tempfile.gettempdir()).glob("activegraph-read-*"))

    assert read_everything(copied / "a.db") == 40

    assert files(copied) == before
    assert set(Path(tempfile.gettempdir()).glob("activegraph-read-*")) == private


def test_the_private_copy_is_made_once_and_again_when_the_files_have_changed(tmp_path: Path, writer: Any) -> None:
    copied = tmp_path / "copied"
    copied.mkdir()
    for name in ("a.db", "a.db-wal"):
        shutil.copy(tmp_path / name, copied / name)
    with SQLiteEventStore(copied / "a.db", "run_a", read_only=True) as reader:
        assert reader.count() == 40
        first = reader._database._copy  # type: ignore[union-attr]  # the promise is about work that is not done
        assert reader.count() == 40
        assert reader._database._copy is first  # type: ignore[union-attr]

        writer.stdin.write("evt_041\n")
        writer.stdin.flush()
        writer.stdout.readline()
        shutil.copy(tmp_path / "a.db-wal", copied / "a.db-wal")
        assert reader.count() == 41


def test_a_reader_follows_a_writer_that_comes_and_goes(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with SQLiteEventStore(path, "run_a") as store:
        store.append_many(events(1, 3))
    with SQLiteEventStore(path, "run_a", read_only=True) as reader:
        assert reader.count() == 3
        with SQLiteEventStore(path, "run_a") as store:
            store.append_many(events(4, 6))
            assert reader.count() == 6
            assert reader.get_event("evt_006") is not None
        assert reader.count() == 6
        assert is_whole(raw(reader))


def test_a_writer_opened_while_another_thread_reads_can_write(tmp_path: Path, writer: Any) -> None:
    writer.kill()
    writer.wait()
    path = tmp_path / "a.db"
    stop = threading.Event()
    failures: list[BaseException] = []

    def read() -> None:
        while not stop.is_set():
            try:
                SQLiteEventStore.list_runs(path)
            except BaseException as error:
                failures.append(error)
                return

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for n in range(1, 31):
            with SQLiteEventStore(path, "run_b") as store:
                store.append(event(f"evt_{n:03d}"))
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failures == []
    assert SQLiteEventStore(path, "run_b", read_only=True).count() == 30


CALLS: dict[str, Any] = {
    "append": lambda s: s.append(event("x")),
    "append_many": lambda s: s.append_many([]),
    "truncate_after": lambda s: s.truncate_after("evt_001"),
    "upsert_run": lambda s: s.upsert_run(created_at="2026-05-15T10:32:01Z"),
    "transaction": lambda s: s.transaction().__enter__(),
}


@pytest.mark.parametrize("call", CALLS)
def test_every_write_through_a_read_only_handle_is_refused(tmp_path: Path, call: str) -> None:
    path = tmp_path / "a.db"
    with SQLiteEventStore(path, "run_a") as store:
        store.append_many(events(1, 3))
    before = files(tmp_path)
    with SQLiteEventStore(path, "run_a", read_only=True) as reader:
        with pytest.raises(StoreReadOnlyError) as refusal:
            CALLS[call](reader)
        assert refusal.value.context["run_id"] == "run_a"
        assert refusal.value.context["operation"] in (call, "append")
        assert isinstance(refusal.value, PermissionError)
    assert files(tmp_path) == before


def test_a_missing_file_is_not_found_and_not_made(tmp_path: Path) -> None:
    for attempt in (
        lambda: SQLiteEventStore(tmp_path / "a.db", "run_a", read_only=True),
        lambda: SQLiteEventStore.list_runs(tmp_path / "a.db"),
        lambda: SQLiteEventStore.most_recent_run_id(tmp_path / "a.db"),
    ):
        with pytest.raises(StoreNotFoundError):
            attempt()
    assert os.listdir(tmp_path) == []


def test_an_unknown_run_is_empty_to_a_reader_and_stays_unknown(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    SQLiteEventStore(path, "run_a").close()
    with SQLiteEventStore(path, "run_z", read_only=True) as reader:
        assert (reader.count(), reader.get_run(), list(reader.iter_events())) == (0, None, [])
    assert SQLiteEventStore.list_runs(path) == []


# Everything is imported before the rights are given up: the interpreter may be out of the reach of others.
GIVE_UP_RIGHTS = """
import os, sys, tempfile
from activegraph import Event
from activegraph.errors import StoreUnavailableError
from activegraph.store.sqlite import SQLiteEventStore

with tempfile.TemporaryDirectory() as folder:
    with SQLiteEventStore(folder + "/warm.db", "run_a") as store:
        store.append(Event("x", "note.taken"))
        SQLiteEventStore.list_runs(store.path)
    try:
        SQLiteEventStore(folder, "run_a")
    except StoreUnavailableError as error:
        str(error)
os.setgroups([]); os.setgid(65534); os.setuid(65534)

def attempt(action):
    try:
        print(action())
    except StoreUnavailableError as error:
        print(error.context["reason"])
"""

AS_NOBODY = """
path = sys.argv[1]
attempt(SQLiteEventStore(path, "run_a", read_only=True).count)
attempt(lambda: len(SQLiteEventStore.list_runs(path)))
attempt(lambda: SQLiteEventStore(path, "run_a").append(Event("x", "note.taken")))
"""

UNREADABLE = """
for read_only in (False, True):
    attempt(lambda: SQLiteEventStore(sys.argv[1], "run_a", read_only=read_only))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give up rights")
class TestWithoutRights:
    """Rights are given up in a child process; the folders that lead to the database stay open to it."""

    @pytest.fixture
    def folder(self) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(dir="/tmp") as name:
            folder = Path(name)
            folder.chmod(0o755)
            yield folder

    def run(self, code: str, path: Path) -> list[str]:
        child = start_python(GIVE_UP_RIGHTS + code, path)
        out, _ = child.communicate(timeout=60)
        assert child.returncode == 0
        return out.split("\n")[:-1]

    @pytest.mark.parametrize("state", ["closed", "crashed", "alive"])
    def test_a_folder_that_may_not_be_written_to_can_be_read_from(self, folder: Path, state: str) -> None:
        path = folder / "a.db"
        child = start_python(WRITER, path)
        assert child.stdout is not None
        child.stdout.readline()
        if state == "closed":
            child.communicate("")
        elif state == "crashed":
            child.kill()
            child.wait()
        for file in folder.iterdir():
            file.chmod(0o644)
        before = files(folder)
        try:
            assert self.run(AS_NOBODY, path) == ["40", "1", "permission"]
            after = files(folder)
            assert set(after) == set(before)
            assert after["a.db"] == before["a.db"]
            assert after.get("a.db-wal") == before.get("a.db-wal")
        finally:
            child.kill()
            child.communicate()

    def test_a_file_that_may_not_be_read_is_unavailable(self, folder: Path) -> None:
        SQLiteEventStore(folder / "a.db", "run_a").close()
        (folder / "a.db").chmod(0o600)
        assert self.run(UNREADABLE, folder / "a.db") == ["permission", "permission"]


def damage(path: Path, statement: str, *parameters: Any) -> None:
    connection = sqlite3.connect(path)
    connection.execute(statement, parameters)
    connection.commit()
    connection.close()


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize(
    ("damaged", "message"),
    [
        ('\'{"text": "evt_00\'', "line 1 column"),
        ("'{\"$ag.unknown\": 1}'", "unknown tag"),
        ("'[1, 2]'", "object"),
        ("''", "line 1 column 1"),
        ("'{\"x\": 1e999}'", "beyond"),
        ("CAST(x'7b2278223a22ff227d' AS TEXT)", "UTF-8"),
    ],
)
def test_a_damaged_payload_stops_only_what_reads_it(
    tmp_path: Path, damaged: str, message: str, read_only: bool, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.db"
    with SQLiteEventStore(path, "run_a") as store:
        store.append_many(events(1, 5))
    damage(path, f"UPDATE events SET payload = {damaged} WHERE position = 3")

    with SQLiteEventStore(path, "run_a", read_only=read_only) as store:
        reading = store.iter_events()
        assert [next(reading).id, next(reading).id] == ["evt_001", "evt_002"]
        with pytest.raises(CorruptedEventPayloadError) as refusal:
            next(reading)
        context = refusal.value.context
        assert (context["event_id"], context["run_id"]) == ("evt_003", "run_a")
        assert message in context["underlying_msg"]
        assert len(context["preview"]) <= 120
        assert set(context) == {"event_id", "run_id", "line", "column", "preview", "underlying_msg"}
        with pytest.raises(CorruptedEventPayloadError):
            store.get_event("evt_003")
        assert [e.id for e in store.iter_range(4)] == ["evt_004", "evt_005"]
        assert store.get_event("evt_001") is not None
        assert len(raw(store)) == 5
        assert store.count() == 5
    lines = [r for r in caplog.records if r.levelname == "CRITICAL"]
    assert {(r.event_id, r.error_type) for r in lines} == {("evt_003", "CorruptedEventPayloadError")}  # type: ignore[attr-defined]
    assert all(r.getMessage().startswith("event log inconsistency: ") for r in lines)


def test_a_payload_whose_column_holds_bytes_is_read_as_text(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with SQLiteEventStore(path, "run_a") as store:
        store.append_many(events(1, 2))
    damage(path, "UPDATE events SET payload = CAST(payload AS BLOB) WHERE position = 2")
    with SQLiteEventStore(path, "run_a", read_only=True) as store:
        assert [e.payload["text"] for e in store.iter_events()] == ["evt_001", "evt_002"]
        assert is_whole(raw(store))


def test_a_payload_edited_with_ordinary_tools_loads_with_its_new_value(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with SQLiteEventStore(path, "run_a") as store:
        store.append_many(events(1, 2))
    damage(path, """UPDATE events SET payload = '{ "text" : "caf\\u00e9", "n": 1.50E1 }' WHERE position = 2""")

    with SQLiteEventStore(path, "run_a", read_only=True) as store:
        found = store.get_event("evt_002")
    assert found is not None
    assert dict(found.payload) == {"text": "caf\u00e9", "n": 15.0}


@pytest.mark.parametrize("position", [1, 3])
def test_a_missing_position_is_an_inconsistency_where_it_is_met(tmp_path: Path, position: int) -> None:
    path = tmp_path / "a.db"
    with SQLiteEventStore(path, "run_a") as store:
        store.append_many(events(1, 5))
    damage(path, "DELETE FROM events WHERE position = ?", position)

    with SQLiteEventStore(path, "run_a") as store:
        with pytest.raises(LogInconsistencyError) as refusal:
            list(store.iter_events())
        assert refusal.value.context == {"run_id": "run_a", "reason": "gap", "position": position}
        assert [row.position for row in store.iter_raw()] == [p for p in range(1, 6) if p != position]


def test_a_reader_takes_no_lock_that_keeps_a_writer_waiting(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with SQLiteEventStore(path, "run_a", busy_timeout=0.0) as store:
        store.append_many(events(1, 3000))
        with SQLiteEventStore(path, "run_a", read_only=True) as reader:
            reading = reader.iter_events()
            next(reading)
            store.append_many(events(3001, 3002), sync=True)
            moved = store._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()  # type: ignore[union-attr]
            assert moved == (0, 0, 0)
            assert sum(1 for _ in reading) == 2999
            with pytest.raises(StoreUnavailableError):
                reader.close()
                reader.count()
