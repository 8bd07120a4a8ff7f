"""A delay, counted in events and not in time, so that a replay waits exactly as long as the run did."""

from __future__ import annotations

from activegraph import Event, Graph, Runtime, behavior
from activegraph.runtime.facades import BehaviorGraph, Context


@behavior(on=["object.created"], where={"object.type": "question", "object.data.status": "open"}, activate_after=3)
def nagger(event: Event, graph: BehaviorGraph, ctx: Context) -> None:
    """When the delay is over, `where` is looked at again: a question that was answered meanwhile is left alone."""
    graph.add_object("reminder", {"title": "still open: " + event.payload["object"]["data"]["title"]})


@behavior(on=["answer.given"])
def listener(event: Event, graph: BehaviorGraph, ctx: Context) -> None:
    """Closes the question that was answered."""
    graph.patch_object(event.payload["question"], {"status": "closed"})


runtime = Runtime(Graph())
for title in ("who?", "why?"):
    runtime.graph.add_object("question", {"title": title, "status": "open"})
runtime.run_until_idle()
print("waiting alone keeps no run busy:", runtime.status().state)

runtime.graph.emit(Event(runtime.graph.ids.event(), "answer.given", {"question": "question#1"}))
runtime.run_goal("think")
runtime.run_goal("think again")
print([reminder.data["title"] for reminder in runtime.graph.objects("reminder")])

# Prints:
# waiting alone keeps no run busy: idle
# ['still open: why?']
