"""Start-up: whole processes, from nothing to done."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from time import perf_counter

TIMES = 10

CODE = {
    "pass": "pass",
    "import": "import activegraph",
    "used": "from activegraph import Graph, Runtime, behavior",
    "library": "from activegraph import inspect_run; from activegraph.store import list_runs",
}


def python(folder: Path, code: str) -> float:
    """Milliseconds of `python -c`."""
    return _milliseconds([sys.executable, "-c", CODE[code]])


def command(folder: Path, arguments: str, url: str = "") -> float:
    """Milliseconds of the `activegraph` command; `{url}` stands for a store with a small run."""
    script = Path(sys.executable).with_name("activegraph")
    target = url or f"sqlite:///{folder}/run.db"
    if "{url}" in arguments:
        _small_run(target)
    return _milliseconds([str(script), *arguments.replace("{url}", target).split(" ")])


def _small_run(url: str) -> None:
    from activegraph import Graph, Runtime

    with Runtime(Graph(), behaviors=[], persist_to=url) as runtime:
        runtime.run_goal("small")


def _milliseconds(command: list[str]) -> float:
    times = []
    for _ in range(TIMES):
        began = perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        times.append(perf_counter() - began)
    return sorted(times)[TIMES // 2] * 1e3
