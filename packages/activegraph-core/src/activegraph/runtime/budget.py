"""Limits on a run and the use of them, over eight dimensions."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from activegraph.core.clock import Clock
from activegraph.core.exact import EXACT
from activegraph.errors import InvalidRuntimeConfiguration
from activegraph.errors.base import shown

__all__ = ["DIMENSIONS", "Budget"]

DIMENSIONS = (
    "max_events",
    "max_behavior_calls",
    "max_llm_calls",
    "max_tool_calls",
    "max_patches",
    "max_depth",
    "max_seconds",
    "max_cost_usd",
)
"""In the order in which exhaustion is looked for."""

_COST = "max_cost_usd"
_SECONDS = "max_seconds"


class Budget:
    """Limits and use of one run. Seconds are monotonic time, costs US dollars, exact.

    Args:
        limits: Any of `max_events`, `max_behavior_calls`, `max_llm_calls`, `max_tool_calls`, `max_patches`,
            `max_depth`, `max_seconds`, `max_cost_usd`; missing, None or infinity means no limit.
        carry_over: Start from the use that a loaded run's log records.

    Raises:
        InvalidRuntimeConfiguration: An unknown key, a negative number or no number.
    """

    def __init__(self, limits: Mapping[str, Any] | None = None, *, carry_over: bool = False) -> None:
        if limits is not None and not isinstance(limits, Mapping):
            raise _refusal(f"limits are a dict, not {type(limits).__name__}", 'budget={"max_events": 100}')
        given = dict(limits or {})
        for key in given:
            if key not in DIMENSIONS:
                raise _refusal(f"unknown budget key {shown(key)}", f"Use only: {', '.join(DIMENSIONS)}.")
        self.carry_over = carry_over
        self.cost_limit: Decimal | None = _money_limit(given.pop(_COST, None))
        self.limits: dict[str, float] = {
            key: math.inf if given.get(key) is None else _number(key, given[key]) for key in DIMENSIONS
        }
        if self.cost_limit is not None:
            self.limits[_COST] = float(self.cost_limit)
        self.used: dict[str, float] = dict.fromkeys(DIMENSIONS, 0.0)
        self.cost_used = Decimal(0)
        self._limited = [key for key in DIMENSIONS if self.limits[key] != math.inf and key != _COST]
        self._exhausted_by: str | None = None
        self.on_near_limit: Callable[[str, float, float], None] | None = None
        """Called with dimension, use and limit whenever a check finds at least 80 % used."""
        self.on_cost: Callable[[Budget], None] | None = None
        """Called with this budget after each cost."""
        self._started_at: float | None = None
        self._clock: Any = Clock()

    def start(self) -> None:
        """Start the seconds, or start them anew."""
        self._started_at = self._clock.monotonic()

    def use_clock(self, clock: Any) -> None:
        """Measure seconds by the `monotonic()` of this clock, if it has one."""
        if hasattr(clock, "monotonic"):
            self._clock = clock

    @property
    def started(self) -> bool:
        """Whether the seconds are running."""
        return self._started_at is not None

    def elapsed_seconds(self) -> float:
        """Seconds since `start()`; 0.0 before it."""
        if self._started_at is None:
            return 0.0
        elapsed: float = self._clock.monotonic() - self._started_at
        return elapsed

    def consume(self, key: str, amount: float = 1.0) -> None:
        """Add use to one dimension."""
        if key == _COST:
            self.add_cost(amount)
        else:
            self.used[key] += amount

    def start_from(self, used: Mapping[str, float], cost: Decimal) -> None:
        """Take over the use of an earlier process; dimensions that are not named stay as they are."""
        self.used.update(used)
        self.cost_used = cost
        self.used[_COST] = float(cost)

    def reach(self, key: str, level: float) -> None:
        """Raise a dimension that is no sum (`max_depth`) to `level`."""
        if level > self.used[key]:
            self.used[key] = float(level)

    def remaining(self, *, leave_out: str | None = None) -> bool:
        """False if any dimension is exhausted; `exhausted_by` then names the first."""
        if not self._limited and self.cost_limit is None:
            return True
        self._exhausted_by = self._find_exhausted(leave_out)
        return self._exhausted_by is None

    def is_exhausted(self, key: str) -> bool:
        """Whether this one dimension is used up; asked before a call, and said nowhere."""
        if key == _COST:
            return self.cost_limit is not None and self.cost_used >= self.cost_limit
        used = self.elapsed_seconds() if key == _SECONDS else self.used[key]
        return used >= self.limits[key]

    def _find_exhausted(self, leave_out: str | None) -> str | None:
        for key in self._limited:
            if key == leave_out:
                continue
            used, limit = self.elapsed_seconds() if key == _SECONDS else self.used[key], self.limits[key]
            if used * 5 >= limit * 4:
                self._say_near_limit(key, used, limit)
                if used >= limit:
                    return key
        if self.cost_limit is not None and EXACT.multiply(self.cost_used, 5) >= EXACT.multiply(self.cost_limit, 4):
            self._say_near_limit(_COST, self.used[_COST], self.limits[_COST])
            if self.cost_used >= self.cost_limit:
                return _COST
        return None

    def _say_near_limit(self, key: str, used: float, limit: float) -> None:
        if limit > 0 and self.on_near_limit is not None:
            self.on_near_limit(key, used, limit)

    def exhausted_by(self) -> str | None:
        """The dimension that the last `remaining()` found exhausted."""
        return self._exhausted_by

    def has_cost_limit(self) -> bool:
        """Whether cost is limited."""
        return self.cost_limit is not None

    def add_cost(self, amount: Any) -> None:
        """Add the cost of a call, in US dollars."""
        self.cost_used = EXACT.add(self.cost_used, _money(amount))
        self.used[_COST] = float(self.cost_used)
        if self.on_cost is not None:
            self.on_cost(self)

    def events_remaining(self) -> float | None:
        """How many events may still be taken from the queue, never below 0; None without a limit."""
        limit = self.limits["max_events"]
        return None if limit == math.inf else max(limit - self.used["max_events"], 0.0)

    def cost_remaining_amount(self) -> Decimal | None:
        """What is left in US dollars, never below 0; None without a limit."""
        if self.cost_limit is None:
            return None
        return max(EXACT.subtract(self.cost_limit, self.cost_used), Decimal(0))

    def cost_remaining(self, prospective: Any) -> bool:
        """Whether a further cost of this size would stay within the limit."""
        return self.cost_limit is None or EXACT.add(self.cost_used, _money(prospective)) <= self.cost_limit

    def snapshot(self) -> dict[str, Any]:
        """Use and limits as plain values; elapsed seconds are left out, so that logs are reproducible."""
        return {
            "used": dict(self.used),
            "limits": {k: None if v == math.inf else v for k, v in self.limits.items()},
            "cost_used_usd": str(self.cost_used),
            "cost_limit_usd": None if self.cost_limit is None else str(self.cost_limit),
        }


def _number(key: str, value: Any) -> float:
    try:
        if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool) and value >= 0:
            return float(value)
    except OverflowError:
        return math.inf  # more than any use
    except InvalidOperation:
        pass  # a decimal that is no number
    raise _refusal(f"{key} must be a number >= 0, not {shown(value)}", f'budget={{"{key}": 100}}')


def _money_limit(value: Any) -> Decimal | None:
    """An amount; None for no limit, which the limits of a budget show as infinity."""
    is_endless = isinstance(value, (float, Decimal)) and Decimal(value).is_infinite() and value > 0
    return None if value is None or is_endless else _money(value)


def _money(value: Any) -> Decimal:
    try:
        if isinstance(value, (int, float, str, Decimal)) and not isinstance(value, bool):
            amount = Decimal(str(value) if isinstance(value, float) else value)
            if amount.is_finite() and amount >= 0:
                return amount
    except InvalidOperation:
        pass
    raise _refusal(f"{_COST} must be an amount >= 0, not {shown(value)}", f'budget={{"{_COST}": "5.00"}}')


def _refusal(what: str, fix: str) -> InvalidRuntimeConfiguration:
    return InvalidRuntimeConfiguration(
        what,
        what_failed=f"Building a budget: {what}.",
        why="A limit that is misspelt or no number would never stop anything.",
        how_to_fix=fix,
    )
