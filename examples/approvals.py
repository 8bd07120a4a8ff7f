"""A person decides: what is proposed waits in the log, across processes, until it is approved or denied."""

from __future__ import annotations

from activegraph import Event, Graph, Runtime, behavior
from activegraph.runtime.facades import BehaviorGraph, Context


@behavior(on=["goal.created"])
def clerk(event: Event, graph: BehaviorGraph, ctx: Context) -> None:
    """Small refunds at once, large ones by consent."""
    for amount in (40, 900, 5000):
        refund = {"title": f"refund {amount}", "amount": amount}
        if amount < 100:
            graph.add_object("refund", refund)
        else:
            ctx.propose_object("refund", refund, reason="above 100")


@behavior(on=["object.created"], where={"object.type": "refund"})
def payer(event: Event, graph: BehaviorGraph, ctx: Context) -> None:
    """Runs for each refund that exists, approved or not in need of it."""
    print("paid:", event.payload["object"]["data"]["amount"])


with Runtime(Graph(run_id="run_refunds"), persist_to="refunds.db") as runtime:
    runtime.run_goal("complaints")

with Runtime.load("refunds.db") as runtime:  # another process, another day
    small, large = runtime.pending_approvals()
    print("waiting:", [(each.id, each.data["amount"], each.reason) for each in (small, large)])
    refund = runtime.approve(small.id, approved_by="anna")
    runtime.deny(large.id, denied_by="anna", reason="ask the customer first")
    runtime.run_until_idle()
    print(runtime.trace.causal_chain(refund))

# Prints:
# paid: 40
# waiting: [('approval_001', 900, 'above 100'), ('approval_002', 5000, 'above 100')]
# paid: 900
# refund#2 (refund) "refund 900"
#   ← anna (evt_...) object.created
#     ← runtime (evt_...) approval.granted
#       ← clerk (evt_...) approval.proposed
#         ← user (evt_001) goal.created
