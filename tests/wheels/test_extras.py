"""What each extra brings, in an environment that holds nothing else; and what is said without it."""

from __future__ import annotations

from collections.abc import Callable
from email.parser import Parser
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from support.distributions import Environment, Wheel, workspace_names
from support.model_server import Answer, ModelServer

ASK = """
import sys
from activegraph import Graph, Runtime, llm_behavior
from activegraph.llm import {provider}
from pydantic import BaseModel

class Answer(BaseModel):
    text: str

@llm_behavior(on=["goal.created"], output_schema=Answer, description="Answer.")
def oracle(event, graph, ctx, out):
    graph.add_object("answer", {{"text": out.text}})

runtime = Runtime(Graph(), llm_provider={provider}(base_url=sys.argv[1], api_key_env="A_KEY"))
runtime.run_goal("why?")
print([item.data["text"] for item in runtime.graph.objects("answer")], runtime.errors)
"""

A_PACK = """
from activegraph import Graph, ObjectType, Pack, Runtime
from activegraph.packs import behavior
from pydantic import BaseModel

class Task(BaseModel):
    title: str
    done: bool = False

@behavior(on=["goal.created"])
def plan(event, graph, ctx):
    graph.add_object("task", {"title": event.payload["goal"]})

runtime = Runtime(Graph(), packs=[Pack("plans", "1.0.0", object_types=[ObjectType("task", Task)], behaviors=[plan])])
runtime.run_goal("write it down")
print([item.data for item in runtime.graph.objects("task")])
"""

EXPOSITION = """
from activegraph import Graph, Runtime
from activegraph.observability import PrometheusMetrics
from prometheus_client import REGISTRY, generate_latest

Runtime(Graph(), metrics=PrometheusMetrics()).run_goal("prices")
print('activegraph_events_emitted_total{event_type="goal.created"} 1.0' in generate_latest(REGISTRY).decode())
"""

REFUSED = """
from activegraph.errors import MissingOptionalDependency
try:
    {code}
except MissingOptionalDependency as missing:
    print(missing.package, "->", missing.how_to_fix)
"""


@pytest.mark.parametrize(
    ("requirement", "provider", "sdk", "absent"),
    [
        ("activegraph-core[anthropic]", "AnthropicProvider", "anthropic", "openai"),
        ("activegraph-core[openai]", "OpenAIProvider", "openai", "anthropic"),
    ],
)
def test_the_extra_of_a_provider_brings_its_sdk_and_no_other(
    environment_with: Callable[..., Environment], requirement: str, provider: str, sdk: str, absent: str
) -> None:
    installed = environment_with(requirement).installed()

    assert sdk in installed
    assert "pydantic" in installed
    assert absent not in installed


@pytest.mark.parametrize(
    ("requirement", "provider"),
    [
        ("activegraph-core[anthropic]", "AnthropicProvider"),
        ("activegraph-core[openai]", "OpenAIProvider"),
        ("activegraph-core[llm]", "AnthropicProvider"),
        ("activegraph-core[llm]", "OpenAIProvider"),
    ],
)
def test_a_model_answers_through_the_sdk_that_the_extra_brings(
    environment_with: Callable[..., Environment], elsewhere: Path, requirement: str, provider: str
) -> None:
    environment = environment_with(requirement)
    (elsewhere / "program.py").write_text(ASK.format(provider=provider))
    with ModelServer(key="sk-test") as server:
        server.replies(Answer('{"text": "because"}'))
        url = server.anthropic_url if provider == "AnthropicProvider" else server.openai_url
        said = environment.run("python", "program.py", url, cwd=elsewhere, also={"A_KEY": "sk-test"}).stdout

    assert said == "['because'] []\n"


def test_packs_need_pydantic_and_get_it_by_their_extra(
    environment_with: Callable[..., Environment], core_alone: Environment, elsewhere: Path
) -> None:
    refusal = core_alone.python(REFUSED.format(code="from activegraph import Pack"), cwd=elsewhere)

    assert refusal == "pydantic -> pip install 'activegraph[llm]'\n"
    said = environment_with("activegraph-core[packs]").python(A_PACK, cwd=elsewhere)
    assert said == "[{'title': 'write it down', 'done': False}]\n"


def test_prometheus_comes_with_its_extra(environment_with: Callable[..., Environment], elsewhere: Path) -> None:
    assert environment_with("activegraph[prometheus]").python(EXPOSITION, cwd=elsewhere) == "True\n"


def test_all_is_all(environment_with: Callable[..., Environment], wheels: dict[str, Wheel], elsewhere: Path) -> None:
    environment = environment_with("activegraph[all]")

    assert {"anthropic", "openai", "prometheus_client", "psycopg", "pydantic"} <= set(environment.installed())
    assert set(workspace_names()) <= set(environment.installed())
    everything = (
        "from activegraph import *; import activegraph; print([n for n in activegraph.__all__ if n not in globals()])"
    )
    assert environment.python(everything, cwd=elsewhere) == "[]\n"


def test_the_metapackage_passes_each_extra_on_to_who_knows_it(wheels: dict[str, Wheel]) -> None:
    metadata = Parser().parsestr(wheels["activegraph"].metadata())
    extras = metadata.get_all("Provides-Extra") or []

    assert sorted(extras) == ["all", "anthropic", "llm", "openai", "postgres", "prometheus"]
    for extra in extras:
        for each in wheels["activegraph"].requires([extra]):
            known = Parser().parsestr(wheels[each.name].metadata()).get_all("Provides-Extra") or []
            assert each.extras <= set(known), Requirement(str(each))
