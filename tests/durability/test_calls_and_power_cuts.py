"""A power cut while somebody is paid: the request is on the disk before its call, the answer before its use."""

from __future__ import annotations

from pathlib import Path

from activegraph.errors import StoreNotFoundError
from activegraph.store import SQLiteEventStore
from support.power_cut import Recording, nothing_more, record_program

PROGRAM = """
import os, sys
from activegraph import Graph, LLMBehavior, Runtime, Tool
sys.path.insert(0, sys.argv[2])
from support.scripted import ScriptedProvider, answer, asking

folder = sys.argv[1]
marks = os.open(f"{folder}/acknowledged", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

def mark(what):
    os.write(marks, f"{what} {graph._log.head}\\n".encode())

def note(event, graph, ctx, out):
    mark("used")
    graph.add_object("note", {"text": out})

def look(args, ctx):
    mark("tool")
    return {"seen": "x" * 700}

provider = ScriptedProvider(asking(("look", {"n": 1}), ("look", {"n": 2})), asking(("look", {"n": 3})), answer("done"))
provider.before = lambda: mark("model")
graph = Graph(run_id="run_a")
asker = LLMBehavior("asker", on=["goal.created"], handler=note, tools=[Tool("look", look)])
runtime = Runtime(
    graph, [asker], llm_provider=provider, persist_to=f"sqlite:///{folder}/run.db", durability="effect"
)
graph.store._connection.execute("PRAGMA wal_autocheckpoint=9")
for n in range(3):
    provider.calls.clear()
    runtime.run_goal(f"goal {n}")
runtime.close()
"""

TESTS = str(Path(__file__).parents[1])


def kept_behind_each_mark(recording: Recording, folder: Path) -> list[tuple[str, int, int]]:
    """For each call and each use: what it was, how many events it stood on, and how many a cut right then leaves."""
    found: list[tuple[str, int, int]] = []
    for place, operation in enumerate(recording.operations):
        if operation.kind != "M":
            continue
        what, stood_on = recording.marks(place + 1)[-1].split()
        left = folder / str(place)
        left.mkdir()
        for name, content in recording.after_cut(place + 1, nothing_more).items():
            (left / name).write_bytes(content)
        try:
            with SQLiteEventStore(left / "run.db", "run_a", read_only=True) as store:
                found.append((what, int(stood_on), store.count()))
        except StoreNotFoundError:
            found.append((what, int(stood_on), 0))
    return found


def test_no_call_is_made_and_no_answer_used_that_a_power_cut_could_take_back(tmp_path: Path) -> None:
    recording = record_program(PROGRAM, tmp_path, TESTS)
    found = kept_behind_each_mark(recording, tmp_path)

    assert [what for what, _, _ in found] == ["model", "tool", "tool", "model", "tool", "model", "used"] * 3
    assert all(kept >= stood_on for _, stood_on, kept in found)


def test_without_barriers_calls_are_made_that_nobody_would_know_of(tmp_path: Path) -> None:
    recording = record_program(PROGRAM.replace('durability="effect"', 'durability="os"'), tmp_path, TESTS)

    assert any(kept < stood_on for _, stood_on, kept in kept_behind_each_mark(recording, tmp_path))
