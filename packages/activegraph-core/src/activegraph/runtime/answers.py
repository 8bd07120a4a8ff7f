"""Answers of models as they are recorded: from a provider's response to a payload, and back.

A provider is foreign code, so nothing of its response is taken on trust. What cannot be recorded, or
is no answer at all, is a failure with a reason; and what was paid for it counts all the same.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, NamedTuple

from activegraph.core.codec import encode_plain
from activegraph.core.log_lines import text_of
from activegraph.errors import ConfigurationError, LLMBehaviorError, NonSerializableEventError, RegistrationError
from activegraph.errors.base import shown

if TYPE_CHECKING:
    from activegraph.llm.types import ToolCall

__all__ = [
    "ModelAnswer",
    "answered",
    "answered_from_cache",
    "as_behavior_error",
    "calls_of",
    "cost_of",
    "duration",
    "error_record",
    "failed",
    "failure_of",
    "money",
    "output_of",
    "recordable",
    "unrecordable",
]

_LONGEST_EXTRA = 1024 * 1024
"""Characters of one value that a failure carries along."""

_DEFAULTS: dict[str, Any] = {"seed": None, "provider_meta": {}, "tool_calls": None}
"""Keys of an answer that a provider of one's own may leave out."""


class ModelAnswer(NamedTuple):
    """One answer, or failure, as it is recorded.

    Attributes:
        fields: Of the payload of `llm.responded`, less what tells of the question.
        parsed: The provider's own instance of the schema, where it was asked just now.
        cause: The exception of a failed call.
        was_asked: Whether the provider was asked just now, so that the answer may have cost money.
    """

    fields: dict[str, Any]
    parsed: Any = None
    cause: BaseException | None = None
    was_asked: bool = False


def answered(response: Any) -> ModelAnswer:
    """A provider's response as it is to be recorded.

    Raises:
        LLMBehaviorError: `llm.parse_error`: it is no response.
    """
    fields = _fields_of(response)
    try:
        parsed = getattr(response, "parsed", None)
    except Exception as error:  # whatever a provider returned
        raise _unusable(fields, f"its `parsed` cannot be read: {type(error).__name__}: {text_of(error)}") from error
    return ModelAnswer(fields, parsed, was_asked=True)


def unrecordable(answer: ModelAnswer, error: NonSerializableEventError) -> LLMBehaviorError:
    """The failure of an answer that no log could carry."""
    return _unusable(answer.fields, f"it cannot be recorded: {error.summary}")


def answered_from_cache(response: Any) -> ModelAnswer:
    """A recorded response that is served again; nothing is paid for it."""
    fields = dict(response.to_dict())
    fields["cache_hit"] = True
    return ModelAnswer(fields, getattr(response, "parsed", None))


def failed(
    error: LLMBehaviorError, cause: Exception, *, model: str, latency_seconds: float, retryable: bool
) -> ModelAnswer:
    """A failed call as it is recorded; an answer that was paid and is of no use keeps its cost."""
    fields = {
        "model": model,
        "error": error_record(error),
        "cache_hit": False,
        "retryable": retryable,
        "latency_seconds": latency_seconds,
        "cost_usd": str(money(error.payload_extras.get("cost_usd")) or Decimal(0)),
    }
    return ModelAnswer(fields, cause=cause, was_asked=True)


def error_record(error: LLMBehaviorError) -> dict[str, Any]:
    """What an answer's `error` says: reason, message and the error's own extras."""
    extras = recordable(error.payload_extras)
    return {**extras, "reason": str(error.reason), "message": _shortened(str(error.message))}


def failure_of(record: Mapping[str, Any]) -> LLMBehaviorError:
    """The error that was recorded; the same whether the call failed just now or before a crash."""
    extras = {key: value for key, value in record.items() if key not in ("reason", "message")}
    return LLMBehaviorError(
        str(record.get("reason", "llm.network_error")), str(record.get("message", "")), payload_extras=extras
    )


def as_behavior_error(error: Exception, *, model: str, **extras: Any) -> LLMBehaviorError:
    """What a provider raised, as the error of this area; whatever is none counts as a network error."""
    if isinstance(error, LLMBehaviorError):
        return LLMBehaviorError(error.reason, error.message, payload_extras={**error.payload_extras, **extras})
    name, text = type(error).__name__, text_of(error)
    # What is set up wrong stays wrong, so asking again would only wait.
    kind = "invalid_request" if isinstance(error, (ConfigurationError, RegistrationError)) else "unknown"
    return LLMBehaviorError(
        "llm.network_error",
        f"{name}: {text}" if text else name,
        payload_extras={"model": model, "exception_type": name, "error_kind": kind, **extras},
    )


