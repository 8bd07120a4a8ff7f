"""Promises of `activegraph migrate`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from activegraph.store import SQLiteEventStore, list_runs
from support.cli import Said
from support.stored_runs import alter, append, event, files_of, record_prices

Cli = Callable[..., Said]


@pytest.fixture
def other(tmp_path: Path) -> str:
    """The URL of a store that is not there yet."""
    return f"sqlite:///{tmp_path / 'other.db'}"


def test_every_run_gets_a_line_and_all_together_a_summary(cli: Cli, database: Path, url: str, other: str) -> None:
    record_prices(database, run_id="run_b")

    said = cli("migrate", "--from", url, "--to", other)

    assert (said.code, said.err) == (0, "")
    assert said.lines == [
        f"migrate {url} -> {other}",
        "  ok      run=run_a events=14",
        "  ok      run=run_b events=14",
        "summary: 2 ok, 0 failed",
    ]


def test_json_leaves_out_what_does_not_apply(cli: Cli, url: str, other: str) -> None:
    said = cli("migrate", "--from", url, "--to", other, "--json")

    assert json.loads(said.out) == {
        "source_url": url,
        "dest_url": other,
        "runs": [{"run_id": "run_a", "status": "ok", "events_migrated": 14}],
    }


def test_a_second_call_copies_nothing(cli: Cli, url: str, other: str) -> None:
    cli("migrate", "--from", url, "--to", other)

    assert cli("migrate", "--from", url, "--to", other).lines[1] == "  ok      run=run_a events=0"


def test_only_the_chosen_runs_are_copied(cli: Cli, database: Path, url: str, other: str) -> None:
    for run_id in ("run_b", "run_c"):
        record_prices(database, run_id=run_id)

    said = cli("migrate", "--from", url, "--to", other, "--run-id", "run_c", "--run-id", "run_a", "-r", "run_a")

    assert [line.split()[1] for line in said.lines[1:-1]] == ["run=run_a", "run=run_c"]
    assert [run.run_id for run in list_runs(other)] == ["run_a", "run_c"]


def test_an_unknown_run_alone_is_not_found_and_still_reported(cli: Cli, url: str, other: str) -> None:
    said = cli("migrate", "--from", url, "--to", other, "--run-id", "nope")

    assert said.code == 3
    assert said.lines[1].startswith("  failed  run=nope events=0 error=RunNotFoundError: ")
    assert said.lines[-1] == "summary: 0 ok, 1 failed"


def test_an_unknown_run_among_others_fails_without_stopping_them(cli: Cli, url: str, other: str) -> None:
    said = cli("migrate", "--from", url, "--to", other, "--run-id", "nope", "--run-id", "run_a")

    assert said.code == 1
    assert said.lines[-1] == "summary: 1 ok, 1 failed"


def test_a_damaged_run_fails_and_the_others_do_not(cli: Cli, database: Path, url: str, other: str) -> None:
    record_prices(database, run_id="run_b")
    alter(database, "UPDATE events SET payload = 'x' WHERE id = 'evt_003' AND run_id = 'run_a'")

    said = cli("migrate", "--from", url, "--to", other)

    assert said.code == 1
    assert said.lines[1].startswith("  failed  run=run_a events=0 error=read failure: CorruptedEventPayloadError:")
    assert said.lines[2:] == ["  ok      run=run_b events=14", "summary: 1 ok, 1 failed"]
    failed, _ = json.loads(cli("migrate", "--from", url, "--to", other, "--json").out)["runs"]
    assert list(failed) == ["run_id", "status", "events_migrated", "error"]


def test_damaged_events_can_be_left_out_and_are_listed(cli: Cli, database: Path, url: str, other: str) -> None:
    alter(database, "UPDATE events SET payload = 'x' WHERE id = 'evt_009'")

    said = cli("migrate", "--from", url, "--to", other, "--skip-corrupted")

    assert said.code == 0
    assert said.lines[1:] == [
        "  ok      run=run_a events=13 skipped=1",
        "    skipped (corrupted): evt_009",
        "summary: 1 ok, 0 failed",
    ]
    shown = cli("migrate", "--from", url, "--to", other, "--skip-corrupted", "--json").out
    assert json.loads(shown)["runs"][0]["skipped_events"] == ["evt_009"]


def test_a_source_without_runs_gives_an_empty_report(cli: Cli, tmp_path: Path, other: str) -> None:
    SQLiteEventStore(tmp_path / "empty.db", "run_x").close()

    said = cli("migrate", "--from", f"sqlite:///{tmp_path}/empty.db", "--to", other)

    assert said.code == 0
    assert said.lines[1:] == ["summary: 0 ok, 0 failed"]


def test_a_missing_source_is_not_found_and_makes_nothing(cli: Cli, tmp_path: Path, other: str) -> None:
    said = cli("migrate", "--from", f"sqlite:///{tmp_path}/missing.db", "--to", other)

    assert (said.code, said.out) == (3, "")
    assert list(tmp_path.iterdir()) == []


def test_a_store_is_not_copied_into_itself(cli: Cli, url: str) -> None:
    said = cli("migrate", "--from", url, "--to", url)

    assert (said.code, said.out) == (2, "")
    assert "InvalidRuntimeConfiguration" in said.err


def test_the_source_is_left_byte_for_byte(cli: Cli, database: Path, url: str, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    before = {name: data for name, data in files_of(tmp_path).items() if name.startswith("run.db")}

    cli("migrate", "--from", url, "--to", f"sqlite:///{tmp_path}/elsewhere/other.db")

    assert {name: data for name, data in files_of(tmp_path).items() if name.startswith("run.db")} == before


def test_what_was_copied_exports_the_same_bytes(cli: Cli, url: str, other: str) -> None:
    append(url, "run_a", event("evt_100", payload={"b": b"\x00", "n": 2**80, "f": -0.0, "s": "\udc80"}))

    cli("migrate", "--from", url, "--to", other)

    command = ["--run-id", "run_a", "--format", "jsonl"]
    assert cli("export-trace", other, *command).out == cli("export-trace", url, *command).out


def test_a_run_goes_to_a_server_and_back(cli: Cli, url: str, other: str, postgres_url: str) -> None:
    there = cli("migrate", "--from", url, "--to", postgres_url)
    back = cli("migrate", "--from", postgres_url, "--to", other)

    assert (there.code, back.code) == (0, 0)
    command = ["--run-id", "run_a", "--format", "jsonl"]
    assert cli("export-trace", other, *command).out == cli("export-trace", url, *command).out


def test_passwords_are_masked_in_the_report(cli: Cli, url: str) -> None:
    said = cli("migrate", "--from", url, "--to", "postgres://user:hunter2@127.0.0.1:1/db")

    assert said.code == 1
    assert "hunter2" not in said.out + said.err
