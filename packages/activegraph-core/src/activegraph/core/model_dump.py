"""Pydantic models as plain data that is the same in every process.

A model's own dump has the members of a set in the order of their hashes, which differs from process to
process; here they stand in the order that sets have wherever the log holds them.
Nothing here imports pydantic: whoever has a model has it already.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import fields, is_dataclass
from functools import lru_cache
from typing import Any

from activegraph.core.boundary import in_set_order
from activegraph.core.codec import encode_plain

__all__ = ["is_secret", "plain_dump"]


def plain_dump(model: Any, *, of_secret: Callable[[Any], Any] | None = None, **how: Any) -> Any:
    """`model.model_dump(mode="json", **how)`, the members of sets in order.

    Args:
        of_secret: Gives what stands for a secret, however the model itself would show it.
    """
    dumped = model.model_dump(mode="json", **how)
    cls: Any = type(model)  # mypy takes a class for something that has no hash
    return dumped if of_secret is None and not _may_hold_sets(cls) else _settled(dumped, model, of_secret)


def is_secret(value: object) -> bool:
    """Whether `value` is one that pydantic keeps from being shown."""
    return hasattr(value, "get_secret_value")


_SIGNS = ("'set'", "'frozenset'", "'any'", "serialization", "'allow'")
"""What the schema of a model says somewhere if its instances may hold sets."""


@lru_cache(maxsize=1024)
def _may_hold_sets(cls: type) -> bool:
    # Most models hold none, and looking through each of their instances would cost as much as the dump.
    schema = repr(getattr(cls, "__pydantic_core_schema__", ""))
    return any(sign in schema for sign in _SIGNS)


def _settled(dumped: Any, live: Any, of_secret: Callable[[Any], Any] | None) -> Any:
    """`dumped` with what `live`, which it is the dump of, tells of secrets and sets in it."""
    if of_secret is not None and is_secret(live):
        return of_secret(live)
    if getattr(live, "__pydantic_root_model__", False):
        return _settled(dumped, live.root, of_secret)
    if isinstance(dumped, dict):
        return {key: _settled(value, member, of_secret) for key, value, member in _members(dumped, live)}
    if isinstance(dumped, list) and isinstance(live, (Set, Sequence)) and len(dumped) == len(live):
        settled = [_settled(value, member, of_secret) for value, member in zip(dumped, live, strict=True)]
        return list(in_set_order(settled, encode_plain)) if isinstance(live, Set) else settled
    return dumped


def _members(dumped: dict[str, Any], live: Any) -> Iterator[tuple[str, Any, Any]]:
    """The items of a dump, each with what it is the dump of; None where that is not known."""
    if isinstance(live, Mapping) and len(live) == len(dumped):
        # Keys of other types than text are written differently, but in one order.
        yield from ((key, value, member) for (key, value), member in zip(dumped.items(), live.values(), strict=True))
        return
    names = _names(live)
    for key, value in dumped.items():
        yield key, value, getattr(live, names.get(key, key), None)


def _names(live: Any) -> dict[str, str]:
    """The names of attributes by those that a dump may have for them."""
    if is_dataclass(live):
        return {field.name: field.name for field in fields(live)}
    return {
        alias: name
        for name, field in getattr(type(live), "model_fields", {}).items()
        if isinstance(alias := field.serialization_alias or field.alias, str)
    }
