"""How a run that is copied from elsewhere is compared with what a store already holds."""

from __future__ import annotations

from activegraph.core.codec import CodecError, decode_canonical, encode_payload_bytes
from activegraph.errors import LogInconsistencyError
from activegraph.store.base import RawEvent

__all__ = ["compare_existing", "conflict"]

_FIELDS = ("id", "type", "actor", "frame_id", "caused_by", "timestamp")


def compare_existing(run_id: str, incoming: RawEvent, stored: RawEvent | None) -> None:
    """Raise unless a stored event says the same as the incoming one at its position."""
    if stored is None:
        raise conflict(run_id, incoming.id, "position differs")
    for name in _FIELDS:
        if getattr(incoming, name) != getattr(stored, name):
            raise conflict(run_id, incoming.id, f"{'position' if name == 'id' else name} differs")
    if incoming.payload != stored.payload and _canonical(incoming) != _canonical(stored):
        raise conflict(run_id, incoming.id, "payload differs")


def _canonical(event: RawEvent) -> bytes:
    try:
        return encode_payload_bytes(decode_canonical(event.payload))
    except CodecError:
        return event.payload.encode("utf-8", "surrogatepass")


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
