"""Work that any process can repeat and check: numbered events in batches, told by their numbers alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from activegraph.core.event import NO_DIGEST, Event, digest_of
from activegraph.store.base import EventStore, RawEvent

__all__ = ["append_batch", "chain_problem", "log_problem", "numbered", "raw_copy"]


def numbered(start: int, size: int, *, padding: int = 0) -> list[Event]:
    """Events `evt_<start>`, …: what position `start` and the following hold in every run of this workload."""
    filler = "x" * padding
    return [
        Event(f"evt_{n}", "work.done", {"n": n, "x": filler}, "worker", None, None, f"2026-05-15T10:32:01.{n:09d}Z")
        for n in range(start, start + size)
    ]


def append_batch(store: EventStore, batch: Sequence[Event], **options: Any) -> None:
    """Append at once where the store can, else one by one."""
    append_many: Any = getattr(store, "append_many", None)
    if append_many is not None:
        append_many(batch, **options)
        return
    for each in batch:
        store.append(each)


def log_problem(found: Iterable[Event], *, size: int, at_least: int = 0) -> str | None:
    """What is wrong with a log that was written by `numbered` in batches of `size`; None if nothing is.

    Args:
        at_least: Events that were acknowledged and must be there.
    """
    count = 0
    for each in found:
        count += 1
        if each.id != f"evt_{count}":
            return f"position {count} holds {each.id}"
        if each.payload.get("n") != count or each.type != "work.done":
            return f"{each.id} has the payload {dict(each.payload)!r:.80}"
    if count < at_least:
        return f"{at_least} events were acknowledged, {count} are there"
    if count % size:
        return f"{count} events are there: a batch of {size} is there in part"
    return None


def chain_problem(rows: Iterable[RawEvent]) -> str | None:
    """Where stored rows are no dense, chained log; None if they are one. Rows without a digest pass."""
    previous = NO_DIGEST
    for expected, row in enumerate(rows, start=1):
        if row.position != expected:
            return f"position {row.position} comes where {expected} is due"
        payload = row.payload.encode("utf-8", "surrogatepass")
        digest = digest_of(previous, row.id, row.type, payload, row.actor, row.frame_id, row.caused_by, row.timestamp)
        if row.digest is not None and row.digest != digest:
            return f"the digest of {row.id} is not that of its content behind its predecessor"
        previous = digest
    return None


def raw_copy(batch: Iterable[Event], *, digests: bool = True) -> list[RawEvent]:
    """Events as the rows that a source store would hand over for an import."""
    from activegraph.core.event import canonical_payload

    rows: list[RawEvent] = []
    previous = NO_DIGEST
    for position, each in enumerate(batch, start=1):
        payload = canonical_payload(each)
        previous = digest_of(
            previous, each.id, each.type, payload, each.actor, each.frame_id, each.caused_by, each.timestamp
        )
        rows.append(
            RawEvent(
                position,
                each.id,
                each.type,
                each.actor,
                payload.decode("utf-8"),
                each.frame_id,
                each.caused_by,
                each.timestamp,
                previous if digests else None,
            )
        )
    return rows
