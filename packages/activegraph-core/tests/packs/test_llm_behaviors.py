"""LLM behaviors and tools of a pack, with a provider that answers from a script."""

from __future__ import annotations

import logging
from typing import Any

import activegraph
import pytest
from activegraph.conformance.recording import RecordingMetrics
from activegraph.errors import InvalidRuntimeConfiguration, MissingProviderError
from activegraph.llm import AnthropicProvider
from activegraph.packs import Pack, PackPrompt, behavior, llm_behavior, tool
from pydantic import BaseModel
from support.runtimes import new, types_of
from support.scripted import ScriptedProvider, answer, asking


class Settings(BaseModel):
    threshold: float = 0.5
    llm_model: str = ""


@tool(description="Looks.")
def look(args: Any, ctx: Any) -> dict[str, Any]:
    return {"seen": args["host"]}


@tool(export_globally=True)
def probe(args: Any, ctx: Any) -> dict[str, Any]:
    return {"probed": True}


@llm_behavior(on=["goal.created"], description="Ranks.", tools=[look])
def rank(event: Any, graph: Any, ctx: Any, out: Any, *, settings: Settings) -> None:
    graph.add_object("note", {"text": out, "threshold": settings.threshold, "same": ctx.settings is settings})


PACK = Pack(
    "storage",
    "1.0.0",
    behaviors=[rank],
    tools=[look, probe],
    prompts=[PackPrompt.from_body("rank", "1", "Rank {all} causes.\n")],
    settings_schema=Settings,
)


def test_question_calls_and_answer_stand_in_the_log_under_canonical_names() -> None:
    provider = ScriptedProvider(asking(("storage.look", {"host": "a"})), answer("fine"))
    runtime = new(llm_provider=provider, packs=[(PACK, {"threshold": 0.7})])
    runtime.run_goal("why")

    assert runtime.errors == []
    by_type = {event.type: event for event in runtime.graph.events}
    assert by_type["tool.requested"].payload["tool"] == "storage.look"
    assert by_type["llm.requested"].actor == "storage.rank"
    request = next(event for event in runtime.graph.events if event.type == "llm.requested")
    system = request.payload["prompt"]["system"]
    assert 'You are an active-graph behavior named "storage.rank".' in system
    assert "Role: Ranks.\n\nRank {all} causes." in system
    (note,) = runtime.graph.objects("note")
    assert note.data == {"text": "fine", "threshold": 0.7, "same": True}


