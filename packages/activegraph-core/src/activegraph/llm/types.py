"""What is said to a model and what comes back, in one vocabulary for all providers.

Annotations are evaluated here, since the classes are public elsewhere: whoever reads them, as pydantic
does for a model that holds a message, looks their names up where the class says that it lives.
"""

from copy import deepcopy
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

from activegraph.core.model_dump import plain_dump

__all__ = ["LLMMessage", "LLMResponse", "ToolCall"]


@dataclass(frozen=True)
class ToolCall:
    """A tool that the model asks for.

    Attributes:
        id: The provider's id of this call; its answer refers to it.
        name: The tool's canonical name, whatever the wire calls it.
        args: Its arguments, as the model wrote them.
    """

    id: str
    name: str
    args: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """The three fields; `args` as a copy."""
        return {"id": self.id, "name": self.name, "args": deepcopy(self.args)}


@dataclass(frozen=True)
class LLMMessage:
    """One message of a conversation. The system text is never one.

    Attributes:
        role: Who says it; `tool` for a tool's answer.
        content: Text; of a tool, the JSON text of its output.
        tool_use_id: On a tool's answer, the id of the call.
        tool_name: On a tool's answer, the tool's canonical name.
        tool_calls: On an assistant's message, the tools that it asked for.
    """

    role: Literal["user", "assistant", "tool"]
    content: str
    tool_use_id: str | None = None
    tool_name: str | None = None
    tool_calls: tuple[ToolCall, ...] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Role and content, and what else is set: a key that does not apply must not move a prompt's hash."""
        known: dict[str, Any] = {"role": self.role, "content": self.content}
        if self.tool_use_id is not None:
            known["tool_use_id"] = self.tool_use_id
        if self.tool_name is not None:
            known["tool_name"] = self.tool_name
        if self.tool_calls is not None:
            known["tool_calls"] = [call.to_dict() for call in self.tool_calls]
        return known


@dataclass
class LLMResponse:
    """One answer of a model.

    Attributes:
        raw_text: All text of the answer.
        parsed: The instance of the schema that was asked for; None without one, and where tools are asked for.
        cost_usd: US dollars, exact.
        model: As the provider reported it.
        finish_reason: The provider's own word.
        cache_hit: Whether it was served from a cache instead of being paid for.
        provider_meta: What else the provider said.
        tool_calls: Tools that the model asks for before it answers; None for none.
    """

    raw_text: str
    parsed: Any
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal
    latency_seconds: float
    model: str
    finish_reason: str
    seed: int | None = None
    cache_hit: bool = False
    provider_meta: dict[str, Any] = field(default_factory=dict)
    tool_calls: list[ToolCall] | None = None

    def to_dict(self) -> dict[str, Any]:
        """All fields as JSON values: `cost_usd` as text, `parsed` dumped where it is a model."""
        return {
            "raw_text": self.raw_text,
            "parsed": plain_dump(self.parsed) if hasattr(self.parsed, "model_dump") else self.parsed,
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "cost_usd": str(self.cost_usd),
            "latency_seconds": self.latency_seconds,
            "model": self.model,
            "finish_reason": self.finish_reason,
            "seed": self.seed,
            "cache_hit": self.cache_hit,
            "provider_meta": dict(self.provider_meta),
            "tool_calls": [call.to_dict() for call in self.tool_calls] if self.tool_calls else None,
        }


LLMMessage.__module__ = LLMResponse.__module__ = ToolCall.__module__ = "activegraph.llm"
