"""Modules of the user's that a command imports, so that their behaviors are registered."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any

__all__ = ["options_of"]


def options_of(modules: Iterable[str]) -> dict[str, Any]:
    """Import `MODULE` or `MODULE:FUNC` each, from here or from what is installed; what all `FUNC()` gave together.

    Raises:
        IncompatibleRuntimeState: A module cannot be imported, or its function gives no keyword arguments.
    """
    options: dict[str, Any] = {}
    for text in modules:
        name, _, function = text.partition(":")
        module = _imported(name)
        if function:
            options.update(_called(module, name, function))
    return options


def _imported(name: str) -> Any:
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        return import_module(name)
    except Exception as error:
        raise _refusal(f"module {name!r} cannot be imported", error) from error


def _called(module: Any, name: str, function: str) -> Mapping[str, Any]:
    try:
        options = getattr(module, function)()
        if not isinstance(options, Mapping):
            raise TypeError(f"a dict of keyword arguments was expected, not {type(options).__name__}")
    except Exception as error:
        raise _refusal(f"`{function}()` of module {name!r} gives no arguments", error) from error
    return options


def _refusal(what: str, error: Exception) -> Exception:
    from activegraph.errors import IncompatibleRuntimeState

    said = f"{type(error).__name__}: {error}"
    return IncompatibleRuntimeState(
        f"{what}: {said}",
        what_failed=f"{what}. Nothing was run.\n{said}",
        why="What a run is executed with is code; it comes from modules that are imported by name.",
        how_to_fix="Run the command where the module can be imported from, with what it needs installed: "
        "--import my_behaviors, or --import my_behaviors:load_options for a function that gives a dict.",
        context={"error": said},
    )
