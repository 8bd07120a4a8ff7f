"""Which relations an event is about: those with an end among the strings of its payload."""

from __future__ import annotations

from typing import Any

from activegraph.core.codec import decode_canonical
from activegraph.core.event import Event, raw_payload
from activegraph.core.projection import Projection
from activegraph.core.state import RelationState

__all__ = ["relations_of_event", "relations_touching", "strings_of"]


def strings_of(event: Event) -> set[str]:
    """All string values of the payload, at any depth; keys are none."""
    found: set[str] = set()
    _collect(decode_canonical(raw_payload(event)), found)
    return found


def _collect(value: Any, found: set[str]) -> None:
    for item in value.values() if isinstance(value, dict) else value:
        if isinstance(item, str):
            found.add(item)
        elif isinstance(item, (dict, list)):
            _collect(item, found)


def relations_touching(projection: Projection, strings: set[str]) -> list[RelationState]:
    """Relations of any type with an end among `strings`, in creation order."""
    adjacency = projection.adjacency
    touched: dict[str, RelationState] = {}
    for node in strings:
        for index in (adjacency.outgoing, adjacency.incoming):
            relations = index.get(node)
            if relations:
                touched.update(relations)
    return sorted(touched.values(), key=lambda relation: relation.sequence)


def relations_of_event(projection: Projection, relation_type: str, event: Event) -> list[RelationState]:
    """Relations of one type that the event is about, in creation order."""
    if not projection.relations_of_type(relation_type):
        return []
    return [r for r in relations_touching(projection, strings_of(event)) if r.type == relation_type]
