"""The section on migration: a transaction for each run, repeatable, one way."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from activegraph import migrate
from activegraph.cli.app import COMMANDS
from activegraph.store import list_runs, open_store
from support.cli import Cli
from support.stored_runs import alter, append, event, record_prices


def export(cli: Cli, url: str, run_id: str = "run_a") -> str:
    """The run's log, byte for byte."""
    return cli("export-trace", url, "-r", run_id, "-f", "jsonl").out


def damage(url: str, event_id: str, run_id: str = "run_a") -> None:
    """Make a payload of a SQLite store unreadable."""
    path = Path(url.removeprefix("sqlite:///"))
    alter(path, "UPDATE events SET payload = 'x' WHERE id = ? AND run_id = ?", event_id, run_id)


def test_a_run_that_fails_half_way_leaves_the_destination_as_it_was(sqlite_run: str, postgres_url: str) -> None:
    damage(sqlite_run, "evt_012")

    report = migrate(sqlite_run, postgres_url)

    assert [run.status for run in report.runs] == ["failed"]
    assert list_runs(postgres_url) == []
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("SELECT count(*) FROM events").fetchone() == (0,)


def test_events_are_unique_by_id_and_run(sqlite_run: str, postgres_url: str) -> None:
    migrate(sqlite_run, postgres_url)

    with psycopg.connect(postgres_url) as connection:
        keys = [
            set(row[0])
            for row in connection.execute(
                "SELECT array_agg(a.attname::text) FROM pg_index i JOIN pg_attribute a"
                " ON a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey)"
                " WHERE i.indrelid = 'events'::regclass AND i.indisunique GROUP BY i.indexrelid"
            )
        ]
    assert {"run_id", "id"} in keys


def test_what_is_there_already_is_not_written_again(sqlite_run: str, postgres_url: str) -> None:
    first = migrate(sqlite_run, postgres_url)
    again = migrate(sqlite_run, postgres_url)

    assert [run.events_migrated for run in (*first.runs, *again.runs)] == [14, 0]
    assert again.ok


def test_after_a_partial_failure_a_second_call_does_the_rest(sqlite_run: str, postgres_url: str, cli: Cli) -> None:
    record_prices(sqlite_run, run_id="run_b")
    path = Path(sqlite_run.removeprefix("sqlite:///"))
    with closing(sqlite3.connect(path)) as database:
        sound = database.execute("SELECT payload FROM events WHERE id = 'evt_003' AND run_id = 'run_a'").fetchone()
    damage(sqlite_run, "evt_003")
    assert [run.status for run in migrate(sqlite_run, postgres_url).runs] == ["failed", "ok"]
    alter(path, "UPDATE events SET payload = ? WHERE id = 'evt_003' AND run_id = 'run_a'", *sound)

    again = migrate(sqlite_run, postgres_url)

    assert [(run.run_id, run.status, run.events_migrated) for run in again.runs] == [
        ("run_a", "ok", 14),
        ("run_b", "ok", 0),
    ]
    assert export(cli, postgres_url) == export(cli, sqlite_run)


def test_a_bad_run_does_not_block_the_others(sqlite_run: str, postgres_url: str) -> None:
    for run_id in ("run_b", "run_c"):
        record_prices(sqlite_run, run_id=run_id)
    damage(sqlite_run, "evt_003", "run_b")

    report = migrate(sqlite_run, postgres_url)

    assert [(run.run_id, run.status) for run in report.runs] == [("run_a", "ok"), ("run_b", "failed"), ("run_c", "ok")]
    assert [run.run_id for run in list_runs(postgres_url)] == ["run_a", "run_c"]


def test_all_runs_are_migrated_unless_one_is_picked(sqlite_run: str, new_postgres_url: Callable[[], str]) -> None:
    record_prices(sqlite_run, run_id="run_b")
    everything, one = new_postgres_url(), new_postgres_url()

    migrate(sqlite_run, everything)
    migrate(sqlite_run, one, only_run_ids=["run_b"])

    assert [run.run_id for run in list_runs(everything)] == ["run_a", "run_b"]
    assert [run.run_id for run in list_runs(one)] == ["run_b"]


def test_run_id_picks_one_on_the_command_line(sqlite_run: str, postgres_url: str, cli: Cli) -> None:
    record_prices(sqlite_run, run_id="run_b")

    assert cli("migrate", "--from", sqlite_run, "--to", postgres_url, "--run-id", "run_b").code == 0

    assert [run.run_id for run in list_runs(postgres_url)] == ["run_b"]


