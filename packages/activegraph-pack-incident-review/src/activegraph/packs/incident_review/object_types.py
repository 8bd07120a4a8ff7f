"""The types of objects and relations that a review makes, and what their data may hold."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from activegraph.packs import ObjectType, RelationType
from pydantic import BaseModel, ConfigDict, Field

__all__ = ["OBJECT_TYPES", "RELATION_TYPES", "OwnerRole", "Share", "Source", "Stance", "Urgency"]

Urgency = Literal["low", "medium", "high", "critical"]
OwnerRole = Literal["application", "database", "platform"]
Source = Literal["log", "metrics"]
Stance = Literal["for", "against"]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
LineNumber = Annotated[int, Field(ge=1)]


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class _Titled(_Data):
    title: str
    """A few words, for the trace."""


class _OfIncident(_Titled):
    incident: str
    """Id of the incident that it belongs to."""


class Wanted(_Data):
    """How many questions a model is to ask."""

    least: Count
    most: Count


class Incident(_Titled):
    """What is reviewed."""

    name: str
    status: Literal["open", "investigated", "requested", "reviewed"]
    severity: Urgency
    first_at: str | None = None
    last_at: str | None = None
    signals: Count
    """Kinds of lines that the host gave along."""
    actions: list[str] = []
    inquiries_wanted: Wanted | None = None
    left_out: Count = 0
    """What a model claimed and nothing bears out: quotes, hypotheses, references."""


class SignalData(_Titled):
    """One kind of message, or one metric."""

    incident: str
    """The incident's name: signals may be there before it."""
    source: Source
    kind: str
    severity: str | None = None
    sqlstate: str | None = None
    message: str | None = None
    detail: str | None = None
    hint: str | None = None
    context: str | None = None
    statement: str | None = None
    count: Count
    first_at: str
    last_at: str
    lines: list[LineNumber]
    facts: dict[str, Any] = {}


class Inquiry(_OfIncident):
    """A question about an incident."""

    incident_name: str
    question: str
    topic: str
    priority: Urgency
    status: Literal["open", "answered", "unresolved"]
    signals: list[str] = []
    not_found: list[str] = []


class Hypothesis(_OfIncident):
    """What may have happened."""

    statement: str
    inquiry: str
    rule: str | None = None
    """The rule that says so; none where a model does."""
    confidence: Share
    status: Literal["open", "confirmed", "refuted"]


class Evidence(_OfIncident):
    """Words of one line that speak for a hypothesis, or against it."""

    quote: str
    source: Source
    line: LineNumber
    stance: Stance
    weight: Share


class Conflict(_OfIncident):
    """Two likely hypotheses that contradict each other."""

    statement: str
    hypotheses: Annotated[list[str], Field(min_length=2, max_length=2)]
    status: Literal["open", "settled"]


class Action(_OfIncident):
    """What to do about it."""

    detail: str
    priority: Urgency
    owner_role: OwnerRole
    status: Literal["proposed", "done"]
    addresses: list[str]
    """Ids of the hypotheses that it answers."""


class Reminder(_OfIncident):
    """An inquiry that nobody has answered."""

    inquiry: str
    lines: list[LineNumber]


class TimelineEntry(_Data):
    at: str
    until: str
    text: str
    signal: str
    lines: list[LineNumber]
    count: Count


class Timeline(_Data):
    entries: list[TimelineEntry]
    notes: list[str]


class AnsweredInquiry(_Data):
    inquiry: str
    question: str
    hypotheses: list[str]


class UnresolvedInquiry(_Data):
    inquiry: str
    question: str
    signals: list[str]
    lines: list[LineNumber]


class Finding(_Data):
    hypothesis: str
    title: str
    text: str
    status: Literal["open", "confirmed"]
    confidence: Share
    evidence: list[str]
    evidence_against: list[str]


class OpenConflict(_Data):
    conflict: str
    text: str
    hypotheses: list[str]


class MemoAction(_Data):
    action: str
    title: str
    detail: str
    priority: Urgency
    owner_role: OwnerRole


class Memo(_OfIncident):
    """The outcome of a review; every claim cites what it rests on."""

    summary: str
    timeline: Timeline
    inquiries_answered: list[AnsweredInquiry]
    inquiries_unresolved: list[UnresolvedInquiry]
    findings: list[Finding]
    open_conflicts: list[OpenConflict]
    conflicts_note: str
    actions: list[MemoAction]


OBJECT_TYPES = (
    ObjectType("incident", Incident, "What is reviewed."),
    ObjectType("signal", SignalData, "One kind of message of the log, or one metric."),
    ObjectType("inquiry", Inquiry, "A question about an incident."),
    ObjectType("hypothesis", Hypothesis, "What may have happened, and how sure that is."),
    ObjectType("evidence", Evidence, "Words of one line that speak for a hypothesis, or against it."),
    ObjectType("conflict", Conflict, "Two likely hypotheses that contradict each other."),
    ObjectType("action", Action, "What to do about what was found."),
    ObjectType("reminder", Reminder, "An inquiry that nobody has answered."),
    ObjectType("memo", Memo, "The outcome, every claim with what it rests on."),
)

RELATION_TYPES = (
    RelationType("concerns", ("inquiry",), ("incident",)),
    RelationType("observed_in", ("signal",), ("incident",)),
    RelationType("answers", ("hypothesis",), ("inquiry",)),
    RelationType("backs", ("evidence",), ("hypothesis",)),
    RelationType("cites", ("evidence",), ("signal",)),
    RelationType("contradicts", ("hypothesis",), ("hypothesis",)),
    RelationType("between", ("conflict",), ("hypothesis",)),
    RelationType("addresses", ("action",), ("hypothesis",)),
    RelationType("reports_on", ("memo",), ("incident",)),
)
