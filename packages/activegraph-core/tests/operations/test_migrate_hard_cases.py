"""Migrations that meet holes, damage, stores of others, other writers and the end of their process."""

from __future__ import annotations

import logging
import pickle
import signal
import sqlite3
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from activegraph import migrate
from activegraph.core.event import Event
from activegraph.errors import InvalidArgumentType, SchemaVersionMismatch, StoreNotFoundError
from activegraph.operations import migrate as module
from activegraph.operations.migrate import MigrationReport, MigrationRunReport
from activegraph.store import (
    RawEvent,
    SQLiteEventStore,
    StoreURL,
    get_run,
    list_runs,
    most_recent_run_id,
    open_store,
    sqlite_url,
    verify_run,
)
from support.acme import install
from support.logs import event, events, is_whole, raw, start_python

CREATED = "2026-05-15T10:32:01Z"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return tmp_path / "source.db"


@pytest.fixture
def dest(tmp_path: Path) -> Path:
    return tmp_path / "dest.db"


def record(path: Path, run_id: str, batch: list[Event], **fields: Any) -> None:
    with SQLiteEventStore(path, run_id) as store:
        store.upsert_run(**({"created_at": CREATED} | fields))
        store.append_many(batch)


def rows(path: Path, run_id: str = "run_a") -> list[RawEvent]:
    with SQLiteEventStore(path, run_id, read_only=True) as store:
        return raw(store)


def alter(path: Path, statement: str, *values: Any) -> None:
    connection = sqlite3.connect(path)
    connection.execute(statement, values)
    connection.commit()
    connection.close()


def copied(source: Path, dest: Path, **options: Any) -> MigrationReport:
    return migrate(sqlite_url(source), sqlite_url(dest), **options)


def only(report: MigrationReport) -> MigrationRunReport:
    (run,) = report.runs
    return run


def test_a_hole_fails_its_run_and_the_others_go_through(source: Path, dest: Path) -> None:
    record(source, "run_a", events(1, 5))
    record(source, "run_b", events(1, 3))
    alter(source, "DELETE FROM events WHERE run_id = 'run_a' AND position = 3")

    report = copied(source, dest)

    assert [(r.run_id, r.status, r.events_migrated) for r in report.runs] == [
        ("run_a", "failed", 0),
        ("run_b", "ok", 3),
    ]
    assert report.failures == (report.runs[0],)
    assert not report.ok
    assert report.runs[0].error == "read failure: LogInconsistencyError: run 'run_a' has no event at position 3"
    assert [r.run_id for r in list_runs(sqlite_url(dest))] == ["run_b"]


def test_what_stands_behind_a_hole_is_recovered_and_the_hole_stays_findable(source: Path, dest: Path) -> None:
    record(source, "run_a", events(1, 5))
    alter(source, "DELETE FROM events WHERE position = 3")

    for written in (4, 0):
        assert only(copied(source, dest, skip_corrupted=True)) == MigrationRunReport("run_a", "ok", written)
    assert [(row.position, row.id) for row in rows(dest)] == [
        (1, "evt_001"),
        (2, "evt_002"),
        (3, "evt_004"),
        (4, "evt_005"),
    ]
    assert verify_run(sqlite_url(dest)).first_bad == "evt_004"


@pytest.mark.parametrize("column", ["payload", "actor", "timestamp", "type"])
def test_a_row_that_is_no_text_is_left_out_like_any_damage(source: Path, dest: Path, column: str) -> None:
    record(source, "run_a", events(1, 4), setup_count=3)
    alter(source, f"UPDATE events SET {column} = CAST(x'7bff7d' AS TEXT) WHERE position = 2")

    failed = only(copied(source, dest))
    assert failed.error is not None
    assert failed.error.startswith("read failure: CorruptedEventPayloadError: ")
    assert "evt_002" in failed.error
    assert only(copied(source, dest, skip_corrupted=True)) == MigrationRunReport(
        "run_a", "ok", 3, skipped_events=("evt_002",)
    )
    assert is_whole(rows(dest))
    assert get_run(sqlite_url(dest), "run_a").setup_count == 2
    assert only(copied(source, dest, skip_corrupted=True)).events_migrated == 0


