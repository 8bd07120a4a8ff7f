"""Each test of this room declares into registries of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from activegraph import clear_registry, clear_tool_registry, register
from activegraph.tools.registry import register_tool


@pytest.fixture(autouse=True)
def _own_registries() -> Iterator[None]:
    behaviors, tools = clear_registry(), clear_tool_registry()
    yield
    clear_registry()
    clear_tool_registry()
    for declared in behaviors:
        register(declared)
    for tool in tools:
        register_tool(tool)
