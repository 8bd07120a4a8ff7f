"""Builds views: the graph as of one moment, found out when somebody looks."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

from activegraph.core.elements import Object, Relation, object_handle, relation_handle
from activegraph.core.event import Event
from activegraph.core.log import RunLog
from activegraph.core.neighborhood import neighborhood
from activegraph.core.projection import Projection
from activegraph.core.record import EventBatch, EventRecord
from activegraph.core.slices import BuiltSlice, Slice, WholeGraph
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
    unlogged: Sequence[EventRecord] = (),
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
    shown_part = _slice(asked, projection, trigger, sequence, removals, reporter)
    wanted = asked.get("recent_events")
    count = DEFAULT_RECENT_EVENTS if wanted is None else wanted
    if find_events is not None:
        return View.lazy(shown_part, partial(find_events, count))
    return View.lazy(shown_part, lambda: recent_events(log, head, unlogged, count, shown or _shown))


def _slice(
    spec: dict[str, Any],
    projection: Projection,
    trigger: Event,
    sequence: int,
    removals: Iterable[ObjectState | RelationState],
    reporter: Callable[[int, int, float], None] | None,
) -> Slice:
    """The graph around the view's centre, or all of it, which is counted for the DEBUG line only."""
    around, types = spec.get("around"), spec.get("include_types")
    whole = WholeGraph(projection, sequence, removals, types)
    report = reporter if _logger.isEnabledFor(logging.DEBUG) else None
    if around is None and report is None:
        return whole

    def build() -> tuple[list[Object], list[Relation]]:
        began = 0.0 if report is None else perf_counter()
        if around is None:
            built = whole.objects(None), whole.relations(None, None, None)
        else:
            depth = spec.get("depth")
            near, relations = _around(centres(around, trigger), depth, projection, sequence, list(removals))
            shown = near if types is None else [state for state in near if state.type in types]
            built = [object_handle(o) for o in shown], [relation_handle(r) for r in relations]
        if report is not None:
            report(len(built[0]), len(built[1]), perf_counter() - began)
        return built

    return BuiltSlice(build)


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


def _around(
    middle: list[str],
    depth: int | None,
    projection: Projection,
    sequence: int,
    removed: list[ObjectState | RelationState],
) -> tuple[list[ObjectState], list[RelationState]]:
    gone_objects = {s.id: s for s in removed if isinstance(s, ObjectState) and s.sequence < sequence}
    gone_relations = [s for s in removed if isinstance(s, RelationState) and s.sequence < sequence]

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

    return neighborhood(middle, 1 if depth is None else depth, find=find, touching=touching)


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
    log: RunLog, head: int, unlogged: Sequence[EventRecord], count: int, shown: Callable[[Event], bool]
) -> list[Event]:
    """The newest `count` events up to position `head` and behind it, of those that are shown."""
    found = [event for event in EventBatch(unlogged) if shown(event)]
    stop = head
    while stop > 0 and len(found) < count:
        start = max(1, stop - 2 * count + 1)
        page = [e for e in log.read(start, stop) if shown(e)]
        found = page + found
        stop = start - 1
    return found[max(0, len(found) - count) :] if count else []


def _shown(event: Event) -> bool:
    return not event.type.startswith("runtime.") and event.type != "tool.in_doubt"
