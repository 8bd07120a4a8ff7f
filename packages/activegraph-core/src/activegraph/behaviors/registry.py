"""The process-wide list of declared behaviors, in registration order."""

from __future__ import annotations

from typing import TypeVar

from activegraph.behaviors.base import AnyBehavior, Behavior, RelationBehavior
from activegraph.errors.base import shown

__all__ = ["clear_registry", "get_registry", "register"]

_Declared = TypeVar("_Declared", bound=AnyBehavior)

_registered: list[AnyBehavior] = []


def get_registry() -> list[AnyBehavior]:
    """The registered behaviors, as a new list."""
    return list(_registered)


def clear_registry() -> list[AnyBehavior]:
    """Forget all registered behaviors and return them, in order."""
    forgotten = list(_registered)
    _registered.clear()
    return forgotten


def register(obj: _Declared) -> _Declared:
    """Append an existing behavior object.

    Raises:
        TypeError: It is no behavior.
    """
    if not isinstance(obj, (Behavior, RelationBehavior)):
        raise TypeError(f"expected a Behavior, got {type(obj).__name__}: {shown(obj)}")
    _registered.append(obj)
    return obj
