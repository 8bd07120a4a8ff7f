"""The command line under test: inside this process, or as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Said", "process"]


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
