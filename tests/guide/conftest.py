"""What the checklist of the operator's guide shares: real stores, and runs in them.

One module for each section of the guide, one test for each sentence that states behaviour.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from support.cli import Cli, in_this_process
from support.stored_runs import record_prices


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    """Calls the command line in this process."""
    return in_this_process(capsys)


@pytest.fixture(params=["sqlite", "postgres"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty store: the test runs once for each of the two that the guide knows."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/run.db"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def run_url(store_url: str) -> str:
    """The same store with the finished run `run_a`: fourteen events, three objects, one relation."""
    return record_prices(store_url)


@pytest.fixture
def sqlite_run(tmp_path: Path) -> str:
    """The same run in a SQLite file, `prices.db`."""
    return record_prices(tmp_path / "prices.db")
