"""Processes that are killed at work: at every step of one operation, or at random instants under load.

A profile hook counts the steps of an operation and ends the process with SIGKILL at the one that was
chosen.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from activegraph.conformance.children import Child, Say
from activegraph.conformance.steps import is_step
from activegraph.conformance.workload import append_batch, numbered, raw_copy

if TYPE_CHECKING:
    from activegraph.conformance.worker import Target

__all__ = ["kill", "storm", "sweep"]

Hear = Callable[[], str]
Action = Callable[["Target", str, dict[str, Any]], Callable[[], object]]


class _Fuse:
    """Counts steps; at number `at` the process is dead."""

    def __init__(self, at: int | None) -> None:
        self.count = 0
        self._at = at

    def __call__(self, frame: object, event: str, function: Any) -> None:
        if is_step(event, function):
            self.count += 1
            if self.count == self._at:
                os.kill(os.getpid(), signal.SIGKILL)


def _append(target: Target, run: str, options: dict[str, Any]) -> Callable[[], object]:
    store = target.open(run)
    held = options.get("held", 0)
    if held:
        append_batch(store, numbered(1, held))
    batch = numbered(held + 1, options["size"])
    return lambda: append_batch(store, batch, **options.get("named", {}))


def _close(target: Target, run: str, options: dict[str, Any]) -> Callable[[], object]:
    store = target.open(run)
    append_batch(store, numbered(1, options["size"], padding=500))
    return store.close  # type: ignore[no-any-return]  # a store of any kind


def _open(target: Target, run: str, options: dict[str, Any]) -> Callable[[], object]:
    return lambda: target.open(run)


def _fork(target: Target, run: str, options: dict[str, Any]) -> Callable[[], object]:
    backend, url = target.backend_and_url()
    return lambda: backend.fork_run(
        url,
        parent_run_id=options["parent"],
        new_run_id=run,
        at_event_id=options["at"],
        label="killed",
        created_at="2026-05-15T10:32:01Z",
    )


def _import(target: Target, run: str, options: dict[str, Any]) -> Callable[[], object]:
    from activegraph.store.base import RunRecord
    from activegraph.store.imports import import_run

    _, url = target.backend_and_url()
    rows = raw_copy(numbered(1, options["size"]))
    record = RunRecord(run, None, None, "killed", "2026-05-15T10:32:01Z", None, None)
    return lambda: import_run(url, record, iter(rows))


_ACTIONS: dict[str, Action] = {
    "append": _append,
    "close": _close,
    "open": _open,
    "fork": _fork,
    "import": _import,
}


def sweep(target: Target, say: Say, *, action: str, runs: list[str], seconds: float = 10.0, **options: Any) -> None:
    """Kill one process per run, each at another step of an action, and tell at which.

    The first is left alone and the second dies right after the action has returned: what they did
    was acknowledged. The others are spread over all steps; there are as many as the steps, the
    runs or the time allow.
    """
    make = _ACTIONS[action]

    def measure(say: Say, hear: Hear) -> None:
        prepared = make(target, runs[0], options)
        say({"steps": _steps(prepared, None)})

    told = Child(measure).wait()
    if not told or "steps" not in told[-1]:
        say({"error": "measure", "text": str(told)})
        return
    steps = told[-1]["steps"]
    say({"run": runs[0], "step": None, "of": steps})
    deadline = time.monotonic() + seconds
    for run, at in zip(runs[1:], (None, *_spread(steps)), strict=False):
        _kill_at(target, make, run, options, at)
        say({"run": run, "step": at, "of": steps})
        if time.monotonic() > deadline:
            return


def _spread(steps: int) -> list[int]:
    """All numbers from 1 to `steps`, such that any beginning of the list is spread evenly over them."""
    golden = 0.6180339887498949
    return list(dict.fromkeys(1 + int(n * golden % 1 * steps) for n in range(1, 8 * steps)))


def kill(target: Target, say: Say, *, action: str, run: str, at: int, **options: Any) -> None:
    """Kill one process at one step of an action."""
    _kill_at(target, _ACTIONS[action], run, options, at)
    say({"run": run, "step": at})


def _kill_at(target: Target, make: Action, run: str, options: dict[str, Any], at: int | None) -> None:
    def die(say: Say, hear: Hear) -> None:
        prepared = make(target, run, options)
        _steps(prepared, at)
        os.kill(os.getpid(), signal.SIGKILL)

    Child(die).wait()


def _steps(action: Callable[[], object], at: int | None) -> int:
    fuse = _Fuse(at)
    sys.setprofile(fuse)
    try:
        action()
    finally:
        sys.setprofile(None)
    return fuse.count


def storm(target: Target, say: Say, *, run: str, kills: int, size: int, seed: int) -> None:
    """Kill a process at a random instant while it appends, again and again on one run.

    Tells after each kill how many events had been acknowledged, and what the next process found.
    """
    dice = random.Random(seed)

    def work(say: Say, hear: Hear) -> None:
        store = target.open(run)
        head = store.count()
        say({"found": head})
        while True:
            append_batch(store, numbered(head + 1, size, padding=200))
            head += size
            say({"acknowledged": head})

    for _ in range(kills):
        child = Child(work)
        opened = child.next_message()
        if opened is not None and "found" in opened:
            time.sleep(dice.random() * 0.01)
        said = child.kill()
        failed = next((message for message in said if "error" in message), None)
        found = next((message["found"] for message in said if "found" in message), None)
        acknowledged = [message["acknowledged"] for message in said if "acknowledged" in message]
        say(failed or {"found": found, "acknowledged": max(acknowledged, default=found or 0)})
