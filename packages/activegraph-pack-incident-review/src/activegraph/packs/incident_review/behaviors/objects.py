"""How behaviors make objects, and find those of one incident in their view."""

from __future__ import annotations

from typing import Any

from activegraph.core.elements import Object
from activegraph.core.view import View
from activegraph.packs.incident_review.rules.case import SignalView
from activegraph.packs.incident_review.schemas import checked

__all__ = ["create", "incident_in", "signals_in", "sources_of", "targets_of"]


def create(graph: Any, type: str, **data: Any) -> Object:
    """Add an object whose data fits its type."""
    made: Object = graph.add_object(type, checked(type, data))
    return made


def incident_in(view: View) -> Object:
    """The one incident of a view that lies around it."""
    return view.objects("incident")[0]


def signals_in(view: View) -> list[SignalView]:
    """The signals of a view, as rules read them."""
    return [SignalView.of(signal.id, signal.data) for signal in view.objects("signal")]


def sources_of(view: View, target: str, relation: str) -> list[str]:
    """Ids of what points to an object by a relation of this type."""
    return [each.source for each in view.relations(relation, target=target)]


def targets_of(view: View, source: str, relation: str) -> list[str]:
    """Ids of what an object points to by a relation of this type."""
    return [each.target for each in view.relations(relation, source=source)]
