"""The tools that a model investigates with: signals, samples, runbooks, and a clock for durations.

They answer from an `IncidentSource`. An empty answer is an answer: nothing is made up for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from activegraph.packs import tool
from activegraph.packs.incident_review.log_lines import parse_time
from activegraph.packs.incident_review.metrics_samples import Sample
from activegraph.packs.incident_review.object_types import Source
from activegraph.packs.incident_review.sources import IncidentSource, quotable_lines
from activegraph.tools import Tool, ToolContext
from pydantic import BaseModel, Field

__all__ = ["tools_reading"]

_RUNBOOKS = Path(__file__).parent / "runbooks"
_LINES_SHOWN = 10
_CHANGES_SHOWN = 12


class FetchSignalsInput(BaseModel):
    """Which signals."""

    incident: str = Field(description="Name of the incident.")
    kinds: list[str] = Field(
        default=[], description="Kinds (lock_wait, process_killed, ...) or beginnings of SQLSTATEs; all if empty."
    )
    source: Source | None = Field(default=None, description="Only those of the log, or of the metrics.")
    limit: int = Field(default=8, ge=1, le=50)


class FetchedLine(BaseModel):
    line: int
    text: str


class FetchedSignal(BaseModel):
    source: Source
    kind: str
    title: str
    severity: str | None
    sqlstate: str | None
    count: int
    first_at: str
    last_at: str
    lines: list[int]
    quotable: list[FetchedLine]
    facts: dict[str, Any]


class FetchSignalsOutput(BaseModel):
    """The signals found, and how many there are in all."""

    signals: list[FetchedSignal]
    total: int


class QueryMetricsInput(BaseModel):
    """Which value, and from when to when."""

    incident: str = Field(description="Name of the incident.")
    metric: str = Field(
        description="backends, waiting, deadlocks, xact_commit, ... as a sample names it; sessions.STATE for sessions."
    )
    since: str | None = Field(default=None, description="YYYY-MM-DD HH:MM:SS.mmm")
    until: str | None = Field(default=None, description="YYYY-MM-DD HH:MM:SS.mmm")


class MetricPoint(BaseModel):
    line: int
    at: str
    value: float
    text: str
    """What stands in that line, to be quoted."""


class FailedSample(BaseModel):
    line: int
    at: str
    text: str


class QueryMetricsOutput(BaseModel):
    """What the samples show of a value; no points if it was not sampled.

    `last_before` and `first_after` enclose the samples that got no answer.
    """

    metric: str
    samples: int
    least: MetricPoint | None
    most: MetricPoint | None
    changes: list[MetricPoint]
    unanswered: int
    first_unanswered: FailedSample | None
    last_before: MetricPoint | None
    first_after: MetricPoint | None


class ReadRunbookInput(BaseModel):
    """Which page."""

    topic: str = Field(description="deadlocks, lock_queues, connections, crash, ...")


class ReadRunbookOutput(BaseModel):
    """A page of the team's runbook; empty if there is none."""

    found: bool
    title: str
    text: str


class IncidentClockInput(BaseModel):
    """Times as the log writes them; what nobody recorded is left out."""

    started_at: str = Field(description="First sign.")
    detected_at: str | None = Field(default=None, description="When a monitor could see it.")
    acknowledged_at: str | None = Field(default=None, description="When somebody took it on.")
    resolved_at: str | None = Field(default=None, description="Last sign.")


Seconds = Annotated[float | None, Field(description="Seconds since the first sign; null if the time is not known.")]


class IncidentClockOutput(BaseModel):
    """How long it took."""

    to_detect: Seconds
    to_acknowledge: Seconds
    to_resolve: Seconds


