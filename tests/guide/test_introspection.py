"""The section on `runtime.status()`: a frozen snapshot, cheap, from any thread."""

from __future__ import annotations

import dataclasses
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from activegraph import Frame, FrozenClock, Graph, Runtime
from activegraph.behaviors.base import Behavior
from activegraph.observability import BudgetSnapshot, FrameSnapshot, RuntimeStatus
from activegraph.store import open_store
from support.cli import Cli
from support.runtimes import recording


def new(**options: Any) -> Runtime:
    graph = Graph(run_id="run_a", clock=FrozenClock())
    return Runtime(graph, options.pop("behaviors", [recording("seer", [], ["goal.created"])]), **options)


def test_status_is_a_frozen_dataclass() -> None:
    status = new().status()

    assert dataclasses.is_dataclass(status)
    with pytest.raises(dataclasses.FrozenInstanceError):
        status.run_id = "other"  # type: ignore[misc]


def test_calling_it_walks_no_graph_and_reads_no_log(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with new(persist_to=store_url) as runtime:
        runtime.run_goal("prices")
        store: Any = runtime.graph.store
        read: list[str] = []
        for name in ("iter_events", "iter_range", "tail", "get_event", "count", "head"):
            monkeypatch.setattr(store, name, lambda *_, called=name, **__: read.append(called))

        status = runtime.status()

        assert read == []
        assert status.events_processed == 4


def test_it_answers_from_any_thread_while_the_run_works() -> None:
    answers: list[RuntimeStatus] = []

    def look(event: Any, graph: Any, ctx: Any) -> None:
        asking = threading.Thread(target=lambda: answers.append(runtime.status()))
        asking.start()
        asking.join(timeout=30)

    runtime = new(behaviors=[Behavior("looker", look, ["goal.created"])])
    runtime.run_goal("prices")

    (answer,) = answers
    assert answer.state == "running"


def test_several_threads_may_ask_at_once() -> None:
    runtime = new()
    with ThreadPoolExecutor(8) as threads:
        asking = [threads.submit(runtime.status) for _ in range(100)]
        runtime.run_goal("prices")
        assert {each.result().run_id for each in asking} == {"run_a"}


def test_the_example_of_the_guide_works(capsys: pytest.CaptureFixture[str]) -> None:
    rt = new()
    rt.run_goal("prices")

    status = rt.status()
    print(status.run_id, status.state, status.queue_depth)
    for ev in status.recent_events:
        print(ev.id, ev.type)

    assert (
        capsys.readouterr().out.splitlines()
        == [
            "run_a idle 0",
            "evt_001 goal.created",
            "evt_002 behavior.started",
            "evt_003 behavior.completed",
            "stop_001 runtime.idle",
        ]
        or status.recent_events[-1].type == "runtime.idle"
    )


def test_its_fields_are_those_of_the_guide_in_that_order() -> None:
    assert [field.name for field in dataclasses.fields(RuntimeStatus)] == [
        "run_id",
        "state",
        "queue_depth",
        "events_processed",
        "budget",
        "frame",
        "registered_behaviors",
        "recent_events",
    ]


def test_its_states_are_those_four() -> None:
    assert get_args(get_type_hints(RuntimeStatus)["state"]) == ("idle", "running", "stopped", "exhausted")


def test_its_fields_have_the_types_of_the_guide() -> None:
    status = new(frame=Frame("find out")).status()

    assert isinstance(status.run_id, str)
    assert isinstance(status.queue_depth, int)
    assert isinstance(status.events_processed, int)
    assert isinstance(status.budget, BudgetSnapshot)
    assert isinstance(status.frame, FrameSnapshot)
    assert isinstance(status.registered_behaviors, list)
    assert isinstance(status.recent_events, list)
    assert new().status().frame is None


def test_it_shows_queue_budget_behaviors_events_and_frame() -> None:
    runtime = new(frame=Frame("find out"), budget={"max_events": 9})
    runtime.graph.add_object("task", {})

    status = runtime.status()

    assert status.queue_depth == 1
    assert status.budget.limits["max_events"] == 9
    assert [behavior.name for behavior in status.registered_behaviors] == ["seer"]
    assert [event.type for event in status.recent_events] == ["object.created"]
    assert status.frame is not None


@pytest.mark.parametrize("recent", [0, 1, 2, 3, 1000])
def test_recent_events_are_as_many_as_asked_for(recent: int) -> None:
    runtime = new()
    runtime.run_goal("prices")

    shown = [event.id for event in runtime.status(recent=recent).recent_events]

    assert shown == [event.id for event in runtime.graph.events][len(runtime.graph.events) - min(recent, 4) :]


def test_recent_events_are_twenty_by_default() -> None:
    runtime = new()
    for _ in range(30):
        runtime.graph.add_object("task", {})

    assert len(runtime.status().recent_events) == 20


def test_tail_of_inspect_is_this_argument(run_url: str, cli: Cli) -> None:
    for tail in (0, 3, 20):
        shown = json.loads(cli("inspect", run_url, "--tail", str(tail), "--json").out)
        assert len(shown["recent_events"]) == min(tail, 14)
    assert len(json.loads(cli("inspect", run_url, "--json").out)["recent_events"]) == 14


def test_there_is_no_last_error_field() -> None:
    assert not {field.name for field in dataclasses.fields(RuntimeStatus)} & {"last_error", "last_failure"}


def failing(runtime_options: dict[str, Any]) -> Runtime:
    def fail(event: Any, graph: Any, ctx: Any) -> None:
        raise ValueError("no price")

    runtime = new(behaviors=[Behavior("failing", fail, ["goal.created"])], **runtime_options)
    runtime.run_goal("prices")
    return runtime


def test_errors_are_events_among_the_recent_ones() -> None:
    status = failing({}).status()

    assert [event.type for event in status.recent_events if event.type == "behavior.failed"] == ["behavior.failed"]


def test_errors_outside_the_window_are_found_in_the_store(store_url: str) -> None:
    with failing({"persist_to": store_url}) as runtime:
        for _ in range(30):
            runtime.graph.add_object("task", {})
        assert "behavior.failed" not in {event.type for event in runtime.status().recent_events}

    with closing(open_store(store_url, "run_a", read_only=True)) as store:
        (failed,) = store.iter_types("behavior.failed")  # type: ignore[attr-defined]
    assert (failed.payload["behavior"], failed.payload["message"]) == ("failing", "no price")


def test_inspect_sits_on_the_same_snapshot(tmp_path: Path, cli: Cli) -> None:
    url = f"sqlite:///{tmp_path}/run.db"
    with new(persist_to=url) as runtime:
        runtime.run_goal("prices")
        live = runtime.status().to_dict()

    shown = json.loads(cli("inspect", url, "--json").out)

    assert shown.keys() == live.keys()
    for name in ("run_id", "state", "queue_depth", "events_processed", "budget", "recent_events"):
        assert shown[name] == live[name], name
