"""Which internal events a behavior may wait for; waiting for another one is said when it is declared, and not refused."""

from __future__ import annotations

import logging

from activegraph.core.event import INTERNAL_FAMILIES
from activegraph.core.log_lines import say

__all__ = ["SUBSCRIBABLE", "warn_of_undispatched"]

SUBSCRIBABLE = frozenset(
    {
        "behavior.failed",
        "behavior.completed",
        "llm.requested",
        "llm.responded",
        "tool.requested",
        "tool.responded",
        "pattern.matched",
        "approval.proposed",
        "approval.granted",
        "approval.denied",
    }
)
"""Internal types that a behavior may name in `on`."""

_logger = logging.getLogger("activegraph.runtime")


def warn_of_undispatched(behavior: str, on: list[str]) -> None:
    """One line at WARNING if `on` names what tells how a run goes and reaches no behavior."""
    unheard = [type for type in on if type.startswith(INTERNAL_FAMILIES) and type not in SUBSCRIBABLE]
    if unheard:
        message = "behavior %s waits for what is never dispatched: %s"
        say(_logger, logging.WARNING, message, behavior, ", ".join(unheard), behavior=behavior)