def tools_reading(source: IncidentSource) -> tuple[Tool, ...]:
    """The four tools, with this source behind those that need one."""

    @tool(
        description="The signals of an incident: lines of the log that tell of trouble, repeats folded into one.",
        output_schema=FetchSignalsOutput,
        cost_per_call="0.001",
        timeout_seconds=10,
    )
    def fetch_signals(args: FetchSignalsInput, ctx: ToolContext) -> FetchSignalsOutput:
        found = [signal for signal in source.signals(args.incident) if _wanted(signal, args)]
        return FetchSignalsOutput(signals=[_fetched(signal) for signal in found[: args.limit]], total=len(found))

    @tool(
        description="What the samples of the statistics views show of one value over time.",
        output_schema=QueryMetricsOutput,
        cost_per_call="0.002",
        timeout_seconds=10,
    )
    def query_metrics(args: QueryMetricsInput, ctx: ToolContext) -> QueryMetricsOutput:
        return _queried(source.samples(args.incident), args)

    @tool(
        description="A page of the team's runbook.",
        output_schema=ReadRunbookOutput,
        cost_per_call="0.001",
        timeout_seconds=5,
    )
    def read_runbook(args: ReadRunbookInput, ctx: ToolContext) -> ReadRunbookOutput:
        page = _runbooks().get(args.topic)
        if page is None:
            return ReadRunbookOutput(found=False, title="", text="")
        title, _, text = page.partition("\n")
        return ReadRunbookOutput(found=True, title=title.lstrip("# "), text=text.strip())

    @tool(
        description="How many seconds an incident took to be detected, acknowledged and resolved.",
        output_schema=IncidentClockOutput,
        deterministic=True,
        timeout_seconds=1,
    )
    def incident_clock(args: IncidentClockInput, ctx: ToolContext) -> IncidentClockOutput:
        return IncidentClockOutput(
            to_detect=_seconds(args.started_at, args.detected_at),
            to_acknowledge=_seconds(args.started_at, args.acknowledged_at),
            to_resolve=_seconds(args.started_at, args.resolved_at),
        )

    return fetch_signals, query_metrics, read_runbook, incident_clock


def _wanted(signal: Mapping[str, Any], args: FetchSignalsInput) -> bool:
    if args.source is not None and signal["source"] != args.source:
        return False
    state = signal.get("sqlstate") or ""
    return not args.kinds or any(kind == signal["kind"] or (kind and state.startswith(kind)) for kind in args.kinds)


def _fetched(signal: Mapping[str, Any]) -> FetchedSignal:
    return FetchedSignal(
        source=signal["source"],
        kind=signal["kind"],
        title=signal["title"],
        severity=signal.get("severity"),
        sqlstate=signal.get("sqlstate"),
        count=signal["count"],
        first_at=signal["first_at"],
        last_at=signal["last_at"],
        lines=list(signal["lines"][:_LINES_SHOWN]),
        quotable=[FetchedLine(line=line, text=text) for line, text in quotable_lines(signal)],
        facts={name: value for name, value in (signal.get("facts") or {}).items() if name in _FACTS},
    )


_FACTS = frozenset({"applications", "users", "statements", "relations", "waits_for", "longest_ms", "queue_peak"})
"""Totals that a model is shown; the others repeat what may be quoted."""


def _queried(samples: Sequence[Sample], args: QueryMetricsInput) -> QueryMetricsOutput:
    asked = [sample for sample in samples if _between(sample.at, args.since, args.until)]
    name, _, part = args.metric.partition(".")
    # A state that no session is in is missing from a sample; one that is in none of them is no state.
    known = not part or any(part in _parts(sample, name) for sample in samples)
    points = [point for sample in asked if known and (point := _point(sample, name, part)) is not None]
    failed = [_failed(sample) for sample in asked if "error" in sample.values]
    changes = [point for place, point in enumerate(points) if place == 0 or point.value != points[place - 1].value]
    return QueryMetricsOutput(
        metric=args.metric,
        samples=len(points),
        least=min(points, key=lambda point: point.value, default=None),
        most=max(points, key=lambda point: point.value, default=None),
        changes=changes[:_CHANGES_SHOWN],
        unanswered=len(failed),
        first_unanswered=failed[0] if failed else None,
        last_before=next((point for point in reversed(points) if failed and point.line < failed[0].line), None),
        first_after=next((point for point in points if failed and point.line > failed[-1].line), None),
    )


def _parts(sample: Sample, name: str) -> Mapping[str, Any]:
    parts = sample.values.get(name)
    return parts if isinstance(parts, dict) else {}


def _point(sample: Sample, name: str, part: str) -> MetricPoint | None:
    if name not in sample.values:
        return None
    value = _parts(sample, name).get(part, 0) if part else sample.values[name]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return MetricPoint(line=sample.line, at=sample.at, value=value, text=sample.quote(name))


def _failed(sample: Sample) -> FailedSample:
    return FailedSample(line=sample.line, at=sample.at, text=str(sample.values["error"])[:500])


def _between(at: str, since: str | None, until: str | None) -> bool:
    moment = parse_time(at)
    begin, end = (None if bound is None else parse_time(bound) for bound in (since, until))
    return moment is None or ((begin is None or moment >= begin) and (end is None or moment <= end))


def _seconds(started_at: str, at: str | None) -> float | None:
    begin = parse_time(started_at)
    end = None if at is None else parse_time(at)
    return None if begin is None or end is None else round(end - begin, 3)


@cache
def _runbooks() -> dict[str, str]:
    return {page.stem: page.read_text(encoding="utf-8") for page in sorted(_RUNBOOKS.glob("*.md"))}
