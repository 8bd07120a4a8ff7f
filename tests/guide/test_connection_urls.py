"""The section on URLs: how stores are addressed, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from activegraph import Graph, Runtime
from activegraph.store import InvalidStoreURL, get_run, list_runs, open_store, parse_store_url
from support.cli import Cli
from support.stored_runs import files_of, record_prices


def test_the_runtime_takes_a_url(store_url: str) -> None:
    with Runtime(Graph(run_id="run_a"), persist_to=store_url) as runtime:
        runtime.run_goal("prices")

    with Runtime.load(store_url, "run_a") as loaded:
        assert loaded.graph.events[0].payload == {"goal": "prices"}


def test_the_command_line_takes_a_url(run_url: str, cli: Cli) -> None:
    assert cli("inspect", run_url).lines[0] == "run_id:           run_a"


def test_library_functions_take_a_url(run_url: str) -> None:
    assert get_run(run_url, "run_a").goal == "prices"


def test_three_slashes_make_a_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    record_prices("sqlite:///relative.db")

    assert list(files_of(tmp_path)) == ["relative.db"]


def test_four_slashes_make_an_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    (tmp_path / "to").mkdir()
    url = f"sqlite:///{tmp_path}/to/run.db"

    record_prices(url)

    assert url.startswith("sqlite:////")
    assert list(files_of(tmp_path)) == ["to/run.db"]


def test_the_two_postgres_schemes_are_one(postgres_url: str) -> None:
    record_prices(postgres_url)
    other = postgres_url.replace("postgres://", "postgresql://", 1)
    if other == postgres_url:
        other = postgres_url.replace("postgresql://", "postgres://", 1)

    assert [run.run_id for run in list_runs(other)] == ["run_a"]
    assert parse_store_url(other).scheme == parse_store_url(postgres_url).scheme == "postgres"


def test_a_postgres_url_holds_user_password_host_port_and_database() -> None:
    parsed = parse_store_url("postgres://anna:s3cr3t@db.example:6432/agdb")

    assert parsed.raw == "postgres://anna:s3cr3t@db.example:6432/agdb"
    assert parsed.safe == "postgres://anna:***@db.example:6432/agdb"


@pytest.mark.parametrize("path", ["run.db", "/tmp/run.db", "./run.db"])
def test_a_path_without_a_scheme_is_an_error(path: str) -> None:
    with pytest.raises(InvalidStoreURL, match="has no scheme"):
        open_store(path, "run_a")


def test_inspect_of_a_bare_path_fails_with_both_spellings(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    said = cli("inspect", "run.db")

    assert (said.code, said.out) == (2, "")
    assert "sqlite:///run.db" in said.err
    assert "sqlite:////tmp/run.db" in said.err
    assert files_of(tmp_path) == {}
