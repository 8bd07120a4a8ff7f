"""What a behavior sees: the neighbourhood of its event, some types, the last events. Fixed at the call."""

from __future__ import annotations

from activegraph import Event, Graph, Runtime, behavior
from activegraph.runtime.facades import BehaviorGraph, Context


@behavior(
    on=["object.created"],
    where={"object.type": "alarm"},
    view={
        "around": "event.payload.object.data.host",
        "depth": 1,
        "include_types": ["host", "service"],
        "recent_events": 2,
    },
)
def near(event: Event, graph: BehaviorGraph, ctx: Context) -> None:
    """One step around the host of the alarm."""
    print("near:", [each.id for each in ctx.view.objects()], "and", len(ctx.view.events()), "events")


@behavior(on=["object.created"], where={"object.type": "alarm"})
def whole(event: Event, graph: BehaviorGraph, ctx: Context) -> None:
    """Without a spec: all of the graph. What the behavior adds itself is not in its view."""
    graph.add_object("ticket", {"about": event.payload["id"]})
    print("whole:", len(ctx.view.objects()), "objects, tickets:", ctx.view.objects("ticket"))
    print("web, by name:", [each.id for each in ctx.view.objects("service", where={"data.name": "web"})])


runtime = Runtime(Graph())
graph = runtime.graph
hosts = [graph.add_object("host", {"name": name}) for name in ("db1", "app1")]
for name, host in (("postgres", hosts[0]), ("web", hosts[1]), ("worker", hosts[1])):
    service = graph.add_object("service", {"name": name})
    graph.add_relation(service.id, host.id, "runs_on")
graph.add_object("alarm", {"host": hosts[1].id})
runtime.run_until_idle()

# Prints:
# near: ['host#2', 'service#4', 'service#5'] and 2 events
# whole: 6 objects, tickets: []
# web, by name: ['service#4']
