"""Errors about wrong construction, arguments and state."""

from __future__ import annotations

from activegraph.errors.base import ConfigurationError

__all__ = ["IncompatibleRuntimeState", "InvalidArgumentType", "InvalidRuntimeConfiguration"]


class InvalidRuntimeConfiguration(ConfigurationError, ValueError):
    """An argument has a value that makes no sense."""


class InvalidArgumentType(ConfigurationError, TypeError):
    """An argument has the wrong type or shape."""


class IncompatibleRuntimeState(ConfigurationError, RuntimeError):
    """The call makes no sense in the state that the runtime, graph or store is in."""
