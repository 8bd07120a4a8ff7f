"""Whether a recorded review says what is read from it: somebody may have edited its log by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from activegraph.core.event import Event
from activegraph.core.graph import Graph
from activegraph.errors import LogInconsistencyError
from activegraph.errors.advice import option
from activegraph.operations.object_history import data_after_changes
from activegraph.packs.incident_review.object_types import OBJECT_TYPES
from pydantic import BaseModel, ValidationError

__all__ = ["check_objects", "count_of", "damaged", "text_of"]

_SCHEMAS = {declared.name: declared.schema for declared in OBJECT_TYPES}


def check_objects(graph: Graph) -> None:
    """Refuse a review of whose objects one is none that the pack would have made.

    Raises:
        LogInconsistencyError: It names the event that made the object so.
    """
    for found in graph.all_objects():
        schema = _SCHEMAS.get(found.type)
        why = None if schema is None else _unfit(schema, found.data)
        if schema is not None and why is not None:
            event_id = _event_that_made_unfit(graph, found.id, schema)
            raise damaged(graph.run_id, event_id, f"{found.type} {found.id!r}, {why}")


def _unfit(schema: type[BaseModel], data: Mapping[str, Any]) -> str | None:
    """What is wrong with the data, if what is read from it may be; nobody reads a field too many."""
    try:
        schema.model_validate(data, strict=True)
    except ValidationError as refusal:
        errors = refusal.errors(include_url=False, include_context=False, include_input=False)
        wrong = (each for each in errors if each["type"] != "extra_forbidden")
        return next((f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in wrong), None)
    return None


def _event_that_made_unfit(graph: Graph, object_id: str, schema: type[BaseModel]) -> str:
    last = ""
    for event, data in data_after_changes(graph.events, object_id):
        if data is not None and _unfit(schema, data) is not None:
            return event.id
        last = event.id
    return last


def text_of(run_id: str, event: Event, key: str) -> str:
    """A text of an event's payload.

    Raises:
        LogInconsistencyError: There is none.
    """
    value = event.payload.get(key)
    if not isinstance(value, str):
        raise damaged(run_id, event.id, f"`{key}` is no text")
    return value


def count_of(run_id: str, event: Event, key: str) -> int:
    """A count of an event's payload.

    Raises:
        LogInconsistencyError: There is none.
    """
    value = event.payload.get(key)
    if type(value) is not int:
        raise damaged(run_id, event.id, f"`{key}` is no count")
    return value


def damaged(run_id: str, event_id: str, why: str) -> LogInconsistencyError:
    """The error for an event of a review that can be read, but not as what the review wrote."""
    show = f"activegraph inspect <url> {option('--run-id', run_id)} {option('--event', event_id)}"
    return LogInconsistencyError(
        f"event {event_id!r} of run {run_id!r} is not as the review wrote it: {why}",
        what_failed=f"Reading the review that run {run_id!r} recorded. Nothing was changed.",
        why="What is printed, and what is done next, follow from the log alone; something would have to be made up.",
        how_to_fix=f"Look at the event, and restore its row from a copy:\n    {show}\n"
        "Or review again, into another file that `--db` names.",
        context={"run_id": run_id, "reason": "malformed", "event_id": event_id},
    )
