"""The table of exit codes: each provoked."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from activegraph.cli import EXIT_CODES
from activegraph.store import fork_run
from support.cli import Cli, process
from support.stored_runs import alter, record_prices


def test_success_is_0(run_url: str, cli: Cli) -> None:
    assert cli("inspect", run_url).code == EXIT_CODES["ok"] == 0


def test_a_generic_error_is_1(cli: Cli) -> None:
    assert cli("inspect", "postgres://127.0.0.1:1/nobody").code == EXIT_CODES["generic_error"] == 1


@pytest.mark.parametrize(
    "line", ["inspect", "replay URL", "diff URL --run-a run_a", "inspect URL --nothing", "nothing"]
)
def test_bad_arguments_and_missing_options_are_2(sqlite_run: str, cli: Cli, line: str) -> None:
    assert cli(*line.replace("URL", sqlite_run).split()).code == EXIT_CODES["usage_error"] == 2


def test_a_run_that_does_not_exist_is_3(run_url: str, cli: Cli) -> None:
    assert cli("inspect", run_url, "--run-id", "run_nobody").code == EXIT_CODES["not_found"] == 3


def test_a_file_that_does_not_exist_is_3(tmp_path: Path, cli: Cli) -> None:
    assert cli("inspect", f"sqlite:///{tmp_path}/missing.db").code == 3


def test_a_schema_version_mismatch_is_4(sqlite_run: str, cli: Cli) -> None:
    path = Path(sqlite_run.removeprefix("sqlite:///"))
    alter(path, "UPDATE meta SET value = '99' WHERE key = 'schema_version'")

    assert cli("inspect", sqlite_run).code == EXIT_CODES["corruption"] == 4


def test_an_inconsistent_event_log_is_4(sqlite_run: str, cli: Cli) -> None:
    alter(Path(sqlite_run.removeprefix("sqlite:///")), "DELETE FROM events WHERE position = 4")

    assert cli("replay", sqlite_run, "--run-id", "run_a").code == 4


def test_a_difference_that_was_asked_for_is_5(run_url: str, cli: Cli) -> None:
    other = fork_run(run_url, run_id="run_a", at_event="evt_003").new_run_id

    code = cli("diff", run_url, "--run-a", "run_a", "--run-b", other, "--exit-code").code

    assert code == EXIT_CODES["divergence"] == 5


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module `shop` whose behavior asks for a price that an environment variable gives."""
    (tmp_path / "shop.py").write_text(
        "import os\n"
        "from activegraph import behavior\n\n\n"
        '@behavior(name="ask", on=["goal.created"])\n'
        "def ask(event, graph, ctx):\n"
        '    graph.add_object("price", {"euros": os.environ["PRICE"]})\n'
    )
    return "shop"


@pytest.mark.parametrize(("price", "code"), [("5", 0), ("6", 5)])
def test_a_strict_replay_that_fails_is_5(store_url: str, tmp_path: Path, shop: str, price: str, code: int) -> None:
    environment = {"PYTHONPATH": str(tmp_path), "PRICE": "5"}
    record = "import sys, shop; from activegraph import Graph, Runtime\n"
    record += "Runtime(Graph(run_id='run_a'), persist_to=sys.argv[1]).run_goal('prices')"
    subprocess.run([sys.executable, "-c", record, store_url], env={**os.environ, **environment}, check=True)

    said = process(
        *("replay", store_url, "--run-id", "run_a", "--strict", "--import", shop),
        environment={**environment, "PRICE": price},
    )

    assert said.code == code
    if code:
        assert said.out == ""
        assert said.err.startswith("ReplayDivergenceError: replay diverged at evt_003")
    else:
        assert "strict:" in said.out


def test_a_shell_sees_the_same_codes(tmp_path: Path) -> None:
    url = record_prices(tmp_path / "run.db")

    assert [
        process("inspect", url).code,
        process("inspect", "postgres://127.0.0.1:1/nobody").code,
        process("inspect", "run.db").code,
        process("inspect", url, "-r", "run_nobody").code,
        process("verify", url, "-r", "run_a", "--expect", f"99:{'0' * 64}").code,
        process("diff", url, "--run-a", "run_a", "--run-b", "run_a", "--exit-code").code,
    ] == [0, 1, 2, 3, 4, 0]
