"""Behaviors react to events, and what they change are the events that others react to."""

from __future__ import annotations

from activegraph import Event, Graph, Runtime, behavior
from activegraph.runtime.facades import BehaviorGraph, Context


@behavior(on=["goal.created"])
def reader(event: Event, graph: BehaviorGraph, ctx: Context) -> None:
    """One task for each word of the goal."""
    for word in event.payload["goal"].split():
        graph.add_object("task", {"title": word, "status": "open"})


@behavior(on=["object.created"], where={"object.type": "task", "object.data.title": {"!=": "skip"}})
def worker(event: Event, graph: BehaviorGraph, ctx: Context) -> None:
    """`where` is a condition on the event; its entries must all hold."""
    graph.patch_object(event.payload["id"], {"status": "done"})
    graph.emit("task.done", {"title": event.payload["object"]["data"]["title"]})


@behavior(on=["task.done"])
def counter(event: Event, graph: BehaviorGraph, ctx: Context) -> None:
    """Its turn comes when both tasks are done: events are handled in the order of the log."""
    done = ctx.view.objects("task", where={"data.status": "done"})
    graph.add_object("note", {"title": f"{event.payload['title']}: {len(done)} done"})


runtime = Runtime(Graph())
runtime.run_goal("pick skip send")
runtime.print_trace()
runtime.print_graph()

# Prints:
# [goal.created]            user: "pick skip send"
# [behavior.started]        reader
# [object.created]          task#1 "pick" (open)
# ...
# graph:
#   objects (5):
#     task#1 "pick" (done)
#     task#2 "skip" (open)
#     task#3 "send" (done)
#     note#4 "pick: 2 done"
#     note#5 "send: 2 done"
#   relations (0):
