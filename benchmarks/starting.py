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


def command(folder: Path, arguments: str, url: str = "", events: str = "0") -> float:
    """Milliseconds of the `activegraph` command; `{url}` stands for a store with a run of `events`, 0 for a small one."""
    target = url or f"sqlite:///{folder}/run.db"
    if "{url}" in arguments:
        _run_of(target, int(events))
    return _milliseconds([_script(), *arguments.replace("{url}", target).split(" ")])


READING = (
    "inspect {url} -r small",
    "replay {url} -r small",
    "diff {url} --run-a small --run-b small",
    "export-trace {url} -r small",
    "verify {url}",
)


def slowest(folder: Path, url: str = "") -> float:
    """Milliseconds of the slowest of the commands that look at a small run."""
    target = url or f"sqlite:///{folder}/run.db"
    _run_of(target, 0)
    return max(_milliseconds([_script(), *line.replace("{url}", target).split(" ")]) for line in READING)


def _script() -> str:
    return str(Path(sys.executable).with_name("activegraph"))


def _run_of(url: str, events: int) -> None:
    from activegraph import Graph, Runtime

    from benchmarks.whole_runs import filled

    if events:
        filled(url, events, "small")
        return
    with Runtime(Graph(run_id="small"), behaviors=[], persist_to=url) as runtime:
        runtime.run_goal("small")


def _milliseconds(command: list[str]) -> float:
    times = []
    for _ in range(TIMES + 1):
        began = perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        times.append(perf_counter() - began)
    # The first process may have compiled what it imports.
    return sorted(times[1:])[TIMES // 2] * 1e3
