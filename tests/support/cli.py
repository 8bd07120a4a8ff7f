"""The command line under test: inside this process, or as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

__all__ = ["Cli", "Said", "in_this_process", "process"]


@dataclass(frozen=True)
class Said:
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """The result, line by line."""
        return self.out.splitlines()


Cli = Callable[..., Said]


def in_this_process(capsys: pytest.CaptureFixture[str]) -> Cli:
    """Calls the command line without a process of its own."""
    from activegraph.cli.main import main

    def call(*arguments: str) -> Said:
        capsys.readouterr()
        code = main(list(arguments))
        said = capsys.readouterr()
        return Said(code, said.out, said.err)

    return call


def process(
    *arguments: str, cwd: Path | None = None, environment: dict[str, str] | None = None, **options: Any
) -> Said:
    """Run the command as a process; its streams are no terminals."""
    finished = subprocess.run(
        [sys.executable, "-m", "activegraph", *arguments],
        cwd=cwd,
        env={**os.environ, **(environment or {})},
        stdout=options.pop("stdout", subprocess.PIPE),
        stderr=subprocess.PIPE,
        check=False,
        timeout=60,
        **options,
    )
    return Said(finished.returncode, (finished.stdout or b"").decode(), finished.stderr.decode())
