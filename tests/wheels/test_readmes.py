"""Each README says how to install its distribution; from that line alone, everything on the page works."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from support.distributions import ROOT, Environment, Wheel, workspace_names
from support.pages import check_page

PACKAGES = [name for name in workspace_names() if name != "activegraph"]
_INSTALL = re.compile(r"^```sh\npip install (.+)\n```$", re.MULTILINE)

ON_POSTGRES = """
import sys
from activegraph import Graph, Runtime, behavior

@behavior(name="greeter", on=["goal.created"])
def greeter(event, graph, ctx):
    graph.add_object("greeting", {"text": "hello " + event.payload["goal"]})

with Runtime(Graph(run_id="run_installed"), persist_to=sys.argv[1]) as runtime:
    runtime.run_goal("world")
with Runtime.load(sys.argv[1], run_id="run_installed") as again:
    print([item.data["text"] for item in again.graph.objects("greeting")])
"""


def _installation(page: Path) -> list[str]:
    """The requirements of a page's first `pip install`."""
    found = _INSTALL.search(page.read_text())
    assert found, f"{page} does not say how to install it"
    return shlex.split(found[1])


@pytest.mark.parametrize("name", PACKAGES)
def test_a_distribution_does_what_its_readme_says(
    name: str, environment_with: Callable[..., Environment], tmp_path: Path
) -> None:
    page = ROOT / "packages" / name / "README.md"
    requirements = _installation(page)
    environment = environment_with(*requirements)

    assert requirements[0].partition("[")[0] == name
    check_page(page, tmp_path, str(environment.place / "bin" / "python"))


def test_the_metapackage_does_what_the_readme_says(
    environment_with: Callable[..., Environment], tmp_path: Path
) -> None:
    check_page(ROOT / "README.md", tmp_path, str(environment_with("activegraph").place / "bin" / "python"))


def test_the_postgres_store_keeps_a_run_once_it_is_installed(
    environment_with: Callable[..., Environment], postgres_url: str, elsewhere: Path
) -> None:
    page = ROOT / "packages" / "activegraph-store-postgres" / "README.md"
    environment = environment_with(*_installation(page))
    (elsewhere / "program.py").write_text(ON_POSTGRES)

    said = environment.run("python", "program.py", postgres_url, cwd=elsewhere).stdout
    assert said == "['hello world']\n"


def test_what_an_index_shows_of_a_distribution_is_its_readme(wheels: dict[str, Wheel]) -> None:
    for name in PACKAGES:
        shown = wheels[name].metadata().partition("\n\n")[2]
        assert shown.strip() == (ROOT / "packages" / name / "README.md").read_text().strip()
        assert re.findall(r"\]\((?!https://)", shown) == []  # a relative link leads nowhere there
