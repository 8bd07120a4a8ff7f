"""Log lines of calls to models and tools: what was asked at DEBUG, that it was answered at INFO, that it failed at WARNING.

Prompts, arguments, outputs and answers stand at the end of DEBUG lines and nowhere else, as far as the
redactor clears them.
"""

from __future__ import annotations

import logging
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from activegraph.core.codec import decode_canonical
from activegraph.core.event import Event, raw_payload
from activegraph.core.log_lines import first_line, say
from activegraph.core.redaction import redacted_text, rendered_payload
from activegraph.runtime.answers import cost_of

if TYPE_CHECKING:
    from activegraph.llm.prompt import AssembledPrompt

__all__ = ["log_call", "log_lookup", "log_prompt"]

_llm = logging.getLogger("activegraph.llm")
_tools = logging.getLogger("activegraph.tools")

_SHOWN_OF_KEYS = 12


def log_prompt(prompt: AssembledPrompt, prompt_hash: str, turn: int, about: dict[str, Any]) -> None:
    """A prompt is about to be sent.

    Args:
        about: What every line of the invocation says.
    """
    if _llm.isEnabledFor(logging.DEBUG):
        parts = {
            "system": prompt.system,
            "messages": [message.to_dict() for message in prompt.messages],
            "tools": list(prompt.tools or ()),
        }
        message, shown = "prompt assembled: turn=%d hash=%s payload=%s", rendered_payload(parts)
        say(_llm, logging.DEBUG, message, turn, prompt_hash[:_SHOWN_OF_KEYS], shown, **about, model=prompt.model)


def log_lookup(key: str, about: dict[str, Any], *, is_hit: bool, **asked: str) -> None:
    """A cache was looked into.

    Args:
        asked: `model=` or `tool=`.
    """
    logger = _llm if "model" in asked else _tools
    if logger.isEnabledFor(logging.DEBUG):
        what, fields = "hit" if is_hit else "miss", {**about, **asked, "cache_hit": is_hit}
        say(logger, logging.DEBUG, "cache lookup: %s key=%s", what, key[:_SHOWN_OF_KEYS], **fields)


def log_call(event: Event, about: dict[str, Any]) -> None:
    """A request or an answer was recorded."""
    if event.type == "tool.requested":
        if _tools.isEnabledFor(logging.DEBUG):
            fields = decode_canonical(raw_payload(event))
            told = {**about, "event_id": event.id, "tool": fields["tool"]}
            say(_tools, logging.DEBUG, "tool input payload=%s", rendered_payload({"args": fields["args"]}), **told)
    elif event.type == "tool.responded":
        if _tools.isEnabledFor(logging.WARNING):
            _log_tool_answer(decode_canonical(raw_payload(event)), {**about, "event_id": event.id})
    elif event.type == "llm.responded" and _llm.isEnabledFor(logging.WARNING):
        _log_answer(decode_canonical(raw_payload(event)), {**about, "event_id": event.id})


def _log_answer(fields: dict[str, Any], about: dict[str, Any]) -> None:
    told = {**about, "model": fields["model"]}
    if _llm.isEnabledFor(logging.DEBUG):
        hit = bool(fields["cache_hit"])
        say(_llm, logging.DEBUG, "llm response payload=%s", rendered_payload(fields), **told, cache_hit=hit)
    say(_llm, logging.INFO, "llm call: %s", fields["model"], **told, **_measured(fields))
    if fields.get("error") is not None:
        what = {**told, **_failure(fields, "LLMBehaviorError")}
        say(_llm, logging.WARNING, "llm call failed: %s", fields["model"], **what)


def _log_tool_answer(fields: dict[str, Any], about: dict[str, Any]) -> None:
    told = {**about, "tool": fields["tool"]}
    if _tools.isEnabledFor(logging.DEBUG):
        say(_tools, logging.DEBUG, "tool output payload=%s", rendered_payload({"output": fields["output"]}), **told)
    say(_tools, logging.INFO, "tool call: %s", fields["tool"], **told, **_measured(fields))
    if fields.get("error") is not None:
        say(_tools, logging.WARNING, "tool call failed: %s", fields["tool"], **told, **_failure(fields, "ToolError"))


def _measured(fields: dict[str, Any]) -> dict[str, Any]:
    cost = cost_of(fields)
    paid = {"cost_usd": str(cost)} if cost > Decimal(0) else {}
    return {"cache_hit": bool(fields["cache_hit"]), "latency_seconds": fields["latency_seconds"], **paid}


def _failure(fields: dict[str, Any], error_type: str) -> dict[str, Any]:
    """What a line says of a recorded failure; its message may quote whoever raised it, so the redactor sees it."""
    error = fields["error"]
    reason = str(error.get("reason"))
    return {
        "reason": reason,
        "error_type": error_type,
        "error_message": first_line(redacted_text(f"{reason}: {error.get('message', '')}")),
        "latency_seconds": fields["latency_seconds"],
    }
