"""What quickstart prints: from the stored run alone, so that a run that was gone on with prints the same."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

from activegraph.cli.console import ResultStream
from activegraph.cli.quickstart.soundness import count_of, damaged, text_of
from activegraph.core.elements import Object
from activegraph.core.event import Event
from activegraph.core.graph import Graph
from activegraph.errors import DOCS_BASE_URL
from activegraph.packs.incident_review import __version__
from activegraph.packs.incident_review.folding import printable
from activegraph.packs.incident_review.host import FINISHED_EVENT
from activegraph.packs.incident_review.memo_text import cite_lines, cite_objects, memo_lines, wrapped
from activegraph.packs.incident_review.wording import between, counted
from activegraph.trace.printer import flags_line, live_lines

__all__ = ["inspect_command", "log_lines", "tour_lines", "write_lines"]


def write_lines(stream: Any, lines: Iterator[str]) -> None:
    """Write lines as UTF-8, whatever encoding the stream has; nothing before the first is there."""
    import sys

    result = ResultStream(sys.stdout if stream is None else stream)
    for line in lines:
        result.write(f"{line}\n".encode("utf-8", "backslashreplace"))
    result.flush()


def inspect_command(url: str, run_id: str | None = None) -> str:
    """The command that shows a run, ready to be pasted into a shell."""
    return f"activegraph inspect {shlex.quote(url)}" + (f" --run-id {run_id}" if run_id else "")


def tour_lines(graph: Graph, url: str) -> Iterator[str]:
    """The default mode: header, trace, first memo, where the others are, what happened, what to try.

    Raises:
        LogInconsistencyError: Before the first line: the run is not as the tour wrote it.
    """
    memos, happened = graph.objects("memo"), list(_what_happened(graph))
    if not memos:
        raise damaged(graph.run_id, _finished(graph).id, "there is no memo")
    yield "activegraph quickstart: three incidents, reviewed"
    yield ""
    yield f"pack:       incident_review {__version__}"
    for number, memo in enumerate(memos):
        yield f"{'incidents:' if number == 0 else '':<11} {memo.data['title']}"
    yield "provider:   RecordedIncidentProvider, a model's recorded answers"
    yield "needs:      neither network nor key"
    yield ""
    yield from _trace_lines(graph)
    yield ""
    yield from memo_lines(graph, memos[0], cite=cite_objects)
    yield ""
    others = ", ".join(memo.id for memo in memos[1:])
    yield from wrapped(f"The other memos: {others}. The whole run is in", indent=0)
    yield f"  {url}"
    yield ""
    yield from happened
    yield ""
    yield from _try_next(url)


def _trace_lines(graph: Graph) -> Iterator[str]:
    """The trace as the run printed it that was not loaded."""
    flags = flags_line(event for event in graph.events if event.type == "llm.requested")
    if flags is not None:
        yield flags
    for event in graph.events:
        yield from live_lines(event, hide_prompt_normalized=flags is not None)


def _what_happened(graph: Graph) -> Iterator[str]:
    events = graph.events
    started = (event for event in events if event.type.endswith("behavior.started"))
    behaviors = {text_of(graph.run_id, event, "behavior") for event in started}
    asked = sum(event.type == "llm.requested" for event in events)
    called = sum(event.type == "tool.requested" for event in events)
    yield "What just happened"
    for text in (
        f"A pack, incident_review, brought object types, behaviors, tools and prompts. Nothing called its behaviors "
        f"in order: {len(behaviors)} of them reacted to events, and what they changed are the events that others "
        "react to.",
        "The input is a fixture: logs and metrics recorded from a real PostgreSQL server that was brought into "
        f"trouble on purpose. {called} calls of tools read them, and a model's {asked} answers come from a file. "
        "Clock, ids and run id are fixed, so this run is the same byte for byte each time.",
        "Every finding of a memo cites evidence, every piece of evidence quotes a line, and the graph holds all of "
        "them. A quote that stands in no line is left out and counted.",
        f"All {len(events)} events are on disk, and the graph is computed from them. A run that is killed and gone "
        "on with ends up with the same log, and pays for no answer twice.",
    ):
        yield from wrapped(text, first="  - ", indent=4)


def _try_next(url: str) -> Iterator[str]:
    yield "Try next"
    yield f"  {inspect_command(url)}"
    yield "  activegraph quickstart --interactive"
    yield "  activegraph quickstart --input YOUR_POSTGRES_LOG.json"
    for page in ("design", "embed", "operate"):
        yield f"  {DOCS_BASE_URL}/{page}"


def log_lines(graph: Graph, url: str) -> Iterator[str]:
    """The review of somebody's own log: what was found in it, each memo, and where the run is.

    Raises:
        LogInconsistencyError: Before the first line: the run is not as the review wrote it.
    """
    run_id, finished = graph.run_id, _finished(graph)
    name = text_of(run_id, graph.events[0], "name")
    lines, unreadable = (count_of(run_id, finished, key) for key in ("lines", "unreadable_lines"))
    incidents = graph.objects("incident")
    found = f"{counted(len(incidents), 'incident')} in {counted(lines, 'line')}"
    yield from wrapped(f"{printable(name)}: {found}", indent=0)
    if unreadable:
        yield f"{counted(unreadable, 'line')} could not be read"
    yield ""
    for number, incident in enumerate(incidents, 1):
        yield _incident_line(number, incident)
    for memo in graph.objects("memo"):
        yield ""
        yield ""
        yield from memo_lines(graph, memo, cite=cite_lines)
    yield ""
    yield ""
    yield "The whole run is on disk. Look at it with"
    yield f"  {inspect_command(url, graph.run_id)}"


def _incident_line(number: int, incident: Object) -> str:
    data = incident.data
    first_at, last_at = data.get("first_at"), data.get("last_at")
    when = "at no known time"
    if first_at and last_at:
        when = between(first_at, last_at)
        if first_at[:10] == last_at[:10]:
            when = f"{first_at[:10]} {when}"
    return f"{number:>3}. {when}, {data['severity']}, {counted(data['signals'], 'kind of signal', 'kinds of signals')}"


def _finished(graph: Graph) -> Event:
    return next(event for event in reversed(graph.events) if event.type == FINISHED_EVENT)
