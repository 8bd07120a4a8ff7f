"""A run that was cut off inside an invocation, and is gone on with by code that does something else."""

from __future__ import annotations

from typing import Any

from activegraph import FrozenClock, Graph, ReplayDivergenceError, Runtime
from activegraph.behaviors.base import Behavior
from activegraph.store import open_store

__all__ = ["diverging_resume"]


def _counting(number: int) -> list[Behavior]:
    return [Behavior("count", lambda event, graph, ctx: graph.emit("counted", {"n": number}), ["goal.created"])]


def diverging_resume(url: str, **options: Any) -> ReplayDivergenceError:
    """The error of the resume: event `evt_003` says `{"n": 1}` in the log of `run_a`, and 2 now.

    Args:
        options: Of `Runtime.load`.
    """
    with Runtime(Graph(run_id="run_a", clock=FrozenClock()), _counting(1)) as recorded:
        recorded.run_goal("prices")
        log = list(recorded.graph.events)
    with open_store(url, "run_a") as store:  # type: ignore[attr-defined]
        store.append_many(log[:3])
    with Runtime.load(url, "run_a", behaviors=_counting(2), **options) as resumed:
        try:
            resumed.run_until_idle()
        except ReplayDivergenceError as error:
            return error
    raise AssertionError("the resume did not diverge")
