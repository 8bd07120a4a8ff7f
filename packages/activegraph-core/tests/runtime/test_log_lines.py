"""What a run says through `logging`, and that a level that is off costs a look and no more."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from activegraph.behaviors.base import Behavior
from activegraph.core.event import Event
from activegraph.core.redaction import rendered_payload
from support.runtimes import RUN, emit, loaded, new, recording

STANDARD = set(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in vars(record).items() if name not in STANDARD}


def said(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == level]


def make(event: Event, graph: Any, ctx: Any) -> None:
    graph.add_object("x", {"secret": "s"})


def test_at_info_every_event_and_every_invocation_is_a_line_in_order(caplog: pytest.LogCaptureFixture) -> None:
    runtime = new([Behavior("make", make, ["goal.created"])])
    with caplog.at_level(logging.INFO, "activegraph"):
        runtime.run_goal("hidden words")

    assert said(caplog, logging.INFO) == [
        "event emitted: goal.created",
        "event emitted: behavior.started",
        "behavior invoked: make",
        "event emitted: object.created",
        "event emitted: behavior.completed",
        "behavior completed: make",
        "event emitted: runtime.idle",
        "run idle",
    ]
    assert {record.name for record in caplog.records} == {"activegraph.runtime"}
    created, completed = caplog.records[3], caplog.records[5]
    assert fields_of(created) == {"run_id": RUN, "event_id": "evt_003", "behavior": "make"}
    assert fields_of(caplog.records[1]) == {"run_id": RUN, "event_id": "evt_002"}
    assert fields_of(completed) == {"run_id": RUN, "event_id": "evt_001", "behavior": "make", "latency_seconds": 0.0}
    assert "hidden" not in caplog.text
    assert "secret" not in caplog.text


def test_at_debug_payloads_the_queue_and_views_are_lines_too(caplog: pytest.LogCaptureFixture) -> None:
    runtime = new([Behavior("look", lambda e, g, c: c.view.objects(), ["a"])])
    runtime.graph.add_object("x", {})
    with caplog.at_level(logging.DEBUG, "activegraph"):
        emit(runtime, "a", {"n": 1})
        runtime.run_until_idle()

    lines = said(caplog, logging.DEBUG)
    assert lines[:4] == [
        'event payload: a payload={"n":1}',
        "queue push: a depth=2",
        "queue pop: object.created depth=2",
        "queue pop: a depth=1",
    ]
    assert "view built: 1 objects, 0 relations" in lines
    view = next(record for record in caplog.records if record.getMessage().startswith("view built"))
    assert (view.behavior, view.event_id) == ("look", "evt_002")  # type: ignore[attr-defined]
    assert view.latency_seconds >= 0  # type: ignore[attr-defined]


def test_a_long_payload_is_cut_and_its_length_told() -> None:
    text = rendered_payload(b'{"text":"' + "é".encode() * 40_000 + b'"}')

    assert text.endswith(" …(80011 bytes)")
    assert len(text.encode()) < 65 * 1024 + 32
    assert rendered_payload(b"{}") == "{}"


def test_at_warning_a_run_without_trouble_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "activegraph"):
        new([Behavior("make", make, ["goal.created"])]).run_goal("g")

    assert caplog.records == []


def test_a_load_a_fork_and_each_end_of_a_run_are_lines(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    runtime = new([recording("b", [], ["a"])], persist_to=tmp_path / "run.db", budget={"max_events": 1})
    emit(runtime, "a")
    emit(runtime, "a")
    with caplog.at_level(logging.INFO, "activegraph.runtime"):
        runtime.run_until_idle()
        again = loaded(tmp_path / "run.db", [recording("b", [], ["a"])])
        fork = again.fork("evt_001")

    lines = [line for line in said(caplog, logging.INFO) if line.startswith("run ")]
    assert lines == [
        "run stopped: budget max_events",
        "run loaded: 5 events, 1 owed",
        f"run forked: {RUN} at evt_001 -> {fork.run_id}",
    ]


def test_what_is_compared_with_a_recorded_prefix_is_no_line(caplog: pytest.LogCaptureFixture) -> None:
    from support.programs import RUN as run
    from support.shared_memory import SimulatedCrash, new_disk

    behaviors = [Behavior("make", make, ["a"])]
    disk = new_disk(atomic=False)
    runtime = new(behaviors, persist_to=disk.url)
    emit(runtime, "a")
    disk.crash_at(3)
    with pytest.raises(SimulatedCrash):
        runtime.run_until_idle()
    disk.crash_at(None)
    again = type(runtime).load(disk.url, run, behaviors=behaviors)
    with caplog.at_level(logging.INFO, "activegraph.runtime"):
        caplog.clear()
        again.run_until_idle()

    assert said(caplog, logging.INFO) == [
        "event emitted: behavior.completed",
        "behavior completed: make",
        "event emitted: runtime.idle",
        "run idle",
    ]


def test_dropped_provenance_is_said_once_per_behavior(caplog: pytest.LogCaptureFixture) -> None:
    def forge(event: Event, graph: Any, ctx: Any) -> None:
        graph.add_object("x", {"provenance": {"by": "me"}, "n": {"provenance": 1}})

    runtime = new([Behavior("forge", forge, ["a"])])
    emit(runtime, "a")
    emit(runtime, "a")
    runtime.run_until_idle()

    assert len(said(caplog, logging.WARNING)) == 1
    assert [o.data for o in runtime.graph.all_objects()] == [{"n": {"provenance": 1}}] * 2


def test_a_handler_that_raises_harms_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise OSError("log server down")

    monkeypatch.setattr(logging, "raiseExceptions", False)
    logger = logging.getLogger("activegraph.runtime")
    handler = Broken()
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        runtime = new([Behavior("make", make, ["goal.created"])])
        runtime.graph.add_object("x", {"provenance": {}})
        runtime.run_goal("g")
        runtime.budget = {"max_events": 0}
        runtime.run_until_idle()
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)

    assert runtime.status().state == "exhausted"
    assert runtime.errors == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("no answer from postgres://ann:s3cret@db:5432/runs", "no answer from postgres://ann:***@db:5432/runs"),
        ("'https://ann:s3cret@h/x?password=s3cret&a=1'", "'https://ann:***@h/x?password=***&a=1'"),
        ("see http://host:8080/path and write to ann@example.org", None),
        ("http://[::1]:80/a:b@c", None),
        ("no address: a:b@c", None),
    ],
)
def test_the_text_of_a_foreign_error_shows_no_password_of_an_address(
    caplog: pytest.LogCaptureFixture, text: str, shown: str | None
) -> None:
    def fail(event: Event, graph: Any, ctx: Any) -> None:
        raise OSError(text)

    new([Behavior("fail", fail, ["goal.created"])]).run_goal("prices")

    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert fields_of(record)["error_message"] == (text if shown is None else shown)
