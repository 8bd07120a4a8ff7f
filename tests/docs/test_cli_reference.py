"""The reference of the command line is what the commands say."""

from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "write_cli_reference.py"


def test_the_page_is_what_the_code_of_the_commands_says_now() -> None:
    made = runpy.run_path(str(SCRIPT))["reference"]()

    # After a change of a command: python scripts/write_cli_reference.py
    assert (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8") == made


def test_a_table_has_no_line_that_would_break_it() -> None:
    page = (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `")]

    assert rows
    assert [row for row in rows if row.replace("\\|", "").count("|") != 3] == []
