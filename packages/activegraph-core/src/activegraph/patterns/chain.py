"""Chains made ready for searching: slots for what is bound, and plans that grow from any element.

A slot is one variable, or one anonymous element; a variable that occurs twice has one slot. A plan
starts with what is known, an element that has changed or the bindings of an outer chain, and
binds the rest of the chain hop by hop. Nothing here looks at a graph.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from activegraph.errors import UnsupportedPatternError
from activegraph.patterns.conditions import Check, Condition, Slots, Variable
from activegraph.patterns.syntax import MatchClause

__all__ = ["Chain", "Entry", "Plan", "Slot", "Step"]

Entry = tuple[Any, ...]
"""A match as it is kept: places in creation order of all its elements, then the ids of its variables.

The first places are those of the first node and of each relation in turn, so that entries sort
in the order of matches.
"""


_NONE: frozenset[int] = frozenset()


@dataclass(slots=True)
class Slot:
    """What one variable or anonymous element may be bound to."""

    name: str | None
    is_link: bool
    type: str | None = None
    properties: list[tuple[str, Any]] = field(default_factory=list)
    is_impossible: bool = False
    """Whether two occurrences ask for different types."""
    fixed_id: str | None = None
    """The one id that the condition admits."""
    constants: list[tuple[tuple[str, ...], Any]] = field(default_factory=list)
    """Paths into the data and the literals that must stand there."""

    def add_constant(self, path: tuple[str, ...], value: Any) -> None:
        """Note what must stand at `path`, if an index can find it."""
        if value is None or isinstance(value, (str, int, float)):
            self.constants.append((path, value))


@dataclass(frozen=True, slots=True)
class Step:
    """One hop: from a bound node over one relation to the next node."""

    origin: int
    link: int
    far: int
    type: str
    is_outgoing: bool
    """Whether the relation's source is the origin."""
    link_known: bool
    far_known: bool
    checks: tuple[Check, ...]
    """Conditions that can be decided after this hop."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How to bind a whole chain from what is known at the start."""

    checks: tuple[Check, ...]
    """Conditions that can be decided at the start."""
    steps: tuple[Step, ...]


