"""Tools that a behavior gets by naming them, though nobody registered them."""

from __future__ import annotations

from activegraph.tools.base import Tool

__all__ = ["built_in_tool"]


def built_in_tool(name: str) -> Tool | None:
    """The built-in tool of this name; it needs pydantic when it is asked for.

    Raises:
        MissingOptionalDependency: pydantic is not installed.
    """
    if name != "web_fetch":
        return None
    from activegraph.tools import web_fetch

    return web_fetch
