"""Checks of objects and relations by the schemas of the loaded packs.

The graph's writer asks before it emits; projecting a log asks nobody. Types that no loaded pack
declares are not looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from activegraph.core.model_dump import plain_dump
from activegraph.errors import PackSchemaViolation
from activegraph.packs.models import refusal_lines, validated_recorded

if TYPE_CHECKING:
    from activegraph.packs.values import ObjectType, Pack, RelationType

__all__ = ["Schemas"]


class Schemas:
    """Object and relation types of the loaded packs, by name."""

    def __init__(self, packs: tuple[Pack, ...]) -> None:
        self._objects: dict[str, tuple[ObjectType, str]] = {}
        self._relations: dict[str, tuple[RelationType, str]] = {}
        for pack in packs:
            self._objects.update({each.name: (each, pack.name) for each in pack.object_types})
            self._relations.update({each.name: (each, pack.name) for each in pack.relation_types})

    def object_data(self, type: str, data: dict[str, Any], *, recorded: bool = False) -> dict[str, Any]:
        """What is stored for `data`: the schema's dump, with defaults filled in and values converted.

        Args:
            recorded: Whether `data` has been in the log already.

        Raises:
            PackSchemaViolation: The schema refuses it.
        """
        return self._dumped(type, data, validated_recorded if recorded else _validated_as_given)

    def proposed_data(self, type: str, data: dict[str, Any]) -> dict[str, Any]:
        """What the log holds for `data` that is no object yet: JSON values of the fields that are given.

        Raises:
            PackSchemaViolation: The schema refuses it.
        """
        return self._dumped(type, data, _validated_as_given, exclude_unset=True)

    def _dumped(
        self, type: str, data: dict[str, Any], validate: Callable[[Any, Any], Any], **how: Any
    ) -> dict[str, Any]:
        found = self._objects.get(type)
        if found is None:
            return data
        declared, pack = found
        try:
            dumped: dict[str, Any] = plain_dump(validate(declared.schema, data), **how)
        except ValueError as error:
            raise _violation(error, type, pack) from error
        return dumped

    def check_patch(self, type: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        """Refuse a patch after which the data would not fit; data that did not fit before is let alone.

        Raises:
            PackSchemaViolation: The schema takes `before` and refuses `after`.
        """
        found = self._objects.get(type)
        if found is None:
            return
        declared, pack = found
        try:
            validated_recorded(declared.schema, after)
        except ValueError as error:
            try:
                validated_recorded(declared.schema, before)
            except ValueError:
                return
            raise _violation(error, type, pack) from error

    def check_relation(self, type: str, source_type: str | None, target_type: str | None) -> None:
        """Refuse a relation between objects of types that it does not join; None for an id without an object.

        Raises:
            PackSchemaViolation: An end is of a type that may not be one.
        """
        found = self._relations.get(type)
        if found is None:
            return
        declared, pack = found
        if declared.source_types and source_type not in declared.source_types:
            raise PackSchemaViolation.for_relation_source(
                relation_type=type, source_type=source_type, allowed=declared.source_types, pack_name=pack
            )
        if declared.target_types and target_type not in declared.target_types:
            raise PackSchemaViolation.for_relation_target(
                relation_type=type, target_type=target_type, allowed=declared.target_types, pack_name=pack
            )

    def judges_object(self, type: str) -> bool:
        """Whether a loaded pack declares this object type."""
        return type in self._objects


def _validated_as_given(schema: Any, data: dict[str, Any]) -> Any:
    return schema.model_validate(data)


def _violation(error: ValueError, type: str, pack: str) -> PackSchemaViolation:
    lines = refusal_lines(error, show_input=True)
    return PackSchemaViolation.for_object(object_type=type, validation_error=lines, pack_name=pack)
