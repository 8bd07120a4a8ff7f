"""What the pack decorators leave on what they declare, and how it is read again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["When", "declared", "function_of", "is_declared", "meta_of", "when_of"]

When = Callable[[Any], Any]
"""A predicate over the effective settings of a pack."""

_Declared = TypeVar("_Declared")

_META = "__pack_meta__"
_WHEN = "_pack_when"


def declared(item: _Declared, meta: dict[str, Any], when: When | None = None) -> _Declared:
    """`item` as one that a pack may hold: `meta` stands on its function from now on.

    Raises:
        TypeError: `when` is nothing to call, or the function takes no attributes.
    """
    if when is not None and not callable(when):
        raise TypeError(f"`when` must be a function of the settings, not {type(when).__name__}")
    function = function_of(item)
    try:
        setattr(function, _META, meta)
    except AttributeError:
        raise TypeError(
            f"{meta['kind']} {meta['name']!r}: {type(function).__name__} objects take no attributes; "
            "declare a plain function that calls it"
        ) from None
    # On the item itself, since one function may be declared twice.
    object.__setattr__(item, _WHEN, when)
    return item


def is_declared(item: Any) -> bool:
    """Whether a pack decorator made it."""
    return hasattr(item, _WHEN) or hasattr(function_of(item), _META)


def when_of(item: Any) -> When | None:
    """The predicate that decides whether it takes part."""
    when: When | None = getattr(item, _WHEN, None)
    return when


def meta_of(item: Any) -> dict[str, Any]:
    """What its decorator said of it."""
    return getattr(function_of(item), _META, {})


def function_of(item: Any) -> Any:
    """The author's function: an LLM behavior's handler, else what is called."""
    handler = getattr(item, "handler", None)
    return item.fn if handler is None else handler
