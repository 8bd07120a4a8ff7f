"""What a tool's body is told about the call that it answers."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass, field
from typing import Any

from activegraph.frame import Frame

__all__ = ["ToolContext", "call_logger", "idempotency_key", "tool_logger"]


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


def call_logger(tool_name: str, *, run_id: str, event_id: str) -> logging.Logger:
    """The logger of one call: `tool_logger`, and each line says which run, event and tool it belongs to."""
    return _CallLogger(tool_logger(tool_name), {"run_id": run_id, "event_id": event_id, "tool": tool_name})


class _CallLogger(logging.Logger):
    """Hands its records to the logger that is known by its name, so that levels, filters and handlers are that one's."""

    def __init__(self, known: logging.Logger, fields: dict[str, Any]) -> None:
        super().__init__(known.name)
        self.parent = known
        self._fields = fields

    def makeRecord(self, *arguments: Any, **named: Any) -> logging.LogRecord:
        """A record with the fields of the call; what the body gives as `extra` comes before them."""
        record = super().makeRecord(*arguments, **named)
        for name, value in self._fields.items():
            vars(record).setdefault(name, value)
        return record

    def handle(self, record: logging.LogRecord) -> None:
        """As the logger of this name does."""
        if self.parent is not None:
            self.parent.handle(record)


def idempotency_key(run_id: str, request_event_id: str) -> str:
    """The key of one call to the outside: 64 hex digits.

    Args:
        request_event_id: The `tool.requested` or `llm.requested` of its first attempt.
    """
    return hashlib.sha256(f"{run_id}/{request_event_id}".encode()).hexdigest()
