"""`--input`: the review of somebody's own server log."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from itertools import chain
from typing import Any

from activegraph.cli.console import Console
from activegraph.cli.quickstart.methods import Method, by_model, by_rules
from activegraph.cli.quickstart.review import find_review, go_on, reading_review
from activegraph.cli.quickstart.text import log_lines, write_lines
from activegraph.core.clock import Clock
from activegraph.packs.incident_review.folding import printable
from activegraph.packs.incident_review.host import IncidentInput, input_payload, logged_incident
from activegraph.packs.incident_review.postgres_log import LoggedIncident, PostgresLog, Progress
from activegraph.packs.incident_review.wording import counted
from activegraph.store.url import sqlite_url

__all__ = ["DEFAULT_DATABASE", "ShowProgress", "review_file"]

DEFAULT_DATABASE = "incident_review.db"

ShowProgress = Callable[[str, str], AbstractContextManager[Progress | None]]
"""Given a label and a unit: a block in which progress is shown, with what to tell it to, if anybody sees it."""


def review_file(
    path: str | os.PathLike[str],
    *,
    db_path: str | os.PathLike[str] | None = None,
    model: str | None = None,
    stream: Any = None,
    progress: ShowProgress | None = None,
) -> int:
    """Review a PostgreSQL jsonlog, and print the incidents found with a memo for each.

    Args:
        path: The log; only as much of it is read as it holds now.
        db_path: The SQLite file that keeps the run, `incident_review.db` in the current folder by default. An unfinished review
            of the same content in it is gone on with, a finished one is printed again.
        model: Name of a model that investigates instead of rules; its provider's key is in the environment.
        stream: Where to write; stdout by default.
        progress: Shows how much was read; by default on stderr, where that is a terminal.

    Returns:
        0, also where the log shows no signal: then nothing is recorded.

    Raises:
        OSError: The file is missing, a directory, or may not be read.
        PackError: No line of it is a line of a jsonlog.
        UsageError: No provider knows the model, or its key is missing.
        IncompatibleRuntimeState: The model could not be asked, or its answers were of no use.
    """
    method = by_rules() if model is None else by_model(model)
    url = sqlite_url(DEFAULT_DATABASE if db_path is None else db_path)
    show = Console().progress if progress is None else progress
    with (
        show("reading", "bytes") as tell,
        PostgresLog(path, quiet_minutes=method.settings.quiet_minutes, on_progress=tell) as log,
    ):
        run_id = _recorded(log, url, method)
    if run_id is None:
        write_lines(stream, iter([f"{printable(log.name)}: no signal in {counted(log.lines, 'line')}"]))
        return 0
    with reading_review(url, run_id) as graph:
        write_lines(stream, log_lines(graph, url))
    return 0


def _recorded(log: PostgresLog, url: str, method: Method) -> str | None:
    """The run that reviews this log, finished now; None if there is nothing to review."""
    settings = method.settings
    payload = input_payload(
        log.name,
        log.sha256(),
        mode=settings.investigate_with,
        model=method.model,
        quiet_minutes=settings.quiet_minutes,
    )
    stored = find_review(url, payload)
    if stored is not None and stored.finished:
        return stored.run_id
    review = _OwnLog(log, payload)
    if not review.has_signals:
        return None
    return go_on(url, review, stored, clock=Clock(), method=method)


class _OwnLog:
    """A log file as an input; it is read once, as a stream."""

    def __init__(self, log: PostgresLog, payload: dict[str, Any]) -> None:
        self.payload = payload
        self._log = log
        incidents = log.incidents()
        # Read up to the end of the first incident before anything is recorded: what is no log says so there.
        first = next(incidents, None)
        self.has_signals = first is not None
        self._incidents: Iterator[LoggedIncident] = incidents if first is None else chain([first], incidents)

    def incidents(self) -> Iterator[IncidentInput]:
        return (logged_incident(self._log.name, incident) for incident in self._incidents)

    def totals(self) -> dict[str, Any]:
        log = self._log
        return {"lines": log.lines, "unreadable_lines": log.unreadable, "signals": log.signals}
