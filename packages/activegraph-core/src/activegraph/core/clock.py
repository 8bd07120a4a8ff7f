"""Time sources. Everything that is recorded reads one of these, so a run can be reproduced."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

__all__ = ["Clock", "FrozenClock", "TickingClock", "monotonic_of"]

_DEFAULT_START = "2026-05-15T10:32:01Z"


class Clock:
    """The time now: UTC, whole seconds, `2026-05-15T10:32:01Z`.

    Any object with a `now() -> str` may stand in for one; `monotonic` and `sleep` are optional.
    """

    def __init__(self) -> None:
        self._latest = (-1, "")

    def now(self) -> str:
        """The current second."""
        second = int(time.time())
        known, text = self._latest
        if second != known:
            text = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(second))
            self._latest = (second, text)
        return text

    def monotonic(self) -> float:
        """Seconds from an arbitrary point, for durations."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


def monotonic_of(clock: Any) -> Callable[[], float]:
    """What measures durations by this clock, in seconds; one that cannot measure stands still."""
    measure: Callable[[], float] = getattr(clock, "monotonic", _standing)
    # Our own method does nothing but to ask this one, and is asked twice a step.
    return time.monotonic if getattr(measure, "__func__", None) is Clock.monotonic else measure


def _standing() -> float:
    return 0.0


class _StandingClock(Clock):
    """Durations are 0.0 and waits return at once, so such runs are equal byte for byte."""

    def monotonic(self) -> float:
        """Always the same moment."""
        return 0.0

    def sleep(self, seconds: float) -> None:
        """Return at once."""


class FrozenClock(_StandingClock):
    """Always the same time."""

    def __init__(self, t: str = _DEFAULT_START) -> None:
        self._now = t

    def now(self) -> str:
        """The time it was made with."""
        return self._now


class TickingClock(_StandingClock):
    """`start` at the first look, and `step_seconds` later at each further one."""

    def __init__(self, start: str = _DEFAULT_START, step_seconds: float = 1) -> None:
        moment = datetime.fromisoformat(start)
        self._start = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        self._step_seconds = step_seconds
        self._looks = 0

    def now(self) -> str:
        """The next time."""
        moment = self._start + timedelta(seconds=self._looks * self._step_seconds)
        self._looks += 1
        return moment.replace(microsecond=0, tzinfo=None).isoformat() + "Z"
