"""When a failed question is asked again, and how long to wait before that. By default never: no hidden money."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from activegraph.errors import InvalidRuntimeConfiguration, LLMBehaviorError
from activegraph.errors.base import shown

__all__ = ["RetryPolicy", "checked_retries", "is_retryable"]

_LASTING = ("auth", "invalid_request")
"""Kinds of network errors that asking again does not mend."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a model is asked at most, and the waits in between, in seconds."""

    max_attempts: int = 1
    initial_delay_seconds: float = 0.5
    max_delay_seconds: float = 8.0

    def delay_after(self, attempt: int, error: LLMBehaviorError) -> float:
        """Seconds to wait after attempt number `attempt`, counted from 0: what the provider asks for, else doubled each time."""
        asked = error.payload_extras.get("retry_after_seconds")
        if isinstance(asked, (int, float)) and not isinstance(asked, bool) and math.isfinite(asked) and asked >= 0:
            return min(float(asked), self.max_delay_seconds)
        return min(self.initial_delay_seconds * 2.0 ** min(attempt, 64), self.max_delay_seconds)


def is_retryable(error: LLMBehaviorError) -> bool:
    """Whether asking again may help: after a limit, or where the network failed in a way that passes."""
    if error.reason == "llm.network_error":
        return error.payload_extras.get("error_kind") not in _LASTING
    return error.reason == "llm.rate_limited"


def checked_retries(max_attempts: Any, initial_delay_seconds: Any, max_delay_seconds: Any) -> RetryPolicy:
    """The three arguments as a policy.

    Raises:
        InvalidRuntimeConfiguration: A number of attempts below 1, or a wait that is none.
    """
    if type(max_attempts) is not int or max_attempts < 1:
        raise _refusal("llm_retry_max_attempts", max_attempts, "a whole number >= 1")
    for name, value in (
        ("llm_retry_initial_delay_seconds", initial_delay_seconds),
        ("llm_retry_max_delay_seconds", max_delay_seconds),
    ):
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not is_number or not math.isfinite(value) or value < 0:
            raise _refusal(name, value, "a number of seconds >= 0")
    return RetryPolicy(max_attempts, float(initial_delay_seconds), float(max_delay_seconds))


def _refusal(name: str, value: object, what: str) -> InvalidRuntimeConfiguration:
    return InvalidRuntimeConfiguration(
        f"`{name}` must be {what}, not {shown(value)}",
        what_failed=f"Building a runtime with `{name}={shown(value)}`.",
        why="Each attempt may cost money, so how many there are is never guessed.",
        how_to_fix="Leave it out for one attempt, or write for example `llm_retry_max_attempts=3`.",
        context={"argument": name, "value": shown(value)},
    )
