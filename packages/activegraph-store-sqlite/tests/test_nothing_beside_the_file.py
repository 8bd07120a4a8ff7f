"""Where only the directory of the file can be written: SQLite has nowhere to put what does not fit in memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from activegraph.store.sqlite import SQLiteEventStore
from support.logs import is_whole, raw

# A name space of its own, in which the directories for temporary files can only be read; the folder of the file stays as it was.
ALONE = """
set -e
mount --bind "$1" "$1"
for each in /tmp /var/tmp /usr/tmp; do
    if [ -d $each ]; then mount --rbind $each $each; mount -o remount,ro,bind $each; fi
done
cd /proc
! touch /tmp/a /var/tmp/a 2>/dev/null
"""

WORK = """
import sys
from activegraph.core.event import Event
from activegraph.errors import DuplicateEventError
from activegraph.store.sqlite import SQLiteEventStore

def events(name, count, size, **fields):
    return [Event(f"{name}_{n}", "type", {"x": "y" * size}, timestamp="", **fields) for n in range(count)]

path = sys.argv[1]
with SQLiteEventStore(path, "run_a") as store:
    store.append_many(events("first", 1, 10))
    store.append_many(events("wide", 8, 8000, actor="a" * 500_000))
    store.append_many(events("large", 40, 100_000))
    with store.transaction():
        for part in range(20):
            store.append_many(events(f"part_{part}", 200, 2000))
        try:
            store.append_many(events("again", 300, 2000) + events("first", 1, 10))
        except DuplicateEventError:
            store.append_many(events("after", 3, 10))
at = "part_19_199"
copied = SQLiteEventStore.fork_run(
    path, parent_run_id="run_a", new_run_id="run_b", at_event_id=at, label=None, created_at="2026-05-15T10:32:01Z"
)
with SQLiteEventStore(path, "run_a") as store:
    store.truncate_after("large_5")
    print(copied, store.count())
"""


def test_every_way_of_writing_needs_no_directory_but_its_own(tmp_path: Path) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    command = ["unshare", "--mount", "sh", "-c", ALONE + 'exec "$2" -c "$3" "$1/a.db"', "sh", str(folder)]
    try:
        subprocess.run(["unshare", "--mount", "sh", "-c", ALONE, "sh", str(folder)], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this user may not have directories of its own")
    done = subprocess.run(
        [*command, sys.executable, WORK], capture_output=True, text=True, env={"PATH": os.environ["PATH"]}
    )

    assert (done.stdout.split(), done.stderr) == (["4049", "15"], "")
    with SQLiteEventStore(folder / "a.db", "run_b", read_only=True) as fork:
        assert is_whole(raw(fork))
