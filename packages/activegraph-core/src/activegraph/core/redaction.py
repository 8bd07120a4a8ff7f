"""What a log line may show of a payload, and of the text of an error that is not ours: what the operator's redactor leaves.

The redactor is foreign code and works on a copy, so it can neither change the log nor harm a run.
Where it fails nothing is shown at all.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from typing import Any

from activegraph.core.codec import decode_canonical, encode_payload_bytes

__all__ = ["WITHHELD", "PayloadRedactor", "redact_payload", "redacted_text", "rendered_payload", "set_payload_redactor"]

PayloadRedactor = Callable[[dict[str, Any]], dict[str, Any]]

WITHHELD = "<withheld>"
"""What stands for a payload that the redactor has not cleared."""

_LONGEST_SHOWN = 64 * 1024
"""Bytes of a payload that a line shows."""

# Drivers quote the address that they cannot reach. Only what can be nothing but a password is taken for one.
_SECRET = re.compile(
    r"(?P<head>[A-Za-z][A-Za-z0-9+.\-]*://[^\s/?#@:]*:)[^\s/?#@]+(?=@)|(?P<name>[?&](?:ssl)?password=)[^\s&#]+"
)

_logger = logging.getLogger("activegraph.observability")


class _Redactor:
    """A configured redactor, and whether it was said that it fails."""

    def __init__(self, function: PayloadRedactor) -> None:
        self.function = function
        self.has_failed = False

    def cleared(self, payload: bytes) -> bytes | None:
        """What it leaves of a canonical payload, as canonical bytes; None where it fails."""
        try:
            return encode_payload_bytes(self.function(decode_canonical(payload)))
        except Exception as error:  # a border: the operator's own code, and what it gives back
            self._say_failed(error)
            return None

    def _say_failed(self, error: Exception) -> None:
        from activegraph.core.log_lines import say

        if not self.has_failed:
            self.has_failed = True
            # Its message could quote the payload, so the line names the class and no more.
            message = "payload redactor failed, payloads are withheld"
            say(_logger, logging.WARNING, message, error_type=type(error).__name__)


_configured: _Redactor | None = None


def set_payload_redactor(redactor: PayloadRedactor | None) -> None:
    """Pass every payload that a log line would show through `redactor` from now on; None shows them as they are."""
    global _configured
    _configured = None if redactor is None else _Redactor(redactor)


def redact_payload(payload: dict[str, Any]) -> dict[str, Any] | None:
    """A detached copy of `payload` as log lines may show it; None where it must not be shown."""
    encoded = _cleared(payload)
    return None if encoded is None else decode_canonical(encoded)


def rendered_payload(payload: bytes | dict[str, Any]) -> str:
    """A payload as the end of a line: what the redactor leaves of it, as canonical JSON, cut where it is long.

    Args:
        payload: Plain data, or its canonical bytes.
    """
    encoded = _cleared(payload)
    if encoded is None:
        return WITHHELD
    if len(encoded) <= _LONGEST_SHOWN:
        return encoded.decode("utf-8")
    return f"{encoded[:_LONGEST_SHOWN].decode('utf-8', 'ignore')} \u2026({len(encoded)} bytes)"


def redacted_text(text: str) -> str:
    """The text of an error that is not ours, as the redactor leaves it and without passwords of addresses."""
    if _configured is not None:
        redacted = redact_payload({"error_message": text})
        cleared = None if redacted is None else redacted.get("error_message")
        text = cleared if isinstance(cleared, str) else WITHHELD
    if "://" not in text:
        return text
    return _SECRET.sub(lambda found: f"{found['head'] or found['name']}***", text)


def _cleared(payload: bytes | dict[str, Any]) -> bytes | None:
    try:
        encoded = payload if isinstance(payload, bytes) else encode_payload_bytes(payload)
    except Exception:  # a value of any class; a line about it is not worth a run
        return None
    redactor = _configured
    return encoded if redactor is None else redactor.cleared(encoded)
