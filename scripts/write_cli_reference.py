"""Writes `docs/reference/cli.md`, the reference of the command line, from the code of the commands.

python scripts/write_cli_reference.py            # after a change of a command
python scripts/write_cli_reference.py --print    # to look at it only
"""

from __future__ import annotations

import sys
from pathlib import Path

from activegraph.cli.app import COMMANDS, PROGRAM
from activegraph.cli.global_options import GLOBAL_OPTIONS
from activegraph.cli.help import EXAMPLES, CommandHelp, command_help

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "cli.md"

HEAD = """\
# Command line

Made from the code of the commands by `scripts/write_cli_reference.py`; `activegraph COMMAND --help` shows the same in a terminal. How the commands are used together is told in [Operating runs](../operate/index.md).

A store is named by a URL: `sqlite:///relative.db` (three slashes), `sqlite:////absolute/path.db` (four), `postgres://user:password@host:port/dbname`. A path without a scheme is refused. Passwords are masked wherever a URL is shown.

Results go to stdout and nothing else does: errors, notes, progress and log lines go to stderr. With `--json` a result is one JSON value on one line. Where a command fails, stdout stays empty; `migrate` prints its report all the same, `diff --exit-code` the diff, and `export-trace` has written what came before the damage.

## Exit codes

| Code | means |
|---|---|
| 0 | success |
| 1 | an error of another kind, or a result that could not be written |
| 2 | the command was called wrongly |
| 3 | there is no such store, run, event or file |
| 4 | a log or a store is damaged, or of another version |
| 5 | a strict replay diverged, or `diff --exit-code` found a difference |
| 130 | interrupted by Ctrl-C; nothing is left half done |

A reader that closes the pipe (`| head`) ends a command quietly, with 0.

"""


def reference() -> str:
    """The page."""
    return HEAD + "\n".join([_options("Options of every command", list(GLOBAL_OPTIONS)), *map(_section, COMMANDS)])


def _section(command: str) -> str:
    page: CommandHelp = command_help(command)
    blocks = [f"## {command}\n", f"```text\n{page.usage}\n```\n", f"{page.about}\n"]
    if page.arguments:
        blocks.append(_rows("Argument", page.arguments))
    blocks.append(_rows("Option", page.options))
    lines = [f"# {what_for}\n{line}" for what_for, line in EXAMPLES[command]]
    blocks.append("```shell\n" + "\n\n".join(lines) + "\n```\n")
    return "\n".join(block for block in blocks if block)


def _options(title: str, rows: list[tuple[str, str]]) -> str:
    return f"## {title}\n\n{_rows('Option', rows)}"


def _rows(head: str, rows: list[tuple[str, str]]) -> str:
    if not rows:
        return ""
    shown = [f"| `{name.replace('|', chr(92) + '|')}` | {text} |" for name, text in rows]
    return "\n".join([f"| {head} | |", "|---|---|", *shown, ""])


def main(arguments: list[str]) -> int:
    """Write the page, or print it."""
    if "--print" in arguments:
        print(reference(), end="")
    else:
        PAGE.write_text(reference(), encoding="utf-8")
        print(f"wrote {PAGE}: {PROGRAM} has {len(COMMANDS)} commands")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
