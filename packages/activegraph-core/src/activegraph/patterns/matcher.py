"""A compiled pattern, and the matches that it gives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from activegraph.core.state import ObjectState
from activegraph.errors import UnsupportedPatternError
from activegraph.patterns.chain import Chain, Entry
from activegraph.patterns.conditions import ConditionCompiler, FieldRead, conjuncts, data_keys
from activegraph.patterns.search import Search
from activegraph.patterns.syntax import Comparison, Expression, NotExists, Pattern

if TYPE_CHECKING:
    from activegraph.core.change_log import Change
    from activegraph.core.event import Event
    from activegraph.core.graph import Graph

__all__ = ["Absence", "Match", "PatternMatcher"]


@dataclass(frozen=True)
class Match:
    """One way in which a pattern fits the graph.

    Attributes:
        bindings: Object ids for node variables and relation ids for relationship variables, by
            name; anonymous elements bind nothing.
    """

    bindings: dict[str, str]

    def __getitem__(self, name: str) -> str:
        return self.bindings[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.bindings)

    def __contains__(self, name: object) -> bool:
        return name in self.bindings

    def __hash__(self) -> int:
        return hash(frozenset(self.bindings.items()))

    def get(self, name: str, default: Any = None) -> Any:
        """The id that `name` is bound to, or `default`."""
        return self.bindings.get(name, default)


@dataclass(frozen=True, slots=True)
class Absence:
    """One compiled NOT EXISTS.

    Attributes:
        shared: Pairs of slots, of the outer chain and of this one, that stand for the same variable.
    """

    chain: Chain
    shared: tuple[tuple[int, int], ...]


class PatternMatcher:
    """A pattern compiled once, for any number of graphs.

    Attributes:
        pattern: What was compiled.
        chain: The compiled chain with its conditions.
        absences: Its NOT EXISTS, by number.
    """

    def __init__(self, pattern: Pattern) -> None:
        self.pattern = pattern
        self.chain = Chain(pattern.match)
        self.absences: list[Absence] = []
        parts = conjuncts(pattern.where)
        compiler = ConditionCompiler(self.chain.variables, self._add_absence)
        for part in parts:
            self._note_constant(part)
        self.chain.add_conditions([compiler.condition(part) for part in parts])
        chains = [self.chain, *(absence.chain for absence in self.absences)]
        self._link_types = frozenset(type for chain in chains for type in chain.link_types)
        self._takes_any_object = any(None in chain.node_types for chain in chains)
        self._reads = _reads_by_type(chains, compiler.reads)

    @property
    def source(self) -> str:
        """The text of the pattern."""
        return self.pattern.source

    def matches(self, event: Event | None, graph: Graph) -> list[Match]:
        """All matches in the graph as it is now, in creation order.

        Cost follows the graph, not what changed: a runtime keeps its matches instead.

        Args:
            event: Does not narrow the result.
        """
        search = Search(graph._projection, self.absences, keeps_indexes=False)
        return [self.match(entry) for entry in sorted(self.entries(search))]

    def entries(self, search: Search) -> Iterator[Entry]:
        """All matches as they are kept, in no order."""
        chain = self.chain
        for slots in search.all(chain):
            if search.holds(chain, slots):
                yield chain.entry(slots)

    def match(self, entry: Entry) -> Match:
        """A kept match as users see it."""
        return Match(dict(zip(self.chain.names, entry[self.chain.width :], strict=True)))

    def concerns(self, change: Change) -> bool:
        """Whether a change can make a difference; False only if it cannot."""
        state = change.state
        if not isinstance(state, ObjectState):
            return state.type in self._link_types
        if not self._takes_any_object and state.type not in self._reads:
            return False
        if change.kind != "patched":
            return True
        fields = self._reads.get(state.type, self._reads[None])
        return fields is None or (bool(fields) and change.touches(fields))

    def _add_absence(self, expression: NotExists) -> int:
        chain = Chain(expression.sub_match)
        shared = []
        for name, inner in chain.variables.items():
            outer = self.chain.variables.get(name)
            if outer is None:
                continue
            if outer.is_link != inner.is_link:
                what = f"variable {name!r} stands for a node and for a relationship"
                raise UnsupportedPatternError.syntax_error(what=what, at=name)
            shared.append((outer.slot, inner.slot))
        self.absences.append(Absence(chain, tuple(shared)))
        return len(self.absences) - 1

    def _note_constant(self, part: Expression) -> None:
        """Let plans know of an equality with a literal, which an index can find."""
        if not isinstance(part, Comparison) or part.op != "=" or part.right_path is not None or not part.left_path:
            return
        variable = self.chain.variables.get(part.left_path[0])
        if variable is None or variable.is_link:
            return
        slot, names = self.chain.slots[variable.slot], part.left_path[1:]
        if names in ([], ["id"]):
            if isinstance(part.right_value, str):
                slot.fixed_id = part.right_value
        elif names[0] not in ("id", "type", "version"):
            slot.add_constant(data_keys(names), part.right_value)


def _reads_by_type(chains: list[Chain], reads: set[FieldRead]) -> dict[str | None, frozenset[str] | None]:
    """Fields of the data that a pattern looks at, by type of object; None for all of it and the version.

    What it looks at in objects of any type stands under every type, and under None by itself.
    """
    outer = chains[0].slots
    seen: list[tuple[str | None, str | None]] = [(outer[read.slot].type, read.field) for read in reads]
    for chain in chains:
        for number in chain.nodes:
            slot = chain.slots[number]
            seen += [(slot.type, name) for name, _ in slot.properties]
    by_type: dict[str | None, frozenset[str] | None] = {}
    for type in {None, *(type for chain in chains for type in chain.node_types)}:
        fields = {name for asked, name in seen if asked in (None, type)}
        by_type[type] = None if None in fields else frozenset(name for name in fields if name is not None)
    return by_type


for _public in (Match, PatternMatcher):
    _public.__module__ = "activegraph.runtime.patterns"
