"""Language models: providers, prompts, recorded answers, caches. Names load when first used."""

from typing import TYPE_CHECKING, Any

_MODULES = {
    "errors": ("LLMBehaviorError", "MissingProviderError"),
    "provider": ("LLMProvider",),
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
    from activegraph.llm.errors import LLMBehaviorError as LLMBehaviorError
    from activegraph.llm.errors import MissingProviderError as MissingProviderError
    from activegraph.llm.provider import LLMProvider as LLMProvider
    from activegraph.llm.types import LLMMessage as LLMMessage
    from activegraph.llm.types import LLMResponse as LLMResponse
    from activegraph.llm.types import ToolCall as ToolCall