def test_canonical_names_stand_in_logs_metrics_errors_and_chains_too(caplog: pytest.LogCaptureFixture) -> None:
    fails = behavior(name="fails", on=["object.created"])(lambda event, graph, ctx: 1 // 0)
    pack = Pack("storage", "1", behaviors=[rank, fails], tools=[look], settings_schema=Settings)
    metrics = RecordingMetrics()
    provider = ScriptedProvider(asking(("storage.look", {"host": "a"})), answer("fine"))
    runtime = new(llm_provider=provider, metrics=metrics, packs=[pack])
    with caplog.at_level(logging.INFO, "activegraph"):
        runtime.run_goal("why")

    assert [failure.behavior for failure in runtime.errors] == ["storage.fails"]
    (note,) = runtime.graph.objects("note")
    assert "storage.rank" in runtime.trace.causal_chain(note.id)
    tagged = {tag for _, _, tags in metrics.series() for tag in tags if tag[0] in ("behavior", "tool")}
    assert tagged == {("behavior", "storage.rank"), ("behavior", "storage.fails"), ("tool", "storage.look")}
    assert any("storage.fails" in record.getMessage() for record in caplog.records)
    assert {record.__dict__.get("behavior") for record in caplog.records} <= {None, "storage.rank", "storage.fails"}


def test_a_template_of_the_behaviors_own_stays_in_force_beside_its_prompt() -> None:
    asks = llm_behavior(name="rank", on=["goal.created"], description="Ranks.", prompt_template="Now {event}")(
        lambda event, graph, ctx, out: None
    )
    provider = ScriptedProvider(answer("fine"))
    prompts = [PackPrompt.from_body("rank", "1", "Rank {all} {causes}.\n")]
    runtime = new(llm_provider=provider, packs=[Pack("storage", "1", behaviors=[asks], prompts=prompts)])
    runtime.run_goal("why")

    prompt = next(event for event in runtime.graph.events if event.type == "llm.requested").payload["prompt"]
    assert prompt["system"].endswith("Role: Ranks.\n\nRank {all} {causes}.")
    assert prompt["messages"][0]["content"].startswith("Now - type: goal.created")


@pytest.mark.parametrize(("settings", "model"), [({"llm_model": "m-of-pack"}, "m-of-pack"), ({}, None)])
def test_the_packs_setting_names_the_model_else_the_provider_does(settings: Any, model: str | None) -> None:
    provider = ScriptedProvider(answer("fine"))
    runtime = new(llm_provider=provider, packs=[(PACK, settings)])
    runtime.run_goal("why")

    request = next(event for event in runtime.graph.events if event.type == "llm.requested")
    assert request.payload["model"] == (model or provider.default_model)
    assert rank.model is None


def test_a_provider_is_asked_for_at_the_first_run_and_before_anything_is_emitted() -> None:
    runtime = new(packs=[PACK])

    with pytest.raises(MissingProviderError, match=r"storage\.rank"):
        runtime.run_goal("why")
    assert len(runtime.graph.events) == 0


def test_a_model_of_another_provider_is_refused_before_anything_changes() -> None:
    runtime = new(llm_provider=AnthropicProvider())

    with pytest.raises(InvalidRuntimeConfiguration, match="gpt-4o") as refusal:
        runtime.load_pack(PACK, {"llm_model": "gpt-4o"})

    assert refusal.value.context["behavior"] == "storage.rank"
    assert (runtime.loaded_packs(), len(runtime.graph.events)) == ([], 0)
    with pytest.raises(InvalidRuntimeConfiguration):
        new(llm_provider=AnthropicProvider(), packs=[(PACK, {"llm_model": "gpt-4o"})])


def test_a_left_out_llm_behavior_needs_neither_provider_nor_tools() -> None:
    off = llm_behavior(name="off", on=["goal.created"], tools=["nowhere"], when=lambda settings: False)(
        lambda event, graph, ctx, out: None
    )
    runtime = new(packs=[Pack("quiet", "1", behaviors=[off])])
    runtime.run_goal("why")

    assert types_of(runtime) == ["pack.loaded", "goal.created", "runtime.idle"]


def test_an_exported_tool_is_called_by_its_short_name_too_in_this_runtime_alone() -> None:
    @activegraph.llm_behavior(on=["goal.created"], tools=["probe", "storage.look"])
    def outside(event: Any, graph: Any, ctx: Any, out: Any) -> None: ...

    runtime = new([outside], llm_provider=ScriptedProvider(answer("a"), answer("b")), packs=[PACK])
    assert runtime.tool_registry == {}
    runtime.run_goal("why")

    assert sorted(runtime.tool_registry) == ["probe", "storage.look", "storage.probe"]
    assert runtime.tool_registry["probe"] is runtime.tool_registry["storage.probe"]
    assert runtime.errors == []
    assert activegraph.get_tool_registry() == []
    with pytest.raises(activegraph.MissingToolError):
        new([outside], llm_provider=ScriptedProvider()).run_goal("why")


def test_a_tool_of_another_pack_is_called_by_its_canonical_name() -> None:
    asks = llm_behavior(name="asks", on=["goal.created"], tools=[look])(lambda event, graph, ctx, out: None)
    provider = ScriptedProvider(asking(("storage.look", {"host": "a"})), answer("fine"))
    tools_only = Pack("storage", "1.0.0", tools=[look])
    runtime = new(llm_provider=provider, packs=[tools_only, Pack("other", "1", behaviors=[asks])])
    runtime.run_goal("why")

    assert runtime.errors == []
    assert [e.payload["tool"] for e in runtime.graph.events if e.type == "tool.requested"] == ["storage.look"]


@pytest.mark.parametrize("name", ["probe", "storage.probe"])
def test_a_later_tool_does_not_take_the_place_of_a_packs(name: str) -> None:
    @activegraph.llm_behavior(on=["goal.created"], tools=["probe"])
    def outside(event: Any, graph: Any, ctx: Any, out: Any) -> None: ...

    runtime = new([outside], llm_provider=ScriptedProvider(), packs=[Pack("storage", "1", tools=[probe])])
    activegraph.tool(name=name)(lambda args, ctx: None)

    with pytest.raises(InvalidRuntimeConfiguration, match=f"two different tools are named '{name}'"):
        runtime.run_goal("why")
    assert len(runtime.graph.events) == 0
