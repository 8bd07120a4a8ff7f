"""Who reacts to what: the behaviors of a run, indexed by event type.

An event reaches only the behaviors that name its type or that take any, so behaviors subscribed
to other types cost nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from activegraph.behaviors.kinds import asks_model, is_about_relations
from activegraph.core.where import Where, compile_where
from activegraph.errors import InvalidArgumentType
from activegraph.errors.base import shown
from activegraph.runtime.queue import SUBSCRIBABLE, is_internal

if TYPE_CHECKING:
    from activegraph.behaviors.base import AnyBehavior

__all__ = ["Subscriber", "Subscriptions"]


_MOST_TYPES = 4096
"""How many event types are remembered; a run may make up any number of them."""


class Subscriber:
    """One registered behavior with what matching it needs, worked out once."""

    def __init__(self, behavior: AnyBehavior, index: int, ordinal: int | None) -> None:
        self.behavior = behavior
        self.name = behavior.name
        self.index = index
        self.ordinal = ordinal
        """Place among the behaviors of this name, where several share it."""
        self.asks_model = asks_model(behavior)
        self.relation_type = behavior.relation_type if is_about_relations(behavior) else None
        self.types = None if not behavior.on or "*" in behavior.on else frozenset(behavior.on)
        self.named = frozenset(behavior.on)
        self.where: Where | None = compile_where(behavior.where) if behavior.where else None
        self.delay: int | None = behavior.activate_after
        self.matcher: Any = _checked_matcher(behavior)
        """The compiled pattern, None without one."""
        self.pattern = behavior.pattern
        self.mark_begin = b'{"behavior":%b,"event_id":' % msgspec.json.encode(behavior.name)
        self.mark_end = b"}" if ordinal is None else b',"ordinal":%d}' % ordinal
        """How the marks of this behavior begin and end."""

    def takes(self, event_type: str) -> bool:
        """Whether events of this type come to it at all."""
        if is_internal(event_type):
            return event_type in SUBSCRIBABLE and event_type in self.named
        return self.types is None or event_type in self.types


class Subscriptions:
    """The behaviors of a run in registration order, looked up by event type."""

    def __init__(self, behaviors: Sequence[AnyBehavior]) -> None:
        self.behaviors = tuple(behaviors)
        shared = Counter(behavior.name for behavior in behaviors)
        met: Counter[str] = Counter()
        self.subscribers: list[Subscriber] = []
        self._by_mark: dict[tuple[str, int], Subscriber] = {}
        for index, behavior in enumerate(behaviors):
            name = behavior.name
            ordinal = met[name] if shared[name] > 1 else None
            met[name] += 1
            subscriber = Subscriber(behavior, index, ordinal)
            self.subscribers.append(subscriber)
            self._by_mark[name, ordinal or 0] = subscriber
        self._by_type: dict[str, tuple[Subscriber, ...]] = {}
        self.awaited = frozenset(type for type in SUBSCRIBABLE if self.for_type(type))
        """Internal types that a behavior names."""

    def all(self) -> list[AnyBehavior]:
        """The behaviors in registration order."""
        return list(self.behaviors)

    def for_type(self, event_type: str) -> tuple[Subscriber, ...]:
        """Those that events of this type come to, in registration order."""
        found = self._by_type.get(event_type)
        if found is None:
            found = tuple(s for s in self.subscribers if s.takes(event_type))
            if len(self._by_type) < _MOST_TYPES:
                self._by_type[event_type] = found
        return found

    def named(self, name: str, ordinal: int | None) -> Subscriber | None:
        """The behavior that a mark names; None if it is not registered."""
        return self._by_mark.get((name, ordinal or 0))


def _checked_matcher(behavior: AnyBehavior) -> Any:
    matcher = behavior.pattern_matcher
    if matcher is None:
        return None
    from activegraph.patterns.matcher import PatternMatcher

    if isinstance(matcher, PatternMatcher):
        return matcher
    raise InvalidArgumentType(
        f"behavior {behavior.name!r}: `pattern_matcher` is a compiled pattern, not {shown(matcher)}",
        what_failed=f"Indexing behavior {behavior.name!r} with `pattern_matcher={shown(matcher)}`.",
        why="The runtime keeps the matches of a pattern up to date while the graph changes.",
        how_to_fix="Leave it out and give the text as `pattern`, or pass `parse(text).compile()`.",
        context={"behavior": behavior.name, "argument": "pattern_matcher", "type": type(matcher).__name__},
    )
