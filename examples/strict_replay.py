"""Does today's code still do what the log says? A strict replay runs it again beside the log, and writes nothing."""

from __future__ import annotations

from activegraph import Behavior, Event, FrozenClock, Graph, ReplayDivergenceError, Runtime
from activegraph.runtime.facades import BehaviorGraph, Context


def discount(percent: int) -> Behavior:
    """A behavior that takes `percent` off each order."""

    def apply(event: Event, graph: BehaviorGraph, ctx: Context) -> None:
        order = event.payload["object"]["data"]
        graph.add_object(
            "bill", {"cents": order["cents"] * (100 - percent) // 100, "number": ctx.random.randrange(9999)}
        )

    return Behavior("discount", apply, on=["object.created"], where={"object.type": "order"})


with Runtime(Graph(run_id="run_orders", clock=FrozenClock()), [discount(10)], persist_to="orders.db") as runtime:
    runtime.graph.add_object("order", {"cents": 1000})
    runtime.run_until_idle()
    runtime.graph.add_object("order", {"cents": 2000})
    runtime.run_until_idle()

# Inputs of the host are fed in as they were recorded; random numbers and the clock come out again.
with Runtime.load("orders.db", "run_orders", behaviors=[discount(10)], replay_strict=True) as again:
    print("as recorded:", [bill.data["cents"] for bill in again.graph.objects("bill")])

try:
    Runtime.load("orders.db", "run_orders", behaviors=[discount(15)], replay_strict=True)
except ReplayDivergenceError as error:
    print(error.summary)
    print("\n".join(error.what_failed.splitlines()[:4]))

# From a shell, for behaviors in a module `shop`:
#     activegraph replay sqlite:///orders.db --run-id run_orders --strict --import shop

# Prints:
# as recorded: [900, 1800]
# replay diverged at evt_003: event payload mismatch
# Event 'evt_003' (object.created), position 3 of run 'run_orders', behavior 'discount':
# object.data.cents:
#   - 900
#   + 850
