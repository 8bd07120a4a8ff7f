"""A run that pays for calls in every way there is: tools, retries, failures, delays and patterns.

Its model and its tools answer by what they are asked, so a run that was killed anywhere can be
finished by another process; and each call is noted in a book that outlives them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from activegraph.behaviors.base import Behavior, RelationBehavior
from activegraph.core.clock import FrozenClock
from activegraph.core.event import Event
from activegraph.core.graph import Graph
from activegraph.errors import LLMBehaviorError, RunNotFoundError, StoreNotFoundError
from activegraph.llm.behavior import LLMBehavior
from activegraph.runtime.patterns import parse
from activegraph.runtime.runtime import Runtime
from activegraph.store import open_store
from activegraph.tools.base import Tool
from pydantic import BaseModel
from support.killed import KILLED
from support.scripted import CallBook, ScriptedProvider, answer, asking

__all__ = ["RUN", "Killer", "Model", "behaviors", "log_of", "opened", "replayed_strictly", "to_the_end", "tools"]

RUN = "run_1"


class Query(BaseModel):
    task: str
    depth: int = 1


class Report(BaseModel):
    lines: list[str]


class Killer:
    """Ends the process at its call number `at`, counted over models and tools; 0 for never."""

    def __init__(self, book: CallBook, at: int = 0, *, after: bool = False) -> None:
        self.book = book
        self._at = at
        self._after = after
        self._calls = 0

    def __call__(self, *words: str) -> None:
        self._calls += 1
        if self._calls == self._at and not self._after:
            os._exit(KILLED)
        self.book.note(*words)
        if self._calls == self._at:
            os._exit(KILLED)


class Model(ScriptedProvider):
    """Answers by what it is asked: a reporter asks for two tools first, a second attempt succeeds where the first fails."""

    def __init__(self, killer: Killer, graph: Callable[[], Graph]) -> None:
        super().__init__()
        self._killer = killer
        self._graph = graph

    def complete(self, **call: Any) -> Any:
        self._killer("model", call["idempotency_key"])
        if '"hopeless"' in call["system"]:
            raise LLMBehaviorError("llm.rate_limited", "never")
        if '"flaky"' in call["system"]:
            asked = [event for event in self._graph().events if event.type == "llm.requested"]
            if "retry_of" not in asked[-1].payload:
                raise ConnectionError("try again")
            return answer("at last")
        turn = sum(message.role == "assistant" for message in call["messages"])
        if '"careless"' in call["system"]:
            return asking(("breaks", {}))
        if turn == 0 and '"matcher"' not in call["system"]:
            return asking(("look", {"task": "a"}), ("look", {"task": "b", "depth": 2}), text="looking")
        if turn < 2 and call["messages"][-1].tool_name != "price":
            return asking(("price", {"of": len(call["messages"])}))
        return answer("{}", parsed=Report(lines=[m.content for m in call["messages"] if m.role == "tool"]))


def tools(killer: Killer, **fields: Any) -> list[Tool]:
    def look(args: Query, ctx: Any) -> dict[str, Any]:
        killer("look", ctx.idempotency_key)
        return {"task": args.task, "found": args.depth * [1.5]}

    def price(args: dict[str, Any], ctx: Any) -> str:
        killer("price", ctx.idempotency_key)
        return f"{args['of']} \u20ac"

    def breaks(args: Any, ctx: Any) -> None:
        killer("breaks", ctx.idempotency_key)
        raise OSError("no such host")

    return [
        Tool("look", look, input_schema=Query, cost_per_call="0.001"),
        Tool("price", price, **fields),
        Tool("breaks", breaks),
    ]


def behaviors() -> list[Behavior | RelationBehavior]:
    """Every way in which a model is asked, with something behind each answer."""

    def plan(event: Event, graph: Any, ctx: Any) -> None:
        first, second = graph.add_object("task", {"n": 1}), graph.add_object("task", {"n": 2})
        graph.add_relation(first.id, second.id, "before")

    def report(event: Event, graph: Any, ctx: Any, out: Report) -> None:
        made = graph.add_object("report", {"lines": out.lines, "luck": ctx.random.random()})
        graph.add_relation(made.id, event.payload["id"], "about")
        ctx.propose_object("memo", {"about": made.id}, reason="please")

    def keep(event: Event, graph: Any, ctx: Any, out: str) -> None:
        graph.emit("kept", {"text": out, "by": event.type, "matches": len(ctx.matches)})

    def hear(event: Event, graph: Any, ctx: Any) -> None:
        graph.emit("heard", {"of": event.payload["tool"], "output": event.payload["output"]})

    pattern = "(a:task)-[:before]->(b:task)"
    return [
        Behavior("planner", plan, on=["goal.created"]),
        LLMBehavior(
            "reporter",
            handler=report,
            output_schema=Report,
            tools=["look", "price"],
            on=["object.created"],
            where={"object.type": "task", "object.data.n": 1},
        ),
        LLMBehavior("flaky", handler=keep, on=["relation.created"], where={"relation.type": "before"}),
        LLMBehavior("hopeless", handler=keep, on=["relation.created"], where={"relation.type": "before"}),
        LLMBehavior(
            "careless",
            handler=keep,
            tools=["breaks"],
            activate_after=2,
            on=["object.created"],
            where={"object.type": "task", "object.data.n": 2},
        ),
        LLMBehavior(
            "matcher",
            handler=keep,
            on=["kept"],
            where={"by": "relation.created"},
            pattern=pattern,
            pattern_matcher=parse(pattern).compile(),
            tools=["look", "price"],
        ),
        Behavior("listener", hear, on=["tool.responded"]),
    ]


def to_the_end(url: str, book: CallBook, at: int = 0, *, after: bool = False, **fields: Any) -> None:
    """Begin the run, or go on with it, until it is idle; ends itself at a call where one is given."""
    runtime = opened(url, book, at, after=after, **fields)
    if runtime.status().events_processed:
        runtime.run_until_idle()
    else:
        runtime.run_goal("report")
    runtime.close()


def opened(url: str, book: CallBook, at: int = 0, *, after: bool = False, **fields: Any) -> Runtime:
    """The run, begun or loaded.

    Args:
        fields: Of the tool `price`.
    """
    killer, runtimes = Killer(book, at, after=after), list[Runtime]()
    options: dict[str, Any] = {
        "behaviors": behaviors(),
        "llm_provider": Model(killer, lambda: runtimes[0].graph),
        "tools": tools(killer, **fields),
        "llm_retry_max_attempts": 2,
    }
    try:
        runtimes.append(Runtime.load(url, RUN, clock=FrozenClock(), **options))
    except (StoreNotFoundError, RunNotFoundError):
        runtimes.append(Runtime(Graph(run_id=RUN, clock=FrozenClock()), persist_to=url, **options))
    return runtimes[0]


def replayed_strictly(url: str) -> None:
    """Execute the run again beside its log, without a provider and with tools that must not be called."""

    class Uncalled(Killer):
        def __call__(self, *words: str) -> None:
            raise AssertionError(f"called: {words}")

    unused = Uncalled(CallBook(Path(os.devnull)))
    Runtime.load(url, RUN, behaviors=behaviors(), tools=tools(unused), replay_strict=True).close()


def log_of(url: str) -> list[Event]:
    with open_store(url, RUN, read_only=True) as store:  # type: ignore[attr-defined]  # stores are context managers
        return list(store.iter_events())
