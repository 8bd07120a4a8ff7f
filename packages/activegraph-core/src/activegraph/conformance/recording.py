"""A metrics backend that remembers everything: for tests of what is emitted, and as the suite's own yardstick."""

from __future__ import annotations

from threading import Lock

__all__ = ["RecordingMetrics", "Series", "read"]

Series = tuple[str, str, tuple[tuple[str, str], ...]]
"""Kind, name, and the tags sorted by key."""


class RecordingMetrics:
    """Adds counters up, keeps the last value of gauges, counts and sums histograms; thread-safe.

    Attributes:
        calls: Every observation in order, as (kind, name, tags, value).
    """

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, dict[str, str], float]] = []
        self._series: dict[Series, float] = {}
        self._lock = Lock()

    def counter(self, name: str, tags: dict[str, str], value: float = 1.0) -> None:
        """Add to a total."""
        with self._lock:
            self.calls.append(("counter", name, dict(tags), value))
            self._add("counter", name, tags, value)

    def histogram(self, name: str, tags: dict[str, str], value: float) -> None:
        """Count and sum an observation."""
        with self._lock:
            self.calls.append(("histogram", name, dict(tags), value))
            self._add("histogram_count", name, tags, 1.0)
            self._add("histogram_sum", name, tags, value)

    def gauge(self, name: str, tags: dict[str, str], value: float) -> None:
        """Replace a value."""
        with self._lock:
            self.calls.append(("gauge", name, dict(tags), value))
            self._series["gauge", name, _sorted(tags)] = float(value)

    def remove_gauge(self, name: str, tags: dict[str, str]) -> None:
        """Drop a series; one that is not there is none."""
        with self._lock:
            self._series.pop(("gauge", name, _sorted(tags)), None)

    def series(self) -> dict[Series, float]:
        """All series as they stand: kinds `counter`, `gauge`, `histogram_count` and `histogram_sum`."""
        with self._lock:
            return dict(self._series)

    def _add(self, kind: str, name: str, tags: dict[str, str], value: float) -> None:
        key = (kind, name, _sorted(tags))
        self._series[key] = self._series.get(key, 0.0) + value


def _sorted(tags: dict[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(tags.items()))


def read(metrics: RecordingMetrics) -> dict[Series, float]:
    """The series of a recording backend, for `--metrics-read`."""
    return metrics.series()
