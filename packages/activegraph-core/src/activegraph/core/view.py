"""Views: the read-only slice of a run that one invocation gets.

What belongs to a view is fixed when the behavior is called and found out only when somebody
looks: elements younger than the call are left out, elements removed since are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from activegraph.core.elements import Object, Relation
from activegraph.core.event import Event
from activegraph.core.where import compile_where

__all__ = ["View"]


class View:
    """Objects, relations and recent events as of one moment.

    Every method returns a new list, in creation order; events are in log order.
    """

    def __init__(
        self,
        objects: Iterable[Object] = (),
        relations: Iterable[Relation] = (),
        events: Iterable[Event] = (),
    ) -> None:
        self._objects: list[Object] | None = list(objects)
        self._relations: list[Relation] | None = list(relations)
        self._events: list[Event] | None = list(events)
        self._build: Callable[[], tuple[list[Object], list[Relation]]] | None = None
        self._read_events: Callable[[], list[Event]] | None = None
        self._objects_by_id: dict[str, Object] | None = None
        self._relations_by_id: dict[str, Relation] | None = None

    @classmethod
    def lazy(
        cls,
        build: Callable[[], tuple[list[Object], list[Relation]]],
        read_events: Callable[[], list[Event]],
    ) -> View:
        """A view whose content is worked out at the first look."""
        view = cls.__new__(cls)
        view._objects = view._relations = view._events = None
        view._objects_by_id = view._relations_by_id = None
        view._build = build
        view._read_events = read_events
        return view

    def _graph(self) -> tuple[list[Object], list[Relation]]:
        if self._objects is None or self._relations is None:
            assert self._build is not None  # noqa: S101 - set together with the missing lists
            self._objects, self._relations = self._build()
        return self._objects, self._relations

    def objects(self, type: str | None = None, where: dict[str, Any] | None = None) -> list[Object]:
        """Objects of a type that meet a condition; both filters by AND."""
        found: Sequence[Object] = self._graph()[0]
        if type is not None:
            found = [o for o in found if o.type == type]
        if where:
            holds = compile_where(where, declared=False).matches
            found = [o for o in found if holds(o)]
        return list(found)

    def relations(
        self, type: str | None = None, source: str | None = None, target: str | None = None
    ) -> list[Relation]:
        """Relations by type and ends; filters by AND."""
        return [
            r
            for r in self._graph()[1]
            if (type is None or r.type == type)
            and (source is None or r.source == source)
            and (target is None or r.target == target)
        ]

    def events(self, type: str | None = None) -> list[Event]:
        """The recent events of the view, oldest first."""
        if self._events is None:
            assert self._read_events is not None  # noqa: S101 - set together with the missing list
            self._events = self._read_events()
        return [e for e in self._events if type is None or e.type == type]

    def get_object(self, object_id: str) -> Object | None:
        """The object if it is in the view."""
        if self._objects_by_id is None:
            self._objects_by_id = {o.id: o for o in self._graph()[0]}
        return self._objects_by_id.get(object_id)

    def get_relation(self, relation_id: str) -> Relation | None:
        """The relation if it is in the view."""
        if self._relations_by_id is None:
            self._relations_by_id = {r.id: r for r in self._graph()[1]}
        return self._relations_by_id.get(relation_id)