class Chain:
    """A compiled chain.

    Attributes:
        slots: What may be bound.
        nodes, links: Slots by position; `links[i]` stands between `nodes[i]` and `nodes[i + 1]`.
        link_types, rightward: Type of each relation, and whether its source is the node before.
        width: Number of places at the head of an entry.
        names: Variables in the order of the ids that follow.
        late_checks: Conditions with NOT EXISTS, which no plan decides.
    """

    def __init__(self, clause: MatchClause) -> None:
        if not clause.nodes or len(clause.rels) != len(clause.nodes) - 1:
            what = f"a chain of {len(clause.nodes)} nodes and {len(clause.rels)} relationships"
            raise UnsupportedPatternError.syntax_error(what=what)
        self.slots: list[Slot] = []
        self.variables: dict[str, Variable] = {}
        self.nodes: list[int] = []
        self.links: list[int] = []
        self.link_types = [rel.type for rel in clause.rels]
        self.rightward = [rel.direction == "right" for rel in clause.rels]
        for place, node in enumerate(clause.nodes):
            if place:
                self.links.append(self._slot(clause.rels[place - 1].var, is_link=True))
            self.nodes.append(self._node(node.var, node.type, node.properties))
        self._conditions: Sequence[Condition] = ()
        self.late_checks: tuple[Check, ...] = ()
        head = [self.nodes[0], *self.links]
        self._order = [*head, *sorted(set(self.nodes) - set(head))]
        self.width = len(self._order)
        self._named = [number for number, slot in enumerate(self.slots) if slot.name is not None]
        self.names = tuple(str(self.slots[number].name) for number in self._named)
        self._node_plans: dict[tuple[int, frozenset[int]], Plan] = {}
        self._link_plans: dict[tuple[int, frozenset[int]], Plan] = {}
        self._nodes_by_type = _by_type((self.slots[number].type, number) for number in dict.fromkeys(self.nodes))
        self._links_by_type = _by_type(
            (type, place) for place, type in enumerate(self.link_types) if self.links.index(self.links[place]) == place
        )

    def add_conditions(self, conditions: Sequence[Condition]) -> None:
        """Let plans decide these as early as they can."""
        self._conditions = conditions
        self.late_checks = tuple(condition.check for condition in conditions if condition.needs_absence)

    def entry(self, slots: Slots) -> Entry:
        """A full assignment as it is kept."""
        return (*[slots[i].sequence for i in self._order], *[slots[i].id for i in self._named])

    def nodes_for(self, type: str) -> Sequence[int]:
        """Node slots that an object of this type may fill."""
        return self._nodes_by_type.get(type, self._nodes_by_type.get(None, ()))

    def places_for(self, type: str) -> Sequence[int]:
        """Relationship positions, one for each slot, that a relation of this type may fill."""
        return self._links_by_type.get(type, ())

    @property
    def node_types(self) -> set[str | None]:
        """Types of objects that can play a part; None for any."""
        return {self.slots[number].type for number in self.nodes}

    def plan_from_node(self, slot: int, known: frozenset[int] = _NONE) -> Plan:
        """The plan that starts with an object in `slot`, and other slots bound already."""
        plan = self._node_plans.get((slot, known))
        if plan is None:
            place = self.nodes.index(slot)
            plan = self._node_plans[slot, known] = self._plan(place, place, {slot, *known})
        return plan

    def plan_from_link(self, place: int, known: frozenset[int] = _NONE) -> Plan:
        """The plan that starts with a relation at this position and both of its ends."""
        plan = self._link_plans.get((place, known))
        if plan is None:
            start = {self.links[place], self.nodes[place], self.nodes[place + 1], *known}
            plan = self._link_plans[place, known] = self._plan(place, place + 1, start)
        return plan

    def route(self, first: int, last: int, targets: frozenset[int]) -> tuple[bool, list[Step]]:
        """The shortest way from nodes `first` to `last` to one of the slots `targets`.

        Returns:
            Whether it leads to the right, and its hops; no hop knows more than where it comes from.
        """
        to_the_right: list[Step] | None = None
        to_the_left: list[Step] | None = None
        steps: list[Step] = []
        for place in range(last, len(self.links)):
            steps.append(self._step(place, rightwards=True, known=set(), checks=()))
            if steps[-1].link in targets or steps[-1].far in targets:
                to_the_right = steps
                break
        steps = []
        for place in range(first - 1, -1, -1):
            steps.append(self._step(place, rightwards=False, known=set(), checks=()))
            if steps[-1].link in targets or steps[-1].far in targets:
                to_the_left = steps
                break
        if to_the_left is None or (to_the_right is not None and len(to_the_right) <= len(to_the_left)):
            return True, to_the_right or []
        return False, to_the_left

    def _plan(self, first: int, last: int, known: set[int]) -> Plan:
        waiting = [condition for condition in self._conditions if not condition.needs_absence]

        def ready() -> tuple[Check, ...]:
            decided = [condition for condition in waiting if condition.slots <= known]
            waiting[:] = [condition for condition in waiting if not condition.slots <= known]
            return tuple(condition.check for condition in decided)

        start = ready()
        steps: list[Step] = []
        while first > 0 or last < len(self.links):
            rightwards = self._prefers_right(first, last, known)
            place = last if rightwards else first - 1
            before = set(known)
            known |= {self.links[place], self.nodes[place], self.nodes[place + 1]}
            steps.append(self._step(place, rightwards=rightwards, known=before, checks=ready()))
            first, last = (first, last + 1) if rightwards else (first - 1, last)
        return Plan(start, tuple(steps))

    def _prefers_right(self, first: int, last: int, known: set[int]) -> bool:
        """Grow where less is to be found: towards what is bound, then towards constants."""
        if first == 0 or last == len(self.links):
            return first == 0
        return self._narrowness(last, last + 1, known) >= self._narrowness(first - 1, first - 1, known)

    def _narrowness(self, place: int, node: int, known: set[int]) -> int:
        if self.links[place] in known:
            return 3
        far = self.nodes[node]
        if far in known:
            return 2
        slot = self.slots[far]
        return 1 if slot.fixed_id is not None or slot.constants else 0

    def _step(self, place: int, *, rightwards: bool, known: set[int], checks: tuple[Check, ...]) -> Step:
        origin, far = (place, place + 1) if rightwards else (place + 1, place)
        return Step(
            origin=self.nodes[origin],
            link=self.links[place],
            far=self.nodes[far],
            type=self.link_types[place],
            is_outgoing=self.rightward[place] == rightwards,
            link_known=self.links[place] in known,
            far_known=self.nodes[far] in known,
            checks=checks,
        )

    def _node(self, var: str | None, type: str | None, properties: dict[str, Any]) -> int:
        number = self._slot(var, is_link=False)
        slot = self.slots[number]
        if type is not None:
            slot.is_impossible = slot.is_impossible or slot.type not in (None, type)
            slot.type = type
        slot.properties += properties.items()
        for name, value in properties.items():
            slot.add_constant((name,), value)
        return number

    def _slot(self, var: str | None, *, is_link: bool) -> int:
        known = None if var is None else self.variables.get(var)
        if known is not None:
            if known.is_link != is_link:
                what = f"variable {var!r} stands for a node and for a relationship"
                raise UnsupportedPatternError.syntax_error(what=what, at=var)
            return known.slot
        number = len(self.slots)
        self.slots.append(Slot(var, is_link))
        if var is not None:
            self.variables[var] = Variable(number, is_link)
        return number


def _by_type(pairs: Iterable[tuple[str | None, int]]) -> dict[str | None, list[int]]:
    """What an element of a type may fill; what any type may fill stands under every type."""
    found = list(pairs)
    types = dict.fromkeys(type for type, _ in found)
    return {type: [number for asked, number in found if asked in (None, type)] for type in types}
