"""Packs are code: a load and a fork are given them again, and the log is told only what it does not know."""

from __future__ import annotations

import logging
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from activegraph import Event
from activegraph.errors import IncompatibleRuntimeState, PackSettingsMissingError
from activegraph.packs import ObjectType, Pack, PackPrompt, behavior
from activegraph.runtime.runtime import Runtime
from pydantic import BaseModel
from support.equal_logs import essences
from support.killed import ended_at_commit
from support.runtimes import RUN, emit, loaded, new, types_of
from support.shared_memory import new_disk


class Volume(BaseModel):
    size_gb: int = 1


class Settings(BaseModel):
    threshold: float = 0.5
    name: str = "a"


@behavior(on=["goal.created", "go"])
def first(event: Any, graph: Any, ctx: Any, *, settings: Settings) -> None:
    volume = graph.add_object("volume", {"size_gb": len(ctx.view.objects("volume")) + 1})
    graph.emit("measured", {"of": volume.id, "threshold": settings.threshold, "luck": ctx.random.random()})


@behavior(on=["measured"])
def second(event: Any, graph: Any, ctx: Any) -> None:
    if event.payload["luck"] > ctx.settings.threshold:
        graph.patch_object(event.payload["of"], {"size_gb": 100})


def storage(version: str = "1.0.0", **fields: Any) -> Pack:
    parts: dict[str, Any] = {
        "object_types": [ObjectType("volume", Volume)],
        "behaviors": [first, second],
        "prompts": [PackPrompt.from_body("rank", "1", "Rank.")],
        "settings_schema": Settings,
        **fields,
    }
    return Pack("storage", version, **parts)


def ran(path: Path, **settings: Any) -> None:
    with new(persist_to=path) as runtime:
        runtime.load_pack(storage(), settings)
        runtime.run_goal("x")


def packs_loaded(runtime: Runtime) -> int:
    return types_of(runtime).count("pack.loaded")


