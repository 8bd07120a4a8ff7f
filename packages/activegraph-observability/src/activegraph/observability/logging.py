"""Logs as an operator wants them: one JSON object a line with a fixed set of fields, and a redactor for payloads.

The library only logs; nothing is set up until somebody calls `configure_logging`, or sets up the
standard library's logging in their own way. Both see the same fields, as attributes of the records.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from math import isfinite
from threading import Lock
from typing import Any, TextIO

import msgspec
from activegraph.core.log_lines import error_fields, text_of_value
from activegraph.core.redaction import PayloadRedactor, redact_payload, set_payload_redactor
from activegraph.errors import InvalidArgumentType

__all__ = [
    "LOGGER_ROOT",
    "LOG_FIELDS",
    "JsonLineFormatter",
    "PayloadRedactor",
    "configure_logging",
    "get_logger",
    "redact_payload",
    "runtime_log_extra",
    "set_payload_redactor",
]

LOGGER_ROOT = "activegraph"
"""The logger above all others of the product."""

LOG_FIELDS = (
    "timestamp",
    "level",
    "logger",
    "message",
    "run_id",
    "event_id",
    "behavior",
    "tool",
    "model",
    "cache_hit",
    "cost_usd",
    "latency_seconds",
    "reason",
    "error_type",
    "error_message",
    "doc_url",
)
"""The keys of a line, in order. The first four are always there, the others where they apply; there are no others."""

_TEXT_FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"
_OPTIONAL_FIELDS = LOG_FIELDS[4:]
_STANDARD_ATTRIBUTES = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

_breaking = re.compile("[\ud800-\udfff\u0085\u2028\u2029]")
"""What JSON lets stand and a line does not: halves of characters, and what some readers take for its end."""

_QUICK = 2**53
"""Integers up to here every reader of JSON takes as they are."""

_encode_quickly = msgspec.json.Encoder().encode
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
_lock = Lock()


def configure_logging(
    level: str | int = "INFO",
    *,
    json_output: bool = True,
    stream: TextIO | None = None,
    payload_redactor: PayloadRedactor | None = None,
) -> logging.Logger:
    """Log the product's lines from `level` on, to `stream`, and to no handler of the root logger.

    A further call replaces what an earlier one has set up. Handlers of others stay.

    Args:
        level: Name or number.
        json_output: One JSON object a line; else `time level logger message`.
        stream: Default: whatever `sys.stderr` is at each line.
        payload_redactor: Is given a copy of each payload that a line would show, and returns what it may show.

    Returns:
        The logger `activegraph`.

    Raises:
        ValueError: There is no level of this name.
    """
    number = _level_number(level)
    if payload_redactor is not None and not callable(payload_redactor):
        raise InvalidArgumentType(
            f"payload_redactor must be callable, not {type(payload_redactor).__name__}",
            what_failed="`configure_logging(payload_redactor=...)` with something that cannot be called.",
            why="It would fail at every payload, and all of them would be withheld.",
            how_to_fix="def redact(payload): return {**payload, 'email': '<redacted>'}",
            context={"type": type(payload_redactor).__name__},
        )
    handler = _LineHandler(stream)
    handler.setFormatter(JsonLineFormatter() if json_output else logging.Formatter(_TEXT_FORMAT))
    logger = logging.getLogger(LOGGER_ROOT)
    with _lock:
        set_payload_redactor(payload_redactor)
        for earlier in [each for each in logger.handlers if getattr(each, "_activegraph", False)]:
            logger.removeHandler(earlier)
            earlier.close()
        logger.addHandler(handler)
        logger.setLevel(number)
        logger.propagate = False
    return logger


def get_logger(name: str = LOGGER_ROOT) -> logging.Logger:
    """The logger of this name below the product's: `"runtime"` is `activegraph.runtime`."""
    is_ours = name == LOGGER_ROOT or name.startswith(f"{LOGGER_ROOT}.")
    return logging.getLogger(name if is_ours else f"{LOGGER_ROOT}.{name}")


