"""Errors of calls that come at the wrong time: while somebody else writes, inside a step, behind a failed commit."""

from __future__ import annotations

from activegraph.core.log_lines import text_of
from activegraph.errors import IncompatibleRuntimeState

__all__ = ["from_behavior", "from_other_thread", "in_open_step", "in_transaction", "stopped", "working"]


def stopped(run_id: str, cause: BaseException) -> IncompatibleRuntimeState:
    """For every call on a run that `cause` has stopped."""
    return IncompatibleRuntimeState(
        f"run {run_id!r} is stopped after {type(cause).__name__}",
        what_failed=f"A change to run {run_id!r}, which was stopped by {_first_line(cause)}",
        why="Memory is ahead of the log; going on would build on what was never recorded.",
        how_to_fix=f"Load the run again and go on from what was recorded:\n    Runtime.load(url, run_id={run_id!r})",
        context={"run_id": run_id, "cause": type(cause).__name__},
    )


def working(run_id: str, operation: str) -> IncompatibleRuntimeState:
    """For a call that would be a second loop inside or beside the first."""
    return IncompatibleRuntimeState(
        f"`{operation}` was called while run {run_id!r} is working",
        what_failed=f"`{operation}` from a behavior, a listener or another thread.",
        why="Events are dispatched one after the other by one loop; a second one inside it would change their order.",
        how_to_fix="Emit an event and let the running loop dispatch it, or call again when the first call has returned.",
        context={"run_id": run_id, "operation": operation},
    )


def in_transaction(run_id: str, operation: str) -> IncompatibleRuntimeState:
    """For a call that commits steps of its own, inside another one."""
    return IncompatibleRuntimeState(
        f"`{operation}` was called inside `graph.transaction()` of run {run_id!r}",
        what_failed=f"`{operation}` while a transaction is open.",
        why="It commits steps of its own, each with its place in the log.",
        how_to_fix="Call it before or after the `with` block.",
        context={"run_id": run_id, "operation": operation},
    )


def in_open_step(run_id: str, operation: str) -> IncompatibleRuntimeState:
    """For a call that needs the log to end with a whole step."""
    return IncompatibleRuntimeState(
        f"`{operation}` was called inside `graph.transaction()` or a `run_*` of run {run_id!r}",
        what_failed=f"`{operation}` while a step is open or the loop is working.",
        why="It needs a log that ends with a whole step.",
        how_to_fix="Call it after the `with` block, or after `run_*` has returned.",
        context={"run_id": run_id, "operation": operation},
    )


def from_behavior(run_id: str, operation: str) -> IncompatibleRuntimeState:
    """For a call past the graph that a running behavior was given."""
    return IncompatibleRuntimeState(
        f"`{operation}` was called on the graph of run {run_id!r} from inside a behavior",
        what_failed=f"`{operation}` on the `Graph` itself while a behavior or tool is running.",
        why="While a behavior runs, its changes are one step with one cause; a change past its own graph would have neither.",
        how_to_fix="Use the `graph` argument that the behavior was called with.",
        context={"run_id": run_id, "operation": operation},
    )


def from_other_thread(run_id: str, operation: str) -> IncompatibleRuntimeState:
    """For a call from beside the thread that runs."""
    return IncompatibleRuntimeState(
        f"`{operation}` was called from another thread while run {run_id!r} is working",
        what_failed=f"`{operation}` on the `Graph` while a `run_*` call is on another thread's stack.",
        why="A run has one writer, so that its log is one history.",
        how_to_fix="Wait until the `run_*` call has returned; `runtime.status()` may be called from any thread.",
        context={"run_id": run_id, "operation": operation},
    )


def _first_line(cause: BaseException) -> str:
    return (text_of(cause).splitlines() or [""])[0] or type(cause).__name__
