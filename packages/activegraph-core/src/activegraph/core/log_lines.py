"""Log lines. Handlers are foreign code, and so are the errors that lines tell of: none of them ever harms a run."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from threading import local
from typing import Any

from activegraph.core.record import EventRecord
from activegraph.core.redaction import redacted_text, rendered_payload
from activegraph.errors import ActiveGraphError

__all__ = [
    "error_fields",
    "first_line",
    "log_emitted",
    "name_of",
    "say",
    "silence",
    "text_of",
    "text_of_value",
    "wants_lines",
]

_runtime = logging.getLogger("activegraph.runtime")

wants_lines = partial(_runtime.isEnabledFor, logging.INFO)
"""Whether the runtime's lines of level INFO are wanted now."""


class _Quiet(local):
    is_quiet = False


_here = _Quiet()


@contextmanager
def silence() -> Iterator[None]:
    """Say nothing on this thread: what happens is a repetition, and was told of when it happened."""
    before, _here.is_quiet = _here.is_quiet, True
    try:
        yield
    finally:
        _here.is_quiet = before


def say(logger: logging.Logger, level: int, message: str, *args: object, **fields: object) -> None:
    """Log a line with `fields` as attributes of its record; where many are said, ask for the level before."""
    try:
        if logger.isEnabledFor(level) and not _here.is_quiet:
            # What `logger.log` does, less its search for the caller, which costs as much as the rest of a line.
            frame = sys._getframe(1)
            code = frame.f_code
            where = code.co_filename, frame.f_lineno
            logger.handle(logger.makeRecord(logger.name, level, *where, message, args, None, code.co_name, fields))
    except Exception:  # of a handler, a filter or a formatter; what the standard library does about it
        if logging.raiseExceptions and sys.stderr is not None:
            with suppress(Exception):  # nor may stderr, or the text of that error
                traceback.print_exc(file=sys.stderr)


def log_emitted(event: EventRecord, run_id: str, *, in_body: bool = False) -> None:
    """The INFO line of an emitted event, and its payload at DEBUG.

    Args:
        in_body: Whether a behavior is running; its name is the event's actor then.
    """
    fields = {"run_id": run_id, "event_id": event.id}
    if in_body and event.actor is not None and event.actor != "runtime":
        fields["behavior"] = event.actor
    say(_runtime, logging.INFO, "event emitted: %s", event.type, **fields)
    if _runtime.isEnabledFor(logging.DEBUG):
        payload = rendered_payload(event.payload)
        say(_runtime, logging.DEBUG, "event payload: %s payload=%s", event.type, payload, **fields)


def error_fields(error: BaseException) -> dict[str, Any]:
    """What a line says of an error: its type, its summary, and its page where it is one of ours.

    What may quote somebody else's text passes the redactor: every error that is not ours, and some of ours.
    """
    fields = {"error_type": type(error).__name__}
    if isinstance(error, ActiveGraphError):
        with suppress(Exception):  # a class of the user's may have made something else of these
            summary = redacted_text(error.summary) if error._quotes_others else error.summary
            fields["error_message"], fields["doc_url"] = first_line(summary), error.doc_url
            return fields
    fields["error_message"] = first_line(redacted_text(text_of(error))) or fields["error_type"]
    return fields


def text_of(error: BaseException) -> str:
    """`str(error)`; a class that refuses to be shown must not hide the failure that it belongs to."""
    return text_of_value(error, "<{} without a readable message>")


def text_of_value(value: object, otherwise: str = "<{}>") -> str:
    """`str(value)`; where its class refuses that, `otherwise` with the name of the class."""
    try:
        return str.__str__(str(value))
    except Exception:  # a value of any class
        return otherwise.format(type(value).__name__)


def name_of(function: object) -> str:
    """The name of something that can be called, for a line about it."""
    try:
        name = getattr(function, "__qualname__", None)
    except Exception:  # an attribute of an object of any class
        name = None
    return name if isinstance(name, str) else type(function).__name__


def first_line(text: str) -> str:
    """The first line of a text that says something."""
    return (text.strip().splitlines() or [""])[0]
