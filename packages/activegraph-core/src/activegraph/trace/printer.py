"""The trace: a run's log as lines for people."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from activegraph.core.codec import encode_plain
from activegraph.core.event import Event, raw_payload
from activegraph.trace.calls import CALL_FORMATS, plural
from activegraph.trace.export import checked_file
from activegraph.trace.reading import events_of_type

if TYPE_CHECKING:
    from activegraph.core.graph import Graph

__all__ = [
    "TAG_COL",
    "Trace",
    "flags_line",
    "format_event",
    "graph_lines",
    "live_lines",
    "on_one_line",
    "print_lines",
    "replayed_line",
    "value_text",
]

TAG_COL = 26
"""Width of the tag column."""


def format_event(event: Event, *, hide_prompt_normalized: bool = False) -> str:
    """One live event as it is printed; several lines only for a patch of several fields.

    Args:
        hide_prompt_normalized: Leave out what `flags_line` says once for all.
    """
    return "\n".join(live_lines(event, hide_prompt_normalized=hide_prompt_normalized))


def live_lines(event: Event, *, hide_prompt_normalized: bool = False) -> list[str]:
    """The lines of one event as the run that emitted it printed them."""
    try:
        return _lines_of(event, hide_prompt_normalized=hide_prompt_normalized)
    except Exception:
        # A payload that somebody else wrote under a type of ours, or an integer longer than the interpreter shows.
        payload = raw_payload(event).decode("utf-8", "replace")
        if event.type in CALL_FORMATS or event.type in _FORMATS:
            return [_line(event.type, payload)]
        return [_line("event.emitted", f"{event.type} {payload}")]


def _lines_of(event: Event, *, hide_prompt_normalized: bool) -> list[str]:
    if event.type in CALL_FORMATS:
        shown = not hide_prompt_normalized
        return [_line(event.type, CALL_FORMATS[event.type](event.payload, event, shown))]
    formatter = _FORMATS.get(event.type)
    if formatter is None:
        return [_line("event.emitted", _custom(event))]
    return [_line(event.type, text) for text in formatter(event.payload, event)]


def flags_line(requests: Iterable[Event]) -> str | None:
    """The line before a live trace in which every `llm.requested` is normalized; None for any other."""
    count = 0
    for event in requests:
        if not event.payload.get("prompt_normalized"):
            return None
        count += 1
    if not count:
        return None
    return _line("trace.flags", f"prompt_normalized=true ({plural(count, 'llm request')})")


def replayed_line(event: Event) -> str:
    """The short line of an event that came from a load or a fork."""
    payload, text = event.payload, f"{event.id} {event.type}"
    if event.type == "object.created":
        created = _dict(payload.get("object"))
        text += f" {_shown(created.get('id'))}{_quoted(_label(_dict(created.get('data'))))}"
    elif event.type == "relation.created":
        text += f" {_edge(_dict(payload.get('relation')))}"
    elif event.type == "patch.applied":
        text += f" {_shown(payload.get('target'))}"
    elif event.type == "goal.created":
        text += f' "{_shown(payload.get("goal"))}"'
    elif event.type in ("behavior.started", "behavior.completed", "behavior.failed", "relation_behavior.started"):
        text += f" {_shown(payload.get('behavior'))}"
    return _line("replay.event", text)


class Trace:
    """The log of one graph as lines, and the questions that people ask of it."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def events(self) -> list[Event]:
        """All events, in log order."""
        return list(self._graph.events)

    def failures(self) -> list[Event]:
        """The `behavior.failed` events, oldest first."""
        return list(events_of_type(self._graph, "behavior.failed"))

    def lines(self) -> list[str]:
        """The printed lines; replayed events are short, and marked."""
        return list(self._lines())

    def _lines(self) -> Iterator[str]:
        events, replayed = self._graph.events, self._graph._replayed
        flags = flags_line(self._live_requests())
        for place, event in enumerate(events):
            if place < replayed:
                yield replayed_line(event)
                continue
            if place == replayed:
                yield from _replay_complete(replayed)
                if flags is not None:
                    yield flags
            yield from live_lines(event, hide_prompt_normalized=flags is not None)
        if replayed == len(events):
            yield from _replay_complete(replayed)

    def _live_requests(self) -> Iterator[Event]:
        known: frozenset[str] | None = None
        for event in events_of_type(self._graph, "llm.requested"):
            known = self._graph.replayed_ids if known is None else known
            if event.id not in known:
                yield event

    def print(self) -> None:
        """Print each line to stdout."""
        print_lines(self._lines())

    def export(self, path: str | os.PathLike[str]) -> None:
        """Write each line to a UTF-8 file."""
        with open(checked_file(path), "w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
            for line in self._lines():
                file.write(line + "\n")

    def causal_chain(self, object_id: str) -> str:
        """Why an object exists: the events that led to it, the nearest first."""
        from activegraph.trace.causal import causal_chain

        return causal_chain(self._graph, object_id)


def graph_lines(graph: Graph) -> list[str]:
    """Objects and relations, one per line."""
    objects, relations = graph.all_objects(), graph.all_relations()
    lines = ["graph:", f"  objects ({len(objects)}):"]
    lines += [on_one_line(f"    {_object({'id': o.id, 'data': o.data})}") for o in objects]
    lines.append(f"  relations ({len(relations)}):")
    lines += [on_one_line(f"    {r.source} --{r.type}--> {r.target}") for r in relations]
    return lines


def print_lines(lines: Iterable[str]) -> None:
    """Print lines to stdout; a character that it cannot carry, and no output a lone surrogate, stands there as its escape."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    for line in lines:
        print(line.encode(encoding, "backslashreplace").decode(encoding))  # noqa: T201 - the call is for printing


def on_one_line(text: str) -> str:
    """`text` with its line breaks as the two characters that stand for one."""
    return text.replace("\r\n", "\\n").replace("\n", "\\n").replace("\r", "\\n")


def _replay_complete(count: int) -> list[str]:
    if not count:
        return []
    return [
        _line("replay.complete", f"{count} events replayed, graph reconstructed"),
        _line("runtime.idle", "ready to resume"),
    ]


def _line(tag: str, text: str) -> str:
    bracketed = f"[{tag}]"
    head = bracketed.ljust(TAG_COL) if len(bracketed) < TAG_COL else bracketed + " "
    return head + on_one_line(text)


def _shown(value: Any) -> str:
    return "?" if value is None else value_text(value)


def value_text(value: Any) -> str:
    """`str(value)`; in canonical form where it holds an integer longer than the interpreter shows."""
    try:
        return str(value)
    except ValueError:
        return encode_plain(value).decode("utf-8")


def _dict(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _label(data: Mapping[str, Any]) -> Any:
    return data.get("title") or data.get("text") or None


def _quoted(label: Any) -> str:
    return "" if label is None else f' "{value_text(label)}"'


def _object(created: Mapping[str, Any]) -> str:
    data = _dict(created.get("data"))
    status = data.get("status")
    return f"{_shown(created.get('id'))}{_quoted(_label(data))}{f' ({value_text(status)})' if status else ''}"


def _edge(relation: Mapping[str, Any]) -> str:
    source, type, target = (_shown(relation.get(k)) for k in ("source", "type", "target"))
    return f"{source} --{type}--> {target}"


def _patched(payload: Mapping[str, Any], event: Event) -> list[str]:
    target = _shown(payload.get("target"))
    diff = _dict(payload.get("diff"))
    if not diff:
        return [f"{target} (no change)"]
    return [f"{target} {k}: {_dict(v).get('old')} -> {_dict(v).get('new')}" for k, v in diff.items()]


def _proposed(payload: Mapping[str, Any], event: Event) -> list[str]:
    patch = _dict(payload.get("patch"))
    return [f"{_shown(patch.get('target'))} {_shown(patch.get('op'))} by {_shown(patch.get('proposed_by'))}"]


def _started(payload: Mapping[str, Any], event: Event) -> list[str]:
    text = _shown(payload.get("behavior"))
    about = payload.get("triggering_object_id")
    if about is not None:
        text += f"  (matched {_shown(payload.get('triggering_event_type'))}: {about})"
    return [text]


def _relation_started(payload: Mapping[str, Any], event: Event) -> list[str]:
    trigger, kind = _shown(payload.get("triggering_event_type")), _shown(payload.get("relation_type"))
    return [f"{_shown(payload.get('behavior'))}  (matched {trigger} on {kind} edge)"]


def _completed(payload: Mapping[str, Any], event: Event) -> list[str]:
    objects, relations = payload.get("objects_created") or 0, payload.get("relations_created") or 0
    text = _shown(payload.get("behavior"))
    if objects + relations >= 2:
        text += f" ({plural(objects, 'object')}, {plural(relations, 'relation')})"
    return [text]


def _failed(payload: Mapping[str, Any], event: Event) -> list[str]:
    message = _shown(payload.get("message"))
    first = message.splitlines()[0] if message else ""
    return [f"{_shown(payload.get('behavior'))}: {_shown(payload.get('exception_type'))}: {first}"]


def _scheduled(payload: Mapping[str, Any], event: Event) -> list[str]:
    delay = payload.get("activate_after")
    unit = "event" if delay == 1 else "events"
    return [f"{event.id}  {_shown(payload.get('behavior'))}  activate_after={_shown(delay)}_{unit}"]


def _custom(event: Event) -> str:
    pairs = (f"{key}={value if isinstance(value, str) else repr(value)}" for key, value in event.payload.items())
    return " ".join([event.type, *pairs])


_FORMATS: dict[str, Callable[[Mapping[str, Any], Event], list[str]]] = {
    "goal.created": lambda p, e: [f'{e.actor or "user"}: "{_shown(p.get("goal"))}"'],
    "object.created": lambda p, e: [_object(_dict(p.get("object")))],
    "object.removed": lambda p, e: [_shown(p.get("id"))],
    "relation.created": lambda p, e: [_edge(_dict(p.get("relation")))],
    "relation.removed": lambda p, e: [_shown(p.get("id"))],
    "patch.applied": _patched,
    "patch.proposed": _proposed,
    "patch.rejected": lambda p, e: [f"{_shown(p.get('patch_id'))}: {_shown(p.get('reason'))}"],
    "behavior.started": _started,
    "relation_behavior.started": _relation_started,
    "behavior.completed": _completed,
    "behavior.failed": _failed,
    "behavior.scheduled": _scheduled,
    "pattern.matched": lambda p, e: [f"{e.id}  {_shown(p.get('behavior'))}  matches={_shown(p.get('matches_count'))}"],
    "runtime.idle": lambda p, e: ["queue empty, budget remaining"],
    "runtime.budget_exhausted": lambda p, e: [f"stopped: {_shown(p.get('exhausted_by'))}"],
    "runtime.paused": lambda p, e: ["work left, stopped by the caller"],
}
