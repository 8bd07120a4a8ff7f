"""The recorded answers of a model are true to what was recorded, and their provider makes nothing up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from activegraph.errors import LLMBehaviorError
from activegraph.llm.types import LLMMessage
from activegraph.packs.incident_review import THREE_INCIDENTS, RecordedIncidentProvider, pack
from activegraph.packs.incident_review.answers import ActionPlan, InquiryPlan, Investigation, MemoDraft
from activegraph.packs.incident_review.recordings import Recording
from activegraph.tools import ToolContext

TOOLS = {tool.name: tool for tool in pack.tools}
INCIDENTS = pytest.mark.parametrize("recording", THREE_INCIDENTS, ids=lambda each: each.name)


def answers(recording: Recording) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(recording.answers.read_text(encoding="utf-8"))
    return found


def called(tool: str, args: dict[str, Any]) -> dict[str, Any]:
    made = TOOLS[tool]
    result = made.fn(made.input_schema.model_validate(args), ToolContext("investigator", "evt_1"))
    dumped: dict[str, Any] = result.model_dump(mode="json")
    return dumped


def investigations(recording: Recording) -> Iterator[tuple[list[dict[str, Any]], Investigation]]:
    for asked in answers(recording)["investigator"].values():
        outputs = [called(call["tool"], call["args"]) for turn in asked["turns"] for call in turn["calls"]]
        yield outputs, Investigation.model_validate(asked["answer"])


def words_of_line(recording: Recording, source: str, line: int) -> str:
    file = recording.log if source == "log" else recording.metrics
    text = file.read_text(encoding="utf-8").splitlines()[line - 1]
    fields = json.loads(text)
    spoken = [*(value for value in fields.values() if isinstance(value, str))] if source == "log" else [text]
    return "\n".join([*spoken, str(fields.get("error", ""))])


def shown(outputs: list[dict[str, Any]]) -> set[tuple[int, str]]:
    """Every line with its words that the tools have shown."""
    found: set[tuple[int, str]] = set()

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            if isinstance(value.get("line"), int) and isinstance(value.get("text"), str):
                found.add((value["line"], value["text"]))
            for each in value.values():
                walk(each)
        elif isinstance(value, list):
            for each in value:
                walk(each)

    walk(outputs)
    return found


@INCIDENTS
def test_every_quote_stands_verbatim_in_its_line_and_was_shown_by_a_tool(recording: Recording) -> None:
    for outputs, answer in investigations(recording):
        seen = shown(outputs)
        quotes = [(quote.source, quote.line, quote.quote) for each in answer.hypotheses for quote in each.evidence]
        quotes += [(each.source, quoted.line, quoted.text) for each in answer.signals for quoted in each.quoted]
        quotes += [(each.source, each.lines[0], each.message) for each in answer.signals]
        assert quotes
        for source, line, text in quotes:
            assert text in words_of_line(recording, source, line), (source, line, text)
            assert any(line == told and text in words for told, words in seen), (source, line, text)


@INCIDENTS
def test_signals_of_the_log_are_told_as_the_log_has_them(recording: Recording) -> None:
    folded = {(signal.message, signal.lines[0]): signal for signal in recording.incident().signals}
    for _, answer in investigations(recording):
        for seen in answer.signals:
            if seen.source == "log":
                signal = folded[(seen.message, seen.lines[0])]
                assert (seen.kind, seen.severity, seen.sqlstate, seen.count, seen.first_at, seen.last_at) == (
                    signal.kind,
                    signal.severity,
                    signal.sqlstate,
                    signal.count,
                    signal.first_at,
                    signal.last_at,
                )
                assert set(seen.lines) <= set(signal.lines)


@INCIDENTS
def test_the_model_looks_at_least_twice_with_two_tools_before_it_answers(recording: Recording) -> None:
    for asked in answers(recording)["investigator"].values():
        turns = asked["turns"]
        assert len(turns) + 1 >= 3
        assert len({call["tool"] for turn in turns for call in turn["calls"]}) >= 2


def test_what_was_not_found_is_said_where_a_tool_has_nothing() -> None:
    empty = 0
    for recording in THREE_INCIDENTS:
        for outputs, answer in investigations(recording):
            nothing = [
                output
                for output in outputs
                if output.get("total") == 0 or output.get("found") is False or output.get("samples") == 0
            ]
            assert bool(nothing) == bool(answer.not_found)
            empty += len(nothing)
    assert empty >= 3


@INCIDENTS
def test_the_answers_of_an_incident_fit_together(recording: Recording) -> None:
    known = answers(recording)
    plan = InquiryPlan.model_validate(known["inquiry_planner"]["answer"])
    titles = {each.title: each.confidence for _, answer in investigations(recording) for each in answer.hypotheses}

    assert {each.topic for each in plan.inquiries} == set(known["investigator"])
    for action in ActionPlan.model_validate(known["action_planner"]["answer"]).actions:
        assert set(action.addresses) <= set(titles)
        assert action.addresses
    drafted = {finding.hypothesis for finding in MemoDraft.model_validate(known["memo_writer"]["answer"]).findings}
    assert drafted == {title for title, confidence in titles.items() if confidence >= 0.5}


@INCIDENTS
def test_times_given_to_the_clock_are_those_of_the_record(recording: Recording) -> None:
    (call,) = answers(recording)["memo_writer"]["turns"][0]["calls"]
    log, samples = recording.log.read_text(), recording.metrics.read_text()

    assert call["tool"] == "incident_clock"
    assert call["args"]["started_at"] in log
    assert call["args"]["detected_at"] in samples
    assert call["args"]["resolved_at"] in log
    durations = called("incident_clock", call["args"])
    assert 0 < durations["to_detect"] < durations["to_resolve"] < 10
    assert durations["to_acknowledge"] is None


def prompt(behavior: str, payload: dict[str, Any]) -> dict[str, Any]:
    """What the runtime sends; only what the provider may look at."""
    event = f"- type: any\n- actor: any\n- payload:\n```\n{json.dumps(payload, indent=2)}\n```"
    return {
        "system": f'You are an active-graph behavior named "incident_review.{behavior}".\n\nRole: any',
        "messages": [LLMMessage("user", f"## Graph context\n\n## Triggering event\n{event}\n\n## Task\nany")],
        "model": "any",
        "max_tokens": 100,
        "temperature": 0.0,
        "top_p": 1.0,
        "timeout_seconds": 1.0,
    }


def inquiry(topic: str, incident: str = "crash_recovery") -> dict[str, Any]:
    return {"id": "inquiry#9", "object": {"data": {"incident_name": incident, "topic": topic}}}


class TestTheProvider:
    def test_asks_for_tools_by_their_canonical_names_until_it_answers(self) -> None:
        provider, asked = RecordedIncidentProvider(), prompt("investigator", inquiry("cause"))
        definitions = [{"name": f"incident_review.{tool.name}"} for tool in pack.tools]
        seen = []

        for _ in range(2):
            response = provider.complete(**asked, output_schema=Investigation, tools=definitions)
            assert response.parsed is None
            assert response.tool_calls is not None
            seen += [call.name for call in response.tool_calls]
            asked["messages"].append(LLMMessage("assistant", response.raw_text, tool_calls=tuple(response.tool_calls)))
            asked["messages"] += [LLMMessage("tool", "{}", call.id, call.name) for call in response.tool_calls]
        response = provider.complete(**asked, output_schema=Investigation, tools=definitions)

        assert isinstance(response.parsed, Investigation)
        assert response.tool_calls is None
        assert set(seen) == {f"incident_review.{name}" for name in ("fetch_signals", "query_metrics", "read_runbook")}

    @pytest.mark.parametrize(
        ("behavior", "payload", "schema"),
        [
            ("inquiry_planner", {"object": {"data": {"name": "crash_recovery"}}}, InquiryPlan),
            ("action_planner", {"incident": "incident#1", "incident_name": "crash_recovery"}, ActionPlan),
        ],
    )
    def test_finds_an_answer_by_who_asks_about_what(self, behavior: str, payload: dict[str, Any], schema: type) -> None:
        response = RecordedIncidentProvider(["crash_recovery"]).complete(
            **prompt(behavior, payload), output_schema=schema
        )

        assert isinstance(response.parsed, schema)
        assert (response.latency_seconds, response.model) == (2.4, "any")
        assert 0 < response.cost_usd < Decimal("0.05")

    @pytest.mark.parametrize(
        ("behavior", "payload"),
        [
            ("investigator", inquiry("who_is_to_blame")),
            ("investigator", inquiry("cause", "next_incident")),
            ("investigator", inquiry("refusals", "connection_storm")),
            ("memo_writer", {"incident_name": "connection_storm"}),
            ("poet", {"incident_name": "crash_recovery"}),
        ],
    )
    def test_refuses_what_was_never_asked(self, behavior: str, payload: dict[str, Any]) -> None:
        with pytest.raises(LLMBehaviorError) as refusal:
            RecordedIncidentProvider(["crash_recovery"]).complete(**prompt(behavior, payload), output_schema=None)

        assert refusal.value.reason == "llm.fixture_missing"

    def test_its_numbers_are_the_same_each_time(self) -> None:
        first, again = (
            RecordedIncidentProvider().complete(**prompt("investigator", inquiry("cause")), output_schema=Investigation)
            for _ in range(2)
        )

        assert first.to_dict() == again.to_dict()
