"""Help pages: of the program, of a group, and of one command, made from its parameters."""

from __future__ import annotations

import inspect
import textwrap
from typing import TYPE_CHECKING, Any, NamedTuple

from activegraph.cli.app import COMMANDS, GROUPS, PROGRAM, make_app
from activegraph.cli.global_options import GLOBAL_OPTIONS

if TYPE_CHECKING:
    from cyclopts.argument import Argument

__all__ = ["EXAMPLES", "METAVARS", "CommandHelp", "command_help", "help_page"]

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

EXAMPLES = {
    "": (
        ("See what it is about", "activegraph quickstart"),
        ("Where does the newest run stand?", "activegraph inspect sqlite:///run.db"),
        (
            "Save its log for another program",
            "activegraph export-trace sqlite:///run.db -r run_a -f jsonl -o run.jsonl",
        ),
    ),
    "inspect": (
        ("The run that was appended to last", "activegraph inspect sqlite:///run.db"),
        ("One run for a program", "activegraph inspect sqlite:///run.db -r run_a --tail 50 --json"),
        ("An event that an error message names", "activegraph inspect sqlite:///run.db -r run_a --event evt_003"),
        ("Which behaviors fired", "activegraph inspect sqlite:///run.db -r run_a --behaviors"),
    ),
    "replay": (
        ("Can the log still be read, and what does it make?", "activegraph replay sqlite:///run.db -r run_a"),
        (
            "Does the code still do what was recorded?",
            "activegraph replay sqlite:///run.db -r run_a --strict --import my_behaviors",
        ),
    ),
    "fork": (
        ("Try another way from an event on", "activegraph fork sqlite:///run.db -r run_a -a evt_003 -l what-if"),
        ("The same in another store", "activegraph fork sqlite:///run.db -r run_a -a evt_003 --to sqlite:///lab.db"),
        ("Answers are to be recorded anew", "activegraph fork sqlite:///run.db -r run_a -a evt_003 --record"),
    ),
    "diff": (
        ("What became different?", "activegraph diff sqlite:///run.db --run-a run_a --run-b run_b"),
        ("For scripts: 5 if anything did", "activegraph diff sqlite:///run.db --run-a run_a --run-b run_a --exit-code"),
    ),
    "export-trace": (
        ("Read it", "activegraph export-trace sqlite:///run.db -r run_a"),
        ("Keep it", "activegraph export-trace sqlite:///run.db -r run_a -f jsonl -o run.jsonl"),
    ),
    "verify": (
        ("All runs of a store", "activegraph verify sqlite:///run.db"),
        ("One run", "activegraph verify sqlite:///run.db -r run_a"),
    ),
    "migrate": (
        ("A whole store to a server", "activegraph migrate --from sqlite:///run.db --to postgres://host/db"),
        ("One run", "activegraph migrate --from sqlite:///run.db --to sqlite:///copy.db -r run_a"),
        (
            "What can be read of a damaged one",
            "activegraph migrate --from sqlite:///run.db --to sqlite:///saved.db \\\n    --skip-corrupted",
        ),
    ),
    "pack list": (
        ("Which packs can be loaded by name?", "activegraph pack list"),
        ("For a program", "activegraph pack list --json"),
    ),
    "pack new": (
        ("A project in this directory", "activegraph pack new my-pack"),
        ("In another one", "activegraph pack new storage-checks -o ."),
    ),
    "quickstart": (
        ("A review of three recorded incidents", "activegraph quickstart"),
        ("Of your own server's log", "activegraph quickstart --input postgresql.json --db review.db"),
    ),
    "completion": (("For this bash and later ones", "activegraph completion bash --install"),),
}
"""By command: what for, and the command line; a test runs each."""

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
        blocks += [_examples(command), f"'{PROGRAM} COMMAND --help' says more about a command."]
    return "\n\n".join(blocks)


class CommandHelp(NamedTuple):
    """What is to be said of a command, before it is laid out: names with their texts."""

    usage: str
    about: str
    arguments: list[tuple[str, str]]
    options: list[tuple[str, str]]


def command_help(command: str) -> CommandHelp:
    """What the parameters and the docstring of a command say."""
    app = make_app()
    for word in command.split(" "):
        app = app[word]
    function: Any = app.default_command
    shown = [argument for argument in app.assemble_argument_collection() if argument.parse]
    positional = [argument for argument in shown if not argument.name.startswith("-")]
    options = [argument for argument in shown if argument.name.startswith("-")]
    words = [f"{argument.name}" for argument in positional]
    words += [f"{argument.name} {_metavar(argument)}" for argument in options if argument.required]
    return CommandHelp(
        f"{' '.join([PROGRAM, command, *words])} [OPTIONS]",
        inspect.cleandoc(function.__doc__ or ""),
        [(a.name, a.parameter.help or "") for a in positional],
        [(_names(a), _help(a)) for a in options],
    )


def _command_page(command: str) -> str:
    page = command_help(command)
    blocks = [
        f"Usage: {page.usage}",
        _wrapped(page.about),
        _table("Arguments:", page.arguments),
        _table("Options:", page.options),
        _table("Options of every command:", list(GLOBAL_OPTIONS)),
        _examples(command),
    ]
    return "\n\n".join(block for block in blocks if block)


def _examples(command: str) -> str:
    lines = ["Examples:"]
    for what_for, line in EXAMPLES.get(command, ()):
        lines += [f"  # {what_for}", textwrap.indent(line, "  ")]
    return "\n".join(lines) if len(lines) > 1 else ""


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
