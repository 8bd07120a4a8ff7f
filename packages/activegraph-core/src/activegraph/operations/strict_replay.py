"""Executes a stored run again beside its log, without loading it: it is opened for reading only."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from activegraph.core.projection import Projection
from activegraph.errors import InvalidRuntimeConfiguration
from activegraph.operations.reading import open_run
from activegraph.operations.replay import ReplaySummary, projected_rows
from activegraph.runtime.arguments import checked_behaviors
from activegraph.runtime.outside import CallOptions
from activegraph.runtime.runtime import Runtime
from activegraph.runtime.verification.running import Declared
from activegraph.runtime.verification.verify import StoredLog, require_same_run
from activegraph.tools.registry import checked_tools

__all__ = ["replay_strictly"]


def replay_strictly(
    url: str, run_id: str | None = None, *, on_progress: Callable[[int, int], None] | None = None, **options: Any
) -> ReplaySummary:
    """Execute a stored run again beside its log, as `Runtime.load(..., replay_strict=True)` does. Nothing is written.

    Args:
        run_id: Default: the run that was appended to last.
        on_progress: Called now and then with the number of events read and the number in all.
        options: Keyword arguments of `Runtime.load`; those that concern a run that goes on have no effect.

    Raises:
        ReplayDivergenceError: At the first event that the run does not do again.
        InvalidRuntimeConfiguration: `Runtime.load` has no such argument.
        StoreNotFoundError, RunNotFoundError: There is no such store or run.
        CorruptedEventPayloadError, LogInconsistencyError: The log cannot be read as a run.
    """
    declared = _declared(options)
    projection, frame_id = Projection(), None
    with open_run(url, run_id) as run:
        for row in projected_rows(run, projection, on_progress):
            frame_id = frame_id if row.frame_id is None else row.frame_id
        if declared.frame is not None and getattr(declared.frame, "id", None) is None:
            declared.frame.id = frame_id
        log = StoredLog(run.run_id, url, run.rows, run.setup_count, run.forked_at)
        require_same_run(log, declared, options.get("metrics"))
        return ReplaySummary(run.run_id, run.head, len(projection.objects), len(projection.relations))


def _declared(options: dict[str, Any]) -> Declared:
    known = set(inspect.signature(Runtime.load).parameters) - {"path", "run_id", "replay_strict"}
    for name in options:
        if name not in known:
            raise InvalidRuntimeConfiguration(
                f"`Runtime.load` has no argument {name!r}",
                what_failed=f"Replaying strictly with the argument {name!r}.",
                why="A run is replayed with what it would be loaded with.",
                how_to_fix=f"Use only: {', '.join(sorted(known))}.",
                context={"argument": name},
            )
    behaviors, tools = options.get("behaviors"), options.get("tools")
    calls = CallOptions(
        provider=options.get("llm_provider"),
        tools=None if tools is None else checked_tools(tools),
        tool_invoker=options.get("tool_invoker"),
        replay_reinvoke_deterministic=bool(options.get("replay_reinvoke_deterministic")),
    )
    return Declared(
        None if behaviors is None else checked_behaviors(behaviors),
        options.get("frame"),
        options.get("policy"),
        options.get("seed", 0),
        calls,
        options.get("packs"),
    )
