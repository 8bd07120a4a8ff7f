"""The door by which pytest finds the suites: it loads the plugin only where a command line names them.

Every pytest of an environment loads this module, so it imports nothing and adds no option of its own.
"""

from __future__ import annotations

from typing import Any

__all__ = ["pytest_load_initial_conftests"]

_PLUGIN = "activegraph.conformance.plugin"
_NAMES = ("activegraph.conformance", "activegraph/conformance")


def pytest_load_initial_conftests(early_config: Any, parser: Any, args: list[str]) -> None:
    """Register the plugin, and with it its options, before the command line is parsed in full."""
    plugins = early_config.pluginmanager
    if not plugins.has_plugin(_PLUGIN) and any(
        _names_the_suites(*pair) for pair in zip(["", *args], args, strict=False)
    ):
        plugins.import_plugin(_PLUGIN)


def _names_the_suites(before: str, argument: str) -> bool:
    is_plugin = before == "-p" or argument.startswith("-p")
    return not is_plugin and any(name in argument for name in _NAMES)
