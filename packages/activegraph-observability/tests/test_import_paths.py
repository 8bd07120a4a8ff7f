"""What operators import, and that it needs nothing optional."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import activegraph
import pytest
from activegraph import observability

PATHS = {
    "activegraph.observability.status": (
        "BehaviorInfo BudgetSnapshot EventSummary FrameSnapshot RuntimeStatus inspect_run status_to_dict"
    ),
    "activegraph.observability.metrics": (
        "METRIC_BY_NAME METRIC_NAMES MetricSpec Metrics NoOpMetrics validate_cardinality_rule"
    ),
}


@pytest.mark.parametrize("name", observability.__all__)
def test_every_listed_name_loads(name: str) -> None:
    assert getattr(observability, name) is not None


@pytest.mark.parametrize(("path", "name"), [(path, name) for path, names in PATHS.items() for name in names.split()])
def test_the_path_gives_the_name(path: str, name: str) -> None:
    assert getattr(import_module(path), name) is not None


def test_a_name_is_the_same_thing_at_the_top() -> None:
    for name in set(observability.__all__) & set(activegraph.__all__):
        assert getattr(observability, name) is getattr(activegraph, name)


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse(Path(inspect.getfile(observability)).read_text())
    seen = {
        alias.name
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }

    assert seen == set(observability.__all__)


def test_it_imports_without_any_optional_package() -> None:
    code = (
        "import activegraph.observability as o, sys; [getattr(o, n) for n in o.__all__]\n"
        "print(*{'psycopg', 'prometheus_client', 'pydantic'} & set(sys.modules))"
    )

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split() == []


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="inspct_run"):
        _ = observability.inspct_run
