"""Graph changes as events: each call builds one event and hands it on.

The host's `Graph` and a behavior's graph share one writer; they differ in who stamps the event
and in where it goes. A call that is refused draws no id.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from copy import copy
from typing import Any, Protocol

from msgspec import Struct

from activegraph.core.changes import (
    Stamp,
    encoded_evidence,
    encoded_remark,
    object_created,
    patch_payload,
    provenance,
    relation_created,
    require_fields,
    require_text,
    without_provenance,
)
from activegraph.core.clock import Clock
from activegraph.core.codec import MAX_BYTES, decode_canonical, encode_plain, oversized
from activegraph.core.event_maker import EventMaker
from activegraph.core.ids import IDGen
from activegraph.core.keys import look_up
from activegraph.core.log_lines import say
from activegraph.core.patch import PATCH_OPERATIONS, Patch, diff_of, patch_handle
from activegraph.core.projection import Projection
from activegraph.core.record import EventRecord
from activegraph.core.state import ObjectState, PatchState, RelationState
from activegraph.errors import InvalidPatchLifecycleState, InvalidPatchOperation
from activegraph.errors.base import shown

__all__ = ["GraphWriter"]

_logger = logging.getLogger("activegraph.runtime")

Take = Callable[[EventRecord], None]

_LARGE = MAX_BYTES - 1024 * 1024
"""From this length of a user's values on, the whole payload is measured before an id is drawn."""

_SOME_TIME = "2026-05-15T10:32:01Z"

_MOST_TYPES = 4096
"""How many types are remembered; a run may make up any number of them."""


class SchemaCheck(Protocol):
    """Asked before a change is emitted; may refuse it by raising. Projecting a log asks nobody."""

    def object_data(self, type: str, data: dict[str, Any], *, recorded: bool = False) -> dict[str, Any]:
        """What is stored for the data of a new object; `data` itself where nothing is to be said of the type.

        Args:
            recorded: Whether `data` has been in the log already.
        """

    def judges_object(self, type: str) -> bool:
        """Whether data of this type is looked at."""

    def check_patch(self, type: str, before: dict[str, Any], after: dict[str, Any]) -> None:
        """Refuse what an object's data would be after a patch."""

    def check_relation(self, type: str, source_type: str | None, target_type: str | None) -> None:
        """Refuse a relation by the types of its ends; None for an id without an object."""


class _Draft(Struct, frozen=True, gc=False):
    """A patch but for its id and time; bytes are canonical text."""

    stamp: Stamp
    target: str
    op: str
    value: bytes
    expected_version: int
    rationale: bytes
    evidence: bytes
    status: str


