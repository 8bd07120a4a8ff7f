"""The process-wide list of declared tools, and tools by their names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from activegraph.errors import InvalidRuntimeConfiguration, InvalidToolRegistration
from activegraph.tools.base import Tool

__all__ = ["by_name", "checked_tools", "clear_tool_registry", "get_tool_registry", "one_by_one", "register_tool"]

_registered: list[Tool] = []


def get_tool_registry() -> list[Tool]:
    """The registered tools, as a new list, in registration order."""
    return list(_registered)


def clear_tool_registry() -> list[Tool]:
    """Forget all registered tools and return them, in order."""
    forgotten = list(_registered)
    _registered.clear()
    return forgotten


def register_tool(declared: Tool) -> Tool:
    """Append an existing tool."""
    _registered.append(declared)
    return declared


def checked_tools(values: object) -> tuple[Tool, ...]:
    """`values` if all of them are tools; a bare tool means the list of it.

    Raises:
        InvalidToolRegistration: One is not; often the bare function instead of what `@tool` gives.
    """
    tools = []
    for value in one_by_one(values):
        if not isinstance(value, Tool):
            raise InvalidToolRegistration(value)
        tools.append(value)
    return tuple(tools)


def one_by_one(values: object) -> list[Any]:
    """`values` as a list; what cannot be gone through, and a text, which would fall apart into letters, as its only item."""
    return list(values) if isinstance(values, Iterable) and not isinstance(values, (str, bytes)) else [values]


def by_name(tools: Iterable[Tool], also: Mapping[str, Tool] | None = None) -> dict[str, Tool]:
    """Tools under their names. The same object may come several times.

    Args:
        also: Tools under names that may be others than their own.

    Raises:
        InvalidRuntimeConfiguration: Two different tools have one name.
    """
    named: dict[str, Tool] = dict(also or {})
    for one in tools:
        if named.setdefault(one.name, one) is not one:
            raise InvalidRuntimeConfiguration(
                f"two different tools are named {one.name!r}",
                what_failed=f"Collecting the tools of this runtime: {one.name!r} stands for two different ones.",
                why="A model calls a tool by its name, and the log records the name; it must mean one thing.",
                how_to_fix='Give one of them another name: @tool(name="...")',
                context={"tool": one.name},
            )
    return named
