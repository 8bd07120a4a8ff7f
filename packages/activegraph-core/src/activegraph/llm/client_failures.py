"""What a provider's client raises, as the error that the runtime knows, without the key."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

from activegraph.errors import LLMBehaviorError

__all__ = ["llm_error_of"]

_KIND_OF_STATUS = {401: "auth", 403: "auth", 408: "timeout", 429: "rate_limit"}
_KIND_OF_NAME = (
    ("timeout", "timeout"),
    ("connection", "connection"),
    ("authentication", "auth"),
    ("permission", "auth"),
    ("badrequest", "invalid_request"),
    ("notfound", "invalid_request"),
    ("unprocessable", "invalid_request"),
    ("server", "server"),
    ("overloaded", "server"),
)


def llm_error_of(error: Exception, *, model: str, secrets: Collection[str]) -> LLMBehaviorError:
    """`llm.rate_limited` or `llm.network_error`, with what is known of the cause.

    Args:
        secrets: Texts that must appear nowhere. The cause is kept only if it says none of them.
    """
    text = _text_of(error)
    status = _status_of(error)
    limited = "ratelimit" in type(error).__name__.lower() or status == 429 or "429" in text
    extras: dict[str, Any] = {
        "model": model,
        "exception_type": type(error).__name__,
        "message": _masked(text, secrets),
        "error_kind": "rate_limit" if limited else _kind_of(error, status),
    }
    if status is not None:
        extras["status_code"] = status
    wait = _retry_after(error)
    if wait is not None:
        extras["retry_after_seconds"] = wait
    reason = "llm.rate_limited" if limited else "llm.network_error"
    failure = LLMBehaviorError(reason, f"{type(error).__name__}: {extras['message']}", payload_extras=extras)
    if not _tells(error, secrets):
        failure.__cause__ = error
    return failure


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # of a client's own class
        return f"<{type(error).__name__} without a readable message>"


def _status_of(error: Exception) -> int | None:
    for status in (getattr(error, "status_code", None), getattr(_response(error), "status_code", None)):
        if isinstance(status, int) and not isinstance(status, bool):
            return status
    return None


def _response(error: Exception) -> Any:
    return getattr(error, "response", None)


def _kind_of(error: Exception, status: int | None) -> str:
    if status is not None and status >= 400:
        return _KIND_OF_STATUS.get(status) or ("server" if status >= 500 else "invalid_request")
    name = type(error).__name__.lower()
    return next((kind for part, kind in _KIND_OF_NAME if part in name), "unknown")


def _retry_after(error: Exception) -> float | None:
    try:
        seconds = float(_response(error).headers["retry-after"])
    except Exception:  # no response, no header, or a date; headers are an object of the client's
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def _masked(text: str, secrets: Collection[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, "***")
    return text


def _tells(error: BaseException, secrets: Collection[str]) -> bool:
    """Whether a secret can be read in the error, or in what led to it."""
    seen: set[int] = set()
    ahead: list[BaseException] = [error]
    while ahead:
        one = ahead.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if any(secret in text for secret in secrets for text in (_text_of(one), _shown(one))):
            return True
        ahead += [further for further in (one.__cause__, one.__context__) if further is not None]
    return False


def _shown(error: BaseException) -> str:
    try:
        return repr(error)
    except Exception:  # of a client's own class
        return ""
