"""Log lines about commits that failed."""

from __future__ import annotations

import logging

from activegraph.errors import ConcurrentWriterError

__all__ = ["log_commit_failure"]

_logger = logging.getLogger("activegraph.store")


def log_commit_failure(run_id: str, error: BaseException) -> None:
    """Say once that a run has stopped, and why."""
    fields = {"run_id": run_id, "error_type": type(error).__name__, "doc_url": getattr(error, "doc_url", None)}
    if isinstance(error, ConcurrentWriterError):
        _logger.critical(
            "concurrent writer: expected %s events, found %s",
            error.context.get("expected_count"),
            error.context.get("actual_count"),
            extra=fields,
        )
        return
    summary = str(error).splitlines()[0] if str(error) else type(error).__name__
    _logger.error("append failed, runtime stopped", extra={**fields, "error_message": summary})
