"""The matches of one pattern as they are kept: by element, and in order once somebody asks for it."""

from __future__ import annotations

import weakref
from bisect import bisect_left, insort
from collections.abc import Collection, Iterable

from activegraph.patterns.chain import Entry

__all__ = ["Difference", "KeptMatches", "Lease", "changed_order", "is_worth_mending"]

_FEW = 16
"""Differences that are always cheaper to apply than an order is to work out anew."""

Difference = tuple[bool, Entry]
"""A match that came (True) or went."""


class Lease:
    """Entries in order, for as long as somebody looks at them; whoever changes them meanwhile copies first."""

    __slots__ = ("__weakref__", "entries")

    def __init__(self, entries: list[Entry]) -> None:
        self.entries = entries


class KeptMatches:
    """A set of entries with an index from elements to them.

    The order is worked out when it is asked for, and mended when it is asked for again.

    Args:
        entries: The matches to begin with.
        width: Number of places at the head of an entry that name its elements.
    """

    def __init__(self, entries: Iterable[Entry], width: int) -> None:
        self._width = width
        self._entries: set[Entry] = set()
        self._by_element: dict[int, Entry | set[Entry]] = {}
        self._ordered: list[Entry] | None = None
        self._behind: list[Difference] = []
        """Differences since the order was worked out."""
        self._lease: weakref.ref[Lease] | None = None
        for entry in entries:
            self.add(entry)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, entry: Entry) -> bool:
        return entry in self._entries

    def add(self, entry: Entry) -> None:
        """Take in a match that is not there."""
        self._entries.add(entry)
        self._fall_behind(True, entry)
        by_element = self._by_element
        for element in entry[: self._width]:
            there = by_element.get(element)
            # Most elements are in one match, which then stands for itself.
            if there is None:
                by_element[element] = entry
            elif isinstance(there, set):
                there.add(entry)
            elif there != entry:
                by_element[element] = {there, entry}

    def drop(self, entry: Entry) -> None:
        """Forget a match that is there."""
        self._entries.remove(entry)
        self._fall_behind(False, entry)
        by_element = self._by_element
        for element in set(entry[: self._width]):
            there = by_element[element]
            if isinstance(there, set):
                there.remove(entry)
                if there:
                    continue
            del by_element[element]

    def with_element(self, element: int) -> Collection[Entry]:
        """Matches that have the element of this place in creation order; not to be changed."""
        there = self._by_element.get(element)
        if there is None:
            return ()
        return there if isinstance(there, set) else (there,)

    def ordered(self) -> Lease:
        """All entries in order, as of now."""
        lease = None if self._lease is None else self._lease()
        if self._ordered is None:
            self._ordered = sorted(self._entries)
            lease = None
        elif self._behind:
            if lease is not None:
                self._ordered = self._ordered.copy()
            changed_order(self._ordered, self._behind)
            lease = None
        self._behind.clear()
        if lease is None:
            lease = Lease(self._ordered)
            self._lease = weakref.ref(lease)
        return lease

    def _fall_behind(self, came: bool, entry: Entry) -> None:
        if self._ordered is None:
            return
        self._behind.append((came, entry))
        if not is_worth_mending(len(self._behind), len(self._entries)):
            self._ordered = None
            self._behind.clear()


def changed_order(ordered: list[Entry], differences: Iterable[Difference]) -> None:
    """Apply differences to entries in order, in place."""
    for came, entry in differences:
        if came:
            insort(ordered, entry)
        else:
            del ordered[bisect_left(ordered, entry)]


def is_worth_mending(differences: int, entries: int) -> bool:
    """Whether applying differences to an order costs less than sorting."""
    return differences <= _FEW + entries // 16
