"""Log lines. A handler is foreign code, so whatever it raises stays with it: no line ever harms the run it tells of."""

from __future__ import annotations

import logging
import sys
import traceback

from activegraph.core.event import Event, canonical_payload

__all__ = ["log_emitted", "rendered_payload", "say"]

_runtime = logging.getLogger("activegraph.runtime")

_LONGEST_SHOWN = 64 * 1024
"""Bytes of a payload that a line shows."""


def say(logger: logging.Logger, level: int, message: str, *args: object, **fields: object) -> None:
    """Log a line with `fields` as attributes of its record; asking for the level first is up to the caller."""
    try:
        logger.log(level, message, *args, extra=fields, stacklevel=2)
    except Exception:  # of a handler, a filter or a formatter; what the standard library does about it
        if logging.raiseExceptions and sys.stderr is not None:
            traceback.print_exc(file=sys.stderr)


def log_emitted(event: Event, run_id: str, *, in_body: bool = False) -> None:
    """The INFO line of an emitted event, and its payload at DEBUG.

    Args:
        in_body: Whether a behavior is running; its name is the event's actor then.
    """
    fields = {"run_id": run_id, "event_id": event.id}
    if in_body and event.actor is not None and event.actor != "runtime":
        fields["behavior"] = event.actor
    say(_runtime, logging.INFO, "event emitted: %s", event.type, **fields)
    if _runtime.isEnabledFor(logging.DEBUG):
        payload = rendered_payload(canonical_payload(event))
        say(_runtime, logging.DEBUG, "event payload: %s payload=%s", event.type, payload, **fields)


def rendered_payload(payload: bytes) -> str:
    """Canonical payload bytes as the end of a line."""
    if len(payload) <= _LONGEST_SHOWN:
        return payload.decode("utf-8")
    return f"{payload[:_LONGEST_SHOWN].decode('utf-8', 'ignore')} \u2026({len(payload)} bytes)"
