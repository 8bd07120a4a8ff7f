"""Lists in plain values that people write down: a bare text in the place of one would be read letter by letter."""

from __future__ import annotations

from collections.abc import Iterable

from activegraph.errors import InvalidArgumentType
from activegraph.errors.base import shown

__all__ = ["require_lists"]


def require_lists(owner: object, *fields: str) -> None:
    """Raise `InvalidArgumentType` unless each of these fields of `owner` can be gone through, and is no text."""
    for field in fields:
        value = getattr(owner, field)
        if isinstance(value, Iterable) and not isinstance(value, (str, bytes)):
            continue
        name = type(owner).__name__
        raise InvalidArgumentType(
            f"`{field}` of a {name} is a list, not {shown(value)}",
            what_failed=f"Making a {name} with `{field}={shown(value)}`.",
            why="Each item stands for itself; a bare text would be taken apart into letters.",
            how_to_fix=f"{field}=[{shown(value)}]",
            context={"argument": field, "type": type(value).__name__},
        )
