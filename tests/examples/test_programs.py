"""Every program under `examples/` runs as it is, in an empty folder, with no argument, key or network.

What a program says at its end that it prints (`# Prints:`, with `...` for anything), it prints.
"""

from __future__ import annotations

import ast
import doctest
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
LINES_OF_ONE_IDEA = 80
WHOLE_SURFACES = {"incident_review.py", "opentelemetry_bridge.py", "operate_a_run.py"}
"""Programs that show more than one idea."""


@pytest.mark.parametrize("program", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_an_example_runs_to_its_end(program: Path, tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, str(program)], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    _, said, lines = program.read_text().partition("\n# Prints:\n")
    if said:
        expected = "".join(f"{line[2:]}\n" for line in lines.splitlines())
        assert doctest.OutputChecker().check_output(expected, done.stdout, doctest.ELLIPSIS), done.stdout


@pytest.mark.parametrize("program", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_an_example_shows_one_idea_and_says_which(program: Path) -> None:
    text = program.read_text()

    assert ast.get_docstring(ast.parse(text))
    assert text.count("\n") < LINES_OF_ONE_IDEA or program.name in WHOLE_SURFACES


def test_the_operators_example_holds_on_postgres_too(postgres_server_url: str, tmp_path: Path) -> None:
    command = [sys.executable, str(EXAMPLES / "operate_a_run.py"), postgres_server_url]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].endswith("checks on SQLite and Postgres")
