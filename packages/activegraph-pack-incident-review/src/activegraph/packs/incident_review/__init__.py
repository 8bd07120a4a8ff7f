"""The review after an incident: signals become inquiries, hypotheses with evidence, actions and a memo.

The host gives a goal per incident, and the signals that it has (`host`, `postgres_log`, `recordings`);
the behaviors do the rest, with a model or by rules. Importing this registers nothing. Names load when
first used.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from activegraph.packs.incident_review.definition import pack as pack
    from activegraph.packs.incident_review.definition import pack_reading as pack_reading
    from activegraph.packs.incident_review.host import IncidentInput as IncidentInput
    from activegraph.packs.incident_review.host import add_incident as add_incident
    from activegraph.packs.incident_review.host import incident_goal as incident_goal
    from activegraph.packs.incident_review.postgres_log import Signal as Signal
    from activegraph.packs.incident_review.postgres_log import read_signals as read_signals
    from activegraph.packs.incident_review.provider import RecordedIncidentProvider as RecordedIncidentProvider
    from activegraph.packs.incident_review.recordings import THREE_INCIDENTS as THREE_INCIDENTS
    from activegraph.packs.incident_review.recordings import load_recording as load_recording
    from activegraph.packs.incident_review.settings import IncidentReviewSettings as IncidentReviewSettings
    from activegraph.packs.incident_review.sources import GraphSource as GraphSource
    from activegraph.packs.incident_review.sources import IncidentSource as IncidentSource

_HOMES = {
    "GraphSource": "sources",
    "IncidentInput": "host",
    "IncidentReviewSettings": "settings",
    "IncidentSource": "sources",
    "RecordedIncidentProvider": "provider",
    "Signal": "postgres_log",
    "THREE_INCIDENTS": "recordings",
    "add_incident": "host",
    "incident_goal": "host",
    "load_recording": "recordings",
    "pack": "definition",
    "pack_reading": "definition",
    "read_signals": "postgres_log",
}

__all__ = [*_HOMES]  # noqa: PLE0604 - names, made above
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
