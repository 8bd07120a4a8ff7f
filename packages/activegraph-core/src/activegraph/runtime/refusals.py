"""Errors of calls on a run that cannot take them: its runtime is closed, or an invocation waits to be finished."""

from __future__ import annotations

from typing import TYPE_CHECKING

from activegraph.errors import IncompatibleRuntimeState

if TYPE_CHECKING:
    from activegraph.runtime.points import CutOff

__all__ = ["closed_error", "unfinished_error"]


def closed_error(run_id: str, operation: str) -> IncompatibleRuntimeState:
    """The error of every call that needs an open runtime."""
    return IncompatibleRuntimeState(
        f"the runtime of run {run_id!r} is closed",
        what_failed=f"`{operation}` on a runtime that was closed, or whose graph another runtime has taken over.",
        why="Of several runtimes on one graph only the last may work, so that the run has one writer.",
        how_to_fix=f"Runtime.load(url, run_id={run_id!r}), or use the runtime that was built last.",
        context={"run_id": run_id, "operation": operation},
    )


def unfinished_error(run_id: str, cut: CutOff) -> IncompatibleRuntimeState:
    """The error of a change from outside while a cut-off invocation waits to be finished."""
    return IncompatibleRuntimeState(
        f"run {run_id!r} has an unfinished invocation of {cut.behavior!r}",
        what_failed=f"A change from outside, while {cut.behavior!r} on event {cut.event_id!r} waits to be finished.",
        why="That invocation was cut off by a crash and is executed again against what it had recorded; a change now would shift it.",
        how_to_fix="Call `run_until_idle()` first, then make the change; or fork before the invocation.",
        context={"run_id": run_id, "behavior": cut.behavior, "event_id": cut.event_id},
    )
