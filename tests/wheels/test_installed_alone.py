"""Each distribution does its work when it is installed from its wheel, with what it needs and no more."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support.distributions import Environment, workspace_names

RUN_ON_MEMORY = """
from activegraph import Graph, Runtime, behavior

@behavior(name="greeter", on=["goal.created"])
def greeter(event, graph, ctx):
    graph.add_object("greeting", {"text": "hello " + event.payload["goal"]})

graph = Graph()
Runtime(graph).run_goal("world")
print([item.data["text"] for item in graph.objects("greeting")])
"""

TOUCH = """
import activegraph
from activegraph.errors import MissingOptionalDependency
try:
    {expression}
except MissingOptionalDependency as missing:
    print(missing.package, "->", missing.how_to_fix)
"""


def test_core_alone_brings_msgspec_and_nothing_else(core_alone: Environment) -> None:
    assert sorted(core_alone.installed()) == ["activegraph-core", "msgspec"]


def test_core_alone_runs_a_graph_on_the_memory_store(core_alone: Environment, elsewhere: Path) -> None:
    assert core_alone.python(RUN_ON_MEMORY, cwd=elsewhere) == "['hello world']\n"


def test_importing_core_alone_prints_nothing_and_loads_no_optional_part(
    core_alone: Environment, elsewhere: Path
) -> None:
    code = (
        "import activegraph, sys; rooms = {name.split('.')[1] for name in sys.modules if name.startswith('activegraph.')};"
        "assert not rooms & {'store', 'runtime', 'core', 'llm', 'packs'}, rooms"
    )

    assert core_alone.python(code, cwd=elsewhere) == ""


@pytest.mark.parametrize(
    ("expression", "package", "install"),
    [
        ("activegraph.SQLiteEventStore", "activegraph-store-sqlite", "activegraph-store-sqlite"),
        ("activegraph.open_store('sqlite:///run.db', 'run_a')", "activegraph-store-sqlite", "activegraph-store-sqlite"),
        (
            "activegraph.open_store('postgresql://localhost/runs', 'run_a')",
            "activegraph-store-postgres",
            "'activegraph[postgres]'",
        ),
        ("activegraph.Pack", "pydantic", "'activegraph[llm]'"),
        ("__import__('activegraph.packs').packs.load_by_name('storage')", "pydantic", "'activegraph[llm]'"),
        ("activegraph.configure_logging", "activegraph-observability", "activegraph-observability"),
        ("activegraph.PrometheusMetrics", "activegraph-observability", "activegraph-observability"),
        ("import activegraph.observability", "activegraph-observability", "activegraph-observability"),
        ("import activegraph.cli.main", "activegraph-cli", "activegraph-cli"),
        ("import activegraph.store.sqlite", "activegraph-store-sqlite", "activegraph-store-sqlite"),
        ("import activegraph.store.postgres", "activegraph-store-postgres", "'activegraph[postgres]'"),
        (
            "import activegraph.packs.incident_review",
            "activegraph-pack-incident-review",
            "activegraph-pack-incident-review",
        ),
    ],
)
def test_what_is_not_installed_names_the_package_to_install(
    core_alone: Environment, elsewhere: Path, expression: str, package: str, install: str
) -> None:
    advice = core_alone.python(TOUCH.format(expression=expression), cwd=elsewhere)

    assert advice == f"{package} -> pip install {install}\n"


def test_prometheus_metrics_without_its_client_names_the_extra(
    environment_with: Callable[..., Environment], elsewhere: Path
) -> None:
    environment = environment_with("activegraph-observability")

    assert "prometheus_client" not in environment.installed()
    advice = environment.python(TOUCH.format(expression="activegraph.PrometheusMetrics()"), cwd=elsewhere)
    assert advice == "prometheus_client -> pip install 'activegraph[prometheus]'\n"


def test_a_missing_store_leaves_no_file_behind(core_alone: Environment, elsewhere: Path) -> None:
    core_alone.python(TOUCH.format(expression="activegraph.open_store('sqlite:///run.db', 'run_a')"), cwd=elsewhere)

    assert list(elsewhere.iterdir()) == []


def test_the_sqlite_store_and_core_keep_a_run_on_disk(
    environment_with: Callable[..., Environment], elsewhere: Path
) -> None:
    environment = environment_with("activegraph-store-sqlite")
    code = RUN_ON_MEMORY.replace("Runtime(graph)", "Runtime(graph, persist_to='run.db')")

    assert environment.python(code, cwd=elsewhere) == "['hello world']\n"
    assert environment.python(
        "print(len(__import__('activegraph').Runtime.load('run.db').graph.events))", cwd=elsewhere
    )


@pytest.mark.parametrize("name", workspace_names())
def test_no_distribution_of_ours_comes_from_an_index(environment_with: Callable[..., Environment], name: str) -> None:
    ours = {
        installed: origin
        for installed, origin in environment_with(name).installed().items()
        if installed.startswith("activegraph")
    }

    assert name in ours
    assert [installed for installed, origin in ours.items() if not (origin or "").startswith("file://")] == []
