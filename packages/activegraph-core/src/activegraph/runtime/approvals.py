"""Approvals: objects that a behavior proposed and a person decides on, with the evidence in the log.

What is pending follows from the log alone: proposed, less denied, less those whose object exists.
A grant counts with its object: where a fork cut the object away, the approval is pending again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from activegraph.core.changes import Stamp, require_fields, require_text
from activegraph.core.codec import check_header, decode_canonical, encode_payload_bytes
from activegraph.core.frozen import freeze
from activegraph.errors import ApprovalNotFoundError, NonSerializableEventError
from activegraph.packs.pending import PendingApproval
from activegraph.runtime.call_origin import NO_CALLS, Calls

if TYPE_CHECKING:
    from activegraph.runtime.engine import Engine
    from activegraph.runtime.invocation import Invocation

__all__ = ["APPROVAL_TYPES", "Approvals", "PendingApproval", "approve", "deny", "propose_object"]

APPROVAL_TYPES = frozenset({"approval.proposed", "approval.granted", "approval.denied"})


class _Logged(Protocol):
    """An event, live or as stored."""

    @property
    def id(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def actor(self) -> str | None: ...
    @property
    def caused_by(self) -> str | None: ...


class _Proposal:
    __slots__ = ("approval", "calls", "event_id")

    def __init__(self, approval: PendingApproval, event_id: str) -> None:
        self.approval = approval
        self.event_id = event_id
        self.calls = NO_CALLS
        """What the proposing handler was given its answer by; the object will name it."""


class Approvals:
    """The pending approvals of one run, oldest first."""

    def __init__(self) -> None:
        self._proposals: dict[str, _Proposal] = {}
        self._granted: tuple[str, str] | None = None
        """A grant whose object has not been seen: its event id, and the approval's id."""

    @property
    def is_granting(self) -> bool:
        """Whether a grant was seen last, so that the next event says whether its object is there."""
        return self._granted is not None

    def pending(self) -> list[PendingApproval]:
        """Those that wait for a decision."""
        return [proposal.approval for proposal in self._proposals.values()]

    def find(self, approval_id: str) -> _Proposal:
        """A pending approval, the id of the event that proposed it, and the calls behind it.

        Raises:
            ApprovalNotFoundError: It is unknown, or was decided already.
        """
        proposal = self._proposals.get(approval_id) if isinstance(approval_id, str) else None
        if proposal is None:
            raise ApprovalNotFoundError(approval_id, pending_count=len(self._proposals))
        return proposal

    def stands_on(self, approval_id: str, calls: Calls) -> None:
        """The handler that proposed this was given its answer by these calls."""
        proposal = self._proposals.get(approval_id)
        if proposal is not None:
            proposal.calls = calls

    def see(self, stored: Any) -> None:
        """Take an event as stored into account (`payload` is its canonical bytes)."""
        if self._granted is not None:
            self._settle(stored)
        if stored.type in APPROVAL_TYPES:
            self.take(stored, stored.payload)

    def take(self, event: _Logged, payload: bytes | str) -> None:
        """Take an `approval.*` event into account, whoever emitted it."""
        fields = decode_canonical(payload)
        id = fields.get("approval_id")
        if not isinstance(id, str):
            return
        if event.type == "approval.proposed":
            object_type, data = fields.get("object_type"), fields.get("data")
            if isinstance(object_type, str) and object_type and isinstance(data, dict):
                self._proposals[id] = _Proposal(
                    PendingApproval(
                        id,
                        fields.get("kind", "object"),
                        object_type,
                        freeze(data),
                        fields.get("reason") or "",
                        fields.get("pack") or "",
                    ),
                    event.id,
                )
        elif event.type == "approval.granted":
            if event.actor == "runtime":  # what a host writes by hand makes no object of an approval
                self._granted = (event.id, id)
        else:
            self._proposals.pop(id, None)

    def _settle(self, event: _Logged) -> None:
        granted, self._granted = self._granted, None
        if granted is not None and event.type == "object.created" and event.caused_by == granted[0]:
            self._proposals.pop(granted[1], None)

    def settle(self, approval_id: str) -> None:
        """The object of a granted approval has been made."""
        self._proposals.pop(approval_id, None)
        self._granted = None


