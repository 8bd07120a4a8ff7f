"""Views: the read-only slice of a run that one invocation gets.

What belongs to a view is fixed when the behavior is called and found out only when somebody
looks: elements younger than the call are left out, elements removed since are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from activegraph.core.elements import Object, Relation
from activegraph.core.event import Event
from activegraph.core.keys import require_key
from activegraph.core.slices import BuiltSlice, Slice
from activegraph.core.where import compile_where

__all__ = ["View"]


class View:
    """Objects, relations and recent events as of one moment.

    Every method returns a new list, in creation order; events are in log order. As in the graph, what
    nobody has gives nothing, and what nothing could be called (a list, for one) is an `InvalidArgumentType`.
    """

    def __init__(
        self,
        objects: Iterable[Object] = (),
        relations: Iterable[Relation] = (),
        events: Iterable[Event] = (),
    ) -> None:
        given = list(objects), list(relations)
        self._slice: Slice = BuiltSlice(lambda: given)
        self._events: list[Event] | None = list(events)
        self._read_events: Callable[[], list[Event]] | None = None

    @classmethod
    def lazy(cls, shown: Slice, read_events: Callable[[], list[Event]]) -> View:
        """A view whose content is found out when somebody looks."""
        view = cls.__new__(cls)
        view._slice = shown
        view._events = None
        view._read_events = read_events
        return view

    def objects(self, type: str | None = None, where: dict[str, Any] | None = None) -> list[Object]:
        """Objects of a type that meet a condition; both filters by AND. By index, where the view has no centre."""
        require_key("type", type)
        found = self._slice.objects(type)
        if where:
            holds = compile_where(where, declared=False).matches
            found = [o for o in found if holds(o)]
        return found

    def relations(
        self, type: str | None = None, source: str | None = None, target: str | None = None
    ) -> list[Relation]:
        """Relations by type and ends; filters by AND. By index, where the view has no centre."""
        require_key("type", type)
        require_key("source", source)
        require_key("target", target)
        return self._slice.relations(type, source, target)

    def events(self, type: str | None = None) -> list[Event]:
        """The recent events of the view, oldest first."""
        require_key("type", type)
        if self._events is None:
            assert self._read_events is not None  # noqa: S101 - set together with the missing list
            self._events = self._read_events()
        return [e for e in self._events if type is None or e.type == type]

    def get_object(self, object_id: str) -> Object | None:
        """The object if it is in the view."""
        return self._slice.object(require_key("object_id", object_id))

    def get_relation(self, relation_id: str) -> Relation | None:
        """The relation if it is in the view."""
        return self._slice.relation(require_key("relation_id", relation_id))
