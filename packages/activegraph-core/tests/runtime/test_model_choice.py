"""Which model a runtime asks, and whose models are refused before anything is asked."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from activegraph.behaviors.registry import clear_registry, get_registry, register
from activegraph.core.clock import FrozenClock
from activegraph.core.graph import Graph
from activegraph.errors import InvalidRuntimeConfiguration, InvalidToolRegistration, ReplayDivergenceError
from activegraph.llm.behavior import LLMBehavior
from activegraph.operations.strict_replay import replay_strictly
from activegraph.runtime.runtime import Runtime
from activegraph.store import sqlite_url
from activegraph.tools.base import Tool
from support.runtimes import new, types_of
from support.scripted import ScriptedProvider


class OpenAIProvider(ScriptedProvider):
    """Knows its own models, like the provider whose name it has."""

    default_model = "gpt-4o-mini"

    def recognizes_model(self, name: str) -> bool:
        return name.startswith("gpt-")


class Nameless:
    """Has what is needed of a provider, and nothing else."""

    def __init__(self) -> None:
        self.models: list[str] = []

    def complete(self, *, model: str, **call: Any) -> Any:
        self.models.append(model)
        return ScriptedProvider().complete(**call)

    def estimate_cost(self, **call: Any) -> Any: ...

    def count_tokens(self, **call: Any) -> Any: ...


def asker(**fields: Any) -> LLMBehavior:
    return LLMBehavior("asker", on=["goal.created"], handler=lambda event, graph, ctx, out: None, **fields)


@pytest.fixture(autouse=True)
def _own_registry() -> Iterator[None]:
    gc.collect()  # runtimes that earlier tests have forgotten no longer have a say
    known = clear_registry()
    yield
    clear_registry()
    for behavior in known:
        register(behavior)


def test_a_behavior_without_a_model_asks_for_the_providers_default() -> None:
    provider, behavior = OpenAIProvider(), asker()
    new([behavior], llm_provider=provider).run_goal("why")

    assert provider.calls[0]["model"] == behavior.model == "gpt-4o-mini"


def test_a_provider_without_a_default_is_asked_for_claude() -> None:
    provider = Nameless()
    new([asker()], llm_provider=provider).run_goal("why")

    assert provider.models == ["claude-sonnet-4-5"]


def test_each_of_two_runtimes_chooses_its_own_default_for_one_behavior() -> None:
    behavior, first, second = asker(), OpenAIProvider(), ScriptedProvider()
    one = new([behavior], llm_provider=first)
    other = new([behavior], Graph(run_id="run_2"), llm_provider=second)
    other.run_goal("why")
    one.run_goal("why")

    assert (first.calls[0]["model"], second.calls[0]["model"]) == ("gpt-4o-mini", "scripted-1")


def test_a_model_of_another_provider_is_refused_when_the_runtime_is_built() -> None:
    graph = Graph()

    with pytest.raises(InvalidRuntimeConfiguration) as refusal:
        Runtime(graph, [asker(model="claude-opus-4-1")], llm_provider=OpenAIProvider())

    assert refusal.value.context == {
        "behavior": "asker",
        "model": "claude-opus-4-1",
        "configured_provider": "OpenAIProvider",
        "claimed_by_provider": "AnthropicProvider",
        "claimed_by_default_model": "claude-sonnet-4-5",
    }
    assert graph._recorder.observer is None


def test_a_model_that_nobody_knows_passes() -> None:
    provider = OpenAIProvider()
    new([asker(model="house-7b")], llm_provider=provider).run_goal("why")

    assert provider.calls[0]["model"] == "house-7b"


def test_a_behavior_that_is_declared_later_is_held_against_every_living_runtime() -> None:
    runtime = Runtime(Graph(clock=FrozenClock()), llm_provider=OpenAIProvider())

    with pytest.raises(InvalidRuntimeConfiguration):
        register(asker(model="claude-opus-4-1"))

    assert get_registry() == []
    assert types_of(runtime) == []


def test_a_runtime_lives_as_long_as_its_graph() -> None:
    graph = Graph(clock=FrozenClock())
    Runtime(graph, llm_provider=OpenAIProvider())
    gc.collect()

    with pytest.raises(InvalidRuntimeConfiguration):
        register(asker(model="claude-opus-4-1"))


@pytest.mark.parametrize("ended", ["closed", "forgotten", "explicit", "failed"])
def test_a_runtime_that_will_not_run_it_has_no_say(ended: str) -> None:
    runtime: Runtime | None = None
    if ended == "failed":
        with pytest.raises(InvalidToolRegistration):
            Runtime(Graph(), llm_provider=OpenAIProvider(), tools=[len])  # type: ignore[list-item]
    else:
        runtime = Runtime(Graph(), [] if ended == "explicit" else None, llm_provider=OpenAIProvider())
    if runtime is not None and ended == "closed":
        runtime.close()
    if ended == "forgotten":
        runtime = None
        gc.collect()

    assert register(asker(model="claude-opus-4-1")) in get_registry()


@pytest.mark.parametrize("diverges", [False, True])
def test_a_strict_replay_has_no_say_however_long_its_remains_live(diverges: bool, tmp_path: Path) -> None:
    url, declared = sqlite_url(tmp_path / "run.db"), asker()
    with new([declared], persist_to=url, llm_provider=ScriptedProvider()) as runtime:
        runtime.run_goal("why")
    register(asker(description="Say why not.") if diverges else declared)
    gc.disable()
    try:
        with suppress(ReplayDivergenceError):
            replay_strictly(url, llm_provider=OpenAIProvider())

        assert register(asker(model="claude-opus-4-1")) in get_registry()
    finally:
        gc.enable()


def test_a_behavior_that_names_no_model_keeps_it_open_until_a_runtime_needs_it() -> None:
    runtime = Runtime(Graph(clock=FrozenClock()), llm_provider=OpenAIProvider())

    behavior = register(asker())

    assert behavior.model is None
    runtime.run_goal("why")
    assert behavior.model == "gpt-4o-mini"


def test_two_different_tools_of_one_name_refuse_the_run() -> None:
    first, second = (Tool("look", lambda args, ctx: None) for _ in range(2))
    runtime = new([asker(tools=[second])], llm_provider=ScriptedProvider(), tools=[first])

    with pytest.raises(InvalidRuntimeConfiguration):
        runtime.run_goal("why")

    assert types_of(runtime) == []


def test_the_tools_of_a_runtime_are_those_it_was_given_and_those_its_behaviors_bring() -> None:
    given, brought = Tool("given", lambda args, ctx: None), Tool("brought", lambda args, ctx: None)
    runtime = new([asker(tools=[brought, "given"])], llm_provider=ScriptedProvider(), tools=[given])

    assert runtime.tool_registry == {}
    assert runtime.get_tool("brought") is brought
    runtime.run_goal("why")
    assert runtime.tool_registry == {"given": given, "brought": brought}
