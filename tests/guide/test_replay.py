"""The section on `replay`: the graph anew, without behaviors."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import pytest
from activegraph import Runtime, behavior, migrate
from activegraph.behaviors.registry import clear_registry, register
from support.cli import Cli
from support.logs import start_python
from support.stored_runs import append, event


def test_it_says_how_many_events_objects_and_relations_there_are(run_url: str, cli: Cli) -> None:
    said = cli("replay", run_url, "--run-id", "run_a")

    assert said.out == "run_id:    run_a\nevents:    14\nobjects:   3\nrelations: 1\n"


@pytest.fixture
def fired() -> Iterator[list[str]]:
    """What a behavior notes that is declared in this very process, where the commands run too."""
    before, seen = clear_registry(), list[str]()

    @behavior(name="noting", on=["goal.created"])
    def noting(event: Any, graph: Any, ctx: Any) -> None:
        seen.append(event.id)

    yield seen
    clear_registry()
    for each in before:
        register(each)


def test_no_behavior_fires(store_url: str, cli: Cli, fired: list[str]) -> None:
    append(store_url, "run_a", event("evt_001", "goal.created", {"goal": "owed"}))

    assert cli("replay", store_url, "--run-id", "run_a").lines[1] == "events:    1"

    assert fired == []
    assert "queue_depth:      1" in cli("inspect", store_url).lines
    with Runtime.load(store_url, "run_a") as runtime:
        runtime.run_until_idle()
    assert fired == ["evt_001"]


def test_after_a_crash_it_shows_that_the_log_is_sound(store_url: str, cli: Cli) -> None:
    code = """
import os, signal, sys
from activegraph import Graph, Runtime
from activegraph.behaviors.base import Behavior
def die(event, graph, ctx):
    graph.add_object("task", {})
    os.kill(os.getpid(), signal.SIGKILL)
runtime = Runtime(Graph(run_id="run_a"), [Behavior("die", die, ["goal.created"])], persist_to=sys.argv[1])
runtime.run_goal("prices")
"""
    child = start_python(code, store_url)
    child.communicate(timeout=60)

    assert child.returncode == -signal.SIGKILL
    assert cli("replay", store_url, "--run-id", "run_a").lines[1:] == [
        "events:    1",
        "objects:   0",
        "relations: 0",
    ]


def test_after_a_migration_it_shows_that_nothing_was_lost(sqlite_run: str, postgres_url: str, cli: Cli) -> None:
    migrate(sqlite_run, postgres_url)

    assert cli("replay", postgres_url, "-r", "run_a").out == cli("replay", sqlite_run, "-r", "run_a").out
