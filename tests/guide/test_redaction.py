"""The section on redaction: what payloads reach the log, and how they are kept out of it."""

from __future__ import annotations

from typing import Any

import pytest
from support.busy_run import SECRET, busy_fork, busy_run
from support.configured_logs import LogLines, json_logs


def redact(payload: dict[str, Any]) -> dict[str, Any]:
    """The redactor of the guide."""
    return {k: ("<redacted>" if k == "email" else v) for k, v in payload.items()}


def scrub(value: Any) -> Any:
    """One that goes into everything."""
    if isinstance(value, dict):
        return {scrub(key): scrub(item) for key, item in value.items()}
    if isinstance(value, list):
        return [scrub(item) for item in value]
    return value.replace(SECRET, "<redacted>") if isinstance(value, str) else value


@pytest.fixture(scope="module")
def plain() -> LogLines:
    """What a busy run writes at DEBUG without a redactor."""
    with json_logs("DEBUG") as lines:
        busy_run()
    return lines


def test_prompts_are_in_the_debug_lines(plain: LogLines) -> None:
    assert any(SECRET in line["message"] for line in plain.at("DEBUG", "prompt assembled: "))


def test_answers_of_tools_are_there_in_full(plain: LogLines) -> None:
    (line,) = [line for line in plain.at("DEBUG", "tool output payload=") if line["tool"] == "look"]

    assert f'"found":"{SECRET}"' in line["message"]


def test_what_the_user_typed_as_a_goal_is_there(plain: LogLines) -> None:
    assert any(f"Ask {SECRET}" in line["message"] for line in plain.at("DEBUG", "event payload: goal.created"))


def test_nothing_of_it_is_in_lines_from_info_on_but_messages_of_errors(plain: LogLines) -> None:
    for line in plain.objects:
        if line["level"] != "DEBUG":
            line.pop("error_message", None)
            assert SECRET not in str(line)


def test_the_redactor_of_the_guide_works_as_it_is_written_there() -> None:
    with json_logs("DEBUG", payload_redactor=redact) as lines:
        busy_run()

    (asked,) = lines.at("DEBUG", "event payload: ask ")
    assert asked["message"].endswith('payload={"email":"<redacted>"}')


def test_it_runs_on_every_payload_that_a_line_would_show() -> None:
    with json_logs("DEBUG", payload_redactor=scrub) as lines:
        busy_run()

    assert "<redacted>" in lines.text
    assert SECRET not in lines.text


def test_the_event_log_keeps_the_original() -> None:
    with json_logs("DEBUG", payload_redactor=scrub):
        runtime = busy_run()

    (asked,) = [event for event in runtime.graph.events if event.type == "ask"]
    assert asked.payload == {"email": SECRET}
    assert runtime.graph.events[0].payload == {"goal": f"Ask {SECRET}"}


def test_a_run_is_the_same_with_a_redactor_and_without() -> None:
    undisturbed = [(e.id, e.type) for e in busy_run().graph.events]

    with json_logs("DEBUG", payload_redactor=scrub):
        assert [(e.id, e.type) for e in busy_run().graph.events] == undisturbed


@pytest.mark.parametrize("broken", [lambda payload: 1 / 0, lambda payload: None, lambda payload: {"x": object()}])
def test_a_redactor_that_fails_leaks_nothing(broken: Any, tmp_path: Any) -> None:
    with (
        json_logs("DEBUG", payload_redactor=broken) as lines,
        busy_run(persist_to=str(tmp_path / "run.db")) as parent,
    ):
        busy_fork(parent).close()

    assert "payload=<withheld>" in lines.text
    assert SECRET not in lines.text
    assert len(lines.at("WARNING", "payload redactor failed")) == 1
