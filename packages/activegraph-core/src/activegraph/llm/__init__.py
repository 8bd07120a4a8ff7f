"""Language models: providers, prompts, recorded answers, caches. Names load when first used."""

from typing import TYPE_CHECKING, Any

_MODULES = {
    "anthropic": ("AnthropicProvider",),
    "cache": ("LLMCache",),
    "errors": ("LLMBehaviorError", "MissingProviderError"),
    "openai": ("OpenAIProvider",),
    "parsing": ("parse_structured_response",),
    "prompt": ("AssembledPrompt", "assemble_prompt", "schema_to_json", "serialize_view"),
    "provider": ("LLMProvider",),
    "recorded": ("RecordedLLMProvider", "RecordingLLMProvider"),
    "types": ("LLMMessage", "LLMResponse", "ToolCall"),
}

_HOME = {name: f"activegraph.llm.{module}" for module, names in _MODULES.items() for name in names}

__all__ = sorted(_HOME)  # noqa: PLE0605 - names, made above


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


if TYPE_CHECKING:
    from activegraph.llm.anthropic import AnthropicProvider as AnthropicProvider
    from activegraph.llm.cache import LLMCache as LLMCache
    from activegraph.llm.errors import LLMBehaviorError as LLMBehaviorError
    from activegraph.llm.errors import MissingProviderError as MissingProviderError
    from activegraph.llm.openai import OpenAIProvider as OpenAIProvider
    from activegraph.llm.parsing import parse_structured_response as parse_structured_response
    from activegraph.llm.prompt import AssembledPrompt as AssembledPrompt
    from activegraph.llm.prompt import assemble_prompt as assemble_prompt
    from activegraph.llm.prompt import schema_to_json as schema_to_json
    from activegraph.llm.prompt import serialize_view as serialize_view
    from activegraph.llm.provider import LLMProvider as LLMProvider
    from activegraph.llm.recorded import RecordedLLMProvider as RecordedLLMProvider
    from activegraph.llm.recorded import RecordingLLMProvider as RecordingLLMProvider
    from activegraph.llm.types import LLMMessage as LLMMessage
    from activegraph.llm.types import LLMResponse as LLMResponse
    from activegraph.llm.types import ToolCall as ToolCall
