"""Promises of the recordings: real logs, small, quoted verbatim, with and without accounts that disagree."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from activegraph import Graph
from activegraph.packs.incident_review import THREE_INCIDENTS, load_recording, pack
from activegraph.packs.incident_review.host import add_incident
from activegraph.packs.incident_review.memo_bar import memo_problems
from support.server_logs import rules_runtime

NAMES = [recording.name for recording in THREE_INCIDENTS]


def reviewed(*names: str, **settings: Any) -> Graph:
    runtime = rules_runtime(**settings)
    for name in names:
        add_incident(runtime.graph, load_recording(name).incident())
        runtime.run_until_idle()
    assert runtime.errors == []
    return runtime.graph


@pytest.fixture(scope="module")
def graph() -> Graph:
    return reviewed(*NAMES)


def findings(graph: Graph, incident: str) -> dict[str, Any]:
    (memo,) = [memo for memo in graph.objects("memo") if _name(graph, memo) == incident]
    return {graph.get_object(each["hypothesis"]).data["rule"]: each for each in memo.data["findings"]}  # type: ignore[union-attr]


def _name(graph: Graph, thing: Any) -> str:
    found = graph.get_object(thing.data["incident"])
    assert found is not None
    return str(found.data["name"])


def test_all_recordings_together_are_small() -> None:
    folder = load_recording("crash_recovery").log.parents[1]

    assert sum(file.stat().st_size for file in folder.rglob("*")) < 400_000


@pytest.mark.parametrize("name", NAMES)
def test_a_recording_says_what_was_provoked_on_which_server(name: str) -> None:
    recording = load_recording(name)

    assert recording.title
    assert recording.provoked
    assert int(recording.server_version.split(".")[0]) >= 16


def test_an_unknown_recording_is_refused_by_name() -> None:
    with pytest.raises(KeyError, match="checkout_deadlocks"):
        load_recording("nothing")


def test_every_memo_passes_the_bar(graph: Graph) -> None:
    memos = graph.objects("memo")

    assert [_name(graph, memo) for memo in memos] == NAMES
    assert [memo_problems(graph, memo) for memo in memos] == [[], [], []]


def test_evidence_quotes_the_line_that_it_names(graph: Graph) -> None:
    evidence = graph.objects("evidence")
    lines = {
        (name, source): path.read_text().splitlines()
        for name in NAMES
        for source, path in (("log", load_recording(name).log), ("metrics", load_recording(name).metrics))
    }

    assert evidence
    for each in evidence:
        line = lines[_name(graph, each), each.data["source"]][each.data["line"] - 1]
        fields = json.loads(line)
        said = [line] if each.data["source"] == "metrics" else [fields["message"], fields.get("detail", "")]
        assert any(each.data["quote"] in text for text in [*said, str(fields.get("error"))])


def test_the_deadlock_is_told_with_both_statements_and_their_order(graph: Graph) -> None:
    found = findings(graph, "checkout_deadlocks")["opposite_lock_order"]

    assert "waited for" in found["text"]
    assert "id = 11`" in found["text"]
    assert "id = 12`" in found["text"]
    assert found["status"] == "confirmed"


def test_the_lock_queue_is_told_with_its_head_and_how_long_it_lasted(graph: Graph) -> None:
    found = findings(graph, "checkout_deadlocks")

    assert "5 sessions waited for it" in found["lock_queue"]["text"]
    assert "3." in found["lock_queue"]["text"]
    assert "left open" in found["transaction_left_open"]["text"]


def test_the_storm_is_told_with_who_held_the_slots(graph: Graph) -> None:
    found = findings(graph, "connection_storm")

    assert "10 were idle" in found["idle_sessions_held_slots"]["text"]
    assert "of shop-report ran into statement_timeout" in found["statement_timeout"]["text"]


def test_the_crash_is_told_with_its_cause_the_time_down_and_what_was_replayed(graph: Graph) -> None:
    found = findings(graph, "crash_recovery")

    assert "signal 9 (Killed)" in found["process_killed"]["text"]
    assert "INSERT INTO orders" in found["process_killed"]["text"]
    assert "s later" in found["outage"]["text"]
    assert "MB of its log" in found["outage"]["text"]


def test_where_metrics_and_log_disagree_there_is_a_conflict_and_elsewhere_none(graph: Graph) -> None:
    conflicts = [_name(graph, conflict) for conflict in graph.objects("conflict")]

    assert conflicts == ["connection_storm"]
    notes = {_name(graph, memo): memo.data["conflicts_note"] for memo in graph.objects("memo")}
    assert notes["checkout_deadlocks"] == notes["crash_recovery"] == "no conflicts found"
    assert notes["connection_storm"] == "1 conflict is open"


def test_no_conflict_remains_where_more_confidence_is_asked_for() -> None:
    graph = reviewed("connection_storm", conflict_confidence=0.95)

    assert graph.objects("conflict") == []
    assert graph.relations(type="contradicts") != []
    assert graph.objects("memo")[0].data["conflicts_note"] == "no conflicts found"


def test_what_no_rule_knows_is_listed_with_its_line_and_a_reminder(graph: Graph) -> None:
    memo = graph.objects("memo")[0]

    (unresolved,) = memo.data["inquiries_unresolved"]
    line = load_recording("checkout_deadlocks").log.read_text().splitlines()[unresolved["lines"][0] - 1]
    assert "stocktaking" in line
    (reminder,) = graph.objects("reminder")
    assert (reminder.data["inquiry"], reminder.data["lines"]) == (unresolved["inquiry"], unresolved["lines"])


def test_every_type_of_object_and_relation_is_used(graph: Graph) -> None:
    assert {made.type for made in graph.all_objects()} == {each.name for each in pack.object_types}
    assert {made.type for made in graph.all_relations()} == {each.name for each in pack.relation_types}


def test_two_reviews_under_a_standing_clock_are_the_same_byte_for_byte(tmp_path: Path) -> None:
    logs = []
    for name in ("one", "other"):
        runtime = rules_runtime()
        add_incident(runtime.graph, load_recording("crash_recovery").incident())
        runtime.run_until_idle()
        runtime.export_trace(tmp_path / name)
        logs.append((tmp_path / name).read_bytes())

    assert logs[0] == logs[1]


def test_a_finding_leads_back_to_its_goal(graph: Graph) -> None:
    from activegraph.trace.causal import causal_chain

    chain = causal_chain(graph, graph.objects("hypothesis")[0].id)

    assert chain.splitlines()[-1].endswith("goal.created")
