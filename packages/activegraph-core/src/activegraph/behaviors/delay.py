"""How long a behavior waits: a whole number of dispatched events."""

from __future__ import annotations

import re

from activegraph.errors import InvalidActivateAfter

__all__ = ["parse_activate_after"]

_COUNT = re.compile(r"\s*(-?[0-9]{1,18})(?:\s+events?)?\s*", re.ASCII | re.IGNORECASE)
_CLOCK_WORD = re.compile(
    r"(?<![a-z])(?:seconds?|ms|milliseconds?|minutes?|mins?|hours?|days?|weeks?)(?![a-z])", re.IGNORECASE
)
_FORMS = "Pass a whole number >= 1, or text such as '3', '1 event' or '3 events'."


def parse_activate_after(spec: object) -> int:
    """The number of dispatched events that `spec` (`3`, `"3"`, `"1 event"`, `"3 events"`) stands for.

    Raises:
        InvalidActivateAfter: It is no whole number of events, or less than 1.
    """
    if isinstance(spec, bool):
        raise InvalidActivateAfter(spec=spec, kind="bool not int", hint=_FORMS)
    if isinstance(spec, int):
        count = int(spec)
    elif isinstance(spec, str):
        count = _count_in(spec)
    else:
        raise InvalidActivateAfter(spec=spec, kind=f"type {type(spec).__name__}", hint=_FORMS)
    if count < 1:
        raise InvalidActivateAfter(spec=spec, kind="must be >= 1", hint=f"{_FORMS} Leave it out for no delay.")
    return count


def _count_in(text: str) -> int:
    if found := _COUNT.fullmatch(text):
        return int(found[1])
    if _CLOCK_WORD.search(text):
        raise InvalidActivateAfter(
            spec=text,
            kind="wall-clock unit",
            hint=f"{_FORMS} For a delay in time, let the host emit an event when the time has come.",
        )
    raise InvalidActivateAfter(spec=text, kind="unparseable string", hint=_FORMS)
