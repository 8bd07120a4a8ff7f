"""Log lines of the library on stderr, for the time of one command."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

__all__ = ["logs_to_stderr"]


@contextmanager
def logs_to_stderr(level: str | None) -> Iterator[None]:
    """Show log lines from `level` on. What was set before is set again at the end.

    Args:
        level: None shows errors only, and of those not the one that the block ends with: its own
            text says it better, and saying it twice would look like two.
    """
    from activegraph.store.url import safe_url

    class Masked(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            return safe_url(super().format(record))

    logger = logging.getLogger("activegraph")
    handler = logging.StreamHandler(sys.stderr) if level is not None else _Held(sys.stderr)
    handler.setFormatter(Masked("%(levelname)s %(name)s: %(message)s"))
    handler.setLevel(level or logging.ERROR)
    before = logger.level
    logger.addHandler(handler)
    if level is not None:
        logger.setLevel(level)
    try:
        yield
    except Exception as error:
        if isinstance(handler, _Held):
            handler.drop(error)
        raise
    finally:
        logger.removeHandler(handler)
        handler.close()
        logger.setLevel(before)


class _Held(logging.StreamHandler[TextIO]):
    """Keeps lines about errors until it is closed: one of them may be what the command fails with."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._held: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line that names an error; write any other."""
        if hasattr(record, "error_type"):
            self._held.append(record)
        else:
            super().emit(record)

    def drop(self, error: Exception) -> None:
        """Forget the lines that say what `error` says."""
        name, summary = type(error).__name__, getattr(error, "summary", str(error))
        self._held = [
            record
            for record in self._held
            if record.__dict__["error_type"] != name or record.__dict__.get("error_message", summary) != summary
        ]

    def close(self) -> None:
        """Write what is left."""
        for record in self._held:
            super().emit(record)
        self._held = []
        super().close()
