"""Failures: what is recorded of a behavior that raised, and the log lines about what failed or stopped."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from activegraph.core.log_lines import error_fields, say, text_of
from activegraph.errors import DOCS_BASE_URL, ConcurrentWriterError, ReplayDivergenceError

__all__ = ["failure_payload", "log_behavior_failure", "log_commit_failure", "log_divergence", "reason_of"]

_runtime = logging.getLogger("activegraph.runtime")
_store = logging.getLogger("activegraph.store")


_LONGEST_TEXT = 1024 * 1024
"""Characters of a message or a traceback that are recorded."""

_PAGES = {"llm.": "llm-behavior-error", "tool.": "tool-error", "budget.": "budget-exhausted"}
"""Page of the reference by how a reason begins."""

_OWN_FRAMES = ("activegraph.runtime.", "activegraph.behaviors.")


def failure_payload(error: Exception, behavior: str, event_id: str) -> dict[str, Any]:
    """What `behavior.failed` says of an exception; the traceback begins at the user's code."""
    return {
        "behavior": behavior,
        "event_id": event_id,
        "exception_type": type(error).__name__,
        "message": _shortened(text_of(error)),
        "traceback": _shortened(_users_traceback(error)),
    }


def reason_of(payload: Mapping[str, Any]) -> str:
    """The reason that a `behavior.failed` gives, for log lines and metrics: its class where it gives none."""
    reason = payload.get("reason")
    return reason if isinstance(reason, str) and reason else f"exception.{payload.get('exception_type', 'unknown')}"


def log_behavior_failure(payload: Mapping[str, Any], fields: Mapping[str, Any], error: Exception) -> None:
    """The one line of a failed invocation; a budget that does its work is no error.

    Args:
        payload: Of its `behavior.failed`.
        fields: What every line about the invocation says.
    """
    reason = reason_of(payload)
    level = logging.WARNING if reason.startswith("budget.") else logging.ERROR
    what = {**fields, "reason": reason, **error_fields(error)}
    what["doc_url"] = f"{DOCS_BASE_URL}/errors/{_page_of(reason)}"
    say(_runtime, level, "behavior failed: %s (reason=%s)", payload["behavior"], reason, **what)


def _page_of(reason: str) -> str:
    return next((page for prefix, page in _PAGES.items() if reason.startswith(prefix)), "execution-error")


def _shortened(text: str) -> str:
    if len(text) <= _LONGEST_TEXT:
        return text
    return f"{text[:_LONGEST_TEXT]}\n... ({len(text)} characters)"


def _users_traceback(error: Exception) -> str:
    start: TracebackType | None = error.__traceback__
    while start is not None and str(start.tb_frame.f_globals.get("__name__")).startswith(_OWN_FRAMES):
        start = start.tb_next
    try:
        lines = traceback.format_exception(type(error), error, start)
    except Exception:  # the error's own class may refuse to be shown
        lines = [f"Traceback (most recent call last):\n{type(error).__name__}\n"]
    text = str.__str__("".join(lines))
    return text if text.startswith("Traceback") else "Traceback (most recent call last):\n" + text


def log_commit_failure(run_id: str, error: BaseException) -> None:
    """Say once that a run has stopped, and why."""
    fields = {"run_id": run_id, **error_fields(error)}
    if isinstance(error, ConcurrentWriterError):
        message = "concurrent writer: expected %s events, found %s"
        del fields["error_message"]
        say(_store, logging.CRITICAL, message, error.expected_count, error.actual_count, **fields)
        return
    say(_store, logging.ERROR, "append failed, runtime stopped", **fields)


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
        **error_fields(error),
    )
