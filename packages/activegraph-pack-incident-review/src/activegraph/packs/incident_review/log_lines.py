"""One line of a PostgreSQL jsonlog: decoding it, and whether it is a sign of trouble.

A line is a signal if its severity is WARNING or worse, or if it is a LOG line of a kind that operators
look for. Messages of LOG lines are recognized in English, as `lc_messages = 'C'` or `en_US` writes them;
WARNING and worse are signals in any language, since their SQLSTATE says what they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

import msgspec

__all__ = ["LogLine", "apart", "decode_line", "kind_of", "message_shape", "parse_time", "statement_shape"]


class LogLine(msgspec.Struct, frozen=True, gc=False):
    """The fields of a jsonlog line that the review reads; other fields are skipped undecoded."""

    timestamp: str
    error_severity: str
    message: str = ""
    pid: int = 0
    state_code: str | None = None
    detail: str | None = None
    hint: str | None = None
    context: str | None = None
    statement: str | None = None
    user: str | None = None
    application_name: str | None = None


_decode = msgspec.json.Decoder(LogLine).decode


def decode_line(line: bytes) -> LogLine | None:
    """The line's fields, or None for what is no line of a jsonlog (one without a readable time is none)."""
    try:
        fields = _decode(line)
    except (msgspec.MsgspecError, RecursionError):
        return None
    except UnicodeDecodeError:
        # Databases in SQL_ASCII write what their clients sent; the rest of such a line is still good.
        try:
            fields = _decode(line.decode("utf-8", "replace").encode("utf-8"))
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return None
    return None if parse_time(fields.timestamp) is None else fields


def parse_time(timestamp: str) -> float | None:
    """Seconds of a log time, for differences between times of one server; None for another form.

    The name of the time zone is left aside: within one log it hardly ever changes.
    """
    try:
        written = timestamp[:23] if timestamp[19:20] == "." else timestamp[:19]
        return (datetime.fromisoformat(written) - _EPOCH).total_seconds()
    except (ValueError, TypeError):
        return None


_EPOCH = datetime(1970, 1, 1)

_CLOCK_CHANGE = 3600


def apart(one: str, other: str) -> float:
    """Seconds between two log times, whichever is the earlier: days may stand in one file in any order.

    Where the name of the time zone differs, clocks may have been changed between the two, and the least
    that can have passed is given. 0 where a time cannot be read.
    """
    first, second = parse_time(one), parse_time(other)
    if first is None or second is None:
        return 0.0
    seconds = abs(second - first)
    return seconds if _zone(one) == _zone(other) else max(0.0, seconds - _CLOCK_CHANGE)


def _zone(timestamp: str) -> str:
    return timestamp[19:].lstrip(".0123456789").strip()


_TROUBLE = frozenset({"WARNING", "ERROR", "FATAL", "PANIC"})

_LOG_KINDS: dict[str, list[tuple[Callable[[str], object], str]]] = {
    "process": [
        (re.compile(r"process \d+ still waiting for ").match, "lock_wait"),
        (re.compile(r"process \d+ acquired .+ after ").match, "lock_acquired"),
        (re.compile(r"process \d+ (detected|avoided) deadlock ").match, "deadlock_noticed"),
    ],
    "database": [
        (re.compile(r"database system was interrupted").match, "interrupted"),
        (re.compile(r"database system was not properly shut down").match, "recovery_started"),
        (re.compile(r"database system is ready to accept (read-only )?connections").match, "ready"),
    ],
    "redo": [
        (re.compile(r"redo starts at ").match, "redo_started"),
        (re.compile(r"redo done at ").match, "redo_done"),
        (re.compile(r"redo is not required").match, "redo_done"),
    ],
    "checkpoints": [(re.compile(r"checkpoints are occurring too frequently").match, "checkpoint_frequent")],
    "terminating": [(re.compile(r"terminating any other active server processes").match, "crash_restart")],
    "all": [(re.compile(r"all server processes terminated; reinitializing").match, "crash_restart")],
}

AFTER_A_CRASH = frozenset({"process_killed", "crash_restart", "interrupted", "recovery_started"})
"""Kinds after which the next `ready` tells that the server came back; any other start is no signal."""


def kind_of(line: LogLine) -> str | None:
    """What kind of signal a line is: `error` for WARNING and worse, a LOG kind, or None for no signal."""
    severity, message = line.error_severity, line.message
    if severity in _TROUBLE:
        return "error"
    if severity != "LOG":
        return None
    for matches, kind in _LOG_KINDS.get(message.partition(" ")[0], ()):
        if matches(message):
            return kind
    if " was terminated by signal " in message and _ENDED.search(message):
        return "process_killed"
    return None


_ENDED = re.compile(r"\(PID \d+\) was terminated by signal \d")


_VARIABLE = re.compile(
    r"""(?P<text>'(?:[^']|'')*')|(?P<lsn>\b[0-9A-F]+/[0-9A-F]+\b)|(?P<number>\b\d[\d.]*(?:[a-zA-Z]{1,2}\b)?)"""
)
_QUOTED = re.compile(r'"[^"]*"')


def message_shape(line: LogLine) -> str:
    """A line's message without what differs from one occurrence to the next.

    Names in double quotes stay, for two constraints are two problems, but not in errors about values
    and passwords, where anybody's input stands there.
    """
    shape = _VARIABLE.sub("#", line.message[:_SHAPED])
    if line.state_code is not None and line.state_code[:2] in ("22", "28"):
        shape = _QUOTED.sub("#", shape)
    if line.state_code == "40P01" and line.detail:
        # Two deadlocks are alike when the same statements met, whoever came first.
        shape += "|" + "|".join(sorted({_VARIABLE.sub("#", part) for part in line.detail[:_SHAPED].splitlines()}))
    return shape


def statement_shape(statement: str) -> str:
    """An SQL statement with its literals as `?` and its white space as single blanks, for counting."""
    return _VARIABLE.sub("?", " ".join(statement[:_SHAPED].split()))


_SHAPED = 2000
"""Characters that count for a shape; a statement may be megabytes long."""
