"""How `activegraph quickstart` is called; what it shows is tested beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support.cli import Said

Cli = Callable[..., Said]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--interactive", "--input", "server.log"], "--interactive and --input exclude each other"),
        (["--interactive", "--db", "run.db"], "--interactive and --db exclude each other"),
        (["--model", "m"], "--model goes with --input"),
    ],
)
def test_options_that_make_no_sense_together_are_refused(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)

    said = cli("quickstart", *options)

    assert (said.code, said.out) == (2, "")
    assert said.err == f"{message}\nTry 'activegraph quickstart --help'.\n"
    assert list(tmp_path.iterdir()) == []


def test_the_run_that_it_names_can_be_inspected(cli: Cli, tmp_path: Path) -> None:
    database = tmp_path / "tour.db"

    tour = cli("quickstart", "--db", str(database))
    inspection = cli("inspect", f"sqlite:///{database}")

    assert (tour.code, tour.err) == (0, "")
    assert tour.out.startswith("activegraph quickstart")
    assert f"activegraph inspect sqlite:///{database}" in tour.out
    assert inspection.lines[:2] == ["run_id:           quickstart_demo_run", "state:            idle"]


def test_a_missing_log_is_not_found(cli: Cli, tmp_path: Path) -> None:
    said = cli("quickstart", "--input", str(tmp_path / "missing.log"), "--db", str(tmp_path / "run.db"))

    assert (said.code, said.out) == (3, "")
    assert str(tmp_path / "missing.log") in said.err
    assert list(tmp_path.iterdir()) == []
