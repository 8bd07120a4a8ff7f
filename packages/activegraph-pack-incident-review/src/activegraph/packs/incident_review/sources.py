"""Where the tools of an investigation look: the recordings, or the signals that a graph holds.

A tool has no graph, and its answers are in the log: a run that is loaded or replayed asks no source.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple, Protocol

from activegraph.core.graph import Graph
from activegraph.packs.incident_review.metrics_samples import Sample, read_samples
from activegraph.packs.incident_review.recordings import THREE_INCIDENTS

__all__ = ["GraphSource", "IncidentSource", "QuotableLine", "RecordedSource", "quotable_lines"]


class IncidentSource(Protocol):
    """What is known of incidents, by the name of each."""

    def signals(self, incident: str) -> Sequence[Mapping[str, Any]]:
        """Its signals, as the data of `signal` objects; none for an incident that is not known."""
        ...

    def samples(self, incident: str) -> Sequence[Sample]:
        """The samples of statistics views that were taken in its time."""
        ...


class RecordedSource:
    """The three incidents that come with the pack."""

    def signals(self, incident: str) -> Sequence[Mapping[str, Any]]:
        """The signals of the recording, those of the log first."""
        return _recorded_signals().get(incident, ())

    def samples(self, incident: str) -> Sequence[Sample]:
        """All samples of the recording."""
        return _recorded_samples().get(incident, ())


@cache
def _recorded_signals() -> dict[str, list[dict[str, Any]]]:
    return {each.name: [signal.to_data(each.name) for signal in each.incident().signals] for each in THREE_INCIDENTS}


@cache
def _recorded_samples() -> dict[str, list[Sample]]:
    return {each.name: read_samples(each.metrics) for each in THREE_INCIDENTS}


class GraphSource:
    """The signals that a host has added to a graph; it knows no samples."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def signals(self, incident: str) -> Sequence[Mapping[str, Any]]:
        """The incident's signals, in the order in which they were added."""
        return [signal.data for signal in self._graph.objects("signal", where={"data.incident": incident})]

    def samples(self, incident: str) -> Sequence[Sample]:
        """None: who adds signals has folded the samples into them."""
        return ()


class QuotableLine(NamedTuple):
    """Words that stand in a line of a signal's source."""

    line: int
    text: str


def quotable_lines(signal: Mapping[str, Any]) -> Iterator[QuotableLine]:
    """What may be quoted of a signal: the texts of its first line, and those of others that its facts hold."""
    first = signal["lines"][0] if signal["lines"] else 1
    for name in ("message", "detail", "hint", "context", "statement"):
        if signal.get(name):
            yield QuotableLine(first, signal[name])
    facts = signal.get("facts") or {}
    for quoted in facts.get("quoted", ()):
        yield QuotableLine(quoted["line"], quoted["text"])
    for line, text in (("longest_line", "longest_message"), ("queue_line", "queue_detail")):
        if line in facts and text in facts:
            yield QuotableLine(facts[line], facts[text])
    for holder in facts.get("holders", {}).values():
        yield QuotableLine(holder["line"], holder["detail"])
