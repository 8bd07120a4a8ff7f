"""Runs the snippets of a Markdown page the way a reader would: in order, in one empty folder.

What a page may hold:

- ```` ```python ````: runs in the page's one namespace. A following ```` ```output ```` block is what it
  prints on stdout; a snippet that ends in an exception prints the exception's text last.
- ```` ```console ````: lines that begin with `$ ` are commands, the lines below each are what it
  prints on both streams; none means that the output is not shown. `# exit 3` at the end of a
  command says with which code it ends, else it is 0.
- a block of any language with `title="NAME"`: a file of that name, saved in the folder and not run.
- any other language: shown, not run.

In what is printed, `...` stands for anything (as in doctest).
"""

from __future__ import annotations

import doctest
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Snippet", "check_page", "read_snippets"]

_FENCE = re.compile(r"^```(\w*)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_TITLE = re.compile(r'\btitle="([^"]+)"')
_EXIT = re.compile(r"\s+# exit (\d+)$")
_SECONDS_A_PAGE = 120


@dataclass
class Snippet:
    """One piece of a page that does something: a Python block, a command, or a file that is saved."""

    kind: str
    """`python`, `command` or `file`."""

    text: str
    line: int
    expected: str | None = None
    """What it prints; None where the page doesn't say."""

    exit_code: int = 0
    name: str = ""
    """Of a file."""


@dataclass
class _Page:
    snippets: list[Snippet] = field(default_factory=list)

    def add_block(self, language: str, options: str, body: str, line: int) -> None:
        if title := _TITLE.search(options):
            self.snippets.append(Snippet("file", body, line, name=title[1]))
        elif language == "python":
            self.snippets.append(Snippet("python", body, line))
        elif language == "console":
            self._add_commands(body, line)
        elif language == "output":
            if not self.snippets or self.snippets[-1].kind != "python" or self.snippets[-1].expected is not None:
                raise ValueError(f"line {line}: an output block follows the Python block that prints it")
            self.snippets[-1].expected = body

    def _add_commands(self, body: str, line: int) -> None:
        command: Snippet | None = None
        for number, text in enumerate(body.splitlines(), start=line):
            if text.startswith("$ "):
                code = _EXIT.search(text)
                command = Snippet("command", _EXIT.sub("", text[2:]), number, exit_code=int(code[1]) if code else 0)
                self.snippets.append(command)
            elif command is None:
                raise ValueError(f"line {number}: a console block begins with a command")
            elif command.expected is None and command.text.endswith("\\"):
                command.text += f"\n{text}"
            else:
                command.expected = (command.expected or "") + text + "\n"


def read_snippets(page: Path) -> list[Snippet]:
    """What runs on `page`, in order."""
    text, found = page.read_text(), _Page()
    for block in _FENCE.finditer(text):
        found.add_block(block[1], block[2], block[3], text.count("\n", 0, block.start()) + 2)
    return found.snippets


def check_page(
    page: Path, folder: Path, python: str = sys.executable, *, variables: Mapping[str, str] | None = None
) -> None:
    """Run the snippets of `page` in the empty `folder`; AssertionError at the first that differs from the page.

    Args:
        python: The interpreter of the environment in which a reader would run them.
        variables: What a reader would have set in the environment.
    """
    snippets = read_snippets(page)
    done = subprocess.run(
        [python, __file__],
        input=json.dumps([(snippet.kind, snippet.text, snippet.name) for snippet in snippets]),
        capture_output=True,
        text=True,
        cwd=folder,
        env={**_reader_environment(folder, Path(python).parent), **(variables or {})},
        timeout=_SECONDS_A_PAGE,
        check=False,
    )
    results = [json.loads(line) for line in done.stdout.splitlines()]
    for snippet, (printed, exit_code) in zip(snippets, results, strict=False):
        _compare(f"{page}:{snippet.line}", snippet, printed, exit_code)
    assert len(results) == len(snippets), f"{page}: stopped after {len(results)} snippets\n{done.stderr}"


def _reader_environment(home: Path, programs_first: Path) -> dict[str, str]:
    programs = f"{programs_first}{os.pathsep}{os.environ['PATH']}"
    kept = {
        name: os.environ[name] for name in ("LANG", "TMPDIR", "ACTIVEGRAPH_TEST_POSTGRES_URL") if name in os.environ
    }
    return {**kept, "PATH": programs, "HOME": str(home), "NO_COLOR": "1"}


def _compare(place: str, snippet: Snippet, printed: str, exit_code: int) -> None:
    shown = f"{place}\n{snippet.text}\nprinted:\n{printed}"
    if snippet.kind == "python" and exit_code != 0 and snippet.expected is None:
        raise AssertionError(f"an exception that the page doesn't show: {shown}")
    if snippet.kind == "command":
        assert exit_code == snippet.exit_code, f"exit code {exit_code}, not {snippet.exit_code}: {shown}"
    if snippet.expected is None:
        return
    same = doctest.OutputChecker().check_output(snippet.expected, printed, doctest.ELLIPSIS)
    assert same, f"{shown}\nthe page says:\n{snippet.expected}"


def _run_all() -> None:
    """The child: run each snippet of the list on stdin, answer each with a line `[printed, exit code]`."""
    import contextlib
    import io
    import linecache

    answers, namespace = os.fdopen(os.dup(1), "w"), {"__name__": "__main__"}
    for number, (kind, text, file) in enumerate(json.loads(sys.stdin.read())):
        printed, code = io.StringIO(), 0
        if kind == "file":
            Path(file).write_text(text)
        elif kind == "command":
            done = subprocess.run(
                ["bash", "-c", text], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
            )
            printed, code = io.StringIO(done.stdout), done.returncode
        else:
            name = f"<snippet {number}>"
            linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
            with contextlib.redirect_stdout(printed):
                try:
                    exec(compile(text, name, "exec", dont_inherit=True), namespace)
                except Exception as error:
                    printed.write(f"{error}\n")
                    code = 1
        answers.write(json.dumps([printed.getvalue(), code]) + "\n")
        answers.flush()


if __name__ == "__main__":
    _run_all()
