"""What was acknowledged survives a power cut at any instant, whatever the disk had not been told to keep."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from activegraph import Runtime, behavior, clear_registry
from activegraph.errors import StoreNotFoundError
from activegraph.store import RawEvent, SQLiteEventStore, sqlite_url, verify_run
from support.logs import is_whole, raw
from support.power_cut import Recording, any_more, nothing_more, record_program, some_more

CUTS = 200 * int(os.environ.get("ACTIVEGRAPH_EXAMPLES", "1"))

BEHAVIORS = """
from activegraph import behavior

@behavior(name="planner", on=["goal.created"])
def planner(event, graph, ctx):
    for n in range(3):
        graph.add_object("task", {"n": n, "text": "x" * 1500})

@behavior(name="worker", on=["object.created"], where={"object.type": "task"})
def worker(event, graph, ctx):
    task = event.payload["object"]["id"]
    claim = graph.add_object("claim", {"of": task, "text": "y" * 700})
    graph.add_relation(claim.id, task, "about")
    graph.patch_object(task, {"done": True})
"""

PROGRAM = (
    BEHAVIORS
    + """
import os, sys
from activegraph import Graph, Runtime

folder = sys.argv[1]
marks = os.open(f"{folder}/acknowledged", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

def acknowledge(graph):
    os.write(marks, f"{graph.run_id} {len(graph.events)}\\n".encode())

def checkpoint_often(graph):
    graph.store._connection.execute("PRAGMA wal_autocheckpoint=25")

graph = Graph(run_id="run_a")
runtime = Runtime(graph, persist_to=f"sqlite:///{folder}/run.db", durability="effect")
checkpoint_often(graph)
for n in range(6):
    graph.add_object("note", {"n": n})
    acknowledge(graph)
with graph.transaction():
    for n in range(12):
        graph.add_object("note", {"n": n, "text": "z" * 300})
acknowledge(graph)
runtime.run_goal("first")
acknowledge(graph)
for n in range(4):
    graph.patch_object("note#1", {"n": 100 + n})
    acknowledge(graph)
runtime.run_until_idle()
acknowledge(graph)
runtime.save_state()
acknowledge(graph)
fork = runtime.fork("evt_010")
acknowledge(fork.graph)
fork.graph.add_object("note", {"only": "here"})
acknowledge(fork.graph)
fork.run_goal("elsewhere")
acknowledge(fork.graph)
fork.close()
runtime.close()

runtime = Runtime.load(f"sqlite:///{folder}/run.db", run_id="run_a")
graph = runtime.graph
checkpoint_often(graph)
for n in range(3):
    runtime.run_goal(f"goal {n}")
    acknowledge(graph)
    graph.remove_object(f"note#{n + 2}")
    acknowledge(graph)
runtime.close()
"""
)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    return record_program(PROGRAM, tmp_path_factory.mktemp("program"))


@pytest.fixture(scope="module")
def final(recording: Recording, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[RawEvent]]:
    """The logs of all runs as the program left them, which nothing cut off."""
    path = put_down(recording.files, tmp_path_factory.mktemp("final"))
    return {record.run_id: rows(path, record.run_id) for record in SQLiteEventStore.list_runs(path)}


def put_down(files: dict[str, bytes], folder: Path) -> Path:
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder / "run.db"


def rows(path: Path, run_id: str) -> list[RawEvent]:
    with SQLiteEventStore(path, run_id, read_only=True) as store:
        return raw(store)


def acknowledged(recording: Recording, before: int) -> dict[str, int]:
    """Events per run that somebody had been told of."""
    found: dict[str, int] = {}
    for mark in recording.marks(before):
        run_id, count = mark.split()
        found[run_id] = int(count)
    return found


def instants(recording: Recording, count: int, dice: random.Random) -> list[int]:
    """Right behind every acknowledgement, and anywhere else."""
    behind_marks = [place + 1 for place, o in enumerate(recording.operations) if o.kind == "M"]
    anywhere = [dice.randrange(len(recording.operations) + 1) for _ in range(max(0, count - len(behind_marks)))]
    return [*behind_marks, *anywhere]


def check_cut(
    files: dict[str, bytes], folder: Path, promised: dict[str, int], final: dict[str, list[RawEvent]]
) -> None:
    """Every acknowledged event is there, every log is whole, and nothing but the end can be missing."""
    folder.mkdir()
    path = put_down(files, folder)
    try:
        there = {record.run_id: rows(path, record.run_id) for record in SQLiteEventStore.list_runs(path)}
    except StoreNotFoundError:
        there = {}
    for run_id, found in there.items():
        assert is_whole(found)
        assert found == final[run_id][: len(found)]
    for run_id, count in promised.items():
        assert len(there.get(run_id, [])) >= count
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    assert before == files
    if there.get("run_a"):
        runtime = Runtime.load(path, run_id="run_a")
        runtime.run_until_idle()
        runtime.graph.add_object("note", {"after": "the cut"})
        runtime.close()
        assert verify_run(sqlite_url(path), "run_a").ok
        assert len(rows(path, "run_a")) > len(there["run_a"])
    else:
        with SQLiteEventStore(path, "run_a") as store:
            assert store.count() == 0


@pytest.fixture(autouse=True)
def same_behaviors() -> None:
    clear_registry()
    exec(compile(BEHAVIORS, "behaviors", "exec"), {"behavior": behavior})


def test_the_program_gave_the_disk_something_to_lose(recording: Recording, final: dict[str, list[RawEvent]]) -> None:
    kinds = [o.kind for o in recording.operations]
    assert kinds.count("M") == 23
    assert kinds.count("W") > 300
    assert kinds.count("U") >= 2
    assert sum(len(log) for log in final.values()) > 120
    assert any(o.kind == "W" and o.path.endswith("run.db") and o.offset > 0 for o in recording.operations)
    last = len(recording.operations)
    assert recording.after_cut(last, lambda place: True)["run.db"] == recording.files["run.db"]


@pytest.mark.parametrize("disk", ["keeps what was synced", "keeps a prefix", "keeps what it likes"])
def test_nothing_acknowledged_is_lost_at_any_cut(
    recording: Recording, final: dict[str, list[RawEvent]], tmp_path: Path, disk: str
) -> None:
    dice = random.Random(disk)
    for number, at in enumerate(instants(recording, CUTS, dice)):
        reaches: Callable[[int], bool]
        if disk == "keeps what was synced":
            reaches = nothing_more
        elif disk == "keeps a prefix":
            reaches = some_more(at, dice)
        else:
            reaches = any_more(dice)
        check_cut(recording.after_cut(at, reaches), tmp_path / str(number), acknowledged(recording, at), final)


def test_without_barriers_acknowledged_events_are_lost(tmp_path: Path) -> None:
    """The cut is real: a program that does not ask for durability loses its end."""
    program = PROGRAM.replace('durability="effect"', 'durability="os"')
    recording = record_program(program, tmp_path)
    lost = 0
    for place, o in enumerate(recording.operations[: len(recording.operations) // 3]):
        if o.kind == "M" and (promised := acknowledged(recording, place + 1)):
            folder = tmp_path / str(place)
            folder.mkdir()
            path = put_down(recording.after_cut(place + 1, nothing_more), folder)
            try:
                there = len(rows(path, "run_a"))
            except StoreNotFoundError:
                there = 0
            lost += there < promised["run_a"]
    assert lost > 0


STORE_PROGRAM = """
import os, sys
from activegraph import Event
from activegraph.store.sqlite import SQLiteEventStore

folder, synchronous, how = sys.argv[1:4]
marks = os.open(f"{folder}/acknowledged", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
store = SQLiteEventStore(f"{folder}/run.db", "run_a", synchronous=synchronous)
store._connection.execute("PRAGMA wal_autocheckpoint=15")
other = SQLiteEventStore(f"{folder}/run.db", "run_b")
other.append_many([Event(f"evt_{n}", "note.taken") for n in range(5)])
reader = SQLiteEventStore(f"{folder}/run.db", "run_b", read_only=True)
for round in range(40):
    batch = [Event(f"evt_{round}_{n}", "note.taken", {"text": "x" * 900}) for n in range(round % 3 + 1)]
    reading = other.iter_events() if round % 2 else reader.iter_events()
    next(reading)
    held = None
    if round % 5 == 0:
        held = other._connection.execute("SELECT * FROM events")
        held.fetchone()
    if how == "with-batch":
        store.append_many(batch, sync=True)
    elif how == "empty":
        store.append_many(batch)
        store.append_many([], sync=True)
    elif how == "other-handle":
        store.append_many(batch)
        other.append_many([], sync=True)
    elif how == "transaction":
        with store.transaction():
            for event in batch:
                store.append_many([event], sync=True)
    elif how == "setting":
        store.append_many(batch)
    os.write(marks, f"run_a {store.count()}\\n".encode())
    held = None
store.close()
"""


@pytest.mark.parametrize(
    ("synchronous", "how"),
    [
        ("normal", "with-batch"),
        ("normal", "empty"),
        ("normal", "other-handle"),
        ("normal", "transaction"),
        ("full", "with-batch"),
        ("full", "empty"),
        ("full", "setting"),
    ],
)
def test_a_synced_append_survives_with_all_before_it(tmp_path: Path, synchronous: str, how: str) -> None:
    recording = record_program(STORE_PROGRAM, tmp_path, synchronous, how)
    dice = random.Random(how)
    for number, at in enumerate(instants(recording, 60, dice)):
        for reaches in (nothing_more, any_more(dice)):
            folder = tmp_path / f"{number}-{reaches is nothing_more}"
            folder.mkdir()
            path = put_down(recording.after_cut(at, reaches), folder)
            try:
                found = rows(path, "run_a")
            except StoreNotFoundError:
                found = []
            assert is_whole(found)
            assert len(found) >= acknowledged(recording, at).get("run_a", 0)


FULL_PROGRAM = (
    BEHAVIORS
    + """
import os, sys
from activegraph import Graph, Runtime
from activegraph.errors import StoreUnavailableError, IncompatibleRuntimeState

folder = sys.argv[1]
marks = os.open(f"{folder}/acknowledged", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
graph = None
try:
    graph = Graph(run_id="run_a")
    runtime = Runtime(graph, persist_to=f"sqlite:///{folder}/run.db")
    for n in range(1000):
        runtime.run_goal(f"goal {n}")
        os.write(marks, f"run_a {len(graph.events)}\\n".encode())
except StoreUnavailableError as error:
    print(error.context["reason"], error.context["committed"])
    if graph is not None and graph.store is not None:
        print(runtime.status().state)
        try:
            graph.add_object("note", {})
        except IncompatibleRuntimeState as refusal:
            print("refused", type(refusal.__cause__).__name__ if refusal.__cause__ else "")
sys.stdout.flush()
os._exit(0)
"""
)


@pytest.mark.parametrize("space", [200_000, 260_001, 333_333, 500_000])
def test_a_full_disk_stops_the_run_and_loses_nothing(tmp_path: Path, space: int) -> None:
    recording = record_program(FULL_PROGRAM, tmp_path, space=space)
    lines = recording.output.split("\n")
    assert lines[0] == "full False"
    assert lines[1] == "stopped"
    assert lines[2].startswith("refused")

    folder = tmp_path / "after"
    folder.mkdir()
    files = {
        name: data for name, data in recording.files.items() if not name.endswith("-shm") and name != "acknowledged"
    }
    path = put_down(files, folder)
    found = rows(path, "run_a")
    assert is_whole(found)
    assert len(found) >= acknowledged(recording, len(recording.operations))["run_a"]
    runtime = Runtime.load(path, run_id="run_a")
    runtime.run_until_idle()
    runtime.close()
    assert verify_run(sqlite_url(path)).ok