def output_of(schema: Any, fields: Mapping[str, Any], parsed: Any) -> Any:
    """What the handler is given: an instance of the schema, or the text where there is none.

    Args:
        fields: Of the recorded answer.
        parsed: The provider's own instance, if it was asked just now.

    Raises:
        LLMBehaviorError: `llm.parse_error` or `llm.schema_violation`.
    """
    recorded, text = fields.get("parsed"), fields.get("raw_text", "")
    if schema is None:
        return text if recorded is None else recorded
    if isinstance(parsed, schema):
        return parsed
    if recorded is None:
        raise LLMBehaviorError(
            "llm.parse_error",
            f"the answer holds no `{schema.__name__}`",
            payload_extras={"raw_text": text, "schema": schema.__name__},
        )
    hit = {"from_cache": True} if fields.get("cache_hit") else {}
    from activegraph.llm.parsing import read_back

    return read_back(recorded, schema, raw_text=text, **hit)


def calls_of(fields: Mapping[str, Any]) -> list[ToolCall]:
    """The tools that a recorded answer asks for."""
    from activegraph.llm.types import ToolCall

    return [ToolCall(call["id"], call["name"], call["args"]) for call in fields.get("tool_calls") or ()]


def cost_of(fields: Mapping[str, Any]) -> Decimal:
    """What a recorded answer did cost; nothing, where it was served from a cache."""
    return Decimal(0) if fields.get("cache_hit") else money(fields.get("cost_usd")) or Decimal(0)


def money(value: Any) -> Decimal | None:
    """An amount of US dollars, 0 or more, exact; None for what is none."""
    if isinstance(value, bool) or not isinstance(value, (Decimal, str, int, float)):
        return None
    try:
        amount = value if isinstance(value, Decimal) else Decimal(str(value))
    except (InvalidOperation, ValueError):  # the latter for an int of more digits than are ever shown
        return None
    # What no float can hold is no price, and would break every sum that it goes into.
    return amount if amount.is_finite() and amount >= 0 and math.isfinite(float(amount)) else None


def duration(value: Any) -> float | None:
    """A number of seconds, 0 or more; None for what is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        seconds = float(value)
    except OverflowError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def recordable(extras: Mapping[str, Any]) -> dict[str, Any]:
    """A failure's own keys with values that a log can carry; what is too large, or nothing of the kind, as short text."""
    carried: dict[str, Any] = {}
    for key, value in extras.items():
        text = value if isinstance(value, str) else None
        try:
            size = len(encode_plain(value, str(key), 3)) if text is None else 0
        except NonSerializableEventError:
            text = shown(value)
            size = 0
        if size > _LONGEST_EXTRA:
            text = shown(value)
        carried[str(key)] = value if text is None else _shortened(text)
    return carried


def _fields_of(response: Any) -> dict[str, Any]:
    try:
        given = response.to_dict()
        fields = {**_DEFAULTS, **given, "cache_hit": False}
        fields.pop("error", None)  # what has one in the log is a failure
    except Exception as error:  # whatever a provider returned
        why = f"a provider returned {shown(response)}: {type(error).__name__}: {text_of(error)}"
        raise _unusable(_told_by(response), why) from error
    cost = money(fields.get("cost_usd"))
    for name, is_sound in (
        ("raw_text", isinstance(fields.get("raw_text"), str)),
        ("input_tokens", _is_count(fields.get("input_tokens"))),
        ("output_tokens", _is_count(fields.get("output_tokens"))),
        ("cost_usd", cost is not None),
        ("latency_seconds", duration(fields.get("latency_seconds")) is not None),
        ("model", isinstance(fields.get("model"), str)),
        ("tool_calls", _are_calls(fields.get("tool_calls"))),
    ):
        if not is_sound:
            raise _unusable(fields, f"its `{name}` is {shown(fields.get(name))}")
    fields["cost_usd"] = str(cost)
    return fields


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 63


def _told_by(response: Any) -> dict[str, Any]:
    """What a response that cannot be told as a whole says of its text and its price."""
    told: dict[str, Any] = {}
    for name in ("raw_text", "input_tokens", "output_tokens", "cost_usd"):
        with suppress(Exception):  # an attribute of an object of any class
            told[name] = getattr(response, name)
    return told


def _are_calls(value: Any) -> bool:
    if value is None:
        return True
    return isinstance(value, list) and all(
        isinstance(call, dict)
        and isinstance(call.get("id"), str)
        and isinstance(call.get("name"), str)
        and "args" in call
        for call in value
    )


def _unusable(fields: Mapping[str, Any], why: str) -> LLMBehaviorError:
    """The failure of an answer that cannot be used; what is known of its price is charged."""
    text = fields.get("raw_text")
    extras: dict[str, Any] = {"raw_text": text if isinstance(text, str) else "", "underlying": why}
    for name in ("input_tokens", "output_tokens"):
        if _is_count(fields.get(name)):
            extras[name] = fields[name]
    extras["cost_usd"] = str(money(fields.get("cost_usd")) or Decimal(0))
    return LLMBehaviorError("llm.parse_error", f"the answer cannot be used: {why}", payload_extras=extras)


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_EXTRA else f"{text[:_LONGEST_EXTRA]}\n... ({len(text)} characters)"
