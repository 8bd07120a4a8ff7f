"""Promises of a review by rules, for any log: memos that pass the bar, gates that open once, nothing invented."""

from __future__ import annotations

from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from activegraph import Graph
from activegraph.errors import PackSchemaViolation
from activegraph.packs import incident_review
from activegraph.packs.incident_review import (
    IncidentInput,
    IncidentReviewSettings,
    Signal,
    add_incident,
    read_signals,
)
from activegraph.packs.incident_review.memo_bar import memo_problems
from hypothesis import given
from pydantic import ValidationError
from support.server_logs import error, log_files, log_line, review, rules_runtime, write_log
from support.values import examples


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "postgresql.json"


@examples(60)
@given(lines=log_files())
def test_every_memo_of_any_log_passes_the_bar(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str | bytes]
) -> None:
    path = write_log(tmp_path_factory.mktemp("log") / "log.json", [log_line("readable"), *lines])

    graph = review(path)

    incidents, memos = graph.objects("incident"), graph.objects("memo")
    assert [memo.data["incident"] for memo in memos] == [incident.id for incident in incidents]
    assert {incident.data["status"] for incident in incidents} <= {"reviewed"}
    for memo in memos:
        assert memo_problems(graph, memo) == []
    emitted = Counter(event.type for event in graph.events)
    assert emitted["review.ready"] == emitted["memo.requested"] == len(incidents)


def test_an_incident_that_no_rule_knows_has_no_finding_one_action_and_says_so(log: Path) -> None:
    graph = review(write_log(log, [error("P0001", "the shop is closed"), error("P0001", "the shop is closed")]))

    (memo,) = graph.objects("memo")
    assert memo.data["findings"] == []
    assert memo.data["timeline"]["notes"] == ["no rule matched"]
    (action,) = memo.data["actions"]
    assert action["title"] == "Read these lines"
    assert "Lines 1 and 2." in action["detail"]
    (unresolved,) = memo.data["inquiries_unresolved"]
    assert unresolved["lines"] == [1, 2]
    assert memo_problems(graph, memo) == []


def test_lines_that_could_not_be_read_are_in_the_notes(log: Path) -> None:
    graph = review(write_log(log, [error("23505", "twice"), b"half a l", b"ine"]))

    assert graph.objects("memo")[0].data["timeline"]["notes"] == ["2 lines could not be read: 2, 3"]


def test_a_goal_without_signals_ends_with_a_memo_that_invents_nothing() -> None:
    runtime = rules_runtime()

    runtime.run_goal("Incident review: empty: Nothing was given")

    (memo,) = runtime.graph.objects("memo")
    assert (memo.data["title"], memo.data["findings"]) == ("Nothing was given", [])
    assert memo_problems(runtime.graph, memo) == []


def test_other_goals_are_left_alone() -> None:
    runtime = rules_runtime()

    runtime.run_goal("Write a poem about incidents")

    assert runtime.graph.all_objects() == []


@pytest.mark.parametrize(("weights", "expected"), [([0.4], "open"), ([0.9], "refuted"), ([0.3, 0.2], "refuted")])
def test_evidence_against_a_hypothesis_refutes_it_or_leaves_it_open(weights: list[float], expected: str) -> None:
    runtime = rules_runtime()
    graph = runtime.graph
    hypothesis = graph.add_object(
        "hypothesis",
        {
            "title": "t",
            "incident": "incident#1",
            "statement": "s",
            "inquiry": "inquiry#1",
            "confidence": 0.5,
            "status": "open",
        },
    )
    for weight in weights:
        evidence = graph.add_object(
            "evidence",
            {
                "title": "t",
                "incident": "incident#1",
                "quote": "q",
                "source": "log",
                "line": 1,
                "stance": "against",
                "weight": weight,
            },
        )
        graph.add_relation(evidence.id, hypothesis.id, "backs")
    runtime.run_until_idle()

    assert hypothesis.data["status"] == expected


