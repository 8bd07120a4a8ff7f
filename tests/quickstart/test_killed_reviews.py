"""A review that is killed at any moment and started again ends with the log and the text of one that was not."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from activegraph.core.event import Event
from activegraph.packs.incident_review import load_recording
from activegraph.store import list_runs, open_store, sqlite_url
from support.cli import process
from support.equal_logs import essences
from support.model_review import REVIEW
from support.model_server import Cut, ModelServer, Reply, Request
from support.sampling import by_scale
from support.server_logs import error, write_log

LONG_RUN = int(os.environ.get("ACTIVEGRAPH_EXAMPLES", "1"))
"""Factor for the number of moments tried from outside; above 1, every commit of the longer reviews is tried too."""

# One process forks a child for each moment: the imports are paid for once.
SWEEP = r"""
import os, signal, sys
from pathlib import Path
from activegraph.cli.quickstart import review_file, run_fixture_mode
from activegraph.store.sqlite import SQLiteEventStore

log, folder, step = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
append_many = SQLiteEventStore.append_many

def killing(moment, place):
    left = place
    def append(self, *arguments, **options):
        nonlocal left
        left -= 1
        if left == 0 and moment == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        done = append_many(self, *arguments, **options)
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return done
    return append

def in_child(database, text, append):
    child = os.fork()
    if child == 0:
        SQLiteEventStore.append_many = append
        with open(text, "w") as stream:
            if log.name == "recordings":
                code = run_fixture_mode(stream, database)
            else:
                code = review_file(log, db_path=database, stream=stream)
        os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

for moment in ("before", "after"):
    for place in range(1, 1000, step):
        database = folder / f"{moment}_{place}.db"
        killed = in_child(database, folder / "lost.txt", killing(moment, place))
        again = in_child(database, database.with_suffix(".txt"), append_many)
        print(moment, place, killed, again, flush=True)
        if killed == 0:
            break
"""


def sweep(log: Path, folder: Path, step: int) -> Iterator[tuple[Path, bool]]:
    """The database of each moment at which a review was killed, and whether it was."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    told = subprocess.run(
        [sys.executable, "-c", SWEEP, str(log), str(folder), str(step)],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
        env=environment,
    )
    for line in told.stdout.splitlines():
        moment, place, killed, again = line.split()
        assert (int(killed), int(again)) in ((-signal.SIGKILL, 0), (0, 0)), line
        yield folder / f"{moment}_{place}.db", int(killed) != 0


def only_run(database: Path) -> tuple[str, list[Event]]:
    (record,) = list_runs(sqlite_url(database))
    with open_store(sqlite_url(database), record.run_id, read_only=True) as store:  # type: ignore[attr-defined]
        return record.run_id, list(store.iter_events())


def text_of(database: Path) -> str:
    run_id, _ = only_run(database)
    return database.with_suffix(".txt").read_text().replace(run_id, "RUN").replace(str(database), "DATABASE")


def used(database: Path) -> dict[str, float]:
    """What the run says at its end that it has used of its budget."""
    used = only_run(database)[1][-1].payload["snapshot"]["used"]
    return {name: amount for name, amount in used.items() if name != "max_seconds"}


@pytest.fixture
def several_incidents(tmp_path: Path) -> Path:
    """A log with three incidents, one of which no rule knows, and rubbish between."""
    lines = [
        error("40P01", "deadlock detected", seconds=0),
        b"rubbish",
        error("P0001", "the shop is closed", seconds=1000),
        error("53300", "sorry, too many clients already", seconds=2000),
        error("57014", "canceling statement due to statement timeout", seconds=2001),
        b"more rubbish",
    ]
    return write_log(tmp_path / "server.json", lines)


STEPS = by_scale(
    {"one recording": 3, "three recordings": 37, "a log of one's own": 1},
    small={"one recording": 11, "a log of one's own": 4},
    full={"one recording": 1, "three recordings": 1, "a log of one's own": 1},
)
"""The logs that are reviewed, and which commits the process is killed at: every one, or every so many."""


@pytest.mark.parametrize("what", STEPS)
def test_killed_at_any_commit_and_started_again_it_asks_nothing_twice(
    tmp_path: Path, several_incidents: Path, what: str
) -> None:
    logs = {
        "one recording": load_recording("crash_recovery").log,
        "three recordings": Path("recordings"),
        "a log of one's own": several_incidents,
    }
    moments = list(sweep(logs[what], tmp_path, STEPS[what] if LONG_RUN == 1 else 1))

    (undisturbed, *_) = [database for database, killed in moments if not killed]
    expected, text = essences(only_run(undisturbed)[1]), text_of(undisturbed)
    assert len(moments) > 10
    assert sum(1 for _, killed in moments if not killed) == 2
    for database, _ in moments:
        assert essences(only_run(database)[1]) == expected, database
        assert text_of(database) == text, database
        if what == "three recordings":
            assert used(database) == used(undisturbed), database


