"""What tests of the command line share."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.cli import Cli, in_this_process
from support.stored_runs import record_prices


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    """Calls the command line in this process."""

    return in_this_process(capsys)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A SQLite file with the finished run `run_a`."""
    record_prices(tmp_path / "run.db")
    return tmp_path / "run.db"


@pytest.fixture
def url(database: Path) -> str:
    """The URL of `database`."""
    return f"sqlite:///{database}"
