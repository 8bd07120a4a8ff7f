"""The table of levels: what each is for, provoked."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from activegraph import FrozenClock, Graph, Runtime, SchemaVersionMismatch
from activegraph.behaviors.base import Behavior
from activegraph.errors import CorruptedEventPayloadError
from activegraph.store import open_store
from support.busy_run import busy_behaviors, busy_fork, busy_provider, busy_run
from support.configured_logs import LogLines, json_logs
from support.diverging import diverging_resume
from support.stored_runs import alter, record_prices


@pytest.fixture(scope="module")
def busy() -> LogLines:
    """What a busy run writes at DEBUG."""
    with json_logs("DEBUG") as lines:
        busy_run()
    return lines


@pytest.mark.parametrize(
    "begins", ["view built: ", "prompt assembled: ", "cache lookup: miss", "queue push: ", "queue pop: "]
)
def test_debug_tells_of_views_prompts_lookups_and_the_queue(tmp_path: Path, begins: str) -> None:
    with json_logs("DEBUG") as lines, busy_run(persist_to=str(tmp_path / "run.db")) as parent:
        looking = Behavior("looking", lambda event, graph, ctx: ctx.view.objects(), ["goal.created"])
        Runtime(Graph(), [looking]).run_goal("look")
        busy_fork(parent).close()

    assert lines.at("DEBUG", begins)


def test_info_tells_of_every_event(busy: LogLines) -> None:
    with json_logs("INFO") as lines:
        runtime = busy_run()

    told = [(line["event_id"], line["message"]) for line in lines.at("INFO", "event emitted: ")]
    assert told == [(event.id, f"event emitted: {event.type}") for event in runtime.graph.events]


def test_info_tells_of_every_invocation(busy: LogLines) -> None:
    told = [line["behavior"] for line in busy.at("INFO", "behavior invoked: ")]

    assert told == ["plan", "pair", "follow", "fail", "asker", "doubter", "breaker"]


def test_info_tells_of_every_tool_call(busy: LogLines) -> None:
    assert [line["tool"] for line in busy.at("INFO", "tool call: ")] == ["look", "smash"]
    assert [line["tool"] for line in busy.at("WARNING", "tool call failed: ")] == ["smash"]


def test_warning_tells_that_a_budget_is_nearly_used_up() -> None:
    with json_logs("WARNING") as lines:
        busy_run(budget={"max_events": 10})

    (line,) = lines.at("WARNING", "budget at ")
    assert line["message"] == "budget at 80%: max_events 8 of 10"


def test_warning_tells_of_retries() -> None:
    waited: list[float] = []

    class Patient(FrozenClock):
        def sleep(self, seconds: float) -> None:
            waited.append(seconds)

    with json_logs("WARNING") as lines:
        runtime = Runtime(
            Graph(clock=Patient()), busy_behaviors(), llm_provider=busy_provider(), llm_retry_max_attempts=3
        )
        runtime.run_goal("prices")

    told = lines.at("WARNING", "retry ")
    assert [line["model"] for line in told] == ["m-down"] * len(waited)
    assert [line["reason"] for line in told] == ["llm.network_error"] * 2


def test_warning_tells_of_a_slow_pattern(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(10_000))
    monkeypatch.setattr("activegraph.runtime.turns.perf_counter", lambda: float(next(clock)))

    with json_logs("WARNING") as lines:
        busy_run()

    assert [line["behavior"] for line in lines.at("WARNING", "slow pattern: ")] == ["pair"]


def test_error_tells_of_each_failed_behavior_once(busy: LogLines) -> None:
    assert [line["behavior"] for line in busy.at("ERROR")] == ["fail", "doubter", "breaker"]
    assert {line["message"].split(":")[0] for line in busy.at("ERROR")} == {"behavior failed"}


def test_a_behavior_that_a_budget_stops_is_no_error() -> None:
    with json_logs("WARNING") as lines:
        busy_run(budget={"max_llm_calls": 1})

    stopped = lines.at("WARNING", "behavior failed: ")
    assert {line["reason"] for line in stopped} == {"budget.llm_calls_exhausted"}
    assert "budget.llm_calls_exhausted" not in {line.get("reason") for line in lines.at("ERROR")}


def test_critical_tells_of_an_inconsistent_log(tmp_path: Path) -> None:
    url = record_prices(tmp_path / "run.db")
    alter(tmp_path / "run.db", "UPDATE events SET payload = 'x' WHERE id = 'evt_003'")

    with json_logs("WARNING") as lines, suppress(CorruptedEventPayloadError):
        Runtime.load(url)

    (line,) = lines.at("CRITICAL")
    assert line["message"].startswith("event log inconsistency: ")
    assert (line["event_id"], line["error_type"]) == ("evt_003", "CorruptedEventPayloadError")


def test_critical_tells_of_another_schema(tmp_path: Path) -> None:
    url = record_prices(tmp_path / "run.db")
    alter(tmp_path / "run.db", "UPDATE meta SET value = '99' WHERE key = 'schema_version'")

    with json_logs("WARNING") as lines, suppress(SchemaVersionMismatch):
        open_store(url, "run_a")

    (line,) = lines.at("CRITICAL")
    assert line["message"].startswith("schema mismatch: found 99, expected ")


def test_critical_tells_of_a_divergence(tmp_path: Path) -> None:
    with json_logs("WARNING") as lines:
        diverging_resume(f"sqlite:///{tmp_path}/run.db")

    (line,) = lines.at("CRITICAL")
    assert line["message"].startswith("replay divergence: ")
    assert line["event_id"] == "evt_003"


def test_a_production_dashboard_at_warning_sees_only_trouble() -> None:
    with json_logs("WARNING") as lines:
        Runtime(Graph(), []).run_goal("prices")

    assert lines.text == ""