def propose_object(step: Invocation, object_type: str, data: dict[str, Any], reason: str) -> str:
    """Record what a behavior would like to create; returns the approval's id."""
    require_text("object_type", object_type)
    require_fields("data", data)
    payload = {
        "approval_id": "",
        "object_type": object_type,
        "reason": reason,
        "pack": step.engine.packs.gate_of(object_type),
        "kind": "object",
        "data": data,
        "behavior": step.name,
    }
    step.writer.check_object(step.stamp, object_type, data)
    payload["data"] = _recordable(step, object_type, data)
    encode_payload_bytes(payload)  # refused data must draw no id
    now = step.writer.now()
    payload["approval_id"] = approval_id = step.writer.ids.approval()
    step.take(step.writer.event("approval.proposed", encode_payload_bytes(payload), step.stamp, now))
    stamp = step.stamp
    if stamp.llm_request_event_id is not None:
        calls = Calls(stamp.llm_request_event_id, stamp.tool_request_event_ids)
        step.engine.approvals.stands_on(approval_id, calls)
    return approval_id


def _recordable(step: Invocation, object_type: str, data: dict[str, Any]) -> dict[str, Any]:
    """`data` as it was given, or as its pack's schema writes it where it holds what only a schema can write."""
    schemas = step.engine.packs.schemas
    try:
        encode_payload_bytes(data)
    except NonSerializableEventError:
        if schemas is None:
            raise
        return schemas.proposed_data(object_type, data)
    return data


def approve(engine: Engine, approval_id: str, approved_by: str | None) -> str:
    """Record the grant and create the object, as one step; returns the object's id.

    Raises:
        ApprovalNotFoundError: It is not pending; nothing was recorded.
    """
    proposal = engine.approvals.find(approval_id)
    approval, proposed = proposal.approval, proposal.event_id
    who = check_header("actor", approved_by) or "user"
    writer, recorder = engine.writer, engine.recorder
    writer.check_object(Stamp(who, proposed, engine.frame_id), approval.object_type, approval.data, recorded=True)
    with recorder.transaction():
        # Both times before anything is recorded: a clock that fails leaves no grant without its object.
        granted_at, made_at = writer.now(), writer.now()
        object_id = writer.ids.object(approval.object_type)
        granted = writer.event(
            "approval.granted",
            encode_payload_bytes(
                {
                    "approval_id": approval_id,
                    "object_type": approval.object_type,
                    "approved_by": who,
                    "object_id": object_id,
                }
            ),
            Stamp("runtime", proposed, engine.frame_id),
            granted_at,
        )
        stamp, begun = Stamp(who, granted.id, engine.frame_id, *proposal.calls), (made_at, object_id)
        try:
            recorder.record(granted)
            writer.add_object(recorder.record, stamp, approval.object_type, approval.data, begun=begun, recorded=True)
        except BaseException as error:
            # An interrupt: a transaction keeps what was emitted, which would be half a decision.
            recorder.stop(error)
            raise
        engine.approvals.settle(approval_id)
    return object_id


def deny(engine: Engine, approval_id: str, denied_by: str | None, reason: str) -> None:
    """Record that the proposal is refused; nothing is created.

    Raises:
        ApprovalNotFoundError: It is not pending; nothing was recorded.
    """
    proposal = engine.approvals.find(approval_id)
    approval, proposed = proposal.approval, proposal.event_id
    payload = {
        "approval_id": approval_id,
        "object_type": approval.object_type,
        "denied_by": check_header("actor", denied_by) or "user",
        "reason": reason,
    }
    encoded = encode_payload_bytes(payload)
    with engine.recorder.transaction():
        stamp = Stamp("runtime", proposed, engine.frame_id)
        engine.recorder.record(engine.writer.event("approval.denied", encoded, stamp))
