"""Looks up what a model quotes: the words must stand in a signal of the incident, or they count for nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from activegraph.core.elements import Object
from activegraph.core.view import View
from activegraph.packs.incident_review.answers import Quote, SeenSignal
from activegraph.packs.incident_review.sources import QuotableLine, quotable_lines

__all__ = ["Citations", "Found"]


_INVESTIGATOR = "incident_review.investigator"
"""Who adds the signals that no host gave."""


class Found(NamedTuple):
    """Where a quote stands."""

    signal: str
    line: int


class _Known:
    """A signal that may be cited."""

    def __init__(self, id: str, data: Mapping[str, Any]) -> None:
        self.id = id
        self.source = data["source"]
        self.lines = data["lines"]
        self.quotable = list(quotable_lines(data))


class Citations:
    """The signals of one incident while an answer is taken in.

    Where the host gave signals along, only those count, since what a model says it has seen proves
    nothing beside them. Where it gave none, the model's own signals are added, each once.
    """

    def __init__(self, graph: Any, view: View, incident: Object, *, most: int) -> None:
        self._graph = graph
        self._incident = incident
        signals = view.objects("signal")
        self._known = [_Known(signal.id, signal.data) for signal in signals]
        self._room = most
        self._takes_in = all(signal.provenance["created_by"] == _INVESTIGATOR for signal in signals)
        self.used: list[str] = []
        """Signals that were added or cited, in order."""
        self.left_out = 0
        """What was claimed and not taken in."""

    def take_in(self, seen: SeenSignal) -> None:
        """Add a signal that the model has seen, or what it newly quotes of a known one."""
        if not self._takes_in:
            return
        known = next((each for each in self._known if self._is(each, seen)), None)
        if known is not None:
            self._add_quotes(known, seen)
        elif self._room:
            self._room -= 1
            self._add(seen)
        else:
            self.left_out += 1

    def find(self, quote: Quote) -> Found | None:
        """The signal and line in which a quote stands verbatim but for white space; counted where it is in none."""
        wanted = " ".join(quote.quote.split())
        places = [
            (known, quotable.line)
            for known in self._known
            if known.source == quote.source
            for quotable in known.quotable
            if wanted and wanted in " ".join(quotable.text.split())
        ]
        if not places:
            self.left_out += 1
            return None
        known, line = next((place for place in places if place[1] == quote.line), places[0])
        self._use(known.id)
        return Found(known.id, line)

    @staticmethod
    def _is(known: _Known, seen: SeenSignal) -> bool:
        texts = {" ".join(quotable.text.split()) for quotable in known.quotable if quotable.line == seen.lines[0]}
        return known.source == seen.source and " ".join(seen.message.split()) in texts

    def _add(self, seen: SeenSignal) -> None:
        data = seen.model_dump(exclude={"quoted"}) | {"incident": self._incident.data["name"]}
        data["facts"] = {"quoted": [quoted.model_dump() for quoted in seen.quoted]} if seen.quoted else {}
        signal = self._graph.add_object("signal", data)
        self._graph.add_relation(signal.id, self._incident.id, "observed_in")
        self._known.append(_Known(signal.id, data))
        self._use(signal.id)

    def _add_quotes(self, known: _Known, seen: SeenSignal) -> None:
        new = [quoted for quoted in seen.quoted if QuotableLine(quoted.line, quoted.text) not in known.quotable]
        if new:
            facts = self._graph.get_object(known.id).data["facts"]
            quoted = [*facts.get("quoted", ()), *(each.model_dump() for each in new)]
            self._graph.patch_object(known.id, {"facts": {**facts, "quoted": quoted}})
            known.quotable += [QuotableLine(each.line, each.text) for each in new]
        self._use(known.id)

    def _use(self, id: str) -> None:
        if id not in self.used:
            self.used.append(id)