def runtime_log_extra(**fields: Any) -> dict[str, Any]:
    """`fields` as `extra=` of a log call: without what is None, and under `ag_…` where a record has that attribute."""
    return {
        f"ag_{name}" if name in _STANDARD_ATTRIBUTES else name: value
        for name, value in fields.items()
        if value is not None
    }


class JsonLineFormatter(logging.Formatter):
    """A record as one JSON object on one line, with the keys of `LOG_FIELDS` and no others. It never raises."""

    _latest = (-1.0, "")
    """The second of the last line, and how it reads."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        line: dict[str, Any] = {
            "timestamp": self._timestamp(record),
            "level": record.levelname,
            "logger": record.name,
            "message": _message(record),
        }
        given = vars(record)
        if record.exc_info and given.get("error_type") is None and given.get("error_message") is None:
            error = record.exc_info[1]
            given = given if error is None else {**error_fields(error), **given}
        for name in _OPTIONAL_FIELDS:
            if name in given and (value := given[name]) is not None:
                line[name] = str(value) if name == "cost_usd" and type(value) in (int, float) else value
        text = _quickly(line)
        if text is None:
            text = _encode({name: _plain(value) for name, value in line.items()})
        return text if text.isascii() else _breaking.sub(_escaped, text)

    def _timestamp(self, record: logging.LogRecord) -> str:
        try:
            second, rest = divmod(record.created, 1)
            known, text = self._latest
            if second != known:
                text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
                self._latest = second, text
            return f"{text}.{int(rest * 1000):03d}Z"
        except (OverflowError, ValueError, OSError, TypeError):
            return "1970-01-01T00:00:00.000Z"


class _LineHandler(logging.StreamHandler[TextIO]):
    """Writes lines to a stream, or to whatever stderr is at the time."""

    _activegraph = True

    def __init__(self, stream: TextIO | None) -> None:
        self._given = stream
        super().__init__(stream)

    @property
    def stream(self) -> TextIO:
        """Where the next line goes."""
        return sys.stderr if self._given is None else self._given

    @stream.setter
    def stream(self, stream: TextIO) -> None:
        """The base class sets what it has worked out itself."""

    def setStream(self, stream: TextIO) -> TextIO | None:
        """Write to another stream from now on."""
        before, self._given = self._given, stream
        return before

    def format(self, record: logging.LogRecord) -> str:
        """The line, in characters that the stream can carry."""
        text = super().format(record)
        if text.isascii():
            return text
        encoding = getattr(self.stream, "encoding", None)
        if isinstance(encoding, str):
            try:
                text.encode(encoding)
            except (UnicodeEncodeError, LookupError):
                return _not_ascii.sub(_escaped, text)
        return text


_not_ascii = re.compile("[^\x00-\x7f]")


def _escaped(found: re.Match[str]) -> str:
    return json.dumps(found[0])[1:-1]


def _level_number(level: str | int) -> int:
    if isinstance(level, int) and not isinstance(level, bool):
        return level
    number = logging.getLevelNamesMapping().get(level.upper()) if isinstance(level, str) else None
    if number is None:
        known = ", ".join(logging.getLevelNamesMapping())
        raise ValueError(f"unknown log level {level!r}; known are {known}, and numbers")
    return number


def _message(record: logging.LogRecord) -> str:
    try:
        return str.__str__(record.getMessage())
    except Exception:  # arguments that do not fit, or refuse to be shown
        return text_of_value(record.msg)


def _quickly(line: dict[str, Any]) -> str | None:
    """The line as msgspec writes it, which is several times faster; None where it would write something else."""
    for value in line.values():
        kind = type(value)
        if kind is str or kind is bool or (kind is float and isfinite(value)):
            continue
        if kind is not int or not -_QUICK <= value <= _QUICK:
            return None
    try:
        return _encode_quickly(line).decode("utf-8")
    except UnicodeEncodeError:  # half a character
        return None


def _plain(value: Any) -> Any:
    """`value` if JSON holds it as it is, else its text."""
    if isinstance(value, float) and not isfinite(value):
        return repr(float(value))
    try:
        _encode(value)
    except Exception:  # a value of any class
        return text_of_value(value)
    return value


JsonLineFormatter.__module__ = "activegraph.observability.logging"
