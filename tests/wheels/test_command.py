"""The `activegraph` command, installed from wheels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from support.distributions import Environment

A_RUN_ON_DISK = """
from activegraph import Graph, Runtime, behavior

@behavior(name="greeter", on=["goal.created"])
def greeter(event, graph, ctx):
    graph.add_object("greeting", {"text": "hello " + event.payload["goal"]})

Runtime(Graph(), persist_to="run.db").run_goal("world")
"""


def test_the_command_comes_with_its_distribution(environment_with: Callable[..., Environment], elsewhere: Path) -> None:
    environment = environment_with("activegraph-cli")
    environment.python(A_RUN_ON_DISK, cwd=elsewhere)

    help_page = environment.run("activegraph", "--help", cwd=elsewhere).stdout
    inspection = environment.run("activegraph", "inspect", "sqlite:///run.db", cwd=elsewhere).stdout

    assert all(command in help_page for command in ("inspect", "replay", "fork", "diff", "export-trace", "quickstart"))
    assert "state:            idle" in inspection


def test_the_metapackage_brings_the_command_and_the_sqlite_store(
    environment_with: Callable[..., Environment], elsewhere: Path
) -> None:
    environment = environment_with("activegraph")

    assert {"activegraph", "activegraph-core", "activegraph-store-sqlite", "activegraph-cli"} <= set(
        environment.installed()
    )
    assert environment.run("activegraph", "--version", cwd=elsewhere).stdout.startswith("activegraph 0.")
