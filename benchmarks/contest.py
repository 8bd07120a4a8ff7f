"""One contestant: a function in a process of its own, which prints the figure that it measured."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

__all__ = ["run"]

ROOT = Path(__file__).parent.parent


def run(contestant: str, folder: Path, options: Mapping[str, str]) -> float:
    """The figure of `module:function`, measured in a fresh process.

    Args:
        folder: An empty folder that is the contestant's own.
        options: Passed to the function as keyword arguments.
    """
    command = [sys.executable, "-m", "benchmarks.contest", contestant, str(folder), json.dumps(dict(options))]
    # An installed program is compiled once; where that is switched off, every process would compile it anew.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{contestant} failed:\n{done.stderr}")
    return float(done.stdout.splitlines()[-1])


def main() -> None:
    """Carry out one contestant."""
    contestant, folder, options = sys.argv[1:]
    module, function = contestant.split(":")
    work = getattr(import_module(f"benchmarks.{module}"), function)
    print(work(Path(folder), **json.loads(options)))


if __name__ == "__main__":
    main()