def test_several_damaged_events_are_listed_in_log_order(source: Path, dest: Path) -> None:
    record(source, "run_a", events(1, 9), setup_count=2)
    alter(source, "UPDATE events SET payload = substr(payload, 1, 5) WHERE position IN (1, 5, 9)")

    report = only(copied(source, dest, skip_corrupted=True))

    assert report == MigrationRunReport("run_a", "ok", 6, skipped_events=("evt_001", "evt_005", "evt_009"))
    assert is_whole(rows(dest))
    assert get_run(sqlite_url(dest), "run_a").setup_count == 1
    with SQLiteEventStore(source, "run_a") as store:
        store.append(event("evt_010"))
    assert only(copied(source, dest, skip_corrupted=True)).events_migrated == 1
    assert is_whole(rows(dest))


def test_a_whole_damaged_run_is_copied_as_an_empty_one(source: Path, dest: Path) -> None:
    record(source, "run_a", events(1, 2))
    alter(source, "UPDATE events SET payload = '{'")
    assert only(copied(source, dest, skip_corrupted=True)) == MigrationRunReport(
        "run_a", "ok", 0, skipped_events=("evt_001", "evt_002")
    )
    assert get_run(sqlite_url(dest), "run_a").event_count == 0


@pytest.mark.parametrize("broken_at", [1, 2, 500, 1001, 2400])
def test_a_source_that_breaks_anywhere_leaves_nothing_of_its_run(
    source: Path, dest: Path, broken_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(source, "run_a", events(1, 2400))
    record(source, "run_b", events(1, 2))
    from activegraph.store.sqlite import sources

    real = sources.FileRuns.iter_raw

    def breaking(self: Any, run_id: str) -> Any:
        for row in real(self, run_id):
            if run_id == "run_a" and row.position == broken_at:
                raise OSError("the cable was pulled")
            yield row

    monkeypatch.setattr(sources.FileRuns, "iter_raw", breaking)
    report = copied(source, dest)
    assert report.runs[0] == MigrationRunReport("run_a", "failed", 0, "read failure: OSError: the cable was pulled")
    assert report.runs[1].status == "ok"
    assert [r.run_id for r in list_runs(sqlite_url(dest))] == ["run_b"]

    monkeypatch.undo()
    assert [r.events_migrated for r in copied(source, dest).runs] == [2400, 0]
    assert rows(dest) == rows(source)


def test_a_destination_that_fails_says_so_without_passwords(
    source: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    record(source, "run_a", events(1, 3))
    url = "acme://anna:s3cret%21@host/db"
    install(monkeypatch, tmp_path / "installed", {"acme": "support.acme:AcmeBackend"})
    from support.acme import AcmeBackend

    def refusing(self: Any, url: StoreURL, record: Any, rows: Any) -> Any:
        next(iter(rows))
        raise RuntimeError(f"could not connect:\n  {url.raw} with s3cret! failed")

    monkeypatch.setattr(AcmeBackend, "import_run", refusing, raising=False)
    report = migrate(sqlite_url(source), url)

    assert only(report).error == (
        "write failure: RuntimeError: could not connect: acme://anna:***@host/db with *** failed"
    )
    assert report.dest_url == "acme://anna:***@host/db"


def test_stores_of_others_are_sources_and_destinations(
    source: Path, dest: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install(
        monkeypatch,
        tmp_path / "installed",
        {"acme": "support.acme:AcmeBackend", "plain": "support.acme:PlainBackend"},
    )
    record(source, "run_a", events(1, 700), goal="win", label="first", setup_count=3)
    hard = Event("evt_701", "note.taken", {"nul": "\x00\ud800", "big": 10**40, "raw": b"\xff", "z": -0.0})
    with SQLiteEventStore(source, "run_a") as store:
        store.append(hard)

    assert only(migrate(sqlite_url(source), "acme:one")).events_migrated == 701
    assert only(migrate(sqlite_url(source), "acme:one")).events_migrated == 0
    assert only(migrate("acme:one", sqlite_url(dest))).events_migrated == 701
    assert rows(dest) == rows(source)
    assert list_runs(sqlite_url(dest)) == list_runs(sqlite_url(source))

    refused = only(migrate(sqlite_url(source), "plain:one"))
    assert refused.error is not None
    assert refused.error.startswith("write failure: IncompatibleRuntimeState: ")
    skipping = only(migrate("acme:one", sqlite_url(dest), skip_corrupted=True))
    assert skipping.error is not None
    assert skipping.error.startswith("read failure: IncompatibleRuntimeState: ")


def test_a_run_that_grows_meanwhile_is_copied_as_it_was(source: Path, dest: Path) -> None:
    record(source, "run_a", events(1, 2500), created_at="2026-05-15T10:00:00Z")
    record(source, "run_b", events(1, 1))
    writer = SQLiteEventStore(source, "run_a")
    seen: list[MigrationRunReport] = []

    def grow(report: MigrationRunReport) -> None:
        seen.append(report)
        writer.append_many([event(f"more_{len(seen)}")])

    report = copied(source, dest, on_progress=grow)

    assert tuple(seen) == report.runs
    assert len(rows(dest)) == 2500
    assert [r.events_migrated for r in copied(source, dest).runs] == [2, 0]
    writer.close()


def test_a_source_is_read_without_a_trace_beside_its_writer(source: Path, dest: Path) -> None:
    writer = SQLiteEventStore(source, "run_a")
    writer.append_many(events(1, 50))
    log = source.with_name("source.db-wal")
    before = (source.read_bytes(), log.read_bytes())
    assert copied(source, dest).ok
    assert (source.read_bytes(), log.read_bytes()) == before
    writer.close()


MIGRATE = """
import sys
from activegraph import migrate
import activegraph.store.sqlite
print("ready", flush=True)
sys.stdin.readline()
report = migrate(sys.argv[1], sys.argv[2], on_progress=lambda run: print(run.run_id, flush=True))
print("ok" if report.ok else report.failures[0].error)
"""


def test_two_migrations_into_one_destination_at_once_copy_each_run_once(source: Path, dest: Path) -> None:
    for n in range(6):
        record(source, f"run_{n}", events(1, 400))
    children = [start_python(MIGRATE, sqlite_url(source), sqlite_url(dest)) for _ in range(3)]
    for child in children:
        assert child.stdout is not None
        child.stdout.readline()
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    for child in children:
        assert child.stdout is not None
        assert child.stdout.read().split("\n")[-2] == "ok"
        child.communicate()
    for n in range(6):
        assert rows(dest, f"run_{n}") == rows(source, f"run_{n}")


def test_a_killed_migration_leaves_whole_runs_and_is_finished_by_the_next(source: Path, dest: Path) -> None:
    for n in range(8):
        record(source, f"run_{n}", events(1, 1500))
    child = start_python(MIGRATE, sqlite_url(source), sqlite_url(dest))
    assert child.stdout is not None
    assert child.stdin is not None
    child.stdin.write("go\n")
    child.stdin.flush()
    assert [child.stdout.readline() for _ in range(4)][1:] == ["run_0\n", "run_1\n", "run_2\n"]
    child.send_signal(signal.SIGKILL)
    child.stdout.read()
    child.communicate()

    there = {r.run_id: r.event_count for r in list_runs(sqlite_url(dest))}
    assert set(there) >= {"run_0", "run_1", "run_2"}
    assert set(there.values()) == {1500}
    report = copied(source, dest)
    assert report.ok
    assert sum(r.events_migrated for r in report.runs) == 1500 * (8 - len(there))


def test_memory_does_not_grow_with_the_run(source: Path, dest: Path) -> None:
    with SQLiteEventStore(source, "run_a") as store:
        for first in range(1, 12_001, 3000):
            store.append_many([event(f"evt_{n}", payload={"text": "x" * 1000}) for n in range(first, first + 3000)])
    tracemalloc.start()
    try:
        assert copied(source, dest).ok
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # The whole run is twelve million characters; a page of it is two.
    assert peak < 8_000_000


def test_nothing_is_made_where_the_call_cannot_work(source: Path, dest: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreNotFoundError):
        copied(source, dest)
    assert list(tmp_path.iterdir()) == []
    SQLiteEventStore(source, "run_a").close()
    assert copied(source, dest).runs == ()
    record(source, "run_a", events(1, 1))
    with pytest.raises(StoreNotFoundError):
        copied(source, tmp_path / "no" / "dest.db")
    with pytest.raises(InvalidArgumentType):
        copied(source, dest, only_run_ids="run_a")
    assert not dest.exists()
    assert copied(source, dest, only_run_ids=[]).runs == ()
    alter(source, "UPDATE meta SET value = '3' WHERE key = 'schema_version'")
    with pytest.raises(SchemaVersionMismatch):
        copied(source, dest)


OLD_LAYOUT = """
CREATE TABLE events (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, run_id TEXT NOT NULL, type TEXT NOT NULL,
    actor TEXT, payload TEXT NOT NULL, frame_id TEXT, caused_by TEXT, timestamp TEXT, UNIQUE (id, run_id));
CREATE TABLE runs (run_id TEXT PRIMARY KEY, parent_run_id TEXT, forked_at_event_id TEXT, label TEXT,
    created_at TEXT NOT NULL, goal TEXT, frame_id TEXT);
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
INSERT INTO meta VALUES ('schema_version', '1');
INSERT INTO runs VALUES ('run_a', NULL, NULL, NULL, '2025-01-01T00:00:00+00:00', 'win', NULL);
INSERT INTO runs VALUES ('run_b', 'run_a', 'evt_001', 'b', '2025-01-02T00:00:00.250000Z', NULL, 'frame_001');
"""


def test_the_layout_before_is_copied_in_order_of_its_append_number(source: Path, dest: Path) -> None:
    connection = sqlite3.connect(source)
    connection.executescript(OLD_LAYOUT)
    for n in range(1, 2101):
        run_id = "run_b" if n % 700 == 0 else "run_a"
        payload = '{"text": "caf\\u00e9", "n": 1.50E1}' if n == 1 else f'{{"n": {n}}}'
        time = None if n == 2 else CREATED
        connection.execute(
            "INSERT INTO events (id, run_id, type, payload, timestamp) VALUES (?, ?, 'note.taken', ?, ?)",
            (f"evt_{n:03d}", run_id, payload, time),
        )
    connection.commit()
    connection.close()
    before = source.read_bytes()
    for refused in (list_runs, most_recent_run_id, verify_run):
        with pytest.raises(SchemaVersionMismatch):
            refused(sqlite_url(source))
    with pytest.raises(SchemaVersionMismatch):
        open_store(sqlite_url(source), "run_a")

    assert [(r.run_id, r.status, r.events_migrated) for r in copied(source, dest).runs] == [
        ("run_a", "ok", 2097),
        ("run_b", "ok", 3),
    ]

    found = rows(dest, "run_a")
    assert is_whole(found)
    assert [row.id for row in found[:3]] == ["evt_001", "evt_002", "evt_003"]
    assert found[0].payload == '{"text":"caf\u00e9","n":15.0}'
    assert found[1].timestamp == ""
    assert [r.created_at for r in list_runs(sqlite_url(dest))] == [
        "2025-01-01T00:00:00Z",
        "2025-01-02T00:00:00.250000Z",
    ]
    assert get_run(sqlite_url(dest), "run_b").parent_run_id == "run_a"
    assert get_run(sqlite_url(dest), "run_a").setup_count == 0
    assert sum(r.events_migrated for r in copied(source, dest).runs) == 0
    assert source.read_bytes() == before


def test_each_run_and_the_call_write_one_line(source: Path, dest: Path, caplog: pytest.LogCaptureFixture) -> None:
    record(source, "run_a", events(1, 3))
    with caplog.at_level(logging.INFO, logger="activegraph.migration"):
        copied(source, dest, only_run_ids=["run_x", "run_a", "run_a"])
    lines = [(r.getMessage(), getattr(r, "run_id", None)) for r in caplog.records if r.name == "activegraph.migration"]
    assert lines == [
        ("run migrated: ok 3 events", "run_a"),
        ("run migrated: failed 0 events", "run_x"),
        ("migration finished: 1 ok, 1 failed", None),
    ]


def test_reports_can_be_sent_elsewhere() -> None:
    report = MigrationReport("a", "b", (MigrationRunReport("run_a", "ok", 3),))
    assert pickle.loads(pickle.dumps(report)) == report
    assert module.migrate is migrate
