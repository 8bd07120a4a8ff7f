"""What both wire formats share when an answer is read: fields of foreign objects, arguments, and paid answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from activegraph.errors import LLMBehaviorError
from activegraph.errors.base import shown
from activegraph.llm.parsing import parse_structured_response
from activegraph.llm.types import LLMResponse

__all__ = ["UnreadableAnswer", "count_of", "decoded_args", "field_of", "items_of", "joined_text", "with_parsed"]


def field_of(value: Any, name: str, default: Any = None) -> Any:
    """A field of an object of the SDK, or of a dict that stands in for one; `default` where it is missing or None."""
    found = value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)
    return default if found is None else found


class UnreadableAnswer(ValueError):
    """The service answered, and not with what its format says."""


def items_of(answer: Any, name: str) -> list[Any]:
    """A list that an answer must have.

    Raises:
        UnreadableAnswer: It has none.
    """
    found = field_of(answer, name)
    if not isinstance(found, (list, tuple)):
        raise UnreadableAnswer(f"the answer has no list of {name}: {shown(answer)}")
    return list(found)


def count_of(usage: Any, name: str) -> int:
    """A number of tokens; 0 where the provider does not say, or says what is no number of anything."""
    found = field_of(usage, name, 0)
    return int(found) if isinstance(found, (int, float)) and 0 <= found < 1 << 63 else 0


def joined_text(content: Any) -> str:
    """The text of an answer's content: a text itself, or the texts of its blocks."""
    if isinstance(content, str):
        return content
    texts = (field_of(block, "text") for block in content or ())
    return "".join(text for text in texts if isinstance(text, str))


def decoded_args(sent: Any) -> dict[str, Any]:
    """The arguments of a call: an object, or the JSON text of one; `{"_raw": text}` for what is neither."""
    if sent is None:
        return {}
    if isinstance(sent, Mapping):
        return dict(sent)
    text = sent if isinstance(sent, str) else str(sent)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {"_raw": text}
    return value if isinstance(value, dict) else {"_raw": text}


def with_parsed(response: LLMResponse, schema: type | None) -> LLMResponse:
    """The answer with the instance of `schema` that its text holds, unless it asks for tools.

    Raises:
        LLMBehaviorError: There is none in it; the extras say what was paid all the same.
    """
    if schema is None or response.tool_calls:
        return response
    try:
        response.parsed = parse_structured_response(response.raw_text, schema)
    except LLMBehaviorError as error:
        paid = {
            "input_tokens": response.input_tokens,
            "output_tokens": response.output_tokens,
            "cost_usd": str(response.cost_usd),
            "finish_reason": response.finish_reason,
        }
        raise LLMBehaviorError(
            error.reason, error.message, payload_extras={**error.payload_extras, **paid}
        ) from error.__cause__
    return response
