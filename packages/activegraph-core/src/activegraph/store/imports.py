"""How a run that is copied from elsewhere is compared with what a store already holds."""

from __future__ import annotations

from activegraph.core.codec import CodecError, decode_canonical, encode_value
from activegraph.errors import LogInconsistencyError, NonSerializableEventError
from activegraph.store.base import RawEvent

__all__ = ["canonical_text", "compare_existing", "conflict"]

_FIELDS = ("type", "payload", "actor", "frame_id", "caused_by", "timestamp")


def compare_existing(run_id: str, incoming: RawEvent, stored: RawEvent | None) -> None:
    """Raise unless a stored event says the same as the incoming one at its position."""
    if stored is None or incoming.id != stored.id:
        raise conflict(run_id, incoming.id, "position differs")
    differing = [name for name in _FIELDS if not _equal(name, incoming, stored)]
    if differing:
        raise conflict(run_id, incoming.id, f"{', '.join(differing)} {'differs' if len(differing) == 1 else 'differ'}")


def _equal(name: str, incoming: RawEvent, stored: RawEvent) -> bool:
    if getattr(incoming, name) == getattr(stored, name):
        return True
    return name == "payload" and canonical_text(incoming.payload) == canonical_text(stored.payload)


def canonical_text(payload: str) -> str:
    """Stored text in canonical form; text that cannot be decoded stays as it is."""
    try:
        return encode_value(decode_canonical(payload)).decode("utf-8")
    except (CodecError, NonSerializableEventError):
        return payload


def conflict(run_id: str, event_id: str | None, what: str) -> LogInconsistencyError:
    """The error for a destination that holds something else."""
    where = f"run {run_id!r}" if event_id is None else f"event {event_id!r} of run {run_id!r}"
    context = {"run_id": run_id, "reason": "conflict"}
    if event_id is not None:
        context["event_id"] = event_id
    return LogInconsistencyError(
        f"{where} is in the destination with another content: {what}",
        what_failed=f"Copying {where}: {what}. Nothing of this run was written.",
        why="An event is written once; the same id with another content is another history.",
        how_to_fix="Compare both runs (`activegraph diff`), and copy into a store that does not hold this run.",
        context=context,
    )