def test_only_so_many_quotes_are_taken_along_and_what_speaks_against_is_among_them(log: Path) -> None:
    lines = [error("23505", f'violates "{name}"') for name in ("a", "b", "c", "d")]

    graph = review(write_log(log, lines), max_signals_per_inquiry=2)

    assert len(graph.objects("evidence")) == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"conflict_confidence": 1.1},
        {"conflict_confidence": -0.1},
        {"conflict_confidence": "high"},
        {"quiet_minutes": 0},
        {"quiet_minutes": float("nan")},
        {"max_signals_per_inquiry": 2.5},
        {"min_inquiries": 5, "max_inquiries": 4},
        {"investigate_with": "luck"},
        {"llm_model": ""},
        {"unheard_of": 1},
    ],
)
def test_a_setting_out_of_its_bounds_is_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        IncidentReviewSettings(**wrong)


def test_data_that_does_not_fit_its_type_is_refused_with_the_reasons() -> None:
    graph = rules_runtime().graph

    with pytest.raises(PackSchemaViolation) as refusal:
        graph.add_object("conflict", {"title": "t", "incident": "i", "statement": 7, "status": "odd", "more": 1})

    for field in ("statement", "hypotheses", "status", "more"):
        assert field in refusal.value.context["validation_error"]


def test_the_bar_tells_what_is_wrong_with_a_memo() -> None:
    graph = Graph()
    incident, other = graph.add_object("incident", {}), graph.add_object("incident", {})
    stranger = graph.add_object("evidence", {"incident": other.id})
    finding = {"hypothesis": "hypothesis#9", "evidence": [stranger.id], "evidence_against": []}
    data = {"summary": "", "timeline": {"entries": [], "notes": []}, "inquiries_answered": [], "open_conflicts": []}
    memo = graph.add_object(
        "memo", {**data, "incident": incident.id, "findings": [finding], "conflicts_note": "?", "actions": []}
    )

    assert memo_problems(graph, memo) == [
        "there is no action",
        "the note on conflicts is wrong",
        "it does not report on its incident",
        "hypothesis#9 is no hypothesis",
        f"{stranger.id} belongs to another incident",
    ]


def test_incidents_of_one_name_do_not_mix_their_signals(log: Path) -> None:
    runtime = rules_runtime()
    signals = list(read_signals(write_log(log, [error("23505", "twice")])))

    for _ in range(2):
        add_incident(runtime.graph, IncidentInput("same", "Same", signals))
        runtime.run_until_idle()

    assert [incident.data["signals"] for incident in runtime.graph.objects("incident")] == [1, 1]


@pytest.mark.parametrize("kinds", [150, 500])
def test_no_signal_is_lost_where_several_incidents_are_given_at_once(kinds: int) -> None:
    at = "2026-05-15 10:00:00.000 UTC"
    signals = [
        Signal(1, "log", "error", f"kind {n}", 1, at, at, (n,), "ERROR", "23505", f"m{n}") for n in range(1, kinds + 1)
    ]
    runtime = rules_runtime()

    for name in ("a", "b", "c"):
        add_incident(runtime.graph, IncidentInput(name, name, signals))
    runtime.run_until_idle()

    graph = runtime.graph
    assert [incident.data["signals"] for incident in graph.objects("incident")] == [kinds] * 3
    for incident in graph.objects("incident"):
        tied = {each.source for each in graph.relations(target=incident.id, type="observed_in")}
        of_name = graph.objects("signal", where={"data.incident": incident.data["name"]})
        assert tied == {signal.id for signal in of_name}


def test_signals_that_were_there_before_their_goal_count_however_many_they_are() -> None:
    runtime = rules_runtime()
    at = "2026-05-15 10:00:00.000 UTC"
    for n in range(1, 501):
        signal = Signal(1, "log", "error", f"kind {n}", 1, at, at, (n,), "ERROR", "23505", f"m{n}")
        runtime.graph.add_object("signal", signal.to_data("early"))

    runtime.run_goal("Incident review: early: The signals came first")

    assert runtime.graph.objects("incident")[0].data["signals"] == 500


def test_a_conflict_that_a_memo_does_not_list_is_a_problem_of_it(log: Path) -> None:
    graph = review(write_log(log, [error("23505", "twice")]))
    (memo,) = graph.objects("memo")
    conflict = graph.add_object(
        "conflict",
        {
            "title": "late",
            "incident": memo.data["incident"],
            "statement": "s",
            "hypotheses": ["hypothesis#1", "hypothesis#2"],
            "status": "open",
        },
    )

    assert memo_problems(graph, memo) == [f"{conflict.id} is not listed"]


def test_the_pack_has_the_version_of_its_distribution() -> None:
    assert incident_review.__version__ == version("activegraph-pack-incident-review")