class GraphWriter(EventMaker):
    """Builds the events of graph changes for one run."""

    def __init__(self, projection: Projection, ids: IDGen, clock: Clock, run_id: str) -> None:
        super().__init__(ids, clock)
        self.projection = projection
        self.run_id = run_id
        self.schemas: SchemaCheck | None = None
        """Who checks objects, relations and patches; None where nobody does."""
        self._dropped_provenance_of: set[str | None] = set()
        self._types: dict[str, bytes] = {}
        """Types of objects that were met, as canonical text."""

    def add_object(
        self,
        take: Take,
        stamp: Stamp,
        type: str,
        data: dict[str, Any],
        evidence: Sequence[str] | None = None,
        *,
        begun: tuple[str, str] | None = None,
        recorded: bool = False,
    ) -> ObjectState:
        """Emit `object.created`; its time and id are those that it was begun with, else they are read and drawn here."""
        type, encoded_type, encoded, references = self._encode_object(stamp, type, data, evidence, recorded)
        now, id = (self.now(), self.ids.object(type)) if begun is None else begun
        payload = object_created(encode_plain(id), encoded_type, encoded, self._provenance(stamp, now, references))
        take(self.event("object.created", payload, stamp, now))
        return self.projection.objects[id]

    def check_object(self, stamp: Stamp, type: str, data: dict[str, Any], *, recorded: bool = False) -> None:
        """Raise what `add_object` would raise, with nothing emitted and no id drawn."""
        self._encode_object(stamp, type, data, None, recorded)

    def _encode_object(
        self, stamp: Stamp, type: str, data: dict[str, Any], evidence: Sequence[str] | None, recorded: bool
    ) -> tuple[str, bytes, bytes, bytes]:
        encoded_type = self._types.get(type) if type.__class__ is str else None
        if encoded_type is None:
            type = require_text("type", type)
            encoded_type = encode_plain(type, "object.type", 2)
            if len(self._types) < _MOST_TYPES:
                self._types[type] = encoded_type
        if self.schemas is not None:
            data = self.schemas.object_data(type, self._own_fields("data", data, stamp), recorded=recorded)
        encoded = self._encode_fields("data", data, "object.data", stamp)
        references = b"[]" if evidence is None else encoded_evidence(evidence)
        if len(encoded) + len(references) > _LARGE:
            about = self._provenance(stamp, _SOME_TIME, references)
            draft = object_created(encode_plain(copy(self.ids).object(type)), encoded_type, encoded, about)
            _require_fits(draft, data, "object.data")
        return type, encoded_type, encoded, references

    def add_relation(
        self, take: Take, stamp: Stamp, source: str, target: str, type: str, data: dict[str, Any] | None
    ) -> RelationState:
        """Emit `relation.created`."""
        ends = (
            encode_plain(require_text("source", source), "source"),
            encode_plain(require_text("target", target), "target"),
        )
        encoded_type = encode_plain(require_text("type", type), "relation.type", 2)
        if self.schemas is not None:
            self.schemas.check_relation(type, self._type_of(source), self._type_of(target))
        encoded = self._encode_fields("data", {} if data is None else data, "relation.data", stamp)
        if len(encoded) > _LARGE:
            about = self._provenance(stamp, _SOME_TIME, b"[]")
            draft = relation_created(encode_plain(copy(self.ids).relation()), *ends, encoded_type, encoded, about)
            _require_fits(draft, data, "relation.data")
        now, id = self.now(), self.ids.relation()
        payload = relation_created(encode_plain(id), *ends, encoded_type, encoded, self._provenance(stamp, now, b"[]"))
        take(self.event("relation.created", payload, stamp, now))
        return self.projection.relations[id]

    def remove_object(self, take: Take, stamp: Stamp, object_id: str) -> None:
        """Emit `object.removed` if there is such an object."""
        if look_up(self.projection.objects, "object_id", object_id) is not None:
            take(self.event("object.removed", b'{"id":%b}' % encode_plain(object_id), stamp))

    def remove_relation(self, take: Take, stamp: Stamp, relation_id: str) -> None:
        """Emit `relation.removed` if there is such a relation."""
        if look_up(self.projection.relations, "relation_id", relation_id) is not None:
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
        state = look_up(self.projection.objects, "target", target)
        if state is None:
            raise KeyError(f"unknown object: {target}")
        value = self._encode_fields("updates", updates, "patch.value", stamp)
        if self.schemas is not None:
            self._check_patch(self.schemas, state, "update", value)
        draft = self._draft(stamp, state.id, "update", value, rationale, evidence, status="applied")
        tail = b',"target":%b,"diff":%b}' % (encode_plain(state.id), self._diff("update", state, value))
        if len(value) + len(tail) > _LARGE:
            _require_fits(self._patch(draft, copy(self.ids).patch(), _SOME_TIME) + tail, updates, "patch.value")
        now, id = self.now(), self.ids.patch()
        take(self.event("patch.applied", b'{"patch":%b%b' % (self._patch(draft, id, now), tail), stamp, now))
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
        target = require_text("target", target)
        if op not in PATCH_OPERATIONS:
            raise _no_such_operation(target, op)
        prefix = next((p for p in ("object:", "relation:") if target.startswith(p)), "")
        target = require_text("target", target.removeprefix(prefix))
        encoded = self._encode_fields("value", value, "patch.value", stamp)
        draft = self._draft(stamp, target, str.__str__(op), encoded, rationale, evidence, status="proposed")
        if len(encoded) > _LARGE:
            _require_fits(self._patch(draft, copy(self.ids).patch(), _SOME_TIME), value, "patch.value")
        now, id = self.now(), self.ids.patch()
        take(self.event("patch.proposed", b'{"patch":%b}' % self._patch(draft, id, now), stamp, now))
        return patch_handle(self.projection.patches[id])

    def apply_patch(self, take: Take, stamp: Stamp, patch_id: str) -> EventRecord:
        """Emit `patch.applied`, or `patch.rejected` where the target is gone or has moved on."""
        proposed = self._proposed(patch_id)
        target = self.projection.objects.get(proposed.target)
        if target is None:
            return self._reject(take, stamp, proposed, encode_plain(f"target not found: {proposed.target}"))
        if target.version != proposed.expected_version:
            reason = f"version mismatch: expected {proposed.expected_version}, got {target.version}"
            return self._reject(take, stamp, proposed, encode_plain(reason))
        fields = patch_handle(proposed).to_dict()
        if self.schemas is not None:
            self._check_patch(self.schemas, target, proposed.op, encode_plain(fields["value"]))
        fields["status"] = "applied"
        payload = b'{"patch":%b,"target":%b,"diff":%b,"approved_by":%b}' % (
            encode_plain(fields, "patch", 2),
            encode_plain(proposed.target),
            self._diff(proposed.op, target, encode_plain(fields["value"])),
            encode_plain(stamp.actor),
        )
        _require_fits(payload, fields["value"], "patch.value")
        event = self.event("patch.applied", payload, stamp)
        take(event)
        return event

    def reject_patch(self, take: Take, stamp: Stamp, patch_id: str, reason: str) -> EventRecord:
        """Emit `patch.rejected`."""
        return self._reject(take, stamp, self._proposed(patch_id), encoded_remark("reason", reason, "reason"))

    def _reject(self, take: Take, stamp: Stamp, patch: PatchState, reason: bytes) -> EventRecord:
        target = self.projection.objects.get(patch.target)
        payload = b'{"patch_id":%b,"target":%b,"reason":%b,"current_version":%d}' % (
            encode_plain(patch.id),
            encode_plain(patch.target),
            reason,
            0 if target is None else target.version,
        )
        event = self.event("patch.rejected", payload, stamp)
        take(event)
        return event

    def _proposed(self, patch_id: str) -> PatchState:
        patch = look_up(self.projection.patches, "patch_id", patch_id)
        if patch is None:
            raise KeyError(f"unknown patch: {patch_id}")
        if patch.status != "proposed":
            raise InvalidPatchLifecycleState(patch_id=patch_id, current_status=patch.status)
        return patch

    def _draft(
        self,
        stamp: Stamp,
        target: str,
        op: str,
        value: bytes,
        rationale: str | None,
        evidence: Sequence[str] | None,
        *,
        status: str,
    ) -> _Draft:
        known = self.projection.objects.get(target)
        return _Draft(
            stamp,
            target,
            op,
            value,
            0 if known is None else known.version,
            encoded_remark("rationale", rationale, "patch.rationale", optional=True),
            encoded_evidence(evidence),
            status,
        )

    def _patch(self, draft: _Draft, id: str, now: str) -> bytes:
        return patch_payload(
            id=id,
            target=encode_plain(draft.target),
            op=draft.op,
            value=draft.value,
            expected_version=draft.expected_version,
            proposed_by=encode_plain(draft.stamp.actor),
            rationale=draft.rationale,
            evidence=draft.evidence,
            status=draft.status,
            provenance=self._provenance(draft.stamp, now, draft.evidence),
        )

    def _diff(self, op: str, state: ObjectState, value: bytes) -> bytes:
        return encode_plain(diff_of(op, state.data(), decode_canonical(value)), "diff", 2)

    def _check_patch(self, schemas: SchemaCheck, state: ObjectState, op: str, value: bytes) -> None:
        if schemas.judges_object(state.type):
            before, fields = state.data(), decode_canonical(value)
            schemas.check_patch(state.type, before, {**before, **fields} if op == "update" else fields)

    def _type_of(self, object_id: str) -> str | None:
        state = self.projection.objects.get(object_id)
        return None if state is None else state.type

    def _encode_fields(self, name: str, fields: dict[str, Any], path: str, stamp: Stamp) -> bytes:
        if type(fields) is not dict:
            require_fields(name, fields)
        if "provenance" not in fields:
            return encode_plain(fields, path, 3)
        encoded = encode_plain(without_provenance(fields), path, 3)
        self._say_dropped(name, stamp.actor)
        return encoded

    def _own_fields(self, name: str, fields: dict[str, Any], stamp: Stamp) -> dict[str, Any]:
        """`fields` less what only the graph writes."""
        require_fields(name, fields)
        if "provenance" not in fields:
            return fields
        self._say_dropped(name, stamp.actor)
        return without_provenance(fields)

    def _say_dropped(self, name: str, actor: str | None) -> None:
        if actor not in self._dropped_provenance_of:
            self._dropped_provenance_of.add(actor)
            message = "provenance in %s is dropped: the graph writes it"
            say(_logger, logging.WARNING, message, name, run_id=self.run_id, behavior=actor)

    def _provenance(self, stamp: Stamp, now: str, evidence: bytes) -> bytes:
        return provenance(stamp, timestamp=now, run_id=self.run_id, evidence=evidence, created_by=stamp.actor)


def _require_fits(payload: bytes, value: Any, path: str) -> None:
    if len(payload) > MAX_BYTES:
        raise oversized(value, path)


def _no_such_operation(target: str, op: object) -> InvalidPatchOperation:
    return InvalidPatchOperation(
        f"patch operation {shown(op)} is not one of {', '.join(PATCH_OPERATIONS)}",
        what_failed=f"Proposing a patch of {target!r} with op={shown(op)}. Nothing was changed.",
        why="A patch changes an object's data; creation and removal have events of their own.",
        how_to_fix="Use op='update' to merge fields or op='replace' to replace all of them.",
        context={"op": op, "allowed": list(PATCH_OPERATIONS)},
    )
