"""What a behavior's `view=` may say, checked when it is declared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from activegraph.errors import InvalidRuntimeConfiguration
from activegraph.errors.base import shown

__all__ = ["VIEW_KEYS", "checked_view_spec"]

VIEW_KEYS = ("around", "depth", "include_types", "recent_events", "token_budget")


def checked_view_spec(view: Mapping[str, Any] | None, behavior: str) -> dict[str, Any] | None:
    """A copy of `view` with known keys and values of the right kind, else `InvalidRuntimeConfiguration`."""
    if view is None:
        return None
    if not isinstance(view, Mapping):
        raise _refusal(behavior, f"`view` must be a dict, not {type(view).__name__}", 'view={"depth": 1}')
    for key in view:
        if key not in VIEW_KEYS:
            raise _refusal(behavior, f"unknown view key {shown(key)}", f"Use only: {', '.join(VIEW_KEYS)}.")
    for key in ("depth", "recent_events", "token_budget"):
        number = view.get(key)
        if number is not None and (type(number) is not int or number < 0):
            raise _refusal(
                behavior, f"view key {key!r} must be a whole number >= 0, not {shown(number)}", f'view={{"{key}": 1}}'
            )
    types = view.get("include_types")
    if types is not None and not _are_texts(types):
        raise _refusal(behavior, "view key 'include_types' must be a list of types", 'view={"include_types": ["task"]}')
    around = view.get("around")
    if around is not None and not isinstance(around, str) and not _are_texts(around):
        raise _refusal(
            behavior,
            "view key 'around' must be an id, a path or a list of them",
            'view={"around": "event.payload.object.id"}',
        )
    return {
        key: list(value) if isinstance(value, (list, tuple, set, frozenset)) else value for key, value in view.items()
    }


def _are_texts(values: Any) -> bool:
    return isinstance(values, (list, tuple, set, frozenset)) and all(isinstance(value, str) for value in values)


def _refusal(behavior: str, what: str, fix: str) -> InvalidRuntimeConfiguration:
    return InvalidRuntimeConfiguration(
        f"behavior {behavior!r}: {what}",
        what_failed=f"Declaring behavior {behavior!r}: {what}.",
        why="A view that silently ignored a key would show a behavior more, or less, than its author asked for.",
        how_to_fix=fix,
        context={"behavior": behavior},
    )
