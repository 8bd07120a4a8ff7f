"""WHERE as functions: a parsed condition compiled over the slots of a chain."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from activegraph.core.indexes import value_at
from activegraph.errors import UnsupportedPatternError, internal_bug_fields
from activegraph.patterns.syntax import AndExpr, Comparison, Expression, NotExists, NotExpr

__all__ = [
    "Absent",
    "Check",
    "Condition",
    "ConditionCompiler",
    "FieldRead",
    "Slots",
    "Variable",
    "conjuncts",
    "data_keys",
    "is_equal",
]

Slots = list[Any]
"""States of the elements that an assignment has bound so far, by slot."""


class Absent(Protocol):
    """Answers NOT EXISTS on the graph that is being searched."""

    def is_absent(self, number: int, slots: Slots) -> bool:
        """Whether no assignment of the pattern's sub-chain of this number agrees with `slots`."""


Check = Callable[[Slots, Absent], bool]


@dataclass(frozen=True, slots=True)
class Variable:
    """What a name in a path stands for."""

    slot: int
    is_link: bool


@dataclass(frozen=True, slots=True)
class Condition:
    """One part of a conjunction, and what must be bound before it can be decided."""

    check: Check
    slots: frozenset[int]
    needs_absence: bool


@dataclass(frozen=True, slots=True)
class FieldRead:
    """A field of an object that a condition looks at; None for its version or its data as a whole."""

    slot: int
    field: str | None


def conjuncts(where: Expression | None) -> list[Expression]:
    """The parts of a condition that must all hold, none of them an AND."""
    if where is None:
        return []
    if isinstance(where, AndExpr) and where.parts:
        return [part for parts in where.parts for part in conjuncts(parts)]
    return [where]


def is_equal(left: Any, right: Any) -> bool:
    """Equality of two values of the graph; null is a value like any other."""
    try:
        return bool(left == right)
    except ArithmeticError:  # a signaling NaN equals nothing
        return False


def _differs(left: Any, right: Any) -> bool:
    return not is_equal(left, right)


def _ordered(compare: Callable[[Any, Any], Any]) -> Callable[[Any, Any], bool]:
    def holds(left: Any, right: Any) -> bool:
        if left is None or right is None:
            return False
        try:
            return bool(compare(left, right))
        except (TypeError, ArithmeticError):
            return False

    return holds


_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": is_equal,
    "<>": _differs,
    "!=": _differs,
    "<": _ordered(operator.lt),
    "<=": _ordered(operator.le),
    ">": _ordered(operator.gt),
    ">=": _ordered(operator.ge),
}

_OBJECT_FIELDS = frozenset({"id", "type", "version"})
_RELATION_FIELDS = frozenset({"id", "type", "source", "target"})


class ConditionCompiler:
    """Compiles the condition of one pattern, and notes what it looks at.

    Args:
        variables: Of the chain.
        number_of: Gives the number under which a sub-chain's absence is asked for.
    """

    def __init__(self, variables: Mapping[str, Variable], number_of: Callable[[NotExists], int]) -> None:
        self._variables = variables
        self._number_of = number_of
        self.reads: set[FieldRead] = set()

    def condition(self, expression: Expression) -> Condition:
        """Compile one part of the conjunction.

        Raises:
            UnsupportedPatternError: An expression that the parser cannot have made.
        """
        slots: set[int] = set()
        absences: list[int] = []
        check = self._check(expression, slots, absences)
        return Condition(check, frozenset(slots), bool(absences))

    def _check(self, expression: Expression, slots: set[int], absences: list[int]) -> Check:
        match expression:
            case Comparison():
                return self._comparison(expression, slots)
            case NotExpr(inner):
                holds = self._check(inner, slots, absences)
                return lambda bound, graph: not holds(bound, graph)
            case AndExpr(parts) if parts:
                checks = [self._check(part, slots, absences) for part in parts]
                return lambda bound, graph: all(check(bound, graph) for check in checks)
            case NotExists():
                number = self._number_of(expression)
                absences.append(number)
                return lambda bound, graph: graph.is_absent(number, bound)
        raise _impossible(f"expression {expression!r}")

    def _comparison(self, comparison: Comparison, slots: set[int]) -> Check:
        compare = _OPERATORS.get(comparison.op)
        if compare is None:
            raise _impossible(f"operator {comparison.op!r}")
        left = self._reader(comparison.left_path, slots)
        if comparison.right_path is None:
            literal = comparison.right_value
            return lambda bound, graph: compare(left(bound), literal)
        right = self._reader(comparison.right_path, slots)
        return lambda bound, graph: compare(left(bound), right(bound))

    def _reader(self, path: list[str], slots: set[int]) -> Callable[[Slots], Any]:
        name, *rest = path or [""]
        variable = self._variables.get(name)
        if variable is None:
            what = f"variable {name!r} is not bound by the chain"
            raise UnsupportedPatternError.syntax_error(what=what, at=name)
        slot = variable.slot
        slots.add(slot)
        fields = _RELATION_FIELDS if variable.is_link else _OBJECT_FIELDS
        first = rest[0] if rest else "id"
        if first in fields:
            if len(rest) > 1:
                return lambda bound: None
            if first == "version":
                self.reads.add(FieldRead(slot, None))
            read = operator.attrgetter(first)
            return lambda bound: read(bound[slot])
        keys = data_keys(rest)
        if not variable.is_link:
            self.reads.add(FieldRead(slot, keys[0] if keys else None))
        return lambda bound: value_at(bound[slot].data(), keys)


def data_keys(names: list[str]) -> tuple[str, ...]:
    """Keys from the data inward for the names after a variable; `data` itself may be left out."""
    return tuple(names[1:] if names[0] == "data" else names)


def _impossible(what: str) -> UnsupportedPatternError:
    return UnsupportedPatternError(
        **internal_bug_fields(
            summary=f"pattern condition: impossible {what}",
            what_happened=f"Compiling the condition of a pattern: {what} is none that the parser makes.",
            why_invariant="A condition is made of comparisons, AND, NOT and NOT EXISTS, and of nothing else.",
            location="activegraph.patterns.conditions",
        )
    )
