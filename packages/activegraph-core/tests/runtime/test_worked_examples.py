"""The worked examples of the specification, as promises."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from activegraph.behaviors.base import Behavior, RelationBehavior
from activegraph.core.clock import FrozenClock
from activegraph.core.event import Event
from activegraph.core.graph import Graph
from activegraph.runtime.runtime import Runtime


def plan(event: Event, graph: Any, ctx: Any) -> None:
    first = graph.add_object("task", {"title": "Look up " + event.payload["goal"], "status": "open"})
    second = graph.add_object("task", {"title": "Write it down", "status": "blocked"})
    graph.add_relation(first.id, second.id, "depends_on")


def work(event: Event, graph: Any, ctx: Any) -> None:
    graph.add_object("note", {"text": "found"})
    graph.emit("task.completed", {"task_id": event.payload["id"]})


def unblock(relation: Any, event: Event, graph: Any, ctx: Any) -> None:
    if event.payload["task_id"] == relation.source:
        graph.patch_object(relation.target, {"status": "open"})


BEHAVIORS = [
    Behavior("planner", plan, on=["goal.created"]),
    Behavior("worker", work, on=["object.created"], where={"object.type": "task", "object.data.status": "open"}),
    RelationBehavior("unblock", unblock, "depends_on", on=["task.completed"]),
]

TRACE = """\
[goal.created]            user: "prices"
[behavior.started]        planner
[object.created]          task#1 "Look up prices" (open)
[object.created]          task#2 "Write it down" (blocked)
[relation.created]        task#1 --depends_on--> task#2
[behavior.completed]      planner (2 objects, 1 relation)
[behavior.started]        worker  (matched object.created: task#1)
[object.created]          note#3 "found"
[event.emitted]           task.completed task_id=task#1
[behavior.completed]      worker
[relation_behavior.started] unblock  (matched task.completed on depends_on edge)
[patch.applied]           task#2 status: blocked -> open
[behavior.completed]      unblock
[runtime.idle]            queue empty, budget remaining
"""


def run_to_idle(path: Path | None = None, **options: Any) -> Runtime:
    runtime = Runtime(
        Graph(clock=FrozenClock()), behaviors=BEHAVIORS, persist_to=None if path is None else str(path), **options
    )
    runtime.run_goal("prices")
    return runtime


def test_a_run_prints_its_trace(capsys: pytest.CaptureFixture[str]) -> None:
    run_to_idle().print_trace()

    assert capsys.readouterr().out == TRACE


def test_ids_and_causes_follow_from_the_run() -> None:
    events = list(run_to_idle().graph.events)

    assert [e.id for e in events] == [f"evt_{n:03d}" for n in range(1, 15)]
    assert [e.caused_by for e in events] == [None, *["evt_001"] * 5, *["evt_003"] * 4, *["evt_009"] * 3, None]


def test_a_run_stopped_by_its_budget_goes_on_after_a_load(tmp_path: Path) -> None:
    whole = run_to_idle()
    stopped = run_to_idle(tmp_path / "run.db", budget={"max_behavior_calls": 1})
    assert stopped.status().state == "exhausted"
    assert stopped.status().budget.exhausted_by == "max_behavior_calls"
    stopped.close()

    loaded = Runtime.load(str(tmp_path / "run.db"), behaviors=BEHAVIORS)
    assert loaded.status().queue_depth == 3
    loaded.run_until_idle()

    assert [o.to_dict()["data"] for o in loaded.graph.all_objects()] == [
        o.to_dict()["data"] for o in whole.graph.all_objects()
    ]
    assert [o.id for o in loaded.graph.all_objects()] == ["task#1", "task#2", "note#3"]
    assert [r.id for r in loaded.graph.all_relations()] == ["rel_001"]


def test_a_fork_inside_an_invocation_leaves_out_what_it_cut_away(tmp_path: Path) -> None:
    parent = run_to_idle(tmp_path / "run.db")
    note = next(e for e in parent.graph.events if e.type == "object.created" and e.payload["id"] == "note#3")

    fork = parent.fork(note.id, label="without the end")
    fork.run_until_idle()
    difference = parent.diff(fork)

    blocked = fork.graph.get_object("task#2")
    assert blocked is not None
    assert blocked.data["status"] == "blocked"
    assert not any(e.type == "task.completed" for e in fork.graph.events)
    assert [d.summary() for d in difference.divergent_objects] == ["task#2 differs (parent v2 ↔ fork v1)"]
    assert difference.shared_events[-1].id == note.id
    assert difference.fork_only_events == []
