"""The parameters that commands share: their names, their help, and what is checked when they are parsed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from activegraph.cli.console import Console
from cyclopts import Parameter, Token

__all__ = ["Here", "Json", "OptionalRunId", "RunId", "Url", "argument", "number_option", "option"]


def argument(metavar: str, help: str) -> Parameter:
    """A positional argument."""
    return Parameter(name=metavar, help=help, validator=_not_empty)


def option(*names: str, help: str) -> Parameter:
    """An option; an empty value is refused. What stands for its value on the help page is in `help.METAVARS`."""
    return Parameter(name=names, help=help, negative=(), validator=_not_empty)


def number_option(*names: str, help: str) -> Parameter:
    """An option that is a whole number in decimal digits: the parser alone would round `1.5`."""
    return Parameter(name=names, help=help, negative=(), converter=_whole_number)


def _whole_number(type: Any, tokens: Sequence[Token]) -> int:
    digits = tokens[0].value.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()):
        raise ValueError
    return int(tokens[0].value)


def _not_empty(type: Any, value: Any) -> None:
    if value == "" or (isinstance(value, (list, tuple)) and "" in value):
        raise ValueError("must not be empty")


Here = Annotated[Console, Parameter(parse=False)]
"""Where the command writes; handed over when it is called."""

Url = Annotated[str, argument("URL", "Store: sqlite:///relative.db, sqlite:////absolute.db, postgres://host/db.")]
RunId = Annotated[str, option("--run-id", "-r", help="The run.")]
OptionalRunId = Annotated[str | None, option("--run-id", "-r", help="The run; else the one appended to last.")]
Json = Annotated[bool, option("--json", "-j", help="Print one JSON value on one line.")]
