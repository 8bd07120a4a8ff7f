"""Log lines of the library on stderr, for the time of one command."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["logs_to_stderr"]


@contextmanager
def logs_to_stderr(level: str | None) -> Iterator[None]:
    """Show log lines from `level` on; None shows errors only. What was set before is set again at the end."""
    from activegraph.store.url import safe_url

    class Masked(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            return safe_url(super().format(record))

    logger = logging.getLogger("activegraph")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Masked("%(levelname)s %(name)s: %(message)s"))
    handler.setLevel(level or logging.ERROR)
    before = logger.level
    logger.addHandler(handler)
    if level is not None:
        logger.setLevel(level)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
