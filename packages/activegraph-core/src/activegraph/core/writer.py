"""Graph changes as events: each call builds one event and hands it on.

The host's `Graph` and a behavior's graph share one writer; they differ in who stamps the event
and in where it goes. A call that is refused draws no id.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from activegraph.core.changes import (
    Stamp,
    encoded_evidence,
    object_created,
    patch_payload,
    provenance,
    relation_created,
    require_fields,
    require_text,
    without_provenance,
)
from activegraph.core.clock import Clock
from activegraph.core.codec import decode_canonical, encode_plain
from activegraph.core.event import Event, make_event
from activegraph.core.ids import IDGen
from activegraph.core.patch import PATCH_OPERATIONS, Patch, diff_of, patch_handle
from activegraph.core.projection import Projection
from activegraph.core.state import ObjectState, PatchState, RelationState
from activegraph.errors import InvalidPatchLifecycleState, InvalidPatchOperation

__all__ = ["GraphWriter"]

_quote = msgspec.json.Encoder().encode
_logger = logging.getLogger("activegraph.runtime")

Take = Callable[[Event], None]


class GraphWriter:
    """Builds the events of graph changes for one run."""

    def __init__(self, projection: Projection, ids: IDGen, clock: Clock, run_id: str) -> None:
        self.projection = projection
        self.ids = ids
        self.clock = clock
        self.run_id = run_id
        self._dropped_provenance_of: set[str | None] = set()

    def event(self, type: str, payload: bytes, stamp: Stamp, timestamp: str | None = None) -> Event:
        """A new event with the next id; the clock is read here unless a timestamp is given."""
        return make_event(
            self.ids.event(),
            type,
            payload,
            stamp.actor,
            stamp.frame_id,
            stamp.caused_by,
            self.clock.now() if timestamp is None else timestamp,
            canonical=True,
        )

    def add_object(
        self,
        take: Take,
        stamp: Stamp,
        type: str,
        data: dict[str, Any],
        evidence: Sequence[str] | None = None,
        *,
        object_id: str | None = None,
    ) -> ObjectState:
        """Emit `object.created`; the id is the next one unless it was drawn before."""
        require_text("type", type)
        encoded_type = encode_plain(type, "object.type", 2)
        encoded = self._encode_fields("data", data, "object.data", stamp)
        references = encoded_evidence(evidence)
        id = self.ids.object(type) if object_id is None else object_id
        now = self.clock.now()
        payload = object_created(encode_plain(id), encoded_type, encoded, self._provenance(stamp, now, references))
        take(self.event("object.created", payload, stamp, now))
        return self.projection.objects[id]

    def add_relation(
        self, take: Take, stamp: Stamp, source: str, target: str, type: str, data: dict[str, Any] | None
    ) -> RelationState:
        """Emit `relation.created`."""
        for name, value in (("source", source), ("target", target), ("type", type)):
            require_text(name, value)
        ends = encode_plain(source, "source", 1), encode_plain(target, "target", 1)
        encoded_type = encode_plain(type, "relation.type", 2)
        encoded = self._encode_fields("data", {} if data is None else data, "relation.data", stamp)
        id = self.ids.relation()
        now = self.clock.now()
        payload = relation_created(_quote(id), *ends, encoded_type, encoded, self._provenance(stamp, now, b"[]"))
        take(self.event("relation.created", payload, stamp, now))
        return self.projection.relations[id]

    def remove_object(self, take: Take, stamp: Stamp, object_id: str) -> None:
        """Emit `object.removed` if there is such an object."""
        if object_id in self.projection.objects:
            take(self.event("object.removed", b'{"id":%b}' % encode_plain(object_id), stamp))

    def remove_relation(self, take: Take, stamp: Stamp, relation_id: str) -> None:
        """Emit `relation.removed` if there is such a relation."""
        if relation_id in self.projection.relations:
            take(self.event("relation.removed", b'{"id":%b}' % encode_plain(relation_id), stamp))

    def patch_object(
        self,
        take: Take,
        stamp: Stamp,
        target: str,
        updates: dict[str, Any],
        rationale: str | None = None,
        evidence: Sequence[str] | None = None,
    ) -> Patch:
        """Emit `patch.applied` of a merge that nobody has to agree to."""
        state = self.projection.objects.get(target)
        if state is None:
            raise KeyError(f"unknown object: {target}")
        value = self._encode_fields("updates", updates, "patch.value", stamp)
        diff = self._diff("update", state, value)
        id, now, patch = self._patch(stamp, target, "update", value, stamp.actor, rationale, evidence, status="applied")
        payload = b'{"patch":%b,"target":%b,"diff":%b}' % (patch, encode_plain(target), diff)
        take(self.event("patch.applied", payload, stamp, now))
        return patch_handle(self.projection.patches[id])

    def propose_patch(
        self,
        take: Take,
        stamp: Stamp,
        target: str,
        op: str,
        value: dict[str, Any],
        rationale: str | None = None,
        evidence: Sequence[str] | None = None,
    ) -> Patch:
        """Emit `patch.proposed`; the target need not exist."""
        require_text("target", target)
        if op not in PATCH_OPERATIONS:
            raise InvalidPatchOperation(
                f"patch operation {op!r} is not one of {', '.join(PATCH_OPERATIONS)}",
                what_failed=f"Proposing a patch of {target!r} with op={op!r}. Nothing was changed.",
                why="A patch changes an object's data; creation and removal have events of their own.",
                how_to_fix="Use op='update' to merge fields or op='replace' to replace all of them.",
                context={"op": op, "allowed": list(PATCH_OPERATIONS)},
            )
        prefix = next((p for p in ("object:", "relation:") if target.startswith(p)), "")
        target = target.removeprefix(prefix)
        encoded = self._encode_fields("value", value, "patch.value", stamp)
        id, now, patch = self._patch(stamp, target, op, encoded, stamp.actor, rationale, evidence, status="proposed")
        take(self.event("patch.proposed", b'{"patch":%b}' % patch, stamp, now))
        return patch_handle(self.projection.patches[id])

    def apply_patch(self, take: Take, stamp: Stamp, patch_id: str) -> Event:
        """Emit `patch.applied`, or `patch.rejected` where the target is gone or has moved on."""
        proposed = self._proposed(patch_id)
        target = self.projection.objects.get(proposed.target)
        if target is None:
            return self._reject(take, stamp, proposed, f"target not found: {proposed.target}")
        if target.version != proposed.expected_version:
            reason = f"version mismatch: expected {proposed.expected_version}, got {target.version}"
            return self._reject(take, stamp, proposed, reason)
        fields = msgspec.json.decode(proposed.raw, type=dict[str, msgspec.Raw])["patch"]
        parts = msgspec.json.decode(fields, type=dict[str, msgspec.Raw])
        value = bytes(parts["value"])
        parts["status"] = msgspec.Raw(b'"applied"')
        payload = b'{"patch":%b,"target":%b,"diff":%b,"approved_by":%b}' % (
            _quote(parts),
            encode_plain(proposed.target),
            self._diff(proposed.op, target, value),
            encode_plain(stamp.actor),
        )
        event = self.event("patch.applied", payload, stamp)
        take(event)
        return event

    def reject_patch(self, take: Take, stamp: Stamp, patch_id: str, reason: str) -> Event:
        """Emit `patch.rejected`."""
        return self._reject(take, stamp, self._proposed(patch_id), reason)

    def _reject(self, take: Take, stamp: Stamp, patch: PatchState, reason: str) -> Event:
        target = self.projection.objects.get(patch.target)
        payload = b'{"patch_id":%b,"target":%b,"reason":%b,"current_version":%d}' % (
            encode_plain(patch.id),
            encode_plain(patch.target),
            encode_plain(reason, "reason", 1),
            0 if target is None else target.version,
        )
        event = self.event("patch.rejected", payload, stamp)
        take(event)
        return event

    def _proposed(self, patch_id: str) -> PatchState:
        patch = self.projection.patches.get(patch_id)
        if patch is None:
            raise KeyError(f"unknown patch: {patch_id}")
        if patch.status != "proposed":
            raise InvalidPatchLifecycleState(patch_id=patch_id, current_status=patch.status)
        return patch

    def _patch(
        self,
        stamp: Stamp,
        target: str,
        op: str,
        value: bytes,
        proposed_by: str | None,
        rationale: str | None,
        evidence: Sequence[str] | None,
        *,
        status: str,
    ) -> tuple[str, str, bytes]:
        known = self.projection.objects.get(target)
        references = encoded_evidence(evidence)
        why = encode_plain(rationale, "patch.rationale", 2)
        id = self.ids.patch()
        now = self.clock.now()
        patch = patch_payload(
            id=id,
            target=encode_plain(target),
            op=op,
            value=value,
            expected_version=0 if known is None else known.version,
            proposed_by=encode_plain(proposed_by),
            rationale=why,
            evidence=references,
            status=status,
            provenance=self._provenance(stamp, now, references),
        )
        return id, now, patch

    def _diff(self, op: str, state: ObjectState, value: bytes) -> bytes:
        return encode_plain(diff_of(op, state.data(), decode_canonical(value)))

    def _encode_fields(self, name: str, fields: dict[str, Any], path: str, stamp: Stamp) -> bytes:
        require_fields(name, fields)
        if "provenance" in fields:
            fields = without_provenance(fields)
            if stamp.actor not in self._dropped_provenance_of:
                self._dropped_provenance_of.add(stamp.actor)
                _logger.warning(
                    "provenance in %s is dropped: the graph writes it",
                    name,
                    extra={"run_id": self.run_id, "behavior": stamp.actor},
                )
        return encode_plain(fields, path, 3)

    def _provenance(self, stamp: Stamp, now: str, evidence: bytes) -> bytes:
        return provenance(stamp, timestamp=now, run_id=self.run_id, evidence=evidence, created_by=stamp.actor)
