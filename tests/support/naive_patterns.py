"""The oracle of patterns: every assignment is tried in the order of the definition, with no index and no plan."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from activegraph.core.graph import Graph
from activegraph.patterns.syntax import AndExpr, Comparison, Expression, MatchClause, NotExists, NotExpr, Pattern

Element = Any
Assignment = list[Element]
"""Node, relation, node ... of the chain."""


def naive_matches(pattern: Pattern, graph: Graph) -> list[dict[str, str]]:
    """The bindings of all matches, in the order of the definition."""
    found = []
    for assignment in assignments(pattern.match, graph):
        bound = bindings(pattern.match, assignment)
        if bound is not None and (pattern.where is None or holds(pattern.where, bound, graph)):
            found.append({name: element.id for name, element in bound.items()})
    return found


def assignments(chain: MatchClause, graph: Graph) -> Iterator[Assignment]:
    for first in graph.all_objects():
        yield from extended(chain, [first], graph)


def extended(chain: MatchClause, assignment: Assignment, graph: Graph) -> Iterator[Assignment]:
    done = len(assignment) // 2
    node, element = chain.nodes[done], assignment[-1]
    if node.type is not None and element.type != node.type:
        return
    if any(element.data.get(name) != value for name, value in node.properties.items()):
        return
    if done == len(chain.rels):
        yield assignment
        return
    rel = chain.rels[done]
    for relation in graph.all_relations():
        near, far = relation.source, relation.target
        if rel.direction == "left":
            near, far = far, near
        other = graph.get_object(far)
        if relation.type == rel.type and near == element.id and other is not None:
            yield from extended(chain, [*assignment, relation, other], graph)


def bindings(chain: MatchClause, assignment: Assignment) -> dict[str, Element] | None:
    """Elements by variable; None where one variable would stand for two."""
    names = [chain.nodes[0].var]
    for rel, node in zip(chain.rels, chain.nodes[1:], strict=True):
        names += [rel.var, node.var]
    bound: dict[str, Element] = {}
    for name, element in zip(names, assignment, strict=True):
        if name is not None and bound.setdefault(name, element).id != element.id:
            return None
    return bound


def holds(expression: Expression, bound: dict[str, Element], graph: Graph) -> bool:
    if isinstance(expression, AndExpr):
        return all(holds(part, bound, graph) for part in expression.parts)
    if isinstance(expression, NotExpr):
        return not holds(expression.inner, bound, graph)
    if isinstance(expression, NotExists):
        return not any(
            agrees(bindings(expression.sub_match, assignment), bound)
            for assignment in assignments(expression.sub_match, graph)
        )
    return compared(expression, bound)


def agrees(inner: dict[str, Element] | None, outer: dict[str, Element]) -> bool:
    return inner is not None and all(
        name not in outer or outer[name].id == element.id for name, element in inner.items()
    )


def compared(comparison: Comparison, bound: dict[str, Element]) -> bool:
    left = value_of(comparison.left_path, bound)
    right = comparison.right_value if comparison.right_path is None else value_of(comparison.right_path, bound)
    if comparison.op == "=":
        return bool(left == right)
    if comparison.op in ("<>", "!="):
        return bool(left != right)
    if left is None or right is None:
        return False
    try:
        if comparison.op == "<":
            return bool(left < right)
        if comparison.op == "<=":
            return bool(left <= right)
        if comparison.op == ">":
            return bool(left > right)
        return bool(left >= right)
    except TypeError:
        return False


def value_of(path: list[str], bound: dict[str, Element]) -> Any:
    element, names = bound[path[0]], path[1:]
    own = ("id", "type", "version") if hasattr(element, "version") else ("id", "type", "source", "target")
    if not names:
        return element.id
    if names[0] in own:
        return getattr(element, names[0]) if len(names) == 1 else None
    value: Any = element.data
    for name in names[1:] if names[0] == "data" else names:
        value = value.get(name) if isinstance(value, dict) else None
    return value
