"""Indexes over the projection's elements: relations by what they touch, objects by a value of theirs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from activegraph.core.change_log import ChangeLog
from activegraph.core.state import ObjectState, RelationState

__all__ = ["Adjacency", "LinkIndex", "ValueIndex", "value_at"]


class Adjacency:
    """Relations by the node that they touch, in creation order."""

    def __init__(self, relations: Iterator[RelationState]) -> None:
        self.outgoing: dict[str, dict[str, RelationState]] = {}
        self.incoming: dict[str, dict[str, RelationState]] = {}
        for relation in relations:
            self.add(relation)

    def add(self, relation: RelationState) -> None:
        self.outgoing.setdefault(relation.source, {})[relation.id] = relation
        self.incoming.setdefault(relation.target, {})[relation.id] = relation

    def drop(self, relation: RelationState) -> None:
        for index, node in ((self.outgoing, relation.source), (self.incoming, relation.target)):
            touching = index[node]
            del touching[relation.id]
            if not touching:
                del index[node]

    def touching(self, node: str) -> Iterator[RelationState]:
        """Relations with `node` at either end; a loop comes once."""
        out = self.outgoing.get(node)
        if out is not None:
            yield from out.values()
        into = self.incoming.get(node)
        if into is not None:
            for relation in into.values():
                if relation.source != node:
                    yield relation


_Links = dict[tuple[str, str], RelationState | dict[str, RelationState]]


class LinkIndex:
    """Relations by node, type and direction: one hop of a pattern costs one look-up.

    Most nodes have one relation of a type and direction, which then stands for itself.
    """

    def __init__(self, relations: Iterable[RelationState]) -> None:
        self._outgoing: _Links = {}
        self._incoming: _Links = {}
        for relation in relations:
            self.add(relation)

    def add(self, relation: RelationState) -> None:
        _put(self._outgoing, (relation.source, relation.type), relation)
        _put(self._incoming, (relation.target, relation.type), relation)

    def drop(self, relation: RelationState) -> None:
        _take(self._outgoing, (relation.source, relation.type), relation)
        _take(self._incoming, (relation.target, relation.type), relation)

    def leaving(self, node: str, type: str) -> Collection[RelationState]:
        """Relations of this type whose source is `node`."""
        return _found(self._outgoing.get((node, type)))

    def entering(self, node: str, type: str) -> Collection[RelationState]:
        """Relations of this type whose target is `node`."""
        return _found(self._incoming.get((node, type)))


def _put(links: _Links, key: tuple[str, str], relation: RelationState) -> None:
    there = links.get(key)
    if there is None:
        links[key] = relation
    elif isinstance(there, dict):
        there[relation.id] = relation
    else:
        links[key] = {there.id: there, relation.id: relation}


def _take(links: _Links, key: tuple[str, str], relation: RelationState) -> None:
    there = links[key]
    if isinstance(there, dict):
        del there[relation.id]
        if there:
            return
    del links[key]


def _found(there: RelationState | dict[str, RelationState] | None) -> Collection[RelationState]:
    if there is None:
        return ()
    if isinstance(there, dict):
        return there.values()
    return (there,)


class ValueIndex:
    """Objects of one type by the value that their data holds at one path.

    It catches up with the graph when it is asked, so patches are not decoded for it one by one.
    Values that cannot be hashed are left out: no literal of a pattern equals one.

    Args:
        path: Keys from the data inward; a missing value is None.
    """

    def __init__(self, path: tuple[str, ...], changes: ChangeLog) -> None:
        self._path = path
        self._changes = changes
        self._read_to = -1
        self._by_value: dict[Any, dict[int, ObjectState]] = {}
        self._value_of: dict[int, Any] = {}

    def catch_up(self, type: str, objects: Mapping[str, ObjectState]) -> None:
        """Take in what has happened since.

        Args:
            objects: All objects of `type`, should too much have happened.
        """
        if self._read_to == self._changes.head:
            return
        changes = None if self._read_to < 0 else self._changes.since(self._read_to)
        self._read_to = self._changes.head
        if changes is None:
            self._by_value.clear()
            self._value_of.clear()
            for state in objects.values():
                self._add(state)
            return
        for change in changes:
            changed = change.state
            if changed.type != type or not isinstance(changed, ObjectState):
                continue
            self._drop(changed)
            if objects.get(changed.id) is changed:
                self._add(changed)

    def equal_to(self, value: Any) -> Collection[ObjectState]:
        """Objects that hold a value equal to this hashable one, in no order."""
        found = self._by_value.get(value)
        return () if found is None else found.values()

    def _add(self, state: ObjectState) -> None:
        value = value_at(state.data(), self._path)
        try:
            holders = self._by_value.setdefault(value, {})
        except TypeError:
            return
        holders[state.sequence] = state
        self._value_of[state.sequence] = value

    def _drop(self, state: ObjectState) -> None:
        if state.sequence not in self._value_of:
            return
        value = self._value_of.pop(state.sequence)
        holders = self._by_value[value]
        del holders[state.sequence]
        if not holders:
            del self._by_value[value]


def value_at(data: Any, path: tuple[str, ...]) -> Any:
    """The value inside nested dicts; None where there is none."""
    for key in path:
        if type(data) is not dict:
            return None
        data = data.get(key)
    return data
