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

__all__ = ["COMMANDS", "GLOBAL_NAMES", "GROUPS", "PROGRAM", "Call", "Command", "command_named", "make_app", "parse"]

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
    "pack list": Command("pack_list:pack_list", "Show the installed packs."),
    "pack new": Command("pack_new:pack_new", "Make the project of a new pack."),
    "quickstart": Command("quickstart:quickstart", "See a run of the reference pack, offline."),
    "completion": Command("completion:completion", "Print a completion script for a shell."),
}
"""In the order of the help page; a command of two words is one of a group."""

GROUPS: dict[str, str] = {"pack": "See which packs are installed, and begin a new one."}
"""First words of commands of two words, and what the group is about."""


GLOBAL_NAMES = [name for names, _ in GLOBAL_OPTIONS for name in names.replace(",", "").split() if name[0] == "-"]


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
    if first not in GROUPS:
        if first.startswith("-"):
            raise UsageError(f"unknown option '{first}'.{did_you_mean(first, GLOBAL_NAMES)}")
        known = [name for name in COMMANDS if " " not in name] + list(GROUPS)
        raise UsageError(f"unknown command '{first}'.{did_you_mean(first, known)}")
    if len(tokens) < 2 or tokens[1].startswith("-"):
        return first
    full = f"{first} {tokens[1]}"
    if full not in COMMANDS:
        known = [name for name in COMMANDS if name.startswith(f"{first} ")]
        raise UsageError(f"unknown command '{full}'.{did_you_mean(full, known)}", first)
    return full


def make_app() -> App:
    """The parser of all commands; their modules are imported when they are looked at."""
    from cyclopts import App

    app = App(name=PROGRAM, help_flags=(), version_flags=())
    groups = {name: App(name=name, help=text, help_flags=(), version_flags=()) for name, text in GROUPS.items()}
    for group in groups.values():
        app.command(group)
    for name, command in COMMANDS.items():
        owner, _, own_name = name.rpartition(" ")
        place = f"activegraph.cli.commands.{command.place}"
        (groups[owner] if owner else app).command(place, name=own_name, help=command.summary)
    return app


def parse(command: str, tokens: list[str]) -> Call:
    """The call that `tokens`, which begin with `command`, ask for.

    Raises:
        UsageError: They make no sense.
    """
    from cyclopts import CycloptsError

    app = make_app()
    try:
        function, bound, ignored = app.parse_args(tokens, exit_on_error=False, print_error=False, verbose=False)
    except CycloptsError as error:
        raise UsageError(_message(error), command) from error
    return Call(function, bound.args, bound.kwargs, "console" in ignored)


def _message(error: CycloptsError) -> str:
    """What the parser found wrong, in our words; in its own where it found something rare."""
    from cyclopts import exceptions as found

    argument = error.argument
    if isinstance(error, found.UnknownOptionError):
        given = (error.token.keyword or error.token.value).partition("=")[0]
        known = [name for argument in error.argument_collection for name in argument.names]
        if given in known:  # behind `--`, where it is none
            return f"unexpected argument '{given}'"
        return f"unknown option '{given}'.{did_you_mean(given, [*known, *GLOBAL_NAMES])}"
    if isinstance(error, found.UnusedCliTokensError) and error.unused_tokens:
        return f"unexpected argument '{error.unused_tokens[0]}'"
    if isinstance(error, found.RepeatArgumentError):
        return f"option {error.token.keyword} was given more than once"
    if argument is None:
        return str(error)
    if isinstance(error, found.MissingArgumentError):
        keyword = error.keyword or next((token.keyword for token in argument.tokens if token.keyword), None)
        if keyword is not None:
            return f"option {keyword} needs a value; one that begins with a dash is written {argument.name}=VALUE"
        return f"missing {'option' if argument.name.startswith('-') else 'argument'} {argument.name}"
    if isinstance(error, found.ValidationError):
        return f"{argument.name} {error.exception_message}"
    if isinstance(error, found.CoercionError) and error.token is not None:
        choices = _choices(argument.hint)
        wanted = f"one of {', '.join(choices)}" if choices else _KINDS.get(argument.hint, "of another kind")
        return f"{argument.name} must be {wanted}, not '{error.token.value}'.{did_you_mean(error.token.value, choices)}"
    return str(error)


_KINDS: dict[Any, str] = {int: "a whole number", float: "a number"}


def _choices(hint: Any) -> list[str]:
    """What a parameter may be, where that is a list of words; it may be left out all the same."""
    from typing import Literal, get_args, get_origin

    for kind in (hint, *get_args(hint)):
        if get_origin(kind) is Literal:
            return [str(choice) for choice in get_args(kind)]
    return []
