"""What the host does: says what is reviewed, and adds one incident after the other with its signals.

No behavior reads a file, so a run can be replayed and gone on with where its input is gone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from activegraph.core.event import Event
from activegraph.core.graph import Graph
from activegraph.packs.incident_review.postgres_log import READER, LoggedIncident, Signal

__all__ = [
    "FINISHED_EVENT",
    "GOAL_PREFIX",
    "INPUT_EVENT",
    "IncidentInput",
    "Named",
    "add_incident",
    "emit_finished",
    "emit_input",
    "goal_parts",
    "incident_goal",
    "input_payload",
    "logged_incident",
]

GOAL_PREFIX = "Incident review:"
INPUT_EVENT = "review.input"
FINISHED_EVENT = "review.finished"


class Named(Protocol):
    """What has an incident's name and title: a recording, or what a host makes."""

    @property
    def name(self) -> str:
        """Short and unique within the run."""
        ...

    @property
    def title(self) -> str:
        """What people call it."""
        ...


@dataclass(frozen=True, slots=True)
class IncidentInput:
    """One incident to review.

    Attributes:
        name: Short and unique within the run; signals carry it.
        title: What people call it.
        signals: Its signals, from the log and from metrics; none where a model is to look for them.
    """

    name: str
    title: str
    signals: Sequence[Signal] = ()


def logged_incident(file_name: str, incident: LoggedIncident) -> IncidentInput:
    """An incident of somebody's own log, named by its number in the file."""
    title = f"{file_name}, {incident.first_at[:19]}"
    return IncidentInput(f"incident-{incident.number}", title, incident.signals)


def incident_goal(incident: Named) -> str:
    """The goal under which an incident is reviewed: `run_goal` it, or `add_incident` with signals."""
    return f"{GOAL_PREFIX} {incident.name}: {incident.title}"


def goal_parts(goal: str) -> tuple[str, str] | None:
    """Name and title of the incident that a goal is about; None for a goal that is no review."""
    if not goal.startswith(GOAL_PREFIX):
        return None
    name, _, title = goal.removeprefix(GOAL_PREFIX).strip().partition(": ")
    return name or "incident", title or name or "incident"


def input_payload(
    name: str,
    sha256: str,
    *,
    mode: Literal["model", "rules"],
    model: str | None,
    quiet_minutes: float,
) -> dict[str, Any]:
    """What a run reviews, and how: two runs with equal payloads review the same.

    Args:
        model: The model that investigates; None for rules.
    """
    return {
        "name": name,
        "sha256": sha256,
        "mode": mode,
        "model": model,
        "quiet_minutes": quiet_minutes,
        "reader": READER,
    }


def emit_input(graph: Graph, payload: Mapping[str, Any]) -> Event:
    """Record what is reviewed, before anything else in the run."""
    return _emit(graph, INPUT_EVENT, payload, actor="host")


def emit_finished(graph: Graph, totals: Mapping[str, Any]) -> Event:
    """Record that no further incident will come, with counts over the whole input."""
    return _emit(graph, FINISHED_EVENT, totals, actor="host")


def add_incident(graph: Graph, incident: IncidentInput) -> None:
    """Add an incident's goal and signals in one transaction; the next `run_until_idle` reviews it."""
    with graph.transaction():
        goal = _emit(graph, "goal.created", {"goal": incident_goal(incident)}, actor="user")
        for signal in incident.signals:
            graph.add_object("signal", signal.to_data(incident.name), actor="host", caused_by=goal.id)


def _emit(graph: Graph, type: str, payload: Mapping[str, Any], *, actor: str) -> Event:
    event = Event(id=graph.ids.event(), type=type, payload=dict(payload), actor=actor, timestamp=graph.clock.now())
    return graph.emit(event)
