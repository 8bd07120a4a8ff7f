"""A memo as text for people: wrapped, its claims with their citations."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from typing import Any

from activegraph.core.elements import Object
from activegraph.core.graph import Graph
from activegraph.packs.incident_review.folding import clipped, printable
from activegraph.packs.incident_review.wording import clock

__all__ = ["WIDTH", "cite_lines", "cite_objects", "memo_lines", "wrapped"]

WIDTH = 76
"""Columns that prose may take."""

_GLUE = "\x00"
_QUOTED = 300

Cite = Callable[[Sequence[Object]], str]
"""How evidence is cited behind a finding: by object, or by line of the file."""


def cite_objects(evidence: Sequence[Object]) -> str:
    """`(evidence: evidence#3, evidence#4)`."""
    return f"(evidence: {', '.join(each.id for each in evidence)})"


def cite_lines(evidence: Sequence[Object]) -> str:
    """`(lines 12, 40)`: line numbers in the reviewed file."""
    lines = sorted({each.data["line"] for each in evidence})
    return f"({'line' if len(lines) == 1 else 'lines'} {', '.join(map(str, lines))})"


def wrapped(text: str, *, indent: int = 2, first: str | None = None) -> list[str]:
    """`text` as lines of at most 76 columns, no word broken but those that are wider than a line.

    Args:
        first: What the first line begins with instead of the indent.
    """
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=" " * indent if first is None else first,
        subsequent_indent=" " * indent,
        break_on_hyphens=False,
    )


def memo_lines(graph: Graph, memo: Object, *, cite: Cite = cite_objects) -> list[str]:
    """The memo in full, without a line break at its end."""
    data = memo.data
    title = clipped(printable(data["title"]), WIDTH)
    lines = [title, "=" * len(title), "", "Summary", *wrapped(printable(data["summary"]))]
    lines += ["", "Timeline", *_timeline(data["timeline"]["entries"])]
    lines += ["", "Findings"]
    for number, finding in enumerate(data["findings"], 1):
        lines += _finding(graph, number, finding, cite)
    if not data["findings"]:
        lines.append("  none")
    lines += ["", "Open conflicts"]
    for conflict in data["open_conflicts"]:
        sides = ", ".join(conflict["hypotheses"])
        lines += wrapped(f"{printable(conflict['text'])} ({conflict['conflict']}: {sides})", first="  - ", indent=4)
    if not data["open_conflicts"]:
        lines.append(f"  {data['conflicts_note']}")
    lines += _unresolved(graph, data["inquiries_unresolved"])
    lines += ["", "Actions"]
    for action in data["actions"]:
        head = f"  {action['priority']:<9} "
        lines += wrapped(f"{printable(action['title'])} (for the {action['owner_role']})", first=head, indent=len(head))
        lines += wrapped(printable(action["detail"]), indent=len(head))
    if data["timeline"]["notes"]:
        lines += ["", "Notes"]
        for note in data["timeline"]["notes"]:
            lines += wrapped(printable(note), first="  - ", indent=4)
    return lines


def _timeline(entries: Sequence[Any]) -> list[str]:
    if not entries:
        return ["  nothing"]
    days = {entry["at"][:10] for entry in entries} | {entry["until"][:10] for entry in entries}
    return [_entry(entry, clock(entry["at"]) if len(days) == 1 else entry["at"][5:19]) for entry in entries]


def _entry(entry: Any, at: str) -> str:
    # Where the date is shown too, the title makes room for it.
    head = f"  {at:<8}  {_shortened(entry, 48 - max(8, len(at))):<40}  "
    head = head if len(at) <= 8 else f"{head.rstrip():<52}  "
    for shown in (3, 2, 1):
        numbers = ", ".join(str(line) for line in entry["lines"][:shown])
        cited = f"{'line' if entry['count'] == 1 else 'lines'} {numbers}{', ...' if entry['count'] > shown else ''}"
        if len(head) + len(cited) <= WIDTH:
            break
    return head + cited


def _shortened(entry: Any, length: int) -> str:
    """The entry's text in so many characters; what is cut is its words, never the number of times."""
    text = printable(entry["text"])
    times = f" ({entry['count']}x)"
    if not text.endswith(times):
        return clipped(text, length)
    return clipped(text.removesuffix(times), length - len(times)) + times


def _finding(graph: Graph, number: int, finding: Any, cite: Cite) -> list[str]:
    head = f"  {number}. "
    indent = len(head)
    settled = "" if finding["status"] == "confirmed" else ", not settled"
    evidence = _evidence(graph, finding["evidence"])
    citation = cite(evidence).replace(" ", _GLUE)
    if indent + len(citation) > WIDTH:
        citation = citation.replace(_GLUE, " ")
    text = f"{printable(finding['text'])} {citation}"
    lines = wrapped(f"{printable(finding['title'])}{settled}", first=head, indent=indent)
    lines += [line.replace(_GLUE, " ") for line in wrapped(text, indent=indent)]
    for each in evidence:
        lines += _quote(each, indent, "")
    for each in _evidence(graph, finding["evidence_against"]):
        lines += _quote(each, indent, "against: ")
    return lines


def _quote(evidence: Object, indent: int, stance: str) -> list[str]:
    data = evidence.data
    head = f"{' ' * indent}  {stance}{data['source']} line {data['line']}: "
    return wrapped(clipped(printable(data["quote"]), _QUOTED), first=head, indent=indent + 4)


def _evidence(graph: Graph, ids: Sequence[str]) -> list[Object]:
    found = (graph.get_object(id) for id in ids)
    return [each for each in found if each is not None and each.type == "evidence"]


def _unresolved(graph: Graph, inquiries: Sequence[Any]) -> list[str]:
    if not inquiries:
        return []
    lines = ["", "Not answered"]
    for inquiry in inquiries:
        lines += wrapped(printable(inquiry["question"]))
        for id in inquiry["signals"]:
            signal = graph.get_object(id)
            if signal is None or signal.type != "signal":
                continue
            head = f"    line {signal.data['lines'][0] if signal.data['lines'] else '?'}"
            times = f" ({signal.data['count']:,}x)" if signal.data["count"] > 1 else ""
            message = clipped(printable(signal.data.get("message") or signal.data["title"]), _QUOTED)
            lines += wrapped(f"{signal.data.get('severity', '')} {message}".strip(), first=f"{head}{times}: ", indent=6)
    return lines
