"""A run in which everything happens that the logs and the metrics tell of: behaviors of each kind, models and
tools that answer and that fail, a pattern, a budget.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from activegraph import FrozenClock, Graph, Runtime
from activegraph.behaviors.base import AnyBehavior, Behavior, RelationBehavior
from activegraph.behaviors.decorators import behavior
from activegraph.behaviors.registry import clear_registry, register
from activegraph.core.event import Event
from activegraph.errors import LLMBehaviorError
from activegraph.llm.behavior import LLMBehavior
from activegraph.tools.base import Tool
from support.scripted import ScriptedProvider, answer, asking

__all__ = ["RUN", "SECRET", "busy_behaviors", "busy_fork", "busy_provider", "busy_run"]

RUN = "run_busy"
SECRET = "anna@example.com"
"""Stands in the goal, in prompts, in arguments and results of tools, and in payloads."""


def busy_behaviors() -> list[AnyBehavior]:
    """`plan` and `fail`, `follow` (relation), `pair` (pattern), `asker`, `doubter` and `breaker` (models)."""
    return [
        Behavior("plan", _plan, ["goal.created"]),
        Behavior("fail", _fail, ["task.failing"]),
        RelationBehavior("follow", lambda relation, event, graph, ctx: None, "before", ["task.ready"]),
        _pair(),
        LLMBehavior(
            name="asker",
            on=["ask"],
            handler=_note,
            model="m-good",
            tools=[Tool("look", _look, cost_per_call=Decimal("0.002"))],
        ),
        LLMBehavior(name="doubter", on=["ask"], handler=_note, model="m-down"),
        LLMBehavior(
            name="breaker",
            on=["ask"],
            handler=_note,
            model="m-good",
            description="break",
            tools=[Tool("smash", _smash)],
        ),
    ]


def busy_provider() -> ScriptedProvider:
    """`m-good` asks a tool and then answers; `m-down` is down."""
    return ScriptedProvider(_reply)


def busy_run(behaviors: Sequence[AnyBehavior] | None = None, **options: Any) -> Runtime:
    """The finished run; options are those of a `Runtime`."""
    graph = Graph(run_id=RUN, clock=FrozenClock())
    budget = options.pop("budget", {"max_events": 100, "max_cost_usd": "10.00"})
    runtime = Runtime(
        graph,
        busy_behaviors() if behaviors is None else list(behaviors),
        llm_provider=busy_provider(),
        budget=budget,
        **options,
    )
    runtime.run_goal(f"Ask {SECRET}")
    return runtime


def busy_fork(parent: Runtime, **options: Any) -> Runtime:
    """The parent's goal once more, everything that was answered then from the caches."""
    fork = parent.fork("evt_001", replay_llm_cache=True, replay_tool_cache=True, **options)
    fork.run_until_idle()
    return fork


def _plan(event: Event, graph: Any, ctx: Any) -> None:
    first, second = (graph.add_object("task", {"title": title, "email": SECRET}).id for title in ("ask", "answer"))
    graph.add_relation(first, second, "before")
    graph.emit("task.ready", {"task_id": first})
    graph.emit("task.failing", {"task_id": second})
    graph.emit("ask", {"email": SECRET})


def _fail(event: Event, graph: Any, ctx: Any) -> None:
    raise ValueError(f"nobody answers as {SECRET}")


def _note(event: Event, graph: Any, ctx: Any, out: Any) -> None:
    graph.add_object("note", {"text": str(out)})


def _look(args: Any, ctx: Any) -> dict[str, Any]:
    ctx.logger.info("looking")
    return {"found": SECRET}


def _smash(args: Any, ctx: Any) -> dict[str, Any]:
    raise OSError("it is made of stone")


def _reply(**call: Any) -> Any:
    if call["model"] == "m-down":
        raise LLMBehaviorError("llm.network_error", "no route to the model", payload_extras={"model": "m-down"})
    if any(message.role == "tool" for message in call["messages"]):
        return answer("fine", model="m-good", cost_usd=Decimal("0.01"))
    tool = "smash" if "break" in call["system"] else "look"
    return asking((tool, {"email": SECRET}), model="m-good")


def _pair() -> AnyBehavior:
    kept = clear_registry()
    try:

        @behavior(name="pair", on=["relation.created"], pattern="(a:task)-[:before]->(b:task)")
        def pair(event: Any, graph: Any, ctx: Any) -> None:
            graph.emit("paired", {"email": SECRET})

        made: AnyBehavior = pair
        return made
    finally:
        clear_registry()
        for each in kept:
            register(each)
