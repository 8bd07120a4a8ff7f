"""The border to language models: what a provider must do, and what it may leave to the runtime."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Protocol, runtime_checkable

from activegraph.llm.types import LLMMessage, LLMResponse

__all__ = ["LLMProvider"]


@runtime_checkable
class LLMProvider(Protocol):
    """One synchronous completion per call. It runs no tools and asks nothing twice; the runtime does that.

    Only `complete`, `estimate_cost` and `count_tokens` are needed of a provider of your own. Without
    `default_model` the default is `claude-sonnet-4-5`, without `recognizes_model` no model name is checked.
    With an attribute `accepts_idempotency_key = True`, `complete` is also given `idempotency_key: str`, the
    same for every attempt at one request, to send along as a request header.
    """

    default_model: str
    """Asked where neither a behavior nor its pack names a model."""

    def complete(
        self,
        *,
        system: str,
        messages: list[LLMMessage],
        model: str,
        max_tokens: int,
        temperature: float,
        top_p: float,
        output_schema: type | None,
        timeout_seconds: float,
        tools: list[dict[str, Any]] | None = None,
    ) -> LLMResponse:
        """Ask once and wait for the whole answer.

        Args:
            system: System text; may be empty.
            output_schema: A pydantic model class; `parsed` must then be an instance of it, unless the
                answer asks for tools.
            timeout_seconds: How long to wait for the answer.
            tools: Definitions `{"name", "description", "input_schema"}`, by canonical name.

        Raises:
            LLMBehaviorError: The call failed, or its answer is of no use; the reason says which. Any
                other exception counts as `llm.network_error`.
        """
        ...

    def estimate_cost(self, *, input_tokens: int, output_tokens: int, model: str) -> Decimal:
        """US dollars for so many tokens, exact; asked before a call where a cost limit is set."""
        ...

    def count_tokens(self, *, system: str, messages: list[LLMMessage], model: str) -> int:
        """Input tokens of a request; asked only where a cost limit is set."""
        ...

    def recognizes_model(self, name: str) -> bool:
        """Whether `name` looks like a model of this provider."""
        ...


LLMProvider.__module__ = "activegraph.llm"
