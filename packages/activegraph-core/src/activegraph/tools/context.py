"""What a tool's body is told about the call that it answers."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass, field

from activegraph.frame import Frame

__all__ = ["ToolContext", "idempotency_key", "tool_logger"]


@dataclass(frozen=True)
class ToolContext:
    """Handed to a tool's body as its second argument. A tool that needs the graph is made for it by a factory.

    Attributes:
        behavior_name: The behavior whose model called.
        event_id: The event that started that behavior.
        frame: The run's mission; None without one.
        idempotency_key: The same whenever this one call is made again, after a retry or a crash, and
            different otherwise; for services that take such a key. Empty outside a run.
        timeout_seconds: How long the body may take; it keeps to it itself.
        logger: For the body's own lines; in a run `activegraph.tools.<tool name>`.
    """

    behavior_name: str
    event_id: str
    frame: Frame | None = None
    idempotency_key: str = ""
    timeout_seconds: float = 30.0
    logger: logging.Logger = field(default_factory=lambda: logging.getLogger("activegraph.tools"))


def tool_logger(tool_name: str) -> logging.Logger:
    """The logger of a tool's own lines in a run."""
    return logging.getLogger(f"activegraph.tools.{tool_name}")


def idempotency_key(run_id: str, request_event_id: str) -> str:
    """The key of one call to the outside: 64 hex digits.

    Args:
        request_event_id: The `tool.requested` or `llm.requested` of its first attempt.
    """
    return hashlib.sha256(f"{run_id}/{request_event_id}".encode()).hexdigest()
