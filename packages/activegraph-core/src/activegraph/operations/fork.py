"""Forks a stored run whose past can be read: what is damaged is refused, and not copied."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from activegraph.core.projection import Projection
from activegraph.operations.reading import open_run
from activegraph.operations.replay import projected_rows
from activegraph.store.base import ForkResult
from activegraph.store.runs import fork_run

__all__ = ["fork_readable_run"]


def fork_readable_run(
    url: str,
    *,
    run_id: str,
    at_event: str,
    on_progress: Callable[[int, int], None] | None = None,
    **options: Any,
) -> ForkResult:
    """`fork_run` after a replay up to the fork point.

    A fork inside a database never looks at what it copies, which is what makes it quick, and one into
    another store looks at each event by itself; but one that cannot be loaded is of no use, and whoever
    makes it should be told so then.

    Args:
        on_progress: Called now and then with the number of events read or copied, and of those in all.
        options: Of `fork_run`.

    Raises:
        CorruptedEventPayloadError, LogInconsistencyError: At the first event that cannot be read or
            applied; nothing was created.
    """
    with open_run(url, run_id) as run:
        # An unknown event is refused below, whatever else is wrong with the log.
        if run.store.get_event(at_event) is not None:
            for row in projected_rows(run, Projection(), on_progress):
                if row.id == at_event:
                    break
    return fork_run(url, run_id=run_id, at_event=at_event, on_progress=on_progress, **options)
