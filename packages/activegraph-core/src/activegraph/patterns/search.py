"""Searching one graph, as it is now, for assignments of a chain.

A search grows from what is known over the graph's indexes, hop by hop, and gives up a branch as
soon as a condition fails. It lives for one question or one catching up: the graph must not change
while it is used.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import chain as joined
from typing import TYPE_CHECKING

from activegraph.core.indexes import value_at
from activegraph.core.projection import Projection
from activegraph.core.state import ObjectState, RelationState
from activegraph.patterns.chain import Chain, Plan, Slot, Step
from activegraph.patterns.conditions import Slots, is_equal

if TYPE_CHECKING:
    from activegraph.patterns.matcher import Absence

__all__ = ["Search"]

_FEW = 32
"""Candidates up to which looking for a narrower index costs more than it saves."""

State = ObjectState | RelationState

_NOTHING: Iterator[Slots] = iter(())


class Search:
    """Finds assignments in one projection.

    Args:
        absences: The NOT EXISTS of the pattern, by number.
        keeps_indexes: Whether indexes by value may be made, which the projection then keeps; for
            who will search again.
    """

    def __init__(self, projection: Projection, absences: Iterable[Absence], *, keeps_indexes: bool) -> None:
        self.projection = projection
        self.settled: dict[int, bool] = {}
        """Absences that do not depend on the outer bindings, once they are known."""
        self._objects = projection.objects
        self._links = projection.links
        self._absences = tuple(absences)
        self._keeps_indexes = keeps_indexes

    def all(self, chain: Chain, *, narrow: bool = False) -> Iterator[Slots]:
        """Every assignment, in no order; conditions with NOT EXISTS are left to `holds`.

        Args:
            narrow: Start with an index by value where there are many objects to look through.
        """
        objects = [(self._objects_for(chain.slots[slot], narrow), slot) for slot in dict.fromkeys(chain.nodes)]
        relations = [
            (self.projection.relations_of_type(type).values(), chain.links.index(chain.links[place]))
            for place, type in enumerate(chain.link_types)
        ]
        fewest, slot = min(objects, key=lambda found: len(found[0]))
        fewest_links, place = min(relations, key=lambda found: len(found[0]), default=(None, 0))
        if fewest_links is None or len(fewest) <= len(fewest_links):
            for state in fewest:
                yield from self.with_object(chain, slot, state)
        else:
            for relation in fewest_links:
                yield from self.with_relation(chain, place, relation)

    def with_object(self, chain: Chain, slot: int, state: ObjectState) -> Iterator[Slots]:
        """Every assignment that has this object in a node slot."""
        if not self.admits(chain.slots[slot], state):
            return _NOTHING
        slots: Slots = [None] * len(chain.slots)
        slots[slot] = state
        return self._complete(chain, chain.plan_from_node(slot), slots)

    def with_relation(self, chain: Chain, place: int, relation: RelationState) -> Iterator[Slots]:
        """Every assignment that has this relation at a position."""
        slots: Slots = [None] * len(chain.slots)
        if not self._stretch(chain, place, relation, slots):
            return _NOTHING
        return self._complete(chain, chain.plan_from_link(place), slots)

    def agreeing(self, chain: Chain, bound: Mapping[int, State]) -> Iterator[Slots]:
        """Every assignment that has these elements, at least one, in these slots."""
        slots: Slots = [None] * len(chain.slots)
        link: int | None = None
        for slot, state in bound.items():
            slots[slot] = state
            if not isinstance(state, ObjectState):
                link = slot
            elif not self.admits(chain.slots[slot], state):
                return _NOTHING
        known = frozenset(bound)
        if link is not None:
            place = chain.links.index(link)
            if not self._stretch(chain, place, slots[link], slots):
                return _NOTHING
            return self._complete(chain, chain.plan_from_link(place, known), slots)
        plans = [chain.plan_from_node(slot, known) for slot in bound]
        plan = plans[0] if len(plans) == 1 else min(plans, key=lambda plan: self._first_hops(plan, slots))
        return self._complete(chain, plan, slots)

    def holds(self, chain: Chain, slots: Slots) -> bool:
        """Whether a full assignment meets the conditions with NOT EXISTS too."""
        for check in chain.late_checks:  # noqa: SIM110  # a generator costs more than most checks
            if not check(slots, self):
                return False
        return True

    def is_absent(self, number: int, slots: Slots) -> bool:
        """Whether nothing that the numbered NOT EXISTS speaks of agrees with these bindings."""
        absence = self._absences[number]
        if absence.shared:
            bound = {inner: slots[outer] for outer, inner in absence.shared}
            return next(self.agreeing(absence.chain, bound), None) is None
        if number not in self.settled:
            self.settled[number] = next(self.all(absence.chain, narrow=True), None) is None
        return self.settled[number]

    def admits(self, slot: Slot, state: ObjectState) -> bool:
        """Whether this object, by itself, may stand in a node slot."""
        if (slot.type is not None and slot.type != state.type) or slot.is_impossible:
            return False
        if not slot.properties:
            return True
        data = state.data()
        return all(is_equal(value_at(data, (name,)), value) for name, value in slot.properties)

    def _stretch(self, chain: Chain, place: int, relation: RelationState, slots: Slots) -> bool:
        """Bind a relation and both of its ends, if they agree with what is bound."""
        if relation.type != chain.link_types[place]:
            return False
        before, after = self._objects.get(relation.source), self._objects.get(relation.target)
        if not chain.rightward[place]:
            before, after = after, before
        slots[chain.links[place]] = relation
        for slot, state in ((chain.nodes[place], before), (chain.nodes[place + 1], after)):
            if state is None:
                return False
            if slots[slot] is None and self.admits(chain.slots[slot], state):
                slots[slot] = state
            elif slots[slot] is not state:
                return False
        return True

    def _complete(self, chain: Chain, plan: Plan, slots: Slots) -> Iterator[Slots]:
        """Bind the rest of a chain in every way; the same list is filled each time."""
        for check in plan.checks:
            if not check(slots, self):
                return
        steps = plan.steps
        if not steps:
            yield slots
            return
        trail = [iter(self._candidates(chain, steps[0], slots))]
        while trail:
            step = steps[len(trail) - 1]
            for relation in trail[-1]:
                if not self._take(chain, step, relation, slots):
                    continue
                if len(trail) == len(steps):
                    yield slots
                    continue
                trail.append(iter(self._candidates(chain, steps[len(trail)], slots)))
                break
            else:
                trail.pop()

    def _take(self, chain: Chain, step: Step, relation: RelationState, slots: Slots) -> bool:
        """Bind one hop, if everything about it holds."""
        near, far = relation.source, relation.target
        if not step.is_outgoing:
            near, far = far, near
        if near != slots[step.origin].id:
            return False
        state = self._objects.get(far)
        if state is None:
            return False
        if step.far_known:
            if slots[step.far] is not state:
                return False
        elif self.admits(chain.slots[step.far], state):
            slots[step.far] = state
        else:
            return False
        slots[step.link] = relation
        for check in step.checks:  # noqa: SIM110  # a generator costs more than most checks
            if not check(slots, self):
                return False
        return True

    def _candidates(self, chain: Chain, step: Step, slots: Slots) -> Iterable[RelationState]:
        """Relations that a hop may take, from the end where there are fewer."""
        if step.link_known:
            relation: RelationState = slots[step.link]
            return (relation,) if relation.type == step.type else ()
        there = self._hops(slots[step.origin].id, step)
        if len(there) <= _FEW:
            return there
        far = chain.slots[step.far]
        fixed = slots[step.far].id if step.far_known else far.fixed_id
        if fixed is not None:
            back = self._hops_back(fixed, step)
            return back if len(back) < len(there) else there
        return self._hops_to_constant(far, step, there)

    def _hops_to_constant(self, far: Slot, step: Step, there: Collection[RelationState]) -> Iterable[RelationState]:
        index = self._narrowest(far)
        if index is None or len(index) >= len(there):
            return there
        back = [self._hops_back(state.id, step) for state in index]
        return joined.from_iterable(back) if sum(map(len, back)) < len(there) else there

    def _hops(self, node: str, step: Step) -> Collection[RelationState]:
        return self._links.leaving(node, step.type) if step.is_outgoing else self._links.entering(node, step.type)

    def _hops_back(self, node: str, step: Step) -> Collection[RelationState]:
        return self._links.entering(node, step.type) if step.is_outgoing else self._links.leaving(node, step.type)

    def _first_hops(self, plan: Plan, slots: Slots) -> int:
        return len(self._hops(slots[plan.steps[0].origin].id, plan.steps[0])) if plan.steps else 0

    def _objects_for(self, slot: Slot, narrow: bool) -> Collection[ObjectState]:
        """Objects among which are all that may stand in a node slot."""
        if slot.fixed_id is not None:
            state = self._objects.get(slot.fixed_id)
            return () if state is None else (state,)
        if slot.type is None:
            return self._objects.values()
        typed = self.projection.objects_of_type(slot.type).values()
        if not narrow or len(typed) <= _FEW:
            return typed
        constant = self._narrowest(slot)
        return typed if constant is None else constant

    def _narrowest(self, slot: Slot) -> Collection[ObjectState] | None:
        """Objects with one of the slot's constants, by the constant that fewest have; None without an index."""
        if slot.type is None or not slot.constants or not self._keeps_indexes:
            return None
        by_value = self.projection.objects_by_value
        return min((by_value(slot.type, path).equal_to(value) for path, value in slot.constants), key=len)
