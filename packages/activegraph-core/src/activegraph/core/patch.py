"""Patches: proposed or applied changes of one object's data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from activegraph.core.codec import decode_canonical, encode_plain
from activegraph.core.frozen import freeze, thaw
from activegraph.core.state import PatchState

__all__ = ["PATCH_OPERATIONS", "Patch", "diff_of", "patch_handle"]

PATCH_OPERATIONS = ("update", "replace")
"""`update` merges top-level keys, `replace` replaces all of an object's data."""

_FROM_PAYLOAD = frozenset({"value", "expected_version", "proposed_by", "rationale", "evidence", "provenance"})


@dataclass
class Patch:
    """A change of one object, with its life cycle: proposed, then applied or rejected.

    Attributes:
        id: `patch_NNN`.
        target: Id of the object.
        op: `update` merges `value` into the data, `replace` puts it in the place of all data.
        value: The new data.
        proposed_by: Who made it.
        rationale, evidence: Why, in words and as ids.
        rejection_reason: Why it was rejected, if it was.
        provenance: When and because of which event it was made.
        expected_version: Version of the target when the patch was made; 0 if it did not exist.
        status: `proposed`, `applied` or `rejected`; shows later transitions.
    """

    id: str
    target: str
    op: str
    value: dict[str, Any]
    expected_version: int
    proposed_by: str
    rationale: str | None = None
    evidence: list[str] = field(default_factory=list)
    status: str = "proposed"
    rejection_reason: str | None = None
    provenance: dict[str, Any] = field(default_factory=dict)

    def __getattribute__(self, name: str) -> Any:
        # `status` and its reason have class-level defaults, so a live handle has to look first.
        if name in ("status", "rejection_reason", "rationale"):
            state = object.__getattribute__(self, "__dict__").get("_state")
            if state is not None:
                if name == "rationale":
                    return _fields(self)["rationale"]
                return getattr(state, name)
        return object.__getattribute__(self, name)

    def __getattr__(self, name: str) -> Any:
        if name in _FROM_PAYLOAD and "_state" in self.__dict__:
            return _fields(self)[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def to_dict(self) -> dict[str, Any]:
        """All fields in order, as plain values."""
        return {
            "id": self.id,
            "target": self.target,
            "op": self.op,
            "value": thaw(self.value),
            "expected_version": self.expected_version,
            "proposed_by": self.proposed_by,
            "rationale": self.rationale,
            "evidence": thaw(self.evidence),
            "status": self.status,
            "rejection_reason": self.rejection_reason,
            "provenance": thaw(self.provenance),
        }

    def __getstate__(self) -> dict[str, Any]:
        return self.to_dict()


def _fields(handle: Patch) -> dict[str, Any]:
    fields: dict[str, Any] | None = handle.__dict__.get("_fields")
    if fields is None:
        # An event that a host built may leave out what the projection does not read.
        recorded = decode_canonical(handle.__dict__["_state"].raw)["patch"]
        fields = freeze({**_defaults(), **recorded})
        handle.__dict__["_fields"] = fields
    return fields


def _defaults() -> dict[str, Any]:
    return {
        "value": {},
        "expected_version": 0,
        "proposed_by": None,
        "rationale": None,
        "evidence": [],
        "provenance": {},
    }


def patch_handle(state: PatchState) -> Patch:
    """A live handle on a patch of the projection."""
    handle = object.__new__(Patch)
    handle.__dict__.update({"id": state.id, "target": state.target, "op": state.op, "_state": state})
    return handle


def diff_of(op: str, current: dict[str, Any], value: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """`{field: {"old", "new"}}` for each top-level key that the patch changes."""
    if op not in PATCH_OPERATIONS:
        return {}  # recorded elsewhere; the projection leaves the data as it is
    changed = {
        key: {"old": current.get(key), "new": new}
        for key, new in value.items()
        if key not in current or not _is_same(current[key], new)
    }
    if op == "replace":
        changed.update({key: {"old": old, "new": None} for key, old in current.items() if key not in value})
    return changed


def _is_same(old: Any, new: Any) -> bool:
    """Whether two values are written alike; Python holds `1`, `1.0` and `True` for equal."""
    kind = type(new)
    if type(old) is not kind:
        return False
    if kind is str or kind is int or kind is bool:
        return bool(old == new)
    return encode_plain(old) == encode_plain(new)
