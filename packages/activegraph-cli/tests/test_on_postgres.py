"""The command line on PostgreSQL says what it says on SQLite."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from activegraph.store import list_runs
from support.cli import Said
from support.stored_runs import record_prices

Cli = Callable[..., Said]


@pytest.fixture
def both(tmp_path: Path, postgres_url: str) -> tuple[str, str]:
    """The URLs of the same run in a SQLite file and in a PostgreSQL schema."""
    limits = {"max_behavior_calls": 2}
    return (
        record_prices(tmp_path / "run.db", budget=limits),
        record_prices(postgres_url, budget=limits),
    )


@pytest.mark.parametrize(
    "command",
    [
        ["inspect"],
        ["inspect", "--json", "--tail", "3"],
        ["inspect", "--event", "evt_003"],
        ["inspect", "--event", "evt_003", "--json"],
        ["inspect", "--behaviors"],
        ["inspect", "--pack-version"],
        ["replay", "--run-id", "run_a"],
        ["diff", "--run-a", "run_a", "--run-b", "run_a"],
        ["export-trace", "--run-id", "run_a"],
        ["export-trace", "--run-id", "run_a", "--format", "jsonl"],
        ["verify"],
    ],
    ids=" ".join,
)
def test_every_reading_command_says_the_same(cli: Cli, both: tuple[str, str], command: list[str]) -> None:
    on_sqlite, on_postgres = (cli("--quiet", command[0], url, *command[1:]) for url in both)

    assert on_postgres == on_sqlite
    assert on_postgres.code == 0


def test_a_fork_goes_from_a_file_to_a_server(cli: Cli, both: tuple[str, str]) -> None:
    file, server = both

    said = cli("fork", file, "-r", "run_a", "-a", "evt_003", "--to", server)

    (new,) = [run for run in list_runs(server) if run.run_id != "run_a"]
    assert said.code == 0
    assert said.out.startswith(f"forked run_a at evt_003 -> {new.run_id} (3 events) in postgres")
    assert len(list_runs(file)) == 1


def test_unknown_runs_and_empty_schemas_are_not_found(
    cli: Cli, both: tuple[str, str], new_postgres_url: Callable[[], str]
) -> None:
    unknown = cli("inspect", both[1], "--run-id", "nope")
    empty = cli("inspect", new_postgres_url())

    assert (unknown.code, empty.code) == (3, 3)
    assert "no run 'nope'" in unknown.err


def test_a_server_that_does_not_answer_is_an_error_and_no_traceback(cli: Cli) -> None:
    said = cli("inspect", "postgres://user:hunter2@127.0.0.1:1/db")

    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("StoreUnavailableError: ")
    assert "hunter2" not in said.err
    assert "Traceback" not in said.err
