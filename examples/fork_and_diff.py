"""What would have happened otherwise? A fork shares a run's events up to one of them; a diff tells what came of it."""

from __future__ import annotations

from activegraph import Behavior, Event, Graph, Runtime
from activegraph.runtime.facades import BehaviorGraph, Context


def judge(limit: int) -> Behavior:
    """A behavior that accepts offers up to `limit`."""

    def decide(event: Event, graph: BehaviorGraph, ctx: Context) -> None:
        offer = event.payload["object"]
        graph.patch_object(offer["id"], {"status": "taken" if offer["data"]["price"] <= limit else "refused"})

    return Behavior("judge", decide, on=["object.created"], where={"object.type": "offer"})


run = Runtime(Graph(run_id="run_offers"), [judge(100)], persist_to="offers.db")
with run.graph.transaction():
    for price in (80, 120, 150):
        run.graph.add_object("offer", {"title": f"offer {price}", "price": price, "status": "open"})
before = run.graph.events[-1].id
run.run_until_idle()
print("limit 100:", [offer.data["status"] for offer in run.graph.objects("offer")])

fork = run.fork(before, label="generous", behaviors=[judge(130)])
fork.run_until_idle()
print("limit 130:", [offer.data["status"] for offer in fork.graph.objects("offer")])

difference = run.diff(fork)
print(len(difference.shared_events), "events shared")
for divergent in difference.divergent_objects:
    print(divergent.summary())

# The parent is untouched, and a fork can be forked again.
second = fork.fork(before, label="mean", behaviors=[judge(0)])
second.run_until_idle()
print("limit 0:  ", [offer.data["status"] for offer in second.graph.objects("offer")])
for runtime in (second, fork, run):
    runtime.close()

# Prints:
# limit 100: ['taken', 'refused', 'refused']
# limit 130: ['taken', 'taken', 'refused']
# 4 events shared
# offer#2 differs (parent v2 ↔ fork v2)
# limit 0:   ['refused', 'refused', 'refused']
