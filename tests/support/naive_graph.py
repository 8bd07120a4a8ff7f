"""The oracle's graph: a log as a list, what follows from it in dicts, and a host's changes under their names."""

from __future__ import annotations

import copy
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from activegraph.core.event import Event

__all__ = ["Cut", "Element", "NaiveGraph"]


@dataclass
class Element:
    """An object, or with `source` and `target` a relation."""

    id: str
    type: str
    data: dict[str, Any]
    version: int = 1
    source: str = ""
    target: str = ""


class Cut(BaseException):
    """The event at which a fork begins has been recorded."""


class NaiveGraph:
    """Log, objects, relations and patches."""

    def __init__(self, cut_at: str | None) -> None:
        self.events: list[Event] = []
        self.elements: dict[str, Element] = {}
        self.links: dict[str, Element] = {}
        self.patches: dict[str, dict[str, Any]] = {}
        self.pending: dict[str, Event] = {}
        self.is_cut = False
        self._cut_at = cut_at
        self._drawn: dict[str, int] = {}

    def draw(self, kind: str) -> int:
        """The next number of a sequence."""
        self._drawn[kind] = self._drawn.get(kind, 0) + 1
        return self._drawn[kind]

    def record(self, type: str, payload: dict[str, Any], actor: str, cause: str | None, id: str | None = None) -> Event:
        """Append an event and apply it; raises where a fork begins with it."""
        event = Event(id or f"evt_{self.draw('event'):03d}", type, copy.deepcopy(payload), actor, None, cause)
        self.events.append(event)
        self._apply(event)
        self.deliver(event)
        if event.id == self._cut_at and not self.is_cut:
            self.is_cut = True
            raise Cut
        return event

    def deliver(self, event: Event) -> None:
        """Queue an event for behaviors."""

    def _apply(self, event: Event) -> None:
        payload = copy.deepcopy(dict(event.payload))
        match event.type:
            case "object.created":
                made = payload["object"]
                self.elements.pop(made["id"], None)
                self.elements[made["id"]] = Element(made["id"], made["type"], made["data"])
            case "object.removed":
                del self.elements[payload["id"]]
                for link in [each for each in self.links.values() if payload["id"] in (each.source, each.target)]:
                    del self.links[link.id]
            case "relation.created":
                made = payload["relation"]
                link = Element(made["id"], made["type"], made["data"], 1, made["source"], made["target"])
                self.links[link.id] = link
            case "relation.removed":
                del self.links[payload["id"]]
            case "patch.proposed":
                self.patches[payload["patch"]["id"]] = payload["patch"]
            case "patch.applied":
                self.patches[payload["patch"]["id"]] = payload["patch"]
                target = self.elements[payload["target"]]
                target.data = {**target.data, **payload["patch"]["value"]}
                target.version += 1
            case "patch.rejected":
                self.patches[payload["patch_id"]]["status"] = "rejected"
            case "approval.proposed":
                self.pending[payload["approval_id"]] = event
            case "approval.denied":
                del self.pending[payload["approval_id"]]

    def all_objects(self) -> list[Element]:
        return list(self.elements.values())

    def all_relations(self) -> list[Element]:
        return list(self.links.values())

    def get_object(self, id: str) -> Element | None:
        return self.elements.get(id)

    def get_patch(self, id: str) -> SimpleNamespace:
        return SimpleNamespace(id=id, status=self.patches[id]["status"])

    def transaction(self) -> AbstractContextManager[None]:
        return nullcontext()

    def add_object(self, type: str, data: dict[str, Any], actor: str = "system", cause: str | None = None) -> Element:
        id = f"{type}#{self.draw('object')}"
        made = {"id": id, "type": type, "data": data, "version": 1, "provenance": _provenance(actor, cause)}
        self.record("object.created", {"object": made, "id": id}, actor, cause)
        return self.elements[id]

    def add_relation(
        self,
        source: str,
        target: str,
        type: str,
        data: dict[str, Any] | None = None,
        actor: str = "system",
        cause: str | None = None,
    ) -> None:
        id = f"rel_{self.draw('relation'):03d}"
        ends = {"id": id, "source": source, "target": target}
        made = {**ends, "type": type, "data": data or {}, "provenance": _provenance(actor, cause)}
        self.record("relation.created", {"relation": made, **ends}, actor, cause)

    def remove_object(self, id: str, actor: str = "system", cause: str | None = None) -> None:
        if id in self.elements:
            self.record("object.removed", {"id": id}, actor, cause)

    def remove_relation(self, id: str, actor: str = "system", cause: str | None = None) -> None:
        if id in self.links:
            self.record("relation.removed", {"id": id}, actor, cause)

    def patch_object(
        self, target: str, updates: dict[str, Any], actor: str = "system", cause: str | None = None
    ) -> None:
        if target not in self.elements:
            raise KeyError(f"unknown object: {target}")
        patch = self._patch(target, updates, actor, cause, "applied")
        payload = {"patch": patch, "target": target, "diff": self._diff(target, updates)}
        self.record("patch.applied", payload, actor, cause)

    def propose_patch(self, target: str, value: dict[str, Any], actor: str, cause: str | None) -> None:
        self.record("patch.proposed", {"patch": self._patch(target, value, actor, cause, "proposed")}, actor, cause)

    def apply_patch(self, id: str) -> None:
        patch = self.patches[id]
        target = self.elements.get(patch["target"])
        found, expected = (0 if target is None else target.version), patch["expected_version"]
        if found == expected and target is not None:
            diff = self._diff(target.id, patch["value"])
            payload = {
                "patch": {**patch, "status": "applied"},
                "target": target.id,
                "diff": diff,
                "approved_by": "system",
            }
            self.record("patch.applied", payload, "system", None)
            return
        reason = f"version mismatch: expected {expected}, got {found}"
        if target is None:
            reason = f"target not found: {patch['target']}"
        refused = {"patch_id": id, "target": patch["target"], "reason": reason, "current_version": found}
        self.record("patch.rejected", refused, "system", None)

    def _patch(self, target: str, value: dict[str, Any], actor: str, cause: str | None, status: str) -> dict[str, Any]:
        known = self.elements.get(target)
        return {
            "id": f"patch_{self.draw('patch'):03d}",
            "target": target,
            "op": "update",
            "value": value,
            "expected_version": 0 if known is None else known.version,
            "proposed_by": actor,
            "rationale": None,
            "evidence": [],
            "status": status,
            "rejection_reason": None,
            "provenance": _provenance(actor, cause),
        }

    def _diff(self, target: str, value: dict[str, Any]) -> dict[str, Any]:
        data = self.elements[target].data
        changed = {key: new for key, new in value.items() if key not in data or data[key] != new}
        return {key: {"old": data.get(key), "new": new} for key, new in changed.items()}


def _provenance(actor: str, cause: str | None) -> dict[str, Any]:
    return {"created_by": actor, "caused_by_event": cause, "frame_id": None, "evidence": []}
