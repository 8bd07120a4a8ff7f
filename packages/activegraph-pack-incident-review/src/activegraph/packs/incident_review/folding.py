"""Folds the lines of one incident: repeats of one message become one signal with totals.

Memory is bounded whatever the log holds: so many signals an incident, so many line numbers a signal,
so many names a total. What is left out is counted.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from activegraph.packs.incident_review.log_lines import LogLine, message_shape, statement_shape

__all__ = ["LINES_KEPT", "Fold", "Folder", "clipped", "printable"]

LINES_KEPT = 100
"""Line numbers that a signal keeps; its count goes on."""

_SHAPES_OF_A_STATE = 20
_SHAPES = 150
_NAMES = 10
_PROCESSES = 100
_HOLDERS_KEPT = 20
_TEXT = {"message": 1000, "detail": 2000, "hint": 500, "context": 500, "statement": 1000}


@dataclass
class Fold:
    """The lines of one shape so far; `first` is the first of them."""

    kind: str
    first: LogLine
    count: int = 0
    last_at: str = ""
    lines: list[int] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    def add(self, number: int, line: LogLine) -> None:
        """Take in one more line."""
        self.count += 1
        self.last_at = line.timestamp
        if len(self.lines) < LINES_KEPT:
            self.lines.append(number)
        _note_who(self.facts, line)
        if (note := _NOTES.get(self.kind)) is not None:
            note(self.facts, number, line)
        elif line.state_code == "40P01":
            _note_deadlock(self.facts, number, line)

    def text(self, name: str) -> str | None:
        """A text of the first line, cut where it is too long to keep."""
        value: str | None = getattr(self.first, name)
        return None if not value else clipped(value, _TEXT[name])


class Folder:
    """The folds of one incident, by shape."""

    def __init__(self) -> None:
        self._folds: dict[tuple[str, ...], Fold] = {}
        self._shapes: dict[tuple[str, str], int] = {}

    def add(self, kind: str, number: int, line: LogLine) -> None:
        """Take in a line that is a signal."""
        state = (kind, line.error_severity, line.state_code or "")
        key: tuple[str, ...] = (*state, message_shape(line))
        fold = self._folds.get(key)
        if fold is None:
            known = self._shapes.get(state[1:], 0)
            if known >= _SHAPES_OF_A_STATE or len(self._folds) >= _SHAPES:
                # From here on the messages of this SQLSTATE are counted together.
                key = state if len(self._folds) < 2 * _SHAPES else (kind, line.error_severity)
                fold = self._folds.get(key)
            if fold is None:
                self._shapes[state[1:]] = known + 1
                fold = self._folds[key] = Fold(kind, line)
        fold.add(number, line)

    def folds(self) -> list[Fold]:
        """All folds, by their first line."""
        return list(self._folds.values())


_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")


def printable(text: str) -> str:
    """`text` on one line, without what would move the cursor of a terminal: a log holds what anybody sent."""
    return _UNPRINTABLE.sub("?", " ".join(text.split()))


def clipped(text: str, length: int) -> str:
    """`text`, cut to `length` characters with an ellipsis for the rest."""
    return text if len(text) <= length else text[: length - 1] + "…"


def _count(facts: dict[str, Any], name: str, value: str | None, limit: int = _NAMES) -> None:
    if not value:
        return
    counts = facts.setdefault(name, {})
    if value in counts or len(counts) < limit:
        counts[value] = counts.get(value, 0) + 1
    else:
        facts[f"more_{name}"] = facts.get(f"more_{name}", 0) + 1


_RELATION = re.compile(r'\b(?:relation|table) "([^"]{1,128})"')


def _note_who(facts: dict[str, Any], line: LogLine) -> None:
    _count(facts, "applications", line.application_name and clipped(line.application_name, 64))
    _count(facts, "users", line.user and clipped(line.user, 64))
    if line.statement:
        _count(facts, "statements", clipped(statement_shape(line.statement), 200))
    named = _RELATION.search(line.context or "") or _RELATION.search(line.message[:1000])
    if named is not None:
        _count(facts, "relations", named[1])


_WAIT = re.compile(r"process (\d+) (?:still waiting for|acquired) (\w+) on (.+) after ([\d.]+) ms")
_HOLDERS = re.compile(r"Process(?:es)? holding the lock: ([\d, ]+)\. Wait queue: ([\d, ]*)\.")


def _note_wait(facts: dict[str, Any], number: int, line: LogLine) -> None:
    told = _WAIT.match(line.message)
    if told is None:
        return
    waiter, mode, _, waited = told.groups()
    _count(facts, "modes", mode)
    if float(waited) > facts.get("longest_ms", -1.0):
        facts |= {"longest_ms": float(waited), "longest_line": number, "longest_message": clipped(line.message, 1000)}
    queue = _HOLDERS.search(line.detail or "")
    if queue is None:
        return
    holders, waiting = ([part.strip() for part in group.split(",") if part.strip()] for group in queue.groups())
    waits_for = facts.setdefault("waits_for", {})
    if waiter in waits_for or len(waits_for) < _PROCESSES:
        known = waits_for.setdefault(waiter, [])
        known += [holder for holder in holders[:_PROCESSES] if holder not in known and len(known) < _NAMES]
    told_of = facts.setdefault("holders", {})
    for holder in holders[:_NAMES]:
        if holder not in told_of and len(told_of) < _HOLDERS_KEPT:
            told_of[holder] = {"line": number, "detail": clipped(line.detail or "", 300)}
    if len(waiting) > facts.get("queue_peak", 0):
        facts |= {"queue_peak": len(waiting), "queue_line": number, "queue_detail": clipped(line.detail or "", 1000)}


_DEADLOCK_WAIT = re.compile(r"Process (\d+) waits for (\w+ on .+?); blocked by process (\d+)\.")
_DEADLOCK_STATEMENT = re.compile(r"^Process (\d+): (.*)$")


def _note_deadlock(facts: dict[str, Any], number: int, line: LogLine) -> None:
    if "cycle" in facts or not line.detail:
        return
    waits, statements = [], {}
    for part in line.detail[:20_000].splitlines():
        if told := _DEADLOCK_WAIT.match(part):
            waits.append(told.groups())
        elif told := _DEADLOCK_STATEMENT.match(part):
            statements[told[1]] = clipped(told[2].strip(), 300)
    facts["cycle"] = [
        {"process": waiter, "waits_for": lock, "blocked_by": holder, "statement": statements.get(waiter)}
        for waiter, lock, holder in waits[:_NAMES]
    ]


_KILLED = re.compile(
    r"(?P<process>.+?) \(PID (?P<pid>\d+)\) was terminated by signal (?P<signal>\d+)(?:: (?P<name>.+))?"
)


def _note_killed(facts: dict[str, Any], number: int, line: LogLine) -> None:
    told = _KILLED.match(line.message)
    if told is None or "signal" in facts:
        return
    facts |= {"process": told["process"], "pid": told["pid"], "signal": int(told["signal"]), "name": told["name"]}
    running = re.match(r"Failed process was running: (.*)", line.detail or "", re.DOTALL)
    if running is not None:
        facts["statement"] = clipped(" ".join(running[1].split()), 300)


_LAST_UP = re.compile(r"last known up at (.+)$")
_LSN = re.compile(r"redo (starts|done) at ([0-9A-F]+)/([0-9A-F]+)")
_ELAPSED = re.compile(r"elapsed: ([\d.]+) s")


def _note_interrupted(facts: dict[str, Any], number: int, line: LogLine) -> None:
    if told := _LAST_UP.search(line.message):
        facts["last_known_up"] = told[1]


def _note_redo(facts: dict[str, Any], number: int, line: LogLine) -> None:
    if told := _LSN.match(line.message):
        facts["position"] = (int(told[2], 16) << 32) + int(told[3], 16)
    if elapsed := _ELAPSED.search(line.message):
        facts["elapsed_seconds"] = float(elapsed[1])


_APART = re.compile(r"\((\d+) seconds? apart\)")


def _note_checkpoint(facts: dict[str, Any], number: int, line: LogLine) -> None:
    told = _APART.search(line.message)
    if told is not None and int(told[1]) <= facts.get("least_seconds_apart", int(told[1])):
        facts |= {"least_seconds_apart": int(told[1]), "least_line": number}


_NOTES: dict[str, Callable[[dict[str, Any], int, LogLine], None]] = {
    "lock_wait": _note_wait,
    "lock_acquired": _note_wait,
    "process_killed": _note_killed,
    "interrupted": _note_interrupted,
    "redo_started": _note_redo,
    "redo_done": _note_redo,
    "checkpoint_frequent": _note_checkpoint,
}
