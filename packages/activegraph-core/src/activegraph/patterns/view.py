"""Matches as of one moment: a list that is built when it is looked at."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, Protocol, overload

from activegraph.patterns.chain import Entry
from activegraph.patterns.kept import Difference, Lease, changed_order, is_worth_mending
from activegraph.patterns.matcher import Match, PatternMatcher

__all__ = ["Journal", "MatchView"]


class Source(Protocol):
    """The set that a view is of."""

    def ordered(self) -> Lease:
        """Its entries in order, as of its last catching up."""

    def binding(self, element_id: str) -> Collection[Entry]:
        """Entries that bind this id, as of now: it catches up first."""


class Journal:
    """What has come and gone while views of a set are alive, so that they can go back to their moment.

    Views hold it; the set writes to it only while they do.
    """

    __slots__ = ("__weakref__", "_source", "differences")

    def __init__(self, source: Source) -> None:
        self.differences: list[Difference] = []
        self._source: Source | list[Entry] = source

    def close(self, entries: list[Entry]) -> None:
        """Let go of the set.

        Args:
            entries: What it held after the last difference, in order.
        """
        self._source = entries

    def ordered_at(self, place: int) -> Lease:
        """Entries in order as they were before the differences from `place` on."""
        source = self._source
        lease = Lease(source) if isinstance(source, list) else source.ordered()
        since = self.differences[place:]
        if not since:
            return lease
        undone = [(not came, entry) for came, entry in reversed(since)]
        if is_worth_mending(len(undone), len(lease.entries)):
            entries = lease.entries.copy()
            changed_order(entries, undone)
            return Lease(entries)
        return Lease(sorted(_changed(set(lease.entries), undone)))

    def binding_at(self, place: int, element_id: str, width: int) -> list[Entry]:
        """Entries that bind this id, in order, as they were before the differences from `place` on."""
        source = self._source
        if not isinstance(source, list):
            now = source.binding(element_id)
            source = self._source  # catching up may have closed this journal
        if isinstance(source, list):
            now = [entry for entry in source if element_id in entry[width:]]
        undone = [
            (not came, entry) for came, entry in reversed(self.differences[place:]) if element_id in entry[width:]
        ]
        return sorted(_changed(set(now), undone))


def _changed(entries: set[Entry], differences: list[Difference]) -> set[Entry]:
    for came, entry in differences:
        if came:
            entries.add(entry)
        else:
            entries.discard(entry)
    return entries


class MatchView(Sequence[Match]):
    """The matches of a pattern as of one moment, in creation order; equal to a list of them.

    Its length is known. The rest is worked out when somebody looks, and what happens to the graph
    in between makes no difference.
    """

    __slots__ = ("__weakref__", "_journal", "_lease", "_length", "_matcher", "_place")

    def __init__(self, matcher: PatternMatcher, length: int, journal: Journal) -> None:
        self._matcher = matcher
        self._length = length
        self._journal = journal
        self._place = len(journal.differences)
        self._lease: Lease | None = None

    def touching(self, element_id: str) -> list[Match]:
        """Those that bind the object or relation with this id; cost follows their number."""
        match, width = self._matcher.match, self._matcher.chain.width
        return [match(entry) for entry in self._journal.binding_at(self._place, element_id, width)]

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, place: int) -> Match: ...
    @overload
    def __getitem__(self, place: slice) -> list[Match]: ...
    def __getitem__(self, place: int | slice) -> Match | list[Match]:
        entries = self._entries()
        if isinstance(place, slice):
            return [self._matcher.match(entry) for entry in entries[place]]
        return self._matcher.match(entries[place])

    def __iter__(self) -> Iterator[Match]:
        return map(self._matcher.match, self._entries())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, (list, MatchView)):
            return NotImplemented
        return len(other) == self._length and all(mine == theirs for mine, theirs in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]  # equal to lists, which have none

    def __repr__(self) -> str:
        return repr(list(self))

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[list[Match]]]:
        return list, (list(self),)

    def _entries(self) -> list[Entry]:
        if self._lease is None:
            self._lease = self._journal.ordered_at(self._place)
        return self._lease.entries
