"""Run records: how fields merge, what never changes, and how times are written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

from activegraph.core.clock import Clock
from activegraph.core.codec import check_header
from activegraph.core.event import INTERNAL_FAMILIES, Event
from activegraph.errors import IncompatibleRuntimeState, InvalidRuntimeConfiguration
from activegraph.store.base import RunRecord

__all__ = [
    "INTERNAL_FAMILIES",
    "RARE_TYPES",
    "STOP_TYPES",
    "RunFields",
    "goal_of",
    "merged_record",
    "normalized_time",
    "shown_text",
    "status_of_stop",
]

STOP_TYPES = ("runtime.idle", "runtime.budget_exhausted", "runtime.paused", "tool.in_doubt")
"""The last event of these types tells how a stored run stands."""

RARE_TYPES = (
    "approval.denied",
    "approval.granted",
    "approval.proposed",
    "behavior.failed",
    "pack.loaded",
    "pack.settings_overridden",
    "runtime.budget_exhausted",
    "runtime.idle",
    "runtime.paused",
    "tool.in_doubt",
)
"""Types that status and inspect look up in long logs; stores keep an index of these and of no others."""

_FIXED = ("parent_run_id", "forked_at_event_id", "created_at")


@dataclass(frozen=True)
class RunFields:
    """The stored columns of a run, in the order of the schema."""

    run_id: str
    parent_run_id: str | None
    forked_at_event_id: str | None
    label: str | None
    created_at: str
    goal: str | None
    frame_id: str | None
    setup_count: int | None

    @classmethod
    def of(cls, record: RunRecord) -> RunFields:
        """The stored part of a record."""
        return cls(
            record.run_id,
            record.parent_run_id,
            record.forked_at_event_id,
            record.label,
            record.created_at,
            record.goal,
            record.frame_id,
            record.setup_count,
        )

    @classmethod
    def for_first_append(cls, run_id: str, events: Sequence[Event]) -> RunFields:
        """The record of a run that is appended to before anybody recorded it."""
        return cls(run_id, None, None, None, Clock().now(), goal_of(events), None, None)

    def record(self, **derived: Any) -> RunRecord:
        """As a record, with the fields that are derived from the log."""
        return RunRecord(
            self.run_id,
            self.parent_run_id,
            self.forked_at_event_id,
            self.label,
            self.created_at,
            self.goal,
            self.frame_id,
            setup_count=self.setup_count,
            **derived,
        )


def goal_of(events: Sequence[Event]) -> str | None:
    """The goal that a batch of events tells of."""
    for event in events:
        if event.type == "goal.created":
            goal = event.payload.get("goal")
            return shown_text(goal) if isinstance(goal, str) else None
    return None


def shown_text(text: str | None) -> str | None:
    """A display copy: NUL and lone surrogates become U+FFFD."""
    if text is None:
        return None
    return "".join("\ufffd" if c == "\x00" or "\ud800" <= c <= "\udfff" else c for c in text)


def merged_record(run_id: str, known: RunRecord | None, *, created_at: str, **fields: Any) -> RunRecord:
    """The record after an upsert: None never erases, lineage and creation time are fixed once set.

    Raises:
        IncompatibleRuntimeState: Another lineage or creation time than the stored one.
        InvalidRuntimeConfiguration: `created_at` is no ISO 8601 time.
    """
    given = {"created_at": normalized_time(created_at), **fields}
    for name in ("frame_id", "parent_run_id", "forked_at_event_id"):
        given[name] = check_header(name, given.get(name))
    for name in ("label", "goal"):
        given[name] = shown_text(given.get(name))
    if known is None:
        return RunFields(
            check_header("run_id", run_id),
            given.get("parent_run_id"),
            given.get("forked_at_event_id"),
            given["label"],
            given["created_at"],
            given["goal"],
            given.get("frame_id"),
            given.get("setup_count"),
        ).record()
    for name in _FIXED:
        old, new = getattr(known, name), given.get(name)
        if new is not None and old is not None and new != old:
            raise IncompatibleRuntimeState(
                f"run {run_id!r} has {name} {old!r}, not {new!r}",
                what_failed=f"Recording run {run_id!r} with {name}={new!r}. Nothing was changed.",
                why="Where a run comes from and when it was made does not change.",
                how_to_fix=f"Leave `{name}` out, or record another run id.",
                context={"run_id": run_id, "field": name, "stored": old, "given": new},
            )
    return replace(known, **{name: value for name, value in given.items() if value is not None})


def normalized_time(text: str) -> str:
    """ISO 8601 as `YYYY-MM-DDTHH:MM:SSZ` in UTC, with microseconds only when there are any."""
    try:
        moment = datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        raise InvalidRuntimeConfiguration(
            f"created_at {text!r} is no ISO 8601 time",
            what_failed=f"Recording a run with created_at={text!r}.",
            why="Runs are listed in the order in which they were made.",
            how_to_fix='created_at="2026-05-15T10:32:01Z"',
            context={"created_at": repr(text)},
        ) from None
    return moment.isoformat(timespec="microseconds" if moment.microsecond else "seconds").replace("+00:00", "Z")


def status_of_stop(last_stop: str | None, *, waiting: bool) -> Literal["stopped", "idle", "exhausted"]:
    """A stored run's state from its last stop and whether anything behind it waits in the queue."""
    if last_stop == "runtime.budget_exhausted":
        return "exhausted"
    if last_stop == "runtime.idle" and not waiting:
        return "idle"
    return "stopped"
