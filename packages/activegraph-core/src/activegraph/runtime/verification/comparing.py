"""Whether a recorded event and the one of a re-execution say the same, and where they do not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from activegraph.core.codec import decode_canonical, encode_payload_bytes
from activegraph.core.event import Event, raw_payload
from activegraph.packs.attachment import CONTENT
from activegraph.runtime.compare import essence, shown_payload
from activegraph.runtime.log_rows import LogRow
from activegraph.runtime.verification.recorded import Recorded

__all__ = ["Difference", "difference_of"]

_OF_PACKS = ("name", *CONTENT)
"""What a `pack.loaded` is compared by."""


class Difference(NamedTuple):
    """Where a re-execution leaves its record.

    Attributes:
        row: The recorded event at that place; the last one, where the re-execution has one more.
        expected, actual: What was recorded, and what was done, as the error shows it.
        event: What the re-execution did; None where it has ended.
    """

    row: LogRow
    expected: str
    actual: str | None
    event: Event | None


def difference_of(recorded: Recorded, event: Event, moved: Mapping[str, str]) -> Difference | None:
    """None where both say the same.

    Args:
        moved: Ids of recorded events whose counterparts have others.
    """
    row = recorded.row
    if row.type != event.type:
        return Difference(row, row.type, event.type, event)
    before, after = recorded.payload, raw_payload(event)
    if before == after:
        return None
    old, new = decode_canonical(before), decode_canonical(after)
    if row.type == "llm.requested":
        asked, asks = old.get("prompt_hash"), new.get("prompt_hash")
        return None if asked == asks else Difference(row, f"prompt_hash={asked}", f"prompt_hash={asks}", event)
    if row.type == "pack.loaded":
        old, new = ({key: payload[key] for key in _OF_PACKS if key in payload} for payload in (old, new))
    old, new = essence(old), essence(new)
    differing = [key for key in {**old, **new} if (key in old) != (key in new) or not _same(old[key], new[key], moved)]
    if not differing:
        return None
    expected, actual = ({key: payload[key] for key in differing if key in payload} for payload in (old, new))
    return Difference(row, shown_payload(expected), shown_payload(actual), event)


def _same(old: Any, new: Any, moved: Mapping[str, str]) -> bool:
    """Whether two values are equal in type and content; an id stands for its event, whatever that is called now."""
    if encode_payload_bytes({"": old}) == encode_payload_bytes({"": new}):
        return True
    if not moved:
        return False
    if isinstance(old, dict) and isinstance(new, dict):
        return list(old) == list(new) and all(_same(old[key], new[key], moved) for key in old)
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(_same(a, b, moved) for a, b in zip(old, new, strict=True))
    return isinstance(old, str) and moved.get(old) == new
