"""Breadth-first neighbourhoods over the projection's adjacency."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from activegraph.core.state import ObjectState, RelationState

__all__ = ["neighborhood"]


def neighborhood(
    centres: Iterable[str],
    depth: int,
    *,
    find: Callable[[str], ObjectState | None],
    touching: Callable[[str], Iterable[RelationState]],
) -> tuple[list[ObjectState], list[RelationState]]:
    """Objects within `depth` rounds of the centres and the relations touched on the way.

    Relations run in both directions; ends that are no object lead nowhere but their relation
    counts. Both lists are in creation order.
    """
    objects = {id: state for id in centres if (state := find(id)) is not None}
    relations: dict[str, RelationState] = {}
    frontier = list(objects)
    for _ in range(depth):
        if not frontier:
            break  # a depth may be as large as somebody likes
        reached: list[str] = []
        for node in frontier:
            for relation in touching(node):
                relations[relation.id] = relation
                far = relation.target if relation.source == node else relation.source
                if far not in objects and (state := find(far)) is not None:
                    objects[far] = state
                    reached.append(far)
        frontier = reached
    return (
        sorted(objects.values(), key=_creation),
        sorted(relations.values(), key=_creation),
    )


def _creation(state: ObjectState | RelationState) -> int:
    return state.sequence
