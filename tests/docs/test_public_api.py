"""The public interface is as recorded, and every name of it is described on a page of the reference."""

from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import griffe
import pytest
from shared_packages import load_library
from support.pages import read_snippets
from write_public_api import DIRECTIVE, OTHER_NAMES, PAGES, RECORD, differences, import_paths, public_api, public_names

ROOT = Path(__file__).parents[2]
NAMES = public_names()
PAGES_WITH_CODE = sorted(
    str(page.relative_to(ROOT))
    for pattern in ("README.md", "docs/**/*.md", "packages/*/README.md", "examples/*.py")
    for page in ROOT.glob(pattern)
)


def _described() -> list[str]:
    return [path for page in PAGES.glob("*.md") for path in DIRECTIVE.findall(page.read_text())]


def test_the_public_interface_is_as_recorded() -> None:
    found = "\n".join(differences(RECORD.read_text(encoding="utf-8"), public_api()))

    # A change that is meant: python scripts/write_public_api.py, and a line in CHANGELOG.md.
    assert found == ""


def test_the_page_of_import_paths_is_what_the_code_says_now() -> None:
    assert (PAGES / "index.md").read_text(encoding="utf-8") == import_paths()


def test_a_change_that_breaks_users_is_told_from_one_that_does_not() -> None:
    old = "## activegraph\n\nclass Graph:\n    def emit(self, type: str) -> None: ...\n    version: int\n"
    new = "## activegraph\n\nclass Graph:\n    def emit(self, type: str, actor: str) -> None: ...\n    def count(self) -> int: ...\n"
    breaking = [line for line in differences(old, new) if line.startswith("breaks users: ")]

    assert len(breaking) == 2
    assert any("emit" in line and "actor" in line for line in breaking)
    assert any("version" in line for line in breaking)


def test_an_import_path_that_is_gone_breaks_users() -> None:
    old = "## activegraph.core.graph\n\nfrom activegraph import Graph\n"

    assert "breaks users: activegraph.core.graph: gone: from activegraph import Graph" in differences(old, "")


@pytest.mark.parametrize("module", NAMES)
def test_every_public_name_of_a_module_is_described_in_the_reference(module: str) -> None:
    described: dict[str, list[Any]] = {}
    for path in _described():
        home, _, name = path.rpartition(".")
        described.setdefault(name, []).append(getattr(import_module(home), name))

    missing = []
    for name in NAMES[module]:
        value = getattr(import_module(module), name)
        if isinstance(value, ModuleType):  # a module that can be called: the function in it is meant
            value = getattr(value, name)
        if not any(value is each for each in described.get(OTHER_NAMES.get(name, name), [])):
            missing.append(name)
    assert missing == []


def test_the_reference_describes_only_what_is_public_and_each_thing_once() -> None:
    described = _described()
    public = {f"{module}.{name}" for module, names in NAMES.items() for name in names}

    assert [path for path in described if path not in public] == []
    assert sorted(described) == sorted(set(described))


@pytest.mark.parametrize("page", PAGES_WITH_CODE)
def test_what_the_documents_import_is_public(page: str) -> None:
    private = []
    for snippet in _python_of(ROOT / page):
        for node in ast.walk(ast.parse(snippet)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "activegraph":
                known = [*NAMES.get(str(node.module), []), *_submodules_of(str(node.module))]
                private += [f"{node.module}.{alias.name}" for alias in node.names if alias.name not in known]

    assert private == []


def _python_of(page: Path) -> list[str]:
    if page.suffix == ".py":
        return [page.read_text()]
    return [each.text for each in read_snippets(page) if each.kind == "python" or each.name.endswith(".py")]


def _submodules_of(module: str) -> list[str]:
    below = [name.removeprefix(f"{module}.") for name in NAMES if name.startswith(f"{module}.")]
    return [name for name in below if "." not in name]


def test_every_public_thing_says_what_it_is() -> None:
    library = load_library()
    silent = []
    for path in _described():
        thing = library[path.removeprefix("activegraph.")]
        found = thing.final_target if isinstance(thing, griffe.Alias) else thing
        members = [member for name, member in found.members.items() if not name.startswith(("_", "test_"))]
        silent += [
            each.path
            for each in [found, *members]
            if isinstance(each, griffe.Class | griffe.Function) and each.docstring is None
        ]

    assert silent == []
