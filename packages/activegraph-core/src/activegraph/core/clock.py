"""Time sources. Everything that is recorded reads one of these, so a run can be reproduced."""

from __future__ import annotations

import time

__all__ = ["Clock", "FrozenClock", "TickingClock"]

_DEFAULT_START = "2026-05-15T10:32:01Z"


class Clock:
    """The time now: UTC, whole seconds, `2026-05-15T10:32:01Z`."""

    def __init__(self) -> None:
        self._second = -1
        self._text = ""

    def now(self) -> str:
        """The current second."""
        second = int(time.time())
        if second != self._second:
            moment = time.gmtime(second)
            self._text = time.strftime("%Y-%m-%dT%H:%M:%SZ", moment)
            self._second = second
        return self._text

    def monotonic(self) -> float:
        """Seconds from an arbitrary point, for durations."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


class _StandingClock:
    """Durations are 0.0 and waits return at once, so such runs are equal byte for byte."""

    def monotonic(self) -> float:
        """Always the same moment."""
        return 0.0

    def sleep(self, seconds: float) -> None:
        """Return at once."""


class FrozenClock(_StandingClock, Clock):
    """Always the same time."""

    def __init__(self, t: str = _DEFAULT_START) -> None:
        self._now = t

    def now(self) -> str:
        """The time it was made with."""
        return self._now


class TickingClock(_StandingClock, Clock):
    """`start` at the first look, and `step_seconds` later at each further one."""

    def __init__(self, start: str = _DEFAULT_START, step_seconds: float = 1) -> None:
        from datetime import datetime, timedelta

        self._next = datetime.fromisoformat(start)
        self._step = timedelta(seconds=step_seconds)

    def now(self) -> str:
        """The next time."""
        from datetime import UTC

        moment = self._next
        self._next = moment + self._step
        if moment.tzinfo is not None:
            moment = moment.astimezone(UTC)
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
