"""What a stretch of changes comes to, and whom it can concern beyond the elements themselves."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from activegraph.core.change_log import Change
from activegraph.core.projection import Projection
from activegraph.core.state import ObjectState, RelationState
from activegraph.patterns.chain import Chain, Step
from activegraph.patterns.search import Search, State

if TYPE_CHECKING:
    from activegraph.patterns.matcher import Absence

__all__ = ["Disturbance"]


class Disturbance:
    """The net of some changes: an element that came and went again in between counts for nothing.

    Args:
        changes: Those that concern the pattern, in order.
        projection: The graph after them.
    """

    def __init__(self, changes: Iterable[Change], projection: Projection) -> None:
        self._projection = projection
        self._links = projection.links
        self.came: list[State] = []
        self.patched: list[State] = []
        self.lost: list[State] = []
        first: dict[int, Change] = {}
        for change in changes:
            first.setdefault(change.state.sequence, change)
        for change in first.values():
            state, is_new = change.state, change.kind == "created"
            if self._is_alive(state):
                (self.came if is_new else self.patched).append(state)
            elif not is_new:
                self.lost.append(state)
        self._unsure: frozenset[str] | None = None
        """Ids of changed objects, once they are needed."""

    def __len__(self) -> int:
        return len(self.came) + len(self.patched) + len(self.lost)

    def bindings_in_doubt(self, absence: Absence, search: Search) -> Iterable[Mapping[int, State]]:
        """Outer bindings for which a NOT EXISTS may have changed its answer, by slot of the outer chain.

        Whatever has appeared or disappeared under it contains changed elements. So each of these is
        followed from every position that it can take along the sub-chain to the nearest element
        that both chains share. Relations of now suffice: on the way from the changed element that
        is nearest, nothing has changed.
        """
        if self._unsure is None:
            changed = (*self.came, *self.patched, *self.lost)
            self._unsure = frozenset(state.id for state in changed if isinstance(state, ObjectState))
        outer_of = {inner: outer for outer, inner in absence.shared}
        found: dict[tuple[int, ...], Mapping[int, State]] = {}
        for state in (*self.came, *self.patched, *self.lost):
            if isinstance(state, ObjectState):
                reached = self._from_object(absence.chain, outer_of, state, search)
            else:
                reached = self._from_relation(absence.chain, outer_of, state, search)
            for inner in reached:
                bound = {outer_of[slot]: element for slot, element in inner.items()}
                found[tuple(part for slot, element in bound.items() for part in (slot, element.sequence))] = bound
        return found.values()

    def _from_object(
        self, chain: Chain, shared: Mapping[int, int], state: ObjectState, search: Search
    ) -> Iterator[Mapping[int, State]]:
        fitting = chain.nodes_for(state.type)
        for place, slot in enumerate(chain.nodes):
            if slot not in fitting:
                continue
            if slot not in shared:
                yield from self._walk(chain, shared, (place, state.id), (place, state.id), search)
            elif self._is_alive(state):
                yield {slot: state}

    def _from_relation(
        self, chain: Chain, shared: Mapping[int, int], state: RelationState, search: Search
    ) -> Iterator[Mapping[int, State]]:
        for place, type in enumerate(chain.link_types):
            if type != state.type:
                continue
            ends = (state.source, state.target) if chain.rightward[place] else (state.target, state.source)
            slots = (chain.nodes[place], chain.nodes[place + 1])
            if not all(self._may_stand(chain, slot, end, search) for slot, end in zip(slots, ends, strict=True)):
                continue
            near: dict[int, State | None] = {
                slot: self._projection.objects.get(end) for slot, end in zip(slots, ends, strict=True)
            }
            near[chain.links[place]] = state if self._is_alive(state) else None
            bound = {slot: element for slot, element in near.items() if slot in shared}
            if not bound:
                yield from self._walk(chain, shared, (place, ends[0]), (place + 1, ends[1]), search)
            elif None not in bound.values():
                yield {slot: element for slot, element in bound.items() if element is not None}

    def _walk(
        self,
        chain: Chain,
        shared: Mapping[int, int],
        first: tuple[int, str],
        last: tuple[int, str],
        search: Search,
    ) -> Iterator[Mapping[int, State]]:
        """Elements in the nearest shared slot that can be reached from a stretch of the chain."""
        rightwards, steps = chain.route(first[0], last[0], frozenset(shared))
        frontier = {last[1] if rightwards else first[1]}
        for step in steps:
            hops = [hop for node in frontier for hop in self._hops(node, step)]
            if step.link in shared:
                yield from ({step.link: hop} for hop in hops)
                return
            ends = {hop.target if step.is_outgoing else hop.source for hop in hops}
            frontier = {end for end in ends if self._may_stand(chain, step.far, end, search)}
            if step.far in shared:
                objects = map(self._projection.objects.get, frontier)
                yield from ({step.far: state} for state in objects if state is not None)
                return

    def _hops(self, node: str, step: Step) -> Collection[RelationState]:
        return self._links.leaving(node, step.type) if step.is_outgoing else self._links.entering(node, step.type)

    def _may_stand(self, chain: Chain, slot: int, node: str, search: Search) -> bool:
        """Whether this object stands in a slot, or has stood there before it changed."""
        if node in (self._unsure or ()):
            return True
        state = self._projection.objects.get(node)
        return state is not None and search.admits(chain.slots[slot], state)

    def _is_alive(self, state: State) -> bool:
        if isinstance(state, ObjectState):
            return self._projection.objects.get(state.id) is state
        return self._projection.relations.get(state.id) is state
