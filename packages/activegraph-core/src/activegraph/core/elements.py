"""Objects and relations as users hold them: dataclasses that read through to the projection.

A handle from a graph keeps a reference to the element's state and looks `data` and `version` up
each time, so it shows later patches and keeps the last state of a removed element. One built by
a user is an ordinary dataclass instance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from activegraph.core.frozen import freeze, frozen_copy, thaw
from activegraph.core.state import ObjectState, RelationState

__all__ = ["Object", "Relation", "object_handle", "relation_handle"]


@dataclass
class Object:
    """A projected node. For reading: changing it never changes the graph.

    Attributes:
        id: `{type}#{n}`.
        type: As it was created with.
        data: The object's fields, frozen at any depth.
        version: 1 when created, one more per applied patch.
        provenance: Who made it, when and because of which event.
    """

    id: str
    type: str
    data: dict[str, Any]
    version: int
    provenance: dict[str, Any]

    def __getattr__(self, name: str) -> Any:
        # Fields of a live handle are no instance attributes, so that they always come from the state.
        state: ObjectState | None = self.__dict__.get("_state")
        if state is not None:
            if name == "data":
                return _cached_data(self, state)
            if name == "version":
                return state.version
            if name == "provenance":
                return freeze(state.provenance())
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def to_dict(self) -> dict[str, Any]:
        """The five fields in order, as plain values."""
        return {
            "id": self.id,
            "type": self.type,
            "data": thaw(self.data),
            "version": self.version,
            "provenance": thaw(self.provenance),
        }

    def __getstate__(self) -> dict[str, Any]:
        return self.to_dict()


@dataclass
class Relation:
    """A projected edge. For reading: changing it never changes the graph.

    Attributes:
        id: `rel_NNN`.
        source, target: Ids of its ends, which need not exist as objects.
        type: As it was created with.
        data: Its fields, frozen at any depth.
        provenance: Who made it, when and because of which event.
    """

    id: str
    source: str
    target: str
    type: str
    data: dict[str, Any]
    provenance: dict[str, Any]

    def __getattr__(self, name: str) -> Any:
        state: RelationState | None = self.__dict__.get("_state")
        if state is not None:
            if name == "data":
                return freeze(state.first_data())
            if name == "provenance":
                return freeze(state.provenance())
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def to_dict(self) -> dict[str, Any]:
        """The six fields in order, as plain values."""
        return {
            "id": self.id,
            "source": self.source,
            "target": self.target,
            "type": self.type,
            "data": thaw(self.data),
            "provenance": thaw(self.provenance),
        }

    def __getstate__(self) -> dict[str, Any]:
        return self.to_dict()


Object.__module__ = Relation.__module__ = "activegraph.core.graph"


def _cached_data(handle: Object, state: ObjectState) -> dict[str, Any]:
    fields = handle.__dict__
    if fields.get("_seen") != state.version:
        fields["_data"] = freeze(state.first_data()) if state.is_as_created else frozen_copy(state.data())
        fields["_seen"] = state.version
    data: dict[str, Any] = fields["_data"]
    return data


_new = object.__new__


def object_handle(state: ObjectState) -> Object:
    """A live handle on an object of the projection."""
    handle = _new(Object)
    fields = handle.__dict__
    fields["id"] = state.id
    fields["type"] = state.type
    fields["_state"] = state
    return handle


def relation_handle(state: RelationState) -> Relation:
    """A live handle on a relation of the projection."""
    handle = _new(Relation)
    handle.__dict__.update(
        {"id": state.id, "source": state.source, "target": state.target, "type": state.type, "_state": state}
    )
    return handle
