"""Several processes and one file: races for a position, first openings, kills at any instant."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from activegraph import Event
from activegraph.store.sqlite import SQLiteEventStore
from support.logs import events, is_whole, raw, start_python

FULL = int(os.environ.get("ACTIVEGRAPH_EXAMPLES", "1"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.db"


def outputs(children: list[subprocess.Popen[str]]) -> list[str]:
    """What each process printed; all must have ended well."""
    found = [rest_of(child) for child in children]
    assert [child.returncode for child in children] == [0] * len(children)
    return found


def rest_of(child: subprocess.Popen[str]) -> str:
    """What a process has printed since it was last read, when it has ended."""
    assert child.stdout is not None
    assert child.stdin is not None
    child.stdin.close()
    printed = child.stdout.read()
    child.stdout.close()
    child.wait(timeout=120)
    return printed


RACER = """
import sys
from activegraph import Event
from activegraph.errors import ConcurrentWriterError
from activegraph.store.sqlite import SQLiteEventStore
path, name, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
store = SQLiteEventStore(path, "run_a")
print("ready", flush=True)
won = []
for position in range(1, rounds + 1):
    sys.stdin.readline()
    try:
        store.append_many([Event(f"{name}_{position}", "note.taken")], expected_count=position - 1)
        won.append(position)
    except ConcurrentWriterError as refusal:
        assert refusal.expected_count == position - 1, refusal.context
        assert refusal.actual_count >= position, refusal.context
    print("done", flush=True)
print(*won)
"""


def test_one_of_several_processes_wins_each_position(path: Path) -> None:
    SQLiteEventStore(path, "run_a").close()
    rounds = 40 * FULL
    children = [start_python(RACER, path, f"w{n}", str(rounds)) for n in range(6)]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for _ in range(rounds):
        for child in children:
            assert child.stdin is not None
            child.stdin.write("go\n")
            child.stdin.flush()
        for child in children:
            assert child.stdout is not None
            assert child.stdout.readline() == "done\n"
    won = [int(position) for out in outputs(children) for position in out.split()]

    assert sorted(won) == list(range(1, rounds + 1))
    with SQLiteEventStore(path, "run_a", read_only=True) as store:
        assert is_whole(raw(store))
        assert store.count() == rounds


RELOADER = """
import sys
from activegraph import Event
from activegraph.errors import ConcurrentWriterError
from activegraph.store.sqlite import SQLiteEventStore
path, name = sys.argv[1:3]
store = SQLiteEventStore(path, "run_a")
for n in range(25):
    batch = [Event(f"{name}_{n}_{part}", "note.taken") for part in range(3)]
    while True:
        try:
            store.append_many(batch)
            break
        except ConcurrentWriterError:
            for _ in store.iter_events(after=None):
                pass
"""


def test_writers_that_reload_and_try_again_lose_nothing(path: Path) -> None:
    outputs([start_python(RELOADER, path, f"w{n}") for n in range(6)])

    with SQLiteEventStore(path, "run_a", read_only=True) as store:
        rows = raw(store)
    assert is_whole(rows)
    assert len({row.id for row in rows}) == len(rows) == 6 * 25 * 3
    for start in range(0, len(rows), 3):
        assert [row.id[-1] for row in rows[start : start + 3]] == ["0", "1", "2"]
        assert len({row.id[:-2] for row in rows[start : start + 3]}) == 1


FIRST = """
import sys
from activegraph import Event
from activegraph.store.sqlite import SQLiteEventStore
path, run_id = sys.argv[1:3]
import activegraph.store.sqlite.store
print("ready", flush=True)
sys.stdin.readline()
with SQLiteEventStore(path, run_id) as store:
    store.append_many([Event(f"evt_{n}", "note.taken") for n in range(3)])
    store.append(Event("evt_3", "note.taken"))
"""


def test_any_number_of_processes_may_open_an_empty_database_at_once(path: Path) -> None:
    children = [start_python(FIRST, path, f"run_{n:02d}") for n in range(24)]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    outputs(children)

    counts = {record.run_id: record.event_count for record in SQLiteEventStore.list_runs(path)}
    assert counts == {f"run_{n:02d}": 4 for n in range(24)}
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT key, count(*) FROM meta GROUP BY key HAVING count(*) > 1").fetchall() == []
    assert connection.execute("SELECT count(*) FROM sqlite_master WHERE type = 'table'").fetchone() == (3,)
    connection.close()


BATCHES = """
import sys
from activegraph import Event
from activegraph.store.sqlite import SQLiteEventStore
store = SQLiteEventStore(sys.argv[1], "run_a")
sizes = [1, 2, 5, 1, 40, 3]
n = 0
while True:
    size = sizes[n % len(sizes)]
    n += 1
    batch = [Event(f"b{n}_{k}_{size}", "note.taken", {"text": "x" * 700}) for k in range(size)]
    count = store.append_many(batch, sync=n % 7 == 0)
    print(count, flush=True)
