"""Reading commands leave a store as they found it: no byte changed, no file made, a writer beside them unharmed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from activegraph.store import SQLiteEventStore
from support.cli import Said
from support.stored_runs import event, files_of

Cli = Callable[..., Said]

READS = [
    ["inspect"],
    ["inspect", "--event", "evt_001"],
    ["inspect", "--behaviors"],
    ["inspect", "--pack-version"],
    ["replay", "--run-id", "run_a"],
    ["diff", "--run-a", "run_a", "--run-b", "run_a"],
    ["export-trace", "--run-id", "run_a"],
    ["export-trace", "--run-id", "run_a", "--format", "jsonl"],
    ["verify"],
]

CRASH = """
import os, signal, sys
from activegraph.store import SQLiteEventStore
from support.stored_runs import event
store = SQLiteEventStore(sys.argv[1], "run_a")
store.append_many([event("evt_crashed")])
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(params=READS, ids=" ".join)
def read(request: pytest.FixtureRequest) -> list[str]:
    words: list[str] = request.param
    return words


def test_a_store_at_rest_is_left_byte_for_byte(cli: Cli, database: Path, url: str, read: list[str]) -> None:
    before = files_of(database.parent)

    assert cli(read[0], url, *read[1:]).code == 0

    assert files_of(database.parent) == before


def test_a_store_with_a_live_writer_is_read_and_the_writer_goes_on(
    cli: Cli, database: Path, url: str, read: list[str]
) -> None:
    with closing(SQLiteEventStore(database, "run_a")) as writer:
        writer.append(event("evt_live"))
        before = files_of(database.parent)

        said = cli(read[0], url, *read[1:])

        assert said.code == 0
        assert {name: data for name, data in files_of(database.parent).items() if not name.endswith("-shm")} == {
            name: data for name, data in before.items() if not name.endswith("-shm")
        }
        assert set(files_of(database.parent)) == set(before)
        assert writer.append_many([event("evt_after")]) == 16


def test_a_store_left_by_a_crash_is_read_as_it_is(cli: Cli, database: Path, url: str, read: list[str]) -> None:
    support = str(Path(__file__).parents[3] / "tests")
    crashed = subprocess.run(
        [sys.executable, "-c", CRASH, str(database)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([support, os.environ.get("PYTHONPATH", "")])},
        check=False,
    )
    assert crashed.returncode == -signal.SIGKILL
    before = files_of(database.parent)
    assert any(name.endswith("-wal") for name in before)

    said = cli(read[0], url, *read[1:])

    assert said.code == 0
    assert files_of(database.parent) == before
    if read == ["inspect"]:
        assert "events_processed: 15" in said.out


def test_a_crashed_store_without_its_shared_index_is_read_too(
    cli: Cli, database: Path, url: str, read: list[str]
) -> None:
    test_a_store_left_by_a_crash_is_read_as_it_is(cli, database, url, ["inspect"])
    (database.parent / "run.db-shm").unlink()
    before = files_of(database.parent)

    said = cli(read[0], url, *read[1:])

    assert said.code == 0
    assert files_of(database.parent) == before


def test_a_file_that_may_not_be_written_is_read(cli: Cli, database: Path, url: str, read: list[str]) -> None:
    database.chmod(0o444)
    database.parent.chmod(0o555)
    try:
        assert cli(read[0], url, *read[1:]).code == 0
    finally:
        database.parent.chmod(0o755)
