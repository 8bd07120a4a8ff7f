"""What the oracle hands to a behavior: what it may see, and what it changes things through."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from activegraph.core.event import Event
from activegraph.patterns.syntax import Pattern
from support.naive_graph import Element, NaiveGraph
from support.naive_patterns import naive_matches
from support.programs import Rule

__all__ = ["Context", "Hands", "Turn"]


@dataclass
class Turn:
    """One behavior's turn at one event; `is_late` for a delayed one that is due."""

    rule: Rule
    ordinal: dict[str, int]
    pattern: Pattern | None
    event: Event
    is_late: bool = False

    def matches(self, graph: NaiveGraph) -> list[dict[str, str]]:
        """All matches of its pattern now."""
        return [] if self.pattern is None else naive_matches(self.pattern, graph)  # type: ignore[arg-type]


class Context:
    """What a behavior may see; fixed when it is called."""

    def __init__(self, run: NaiveGraph, turn: Turn) -> None:
        self._run, self._turn = run, turn
        self.view = _view(run, turn)
        matches = turn.matches(run)
        touched = _touched(turn.event)
        self.matches = [SimpleNamespace(bindings=match) for match in matches]
        self.new_matches = [SimpleNamespace(bindings=match) for match in matches if touched in match.values()]

    def propose_object(self, type: str, data: dict[str, Any], *, reason: str) -> None:
        """Leave an object for somebody to decide about."""
        actor = self._turn.rule.name
        proposed = {
            "approval_id": f"approval_{self._run.draw('approval'):03d}",
            "object_type": type,
            "reason": reason,
            "pack": "",
            "kind": "object",
            "data": data,
            "behavior": actor,
        }
        self._run.record("approval.proposed", proposed, actor, self._turn.event.id)


def _touched(event: Event) -> str | None:
    payload: dict[str, Any] = event.payload
    if event.type.startswith("patch."):
        target: str = payload["patch"]["target"] if "patch" in payload else payload["target"]
        return target
    return payload["id"] if event.type.startswith(("object.", "relation.")) else None


def _view(run: NaiveGraph, turn: Turn) -> SimpleNamespace:
    spec = dict(turn.rule.view)
    objects, relations = run.all_objects(), run.all_relations()
    if "around" in spec:
        value: Any = turn.event.payload
        for name in spec["around"].split(".")[2:]:
            value = value.get(name) if isinstance(value, dict) else None
        near, seen = _neighborhood(run, value, spec["depth"])
        objects = [each for each in objects if each.id in near]
        relations = [each for each in relations if each.id in seen]
    shown = [event for event in run.events if not event.type.startswith("runtime.")]
    events = shown[-spec.get("recent_events", 50) :]
    return SimpleNamespace(objects=lambda: objects, relations=lambda: relations, events=lambda: events)


def _neighborhood(run: NaiveGraph, center: Any, depth: int) -> tuple[set[str], set[str]]:
    near: set[str] = {center} if center in run.elements else set()
    seen: set[str] = set()
    for _ in range(depth):
        links = [link for link in run.links.values() if link.source in near or link.target in near]
        seen |= {link.id for link in links}
        near |= {end for link in links for end in (link.source, link.target) if end in run.elements}
    return near, seen


class Hands:
    """What a behavior changes things through."""

    def __init__(self, run: NaiveGraph, turn: Turn) -> None:
        self._run = run
        self._by = (turn.rule.name, turn.event.id)
        names = ("objects_created", "relations_created", "patches_applied", "patches_proposed", "events_emitted")
        self.counts = dict.fromkeys(names, 0)

    def add_object(self, type: str, data: dict[str, Any]) -> Element:
        self.counts["objects_created"] += 1
        return self._run.add_object(type, data, *self._by)

    def add_relation(self, source: str, target: str, type: str, data: dict[str, Any] | None = None) -> None:
        self.counts["relations_created"] += 1
        self._run.add_relation(source, target, type, data, *self._by)

    def patch_object(self, target: str, updates: dict[str, Any]) -> None:
        self._run.patch_object(target, updates, *self._by)
        self.counts["patches_applied"] += 1

    def propose_patch(self, target: str, op: str, value: dict[str, Any]) -> None:
        self.counts["patches_proposed"] += 1
        self._run.propose_patch(target, value, *self._by)

    def emit(self, type: str, payload: dict[str, Any]) -> None:
        self.counts["events_emitted"] += 1
        self._run.record(type, payload, *self._by)

    def get_object(self, id: str) -> Element | None:
        return self._run.elements.get(id)

    def remove_object(self, id: str) -> None:
        self._run.remove_object(id, *self._by)

    def remove_relation(self, id: str) -> None:
        self._run.remove_relation(id, *self._by)
