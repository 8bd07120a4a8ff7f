"""Promises of the progress bar."""

from __future__ import annotations

import fcntl
import io
import pty
import struct
import sys
import termios
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import pytest
from activegraph.cli import console as consoles
from activegraph.cli.console import Console
from activegraph.cli.main import main
from support.stored_runs import record_prices


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Hours:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def hours(monkeypatch: pytest.MonkeyPatch) -> Hours:
    hours = Hours()
    monkeypatch.setattr(consoles, "time", hours)
    monkeypatch.setenv("TERM", "xterm")
    return hours


@pytest.fixture
def terminal() -> Terminal:
    return Terminal()


@pytest.fixture
def console(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Console]:
    """Makes consoles whose stderr is `terminal`, or another stream."""

    def make(stderr: TextIO = terminal, **options: bool) -> Console:
        monkeypatch.setattr(sys, "stderr", stderr)
        return Console(**options)

    return make


def test_work_that_is_done_soon_shows_nothing(
    hours: Hours, terminal: Terminal, console: Callable[..., Console]
) -> None:
    with console().progress("replay", "events") as tell:
        assert tell is not None
        hours.now = 0.4
        tell(50, 100)

    assert terminal.getvalue() == ""


def test_work_that_takes_longer_shows_counts_and_rate_and_cleans_up(
    hours: Hours, terminal: Terminal, console: Callable[..., Console]
) -> None:
    with console().progress("replay", "events") as tell:
        assert tell is not None
        hours.now = 2.0
        tell(5000, 10000)

    shown = terminal.getvalue()
    assert shown.startswith("\r\x1b[Kreplay [############............] 5,000/10,000 2,500 events/s")
    assert shown.endswith("\r\x1b[K")


@pytest.mark.parametrize("columns", [40, 80])
def test_it_stays_in_one_line_of_the_terminal(hours: Hours, console: Callable[..., Console], columns: int) -> None:
    reader, writer = pty.openpty()
    fcntl.ioctl(writer, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with open(reader, "rb", buffering=0) as screen, open(writer, "w") as terminal:
        with console(terminal).progress("reading", "bytes") as tell:
            assert tell is not None
            hours.now = 10.0
            tell(1_074_006_736, 1_074_006_736)
        drawn = screen.read(1000).decode()

    assert drawn.startswith("\r\x1b[Kreading [####")
    assert len(drawn.replace("\r\x1b[K", "")) == columns - 1


def test_it_is_not_drawn_more_often_than_people_can_see(
    hours: Hours, terminal: Terminal, console: Callable[..., Console]
) -> None:
    with console().progress("replay", "events") as tell:
        assert tell is not None
        hours.now = 1.0
        for done in range(1000):
            hours.now += 0.001
            tell(done, 1000)

    assert terminal.getvalue().count("replay [") < 15


@pytest.mark.parametrize("silenced", ["json", "quiet", "dumb", "pipe"])
def test_nobody_is_told_where_nobody_would_see_it(
    hours: Hours, console: Callable[..., Console], monkeypatch: pytest.MonkeyPatch, silenced: str
) -> None:
    if silenced == "dumb":
        monkeypatch.setenv("TERM", "dumb")
    made = console(io.StringIO()) if silenced == "pipe" else console(quiet=silenced == "quiet")

    with made.progress("replay", "events", quiet=silenced == "json") as tell:
        assert tell is None


@pytest.mark.parametrize("command", ["migrate", "fork", "replay", "diff", "export-trace"])
def test_the_bar_of_a_command_fills(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str
) -> None:
    for name in ("operations.migrate._TOLD_EVERY", "store.forking._TOLD_EVERY", "operations.replay._PROGRESS_EVERY"):
        monkeypatch.setattr(f"activegraph.{name}", 7)
    monkeypatch.setattr("activegraph.operations.export._PROGRESS_EVERY", 7)
    monkeypatch.setattr(consoles, "_SILENT_SECONDS", 0.0)
    monkeypatch.setattr(consoles, "_REDRAW_SECONDS", 0.0)
    monkeypatch.setenv("TERM", "xterm")
    url, other = record_prices(tmp_path / "run.db"), f"sqlite:///{tmp_path}/other.db"
    arguments = {
        "migrate": ["--from", url, "--to", other],
        "fork": [url, "-r", "run_a", "-a", "evt_014", "--to", other],
        "replay": [url, "-r", "run_a"],
        "diff": [url, "--run-a", "run_a", "--run-b", "run_a"],
        "export-trace": [url, "-r", "run_a", "-o", str(tmp_path / "out.txt")],
    }
    monkeypatch.setattr(sys, "stderr", terminal)

    assert main([command, *arguments[command]]) == 0

    half, whole = ("14/28", "28/28") if command == "diff" else ("7/14", "14/14")
    assert f"{command} [############............] {half} " in terminal.getvalue()
    assert f"{command} [########################] {whole} " in terminal.getvalue()