def test_killed_from_outside_at_any_time_it_ends_the_same(tmp_path: Path, several_incidents: Path) -> None:
    command = [sys.executable, "-m", "activegraph", "quickstart", "--input", str(several_incidents), "--db"]
    began = time.monotonic()
    whole = process(*command[3:], str(tmp_path / "whole.db"))
    usual_seconds = time.monotonic() - began
    moments = random.Random(7)

    for attempt in range(2 * LONG_RUN):
        database = tmp_path / f"{attempt}.db"
        for _ in range(5):
            running = subprocess.Popen([*command, str(database)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                running.wait(moments.uniform(0.3, 1.0) * usual_seconds)
            except subprocess.TimeoutExpired:
                running.kill()
                running.wait()
        said = process(*command[3:], str(database))

        assert said.code == 0
        run_id, events = only_run(database)
        whole_id, whole_events = only_run(tmp_path / "whole.db")
        assert essences(events) == essences(whole_events)
        shown = said.out.replace(run_id, "RUN").replace(database.name, "DATABASE")
        assert shown == whole.out.replace(whole_id, "RUN").replace("whole.db", "DATABASE")


def test_of_two_reviews_of_one_log_at_once_the_log_stays_whole(tmp_path: Path, several_incidents: Path) -> None:
    arguments = ["quickstart", "--input", str(several_incidents), "--db", str(tmp_path / "shared.db")]
    command = [sys.executable, "-m", "activegraph", *arguments]

    running = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(2)]
    said = [each.communicate(timeout=60) for each in running]

    for each, (_, stderr) in zip(running, said, strict=True):
        assert each.returncode == 0 or b"ConcurrentWriterError" in stderr
    again = process(*arguments)
    assert again.code == 0
    # Both may have begun before either had recorded anything; then there are two whole runs.
    logs = []
    for record in list_runs(sqlite_url(tmp_path / "shared.db")):
        with open_store(sqlite_url(tmp_path / "shared.db"), record.run_id, read_only=True) as store:  # type: ignore[attr-defined]
            logs.append(essences(store.iter_events()))
    assert all(log == logs[0] for log in logs)
    assert [event[1] for event in max(logs, key=len)][-2:] == ["review.finished", "runtime.idle"]


class DeadlyServer(ModelServer):
    """A model's service in front of which the client is killed, at one of its requests."""

    def __init__(self, deadly: int) -> None:
        super().__init__("sk-test")
        self.deadly = deadly
        self.client: subprocess.Popen[bytes] | None = None

    def reply_to(self, request: Request) -> Reply:
        reply = super().reply_to(request)
        if len(self.requests) == self.deadly and self.client is not None:
            self.client.kill()
            self.client.wait()
            self._replies.appendleft(reply)
            return Cut()
        return reply


@pytest.mark.parametrize("deadly", by_scale([1, 4, 7, 11], small=[4], full=[1, 4, 7, 11]))
def test_killed_while_a_model_is_asked_it_pays_for_no_other_answer_again(tmp_path: Path, deadly: int) -> None:
    log = write_log(tmp_path / "server.json", [error("53300", "sorry, too many clients already")])
    arguments = ["quickstart", "--input", str(log), "--db", str(tmp_path / "shop.db"), "--model", "claude-test-1"]
    with DeadlyServer(deadly) as server:
        environment = {**os.environ, "ANTHROPIC_BASE_URL": server.anthropic_url, "ANTHROPIC_API_KEY": "sk-test"}
        server.replies(*REVIEW)
        server.client = subprocess.Popen([sys.executable, "-m", "activegraph", *arguments], env=environment)
        assert server.client.wait(60) == -signal.SIGKILL

        said = process(*arguments, environment=environment)

    assert said.code == 0, said.err
    assert "     Pool them. (line 1)" in said.lines
    assert len(server.requests) == len(REVIEW) + 1
    _, events = only_run(tmp_path / "shop.db")
    assert sum(event.type == "llm.responded" for event in events) == len(REVIEW)
    assert events[-1].type == "runtime.idle"
