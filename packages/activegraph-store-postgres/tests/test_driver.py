"""What is said where psycopg or the client library below it is missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

OPEN = """
from activegraph import MissingOptionalDependency, open_store
try:
    open_store("postgresql://localhost/runs", "run_a")
except MissingOptionalDependency as missing:
    print(missing.how_to_fix)
"""


@pytest.mark.parametrize(
    ("psycopg", "fix"),
    [
        ("raise ImportError('no pq wrapper available.')", "pip install 'psycopg[binary]'"),
        (
            "raise ModuleNotFoundError(\"No module named 'psycopg'\", name='psycopg')",
            "pip install 'activegraph[postgres]'",
        ),
    ],
    ids=["without libpq", "without psycopg"],
)
def test_a_missing_driver_names_what_to_install(tmp_path: Path, psycopg: str, fix: str) -> None:
    (tmp_path / "psycopg.py").write_text(psycopg)
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}){OPEN}"

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == f"{fix}\n"
