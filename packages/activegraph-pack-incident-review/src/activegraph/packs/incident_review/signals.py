"""`Signal`: one sign of trouble, as the review takes it in, whatever it was read from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from activegraph.packs.incident_review.folding import Fold, clipped, printable

__all__ = ["Signal", "signal_of_fold", "signal_of_unreadable_lines"]

_TITLE = 40

_TITLES = {
    "lock_wait": "lock wait",
    "lock_acquired": "lock got after waiting",
    "deadlock_noticed": "deadlock noticed by a waiter",
    "process_killed": "process ended by a signal",
    "crash_restart": "all sessions ended by the server",
    "interrupted": "server was interrupted",
    "recovery_started": "recovery begins",
    "redo_started": "replay of the log begins",
    "redo_done": "replay of the log is done",
    "ready": "server takes connections again",
    "checkpoint_frequent": "checkpoints too frequent",
}


@dataclass(frozen=True, slots=True)
class Signal:
    """One kind of message (or one metric) in one incident.

    Attributes:
        incident: Number of the incident in its file, from 1.
        source: `log` or `metrics`.
        kind: `error` for WARNING and worse, the kind of a LOG line, a metric's name, or `unreadable`.
        title: A few words, at most about 40 characters.
        severity, sqlstate: As the server gave them; None where there is none.
        message, detail, hint, context, statement: Of the first line, verbatim, long ones cut.
        count: Lines (or samples) that it stands for.
        first_at, last_at: Times as they are written in the file.
        lines: Line numbers in the file, from 1; the first 100.
        facts: Totals over all its lines; what they are depends on `kind`.
    """

    incident: int
    source: Literal["log", "metrics"]
    kind: str
    title: str
    count: int
    first_at: str
    last_at: str
    lines: tuple[int, ...]
    severity: str | None = None
    sqlstate: str | None = None
    message: str | None = None
    detail: str | None = None
    hint: str | None = None
    context: str | None = None
    statement: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    def to_data(self, incident: str) -> dict[str, Any]:
        """The data of a `signal` object of the incident of that name; what is not known is left out."""
        data: dict[str, Any] = {"title": self.title, "incident": incident, "source": self.source, "kind": self.kind}
        for name in ("severity", "sqlstate", "message", "detail", "hint", "context", "statement"):
            if (value := getattr(self, name)) is not None:
                data[name] = value
        data |= {"count": self.count, "first_at": self.first_at, "last_at": self.last_at, "lines": list(self.lines)}
        return data | {"facts": dict(self.facts)}


def signal_of_fold(fold: Fold, incident: int) -> Signal:
    """The signal that a fold of log lines is."""
    line = fold.first
    return Signal(
        incident,
        "log",
        fold.kind,
        _title(fold),
        fold.count,
        line.timestamp,
        fold.last_at,
        tuple(fold.lines),
        line.error_severity,
        line.state_code,
        fold.text("message"),
        fold.text("detail"),
        fold.text("hint"),
        fold.text("context"),
        fold.text("statement"),
        fold.facts,
    )


def signal_of_unreadable_lines(incident: int, count: int, lines: tuple[int, ...], at: str) -> Signal:
    """What stands for the lines around an incident that could not be read."""
    title = f"{count} line{'' if count == 1 else 's'} that could not be read"
    return Signal(incident, "log", "unreadable", title, count, at, at, lines)


def _title(fold: Fold) -> str:
    words = _TITLES.get(fold.kind)
    if words is None:
        words = f"{fold.first.error_severity} {fold.first.state_code or ''}".rstrip()
        words = printable(f"{words} {fold.first.message[:200]}")
    times = f" ({fold.count}x)" if fold.count > 1 else ""
    return clipped(words, _TITLE - len(times)) + times
