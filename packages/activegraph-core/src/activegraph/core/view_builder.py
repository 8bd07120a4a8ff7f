"""Builds views: the graph as of one moment, found out when somebody looks."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

from activegraph.core.elements import Object, Relation, object_handle, relation_handle
from activegraph.core.event import Event
from activegraph.core.log import RunLog
from activegraph.core.neighborhood import neighborhood
from activegraph.core.projection import Projection
from activegraph.core.state import ObjectState, RelationState
from activegraph.core.view import View

if TYPE_CHECKING:
    from activegraph.core.graph import Graph

__all__ = ["DEFAULT_RECENT_EVENTS", "build_view", "centres", "view_of_graph"]

DEFAULT_RECENT_EVENTS = 50

_logger = logging.getLogger("activegraph.runtime")


def build_view(
    spec: dict[str, Any] | None,
    *,
    projection: Projection,
    log: RunLog,
    trigger: Event,
    sequence: int,
    head: int,
    unlogged: tuple[Event, ...] = (),
    removals: Iterable[ObjectState | RelationState],
    reporter: Callable[[int, int, float], None] | None = None,
    shown: Callable[[Event], bool] | None = None,
    find_events: Callable[[int], list[Event]] | None = None,
) -> View:
    """A lazy view as of the moment when `sequence` and `head` were taken.

    Args:
        sequence: Place in creation order that the next element would have had.
        head: Committed events at that moment.
        unlogged: What had been recorded behind them and not committed yet.
        removals: Filled with the elements that are removed from then on.
        reporter: Called with the numbers of objects and relations, and how long they took, where the level is DEBUG.
        shown: Which events count as recent ones; by default all but those that tell of stops.
        find_events: Gives so many of the newest events, instead of a look through the log.
    """
    asked = spec or {}

    def graph() -> tuple[list[Object], list[Relation]]:
        debugging = reporter is not None and _logger.isEnabledFor(logging.DEBUG)
        began = perf_counter() if debugging else 0.0
        objects, relations = _as_of(asked, projection, trigger, sequence, list(removals))
        types = asked.get("include_types")
        if types is not None:
            objects = [state for state in objects if state.type in types]
        if debugging and reporter is not None:
            reporter(len(objects), len(relations), perf_counter() - began)
        return [object_handle(o) for o in objects], [relation_handle(r) for r in relations]

    wanted = asked.get("recent_events")
    count = DEFAULT_RECENT_EVENTS if wanted is None else wanted
    if find_events is not None:
        return View.lazy(graph, partial(find_events, count))
    return View.lazy(graph, lambda: recent_events(log, head, unlogged, count, shown or _shown))


def view_of_graph(
    graph: Graph, spec: dict[str, Any] | None, trigger: Event, *, shown: Callable[[Event], bool] | None = None
) -> View:
    """The view that a behavior of this spec would get of `graph` as it is now; arguments as for `build_view`."""
    return build_view(
        spec,
        projection=graph._projection,
        log=graph._log,
        trigger=trigger,
        sequence=graph._projection.sequence,
        head=graph._log.head,
        unlogged=tuple(graph._recorder.step),
        removals=(),
        shown=shown,
    )


def _as_of(
    spec: dict[str, Any],
    projection: Projection,
    trigger: Event,
    sequence: int,
    removed: list[ObjectState | RelationState],
) -> tuple[list[ObjectState], list[RelationState]]:
    gone_objects = {s.id: s for s in removed if isinstance(s, ObjectState) and s.sequence < sequence}
    gone_relations = [s for s in removed if isinstance(s, RelationState) and s.sequence < sequence]
    around = spec.get("around")
    if around is None:
        objects = [s for s in projection.objects.values() if s.sequence < sequence]
        relations = [s for s in projection.relations.values() if s.sequence < sequence]
        if removed:
            objects = sorted([*objects, *gone_objects.values()], key=lambda s: s.sequence)
            relations = sorted([*relations, *gone_relations], key=lambda s: s.sequence)
        return objects, relations

    def find(id: str) -> ObjectState | None:
        state = projection.objects.get(id)
        if state is None or state.sequence >= sequence:
            return gone_objects.get(id)
        return state

    def touching(node: str) -> Iterable[RelationState]:
        for relation in projection.adjacency.touching(node):
            if relation.sequence < sequence:
                yield relation
        for relation in gone_relations:
            if node in (relation.source, relation.target):
                yield relation

    depth = spec.get("depth")
    return neighborhood(centres(around, trigger), 1 if depth is None else depth, find=find, touching=touching)


def centres(around: str | list[str], trigger: Event) -> list[str]:
    """Ids that `around` stands for; a path into the event that leads to none gives none."""
    paths = [around] if isinstance(around, str) else around
    found = [_resolve(path, trigger) if path.startswith("event.") else path for path in paths]
    return [centre for centre in found if isinstance(centre, str)]


def _resolve(path: str, trigger: Event) -> Any:
    value: Any = trigger
    for part in path.split(".")[1:]:
        value = value.get(part) if isinstance(value, dict) else getattr(value, part, None)
        if value is None:
            return None
    return value


def recent_events(
    log: RunLog, head: int, unlogged: tuple[Event, ...], count: int, shown: Callable[[Event], bool]
) -> list[Event]:
    """The newest `count` events up to position `head` and behind it, of those that are shown."""
    found = [event for event in unlogged if shown(event)]
    stop = head
    while stop > 0 and len(found) < count:
        start = max(1, stop - 2 * count + 1)
        page = [e for e in log.read(start, stop) if shown(e)]
        found = page + found
        stop = start - 1
    return found[max(0, len(found) - count) :] if count else []


def _shown(event: Event) -> bool:
    return not event.type.startswith("runtime.") and event.type != "tool.in_doubt"
