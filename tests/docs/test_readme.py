"""The README's set-up is two commands, and they are the ones that are checked."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_set_up_is_two_commands_and_ci_runs_the_second() -> None:
    commands = re.findall(r"^```sh\n(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)

    assert commands == ["pip install uv && uv run activegraph quickstart\n", "uv run nox\n"]
    assert (ROOT / ".ci" / "run").read_text().endswith("\n" + commands[1])


def test_the_first_command_reviews_three_incidents_and_says_where_the_run_is(tmp_path: Path) -> None:
    command = [str(Path(sys.executable).parent / "activegraph"), "quickstart", "--db", "demo.db"]
    shown = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    assert "(evidence: " in shown
    assert "demo.db" in shown
    assert (tmp_path / "demo.db").is_file()


def test_every_session_of_the_contributors_table_exists() -> None:
    table = re.findall(r"^\| `(\w+)` \|", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    sessions = re.findall(r"^@nox\.session.*?^def (\w+)", (ROOT / "noxfile.py").read_text(), re.MULTILINE | re.DOTALL)

    assert sorted(table) == sorted(sessions)
