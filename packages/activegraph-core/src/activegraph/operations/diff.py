"""Compares two stored runs without loading them as runtimes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from activegraph.core.event import Event
from activegraph.core.projection import Projection
from activegraph.operations.reading import StoredRun, open_run
from activegraph.operations.replay import projected_rows
from activegraph.runtime.diff import Diff, diff_logs

__all__ = ["diff_runs"]


def diff_runs(url: str, run_a: str, run_b: str, *, on_progress: Callable[[int, int], None] | None = None) -> Diff:
    """How two runs of one store differ: shared events, then objects and relations. Each log is read once.

    Args:
        run_a: Called parent in the result, `run_b` fork, whatever their origin.
        on_progress: Called now and then with the number of events read and the number in all.

    Raises:
        StoreNotFoundError, RunNotFoundError: There is no such store or run.
        CorruptedEventPayloadError, LogInconsistencyError: A log cannot be read as a run.
    """
    with open_run(url, run_a) as left, open_run(url, run_b) as right:
        before, after = Projection(), Projection()
        total = left.head + right.head
        progress = None if on_progress is None else _Progress(on_progress, total)
        return diff_logs(
            left.run_id,
            right.run_id,
            _events(left, before, progress),
            _events(right, after, progress),
            before,
            after,
        )


class _Progress:
    """Two logs are read side by side; what is told is their sum."""

    def __init__(self, on_progress: Callable[[int, int], None], total: int) -> None:
        self._on_progress = on_progress
        self._total = total
        self._read: dict[int, int] = {}

    def of(self, run: StoredRun) -> Callable[[int, int], None]:
        def tell(read: int, _: int) -> None:
            self._read[id(run)] = read
            self._on_progress(sum(self._read.values()), self._total)

        return tell


def _events(run: StoredRun, projection: Projection, progress: _Progress | None) -> Iterator[Event]:
    for row in projected_rows(run, projection, None if progress is None else progress.of(run)):
        yield row.event()
