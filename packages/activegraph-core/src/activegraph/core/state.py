"""What the projection keeps per element: small structs over JSON bytes, decoded when read.

They are kept out of the cyclic garbage collector (`gc=False`): a run holds hundreds of
thousands of them, none is part of a cycle, and walking them would make steps slower as a run grows.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from activegraph.core.codec import decode_canonical, encode_payload_bytes

__all__ = ["ObjectState", "PatchState", "RelationState"]


class ObjectState(Struct, gc=False):
    """One object, with patches folded into its data only when somebody reads it."""

    id: str
    type: str
    raw: bytes | None
    """The data as JSON bytes; None while only `plain` is up to date."""
    version: int
    provenance: bytes
    sequence: int
    """Place in creation order, over objects and relations."""
    pending: list[tuple[str, bytes]] | None = None
    """Patches (operation, value) applied since the data was last looked at."""
    plain: dict[str, Any] | None = None

    def data(self) -> dict[str, Any]:
        """The decoded data, for reading inside the engine only: never handed out, never changed."""
        if self.plain is None:
            self.plain = decode_canonical(self.raw or b"{}")
        if self.pending is not None:
            self._consolidate(self.plain)
        return self.plain

    def data_bytes(self) -> bytes:
        """The data as JSON bytes."""
        if self.raw is None or self.pending is not None:
            self.raw = encode_payload_bytes(self.data())
        return self.raw

    def _consolidate(self, base: dict[str, Any]) -> None:
        merged = dict(base)
        for op, value in self.pending or ():
            if op == "update":
                merged.update(decode_canonical(value))
            else:
                merged = decode_canonical(value)
        self.pending = None
        self.plain = merged
        self.raw = None


class RelationState(Struct, gc=False):
    """One relation."""

    id: str
    source: str
    target: str
    type: str
    raw: bytes
    provenance: bytes
    sequence: int
    plain: dict[str, Any] | None = None

    def data(self) -> dict[str, Any]:
        """The decoded data, for reading inside the engine only."""
        if self.plain is None:
            self.plain = decode_canonical(self.raw)
        return self.plain


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