@pytest.mark.parametrize("how", ["load_pack", "packs", "pack and settings", "fork"])
def test_the_same_content_is_not_said_twice(how: str, tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    ran(path, threshold=0.7)
    if how == "load_pack":
        runtime = loaded(path)
        assert runtime.load_pack(storage()) is True
    elif how == "packs":
        runtime = loaded(path, packs=[storage()])
    elif how == "pack and settings":
        runtime = loaded(path, packs=[(storage(), {"threshold": 0.7})])
    else:
        parent = loaded(path)
        runtime = parent.fork(parent.graph.events[-1].id, packs=[storage()])
    emit(runtime, "go")
    runtime.run_until_idle()

    assert packs_loaded(runtime) == 1
    assert len(runtime.graph.objects("volume")) == 2
    assert [e.payload["threshold"] for e in runtime.graph.events if e.type == "measured"] == [0.7, 0.7]


@pytest.mark.parametrize(
    ("again", "settings", "says"),
    [
        (storage("1.1.0"), None, "version (1.0.0 -> 1.1.0)"),
        (storage(prompts=[PackPrompt.from_body("rank", "1", "Rank!")]), None, "prompts (rank)"),
        (storage(prompts=[PackPrompt.from_body("rank", "2", "Rank.")]), None, "prompts (rank)"),
        (storage(), {"threshold": 0.9}, "settings (threshold)"),
        (storage(behaviors=[first]), None, "behaviors"),
        (storage("2", object_types=[], prompts=[]), None, "version (1.0.0 -> 2), prompts (rank), object_types"),
    ],
)
def test_changed_content_is_recorded_and_named_in_a_warning(
    again: Pack, settings: Any, says: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "run.db"
    ran(path)
    for pack_argument in (True, False):
        runtime = loaded(path)
        with caplog.at_level(logging.WARNING, "activegraph.packs"):
            if pack_argument:
                runtime.close()
                runtime = loaded(path, packs=[(again, settings)])
                runtime.close()
            else:
                runtime.load_pack(again, settings)
        (line,) = caplog.records
        assert line.getMessage() == f"pack storage differs from what the log recorded: {says}"
        assert line.__dict__["event_id"] == "evt_001"
        caplog.clear()

    assert packs_loaded(runtime) == 2
    assert runtime.graph.events[-1].payload["version"] == again.version


def test_a_changed_description_alone_is_not_content(tmp_path: Path) -> None:
    ran(tmp_path / "run.db")

    runtime = loaded(tmp_path / "run.db", packs=[storage(description="Now described.")])
    runtime.run_until_idle()

    assert packs_loaded(runtime) == 1


def test_the_latest_load_in_the_log_is_the_one_that_is_compared(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    ran(path)
    with loaded(path) as runtime:
        runtime.load_pack(storage(), {"threshold": 0.9})
    with loaded(path) as runtime:
        runtime.load_pack(storage())
        assert packs_loaded(runtime) == 2
        assert runtime.graph.events[-1].payload["settings"]["threshold"] == 0.9


def test_an_event_that_the_host_wrote_is_no_load(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    with new(persist_to=path) as runtime:
        runtime.graph.emit(Event("evt_001", "pack.loaded", {"name": "storage", "settings": {"threshold": 0.1}}, "anna"))

    runtime = loaded(path, packs=[storage()])
    runtime.run_until_idle()

    assert packs_loaded(runtime) == 2
    assert runtime.graph.events[1].payload["settings"]["threshold"] == 0.5


def test_a_load_of_a_run_emits_nothing_for_packs_that_are_new(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    with new(persist_to=path) as runtime:
        runtime.run_goal("x")
    head = len(loaded(path).graph.events)

    runtime = loaded(path, packs=[storage()])

    assert len(runtime.graph.events) == head
    emit(runtime, "go")
    assert types_of(runtime)[head:] == ["pack.loaded", "go"]


def test_a_load_whose_packs_do_not_fit_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    ran(path)
    content = path.read_bytes()

    with pytest.raises(PackSettingsMissingError):
        loaded(path, packs=[(storage(), {"threshold": "high"})])

    assert path.read_bytes() == content
    assert loaded(path, packs=[storage()]).status().state == "idle"


def test_what_is_owed_to_a_packs_behaviors_counts_when_the_pack_is_given(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    listener = behavior(name="hears", on=["approval.proposed"])(lambda event, graph, ctx: None)
    asks = behavior(name="asks", on=["goal.created"])(lambda event, graph, ctx: ctx.propose_object("memo", {}))
    with new(persist_to=path) as runtime:
        runtime.load_pack(Pack("p", "1", behaviors=[asks]))
        runtime.budget = {"max_events": 2}  # type: ignore[assignment]
        runtime.run_goal("x")
    hearing = Pack("p", "1", behaviors=[asks, listener])

    assert loaded(path).status().queue_depth == 0
    assert loaded(path, packs=[hearing]).status().queue_depth == 1
    runtime = loaded(path)
    runtime.load_pack(hearing)
    assert runtime.status().queue_depth == 2


def test_a_fork_has_the_packs_that_it_is_given_and_the_settings_of_its_prefix(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    ran(path, threshold=0.2)
    parent = loaded(path, packs=[storage()])
    with_pack = parent.fork("evt_002", packs=[storage()])
    without = parent.fork("evt_002")

    assert [pack.name for pack in with_pack.loaded_packs()] == ["storage"]
    assert without.loaded_packs() == []
    with_pack.run_until_idle()
    assert parent.diff(with_pack).is_identical


@pytest.mark.parametrize("after", [False, True])
def test_a_run_that_is_killed_at_any_commit_ends_as_one_that_was_not(after: bool, tmp_path: Path) -> None:
    packs = [(storage(), {"threshold": 0.3})]

    def work(path: Path) -> None:
        with new(persist_to=path, packs=packs) as runtime:
            runtime.run_goal("x")

    work(tmp_path / "whole.db")
    whole = essences(loaded(tmp_path / "whole.db").graph.events)
    for commit in count(1):
        cut = tmp_path / f"{commit}.db"
        if not ended_at_commit(lambda path=cut: work(path), commit, after=after):  # type: ignore[misc]
            break
        with loaded(cut, packs=packs) as again:
            if "goal.created" in types_of(again):
                again.run_until_idle()
            else:
                again.run_goal("x")
            assert essences(again.graph.events) == whole
    assert commit > 4


def test_while_an_invocation_waits_to_be_finished_the_same_pack_may_come_and_another_may_not(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    ran(path)
    cut_off(path)

    with pytest.raises(IncompatibleRuntimeState, match="unfinished"):
        loaded(path).load_pack(storage("2.0.0"))
    with pytest.raises(IncompatibleRuntimeState, match="unfinished"):
        loaded(path, packs=[storage("2.0.0")])
    runtime = loaded(path)
    assert runtime.load_pack(storage()) is True
    assert packs_loaded(runtime) == 1
    with pytest.raises(IncompatibleRuntimeState, match="unfinished"):
        Runtime(loaded(path).graph, [], packs=[storage("2.0.0")])
    runtime.run_until_idle()
    assert runtime.status().state == "idle"


def cut_off(path: Path) -> None:
    """Take the log back to inside the first invocation, as a crash around a call to the outside leaves it."""
    import sqlite3

    with sqlite3.connect(path) as connection:
        (position,) = connection.execute("SELECT min(position) FROM events WHERE type = 'behavior.started'").fetchone()
        connection.execute("DELETE FROM events WHERE position > ?", (position,))


def test_going_on_without_the_packs_of_a_run_is_warned_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ran(tmp_path / "a.db")
    with loaded(tmp_path / "a.db", []) as runtime:
        runtime.run_until_idle()
        runtime.run_until_idle()

    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert "not attached" in warnings[0]
    assert "storage" in warnings[0]

    caplog.clear()
    with loaded(tmp_path / "a.db", [], packs=[storage()]) as runtime:
        runtime.run_until_idle()
    assert [record for record in caplog.records if record.levelno == logging.WARNING] == []


def test_a_load_has_read_what_the_log_says_of_packs_and_nobody_asks_the_store_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = new_disk()
    with new(persist_to=disk.url) as first:
        first.load_pack(storage(), {"threshold": 0.7})
        first.run_goal("x")
    log, asked = disk.runs[RUN], list[str]()
    of_types = log.iter_types

    def noting(*types: str) -> Any:
        asked.extend(types)
        return of_types(*types)

    monkeypatch.setattr(log, "iter_types", noting)

    with Runtime.load(disk.url, RUN, behaviors=[], packs=[storage()]) as again:
        again.run_until_idle()
        assert again._engine.packs.settings("storage").threshold == 0.7
    with Runtime.load(disk.url, RUN, behaviors=[]) as without:
        without.run_until_idle()

    assert asked == []
    assert [record.getMessage().count("storage") for record in caplog.records if record.levelno == logging.WARNING] == [
        1
    ]


def test_a_pack_that_came_after_a_load_is_missed_by_the_next_runtime_of_its_graph(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with new([], persist_to=tmp_path / "a.db") as first:
        first.graph.add_object("note", {})
    with loaded(tmp_path / "a.db", []) as before:
        before.load_pack(storage())
        with Runtime(before.graph, []) as now:
            now.run_until_idle()

    assert "not attached" in caplog.text
