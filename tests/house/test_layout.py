"""The house is as its plan says: packages alike, modules that say what they hold, nothing too long."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import activegraph
import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = sorted(path.parent for path in ROOT.glob("packages/*/pyproject.toml"))
MODULES = sorted(ROOT.glob("packages/*/src/**/*.py"))
SHARED = ("activegraph/__init__.py", "activegraph/store/__init__.py", "activegraph/packs/__init__.py")
HEAVY = {"anthropic", "cyclopts", "openai", "prometheus_client", "psycopg", "pydantic", "pytest", "rich", "sqlite3"}

LINES_OF_A_MODULE = 500
LINES_OF_A_CLASS = 300
LINES_OF_A_FUNCTION = 70


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_a_package_has_what_every_package_has(package: Path) -> None:
    assert (package / "README.md").read_text().startswith(f"# {package.name}\n")
    assert (package / "CHANGELOG.md").is_file()
    assert (package / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()
    assert list(package.glob("src/**/py.typed"))


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_code_has_its_tests_beside_it(package: Path) -> None:
    modules = [module for module in package.glob("src/**/*.py") if module.name != "__init__.py"]

    assert list(package.glob("tests/**/test_*.py")) or not modules


@pytest.mark.parametrize("package", [ROOT, *PACKAGES], ids=lambda path: path.name)
def test_all_distributions_carry_the_version_that_the_library_reports(package: Path) -> None:
    assert tomllib.loads((package / "pyproject.toml").read_text())["project"]["version"] == activegraph.__version__


@pytest.mark.parametrize("file", SHARED)
def test_a_shared_package_belongs_to_core_and_is_open_to_the_other_distributions(file: str) -> None:
    owners = [package.name for package in PACKAGES if (package / "src" / file).is_file()]
    text = (ROOT / "packages" / "activegraph-core" / "src" / file).read_text()

    assert owners == ["activegraph-core"]
    assert '__path__ = __import__("pkgutil").extend_path(__path__, __name__)' in text


@pytest.mark.parametrize("module", MODULES, ids=_name)
def test_a_module_says_first_what_lives_there(module: Path) -> None:
    text = module.read_text()

    assert ast.get_docstring(ast.parse(text)) or not text.strip()


@pytest.mark.parametrize("module", MODULES, ids=_name)
def test_nothing_is_longer_than_a_reader_can_hold(module: Path) -> None:
    text = module.read_text()

    assert text.count("\n") <= LINES_OF_A_MODULE
    assert list(_too_long(text)) == []


def _too_long(text: str) -> Iterator[str]:
    """What has too many lines of code: blank lines, comments and docstrings do not count."""
    tree = ast.parse(text)
    counted = _lines_of_code(text, tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            limit = LINES_OF_A_CLASS
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            limit = LINES_OF_A_FUNCTION
        else:
            continue
        lines = len(counted & set(range(node.lineno, (node.end_lineno or node.lineno) + 1)))
        if lines > limit:
            yield f"{node.name}: {lines} lines of code"


def _lines_of_code(text: str, tree: ast.Module) -> set[int]:
    lines = enumerate(text.splitlines(), start=1)
    counted = {number for number, line in lines if line.strip() and not line.lstrip().startswith("#")}
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            counted -= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return counted


def test_importing_the_library_loads_nothing_heavy() -> None:
    assert _loaded_by("import activegraph") & HEAVY == set()


def test_a_run_on_memory_loads_nothing_heavy() -> None:
    assert _loaded_by("from activegraph import Graph, Runtime; Runtime(Graph()).run_goal('x')") & HEAVY == set()


def _loaded_by(code: str) -> set[str]:
    report = f"{code}\nimport sys; print(' '.join({{name.partition('.')[0] for name in sys.modules}}))"
    return set(
        subprocess.run([sys.executable, "-c", report], capture_output=True, text=True, check=True).stdout.split()
    )
