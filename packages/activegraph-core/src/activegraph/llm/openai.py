"""`OpenAIProvider`: OpenAI's models, and servers that speak its format, through the official SDK.

The SDK is imported at the first call.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping, Sequence
from decimal import Decimal
from importlib import import_module
from typing import Any

from activegraph.core.log_lines import say
from activegraph.llm.answers import (
    UnreadableAnswer,
    count_of,
    decoded_args,
    field_of,
    items_of,
    joined_text,
    with_parsed,
)
from activegraph.llm.client import LazyClient
from activegraph.llm.models import OPENAI
from activegraph.llm.pricing import PriceTable
from activegraph.llm.recorded import rough_tokens
from activegraph.llm.types import LLMMessage, LLMResponse, ToolCall
from activegraph.llm.wire_names import WireNames, names_of_request

__all__ = ["OpenAIProvider"]

_PRICES = {
    "gpt-4o-mini": {"input": "0.15", "output": "0.6"},
    "gpt-4o": {"input": "2.5", "output": "10"},
    "gpt-4-turbo": {"input": "10", "output": "30"},
    "gpt-4": {"input": "30", "output": "60"},
    "gpt-3.5-turbo": {"input": "0.5", "output": "1.5"},
}

_REASONING = ("o1", "o3", "o4", "gpt-5")
_TOKENS_A_MESSAGE = 4
_ENCODING = "cl100k_base"

_logger = logging.getLogger("activegraph.llm.openai")


class OpenAIProvider:
    """Asks an OpenAI model. Building one needs no SDK, no key and no network.

    Args:
        api_key_env: Environment variable that holds the key.
        client: Anything with `.chat.completions.create`; used instead of the SDK's client.
        pricing: Replaces the prices: `{beginning of a model's name: {"input": "3", "output": "15"}}`,
            US dollars per million tokens.
        base_url: Another address of the API.
        max_retries: Retries of the SDK. They are off, so that the log sees every attempt.
        reasoning_model_prefixes: Models that take `max_completion_tokens` and no sampling.

    Raises:
        InvalidRuntimeConfiguration: Prices that are none.
    """

    default_model = OPENAI.default
    accepts_idempotency_key = True

    def __init__(
        self,
        *,
        api_key_env: str = "OPENAI_API_KEY",
        client: Any = None,
        pricing: Mapping[str, Mapping[str, Any]] | None = None,
        base_url: str | None = None,
        max_retries: int = 0,
        reasoning_model_prefixes: Sequence[str] | None = None,
    ) -> None:
        prices = _PRICES if pricing is None else pricing
        self._prices = PriceTable(prices, otherwise="gpt-4o", logger=_logger)
        self._reasoning = tuple(_REASONING if reasoning_model_prefixes is None else reasoning_model_prefixes)
        self._counts_roughly = False
        self._client = LazyClient(
            provider="OpenAIProvider",
            package="openai",
            factory="OpenAI",
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
        request: dict[str, Any] = {"model": model, "messages": _wire_messages(system, messages, names)}
        if model.startswith(self._reasoning):
            request["max_completion_tokens"] = int(max_tokens)
        else:
            request["max_tokens"] = int(max_tokens)
            request["temperature"] = float(temperature)
            if top_p < 1.0:
                request["top_p"] = float(top_p)
        if tools:
            request["tools"] = [_wire_tool(tool, names) for tool in tools]
        if idempotency_key is not None:
            request["extra_headers"] = {"Idempotency-Key": idempotency_key}

        def call(client: Any) -> LLMResponse:
            began = time.monotonic()
            answer = client.chat.completions.create(timeout=timeout_seconds, **request)
            return self._response(answer, names, model, time.monotonic() - began)

        return with_parsed(self._client.ask(call, model=model), output_schema)

    def estimate_cost(self, *, input_tokens: int, output_tokens: int, model: str) -> Decimal:
        """US dollars for so many tokens; an unknown model costs what `gpt-4o` does."""
        return self._prices.cost(input_tokens=input_tokens, output_tokens=output_tokens, model=model)

    def count_tokens(self, *, system: str, messages: list[LLMMessage], model: str) -> int:
        """Input tokens, counted here: by `tiktoken` if it is installed, else a token for each four characters."""
        if not self._counts_roughly:
            try:
                return _counted(system, messages, model)
            except Exception as error:  # it may be missing, or fail to find its tables
                self._counts_roughly = True
                say(_logger, logging.DEBUG, "tokens are estimated, without tiktoken: %s", type(error).__name__)
        return rough_tokens(system, messages)

    def recognizes_model(self, name: str) -> bool:
        """Whether it is called like one of OpenAI's models; fine-tuned ones are not."""
        return name.startswith(OPENAI.prefixes)

    def _response(self, answer: Any, names: WireNames, model: str, latency_seconds: float) -> LLMResponse:
        choices = items_of(answer, "choices")
        if not choices:
            raise UnreadableAnswer("the answer has no choice")
        choice = choices[0]
        usage = field_of(answer, "usage")
        reported = field_of(answer, "model", model)
        tokens_in, tokens_out = count_of(usage, "prompt_tokens"), count_of(usage, "completion_tokens")
        message = field_of(choice, "message")
        calls = [
            ToolCall(
                str(field_of(call, "id", "")),
                names.incoming(str(field_of(function, "name", ""))),
                decoded_args(field_of(function, "arguments")),
            )
            for call in field_of(message, "tool_calls", ())
            if (function := field_of(call, "function")) is not None
        ]
        return LLMResponse(
            raw_text=joined_text(field_of(message, "content")),
            parsed=None,
            input_tokens=tokens_in,
            output_tokens=tokens_out,
            cost_usd=self.estimate_cost(input_tokens=tokens_in, output_tokens=tokens_out, model=reported),
            latency_seconds=latency_seconds,
            model=reported,
            finish_reason=field_of(choice, "finish_reason", "stop"),
            tool_calls=calls or None,
        )


OpenAIProvider.__module__ = "activegraph.llm"


def _wire_messages(system: str, messages: Sequence[LLMMessage], names: WireNames) -> list[dict[str, Any]]:
    wire: list[dict[str, Any]] = [{"role": "system", "content": system}] if system else []
    for message in messages:
        if message.role == "tool":
            wire.append({"role": "tool", "tool_call_id": message.tool_use_id or "", "content": message.content})
        elif message.role == "assistant" and message.tool_calls:
            calls = [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {
                        "name": names.outgoing(call.name),
                        "arguments": json.dumps(call.args, sort_keys=True),
                    },
                }
                for call in message.tool_calls
            ]
            wire.append({"role": "assistant", "content": message.content or None, "tool_calls": calls})
        else:
            wire.append({"role": message.role, "content": message.content})
    return wire


def _wire_tool(tool: Mapping[str, Any], names: WireNames) -> dict[str, Any]:
    return {
        "type": "function",
        "function": {
            "name": names.outgoing(tool["name"]),
            "description": tool["description"],
            "parameters": tool["input_schema"],
        },
    }


def _counted(system: str, messages: Sequence[LLMMessage], model: str) -> int:
    tiktoken = import_module("tiktoken")
    try:
        encoding = tiktoken.encoding_for_model(model)
    except KeyError:
        encoding = tiktoken.get_encoding(_ENCODING)

    def tokens(text: str) -> int:
        try:
            return len(encoding.encode(text))
        except ValueError:  # the text spells one of the encoding's special tokens
            return len(encoding.encode(text, disallowed_special=()))

    counted = tokens(system) + sum(tokens(message.content) + _TOKENS_A_MESSAGE for message in messages)
    return max(1, counted)
