"""The match set of one pattern over one graph, kept up to date by differences.

It is built by one full evaluation when it is first asked, and catches up when it is asked again:
a change can only add or remove matches that contain a changed element, or whose NOT EXISTS speaks
of one. So plans are entered with the changed elements, and the cost follows their neighbourhood.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator

from activegraph.core.projection import Projection
from activegraph.core.state import ObjectState
from activegraph.patterns.chain import Chain, Entry
from activegraph.patterns.conditions import Slots
from activegraph.patterns.disturbance import Disturbance
from activegraph.patterns.kept import KeptMatches, Lease
from activegraph.patterns.matcher import Match, PatternMatcher
from activegraph.patterns.search import Search, State
from activegraph.patterns.view import Journal, MatchView

__all__ = ["MatchSet"]

_FEW = 64
"""Changed elements that are always worked off one by one, however small the graph."""

_JOURNALED = 1024
"""Differences that are always kept for views that are alive, however few matches there are."""


class MatchSet:
    """All matches of a pattern in a graph, as of whenever it is asked.

    Args:
        pattern: The compiled pattern.
        projection: The graph; from the first question on it notes its changes.
    """

    def __init__(self, pattern: PatternMatcher, projection: Projection) -> None:
        self._matcher = pattern
        self._projection = projection
        self._kept: KeptMatches | None = None
        self._read_to = 0
        self._witnesses: dict[int, Entry | None] = {}
        """For each NOT EXISTS without shared variables, what it denies; None if it holds."""
        self._journal: weakref.ref[Journal] | None = None

    def __len__(self) -> int:
        """Number of matches now. This is where catching up happens, so this is what to time."""
        return len(self._caught_up())

    def view(self) -> MatchView:
        """The matches as of now, in creation order; later changes of the graph do not alter it."""
        kept = self._caught_up()
        journal = self._live_journal()
        if journal is None:
            journal = Journal(self)
            self._journal = weakref.ref(journal)
        return MatchView(self._matcher, len(kept), journal)

    def touching(self, element_id: str) -> list[Match]:
        """Matches now that bind the object or relation with this id, in creation order."""
        return [self._matcher.match(entry) for entry in sorted(self.binding(element_id))]

    def binding(self, element_id: str) -> list[Entry]:
        """Entries of the matches now that bind this id, in no order."""
        kept, width = self._caught_up(), self._matcher.chain.width
        found: dict[Entry, None] = {}
        for state in (self._projection.objects.get(element_id), self._projection.relations.get(element_id)):
            if state is not None:
                found.update(
                    (entry, None) for entry in kept.with_element(state.sequence) if element_id in entry[width:]
                )
        return list(found)

    def ordered(self) -> Lease:
        """Entries in order, as of the last catching up."""
        return (self._caught_up() if self._kept is None else self._kept).ordered()

    def _caught_up(self) -> KeptMatches:
        kept, log = self._kept, self._projection.changes
        if kept is not None and self._read_to == log.head:
            return kept
        changes = None if kept is None else log.since(self._read_to)
        search = Search(self._projection, self._matcher.absences, keeps_indexes=True)
        if kept is None or changes is None:
            kept = self._rebuild(self._witnesses_anew(search), search)
        else:
            concerns = self._matcher.concerns
            disturbance = Disturbance((change for change in changes if concerns(change)), self._projection)
            if disturbance:
                kept = self._work_off(kept, disturbance, search)
        # Last, so that what an exception has cut off is done again.
        self._read_to = log.head
        return kept

    def _work_off(self, kept: KeptMatches, disturbance: Disturbance, search: Search) -> KeptMatches:
        witnesses = self._witnesses_after(disturbance, search)
        flipped = any((witnesses[number] is None) != (was is None) for number, was in self._witnesses.items())
        if flipped or (len(disturbance) > _FEW and len(disturbance) > self._size() // 2):
            return self._rebuild(witnesses, search)
        self._apply(kept, disturbance, search)
        self._witnesses = witnesses
        return kept

    def _rebuild(self, witnesses: dict[int, Entry | None], search: Search) -> KeptMatches:
        kept = KeptMatches(self._matcher.entries(search), self._matcher.chain.width)
        journal = self._live_journal()
        if journal is not None:
            self._close(journal)
        self._kept, self._witnesses = kept, witnesses
        return kept

    def _apply(self, kept: KeptMatches, disturbance: Disturbance, search: Search) -> None:
        """Work off some changes as differences."""
        chain = self._matcher.chain
        doomed: set[Entry] = set()
        fresh: set[Entry] = set()
        for state in (*disturbance.lost, *disturbance.patched):
            doomed.update(kept.with_element(state.sequence))
        for state in (*disturbance.came, *disturbance.patched):
            for slots in _containing(chain, state, search):
                if search.holds(chain, slots):
                    fresh.add(chain.entry(slots))
        for absence in self._matcher.absences:
            if not absence.shared:
                continue
            for bound in disturbance.bindings_in_doubt(absence, search):
                for slots in search.agreeing(chain, bound):
                    (fresh if search.holds(chain, slots) else doomed).add(chain.entry(slots))
        gone = [entry for entry in doomed if entry not in fresh and entry in kept]
        new = [entry for entry in fresh if entry not in kept]
        for entry in gone:
            kept.drop(entry)
        for entry in new:
            kept.add(entry)
        self._write(kept, gone, new)

    def _write(self, kept: KeptMatches, gone: list[Entry], new: list[Entry]) -> None:
        """Let the views that are alive know."""
        journal = self._live_journal()
        if journal is None:
            return
        journal.differences += [(False, entry) for entry in gone]
        journal.differences += [(True, entry) for entry in new]
        # A view that is kept for ever must not make the journal grow without bound.
        if len(journal.differences) > max(_JOURNALED, 2 * len(kept)):
            self._close(journal)

    def _close(self, journal: Journal) -> None:
        journal.close(self.ordered().entries.copy())
        self._journal = None

    def _live_journal(self) -> Journal | None:
        return None if self._journal is None else self._journal()

    def _witnesses_anew(self, search: Search) -> dict[int, Entry | None]:
        return {
            number: self._settle(number, search.all(absence.chain, narrow=True), search)
            for number, absence in enumerate(self._matcher.absences)
            if not absence.shared
        }

    def _witnesses_after(self, disturbance: Disturbance, search: Search) -> dict[int, Entry | None]:
        """What each NOT EXISTS that speaks of the whole graph denies after some changes."""
        witnesses = dict(self._witnesses)
        for number, witness in self._witnesses.items():
            chain = self._matcher.absences[number].chain
            if witness is None:
                changed = (*disturbance.came, *disturbance.patched)
                found = (slots for state in changed for slots in _containing(chain, state, search))
                witnesses[number] = self._settle(number, found, search)
            elif {state.sequence for state in (*disturbance.lost, *disturbance.patched)}.isdisjoint(witness):
                search.settled[number] = False
            else:
                witnesses[number] = self._settle(number, search.all(chain, narrow=True), search)
        return witnesses

    def _settle(self, number: int, assignments: Iterator[Slots], search: Search) -> Entry | None:
        """The first of some assignments, which answers a NOT EXISTS for this search."""
        slots = next(assignments, None)
        search.settled[number] = slots is None
        return None if slots is None else self._matcher.absences[number].chain.entry(slots)

    def _size(self) -> int:
        return len(self._projection.objects) + len(self._projection.relations)


def _containing(chain: Chain, state: State, search: Search) -> Iterator[Slots]:
    """Every assignment of a chain that contains an element."""
    if isinstance(state, ObjectState):
        for slot in chain.nodes_for(state.type):
            yield from search.with_object(chain, slot, state)
        return
    for place in chain.places_for(state.type):
        yield from search.with_relation(chain, place, state)
