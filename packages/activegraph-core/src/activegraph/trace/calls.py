"""Trace texts of what a run asks of others: models, tools and packs.

`key=value` parts stand where they apply, two spaces before the first, one between the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from activegraph.core.event import Event

__all__ = ["CALL_FORMATS", "dollars", "error_reason", "plural"]

Payload = Mapping[str, Any]

_PACK_PARTS = (
    ("object_types", "object_type", "object_types"),
    ("relation_types", "relation_type", "relation_types"),
    ("behaviors", "behavior", "behaviors"),
    ("tools", "tool", "tools"),
    ("policies", "policy", "policies"),
    ("prompts", "prompt", "prompts"),
)


def dollars(amount: Any) -> str:
    """US dollars with three decimals; `?` for what is no amount."""
    try:
        return f"${Decimal(str(amount)):.3f}"
    except InvalidOperation:
        return "?"


def error_reason(payload: Payload) -> Any:
    """The reason of a failed answer; None for one that did not fail."""
    error = payload.get("error")
    return error.get("reason", "?") if isinstance(error, dict) else None


def plural(number: int, noun: str, many: str | None = None) -> str:
    """`1 object`, `2 objects`."""
    return f"{number} {noun}" if number == 1 else f"{number} {many or noun + 's'}"


def _line(head: list[Any], parts: list[str | None]) -> str:
    told = " ".join(part for part in parts if part is not None)
    return "  ".join([*("?" if word is None else str(word) for word in head), *([told] if told else [])])


def _requested(payload: Payload, event: Event, show_normalized: bool) -> str:
    turn, attempt = payload.get("turn_index"), payload.get("attempt_index")
    estimate, budget = payload.get("estimated_input_tokens"), payload.get("budget_remaining_usd")
    return _line(
        [event.id, payload.get("behavior")],
        [
            f"model={payload.get('model', '?')}",
            "cache_hit=true" if payload.get("cache_hit") else None,
            f"turn={turn}" if turn else None,
            None if attempt is None else f"attempt={attempt + 1}/{payload.get('max_attempts', '?')}",
            None if estimate is None else f"tokens_in~{estimate}",
            None if budget is None else f"budget_remaining={dollars(budget)}",
            "prompt_normalized=true" if payload.get("prompt_normalized") and show_normalized else None,
        ],
    )


def _responded(payload: Payload, event: Event, _: bool) -> str:
    head = [event.id, payload.get("behavior")]
    reason = error_reason(payload)
    if reason is not None:
        return _line(head, [f"error={reason}"])
    hit = bool(payload.get("cache_hit"))
    return _line(
        head,
        [
            "cache_hit=true" if hit else None,
            f"tokens_in={payload.get('input_tokens', '?')}",
            f"tokens_out={payload.get('output_tokens', '?')}",
            None if hit else f"cost={dollars(payload.get('cost_usd'))}",
            None if hit else _latency(payload),
        ],
    )


def _tool_requested(payload: Payload, event: Event, _: bool) -> str:
    return _line(
        [event.id, payload.get("behavior")],
        [
            f"tool={payload.get('tool', '?')}",
            f"args_hash={str(payload.get('args_hash', '?'))[:8]}",
            "cache_hit=true" if payload.get("cache_hit") else None,
            "deterministic=true" if payload.get("deterministic") else None,
        ],
    )


def _tool_responded(payload: Payload, event: Event, _: bool) -> str:
    reason = error_reason(payload)
    hit = bool(payload.get("cache_hit"))
    told = [
        "cache_hit=true" if hit else None,
        None if hit else _latency(payload),
        None if hit else f"cost={dollars(payload.get('cost_usd'))}",
    ]
    return _line(
        [event.id, payload.get("behavior")],
        [f"tool={payload.get('tool', '?')}", *(told if reason is None else [f"error={reason}"])],
    )


def _in_doubt(payload: Payload, event: Event, _: bool) -> str:
    return _line([payload.get("requested_event_id"), payload.get("behavior")], [f"tool={payload.get('tool', '?')}"])


def _pack_loaded(payload: Payload, event: Event, _: bool) -> str:
    counts = [
        plural(len(found), one, many)
        for key, one, many in _PACK_PARTS
        if isinstance(found := payload.get(key), (dict, list)) and found
    ]
    text = f"{payload.get('name', '?')} v{payload.get('version', '?')}"
    return f"{text} ({', '.join(counts)})" if counts else text


def _latency(payload: Payload) -> str:
    seconds = payload.get("latency_seconds")
    return f"latency={seconds:.1f}s" if isinstance(seconds, (int, float)) else "latency=?"


CALL_FORMATS: dict[str, Callable[[Payload, Event, bool], str]] = {
    "llm.requested": _requested,
    "llm.responded": _responded,
    "tool.requested": _tool_requested,
    "tool.responded": _tool_responded,
    "tool.in_doubt": _in_doubt,
    "pack.loaded": _pack_loaded,
}
"""Text behind the tag, by event type; the last argument is whether to show that a prompt is normalized."""