def test_a_report_for_each_run_is_printed_at_the_end(sqlite_run: str, postgres_url: str, cli: Cli) -> None:
    record_prices(sqlite_run, run_id="run_b")

    said = cli("migrate", "--from", sqlite_run, "--to", postgres_url)

    assert said.lines[1:] == [
        "  ok      run=run_a events=14",
        "  ok      run=run_b events=14",
        "summary: 2 ok, 0 failed",
    ]


def test_the_report_can_be_had_by_machines(sqlite_run: str, postgres_url: str, cli: Cli) -> None:
    report = json.loads(cli("migrate", "--from", sqlite_run, "--to", postgres_url, "--json").out)

    assert [run["run_id"] for run in report["runs"]] == ["run_a"]


def test_an_entry_has_run_status_and_count_and_an_error_only_where_there_is_one(
    sqlite_run: str, postgres_url: str, cli: Cli
) -> None:
    record_prices(sqlite_run, run_id="run_b")
    damage(sqlite_run, "evt_003", "run_b")

    well, ill = json.loads(cli("migrate", "--from", sqlite_run, "--to", postgres_url, "--json").out)["runs"]

    assert well == {"run_id": "run_a", "status": "ok", "events_migrated": 14}
    assert list(ill) == ["run_id", "status", "events_migrated", "error"]
    assert (ill["run_id"], ill["status"], ill["events_migrated"]) == ("run_b", "failed", 0)
    assert "evt_003" in ill["error"]


@pytest.mark.parametrize("damaged", [False, True])
def test_the_exit_code_is_not_zero_exactly_if_a_run_failed(
    sqlite_run: str, postgres_url: str, cli: Cli, damaged: bool
) -> None:
    record_prices(sqlite_run, run_id="run_b")
    if damaged:
        damage(sqlite_run, "evt_003")

    assert (cli("migrate", "--from", sqlite_run, "--to", postgres_url).code != 0) == damaged


def test_nothing_comes_back_from_the_destination(sqlite_run: str, postgres_url: str) -> None:
    record_prices(postgres_url, run_id="run_there")

    migrate(sqlite_run, postgres_url)

    assert [run.run_id for run in list_runs(sqlite_run)] == ["run_a"]


def test_there_is_no_sync_and_no_rollback(cli: Cli) -> None:
    assert not {"sync", "rollback"} & {word for command in COMMANDS for word in command.split()}
    page = cli("migrate", "--help").out
    assert "--sync" not in page
    assert "--rollback" not in page


def test_the_way_back_is_a_migration_in_the_other_direction(
    sqlite_run: str, postgres_url: str, tmp_path: Path, cli: Cli
) -> None:
    back = f"sqlite:///{tmp_path}/back.db"

    assert migrate(sqlite_run, postgres_url).ok
    assert migrate(postgres_url, back).ok

    assert export(cli, back) == export(cli, sqlite_run)


def test_a_run_graduates_from_a_laptops_file_to_a_shared_server(sqlite_run: str, postgres_url: str, cli: Cli) -> None:
    assert migrate(sqlite_run, postgres_url).ok

    assert cli("--quiet", "inspect", postgres_url).out == cli("--quiet", "inspect", sqlite_run).out


def test_an_archive_moves_between_two_postgres_stores(new_postgres_url: Callable[[], str], cli: Cli) -> None:
    old, new = record_prices(new_postgres_url()), new_postgres_url()
    append(old, "run_a", event("evt_100", payload={"n": 2**80, "b": b"\x00", "s": "\udc80"}))

    assert migrate(old, new).ok

    assert export(cli, new) == export(cli, old)


def test_two_stores_that_went_apart_are_not_brought_together(sqlite_run: str, postgres_url: str) -> None:
    migrate(sqlite_run, postgres_url)
    append(sqlite_run, "run_a", event("evt_100", payload={"by": "laptop"}))
    append(postgres_url, "run_a", event("evt_100", payload={"by": "server"}))

    (run,) = migrate(sqlite_run, postgres_url).runs

    assert (run.status, run.events_migrated) == ("failed", 0)
    assert "evt_100" in (run.error or "")
    with open_store(postgres_url, "run_a", read_only=True) as store:  # type: ignore[attr-defined]
        assert list(store.iter_events())[-1].payload == {"by": "server"}
