"""Runs whose every observation is known: behaviors of each kind, calls that are answered, cached, asked again and failed.

Time stands still and nobody outside is asked, so the same runs give the same logs and the same counts
on every machine.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from activegraph.behaviors.base import AnyBehavior, Behavior, RelationBehavior
from activegraph.core.clock import FrozenClock
from activegraph.core.event import Event
from activegraph.core.graph import Graph
from activegraph.errors import LLMBehaviorError, ReplayDivergenceError
from activegraph.llm.behavior import LLMBehavior
from activegraph.llm.cache import LLMCache
from activegraph.llm.types import LLMResponse, ToolCall
from activegraph.metrics import Metrics
from activegraph.runtime.loading import load_run
from activegraph.runtime.runtime import Runtime
from activegraph.runtime.starting import resume_engine
from activegraph.store.memory import InMemoryEventStore
from activegraph.tools.base import Tool
from activegraph.tools.cache import ToolCache

__all__ = ["CALLS", "COST_LEFT", "COUNTERS", "HISTOGRAMS", "SAID", "Key", "run_behaviors", "run_everything"]

SAID = "what only payloads, prompts and messages may hold"
"""Stands in goals, arguments, answers and error messages; no tag may hold it."""

_MODEL = "model-a"


def _tags(**tags: str) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(tags.items()))


Key = tuple[str, tuple[tuple[str, str], ...]]

COUNTERS: dict[Key, float] = {
    **{("behaviors_invoked_total", _tags(behavior=name)): 1 for name in ("make", "pair", "fail", "follow")},
    ("behaviors_invoked_total", _tags(behavior="asker")): 10,
    ("behaviors_failed_total", _tags(behavior="fail", reason="exception.ValueError")): 1,
    ("behaviors_failed_total", _tags(behavior="asker", reason="tool.execution_error")): 1,
    ("behaviors_failed_total", _tags(behavior="asker", reason="tool.unknown_tool")): 2,
    ("behaviors_failed_total", _tags(behavior="asker", reason="llm.schema_violation")): 1,
    ("behaviors_failed_total", _tags(behavior="asker", reason="llm.parse_error")): 1,
    ("behaviors_failed_total", _tags(behavior="asker", reason="llm.network_error")): 1,
    ("behaviors_failed_total", _tags(behavior="asker", reason="budget.cost_exhausted")): 1,
    ("llm_calls_total", _tags(model=_MODEL)): 11,
    ("llm_cache_hits_total", _tags(model=_MODEL)): 2,
    ("llm_failed_total", _tags(model=_MODEL, reason="llm.rate_limited")): 1,
    ("llm_failed_total", _tags(model=_MODEL, reason="llm.schema_violation")): 1,
    ("llm_failed_total", _tags(model=_MODEL, reason="llm.parse_error")): 1,
    ("llm_failed_total", _tags(model=_MODEL, reason="llm.network_error")): 1,
    ("tools_calls_total", _tags(tool="look")): 2,
    ("tools_calls_total", _tags(tool="break")): 1,
    ("tools_cache_hits_total", _tags(tool="look")): 1,
    ("tools_failed_total", _tags(tool="break", reason="tool.execution_error")): 1,
    ("tools_failed_total", _tags(tool="unknown", reason="tool.unknown_tool")): 1,
    ("tools_failed_total", _tags(tool="elsewhere", reason="tool.unknown_tool")): 1,
    ("patterns_evaluated_total", ()): 2,
    ("replay_divergence_detected_total", _tags(reason="prompt_hash_mismatch")): 1,
}
"""What the counters of `run_everything` add up to, less the events, which the logs count; names without `activegraph_`."""

HISTOGRAMS: dict[Key, tuple[int, float | None]] = {
    **{("behaviors_duration_seconds", _tags(behavior=name)): (1, 0.0) for name in ("make", "pair", "fail", "follow")},
    ("behaviors_duration_seconds", _tags(behavior="asker")): (9, 0.0),
    ("llm_tokens_in", _tags(model=_MODEL)): (6, 60.0),
    ("llm_tokens_out", _tags(model=_MODEL)): (6, 30.0),
    ("llm_cost_usd", _tags(model=_MODEL)): (7, 0.512),
    ("tools_duration_seconds", _tags(tool="look")): (1, 0.0),
    ("tools_duration_seconds", _tags(tool="break")): (1, 0.0),
    ("patterns_evaluation_duration_seconds", ()): (2, None),
}
"""Number and sum of the observations; None where real time is measured."""

COST_LEFT = [1.0, 0.998, 0.996, 0.994, 0.992, 0.99, 0.49, 0.488, 0.005]
"""What `run_models` may still spend, from change to change; the last is another budget."""

CALLS = 14
"""How often one of the runs was started."""


class Cut(BaseException):
    """The process is gone in the middle of a call."""


class Script:
    """A provider that answers one entry after the other.

    Args:
        entries: Answers, exceptions to raise, or functions to call instead.
    """

    default_model = _MODEL

    def __init__(self, *entries: Any) -> None:
        self._entries = list(entries)
        self.fails_to_count = False

    def complete(self, **call: Any) -> Any:
        """The next entry."""
        entry = self._entries.pop(0)
        if isinstance(entry, BaseException):
            raise entry
        return entry

    def count_tokens(self, **call: Any) -> int:
        """Always the same."""
        if self.fails_to_count:
            raise RuntimeError(SAID)
        return 100

    def estimate_cost(self, *, input_tokens: int, output_tokens: int, model: str) -> Decimal:
        """A hundredth of a dollar for whatever is asked."""
        return Decimal("0.01")


def answer(*calls: str, tokens: tuple[int, int] = (10, 5), cost: str = "0.002") -> LLMResponse:
    """An answer that calls these tools."""
    made = [ToolCall(f"call_{number}", name, {"text": SAID}) for number, name in enumerate(calls, 1)]
    return LLMResponse(
        raw_text=SAID,
        parsed=None,
        input_tokens=tokens[0],
        output_tokens=tokens[1],
        cost_usd=Decimal(cost),
        latency_seconds=0.25,
        model=_MODEL,
        finish_reason="stop",
        tool_calls=made or None,
    )


def _look(args: Any, ctx: Any) -> dict[str, str]:
    return {"seen": SAID}


def _break(args: Any, ctx: Any) -> None:
    raise ValueError(SAID)


def run_everything(metrics: Metrics, name: str) -> list[Runtime]:
    """All the runs below, with ids that begin with `name`. The runtimes stay open."""
    asked = run_models(metrics, f"{name}_models")
    return [
        run_behaviors(metrics, f"{name}_behaviors"),
        asked,
        run_from_caches(metrics, f"{name}_cached", list(asked.graph.events)),
        *run_diverging(metrics, f"{name}_diverging"),
    ]


def run_behaviors(metrics: Metrics, run_id: str) -> Runtime:
    """Functions, a relation and patterns; the last of its events finds the budget used up."""

    def make(event: Event, graph: Any, ctx: Any) -> None:
        first, second = (graph.add_object("task", {"text": SAID}) for _ in range(2))
        graph.add_relation(first.id, second.id, "before")

    def fail(event: Event, graph: Any, ctx: Any) -> None:
        raise ValueError(SAID)

    def nothing(*_: Any) -> None: ...

    behaviors: list[AnyBehavior] = [
        Behavior("make", make, ["conformance.start"]),
        Behavior("fail", fail, ["conformance.fail"]),
        RelationBehavior("follow", nothing, "before", on=["conformance.ask"]),
        Behavior("pair", nothing, ["relation.created"], pattern="(a:task)-[:before]->(b:task)"),
        Behavior("lone", nothing, ["relation.created"], pattern="(n:nothing)"),
    ]
    runtime = Runtime(_graph(run_id), behaviors, metrics=metrics, budget={"max_events": 8})
    runtime.run_goal(SAID)
    _emit(runtime, "conformance.start")
    _emit(runtime, "conformance.fail")
    runtime.run_until_idle()
    _emit(runtime, "conformance.ask", who=runtime.graph.objects("task")[0].id)
    _emit(runtime, "conformance.other")
    _emit(runtime, "conformance.other")
    runtime.run_until_idle()
    return runtime


def run_models(metrics: Metrics, run_id: str) -> Runtime:
    """A behavior that asks a model, once for each way in which that can go."""
    paid = {"cost_usd": "0.5", "input_tokens": 7, "output_tokens": 1}
    script = Script(
        *(LLMBehaviorError("llm.rate_limited", SAID), answer("look"), answer()),
        answer("break"),
        answer("made up"),
        answer("elsewhere"),
        LLMBehaviorError("llm.schema_violation", SAID, payload_extras=paid),
        answer(),
    )
    runtime = _asking(metrics, run_id, script, budget={"max_cost_usd": "1.00"})
    for _ in range(5):
        _ask(runtime)
    _ask(runtime, refuses="yes")
    script.fails_to_count = True
    _ask(runtime)
    script.fails_to_count = False
    runtime.budget = {"max_cost_usd": "0.005"}
    _ask(runtime)
    return runtime


def run_from_caches(metrics: Metrics, run_id: str, recorded: list[Event]) -> Runtime:
    """The first question of `run_models` again, answered from its log."""
    caches = {"llm_cache": LLMCache.from_events(recorded), "tool_cache": ToolCache.from_events(recorded)}
    runtime = _asking(metrics, run_id, Script(), replay_llm_cache=True, replay_tool_cache=True, **caches)
    _ask(runtime)
    return runtime


def run_diverging(metrics: Metrics, run_id: str) -> list[Runtime]:
    """A run that is cut off in the middle of a call, and its load with another question."""
    store = InMemoryEventStore(run_id)
    first = _asking(metrics, run_id, Script(Cut()), store=store)
    _interrupted(first)
    loaded = load_run(store, clock=FrozenClock())
    second = Runtime(loaded.graph, [_asker("Asks something else.")], llm_provider=Script(), metrics=metrics)
    resume_engine(second._engine, loaded, None)
    try:
        second.run_until_idle()
    except ReplayDivergenceError:
        return [first, second]
    raise AssertionError("a run that was cut off has gone on with another question than it had asked")


def _interrupted(runtime: Runtime) -> None:
    try:
        _ask(runtime)
    except Cut:
        return
    raise AssertionError("a call was not cut off")


def _asking(metrics: Metrics, run_id: str, script: Script, **options: Any) -> Runtime:
    other = LLMBehavior("other", on=["conformance.other"], handler=_handle, tools=[Tool("elsewhere", _look)])
    return Runtime(
        _graph(run_id),
        [_asker("Asks."), other],
        llm_provider=script,
        llm_retry_max_attempts=2,
        metrics=metrics,
        **options,
    )


def _asker(description: str) -> LLMBehavior:
    tools: list[Tool | str] = [Tool("look", _look), Tool("break", _break)]
    return LLMBehavior("asker", on=["conformance.ask"], handler=_handle, description=description, tools=tools)


def _handle(event: Event, graph: Any, ctx: Any, out: Any) -> None:
    if event.payload.get("refuses"):
        raise LLMBehaviorError("llm.parse_error", SAID)


def _graph(run_id: str) -> Graph:
    return Graph(clock=FrozenClock(), run_id=run_id)


def _ask(runtime: Runtime, **payload: str) -> None:
    _emit(runtime, "conformance.ask", text=SAID, **payload)
    runtime.run_until_idle()


def _emit(runtime: Runtime, type: str, **payload: str) -> None:
    graph = runtime.graph
    graph.emit(Event(graph.ids.event(), type, dict(payload)))
