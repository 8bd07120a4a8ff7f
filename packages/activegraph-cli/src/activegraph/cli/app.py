"""The commands by name, and what becomes of the words behind them.

A command's module is imported when the command is called, and the parser only then, so that
`--help` and a misspelt command answer at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from activegraph.cli.errors import UsageError, did_you_mean
from activegraph.cli.global_options import GLOBAL_OPTIONS

if TYPE_CHECKING:
    from cyclopts import App, CycloptsError

__all__ = ["COMMANDS", "PROGRAM", "Command", "Call", "command_named", "make_app", "parse"]

PROGRAM = "activegraph"


class Command(NamedTuple):
    """Where a command lives, and what it does in a few words."""

    place: str
    summary: str


COMMANDS = {
    "inspect": Command("inspect:inspect", "Show where a stored run stands."),
    "replay": Command("replay:replay", "Rebuild a run's graph from its log, without running behaviors."),
    "fork": Command("fork:fork", "Begin a new run with another's events up to one of them."),
    "diff": Command("diff:diff", "Compare two runs of one store."),
    "export-trace": Command("export_trace:export_trace", "Write a run's log as trace lines or JSON lines."),
    "verify": Command("verify:verify", "Check that logs are what was written."),
    "migrate": Command("migrate:migrate", "Copy runs into another store."),
    "pack list": Command("pack:list_packs", "List the installed packs."),
    "pack new": Command("pack:new", "Write the beginnings of a pack."),
    "quickstart": Command("quickstart:quickstart", "See a run of the reference pack, offline."),
    "completion": Command("completion:completion", "Print a completion script for a shell."),
}
"""In the order of the help page; a command of two words is one of a group."""

_GROUPS = {"pack": "Packs: list them, begin one."}


class Call(NamedTuple):
    """A command with the arguments that were given to it."""

    function: Callable[..., int]
    arguments: tuple[Any, ...]
    options: dict[str, Any]
    wants_console: bool


def command_named(tokens: list[str]) -> str:
    """The command that `tokens` begin with; a group's name where only that is given, "" where nothing is.

    Raises:
        UsageError: There is no such command.
    """
    if not tokens:
        return ""
    first = tokens[0]
    if first in COMMANDS:
        return first
    if first not in _GROUPS:
        if first.startswith("-"):
            names = [name for names, _ in GLOBAL_OPTIONS for name in names.split(" ")[0::1]]
            raise UsageError(f"unknown option '{first}'.{did_you_mean(first, _plain(names))}")
        known = [name for name in COMMANDS if " " not in name] + list(_GROUPS)
        raise UsageError(f"unknown command '{first}'.{did_you_mean(first, known)}")
    if len(tokens) < 2 or tokens[1].startswith("-"):
        return first
    full = f"{first} {tokens[1]}"
    if full not in COMMANDS:
        known = [name.split(" ")[1] for name in COMMANDS if name.startswith(f"{first} ")]
        raise UsageError(f"unknown command '{full}'.{did_you_mean(tokens[1], known)}", first)
    return full


def _plain(names: list[str]) -> list[str]:
    return [name.strip(",") for name in names if name.startswith("-")]
