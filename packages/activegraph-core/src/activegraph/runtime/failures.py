"""Failures: what is recorded of a behavior that raised, and the log lines about what failed or stopped."""

from __future__ import annotations

import logging
import traceback
from types import TracebackType
from typing import Any

from activegraph.core.log_lines import say
from activegraph.errors import DOCS_BASE_URL, ConcurrentWriterError, ReplayDivergenceError

__all__ = ["failure_payload", "log_behavior_failure", "log_commit_failure", "log_divergence"]

_runtime = logging.getLogger("activegraph.runtime")
_store = logging.getLogger("activegraph.store")


_LONGEST_TEXT = 1024 * 1024
"""Characters of a message or a traceback that are recorded."""

_OWN_FRAMES = frozenset({"activegraph.runtime.invocation", "activegraph.behaviors.base"})


def failure_payload(error: Exception, behavior: str, event_id: str) -> dict[str, Any]:
    """What `behavior.failed` says of an exception; the traceback begins at the user's code."""
    return {
        "behavior": behavior,
        "event_id": event_id,
        "exception_type": type(error).__name__,
        "message": _shortened(_text_of(error)),
        "traceback": _shortened(_users_traceback(error)),
    }


def log_behavior_failure(payload: dict[str, Any], fields: dict[str, Any]) -> None:
    """The one line of a failed invocation."""
    reason = f"exception.{payload['exception_type']}"
    summary = (payload["message"].splitlines() or [""])[0]
    say(
        _runtime,
        logging.ERROR,
        "behavior failed: %s (reason=%s)",
        payload["behavior"],
        reason,
        **fields,
        reason=reason,
        error_type=payload["exception_type"],
        error_message=summary,
        doc_url=f"{DOCS_BASE_URL}/errors/execution-error",
    )


def _shortened(text: str) -> str:
    if len(text) <= _LONGEST_TEXT:
        return text
    return f"{text[:_LONGEST_TEXT]}\n... ({len(text)} characters)"


def _text_of(error: Exception) -> str:
    try:
        return str(error)
    except Exception:  # a broken __str__ must not hide the failure that it belongs to
        return f"<{type(error).__name__} without a readable message>"


def _users_traceback(error: Exception) -> str:
    start: TracebackType | None = error.__traceback__
    while start is not None and start.tb_frame.f_globals.get("__name__") in _OWN_FRAMES:
        start = start.tb_next
    try:
        lines = traceback.format_exception(type(error), error, start)
    except Exception:  # the error's own class may refuse to be shown
        lines = [f"Traceback (most recent call last):\n{type(error).__name__}\n"]
    text = "".join(lines)
    return text if text.startswith("Traceback") else "Traceback (most recent call last):\n" + text


def log_commit_failure(run_id: str, error: BaseException) -> None:
    """Say once that a run has stopped, and why."""
    fields = {"run_id": run_id, "error_type": type(error).__name__, "doc_url": getattr(error, "doc_url", None)}
    if isinstance(error, ConcurrentWriterError):
        message = "concurrent writer: expected %d events, found %d"
        say(_store, logging.CRITICAL, message, error.expected_count, error.actual_count, **fields)
        return
    say(_store, logging.ERROR, "append failed, runtime stopped", **fields, error_message=_summary(error))


def log_divergence(run_id: str, error: ReplayDivergenceError) -> None:
    """Say once that an invocation was not what its log says."""
    say(
        _runtime,
        logging.CRITICAL,
        "replay divergence: %s",
        error.kind,
        run_id=run_id,
        event_id=error.event_id,
        reason=error.kind,
        error_type=type(error).__name__,
        error_message=error.summary,
        doc_url=error.doc_url,
    )


def _summary(error: BaseException) -> str:
    summary: str | None = getattr(error, "summary", None)
    return summary or (str(error).splitlines() or [type(error).__name__])[0]
