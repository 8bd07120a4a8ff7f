"""Log lines as `configure_logging` writes them, read back."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from activegraph.observability import configure_logging
from activegraph.observability.logging import set_payload_redactor

__all__ = ["LogLines", "json_logs"]


class LogLines:
    """The lines that were written while logging was configured."""

    def __init__(self) -> None:
        self.stream = io.StringIO()

    @property
    def text(self) -> str:
        """All lines."""
        return self.stream.getvalue()

    @property
    def objects(self) -> list[dict[str, Any]]:
        """Each line as the object that it is."""
        return [json.loads(line) for line in self.text.splitlines()]

    def at(self, level: str, begins: str = "") -> list[dict[str, Any]]:
        """The lines of a level whose message begins so."""
        return [line for line in self.objects if line["level"] == level and line["message"].startswith(begins)]


@contextmanager
def json_logs(level: str = "DEBUG", **options: Any) -> Iterator[LogLines]:
    """Log as JSON from `level` on inside the block; afterwards logging is as it was."""
    logger = logging.getLogger("activegraph")
    before = (list(logger.handlers), logger.level, logger.propagate)
    lines = LogLines()
    configure_logging(level, json_output=True, stream=lines.stream, **options)
    try:
        yield lines
    finally:
        logger.handlers[:], logger.propagate = before[0], before[2]
        logger.setLevel(before[1])
        set_payload_redactor(None)
