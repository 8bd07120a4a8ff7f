"""`AnthropicProvider`: Claude models, through the official SDK, which is imported at the first call."""

from __future__ import annotations

import inspect
import logging
import time
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from activegraph.llm.answers import count_of, decoded_args, field_of, items_of, joined_text, with_parsed
from activegraph.llm.client import LazyClient
from activegraph.llm.models import ANTHROPIC
from activegraph.llm.pricing import PriceTable
from activegraph.llm.types import LLMMessage, LLMResponse, ToolCall
from activegraph.llm.wire_names import WireNames, names_of_request

__all__ = ["AnthropicProvider"]

_PRICES = {
    "claude-opus-4": {"input": "15", "output": "75"},
    "claude-sonnet-4": {"input": "3", "output": "15"},
    "claude-haiku-4-5": {"input": "1", "output": "5"},
}

_SAMPLING = ("temperature", "top_p")

_logger = logging.getLogger("activegraph.llm.anthropic")


class AnthropicProvider:
    """Asks Claude. Building one needs no SDK, no key and no network.

    Args:
        api_key_env: Environment variable that holds the key.
        client: Anything with `.messages.create` and `.messages.count_tokens`; used instead of the SDK's client.
        pricing: Replaces the prices: `{beginning of a model's name: {"input": "3", "output": "15"}}`,
            US dollars per million tokens.
        base_url: Another address of the API.
        max_retries: Retries of the SDK. They are off, so that the log sees every attempt.

    Raises:
        InvalidRuntimeConfiguration: Prices that are none.
    """

    default_model = ANTHROPIC.default
    accepts_idempotency_key = True

    def __init__(
        self,
        *,
        api_key_env: str = "ANTHROPIC_API_KEY",
        client: Any = None,
        pricing: Mapping[str, Mapping[str, Any]] | None = None,
        base_url: str | None = None,
        max_retries: int = 0,
    ) -> None:
        prices = _PRICES if pricing is None else pricing
        self._prices = PriceTable(prices, otherwise="claude-sonnet-4", logger=_logger)
        self._client = LazyClient(
            provider="AnthropicProvider",
            package="anthropic",
            factory="Anthropic",
            api_key_env=api_key_env,
            client=client,
            base_url=base_url,
            max_retries=max_retries,
        )

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
        idempotency_key: str | None = None,
    ) -> LLMResponse:
        """Ask once and wait for the whole answer.

        Args:
            idempotency_key: Sent as the header `Idempotency-Key`.

        Raises:
            LLMBehaviorError: The call failed, or its answer holds nothing that fits the schema.
            ValueError: Two tools would have one name on the wire; nothing was sent.
            IncompatibleRuntimeState: No key in the environment.
            MissingProviderSDK: The SDK is not installed.
        """
        names = names_of_request(tools, messages)
        request: dict[str, Any] = {"model": model, "max_tokens": int(max_tokens), "temperature": float(temperature)}
        if system:
            request["system"] = system
        request["messages"] = _wire_messages(messages, names)
        if top_p < 1.0:
            request["top_p"] = float(top_p)
        if tools:
            request["tools"] = [{**tool, "name": names.outgoing(tool["name"])} for tool in tools]
        if idempotency_key is not None:
            request["extra_headers"] = {"Idempotency-Key": idempotency_key}

        def call(client: Any) -> LLMResponse:
            create = client.messages.create
            options = _as_taken(create, request)
            began = time.monotonic()
            answer = create(timeout=timeout_seconds, **options)
            return self._response(answer, names, model, time.monotonic() - began)

        return with_parsed(self._client.ask(call, model=model), output_schema)

    def estimate_cost(self, *, input_tokens: int, output_tokens: int, model: str) -> Decimal:
        """US dollars for so many tokens; an unknown model costs what `claude-sonnet-4` does."""
        return self._prices.cost(input_tokens=input_tokens, output_tokens=output_tokens, model=model)

    def count_tokens(self, *, system: str, messages: list[LLMMessage], model: str) -> int:
        """Input tokens as the API itself counts them, which is a call.

        Raises:
            LLMBehaviorError: The call failed.
        """
        request: dict[str, Any] = {
            "model": model,
            "messages": _wire_messages(messages, names_of_request(None, messages)),
        }
        if system:
            request["system"] = system
        return self._client.ask(lambda client: int(client.messages.count_tokens(**request).input_tokens), model=model)

    def recognizes_model(self, name: str) -> bool:
        """Whether it is called like a Claude model."""
        return name.startswith(ANTHROPIC.prefixes)

    def _response(self, answer: Any, names: WireNames, model: str, latency_seconds: float) -> LLMResponse:
        content = items_of(answer, "content")
        usage = field_of(answer, "usage")
        reported = field_of(answer, "model", model)
        tokens_in, tokens_out = count_of(usage, "input_tokens"), count_of(usage, "output_tokens")
        calls = [
            ToolCall(
                str(field_of(block, "id", "")),
                names.incoming(str(field_of(block, "name", ""))),
                decoded_args(field_of(block, "input")),
            )
            for block in content
            if field_of(block, "type") == "tool_use"
        ]
        return LLMResponse(
            raw_text=joined_text(content),
            parsed=None,
            input_tokens=tokens_in,
            output_tokens=tokens_out,
            cost_usd=self.estimate_cost(input_tokens=tokens_in, output_tokens=tokens_out, model=reported),
            latency_seconds=latency_seconds,
            model=reported,
            finish_reason=field_of(answer, "stop_reason", "end_turn"),
            tool_calls=calls or None,
        )


AnthropicProvider.__module__ = "activegraph.llm"


def _wire_messages(messages: Sequence[LLMMessage], names: WireNames) -> list[dict[str, Any]]:
    """The conversation as the API takes it: the answers of one turn's tools are the blocks of one user message."""
    wire: list[dict[str, Any]] = []
    results: list[dict[str, Any]] | None = None
    for message in messages:
        if message.role == "tool":
            if results is None:
                results = []
                wire.append({"role": "user", "content": results})
            answered = message.tool_use_id or ""
            results.append({"type": "tool_result", "tool_use_id": answered, "content": message.content})
            continue
        results = None
        if message.role == "assistant" and message.tool_calls:
            said: list[dict[str, Any]] = [{"type": "text", "text": message.content}] if message.content else []
            said += [
                {"type": "tool_use", "id": call.id, "name": names.outgoing(call.name), "input": dict(call.args)}
                for call in message.tool_calls
            ]
            wire.append({"role": "assistant", "content": said})
        else:
            wire.append({"role": message.role, "content": message.content})
    return wire


def _as_taken(create: Any, request: dict[str, Any]) -> dict[str, Any]:
    """`request` in the arguments that `create` has.

    Newer SDKs have no argument for sampling, though the API takes it: it then goes into the body as it is.
    """
    try:
        parameters = inspect.signature(create).parameters.values()
    except (TypeError, ValueError):
        return request
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return request
    known = {parameter.name for parameter in parameters}
    extra = {name: request[name] for name in _SAMPLING if name in request and name not in known}
    if not extra:
        return request
    return {**{name: value for name, value in request.items() if name not in extra}, "extra_body": extra}
