"""What `activegraph` exports, and what touching it costs and needs."""

from __future__ import annotations

import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import activegraph
import pytest
from activegraph.errors import MissingOptionalDependency

WITHOUT_THE_SQLITE_STORE = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name == "activegraph.store.sqlite" or name.startswith("activegraph.store.sqlite."):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
"""


def run_python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("name", activegraph.__all__)
def test_every_name_loads_from_the_top(name: str) -> None:
    assert getattr(activegraph, name) is not None


def test_a_star_import_brings_exactly_the_listed_names() -> None:
    brought: dict[str, object] = {}
    exec("from activegraph import *", brought)

    assert set(brought) - {"__builtins__"} == set(activegraph.__all__)


def test_dir_lists_names_that_were_never_touched() -> None:
    listed = run_python("import activegraph; print(*dir(activegraph))").split()

    assert set(activegraph.__all__) <= set(listed)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Grpah'"):
        _ = activegraph.Grpah


def test_type_checkers_see_the_same_names_in_the_same_places() -> None:
    tree = ast.parse(Path(inspect.getfile(activegraph)).read_text())
    seen = {
        (node.module, alias.name)
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname == alias.name
    }

    assert seen == {(home, name) for home, names in activegraph._HOMES.items() for name in names}


def test_importing_the_package_loads_none_of_its_rooms() -> None:
    loaded = run_python("import activegraph, sys; print(*[m for m in sys.modules if m.startswith('activegraph.')])")

    assert loaded.split() == []


def test_the_engine_runs_without_any_optional_package() -> None:
    heavy = run_python(
        "from activegraph import Graph, Runtime, behavior; Runtime(Graph(), []).run_goal('x')\n"
        "import sys; print(*sorted({'pydantic', 'psycopg', 'prometheus_client', 'cyclopts', 'rich', 'sqlite3'}"
        " & set(sys.modules)))"
    )

    assert heavy.split() == []


def test_a_name_of_a_distribution_that_is_missing_says_what_to_install() -> None:
    said = run_python(
        WITHOUT_THE_SQLITE_STORE + "import activegraph\n"
        "try:\n    activegraph.SQLiteEventStore\nexcept activegraph.MissingOptionalDependency as error:\n    print(error)"
    )

    assert said.startswith(
        "MissingOptionalDependency: activegraph.SQLiteEventStore requires the 'activegraph-store-sqlite' Python package"
    )
    assert "pip install activegraph-store-sqlite" in said


def test_a_missing_distribution_takes_no_name_off_the_list() -> None:
    listed = run_python(WITHOUT_THE_SQLITE_STORE + "import activegraph; print(*activegraph.__all__)").split()

    assert listed == activegraph.__all__


def test_the_runtime_loads_from_its_package_too() -> None:
    assert run_python("from activegraph.runtime import Runtime; print(Runtime.__name__)").strip() == "Runtime"


def test_running_the_package_without_the_command_line_names_its_distribution(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("activegraph.cli", "activegraph.cli.main"):
        monkeypatch.setitem(sys.modules, name, None)
    main = importlib.import_module("activegraph.__main__")

    assert main.main() == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "pip install activegraph-cli" in said.err
    assert issubclass(MissingOptionalDependency, ImportError)
