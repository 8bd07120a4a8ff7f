"""The process-wide list of declared behaviors, in registration order."""

from __future__ import annotations

from typing import Protocol, TypeVar
from weakref import WeakSet

from activegraph.behaviors.base import AnyBehavior, Behavior, RelationBehavior
from activegraph.errors.base import shown

__all__ = ["RegistryWatcher", "clear_registry", "get_registry", "register", "watch_registry"]

_Declared = TypeVar("_Declared", bound=AnyBehavior)

_registered: list[AnyBehavior] = []


class RegistryWatcher(Protocol):
    """Somebody who runs what is registered, and may know that a behavior cannot work there."""

    def check_behavior(self, behavior: AnyBehavior) -> None:
        """Raise to refuse the registration."""
        ...


_watchers: WeakSet[RegistryWatcher] = WeakSet()


def watch_registry(watcher: RegistryWatcher) -> None:
    """Ask `watcher` about each behavior that is registered from now on, as long as it lives."""
    _watchers.add(watcher)


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
        InvalidRuntimeConfiguration: It asks a model that the provider of a living runtime does not have.
    """
    if not isinstance(obj, (Behavior, RelationBehavior)):
        raise TypeError(f"expected a Behavior, got {type(obj).__name__}: {shown(obj)}")
    for watcher in list(_watchers):
        watcher.check_behavior(obj)
    _registered.append(obj)
    return obj
