"""What a runtime shows of its run: state, failures, trace, behaviors and tools. Nothing here changes anything."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from activegraph.behaviors.base import AnyBehavior
from activegraph.core.graph import Graph
from activegraph.runtime.approvals import PendingApproval
from activegraph.runtime.engine import Engine
from activegraph.runtime.lookup import find_behavior, find_tool
from activegraph.runtime.subscriptions import Subscriptions
from activegraph.trace.export import checked_file, export_jsonl
from activegraph.trace.printer import Trace, graph_lines, print_lines

if TYPE_CHECKING:
    from activegraph.packs import Pack
    from activegraph.runtime.status import RuntimeStatus
    from activegraph.tools.base import Tool

__all__ = ["BehaviorFailure", "RunFace"]


class BehaviorFailure(NamedTuple):
    """One failed invocation, read from its `behavior.failed` event."""

    behavior: str
    event_id: str
    reason: str | None
    exception_type: str
    message: str
    failed_event_id: str


class RunFace:
    """The looking half of a `Runtime`."""

    graph: Graph
    metrics: Any
    _engine: Engine

    @property
    def run_id(self) -> str:
        """The graph's run id."""
        return self._engine.run_id

    @property
    def errors(self) -> list[BehaviorFailure]:
        """Failed invocations, oldest first, read from the log."""
        return [
            BehaviorFailure(
                event.payload.get("behavior", ""),
                event.payload.get("event_id", ""),
                event.payload.get("reason"),
                event.payload.get("exception_type", ""),
                event.payload.get("message", ""),
                event.id,
            )
            for event in self.trace.failures()
        ]

    @property
    def trace(self) -> Trace:
        """The log as lines for people."""
        return Trace(self.graph)

    @property
    def registry(self) -> Subscriptions | None:
        """The behaviors of the last `run_*`; None before the first."""
        return self._engine.subscriptions

    def status(self, recent: int = 20) -> RuntimeStatus:
        """A frozen picture between two commits; from any thread, at any time, O(recent + behaviors)."""
        from activegraph.runtime.status import status_of

        return status_of(self._engine, recent)

    def print_trace(self) -> None:
        """Print the trace to stdout."""
        self.trace.print()

    def print_graph(self) -> None:
        """Print objects and relations to stdout."""
        print_lines(graph_lines(self.graph))

    def export_trace(self, path: str | os.PathLike[str]) -> None:
        """Write every event as one line of canonical JSON."""
        with open(checked_file(path), "wb") as file:
            export_jsonl(self._engine.log.read(), file)

    def get_behavior(self, name: str) -> AnyBehavior:
        """The behavior of this name; a behavior of a pack is found by its short name too.

        Raises:
            BehaviorNotFoundError: There is none.
            AmbiguousBehaviorError: Several packs have one of this short name.
        """
        return find_behavior(self._engine, name)

    @property
    def tool_registry(self) -> dict[str, Tool]:
        """The tools by name, as of the last `run_*`; empty before the first."""
        return dict(self._engine.model_behaviors.tools)

    def get_tool(self, name: str) -> Tool:
        """The tool of this name, before the first run too; a tool of a pack is found by its short name too.

        Raises:
            ToolNotFoundError: There is none.
            AmbiguousToolError: Several packs have one of this short name.
        """
        return find_tool(self._engine, name)

    def loaded_packs(self) -> list[Pack]:
        """The attached packs, in load order."""
        return [attachment.pack for attachment in self._engine.packs.attachments]

    def pending_approvals(self) -> list[PendingApproval]:
        """What behaviors proposed and nobody has decided on, oldest first."""
        return self._engine.approvals.pending()
