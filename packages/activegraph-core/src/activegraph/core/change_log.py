"""What has lately happened to the projection's elements, for those that keep something derived from it.

One log serves any number of readers: each remembers how far it has read and catches up when it is
asked, so a change costs one append however many readers there are. A reader that has fallen too
far behind derives its whole state anew instead. Nobody reads: the projection keeps no log.
"""

from __future__ import annotations

from collections.abc import Sequence, Sized
from typing import Literal

from msgspec import Struct, field

from activegraph.core.codec import decode_canonical
from activegraph.core.state import ObjectState, RelationState

__all__ = ["Change", "ChangeLog"]

_SHORTEST = 1024


class Change(Struct, gc=False):
    """One element created, removed or patched. An element made again under its id is another element."""

    kind: Literal["created", "removed", "patched"]
    state: ObjectState | RelationState
    op: str = ""
    """Operation of the patch."""
    value: bytes = b""
    """Value of the patch as JSON."""
    names: frozenset[str] | None = field(default=None)

    def touches(self, fields: frozenset[str]) -> bool:
        """Whether this patch may have changed one of these top-level fields of the data."""
        if self.op == "replace":
            return True
        if self.op != "update":
            return False
        if self.names is None:
            self.names = frozenset(decode_canonical(self.value))
        return not fields.isdisjoint(self.names)


class ChangeLog:
    """The latest changes in order, by a position that only grows.

    Args:
        elements: The collections of the graph's elements; the log keeps about as many changes, so
            that whoever has to start over has been spared as much work before.
    """

    def __init__(self, *elements: Sized) -> None:
        self._changes: list[Change] = []
        self._start = 0
        self._elements = elements
        self._longest = _SHORTEST
        self.head = 0
        """Position after the last change."""

    def append(self, change: Change) -> None:
        """Note a change that is in the projection already."""
        self._changes.append(change)
        self.head += 1
        if len(self._changes) > self._longest:
            self._forget()

    def since(self, position: int) -> Sequence[Change] | None:
        """Changes after `position`; None if some of them are no longer known."""
        if position < self._start:
            return None
        return self._changes[position - self._start :]

    def _forget(self) -> None:
        self._longest = max(_SHORTEST, 2 * sum(map(len, self._elements)))
        cut = len(self._changes) - self._longest // 2
        if cut > 0:
            del self._changes[:cut]
            self._start += cut
