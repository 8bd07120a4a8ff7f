"""Options that every command takes, before or after its name."""

from __future__ import annotations

from dataclasses import dataclass

from activegraph.cli.errors import UsageError

__all__ = ["GLOBAL_OPTIONS", "GlobalOptions", "split_global_options"]

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

GLOBAL_OPTIONS = (
    ("-h, --help", "Show this help."),
    ("--version", "Print the version."),
    ("-q, --quiet", "No notes and no progress; results and errors stay."),
    ("--no-color", "No colour. NO_COLOR and TERM=dumb say the same."),
    ("--log-level LEVEL", "Log lines to stderr from this level on; without it, errors only."),
    ("--debug", "Show the traceback of an error."),
)
"""As the help pages show them."""

_FLAGS = {
    "-h": "help",
    "--help": "help",
    "--version": "version",
    "-q": "quiet",
    "--quiet": "quiet",
    "--no-color": "no_color",
    "--debug": "debug",
}
_LETTERS = frozenset("hqj")
"""Flags that may stand behind one dash together."""


@dataclass
class GlobalOptions:
    """What was asked for besides the command."""

    help: bool = False
    version: bool = False
    quiet: bool = False
    no_color: bool = False
    debug: bool = False
    log_level: str | None = None


def split_global_options(arguments: list[str]) -> tuple[GlobalOptions, list[str]]:
    """The global options among `arguments`, and what is left; nothing behind `--` is looked at.

    Raises:
        UsageError: `--log-level` without a level.
    """
    options, rest = GlobalOptions(), []
    waiting = [*arguments]
    while waiting:
        word = waiting.pop(0)
        if word == "--":
            rest += [word, *waiting]
            break
        name, equals, value = word.partition("=")
        if word in _FLAGS:
            setattr(options, _FLAGS[word], True)
        elif name == "--log-level":
            options.log_level = _level(value if equals else waiting.pop(0) if waiting else "")
        elif len(word) > 2 and word[0] == "-" and set(word[1:]) <= _LETTERS:
            waiting[:0] = [f"-{letter}" for letter in word[1:]]
        elif waiting and waiting[0] == "-" and word.startswith("-") and not equals:
            # A lone dash is a value here, and the parser takes it for an option.
            rest.append(f"{word}={waiting.pop(0)}")
        else:
            rest.append(word)
    return options, rest


def _level(text: str) -> str:
    level = text.upper()
    if level not in LOG_LEVELS:
        raise UsageError(f"--log-level takes one of {', '.join(LOG_LEVELS)}, not '{text}'")
    return level
