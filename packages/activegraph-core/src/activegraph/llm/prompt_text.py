"""The texts that a prompt is made of, one function each. Every one is a function of its arguments alone.

Nothing in them tells runs apart: no event ids, times, run ids or provenance, and nothing of the runtime's own
bookkeeping. So the same graph asks the same question, in a fork and after a restart too.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from activegraph.core.event import INTERNAL_FAMILIES, OF_ONE_EXECUTION, Event
from activegraph.core.view import View
from activegraph.frame import Frame
from activegraph.llm.schemas import example_instance_from_schema

__all__ = [
    "build_instruction",
    "build_system_prompt",
    "build_user_message",
    "event_text",
    "in_prompts",
    "serialize_view",
]

_BOOKKEEPING = (*INTERNAL_FAMILIES, "pack.")
_RECORDS = {
    "object": frozenset({"id", "type", "data"}),
    "relation": frozenset({"source", "target", "type"}),
    "patch": frozenset({"target", "op", "value"}),
}
"""Keys of an event's payload that hold an element's record, and what tells a record from data of a user."""

_OF_ONE_RUN = ("run_id", "timestamp")

_OF_ONE_EXECUTION = OF_ONE_EXECUTION | {"event_id", "traceback", "snapshot"}
"""What the runtime writes into its own events of the circumstances, so that no two executions need share it."""


def in_prompts(event: Event) -> bool:
    """Whether an event tells of the work, and not of how the run went."""
    return not event.type.startswith(_BOOKKEEPING)


def build_system_prompt(
    *,
    behavior_name: str,
    description: str,
    frame: Frame | None,
    output_schema_name: str | None,
    output_schema_json: Mapping[str, Any] | None,
) -> str:
    """Who the model is, what for, and what shape its answer must have."""
    blocks = [f'You are an active-graph behavior named "{behavior_name}".']
    goal = getattr(frame, "goal", None)
    constraints = getattr(frame, "constraints", None)
    if goal:
        blocks.append(f"Mission: {goal}")
    if constraints:
        blocks.append("\n".join(["Constraints:", *(f"- {constraint}" for constraint in constraints)]))
    if description:
        blocks.append(f"Role: {description}")
    if output_schema_name is not None:
        schema = {} if output_schema_json is None else output_schema_json
        blocks += [
            f"Respond with JSON that matches the `{output_schema_name}` schema. "
            "Return an INSTANCE of it, filled with your answer, NOT the schema itself.",
            f"Schema:\n{_pretty(schema)}",
            f"Example instance (its shape, not its values):\n{_pretty(example_instance_from_schema(schema))}",
        ]
    return "\n\n".join(blocks)


def serialize_view(view: View, *, around: str | None = None, depth: int | None = None) -> str:
    """A view as text: objects, relations and recent events, in the view's own order.

    Args:
        around, depth: What the view was built with, for its heading.
    """
    built_with = []
    if depth is not None:
        built_with.append(f"depth={depth}")
    if around is not None:
        built_with.append(f"around={around}")
    heading = f"## Graph context ({', '.join(built_with)})" if built_with else "## Graph context"
    sections = [
        ("### Objects", (f"- {o.id} ({o.type}): {_compact(o.data)}" for o in view.objects())),
        ("### Relations", (f"- {_arrow(r.source, r.type, r.target)}" for r in view.relations())),
        ("### Recent events", (f"- {_event_line(event)}" for event in view.events() if in_prompts(event))),
    ]
    return "\n\n".join([heading, *("\n".join([title, *(list(lines) or ["- (none)"])]) for title, lines in sections)])


def _event_line(event: Event) -> str:
    payload = event.payload
    tail: Any = None
    if event.type == "object.created":
        tail = _part(payload, "object", "id") or payload.get("id")
    elif event.type == "relation.created":
        relation = payload.get("relation")
        if isinstance(relation, dict):
            tail = _arrow(relation.get("source"), relation.get("type"), relation.get("target"))
    elif event.type == "patch.applied":
        tail = _part(payload, "patch", "target") or payload.get("target")
    elif event.type == "goal.created":
        tail = f'"{payload.get("goal", "")}"'
    return event.type if tail is None else f"{event.type} {tail}"


def _part(payload: Mapping[str, Any], record: str, key: str) -> Any:
    found = payload.get(record)
    return found.get(key) if isinstance(found, dict) else None


def _arrow(source: Any, type: Any, target: Any) -> str:
    return f"{source} --{type}--> {target}"


def event_text(event: Event) -> str:
    """The triggering event: type, actor and payload, less what differs between runs."""
    told = _comparable(event.type, event.payload)
    if _is_the_runtimes(event):
        told = {k: v for k, v in told.items() if k not in _OF_ONE_EXECUTION and not k.startswith("estimated_")}
    return f"- type: {event.type}\n- actor: {event.actor or '?'}\n- payload:\n```\n{_pretty(told)}\n```"


def _is_the_runtimes(event: Event) -> bool:
    """Whether the runtime wrote it: of a call in the name of the behavior that makes it."""
    by = ("runtime", event.payload.get("behavior"))
    return event.type.startswith(INTERNAL_FAMILIES) and event.actor in by


def _comparable(type: str, payload: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in payload.items() if key not in _OF_ONE_RUN}
    for key, fields in _RECORDS.items():
        record = kept.get(key)
        if not isinstance(record, dict) or "provenance" not in record:
            continue
        if type.startswith(f"{key}.") or fields <= record.keys():
            kept[key] = {name: value for name, value in record.items() if name != "provenance"}
    return kept


def build_instruction(*, creates: Iterable[str], output_schema_name: str | None) -> str:
    """One sentence: what the model is to do now."""
    types = ", ".join(sorted(set(creates)))
    if output_schema_name is not None:
        asked = f"Return a JSON instance of the `{output_schema_name}` schema, NOT the schema itself"
        return f"{asked}; it will be used to create objects of type {types}." if types else f"{asked}."
    if types:
        return f"Describe which objects of type {types} should be created in response to this event."
    return "Describe what should happen in response to this event."


def build_user_message(*, view: str, event: str, instruction: str) -> str:
    """The one message of a first turn, from the texts of its three parts."""
    return f"{view}\n\n## Triggering event\n{event}\n\n## Task\n{instruction}"


def _compact(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _pretty(value: Any) -> str:
    return json.dumps(value, sort_keys=True, indent=2, default=str)
