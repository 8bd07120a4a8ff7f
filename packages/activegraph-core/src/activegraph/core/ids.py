"""Id sequences of one run: everything but the run's own id follows from what the run does."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from threading import Lock
from typing import TYPE_CHECKING, Any

from activegraph.core.event import Event
from activegraph.core.state import ObjectState, RelationState

if TYPE_CHECKING:
    from activegraph.core.projection import Projection

__all__ = ["IDGen"]

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_RANDOM_BITS = 80

_ulid_lock = Lock()
_last_ulid = 0


def _begin_anew_in_child() -> None:
    """A forked process draws ULIDs of its own instead of counting on from its parent's last one."""
    global _ulid_lock, _last_ulid
    _ulid_lock, _last_ulid = Lock(), 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew_in_child)


class IDGen:
    """The id sequences of one run, each from 1. Not shared between graphs.

    Objects of all types share one sequence. Stops have one of their own, so that a run that was
    stopped and gone on with has the ids of one that was not.
    """

    def __init__(self) -> None:
        self._event = 0
        self._object = 0
        self._relation = 0
        self._patch = 0
        self._frame = 0
        self._stop = 0
        self._approval = 0

    def event(self) -> str:
        """`evt_001`, ..."""
        self._event = number = self._event + 1
        return f"evt_{number}" if number > 99 else f"evt_{number:03d}"

    def object(self, type: str) -> str:
        """`task#1`, `claim#2`, ..."""
        self._object += 1
        return f"{type}#{self._object}"

    def relation(self) -> str:
        """`rel_001`, ..."""
        self._relation += 1
        return f"rel_{self._relation:03d}"

    def patch(self) -> str:
        """`patch_001`, ..."""
        self._patch += 1
        return f"patch_{self._patch:03d}"

    def frame(self) -> str:
        """`frame_001`, ..."""
        self._frame += 1
        return f"frame_{self._frame:03d}"

    def stop(self) -> str:
        """`stop_001`, ...: ids of events that say that the loop stopped."""
        self._stop += 1
        return f"stop_{self._stop:03d}"

    def approval(self) -> str:
        """`approval_001`, ..."""
        self._approval += 1
        return f"approval_{self._approval:03d}"

    def run(self) -> str:
        """A fresh ULID: sorts by creation time, increasing within this process."""
        global _last_ulid
        fresh = (time.time_ns() // 1_000_000) << _RANDOM_BITS | int.from_bytes(os.urandom(10), "big")
        with _ulid_lock:
            if fresh >> _RANDOM_BITS <= _last_ulid >> _RANDOM_BITS:
                fresh = _last_ulid + 1
            _last_ulid = fresh
        return "".join(_CROCKFORD[fresh >> shift & 31] for shift in range(125, -1, -5))

    def reseed_from_events(self, events: Iterable[Event]) -> None:
        """Raise each sequence to the highest number that these events show; never lower one."""
        for event in events:
            self.saw_event_id(event.id)
            self.saw_stop_id(event.id)
            if event.frame_id is not None:
                self.saw_frame_id(event.frame_id)
            self.saw_payload(event)

    def saw_payload(self, event: Event) -> None:
        """Move the sequences past the ids that the payload of a graph event introduces."""
        created = _ID_PLACES.get(event.type)
        if created is None:
            return
        element, key, saw = created
        payload: Any = event.payload
        inner = payload.get(element) if isinstance(payload, dict) else None
        found = inner.get("id") if isinstance(inner, dict) else payload.get(key) if isinstance(payload, dict) else None
        if isinstance(found, str):
            saw(self, found)

    def saw_all(
        self, events: Iterable[str], projection: Projection, removed: Iterable[ObjectState | RelationState]
    ) -> None:
        """Move every sequence past the ids of a log that was read.

        Args:
            events: Ids that may be the highest.
            projection: What is there at the log's end.
            removed: What the log created and removed again.
        """
        for id in events:
            self.saw_event_id(id)
        _see_newest_first(projection.objects, "#", self.saw_object_id)
        _see_newest_first(projection.relations, "_", self.saw_relation_id)
        _see_newest_first(projection.patches, "_", self.saw_patch_id)
        for state in removed:
            if isinstance(state, ObjectState):
                self.saw_object_id(state.id)
            else:
                self.saw_relation_id(state.id)

    def saw_event_id(self, id: str) -> None:
        """Move the sequence of events past `id`, if it has the shape of one."""
        if id[:4] == "evt_" and (number := _number(id[4:])) > self._event:
            self._event = number

    def skip_to_event_id(self, id: str) -> None:
        """Let `id` be the next one of events, if it is still to come."""
        if id[:4] == "evt_" and (number := _number(id[4:])) > self._event:
            self._event = number - 1

    def saw_object_id(self, id: str) -> int:
        """Move the sequence of objects past the number after the last `#` of `id`; returns its highest number."""
        if (number := _number(id[id.rfind("#") + 1 :])) > self._object and "#" in id:
            self._object = number
        return self._object

    def saw_relation_id(self, id: str) -> int:
        """Move the sequence of relations past `id`; returns its highest number."""
        if id[:4] == "rel_" and (number := _number(id[4:])) > self._relation:
            self._relation = number
        return self._relation

    def saw_patch_id(self, id: str) -> int:
        """Move the sequence of patches past `id`; returns its highest number."""
        if id[:6] == "patch_" and (number := _number(id[6:])) > self._patch:
            self._patch = number
        return self._patch

    def saw_frame_id(self, id: str) -> None:
        """Move the sequence of frames past `id`."""
        if id[:6] == "frame_" and (number := _number(id[6:])) > self._frame:
            self._frame = number

    def saw_stop_id(self, id: str) -> None:
        """Move the sequence of stops past `id`."""
        if id[:5] == "stop_" and (number := _number(id[5:])) > self._stop:
            self._stop = number

    def saw_approval_id(self, id: str) -> None:
        """Move the sequence of approvals past `id`."""
        if id[:9] == "approval_" and (number := _number(id[9:])) > self._approval:
            self._approval = number


_ID_PLACES: dict[str, tuple[str | None, str, Callable[[IDGen, str], object]]] = {
    "object.created": ("object", "id", IDGen.saw_object_id),
    "relation.created": ("relation", "id", IDGen.saw_relation_id),
    "patch.proposed": ("patch", "patch_id", IDGen.saw_patch_id),
    "patch.applied": ("patch", "patch_id", IDGen.saw_patch_id),
    "patch.rejected": (None, "patch_id", IDGen.saw_patch_id),
    "approval.proposed": (None, "approval_id", IDGen.saw_approval_id),
}
"""Types whose payload introduces an id: the element that holds it, else the key, and its sequence."""


def _see_newest_first(ids: dict[str, Any], mark: str, see: Callable[[str], int]) -> None:
    """Show a sequence those ids that may move it; the newest first, so that hardly any other is one.

    Args:
        mark: What stands before the number.
        see: Takes an id and gives the sequence's highest number.
    """
    highest, length = "", 0
    for id in reversed(ids):
        digits = id[id.rfind(mark) + 1 :].lstrip("0")
        if len(digits) > length or (len(digits) == length and digits > highest):
            highest = str(see(id))
            length = len(highest)


def _number(digits: str) -> int:
    """The number that an id ends with; 0 for an id of another shape."""
    if len(digits) < 19 and digits.isascii() and digits.isdigit():
        return int(digits)
    return 0
