"""Tools: what a model may call while it answers. Names load when first used.

A tool is a declared function with schemas, a price and a time limit. This room declares tools,
checks their arguments and results, calls one, records calls, and remembers answers; which call
is made when, and what of it stands in the log, is the runtime's.
"""

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

_MODULES = {
    "activegraph.errors": ("MissingToolError", "ToolError", "UnknownToolError"),
    "activegraph.tools.base": ("Tool",),
    "activegraph.tools.cache": ("ToolCache",),
    "activegraph.tools.context": ("ToolContext",),
    "activegraph.tools.decorators": ("clear_tool_registry", "get_tool_registry", "tool"),
    "activegraph.tools.graph_query": ("make_graph_query_tool",),
    "activegraph.tools.recorded": ("RecordedToolProvider", "RecordingToolProvider"),
    "activegraph.tools.web_fetch": ("web_fetch",),
}

_WITH_PYDANTIC = ("activegraph.tools.graph_query", "activegraph.tools.web_fetch")

_HOME = {name: module for module, names in _MODULES.items() for name in names}

__all__ = sorted(_HOME)  # noqa: PLE0605 - names, made above


def __getattr__(name: str) -> Any:
    module = _HOME.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    try:
        value = getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        if module not in _WITH_PYDANTIC or error.name != "pydantic":
            raise
        from activegraph.errors import MissingOptionalDependency

        feature = f"activegraph.tools.{name} (a built-in tool)"
        raise MissingOptionalDependency(package="pydantic", feature=feature, extras="llm") from error
    globals()[name] = value
    return value


class _Room(ModuleType):
    """`web_fetch` is the tool, though the import system would put the module of that name there."""

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value.web_fetch if name == "web_fetch" and isinstance(value, ModuleType) else value)


sys.modules[__name__].__class__ = _Room


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


if TYPE_CHECKING:
    from activegraph.errors import MissingToolError as MissingToolError
    from activegraph.errors import ToolError as ToolError
    from activegraph.errors import UnknownToolError as UnknownToolError
    from activegraph.tools.base import Tool as Tool
    from activegraph.tools.cache import ToolCache as ToolCache
    from activegraph.tools.context import ToolContext as ToolContext
    from activegraph.tools.decorators import clear_tool_registry as clear_tool_registry
    from activegraph.tools.decorators import get_tool_registry as get_tool_registry
    from activegraph.tools.decorators import tool as tool
    from activegraph.tools.graph_query import make_graph_query_tool as make_graph_query_tool
    from activegraph.tools.recorded import RecordedToolProvider as RecordedToolProvider
    from activegraph.tools.recorded import RecordingToolProvider as RecordingToolProvider
    from activegraph.tools.web_fetch import web_fetch as web_fetch
