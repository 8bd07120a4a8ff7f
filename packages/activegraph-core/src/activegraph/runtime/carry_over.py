"""Use that a log records: what a budget with `carry_over` starts from after a load."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from activegraph.core.codec import decode_canonical
from activegraph.core.exact import EXACT
from activegraph.runtime.budget import Budget
from activegraph.runtime.log_rows import LogRow
from activegraph.runtime.scanner import LogScanner

__all__ = ["RecordedUse"]

_STARTS = ("behavior.started", "relation_behavior.started")
_OUTCOMES = ("behavior.completed", "behavior.failed")


class RecordedUse:
    """Counts calls, patches and costs event by event. Seconds are not in a log."""

    def __init__(self) -> None:
        self._used = {"max_behavior_calls": 0, "max_patches": 0, "max_llm_calls": 0, "max_tool_calls": 0}
        self._cost = Decimal(0)
        self._is_inside = False

    def see(self, stored: LogRow) -> None:
        """Take the next event of the log into account."""
        type = stored.type
        if stored.actor == "runtime":
            if type in _STARTS:
                self._is_inside = True
                self._used["max_behavior_calls"] += 1
            elif type in _OUTCOMES:
                self._is_inside = False
        elif type == "patch.applied":
            self._used["max_patches"] += self._is_inside
        elif type in ("llm.requested", "tool.requested"):
            is_retry = type == "llm.requested" and decode_canonical(stored.payload).get("retry_of") is not None
            self._used["max_llm_calls" if type == "llm.requested" else "max_tool_calls"] += not is_retry
        elif type in ("llm.responded", "tool.responded"):
            self._cost = EXACT.add(self._cost, _cost_of(decode_canonical(stored.payload)))

    def charge(self, budget: Budget, scan: LogScanner) -> None:
        """Let a budget start from the use; events that still wait have not been dispatched."""
        waiting = [item for item in scan.waiting if not item.internal]
        is_taken = scan.first_taken and bool(scan.waiting) and not scan.waiting[0].internal
        used = {**self._used, "max_events": scan.tick - len(waiting) + is_taken}
        budget.start_from({key: float(amount) for key, amount in used.items()}, self._cost)


def _cost_of(payload: dict[str, Any]) -> Decimal:
    if payload.get("cache_hit"):
        return Decimal(0)
    try:
        cost = Decimal(str(payload.get("cost_usd") or 0))
    except InvalidOperation:
        return Decimal(0)
    return cost if cost.is_finite() and cost > 0 else Decimal(0)
