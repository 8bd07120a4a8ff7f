"""What the pack brings, and what each way of investigating leaves out."""

from __future__ import annotations

from typing import Any

import pytest
from activegraph import Graph, Runtime
from activegraph.llm.behavior import LLMBehavior
from activegraph.packs import load_by_name
from activegraph.packs.incident_review import IncidentReviewSettings, RecordedIncidentProvider, pack

BY_MODEL = {"inquiry_planner", "investigator", "action_planner", "memo_writer"}
BY_RULES = {"inquiry_rules", "answering_rules", "action_rules", "memo_rules"}
IN_BOTH = {"intake", "evidence_weigher", "conflict_detector", "stale_inquiry", "readiness_gate", "memo_gate"}


def loaded(provider: Any, **settings: Any) -> dict[str, Any]:
    runtime = Runtime(Graph(), [], llm_provider=provider)
    runtime.load_pack(pack, settings)
    (event,) = runtime.graph.events
    payload: dict[str, Any] = event.payload
    return payload


def short(names: list[str]) -> set[str]:
    assert all(name.startswith("incident_review.") for name in names)
    return {name.removeprefix("incident_review.") for name in names}


def test_it_is_found_by_its_name() -> None:
    assert load_by_name("incident_review") is pack


def test_a_model_investigates_unless_rules_are_asked_for_and_then_nobody_is_needed() -> None:
    by_model = loaded(RecordedIncidentProvider())
    by_rules = loaded(None, investigate_with="rules")

    assert short(by_model["behaviors"]) >= BY_MODEL | IN_BOTH
    assert short(by_model["inactive_behaviors"]) == BY_RULES
    assert short(by_rules["behaviors"]) >= BY_RULES | IN_BOTH
    assert short(by_rules["inactive_behaviors"]) >= BY_MODEL
    for kind in ("object_types", "relation_types", "tools", "policies", "prompts"):
        assert by_model[kind] == by_rules[kind]


def test_types_and_policies_have_these_names() -> None:
    payload = loaded(RecordedIncidentProvider())

    assert set(payload["object_types"]) == {
        "incident",
        "signal",
        "inquiry",
        "hypothesis",
        "evidence",
        "conflict",
        "action",
        "reminder",
        "memo",
    }
    assert set(payload["relation_types"]) >= {
        "concerns",
        "observed_in",
        "answers",
        "backs",
        "cites",
        "contradicts",
        "addresses",
        "reports_on",
    }
    gated = {policy.name: policy.requires_approval for policy in pack.policies}
    assert gated == {"memo_approval": ("memo",), "action_approval": ("action",)}


def test_each_behavior_that_asks_a_model_has_its_prompt_and_there_is_no_other() -> None:
    asking = {each.name for each in pack.behaviors if isinstance(each, LLMBehavior)}

    assert asking == {prompt.name for prompt in pack.prompts} == BY_MODEL
    assert [each.name for each in pack.behaviors if isinstance(each, LLMBehavior) and each.deterministic] == [
        "action_planner"
    ]


def test_tools_that_look_around_cost_something_and_the_clock_is_deterministic() -> None:
    free = {tool.name for tool in pack.tools if tool.deterministic and not tool.cost_per_call}
    paid = {tool.name for tool in pack.tools if not tool.deterministic and tool.cost_per_call}

    assert free == {"incident_clock"}
    assert paid == {"fetch_signals", "query_metrics", "read_runbook"}


@pytest.mark.parametrize("name", IncidentReviewSettings.model_fields)
def test_every_setting_has_a_default_and_a_description_and_numbers_have_bounds(name: str) -> None:
    schema = IncidentReviewSettings.model_json_schema()["properties"][name]

    assert "default" in schema
    assert schema["description"].endswith(".")
    if schema.get("type") in ("integer", "number"):
        assert {"minimum", "exclusiveMinimum"} & schema.keys()
        assert "maximum" in schema
