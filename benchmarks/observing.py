"""What it costs to look: metrics, log lines and status, each over the same run without them."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Event, Thread
from time import perf_counter
from timeit import repeat
from typing import Any

from benchmarks.steps import chain

__all__ = ["line_bare", "line_ours", "logged", "measured", "off", "watched"]

THREADS = 8
CALLS_A_SECOND = 20
LINES_A_STEP = 5


class Nothing:
    """A backend that does nothing, so that what is left is what the runtime does for it."""

    def counter(self, name: str, tags: dict[str, str], value: float = 1.0) -> None: ...

    def histogram(self, name: str, tags: dict[str, str], value: float) -> None: ...

    def gauge(self, name: str, tags: dict[str, str], value: float) -> None: ...


def _backend(name: str) -> Any:
    if name == "prometheus":
        from activegraph.observability import PrometheusMetrics
        from prometheus_client import CollectorRegistry

        return PrometheusMetrics(CollectorRegistry())
    return {"none": None, "nothing": Nothing()}[name]


def _run(
    steps: int,
    metrics: Any = None,
    around: Callable[[Any], Any] | None = None,
    also: Callable[[], None] | None = None,
) -> float:
    """Mean microseconds a step on memory.

    Args:
        around: Is given the runtime before it starts.
        also: What each step does besides.
    """
    from activegraph import Graph, Runtime

    runtime = Runtime(Graph(), behaviors=[chain(steps, also)], metrics=metrics)
    runtime.graph.add_object("task", {"n": 0, "title": "Look up the price of oak"})
    if around is not None:
        around(runtime)
    began = perf_counter()
    runtime.run_until_idle()
    return (perf_counter() - began) / steps * 1e6


def measured(folder: Path, steps: str, metrics: str) -> float:
    """A step with this backend: `none`, `nothing` (three empty methods) or `prometheus`."""
    return _run(int(steps), _backend(metrics))


def logged(folder: Path, steps: str, level: str) -> float:
    """A step with JSON lines from this level on; `off` disables logging altogether."""
    if level == "off":
        logging.disable(logging.CRITICAL)
    else:
        _to_nowhere(level)
    return _run(int(steps))


def off(folder: Path, steps: str) -> float:
    """A step with neither metrics nor lines, over the same less the time that it takes to ask whether lines are wanted.

    The share is less than what two runs differ by, so the questions are counted, and timed by themselves. What is left
    of metrics is a comparison with None at each place, which nothing can be compared with.
    """
    logging.disable(logging.CRITICAL)
    asks = 0

    def count(frame: Any, event: str, _: Any) -> None:
        nonlocal asks
        asks += event == "call" and frame.f_code is logging.Logger.isEnabledFor.__code__

    sys.setprofile(count)
    try:
        _run(int(steps))
    finally:
        sys.setprofile(None)
    ask = min(repeat(partial(logging.getLogger("activegraph.runtime").isEnabledFor, logging.INFO), number=10_000))
    step, asking = _run(int(steps)), asks / int(steps) * ask / 10_000 * 1e6
    return step / (step - asking)


def line_ours(folder: Path, steps: str) -> float:
    """Microseconds that one INFO line adds to a run, which says five a step."""
    logger, number = _to_nowhere("WARNING"), int(steps)
    silent = _run(number)
    logger.setLevel(logging.INFO)
    return (_run(number) - silent) / LINES_A_STEP


def line_bare(folder: Path, steps: str) -> float:
    """The same of lines that the standard library writes alone, in the same place: the body of each step logs five."""

    class Bare(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            fields = {
                "timestamp": self.formatTime(record, "%Y-%m-%dT%H:%M:%S"),
                "level": record.levelname,
                "logger": record.name,
                "message": record.getMessage(),
                "run_id": record.__dict__["run_id"],
                "event_id": record.__dict__["event_id"],
            }
            return json.dumps(fields)

    handler = logging.StreamHandler(open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - as long as the process
    handler.setFormatter(Bare())
    logger = logging.getLogger("bare.runtime")
    logger.addHandler(handler)
    logger.propagate = False
    logger.setLevel(logging.INFO)
    number = int(steps)

    def say() -> None:
        for n in range(LINES_A_STEP):
            logger.info("event emitted: %s", "object.created", extra={"run_id": "run_1", "event_id": f"evt_{n}"})

    silent = _run(number)
    return (_run(number, also=say) - silent) / LINES_A_STEP


def watched(folder: Path, steps: str, threads: str) -> float:
    """A step while so many threads ask for the status 20 times a second."""
    stop = Event()

    def watch(runtime: Any) -> None:
        def look() -> None:
            while not stop.is_set():
                runtime.status()
                time.sleep(1 / CALLS_A_SECOND)

        for _ in range(int(threads)):
            Thread(target=look, daemon=True).start()

    try:
        return _run(int(steps), around=watch)
    finally:
        stop.set()


def _to_nowhere(level: str) -> logging.Logger:
    from activegraph.observability import configure_logging

    return configure_logging(level, stream=open(os.devnull, "w", encoding="utf-8"))
