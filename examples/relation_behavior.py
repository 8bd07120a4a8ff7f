"""A behavior along relations: when a task is done, whatever waits for it is opened."""

from __future__ import annotations

from itertools import pairwise

from activegraph import Event, Graph, Relation, Runtime, behavior, relation_behavior
from activegraph.runtime.facades import BehaviorGraph, Context


@behavior(on=["goal.created"])
def planner(event: Event, graph: BehaviorGraph, ctx: Context) -> None:
    """Pick, pack and send, each after the one before."""
    tasks = [graph.add_object("task", {"title": title, "status": "waiting"}) for title in ("pick", "pack", "send")]
    for before, after in pairwise(tasks):
        graph.add_relation(before.id, after.id, "before")
    graph.patch_object(tasks[0].id, {"status": "open"})


@behavior(on=["patch.applied"], where={"diff.status.new": "open"})
def worker(event: Event, graph: BehaviorGraph, ctx: Context) -> None:
    """Whatever is open is done."""
    graph.patch_object(event.payload["target"], {"status": "done"})
    graph.emit("task.done", {"task": event.payload["target"]})


@relation_behavior("before", on=["task.done"])
def opener(relation: Relation, event: Event, graph: BehaviorGraph, ctx: Context) -> None:
    """Called once for each relation `before` that has the task at one of its ends."""
    if event.payload["task"] == relation.source:
        graph.patch_object(relation.target, {"status": "open"})


runtime = Runtime(Graph())
runtime.run_goal("an order")
for event in runtime.graph.events:
    if event.type == "patch.applied":
        print(event.actor, event.payload["target"], event.payload["diff"]["status"]["new"])

# Prints:
# planner task#1 open
# worker task#1 done
# opener task#2 open
# worker task#2 done
# opener task#3 open
# worker task#3 done
