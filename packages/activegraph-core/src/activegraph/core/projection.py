"""The projection: the graph as a function of the log.

`Projection.apply` is the one function that changes a graph, whether an event has just been
emitted, is loaded, replayed, copied into a fork or verified; live and replayed graphs are
therefore equal by construction. Nothing here does I/O, and nothing here decides anything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec
from msgspec import Raw, Struct

from activegraph.core.change_log import Change, ChangeLog
from activegraph.core.codec import UNREADABLE, decode_canonical, encode_payload_bytes, may_hold_tags
from activegraph.core.indexes import Adjacency, LinkIndex, ValueIndex
from activegraph.core.state import (
    ObjectState,
    PatchState,
    RawFields,
    RelationState,
    Text,
    raw_object,
    raw_relation,
)

__all__ = ["GRAPH_TYPES", "MalformedGraphEvent", "Projection"]


GRAPH_TYPES = frozenset(
    {
        "object.created",
        "object.removed",
        "relation.created",
        "relation.removed",
        "patch.proposed",
        "patch.applied",
        "patch.rejected",
    }
)
"""Types of events that change the graph; all others leave it as it is."""


class MalformedGraphEvent(ValueError):
    """A graph event whose payload lacks what the projection reads."""


class _Whole(Struct, gc=False):
    """Any JSON object: told from other values, and skipped."""


class _ObjectFields(Struct, gc=False):
    id: str
    type: str
    data: _Whole
    version: int
    provenance: _Whole


class _ObjectCreated(Struct, gc=False):
    object: _ObjectFields


class _RelationFields(Struct, gc=False):
    id: str
    source: str
    target: str
    type: str
    data: _Whole
    provenance: _Whole


class _RelationCreated(Struct, gc=False):
    relation: _RelationFields


class _PatchFields(Struct, gc=False):
    id: str
    target: str
    op: str
    value: Raw
    expected_version: int = 0


class _PatchEvent(Struct, gc=False):
    patch: _PatchFields


class _Removed(Struct, gc=False):
    id: str


class _PatchRejected(Struct, gc=False):
    patch_id: str
    reason: str | None


_Payload = TypeVar("_Payload", bound=Struct)


def _decoder(shape: type[_Payload]) -> Callable[[Text], _Payload]:
    fast = msgspec.json.Decoder(shape).decode

    def decode(payload: Text) -> _Payload:
        try:
            return fast(payload)
        except UNREADABLE:
            return _decode_tagged(payload, shape)

    return decode


def _decode_tagged(payload: Text, shape: type[_Payload]) -> _Payload:
    """Decode where an id or a type is a tagged string, or say what is missing."""
    try:
        plain = decode_canonical(payload)
        inner = next(iter(shape.__struct_fields__))
        if isinstance(plain.get(inner), dict):
            element = plain[inner]
            # Only whether they are objects is looked at; their keys may be any text.
            element = {**element, **{key: {} for key in _OBJECTS if isinstance(element.get(key), dict)}}
            if "value" in element:
                element["value"] = Raw(encode_payload_bytes(element["value"]))
            plain = {inner: element}
        return msgspec.convert(plain, shape)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise MalformedGraphEvent(str(error)) from error


_OBJECTS = ("data", "provenance")

_object_created = msgspec.json.Decoder(_ObjectCreated).decode
_relation_created = msgspec.json.Decoder(_RelationCreated).decode
_patch_event = _decoder(_PatchEvent)
_removed = _decoder(_Removed)
_patch_rejected = _decoder(_PatchRejected)


class Projection:
    """Objects, relations and patches of one run, in creation order.

    Indexes are made when first asked for and kept up to date from then on, so a load that only
    counts or diffs pays for none.
    """

    def __init__(self) -> None:
        self.objects: dict[str, ObjectState] = {}
        self.relations: dict[str, RelationState] = {}
        self.patches: dict[str, PatchState] = {}
        self.sequence = 0
        """Place in creation order of the next element."""
        self.removals: list[ObjectState | RelationState] | None = None
        """Where removed elements are noted while somebody needs them (an invocation's view)."""
        self._changes: ChangeLog | None = None
        self._adjacency: Adjacency | None = None
        self._links: LinkIndex | None = None
        self._by_value: dict[tuple[str, tuple[str, ...]], ValueIndex] | None = None
        self._by_type: dict[str, dict[str, ObjectState]] | None = None
        self._relations_by_type: dict[str, dict[str, RelationState]] | None = None
        self._names: dict[str, str] = {}
        self.handlers: dict[str, Callable[[Text], None]] = {
            "object.created": self._on_object_created,
            "object.removed": self._on_object_removed,
            "relation.created": self._on_relation_created,
            "relation.removed": self._on_relation_removed,
            "patch.proposed": self._on_patch_proposed,
            "patch.applied": self._on_patch_applied,
            "patch.rejected": self._on_patch_rejected,
        }
        """What `apply` does, by type of event."""

    def apply(self, type: str, payload: Text) -> None:
        """Apply one event; types that are no graph changes have no effect.

        Raises:
            MalformedGraphEvent: The payload of a graph event lacks a field; nothing was changed.
        """
        handler = self.handlers.get(type)
        if handler is not None:
            handler(payload)

    @property
    def changes(self) -> ChangeLog:
        """What happens to the elements, noted from the first time that somebody asks."""
        if self._changes is None:
            self._changes = ChangeLog(self.objects, self.relations)
        return self._changes

    @property
    def adjacency(self) -> Adjacency:
        """Relations by node."""
        if self._adjacency is None:
            self._adjacency = Adjacency(iter(self.relations.values()))
        return self._adjacency

    @property
    def links(self) -> LinkIndex:
        """Relations by node, type and direction."""
        if self._links is None:
            self._links = LinkIndex(self.relations.values())
        return self._links

    def objects_by_value(self, type: str, path: tuple[str, ...]) -> ValueIndex:
        """Objects of exactly this type by what their data holds at `path`, as of now."""
        if self._by_value is None:
            self._by_value = {}
        index = self._by_value.get((type, path))
        if index is None:
            index = self._by_value[type, path] = ValueIndex(path, self.changes)
        index.catch_up(type, self.objects_of_type(type))
        return index

    def objects_of_type(self, type: str) -> dict[str, ObjectState]:
        """Objects of exactly this type by id, in creation order."""
        if self._by_type is None:
            self._by_type = {}
            for state in self.objects.values():
                self._by_type.setdefault(state.type, {})[state.id] = state
        return self._by_type.get(type, {})

    def relations_of_type(self, type: str) -> dict[str, RelationState]:
        """Relations of exactly this type by id, in creation order."""
        if self._relations_by_type is None:
            self._relations_by_type = {}
            for state in self.relations.values():
                self._relations_by_type.setdefault(state.type, {})[state.id] = state
        return self._relations_by_type.get(type, {})

    def find_relations(self, source: str | None, target: str | None, type: str | None) -> list[RelationState]:
        """Relations by ends and type in creation order, through the narrowest index; None is any."""
        candidates: dict[str, RelationState]
        if source is not None:
            candidates = self.adjacency.outgoing.get(source, {})
        elif target is not None:
            candidates = self.adjacency.incoming.get(target, {})
        elif type is not None:
            candidates = self.relations_of_type(type)
        else:
            candidates = self.relations
        return [
            state
            for state in candidates.values()
            if (target is None or state.target == target) and (type is None or state.type == type)
        ]

    def _on_object_created(self, payload: Text) -> None:
        try:
            fields = _object_created(payload).object
            is_plain = not may_hold_tags(payload)
        except (msgspec.MsgspecError, UnicodeError):
            fields, is_plain = _decode_tagged(payload, _ObjectCreated).object, False
        created = _kept(payload) if is_plain else _checked(payload, "object", raw_object)
        id, objects, sequence = fields.id, self.objects, self.sequence
        type = self._names.setdefault(fields.type, fields.type)
        if id in objects:
            self._drop_object(objects[id])
        state = ObjectState(id, type, created, fields.version, sequence)
        self.sequence = sequence + 1
        objects[id] = state
        if self._by_type is not None:
            self._by_type.setdefault(type, {})[id] = state
        if self._changes is not None:
            self._changes.append(Change("created", state))

    def _on_object_removed(self, payload: Text) -> None:
        state = self.objects.get(_removed(payload).id)
        if state is None:
            return
        self._drop_object(state)
        for relation in list(self.adjacency.touching(state.id)):
            self._drop_relation(relation)

    def _on_relation_created(self, payload: Text) -> None:
        try:
            fields = _relation_created(payload).relation
            is_plain = not may_hold_tags(payload)
        except (msgspec.MsgspecError, UnicodeError):
            fields, is_plain = _decode_tagged(payload, _RelationCreated).relation, False
        created = _kept(payload) if is_plain else _checked(payload, "relation", raw_relation)
        type = self._names.setdefault(fields.type, fields.type)
        if fields.id in self.relations:
            self._drop_relation(self.relations[fields.id])
        state = RelationState(fields.id, fields.source, fields.target, type, created, self.sequence)
        self.sequence += 1
        self.relations[state.id] = state
        if self._adjacency is not None:
            self._adjacency.add(state)
        if self._links is not None:
            self._links.add(state)
        if self._relations_by_type is not None:
            self._relations_by_type.setdefault(type, {})[state.id] = state
        if self._changes is not None:
            self._changes.append(Change("created", state))

    def _on_relation_removed(self, payload: Text) -> None:
        state = self.relations.get(_removed(payload).id)
        if state is not None:
            self._drop_relation(state)

    def _on_patch_proposed(self, payload: Text) -> None:
        fields = _read_patch(payload)
        self.patches[fields.id] = PatchState(
            fields.id, fields.target, fields.op, "proposed", _as_bytes(payload), None, fields.expected_version
        )

    def _on_patch_applied(self, payload: Text) -> None:
        fields = _read_patch(payload)
        value = bytes(fields.value)
        known = self.patches.get(fields.id)
        if known is None:
            self.patches[fields.id] = PatchState(
                fields.id, fields.target, fields.op, "applied", _as_bytes(payload), None, fields.expected_version
            )
        else:
            known.status = "applied"
            known.raw = _as_bytes(payload)
        target = self.objects.get(fields.target)
        if target is None:
            return
        target.version += 1
        if fields.op in ("update", "replace"):
            if target.pending is None:
                target.pending = [(fields.op, value)]
            else:
                target.pending.append((fields.op, value))
        if self._changes is not None:
            self._changes.append(Change("patched", target, fields.op, value))

    def _on_patch_rejected(self, payload: Text) -> None:
        fields = _patch_rejected(payload)
        known = self.patches.get(fields.patch_id)
        if known is not None:
            known.status = "rejected"
            known.rejection_reason = fields.reason

    def _drop_object(self, state: ObjectState) -> None:
        del self.objects[state.id]
        if self._by_type is not None:
            del self._by_type[state.type][state.id]
        if self._changes is not None:
            self._changes.append(Change("removed", state))
        if self.removals is not None:
            self.removals.append(state)

    def _drop_relation(self, state: RelationState) -> None:
        del self.relations[state.id]
        if self._adjacency is not None:
            self._adjacency.drop(state)
        if self._relations_by_type is not None:
            del self._relations_by_type[state.type][state.id]
        if self._links is not None:
            self._links.drop(state)
        if self._changes is not None:
            self._changes.append(Change("removed", state))
        if self.removals is not None:
            self.removals.append(state)


def _kept(payload: Text) -> Text:
    """A payload as it is kept: text beyond ASCII takes up to four bytes a sign, and its bytes beside it once it was decoded."""
    return payload if isinstance(payload, bytes) or payload.isascii() else _as_bytes(payload)


def _checked(payload: Text, element: str, take_apart: Callable[[Text], RawFields]) -> Text:
    """A payload that may hold tags, after a look at the values that have to be objects.

    Raises:
        MalformedGraphEvent: They are none.
    """
    try:
        fields = take_apart(payload)
    except (msgspec.MsgspecError, UnicodeError):
        # The element itself is written as a tag.
        payload = encode_payload_bytes({element: decode_canonical(payload)[element]})
        fields = take_apart(payload)
    _require_object(bytes(fields.data), f"{element}.data")
    _require_object(bytes(fields.provenance), f"{element}.provenance")
    return _kept(payload)


def _as_bytes(payload: Text) -> bytes:
    return payload if isinstance(payload, bytes) else payload.encode("utf-8", "surrogatepass")


def _read_patch(payload: Text) -> _PatchFields:
    fields = _patch_event(payload).patch
    if fields.op in ("update", "replace"):  # what others recorded changes no data, so it is not read
        _require_object(bytes(fields.value), "patch.value")
    return fields


def _require_object(raw: bytes, path: str) -> None:
    # A tag looks like an object and may stand for bytes, a number or text.
    if not raw.startswith(b"{") or (raw.startswith(b'{"$ag.') and not isinstance(decode_canonical(raw), dict)):
        raise MalformedGraphEvent(f"`{path}` must be an object")
