"""What the four LLM behaviors are answered with.

A model knows no ids: it refers to hypotheses by their titles and to signals by their words. The
handlers look them up, and leave out what they can't find.
"""

from __future__ import annotations

from typing import Annotated

from activegraph.packs.incident_review.object_types import OwnerRole, Share, Source, Stance, Urgency
from pydantic import BaseModel, Field

__all__ = [
    "ActionPlan",
    "DraftFinding",
    "InquiryPlan",
    "Investigation",
    "MemoDraft",
    "PlannedAction",
    "PlannedInquiry",
    "Quote",
    "QuotedLine",
    "SeenSignal",
    "Supposition",
]

Title = Annotated[str, Field(min_length=1, max_length=120)]
Prose = Annotated[str, Field(min_length=1, max_length=1500)]
Line = Annotated[int, Field(ge=1)]


class PlannedInquiry(BaseModel):
    """One question."""

    topic: Annotated[str, Field(pattern="^[a-z][a-z0-9_]{0,39}$")]
    title: Title
    question: Annotated[str, Field(min_length=1, max_length=300)]
    priority: Urgency


class InquiryPlan(BaseModel):
    """The questions that a review begins with."""

    severity: Urgency
    inquiries: Annotated[list[PlannedInquiry], Field(min_length=1)]


class QuotedLine(BaseModel):
    """Words of a line."""

    line: Line
    text: Annotated[str, Field(min_length=1, max_length=2000)]


class SeenSignal(BaseModel):
    """A signal as a tool gave it; `message` stands in the first of `lines`."""

    source: Source
    kind: Annotated[str, Field(min_length=1, max_length=60)]
    title: Title
    message: Annotated[str, Field(min_length=1, max_length=2000)]
    lines: Annotated[list[Line], Field(min_length=1, max_length=100)]
    count: Annotated[int, Field(ge=1)]
    first_at: str
    last_at: str
    severity: str | None = None
    sqlstate: str | None = None
    quoted: list[QuotedLine] = []


class Quote(BaseModel):
    """Words of a line that speak for a hypothesis, or against it."""

    quote: Annotated[str, Field(min_length=3, max_length=1000)]
    source: Source
    line: Line
    stance: Stance
    weight: Share


class Supposition(BaseModel):
    """A hypothesis with its evidence."""

    title: Title
    statement: Prose
    confidence: Share
    evidence: list[Quote]
    contradicts: list[str] = []


class Investigation(BaseModel):
    """The answer to one inquiry."""

    signals: list[SeenSignal]
    hypotheses: list[Supposition]
    not_found: list[str] = []


class PlannedAction(BaseModel):
    """One thing to do."""

    title: Title
    detail: Prose
    priority: Urgency
    owner_role: OwnerRole
    addresses: list[str]


class ActionPlan(BaseModel):
    """What to do after an incident."""

    actions: Annotated[list[PlannedAction], Field(min_length=1, max_length=20)]


class DraftFinding(BaseModel):
    """What a hypothesis means for the reader."""

    hypothesis: str
    text: Prose


class MemoDraft(BaseModel):
    """The words of a memo; the record gives the rest."""

    summary: Annotated[str, Field(min_length=1, max_length=3000)]
    findings: list[DraftFinding]
