"""The table of log fields: each where it applies and of its type, and no others."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from activegraph.observability import LOG_FIELDS
from support.busy_run import RUN, busy_fork, busy_run
from support.configured_logs import json_logs

GUIDE: dict[str, type | tuple[type, ...]] = {
    "timestamp": str,
    "level": str,
    "logger": str,
    "message": str,
    "run_id": str,
    "event_id": str,
    "behavior": str,
    "tool": str,
    "model": str,
    "cache_hit": bool,
    "cost_usd": str,
    "latency_seconds": (int, float),
    "reason": str,
    "error_type": str,
    "error_message": str,
}
"""The table, as names and types."""

Lines = list[dict[str, Any]]


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Lines:
    """What a busy run and a fork of it write at DEBUG."""
    path: Path = tmp_path_factory.mktemp("logs") / "run.db"
    with json_logs("DEBUG") as written, busy_run(persist_to=str(path)) as parent, busy_fork(parent):
        pass
    return written.objects


def about(lines: Lines, begins: str) -> Lines:
    """The lines whose message begins so; there are some."""
    found = [line for line in lines if line["message"].startswith(begins)]
    assert found, begins
    return found


def _name(line: dict[str, Any]) -> Any:
    return line.get("tool", line.get("model"))


def test_every_line_is_an_object_of_documented_fields(lines: Lines) -> None:
    assert {name for line in lines for name in line} <= {*GUIDE, "doc_url"}


def test_fields_that_do_not_apply_are_left_out_and_not_null(lines: Lines) -> None:
    assert [line for line in lines if None in line.values()] == []
    assert any("behavior" not in line for line in lines)


@pytest.mark.parametrize("field", GUIDE)
def test_each_field_occurs_and_has_its_type(lines: Lines, field: str) -> None:
    values = [line[field] for line in lines if field in line]

    assert values
    assert all(isinstance(value, GUIDE[field]) for value in values)


def test_the_time_is_always_there_in_iso_8601_and_utc(lines: Lines) -> None:
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["timestamp"]) for line in lines)


def test_the_level_is_always_one_of_five(lines: Lines) -> None:
    assert {line["level"] for line in lines} <= {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}


def test_the_logger_is_always_one_of_ours(lines: Lines) -> None:
    assert all(line["logger"].startswith("activegraph.") for line in lines)
    assert "activegraph.runtime" in {line["logger"] for line in lines}


def test_there_is_always_a_message(lines: Lines) -> None:
    assert all(line["message"] for line in lines)


def test_every_line_about_a_run_has_its_id(lines: Lines) -> None:
    of_the_parent = [line for line in lines if line.get("run_id") == RUN]
    of_the_fork = [line for line in lines if line.get("run_id") != RUN]

    assert of_the_parent
    assert {line.get("run_id") for line in of_the_fork} == {of_the_fork[0].get("run_id")} != {None}


def test_a_line_about_an_event_has_its_id(lines: Lines) -> None:
    for begins in ("event emitted: ", "event payload: "):
        assert all(re.fullmatch(r"evt_\d+", line["event_id"]) for line in about(lines, begins))


def test_a_line_about_an_invocation_has_the_behavior(lines: Lines) -> None:
    for begins in ("behavior invoked: ", "behavior completed: ", "behavior failed: "):
        for line in about(lines, begins):
            assert line["behavior"] == line["message"].removeprefix(begins).split(" ")[0]


def test_a_line_about_a_tool_has_its_name(lines: Lines) -> None:
    assert {line["tool"] for line in about(lines, "tool call: ")} == {"look", "smash"}
    assert {line["tool"] for line in about(lines, "tool call failed: ")} == {"smash"}


def test_a_line_that_a_tool_writes_itself_carries_run_event_and_tool(lines: Lines) -> None:
    (line,) = about(lines, "looking")

    assert (line["run_id"], line["tool"]) == (RUN, "look")
    assert line["event_id"].startswith("evt_")


def test_a_line_about_a_model_has_its_name(lines: Lines) -> None:
    assert {line["model"] for line in about(lines, "llm call: ")} == {"m-good", "m-down"}
    assert {line["model"] for line in about(lines, "llm call failed: ")} == {"m-down"}


def test_calls_say_whether_they_were_served_from_a_cache(lines: Lines) -> None:
    for begins in ("llm call: ", "tool call: "):
        of_both = about(lines, begins)
        assert {line["cache_hit"] for line in of_both if line["run_id"] == RUN} == {False}
        in_the_fork = {line["cache_hit"] for line in of_both if line["run_id"] != RUN}
        # What had failed is asked again.
        assert in_the_fork == {True, False}
        failed = ("m-down", "smash")
        assert all(line["cache_hit"] for line in of_both if line["run_id"] != RUN and _name(line) not in failed)


def test_cost_is_a_decimal_as_text_where_there_was_one(lines: Lines) -> None:
    for line in about(lines, "llm call: "):
        assert ("cost_usd" in line) == (not line["cache_hit"] and line["model"] != "m-down")
    assert {Decimal(line["cost_usd"]) for line in lines if "cost_usd" in line} == {Decimal("0.01"), Decimal("0.002")}


def test_calls_and_behaviors_say_how_long_they_took(lines: Lines) -> None:
    for begins in ("llm call: ", "tool call: ", "behavior completed: "):
        assert all(line["latency_seconds"] >= 0 for line in about(lines, begins))


def test_failures_say_their_reason_type_and_message(lines: Lines) -> None:
    told = {line["behavior"]: (line["reason"], line["error_type"]) for line in about(lines, "behavior failed: ")}

    assert told == {
        "fail": ("exception.ValueError", "ValueError"),
        "doubter": ("llm.network_error", "LLMBehaviorError"),
        "breaker": ("tool.execution_error", "ToolError"),
    }
    assert all(line["error_message"] for line in about(lines, "behavior failed: "))
    assert not any("reason" in line for line in about(lines, "behavior completed: "))


def test_the_schema_is_pinned() -> None:
    """Dashboards stand on these names: one that goes or changes its place breaks them."""
    assert LOG_FIELDS[: len(GUIDE)] == tuple(GUIDE)
    assert LOG_FIELDS[len(GUIDE) :] == ("doc_url",)
