"""What a view shows, as of one moment: found by the projection's indexes, so that a look costs what it gives.

Elements that are younger than the moment are left out, elements that were removed since are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Protocol, TypeVar

from activegraph.core.elements import Object, Relation, object_handle, relation_handle
from activegraph.core.projection import Projection
from activegraph.core.state import ObjectState, RelationState

__all__ = ["BuiltSlice", "Slice", "WholeGraph"]

_State = TypeVar("_State", bound=ObjectState | RelationState)


class Slice(Protocol):
    """Objects and relations of a view, in creation order; each call makes a new list."""

    def objects(self, type: str | None) -> list[Object]:
        """Those of a type; of every type where it is None."""

    def relations(self, type: str | None, source: str | None, target: str | None) -> list[Relation]:
        """Those of a type and with these ends; None is any."""

    def object(self, object_id: str) -> Object | None:
        """The object if it is in the view."""

    def relation(self, relation_id: str) -> Relation | None:
        """The relation if it is in the view."""


class BuiltSlice:
    """Elements in lists, which are made at the first look."""

    def __init__(self, build: Callable[[], tuple[list[Object], list[Relation]]]) -> None:
        self._build = build
        self._built: tuple[list[Object], list[Relation]] | None = None
        self._objects: dict[str, Object] | None = None
        self._relations: dict[str, Relation] | None = None

    def _lists(self) -> tuple[list[Object], list[Relation]]:
        if self._built is None:
            self._built = self._build()
        return self._built

    def objects(self, type: str | None) -> list[Object]:
        """See `Slice`."""
        return [o for o in self._lists()[0] if type is None or o.type == type]

    def relations(self, type: str | None, source: str | None, target: str | None) -> list[Relation]:
        """See `Slice`."""
        return [
            r
            for r in self._lists()[1]
            if (type is None or r.type == type)
            and (source is None or r.source == source)
            and (target is None or r.target == target)
        ]

    def object(self, object_id: str) -> Object | None:
        """See `Slice`."""
        if self._objects is None:
            self._objects = {o.id: o for o in self._lists()[0]}
        return self._objects.get(object_id)

    def relation(self, relation_id: str) -> Relation | None:
        """See `Slice`."""
        if self._relations is None:
            self._relations = {r.id: r for r in self._lists()[1]}
        return self._relations.get(relation_id)


class WholeGraph:
    """The graph as it was when `sequence` was the place in creation order of the next element.

    Args:
        types: Objects of these types only; None for all. Relations are not concerned.
        removals: Filled with the elements that are removed from then on.
    """

    def __init__(
        self,
        projection: Projection,
        sequence: int,
        removals: Iterable[ObjectState | RelationState],
        types: Collection[str] | None,
    ) -> None:
        self._projection = projection
        self._sequence = sequence
        self._removals = removals
        self._types = types
        self._all: list[Object] | None = None

    def objects(self, type: str | None) -> list[Object]:
        """See `Slice`."""
        if type is None and self._types is None:
            if self._all is None:
                self._all = [object_handle(o) for o in self._as_of(self._projection.objects.values(), ObjectState)]
            return list(self._all)
        wanted = set(self._types or ()) if type is None else {type} if self._shows(type) else set()
        found = [state for one in wanted for state in self._projection.objects_of_type(one).values()]
        if len(wanted) > 1:
            found.sort(key=_in_creation_order)
        return [object_handle(state) for state in self._as_of(found, ObjectState) if state.type in wanted]

    def relations(self, type: str | None, source: str | None, target: str | None) -> list[Relation]:
        """See `Slice`."""
        found = self._as_of(self._projection.find_relations(source, target, type), RelationState)
        return [
            relation_handle(state)
            for state in found
            if (type is None or state.type == type)
            and (source is None or state.source == source)
            and (target is None or state.target == target)
        ]

    def object(self, object_id: str) -> Object | None:
        """See `Slice`."""
        state = self._at(object_id, self._projection.objects, ObjectState)
        return None if state is None or not self._shows(state.type) else object_handle(state)

    def relation(self, relation_id: str) -> Relation | None:
        """See `Slice`."""
        state = self._at(relation_id, self._projection.relations, RelationState)
        return None if state is None else relation_handle(state)

    def _shows(self, type: str) -> bool:
        return self._types is None or type in self._types

    def _gone(self, kind: type[_State]) -> list[_State]:
        return [state for state in self._removals if isinstance(state, kind) and state.sequence < self._sequence]

    def _as_of(self, present: Iterable[_State], kind: type[_State]) -> list[_State]:
        found = [state for state in present if state.sequence < self._sequence]
        gone = self._gone(kind)
        return sorted([*found, *gone], key=_in_creation_order) if gone else found

    def _at(self, id: str, present: dict[str, _State], kind: type[_State]) -> _State | None:
        state = present.get(id)
        if state is not None and state.sequence < self._sequence:
            return state
        return next((gone for gone in self._gone(kind) if gone.id == id), None)


def _in_creation_order(state: ObjectState | RelationState) -> int:
    return state.sequence
