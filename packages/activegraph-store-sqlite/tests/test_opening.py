"""Opening a file: what is made, what is refused, and what stays untouched."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from activegraph import __version__
from activegraph.errors import (
    InvalidRuntimeConfiguration,
    InvalidStoreURL,
    LogInconsistencyError,
    NonSerializableEventError,
    SchemaVersionMismatch,
    StoreNotFoundError,
    StoreUnavailableError,
)
from activegraph.store import get_run, list_runs, most_recent_run_id, open_store, sqlite_url
from activegraph.store.sqlite import SCHEMA_VERSION, SQLiteEventStore
from support.logs import event, events, raw, start_python


def files(folder: Path) -> dict[str, str]:
    """Every file and what it holds, as a digest."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


@pytest.mark.parametrize(
    ("arguments", "missing"),
    [((), "path and a run_id"), (("a.db",), "run_id"), ((None, "run_a"), "path")],
)
def test_missing_arguments_say_how_a_run_is_recorded(arguments: tuple[Any, ...], missing: str) -> None:
    with pytest.raises(TypeError) as refusal:
        SQLiteEventStore(*arguments)

    for part in (missing, "persist_to=", "Runtime("):
        assert part in str(refusal.value)


def test_opening_for_writing_makes_the_file_and_no_run(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    old = os.umask(0o027)
    try:
        SQLiteEventStore(path, "run_a").close()
    finally:
        os.umask(old)

    assert os.listdir(tmp_path) == ["a.db"]
    assert path.stat().st_mode & 0o777 == 0o640
    assert SQLiteEventStore.list_runs(path) == []
    assert SQLiteEventStore.most_recent_run_id(path) is None


def test_the_path_is_shown_as_it_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with SQLiteEventStore("a.db", "run_a") as store:
        assert store.path == "a.db"
        assert repr(store) == "SQLiteEventStore('a.db', run_id='run_a')"


def test_an_empty_file_counts_as_new_for_a_writer_and_as_nothing_for_a_reader(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.touch()

    with pytest.raises(StoreNotFoundError):
        SQLiteEventStore(path, "run_a", read_only=True)
    with pytest.raises(StoreNotFoundError):
        SQLiteEventStore.fork_run(
            path, parent_run_id="a", new_run_id="b", at_event_id="x", label=None, created_at="2026-05-15T10:32:01Z"
        )
    assert path.read_bytes() == b""
    SQLiteEventStore(path, "run_a").close()
    assert SQLiteEventStore.list_runs(path) == []


@pytest.mark.parametrize("read_only", [False, True])
def test_a_missing_directory_is_named_and_not_made(tmp_path: Path, read_only: bool) -> None:
    path = tmp_path / "no" / "a.db"
    with pytest.raises(StoreNotFoundError) as refusal:
        SQLiteEventStore(path, "run_a", read_only=read_only)

    assert refusal.value.context == {"path": str(path), "driver": "sqlite"}
    assert str(path.parent) in str(refusal.value)
    assert isinstance(refusal.value, FileNotFoundError)
    assert os.listdir(tmp_path) == []


def test_what_is_advised_about_a_place_can_be_pasted(tmp_path: Path) -> None:
    place = tmp_path / "my 50% runs"
    with pytest.raises(StoreNotFoundError) as missing:
        SQLiteEventStore(place / "a.db", "run_a")
    subprocess.run(missing.value.how_to_fix, shell=True, check=True)
    with pytest.raises(StoreUnavailableError) as directory:
        SQLiteEventStore(place, "run_a")

    assert os.listdir(tmp_path) == [place.name]
    assert f"{place}/run.db " in directory.value.how_to_fix
    assert f"(as a URL {sqlite_url(place / 'run.db')})" in directory.value.how_to_fix


@pytest.mark.parametrize("read_only", [False, True])
def test_a_directory_is_no_store(tmp_path: Path, read_only: bool) -> None:
    with pytest.raises(StoreUnavailableError) as refusal:
        SQLiteEventStore(tmp_path, "run_a", read_only=read_only)
    assert refusal.value.context["reason"] == "io"
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("read_only", [False, True])
def test_a_pipe_is_no_store_and_is_not_waited_for(tmp_path: Path, read_only: bool) -> None:
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(StoreUnavailableError, match="is a pipe") as refusal:
        SQLiteEventStore(tmp_path / "pipe", "run_a", read_only=read_only)
    assert refusal.value.context["reason"] == "io"


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("content", [b"no database at all, but a text\n" * 40, b"SQLite format 3\x00" + b"\xff" * 4000])
def test_a_file_that_is_no_database_is_malformed_and_stays(
    tmp_path: Path, read_only: bool, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(content)
    with pytest.raises(LogInconsistencyError) as refusal:
        SQLiteEventStore(path, "run_a", read_only=read_only)

    assert refusal.value.context["reason"] == "malformed"
    assert f"sqlite3 {path} .recover" in refusal.value.how_to_fix
    assert isinstance(refusal.value.__cause__, sqlite3.Error)
    assert [r.levelname for r in caplog.records if r.name == "activegraph.store"] == ["CRITICAL"]
    assert files(tmp_path) == {"a.db": hashlib.sha256(content).hexdigest()}


def test_a_damaged_database_is_malformed_where_the_damage_is(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with SQLiteEventStore(path, "run_a") as store:
        store.append_many(events(1, 400))
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    path.write_bytes(content)

    with pytest.raises(LogInconsistencyError) as refusal:
        list(SQLiteEventStore(path, "run_a", read_only=True).iter_events())
    assert refusal.value.context["reason"] == "malformed"


FOREIGN = "CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO customers (name) VALUES ('Ada');"


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("extra", ["", "CREATE TABLE meta (owner TEXT, note TEXT);"])
def test_somebody_elses_database_is_refused_and_untouched(tmp_path: Path, read_only: bool, extra: str) -> None:
    path = tmp_path / "a.db"
    connection = sqlite3.connect(path)
    connection.executescript(FOREIGN + extra)
    connection.close()
    before = files(tmp_path)

    with pytest.raises(SchemaVersionMismatch) as refusal:
        SQLiteEventStore(path, "run_a", read_only=read_only)

    assert refusal.value.context["found_version"] is None
    assert "name another file" in refusal.value.how_to_fix
    assert "migrate" not in refusal.value.how_to_fix
    assert files(tmp_path) == before


CRASHED_FOREIGN = f"""
import os, signal, sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("PRAGMA journal_mode=WAL")
connection.executescript({FOREIGN!r})
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_not_even_the_write_ahead_log_of_somebody_elses_database_is_moved(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    assert start_python(CRASHED_FOREIGN, path).wait() == -signal.SIGKILL
    before = files(tmp_path)
    assert set(before) == {"a.db", "a.db-wal", "a.db-shm"}

    for read_only in (False, True):
        with pytest.raises(SchemaVersionMismatch):
            SQLiteEventStore(path, "run_a", read_only=read_only)
    assert files(tmp_path) == before


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE meta SET value = '1' WHERE key = 'schema_version'", "1"),
        ("UPDATE meta SET value = 'x' WHERE key = 'schema_version'", "x"),
        ("DELETE FROM meta WHERE key = 'schema_version'", None),
        ("DELETE FROM meta", None),
        ("DROP TABLE meta", None),
        ("UPDATE meta SET value = '9' WHERE key = 'codec_version'", SCHEMA_VERSION),
        ("DELETE FROM meta WHERE key = 'codec_version'", SCHEMA_VERSION),
        ("DROP TABLE events", SCHEMA_VERSION),
        ("ALTER TABLE events RENAME COLUMN actor TO who", SCHEMA_VERSION),
        ("ALTER TABLE events DROP COLUMN digest", SCHEMA_VERSION),
        ("ALTER TABLE runs DROP COLUMN label", SCHEMA_VERSION),
        ("ALTER TABLE runs RENAME COLUMN setup_count TO setup", SCHEMA_VERSION),
    ],
)
def test_another_layout_is_refused_in_every_function_and_untouched(
    tmp_path: Path, statement: str, found: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.db"
    with SQLiteEventStore(path, "run_a") as store:
        store.append_many(events(1, 3))
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()
    before = files(tmp_path)
    url = sqlite_url(path)

    for attempt in (
        lambda: SQLiteEventStore(path, "run_a"),
        lambda: SQLiteEventStore(path, "run_a", read_only=True),
        lambda: open_store(url, "run_a"),
        lambda: list_runs(url),
        lambda: most_recent_run_id(url),
        lambda: get_run(url, "run_a"),
        lambda: SQLiteEventStore.fork_run(
            path,
            parent_run_id="run_a",
            new_run_id="b",
            at_event_id="evt_001",
            label=None,
            created_at="2026-05-15T10:32:01Z",
        ),
    ):
        caplog.clear()
        with pytest.raises(SchemaVersionMismatch) as refusal:
            attempt()
        assert refusal.value.context == {
            "found_version": found,
            "expected_version": SCHEMA_VERSION,
            "activegraph_version": __version__,
            "driver": "sqlite",
        }
        # Only what this version can copy is said to be copied.
        assert ("activegraph migrate" in refusal.value.how_to_fix) is (found == "1")
        (line,) = [r for r in caplog.records if r.levelno == logging.CRITICAL]
        assert line.getMessage() == f"schema mismatch: found {found}, expected {SCHEMA_VERSION}"
    assert files(tmp_path) == before


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("DROP TABLE events", "its table events,"),
        ("ALTER TABLE events DROP COLUMN digest", "its column events.digest,"),
        ("ALTER TABLE runs RENAME TO old_runs", "its table runs,"),
    ],
)
def test_what_is_missing_of_a_layout_is_named(tmp_path: Path, statement: str, named: str) -> None:
    path = tmp_path / "a.db"
    SQLiteEventStore(path, "run_a").close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)

    with pytest.raises(
        SchemaVersionMismatch, match=re.escape(f"has schema version '{SCHEMA_VERSION}' without {named}")
    ):
        SQLiteEventStore(path, "run_a")


def test_columns_and_indexes_that_somebody_added_are_nobodys_business(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with SQLiteEventStore(path, "run_a") as store:
        store.append_many(events(1, 2))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("ALTER TABLE events ADD COLUMN note TEXT")
        connection.execute("ALTER TABLE runs ADD COLUMN owner TEXT DEFAULT 'us'")
        connection.execute("CREATE INDEX by_time ON events (timestamp)")

    with SQLiteEventStore(path, "run_a") as store:
        store.append_many(events(3, 4))
    with SQLiteEventStore(path, "run_a", read_only=True) as store:
        assert [e.id for e in store.iter_events()] == [e.id for e in events(1, 4)]


def test_a_link_leads_to_the_log_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link = tmp_path / "link.db"
    link.symlink_to(tmp_path / "real" / "a.db")

    with SQLiteEventStore(link, "run_a") as store:
        store.append_many(events(1, 2), sync=True)
        assert sorted(os.listdir(tmp_path / "real")) == ["a.db", "a.db-shm", "a.db-wal"]
        with SQLiteEventStore(link, "run_a", read_only=True) as reader:
            assert reader.count() == 2
    assert sorted(os.listdir(tmp_path)) == ["link.db", "real"]


def test_a_relative_path_means_the_same_file_after_a_change_of_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    with SQLiteEventStore("a.db", "run_a") as store:
        store.append_many(events(1, 1))
        with SQLiteEventStore("a.db", "run_a", read_only=True) as reader:
            monkeypatch.chdir(tmp_path / "elsewhere")
            store.append_many(events(2, 2), sync=True)
            assert reader.count() == 2
            with store.open_sibling("run_b") as sibling:
                sibling.append(event("x"))
            assert [r.run_id for r in SQLiteEventStore.list_runs(store.target)] == ["run_a", "run_b"]
    assert os.listdir(tmp_path / "elsewhere") == []


def test_names_that_are_no_utf8_or_mean_something_in_a_url_are_names(tmp_path: Path) -> None:
    for name in (b"\xff\xfe.db", "r\u00e9sum\u00e9 #1?.db".encode(), b"100%25.db", b"a&b=c;.db", b" spaced .db"):
        path = os.fsdecode(os.path.join(os.fsencode(tmp_path), name))
        with SQLiteEventStore(path, "run_a") as store:
            store.append_many(events(1, 1), sync=True)
            assert raw(SQLiteEventStore(path, "run_a", read_only=True)) == raw(store)
        with open_store(sqlite_url(path), "run_a", read_only=True) as reader:  # type: ignore[attr-defined]
            assert reader.count() == 1
    assert len(os.listdir(tmp_path)) == 5


@pytest.mark.parametrize("path", ["", ":memory:"])
def test_a_database_that_no_other_handle_could_see_is_refused(path: str) -> None:
    with pytest.raises(InvalidStoreURL):
        SQLiteEventStore(path, "run_a")


def test_a_name_that_no_file_can_have_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(StoreNotFoundError):
        SQLiteEventStore(f"{tmp_path}/a\x00b.db", "run_a")
    with pytest.raises(StoreUnavailableError):
        SQLiteEventStore(f"{tmp_path}/{'a' * 300}.db", "run_a")


@pytest.mark.parametrize("run_id", ["", "a\x00", "\ud800", 5])
def test_a_run_id_that_no_store_could_carry_is_refused(tmp_path: Path, run_id: Any) -> None:
    with pytest.raises(NonSerializableEventError) as refusal:
        SQLiteEventStore(tmp_path / "a.db", run_id)
    assert refusal.value.context["path"] == "run_id"
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "settings",
    [
        {"synchronous": "off"},
        {"synchronous": "full; DROP TABLE events"},
        {"busy_timeout": -1},
        {"busy_timeout": float("inf")},
    ],
)
def test_settings_that_sqlite_would_misunderstand_are_refused(tmp_path: Path, settings: dict[str, Any]) -> None:
    with pytest.raises(InvalidRuntimeConfiguration):
        SQLiteEventStore(tmp_path / "a.db", "run_a", **settings)
    assert os.listdir(tmp_path) == []


def test_the_printed_ddl_makes_a_database_that_a_store_takes_as_its_own(tmp_path: Path) -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "activegraph.store.sqlite", "--ddl"], capture_output=True, text=True, check=True
    ).stdout
    path = tmp_path / "a.db"
    connection = sqlite3.connect(path)
    connection.executescript(printed)
    connection.executescript(printed)
    assert connection.execute("SELECT key FROM meta ORDER BY key").fetchall() == [
        ("codec_version",),
        ("created_at",),
        ("created_by",),
        ("schema_version",),
    ]
    by_hand = set(connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master"))
    connection.close()

    SQLiteEventStore(tmp_path / "b.db", "run_a").close()
    made = set(sqlite3.connect(tmp_path / "b.db").execute("SELECT type, name, tbl_name, sql FROM sqlite_master"))
    assert by_hand == made
    assert "CREATE TABLE" in SQLiteEventStore.ddl()
    assert SQLiteEventStore.list_runs(path) == []
    with SQLiteEventStore(path, "run_a") as store:
        assert store.append_many(events(1, 2), sync=True) == 2


def test_anything_but_the_ddl_is_a_usage_error() -> None:
    done = subprocess.run([sys.executable, "-m", "activegraph.store.sqlite"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--ddl" in done.stderr


def test_opening_an_existing_store_needs_no_write_lock(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with SQLiteEventStore(path, "run_a") as store, store.transaction():
        store.append_many(events(1, 1))
        with SQLiteEventStore(path, "run_b", busy_timeout=0.0) as other:
            assert other.count() == 0
        with SQLiteEventStore(path, "run_a", read_only=True) as reader:
            assert reader.count() == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("this user may not mount a disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_store_that_a_full_disk_did_not_let_be_made_is_made_when_there_is_space(small_disk: Path) -> None:
    path, filler = small_disk / "a.db", small_disk / "filler"
    refusals: list[dict[str, Any]] = []
    for free in range(0, 128, 4):
        filler.write_bytes(bytes((1024 - free) * 1024))
        try:
            SQLiteEventStore(path, "run_a").close()
        except StoreUnavailableError as refusal:
            refusals.append(refusal.context)
        filler.unlink()
        with SQLiteEventStore(path, "run_a") as store:
            store.append_many(events(1, 3))
            assert store.count() == 3
        for left in small_disk.iterdir():
            left.unlink()

    assert len(refusals) > 10
    assert {(context["reason"], context["committed"]) for context in refusals} == {("full", False)}
