"""Looking things up by what a user gives: whatever could be a name may be unknown; what nothing could be called is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from activegraph.errors import InvalidArgumentType
from activegraph.errors.base import shown

__all__ = ["look_up", "require_key"]

_Found = TypeVar("_Found")


def look_up(elements: Mapping[str, _Found], name: str, key: Any) -> _Found | None:
    """What is found under `key`, None if nothing is; `name` is the argument that holds it.

    Raises:
        InvalidArgumentType: Nothing could be found under it: it is a list, for one.
    """
    try:
        return elements.get(key)
    except TypeError:
        raise _not_a_key(name, key) from None


def require_key(name: str, value: Any) -> Any:
    """`value` if something could be found under it, whatever its kind, else `InvalidArgumentType` that names the argument."""
    try:
        hash(value)
    except TypeError:
        raise _not_a_key(name, value) from None
    return value


def _not_a_key(name: str, value: object) -> InvalidArgumentType:
    return InvalidArgumentType(
        f"`{name}` must be one text, not {shown(value)}",
        what_failed=f"Looking something up with `{name}={shown(value)}`. Nothing was changed.",
        why="Objects, relations and patches are found by one id, or by one type.",
        how_to_fix=f"Pass one string as `{name}`; for several, call once for each.",
        context={"argument": name, "type": type(value).__name__},
    )
