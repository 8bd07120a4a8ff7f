"""A pack that `pack new` makes works in an environment that holds nothing but our wheels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support.distributions import Environment

USE = """
from activegraph import Graph, Runtime, load_by_name
runtime = Runtime(Graph(), [])
runtime.load_pack(load_by_name("my_pack"), settings={"threshold": 0.7})
runtime.run_goal("try the pack")
print([item.data for item in runtime.graph.objects("item")], runtime.errors)
"""


@pytest.fixture
def environment(environment_with: Callable[..., Environment]) -> Environment:
    """What `pip install activegraph` gives, and pytest."""
    made = environment_with("activegraph")
    made.install_requirements("pytest")
    return made


def test_its_tests_pass_as_generated_and_it_is_found_once_it_is_installed(
    environment: Environment, elsewhere: Path
) -> None:
    said = environment.run("activegraph", "pack", "new", "my-pack", cwd=elsewhere).stdout
    project = elsewhere / "my-pack"

    assert said.startswith("created my-pack\n")
    assert "3 passed" in environment.run("python", "-m", "pytest", "-q", cwd=project).stdout

    # Its requirement `activegraph` is met already; by that name an index would bring a stranger's code.
    environment.install_requirements("--no-deps", str(project))
    assert (
        "  my_pack                  0.1.0      my_pack:pack"
        in environment.run("activegraph", "pack", "list", cwd=elsewhere).stdout.splitlines()
    )
    assert environment.python(USE, cwd=elsewhere) == "[{'name': 'try the pack', 'notes': 'threshold 0.7'}] []\n"
