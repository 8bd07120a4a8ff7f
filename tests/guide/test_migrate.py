"""The section on the flag of `migrate` for damaged payloads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from activegraph.store import get_run, open_store
from support.cli import Cli
from support.stored_runs import alter


@pytest.fixture
def damaged(sqlite_run: str) -> str:
    """A run with two payloads that are no JSON."""
    path = Path(sqlite_run.removeprefix("sqlite:///"))
    alter(path, "UPDATE events SET payload = '{\"cut\": ' WHERE id IN ('evt_008', 'evt_009')")
    return sqlite_run


def test_without_the_flag_a_damaged_run_fails(damaged: str, postgres_url: str, cli: Cli) -> None:
    said = cli("migrate", "--from", damaged, "--to", postgres_url)

    assert said.code == 1
    assert "failed  run=run_a events=0" in said.out


def test_with_the_flag_what_can_be_read_is_recovered(damaged: str, postgres_url: str, cli: Cli) -> None:
    said = cli("migrate", "--from", damaged, "--to", postgres_url, "--skip-corrupted")

    assert said.code == 0
    assert cli("replay", postgres_url, "--run-id", "run_a").lines[1] == "events:    12"


def test_the_report_lists_the_events_that_were_skipped(damaged: str, postgres_url: str, cli: Cli) -> None:
    said = cli("migrate", "--from", damaged, "--to", postgres_url, "--skip-corrupted", "--json")

    (run,) = json.loads(said.out)["runs"]
    assert run["skipped_events"] == ["evt_008", "evt_009"]


def test_the_destination_is_partial(damaged: str, postgres_url: str, cli: Cli) -> None:
    cli("migrate", "--from", damaged, "--to", postgres_url, "--skip-corrupted")

    assert get_run(postgres_url, "run_a").event_count == 12
    with open_store(postgres_url, "run_a", read_only=True) as store:  # type: ignore[attr-defined]
        assert [e.id for e in store.iter_events()] == [f"evt_{n:03d}" for n in range(1, 15) if n not in (8, 9)]
