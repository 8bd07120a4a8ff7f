"""A plain import of what another distribution brings says which one to install, where it is not installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import activegraph
import pytest

CORE = Path(activegraph.__path__[0]).parent

ALONE = f"""
import sys
ours = {str(CORE)!r}
sys.path[:] = [place for place in sys.path if "/packages/activegraph-" not in place or place == ours]
sys.meta_path[:] = [finder for finder in sys.meta_path if "editable" not in repr(finder).lower()]
from activegraph.errors import MissingOptionalDependency
"""
"""Core as if nothing else of ours were installed."""

IMPORT = """
try:
    {statement}
except MissingOptionalDependency as missing:
    assert isinstance(missing, ModuleNotFoundError)
    print(missing.name, "|", missing.how_to_fix)
"""


def said_of(statement: str) -> str:
    code = ALONE + IMPORT.format(statement=statement)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize(
    ("statement", "module", "install"),
    [
        (
            "from activegraph.observability import configure_logging",
            "activegraph.observability",
            "activegraph-observability",
        ),
        ("import activegraph.observability.logging", "activegraph.observability", "activegraph-observability"),
        ("import activegraph.cli.main", "activegraph.cli", "activegraph-cli"),
        (
            "from activegraph.store.sqlite import SQLiteEventStore",
            "activegraph.store.sqlite",
            "activegraph-store-sqlite",
        ),
        (
            "from activegraph.store.postgres import PostgresEventStore",
            "activegraph.store.postgres",
            "'activegraph[postgres]'",
        ),
        (
            "from activegraph.packs.incident_review import pack",
            "activegraph.packs.incident_review",
            "activegraph-pack-incident-review",
        ),
    ],
)
def test_the_import_of_an_absent_distribution_names_it(statement: str, module: str, install: str) -> None:
    assert said_of(statement) == f"{module} | pip install {install}"


def test_a_module_that_nobody_brings_stays_an_ordinary_missing_module() -> None:
    with pytest.raises(ModuleNotFoundError) as missing:
        __import__("activegraph.nothing_like_it")

    assert type(missing.value) is ModuleNotFoundError


def test_what_is_installed_comes_before_what_says_that_it_is_not() -> None:
    stand_ins = list(CORE.rglob("absent/**/*.py"))

    assert stand_ins
    for path in stand_ins:
        name = ".".join(part for part in path.relative_to(CORE).with_suffix("").parts if part != "absent")
        assert __import__(name, fromlist=["*"]).__file__ != str(path)
