"""The bar that every memo must pass: its sections, and that all it cites exists and belongs to its incident."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from activegraph.core.elements import Object
from activegraph.core.graph import Graph
from activegraph.packs.incident_review.behaviors.memo import NO_CONFLICTS, NO_RULE_MATCHED, NOTHING_BACKED

__all__ = ["SECTIONS", "memo_problems"]

SECTIONS = (
    "summary",
    "timeline",
    "inquiries_answered",
    "findings",
    "open_conflicts",
    "conflicts_note",
    "actions",
)


def memo_problems(graph: Graph, memo: Object) -> list[str]:
    """What is wrong with a memo; nothing for one that may be handed on."""
    data = memo.data
    problems = [f"section {name} is missing" for name in SECTIONS if name not in data]
    if problems:
        return problems
    if not data["findings"] and not {NO_RULE_MATCHED, NOTHING_BACKED} & set(data["timeline"]["notes"]):
        problems.append("there is no finding, and no note says why")
    problems += [f"{each['hypothesis']} cites no evidence" for each in data["findings"] if not each["evidence"]]
    if not data["actions"]:
        problems.append("there is no action")
    if bool(data["open_conflicts"]) == (data["conflicts_note"] == NO_CONFLICTS):
        problems.append("the note on conflicts is wrong")
    listed = [each["conflict"] for each in data["open_conflicts"]]
    conflicts = graph.objects("conflict", where={"data.incident": data["incident"]})
    problems += [f"{each.id} is not listed" for each in conflicts if each.id not in listed]
    if data["incident"] not in [relation.target for relation in graph.relations(memo.id, type="reports_on")]:
        problems.append("it does not report on its incident")
    return problems + list(_bad_citations(graph, data))


def _bad_citations(graph: Graph, data: dict[str, Any]) -> Iterator[str]:
    incident = graph.get_object(data["incident"])
    if incident is None or incident.type != "incident":
        yield f"{data['incident']} is no incident"
        return
    signals = {relation.source for relation in graph.relations(target=incident.id, type="observed_in")}
    for wanted, id in _citations(data):
        cited = graph.get_object(id)
        if cited is None or cited.type != wanted:
            yield f"{id} is no {wanted}"
        elif cited.id not in signals if wanted == "signal" else cited.data["incident"] != incident.id:
            yield f"{id} belongs to another incident"


def _citations(data: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """All ids of a memo, each with the type that it must have."""
    yield from _each("signal", (entry["signal"] for entry in data["timeline"]["entries"]))
    for answered in data["inquiries_answered"]:
        yield "inquiry", answered["inquiry"]
        yield from _each("hypothesis", answered["hypotheses"])
    for unresolved in data.get("inquiries_unresolved", ()):
        yield "inquiry", unresolved["inquiry"]
        yield from _each("signal", unresolved["signals"])
    for finding in data["findings"]:
        yield "hypothesis", finding["hypothesis"]
        yield from _each("evidence", [*finding["evidence"], *finding["evidence_against"]])
    for conflict in data["open_conflicts"]:
        yield "conflict", conflict["conflict"]
        yield from _each("hypothesis", conflict["hypotheses"])
    yield from _each("action", (action["action"] for action in data["actions"]))


def _each(wanted: str, ids: Iterable[str]) -> Iterator[tuple[str, str]]:
    return ((wanted, id) for id in ids)
