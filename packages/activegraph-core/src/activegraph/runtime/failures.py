"""Log lines about what has stopped a run."""

from __future__ import annotations

import logging

from activegraph.errors import ConcurrentWriterError, ReplayDivergenceError

__all__ = ["log_commit_failure", "log_divergence"]

_runtime = logging.getLogger("activegraph.runtime")
_store = logging.getLogger("activegraph.store")


def log_commit_failure(run_id: str, error: BaseException) -> None:
    """Say once that a run has stopped, and why."""
    fields = {"run_id": run_id, "error_type": type(error).__name__, "doc_url": getattr(error, "doc_url", None)}
    if isinstance(error, ConcurrentWriterError):
        _store.critical(
            "concurrent writer: expected %s events, found %s",
            error.context.get("expected_head"),
            error.context.get("actual_head"),
            extra=fields,
        )
        return
    _store.error("append failed, runtime stopped", extra={**fields, "error_message": _summary(error)})


def log_divergence(run_id: str, error: ReplayDivergenceError) -> None:
    """Say once that an invocation was not what its log says."""
    _runtime.critical(
        "replay divergence: %s",
        error.kind,
        extra={
            "run_id": run_id,
            "event_id": error.event_id,
            "reason": error.kind,
            "error_type": type(error).__name__,
            "error_message": error.summary,
            "doc_url": error.doc_url,
        },
    )


def _summary(error: BaseException) -> str:
    summary: str | None = getattr(error, "summary", None)
    return summary or (str(error).splitlines() or [type(error).__name__])[0]
