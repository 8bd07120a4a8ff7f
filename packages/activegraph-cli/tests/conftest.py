"""What tests of the command line share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from activegraph.cli.main import main
from support.cli import Said
from support.stored_runs import record_prices


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Calls the command line in this process."""

    def call(*arguments: str) -> Said:
        capsys.readouterr()
        code = main(list(arguments))
        said = capsys.readouterr()
        return Said(code, said.out, said.err)

    return call


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A SQLite file with the finished run `run_a`."""
    record_prices(tmp_path / "run.db")
    return tmp_path / "run.db"


@pytest.fixture
def url(database: Path) -> str:
    """The URL of `database`."""
    return f"sqlite:///{database}"
