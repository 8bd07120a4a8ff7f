"""A run that feeds itself, and the limits that stop it. With more budget it goes on where it stopped."""

from __future__ import annotations

from activegraph import Budget, Event, Graph, Runtime, behavior
from activegraph.runtime.facades import BehaviorGraph, Context


@behavior(on=["goal.created", "page.found"])
def crawler(event: Event, graph: BehaviorGraph, ctx: Context) -> None:
    """Every page leads to two more."""
    page = graph.add_object("page", {"n": len(ctx.view.objects("page"))})
    for side in ("left", "right"):
        graph.emit("page.found", {"from": page.id, "side": side})


runtime = Runtime(Graph(run_id="run_crawl"), budget={"max_behavior_calls": 10}, persist_to="crawl.db")
runtime.run_goal("read everything")
print(runtime.status().state, runtime.status().budget.exhausted_by, len(runtime.graph.objects("page")))

runtime.budget = Budget({"max_depth": 5})  # a chain of causes may be five events long
runtime.run_until_idle()
print(runtime.status().state, runtime.status().budget.exhausted_by, len(runtime.graph.objects("page")))
runtime.close()

# A process that is started again counts from zero; with `carry_over` it counts what the log has recorded.
with Runtime.load("crawl.db", budget=Budget({"max_behavior_calls": 35}, carry_over=True)) as again:
    print("used so far:", again.budget.used["max_behavior_calls"])
    again.run_until_idle()
    print(again.status().state, len(again.graph.objects("page")))

# Prints:
# exhausted max_behavior_calls 10
# exhausted max_depth 31
# used so far: 31.0
# exhausted 35
