"""The oracle of the loop: what a run of a generated program does, in the words of its definition.

There are no marks, indexes, stores or resumes here: each event goes through all behaviors, each of them
is matched against the whole graph when its turn comes, and what a budget stopped is a generator that waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from activegraph.core.event import Event
from activegraph.runtime.patterns import parse
from support.naive_behavior import Context, Hands, Turn
from support.naive_graph import Cut, Element, NaiveGraph
from support.programs import Program, Rule, act, change, host_step

__all__ = ["NaiveRun", "repeats"]

_INTERNAL = ("behavior.", "relation_behavior.", "runtime.", "llm.", "tool.", "pattern.", "approval.")
_SUBSCRIBABLE = {
    "behavior.failed",
    "behavior.completed",
    "pattern.matched",
    "approval.proposed",
    "approval.granted",
    "approval.denied",
}
_DIMENSIONS = ("max_events", "max_behavior_calls", "max_patches", "max_depth")
_FOR_INVOCATIONS = _DIMENSIONS[1:]


def repeats(program: Program) -> bool:
    """Whether the oracle can tell what the program does: it rolls no dice."""
    return not any("chance" in rule.effects for rule in program.rules)


@dataclass
class _Matched:
    matches: list[dict[str, str]] | None
    links: list[Element] | None


@dataclass
class NaiveRun(NaiveGraph):
    """A program's run, with the methods of a runtime that a host calls.

    Args:
        cut_at: Id of the event that a fork of this run begins with. What the log then holds is what the fork
            does, run until idle.
    """

    program: Program
    cut_at: str | None = None
    limits: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__(self.cut_at)
        self.graph = self
        self.used = dict.fromkeys(_DIMENSIONS, 0)
        self._queue: list[Event] = []
        self._ticks: dict[str, int] = {}
        self._last_tick = 0
        self._delayed: list[tuple[int, Turn]] = []
        self._rest: Iterator[str] | None = None
        self._has_worked = False
        self._last_stop: tuple[str, str | None] | None = None
        self._is_built = False
        self._forgets_idle = False
        try:
            for step in self.program.setup:
                change(self, step, 0)
        except Cut:
            self._queue = []
        self._is_built = True

    # What a host does.

    @property
    def budget(self) -> dict[str, int]:
        return self.limits

    @budget.setter
    def budget(self, limits: dict[str, int]) -> None:
        self.limits, self.used = limits, dict.fromkeys(_DIMENSIONS, 0)  # used anew, as by a new `Budget`

    def finish(self) -> list[Event]:
        """The log at the end of the program's script, or of the fork."""
        for step, choice in self.program.script:
            if self.is_cut:
                break
            try:
                host_step(self, step, choice)
            except Cut:
                self._begin_fork()
        if self.is_cut:
            self.run_until_idle()
        return self.events

    def status(self) -> SimpleNamespace:
        exhausted = self._last_stop is not None and self._last_stop[0] == "runtime.budget_exhausted"
        return SimpleNamespace(state="exhausted" if exhausted else "other")

    def run_goal(self, goal: str) -> None:
        self.record("goal.created", {"goal": goal}, "user", None)
        self.run_until_idle()

    def run_until_idle(self) -> None:
        self.run_until(lambda graph: False)

    def run_until(self, predicate: Callable[[Any], bool]) -> None:
        """The loop."""
        try:
            self._loop(predicate)
        except Cut:
            self._begin_fork()

    def pending_approvals(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(id=id) for id in self.pending]

    def approve(self, id: str, by: str) -> None:
        proposed = self.pending[id]
        type, data = proposed.payload["object_type"], proposed.payload["data"]
        made = f"{type}#{self._drawn.get('object', 0) + 1}"
        granted = {"approval_id": id, "object_type": type, "approved_by": by, "object_id": made}
        grant = self.record("approval.granted", granted, "runtime", proposed.id)
        del self.pending[id]
        self.add_object(type, data, by, grant.id)

    def deny(self, id: str, by: str, reason: str) -> None:
        proposed = self.pending[id]
        denied = {"approval_id": id, "object_type": proposed.payload["object_type"], "denied_by": by, "reason": reason}
        self.record("approval.denied", denied, "runtime", proposed.id)

    # The queue.

    def deliver(self, event: Event) -> None:
        """Queue-visible events always, internal ones where a behavior names their type."""
        if not self._is_built:
            return
        if not _is_internal(event):
            self._last_tick += 1
        elif (
            event.type not in _SUBSCRIBABLE
            or not any(event.type in rule.on for rule in self.program.rules)
            or (event.type.startswith("behavior.") and _is_internal(self._event(event.payload["event_id"])))
        ):
            return
        self._ticks[event.id] = self._last_tick
        self._queue.append(event)

    def _event(self, id: str) -> Event:
        return next(event for event in self.events if event.id == id)

    def _depth(self, event: Event) -> int:
        return 0 if event.caused_by is None else 1 + self._depth(self._event(event.caused_by))

    # The loop.

    def _loop(self, predicate: Callable[[Any], bool]) -> None:
        while self._rest is not None or self._queue:
            if self._rest is None:
                if (exhausted := self._exhausted(_DIMENSIONS)) is not None:
                    return self._stop("runtime.budget_exhausted", exhausted)
                if not self.is_cut and predicate(self):
                    return self._stop("runtime.paused")
                self._rest = self._work(self._take())
            if (exhausted := next(self._rest, None)) is not None:
                return self._stop("runtime.budget_exhausted", exhausted)
            self._rest = None
        if (exhausted := self._exhausted(_DIMENSIONS)) is not None:
            return self._stop("runtime.budget_exhausted", exhausted)
        return self._stop("runtime.idle")

    def _take(self) -> Event:
        event = self._queue.pop(0)
        self._has_worked = True
        self.used["max_events"] += not _is_internal(event)
        self.used["max_depth"] = max(self.used["max_depth"], self._depth(event))
        return event

    def _exhausted(self, dimensions: tuple[str, ...]) -> str | None:
        return next((name for name in dimensions if self.used[name] >= self.limits.get(name, 1 << 60)), None)

    def _stop(self, type: str, exhausted_by: str | None = None) -> None:
        if not self._has_worked and self._last_stop == (type, exhausted_by) and not self._forgets_idle:
            return
        self._has_worked, self._last_stop, self._forgets_idle = False, (type, exhausted_by), False
        id = None if type == "runtime.idle" else f"stop_{self.draw('stop'):03d}"
        self.record(type, {} if exhausted_by is None else {"exhausted_by": exhausted_by}, "runtime", None, id)

    def _begin_fork(self) -> None:
        """What a fork knows of what its parent did: the last stop, and whether something queued follows it."""
        self._has_worked = False
        stops = [event for event in self.events if event.type.startswith("runtime.")]
        self._last_stop = (stops[-1].type, None) if stops else None
        behind = self.events[self.events.index(stops[-1]) :] if stops else self.events
        self._forgets_idle = any(event.id in self._ticks for event in behind)

    def _work(self, event: Event) -> Iterator[str]:
        """All that an event leads to; yields the dimension of a budget that is used up, and is asked again later."""
        names = [rule.name for rule in self.program.rules]
        for place, rule in enumerate(self.program.rules):
            ordinal = {"ordinal": names[:place].count(rule.name)} if names.count(rule.name) > 1 else {}
            turn = Turn(rule, ordinal, None if rule.pattern is None else parse(rule.pattern), event)
            if _reaches(event, rule):
                yield from self._turn(turn)
        if not _is_internal(event):
            for entry in [entry for entry in self._delayed if entry[0] == self._ticks[event.id]]:
                yield from self._turn(entry[1])
                self._delayed.remove(entry)

    def _turn(self, turn: Turn) -> Iterator[str]:
        matched = self._match(turn)
        if matched is None:
            return
        if turn.rule.delay is not None and not turn.is_late:
            self._schedule(turn)
            return
        while (exhausted := self._exhausted(_FOR_INVOCATIONS)) is not None:
            yield exhausted
            matched = self._match(turn)
            if matched is None:
                return
        skipped = 0
        if matched.matches is not None:
            told = {"matches_count": len(matched.matches), "pattern": turn.rule.pattern}
            # A fork at it has begun the turn's first invocation, and goes on with the second.
            skipped = self._mark("pattern.matched", turn, told)
        for link in ([None] if matched.links is None else matched.links)[skipped:]:
            while (exhausted := self._exhausted(_FOR_INVOCATIONS)) is not None:
                yield exhausted
            if link is None or self.links.get(link.id) is link:
                self._invoke(turn, link)

    def _mark(self, type: str, turn: Turn, told: dict[str, Any]) -> bool:
        """Record a mark of the runtime; whether a fork begins with it."""
        payload = {"behavior": turn.rule.name, "event_id": turn.event.id, **told, **turn.ordinal}
        try:
            self.record(type, payload, "runtime", turn.event.id)
        except Cut:
            self._begin_fork()
            return True
        return False

    def _schedule(self, turn: Turn) -> None:
        tick, delay = self._ticks[turn.event.id], turn.rule.delay or 0
        late = Turn(turn.rule, turn.ordinal, turn.pattern, turn.event, is_late=True)
        self._delayed.append((tick + delay, late))
        told = {"activate_after": delay, "fire_at_tick": tick + delay, "current_tick": tick}
        self._mark("behavior.scheduled", turn, told)

    def _invoke(self, turn: Turn, link: Element | None) -> None:
        self._has_worked = True
        self.used["max_behavior_calls"] += 1
        context = Context(self, turn)
        about = {"triggering_event_type": turn.event.type}
        named = {} if link is None else {"relation_id": link.id}
        if link is None:
            inner = turn.event.payload.get("object")
            start = {**about, "triggering_object_id": None if inner is None else inner["id"]}
            is_cut = self._mark("behavior.started", turn, start)
        else:
            start = {**about, "relation_type": link.type, **named}
            is_cut = self._mark("relation_behavior.started", turn, start)
        if is_cut:
            return
        hands = Hands(self, turn)
        try:
            act(turn.rule, turn.event, hands, context, link)
        except Cut:
            self._begin_fork()
        except Exception as error:
            told = {"exception_type": type(error).__name__, "message": str(error), **named}
            self._mark("behavior.failed", turn, told)
        else:
            self._mark("behavior.completed", turn, {**hands.counts, **named})
        self.used["max_patches"] += hands.counts["patches_applied"]

    # Matching.

    def _match(self, turn: Turn) -> _Matched | None:
        matches = None if turn.pattern is None else turn.matches(self)
        if matches == [] or not all(self._value(turn, path) == value for path, value in turn.rule.where):
            return None
        links = None if turn.rule.relation is None else self._links(turn)
        return None if links == [] else _Matched(matches, links)

    def _links(self, turn: Turn) -> list[Element]:
        named = set(_strings(turn.event.payload))
        links = (link for link in self.links.values() if link.type == turn.rule.relation)
        return [link for link in links if link.source in named or link.target in named]

    def _value(self, turn: Turn, path: str) -> Any:
        """What a condition of the generated programs looks at: the event's actor, or something of its object."""
        if path == "actor":
            return turn.event.actor
        value: Any = turn.event.payload.get("object")
        if value is not None and turn.is_late:
            live = self.elements.get(value["id"])
            value = None if live is None else {"type": live.type, "data": live.data}
        for name in path.split(".")[1:]:
            value = value.get(name) if isinstance(value, dict) else None
        return value


def _is_internal(event: Event) -> bool:
    return event.type.startswith(_INTERNAL)


def _reaches(event: Event, rule: Rule) -> bool:
    if _is_internal(event):
        return event.type in rule.on and event.payload.get("behavior") != rule.name
    return not rule.on or event.type in rule.on


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _strings(each)