"""


def whole_batches(rows: list[Any]) -> bool:
    """Whether the log ends where a batch ended."""
    position = 0
    while position < len(rows):
        _, part, size = rows[position].id.split("_")
        if part != "0" or position + int(size) > len(rows):
            return False
        position += int(size)
    return True


def test_a_reader_beside_a_writer_sees_whole_batches(path: Path) -> None:
    SQLiteEventStore(path, "run_a").close()
    child = start_python(BATCHES, path)
    assert child.stdout is not None
    child.stdout.readline()
    try:
        seen = 0
        with SQLiteEventStore(path, "run_a", read_only=True) as reader:
            for _ in range(25):
                rows = raw(reader)
                assert is_whole(rows)
                assert whole_batches(rows)
                assert len(rows) >= seen
                seen = len(rows)
        assert seen > 0
    finally:
        child.kill()
        rest_of(child)


@pytest.mark.parametrize("attempt", range(12 * FULL))
def test_a_writer_killed_at_any_instant_loses_nothing_that_was_acknowledged(path: Path, attempt: int) -> None:
    child = start_python(BATCHES, path)
    assert child.stdout is not None
    lines = random.Random(attempt).randrange(1, 120)
    acknowledged = 0
    for _ in range(lines):
        acknowledged = int(child.stdout.readline())
    child.send_signal(signal.SIGKILL)
    acknowledged = max([acknowledged, *map(int, rest_of(child).split("\n")[:-1])])

    before = (path.read_bytes(), path.with_name("a.db-wal").read_bytes())
    with SQLiteEventStore(path, "run_a", read_only=True) as reader:
        rows = raw(reader)
    assert (path.read_bytes(), path.with_name("a.db-wal").read_bytes()) == before
    assert len(rows) >= acknowledged
    assert is_whole(rows)
    assert whole_batches(rows)

    began = time.monotonic()
    with SQLiteEventStore(path, "run_a", busy_timeout=5.0) as store:
        assert raw(store) == rows
        store.append_many([Event("after", "note.taken")], sync=True)
        assert is_whole(raw(store))
    assert time.monotonic() - began < 5.0


FORKER = """
import sys
from activegraph.store.sqlite import SQLiteEventStore
n = 0
while True:
    n += 1
    SQLiteEventStore.fork_run(
        sys.argv[1], parent_run_id="run_a", new_run_id=f"fork_{n}", at_event_id="evt_1500", label=None,
        created_at="2026-05-15T10:32:01Z",
    )
    print(n, flush=True)
"""

IMPORTER = """
import sys
from activegraph.store import RunRecord, parse_store_url, sqlite_url
from activegraph.store.sqlite import SQLiteEventStore, backend
rows = list(SQLiteEventStore(sys.argv[1], "run_a", read_only=True).iter_raw())
url = parse_store_url(sqlite_url(sys.argv[1]))
n = 0
while True:
    n += 1
    backend.import_run(url, RunRecord(f"fork_{n}", None, None, None, "2026-05-15T10:32:01Z", None, None), rows)
    print(n, flush=True)
"""


@pytest.mark.parametrize("code", [FORKER, IMPORTER], ids=["fork", "import"])
@pytest.mark.parametrize("attempt", range(4 * FULL))
def test_a_copy_killed_at_any_instant_is_there_whole_or_not_at_all(path: Path, code: str, attempt: int) -> None:
    with SQLiteEventStore(path, "run_a") as store:
        store.append_many(events(1, 1500))
    child = start_python(code, path)
    assert child.stdout is not None
    made = 0
    for _ in range(attempt + 1):
        made = int(child.stdout.readline())
    time.sleep(random.Random(attempt).random() * 0.03)  # somewhere inside the next copy
    child.send_signal(signal.SIGKILL)
    rest_of(child)

    with SQLiteEventStore(path, "run_a", read_only=True) as reader:
        parent = raw(reader)
    records = {record.run_id: record for record in SQLiteEventStore.list_runs(path)}
    assert {f"fork_{n}" for n in range(1, made + 1)} <= set(records)
    for run_id, record in records.items():
        assert record.event_count == 1500
        with SQLiteEventStore(path, run_id, read_only=True) as reader:
            assert raw(reader) == parent
    connection = sqlite3.connect(path)
    orphans = connection.execute("SELECT DISTINCT run_id FROM events EXCEPT SELECT run_id FROM runs").fetchall()
    connection.close()
    assert orphans == []


@pytest.mark.parametrize("attempt", range(8 * FULL))
def test_a_kill_while_the_tables_are_made_leaves_an_empty_file_or_a_store(path: Path, attempt: int) -> None:
    code = """
import sys
from activegraph.store.sqlite import SQLiteEventStore
print("ready", flush=True)
SQLiteEventStore(sys.argv[1], "run_a")
print("made", flush=True)
sys.stdin.readline()
"""
    child = start_python(code, path)
    assert child.stdout is not None
    child.stdout.readline()
    time.sleep(attempt * 0.0012)  # somewhere inside the opening
    child.send_signal(signal.SIGKILL)
    rest_of(child)

    with SQLiteEventStore(path, "run_a") as store:
        assert store.append_many(events(1, 3)) == 3
    assert [r.event_count for r in SQLiteEventStore.list_runs(path)] == [3]
