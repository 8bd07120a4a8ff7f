"""A behavior on a pattern: it runs when a shape appears in the graph, whoever completed it."""

from __future__ import annotations

from activegraph import Event, Graph, Runtime, behavior
from activegraph.runtime.facades import BehaviorGraph, Context


@behavior(
    on=["object.created", "relation.created", "patch.applied"],
    pattern="(claim:claim)<-[:contradicts]-(proof:evidence) WHERE proof.weight > 0.5 AND claim.status = 'believed'",
)
def doubter(event: Event, graph: BehaviorGraph, ctx: Context) -> None:
    """`new_matches` are those that the event completed; each gives the ids of its nodes."""
    for match in ctx.new_matches:
        graph.patch_object(match["claim"], {"status": "doubted because of " + match["proof"]})


@behavior(
    on=["object.created", "relation.created"],
    pattern="(claim:claim) WHERE NOT EXISTS { (claim)<-[:supports]-(:evidence) }",
)
def asker(event: Event, graph: BehaviorGraph, ctx: Context) -> None:
    """A pattern may also say what must not be there; `matches` are all that hold now."""
    graph.emit("proof.wanted", {"claims": [match["claim"] for match in ctx.matches]})


runtime = Runtime(Graph())
graph = runtime.graph
for title in ("the disk is full", "a backup ran"):
    graph.add_object("claim", {"title": title, "status": "believed"})
runtime.run_until_idle()

proof = graph.add_object("evidence", {"title": "df shows 20 % used", "weight": 0.9})
graph.add_relation(proof.id, "claim#1", "contradicts")
graph.add_relation(proof.id, "claim#2", "supports")
runtime.run_until_idle()

print([claim.data["status"] for claim in graph.objects("claim")])
print([event.payload["claims"] for event in graph.events if event.type == "proof.wanted"][-1])

# Prints:
# ['doubted because of evidence#3', 'believed']
# ['claim#1']
