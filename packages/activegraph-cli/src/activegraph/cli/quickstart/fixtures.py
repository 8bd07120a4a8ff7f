"""The default mode: the review of the three recorded incidents, the same byte for byte each time."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from typing import Any

from activegraph.cli.quickstart.methods import by_recorded_answers
from activegraph.cli.quickstart.places import fresh_file, put_in_place
from activegraph.cli.quickstart.review import go_on, reading_review, stored_review
from activegraph.cli.quickstart.text import tour_lines, write_lines
from activegraph.core.clock import FrozenClock
from activegraph.errors import IncompatibleRuntimeState
from activegraph.packs.incident_review.host import IncidentInput, input_payload
from activegraph.packs.incident_review.provider import RecordedIncidentProvider
from activegraph.packs.incident_review.recordings import THREE_INCIDENTS, fixtures_sha256
from activegraph.packs.incident_review.settings import IncidentReviewSettings
from activegraph.runtime.budget import Budget
from activegraph.store.url import sqlite_url

__all__ = ["RUN_ID", "run_fixture_mode"]

RUN_ID = "quickstart_demo_run"

_CLOCK = "2026-01-01T00:00:00Z"
_BUDGET = {"max_llm_calls": 120, "max_tool_calls": 120, "max_cost_usd": "5.00"}


def run_fixture_mode(stream: Any = None, db_path: str | os.PathLike[str] | None = None) -> int:
    """Review the three recordings, and print trace, first memo and what to try next.

    Args:
        stream: Where to write; stdout by default.
        db_path: The SQLite file that keeps the run; nothing in it is deleted, an unfinished run is gone on
            with and a finished one printed again. By default a file in the temporary directory, made anew.

    Returns:
        0.

    Raises:
        IncompatibleRuntimeState: The file holds an unfinished tour of another version.
    """
    with _only_errors_logged():
        if db_path is not None:
            url = sqlite_url(db_path)
            _review(url)
            _print(stream, url)
        else:
            with fresh_file(f"{RUN_ID}.db") as (made, kept):
                _review(sqlite_url(made))
                put_in_place(made, kept)
                _print(stream, sqlite_url(kept))
    return 0


def _review(url: str) -> None:
    stored = stored_review(url, RUN_ID)
    if stored is not None and stored.finished:
        return
    review = _Recordings()
    if stored is not None and dict(stored.payload) != review.payload:
        raise IncompatibleRuntimeState(
            f"run {RUN_ID!r} in {url} was begun by another version of the incident review",
            what_failed=f"Going on with run {RUN_ID!r}. Nothing was changed.",
            why="A run is gone on with under the input and the rules that it was begun with.",
            how_to_fix="Give another file:\n    activegraph quickstart --db another.db",
            context={"run_id": RUN_ID},
        )
    # What an earlier process used counts: one that is killed again and again may not spend again and again.
    go_on(
        url,
        review,
        stored,
        clock=FrozenClock(_CLOCK),
        method=by_recorded_answers(),
        run_id=RUN_ID,
        budget=Budget(_BUDGET, carry_over=True),
    )


def _print(stream: Any, url: str) -> None:
    with reading_review(url, RUN_ID) as graph:
        write_lines(stream, tour_lines(graph, url))


class _Recordings:
    """The three recordings as an input."""

    def __init__(self) -> None:
        quiet = IncidentReviewSettings().quiet_minutes
        model = RecordedIncidentProvider.default_model
        self.payload = input_payload("recordings", fixtures_sha256(), mode="model", model=model, quiet_minutes=quiet)

    def incidents(self) -> Iterator[IncidentInput]:
        # Without signals: the model looks for them, with tools that read the recordings.
        return (IncidentInput(recording.name, recording.title) for recording in THREE_INCIDENTS)

    def totals(self) -> dict[str, Any]:
        return {"incidents": len(THREE_INCIDENTS)}


@contextlib.contextmanager
def _only_errors_logged() -> Iterator[None]:
    logger = logging.getLogger("activegraph")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
