"""A user's program as type checkers see it: checked, never run."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any, assert_type

from activegraph import (
    ActiveGraphError,
    Budget,
    Diff,
    Event,
    FrozenClock,
    Graph,
    InMemoryEventStore,
    LLMBehavior,
    Object,
    Patch,
    Relation,
    RunRecord,
    Runtime,
    RuntimeStatus,
    behavior,
    list_runs,
    llm_behavior,
    open_store,
    relation_behavior,
)
from activegraph.behaviors.base import Behavior, RelationBehavior
from activegraph.llm import (
    AnthropicProvider,
    AssembledPrompt,
    LLMCache,
    LLMMessage,
    LLMProvider,
    LLMResponse,
    OpenAIProvider,
    RecordedLLMProvider,
    RecordingLLMProvider,
    parse_structured_response,
)
from activegraph.store import EventStore
from pydantic import BaseModel


@behavior(name="planner", on=["goal.created"])
def planner(event: Event, graph: Any, ctx: Any) -> None:
    graph.add_object("task", {"title": event.payload["goal"]})


@relation_behavior("depends_on", on=["task.completed"])
def unblock(relation: Relation, event: Event, graph: Any, ctx: Any) -> None:
    graph.patch_object(relation.target, {"status": "open"})


class Causes(BaseModel):
    causes: list[str]


@llm_behavior(on=["object.created"], output_schema=Causes, deterministic=True)
def suggest(event: Event, graph: Any, ctx: Any, out: Causes) -> None:
    for text in out.causes:
        graph.add_object("hypothesis", {"text": text})


assert_type(suggest, LLMBehavior)
assert_type(planner, Behavior)
assert_type(unblock, RelationBehavior)


def use_the_graph() -> None:
    graph = Graph(clock=FrozenClock(), run_id="run_a")
    task = graph.add_object("task", {"title": "look up"})
    assert_type(task, Object)
    assert_type(graph.get_object(task.id), Object | None)
    assert_type(graph.objects("task", where={"data.title": "look up"}), list[Object])
    assert_type(graph.patch_object(task.id, {"status": "done"}), Patch)
    with graph.transaction():
        assert_type(graph.add_relation(task.id, task.id, "depends_on"), Relation)


def use_the_runtime(path: Path) -> None:
    with Runtime(Graph(), [planner, unblock], budget={"max_cost_usd": Decimal("1.50")}, persist_to=path) as runtime:
        runtime.run_goal("prices")
        status = runtime.status(recent=5)
        assert_type(status, RuntimeStatus)
        assert_type(status.queue_depth, int)
        fork = runtime.fork("evt_001", label="what if")
        assert_type(runtime.diff(fork), Diff)
    loaded = Runtime.load(path, run_id="run_a", budget=Budget({"max_events": 10}))
    assert_type(loaded, Runtime)


class Echo:
    """A provider of a user's own."""

    default_model = "echo-1"

    def complete(
        self,
        *,
        system: str,
        messages: list[LLMMessage],
        model: str,
        max_tokens: int,
        temperature: float,
        top_p: float,
        output_schema: type | None,
        timeout_seconds: float,
        tools: list[dict[str, Any]] | None = None,
    ) -> LLMResponse:
        return LLMResponse(messages[-1].content, None, 1, 1, Decimal(0), 0.0, model, "stop")

    def estimate_cost(self, *, input_tokens: int, output_tokens: int, model: str) -> Decimal:
        return Decimal(0)

    def count_tokens(self, *, system: str, messages: list[LLMMessage], model: str) -> int:
        return 1

    def recognizes_model(self, name: str) -> bool:
        return name.startswith("echo-")


def use_models(folder: Path) -> None:
    providers: list[LLMProvider] = [
        AnthropicProvider(base_url="http://localhost:1"),
        OpenAIProvider(reasoning_model_prefixes=["o1"]),
        RecordedLLMProvider(folder),
        RecordingLLMProvider(Echo(), folder),
        Echo(),
    ]
    graph = Graph()
    prompt = suggest.build_prompt(graph.events[0], graph)
    assert_type(prompt, AssembledPrompt)
    assert_type(prompt.hash(), str)
    assert_type(parse_structured_response("{}", Causes), Causes)
    assert_type(LLMCache.from_events(graph.events).get(prompt.hash()), LLMResponse | None)
    print(providers[0].default_model)


def use_stores() -> None:
    assert_type(open_store("sqlite:///runs.db", "run_a", read_only=True), EventStore)
    assert_type(list_runs("sqlite:///runs.db"), list[RunRecord])
    store: EventStore = InMemoryEventStore("run_a")
    store.append(Event("evt_001", "note.made", {"text": "hello"}))


def use_errors() -> str:
    try:
        open_store("runs.db", "run_a")
    except ActiveGraphError as error:
        assert_type(error.context, dict[str, Any])
        return error.doc_url
    return ""
