"""What the projection keeps per element: small structs over the JSON text of an event, decoded when read.

They are kept out of the cyclic garbage collector (`gc=False`): a run holds hundreds of
thousands of them, none is part of a cycle, and walking them would make steps slower as a run grows.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw, Struct

from activegraph.core.codec import decode_canonical, encode_payload_bytes, may_hold_tags

__all__ = ["ObjectState", "PatchState", "RawFields", "RelationState", "Text", "raw_object", "raw_relation"]

Text = bytes | str
"""JSON as it comes: bytes from an event of this process, text from a database."""


class _Data(Struct, gc=False):
    data: dict[str, Any]


class RawFields(Struct, gc=False):
    """What is decoded only when it is read."""

    data: Raw
    provenance: Raw


class _Object(Struct, gc=False):
    object: _Data


class _Relation(Struct, gc=False):
    relation: _Data


class _RawObject(Struct, gc=False):
    object: RawFields


class _RawRelation(Struct, gc=False):
    relation: RawFields


_decode_object = msgspec.json.Decoder(_Object).decode
_decode_relation = msgspec.json.Decoder(_Relation).decode
_decode_raw_object = msgspec.json.Decoder(_RawObject).decode
_decode_raw_relation = msgspec.json.Decoder(_RawRelation).decode


def raw_object(created: Text) -> RawFields:
    """Data and provenance of an object in the payload that created it."""
    return _decode_raw_object(created).object


def raw_relation(created: Text) -> RawFields:
    """Data and provenance of a relation in the payload that created it."""
    return _decode_raw_relation(created).relation


class ObjectState(Struct, gc=False):
    """One object, with patches folded into its data only when somebody reads it."""

    id: str
    type: str
    created: Text
    """Payload of the event that created it, whose key `object` holds the fields."""
    version: int
    sequence: int
    """Place in creation order, over objects and relations."""
    pending: list[tuple[str, bytes]] | None = None
    """Patches (operation, value) applied since the data was last looked at."""
    plain: dict[str, Any] | None = None
    is_changed: bool = False
    """Whether `plain` says more than the creating event: patches were folded into it."""

    @property
    def is_as_created(self) -> bool:
        """Whether no patch has touched the data."""
        return self.pending is None and not self.is_changed

    def data(self) -> dict[str, Any]:
        """The decoded data, for reading inside the engine only: never handed out, never changed."""
        if self.plain is None:
            self.plain = self.first_data()
        if self.pending is not None:
            self._consolidate(self.plain)
        return self.plain

    def first_data(self) -> dict[str, Any]:
        """The data that it was created with, newly decoded: the caller's own."""
        if not may_hold_tags(self.created):
            try:
                return _decode_object(self.created).object.data
            except (msgspec.MsgspecError, UnicodeError, RecursionError):
                pass  # integers of any size, say
        return _decoded(raw_object(self.created).data)

    def data_bytes(self) -> bytes:
        """The data as JSON bytes."""
        if not self.is_as_created:
            return encode_payload_bytes(self.data())
        return bytes(raw_object(self.created).data)

    def provenance(self) -> dict[str, Any]:
        """Who made it, when and why; newly decoded."""
        return _decoded(raw_object(self.created).provenance)

    def _consolidate(self, base: dict[str, Any]) -> None:
        merged = dict(base)
        for op, value in self.pending or ():
            if op == "update":
                merged.update(decode_canonical(value))
            else:
                merged = decode_canonical(value)
        self.pending = None
        self.plain = merged
        self.is_changed = True


class RelationState(Struct, gc=False):
    """One relation."""

    id: str
    source: str
    target: str
    type: str
    created: Text
    """Payload of the event that created it, whose key `relation` holds the fields."""
    sequence: int
    plain: dict[str, Any] | None = None

    def data(self) -> dict[str, Any]:
        """The decoded data, for reading inside the engine only."""
        if self.plain is None:
            self.plain = self.first_data()
        return self.plain

    def first_data(self) -> dict[str, Any]:
        """The data, newly decoded: the caller's own."""
        if not may_hold_tags(self.created):
            try:
                return _decode_relation(self.created).relation.data
            except (msgspec.MsgspecError, UnicodeError, RecursionError):
                pass
        return _decoded(raw_relation(self.created).data)

    def data_bytes(self) -> bytes:
        """The data as JSON bytes."""
        return bytes(raw_relation(self.created).data)

    def provenance(self) -> dict[str, Any]:
        """Who made it, when and why; newly decoded."""
        return _decoded(raw_relation(self.created).provenance)


def _decoded(raw: Raw) -> dict[str, Any]:
    plain: dict[str, Any] = decode_canonical(bytes(raw))
    return plain


class PatchState(Struct, gc=False):
    """One patch: the payload of the event that told of it, and what has become of it since."""

    id: str
    target: str
    op: str
    status: str
    raw: bytes
    """Payload of the event, whose key `patch` holds the fields."""
    rejection_reason: str | None = None
    expected_version: int = 0
