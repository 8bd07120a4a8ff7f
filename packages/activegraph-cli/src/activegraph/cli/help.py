"""Help pages: of the program, of a group, and of one command, made from its parameters."""

from __future__ import annotations

import inspect
import textwrap
from typing import TYPE_CHECKING, Any

from activegraph.cli.app import COMMANDS, GROUPS, PROGRAM, make_app
from activegraph.cli.global_options import GLOBAL_OPTIONS

if TYPE_CHECKING:
    from cyclopts.argument import Argument

__all__ = ["METAVARS", "help_page"]

METAVARS = {
    "--at-event": "ID",
    "--db": "PATH",
    "--event": "ID",
    "--expect": "COUNT:DIGEST",
    "--format": "text|jsonl",
    "--from": "URL",
    "--import": "MODULE[:FUNC]",
    "--input": "FILE",
    "--label": "TEXT",
    "--model": "NAME",
    "--output": "PATH",
    "--output-dir": "DIR",
    "--run-a": "ID",
    "--run-b": "ID",
    "--run-id": "ID",
    "--set": "PACK.SETTING=VALUE",
    "--tail": "N",
    "--to": "URL",
}
"""What stands for an option's value, by its first name."""

_WIDTH = 80
_COLUMN = 28


def help_page(command: str) -> str:
    """The page of a command; of the program for ""."""
    if command in COMMANDS:
        return _command_page(command)
    listed = {name: entry.summary for name, entry in COMMANDS.items()}
    if command:
        listed = {name: text for name, text in listed.items() if name.startswith(f"{command} ")}
        about = GROUPS[command]
    else:
        about = "Operate Active Graph runs: look at them, replay, fork, compare, export and copy them."
    usage = f"Usage: {PROGRAM} {command + ' ' if command else ''}COMMAND [ARGUMENTS] [OPTIONS]"
    blocks = [usage, _wrapped(about), _table("Commands:", list(listed.items()))]
    if not command:
        blocks.append(
            _table("Options:", [*GLOBAL_OPTIONS, ("--install-completion", "Install completion for your shell.")])
        )
        blocks.append(f"'{PROGRAM} COMMAND --help' says more about a command.")
    return "\n\n".join(blocks)


def _command_page(command: str) -> str:
    app = make_app()
    for word in command.split(" "):
        app = app[word]
    function: Any = app.default_command
    shown = [argument for argument in app.assemble_argument_collection() if argument.parse]
    positional = [argument for argument in shown if not argument.name.startswith("-")]
    options = [argument for argument in shown if argument.name.startswith("-")]
    words = [f"{argument.name}" for argument in positional]
    words += [f"{argument.name} {_metavar(argument)}" for argument in options if argument.required]
    about = inspect.cleandoc(function.__doc__ or "")
    blocks = [f"Usage: {' '.join([PROGRAM, command, *words])} [OPTIONS]", _wrapped(about)]
    if positional:
        blocks.append(_table("Arguments:", [(a.name, a.parameter.help or "") for a in positional]))
    blocks.append(_table("Options:", [(_names(a), _help(a)) for a in options]))
    blocks.append(_table("Options of every command:", list(GLOBAL_OPTIONS)))
    return "\n\n".join(block for block in blocks if block)


def _names(argument: Argument) -> str:
    names = sorted(argument.names, key=len)
    return f"{', '.join(names)} {_metavar(argument)}".rstrip()


def _metavar(argument: Argument) -> str:
    return METAVARS.get(argument.name, "")


def _help(argument: Argument) -> str:
    text = argument.parameter.help or ""
    default = argument.field_info.default
    if argument.required or default in (None, False, ()) or not isinstance(default, (int, str)):
        return text
    return f"{text} Default: {default}."


def _table(title: str, rows: list[tuple[str, str]]) -> str:
    if not rows:
        return ""
    lines = [title]
    for left, right in rows:
        first = f"  {left}".ljust(_COLUMN)
        text = textwrap.wrap(right, _WIDTH - _COLUMN) or [""]
        if len(first) > _COLUMN or not first.endswith(" "):
            lines.append(first.rstrip())
            first = " " * _COLUMN
        lines.append((first + text[0]).rstrip())
        lines += [" " * _COLUMN + more for more in text[1:]]
    return "\n".join(lines)


def _wrapped(text: str) -> str:
    return "\n\n".join(textwrap.fill(part, _WIDTH) for part in text.split("\n\n"))
