"""Rebuilds the graph of a stored run, without behaviors: whether its log can be read, and what it makes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from activegraph.core.projection import MalformedGraphEvent, Projection
from activegraph.operations.reading import StoredRun, open_run
from activegraph.runtime.log_rows import StoredEvent

__all__ = ["ReplaySummary", "projected_rows", "replay_run"]


@dataclass(frozen=True)
class ReplaySummary:
    """Size of a run's log and of the graph that it projects to."""

    run_id: str
    events: int
    objects: int
    relations: int


def replay_run(
    url: str, run_id: str | None = None, *, on_progress: Callable[[int, int], None] | None = None
) -> ReplaySummary:
    """Apply every event of a stored run to an empty graph, and say what came out. Nothing is written.

    Args:
        run_id: Default: the run that was appended to last.
        on_progress: Called now and then with the number of events read and the number in all.

    Raises:
        StoreNotFoundError, RunNotFoundError: There is no such store or run.
        CorruptedEventPayloadError, LogInconsistencyError: The log cannot be read as a run.
    """
    projection = Projection()
    with open_run(url, run_id) as run:
        for _ in projected_rows(run, projection, on_progress):
            pass
        return ReplaySummary(run.run_id, run.head, len(projection.objects), len(projection.relations))


def projected_rows(
    run: StoredRun, projection: Projection, on_progress: Callable[[int, int], None] | None = None
) -> Iterator[StoredEvent]:
    """The rows of a run, each applied to `projection` before it is given out.

    Raises:
        CorruptedEventPayloadError, LogInconsistencyError: At the row that cannot be read or applied.
    """
    apply = projection.apply
    for row in run.sound_rows():
        try:
            apply(row.type, row.payload)
        except MalformedGraphEvent as error:
            from activegraph.runtime.loading import unprojectable

            raise unprojectable(run.run_id, row, str(error)) from error
        if on_progress is not None and row.position % _PROGRESS_EVERY == 0:
            on_progress(row.position, run.head)
        yield row


_PROGRESS_EVERY = 500
"""Rows between two calls of `on_progress`."""
