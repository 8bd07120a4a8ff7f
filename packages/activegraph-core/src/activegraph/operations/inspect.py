"""The status of a stored run: read-only, by index, without loading it.

What is read does not grow with the run: its newest events, the last stop, and the queue that it
still owes. Damage stops only what needs the damaged payload.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec
from msgspec import Struct

from activegraph.core.codec import UNREADABLE
from activegraph.core.event import Event
from activegraph.core.frozen import freeze
from activegraph.operations.observed import observed_behaviors
from activegraph.operations.owed import queue_depth
from activegraph.operations.reading import StoredRun, open_run
from activegraph.runtime.budget import DIMENSIONS
from activegraph.runtime.log_rows import StoredEvent
from activegraph.runtime.status import (
    BehaviorInfo,
    BudgetSnapshot,
    EventSummary,
    FrameSnapshot,
    RuntimeStatus,
    checked_recent,
    state_of,
)
from activegraph.store.refusals import unknown_event

__all__ = [
    "BEHAVIOR_WINDOW",
    "CallInDoubt",
    "Inspection",
    "LoadedPack",
    "behaviors_of_run",
    "event_of_run",
    "inspect_run",
    "inspect_stored_run",
    "packs_of_run",
]

BEHAVIOR_WINDOW = 10_000
"""How many of the newest events the status looks through for behaviors."""

_RUN_STOPS = ("runtime.idle", "runtime.budget_exhausted", "runtime.paused")


@dataclass(frozen=True)
class CallInDoubt:
    """A tool call that may or may not have happened, and that nobody has settled."""

    requested_event_id: str
    tool: str


@dataclass(frozen=True)
class Inspection:
    """A stored run's status, and what it does not say itself.

    Attributes:
        status: As `inspect_run` gives it.
        unknown: Fields of `status` that a damaged payload hides; their values there mean nothing.
        damaged: Ids of those damaged events.
        in_doubt: The call that waits for `Runtime.resolve_tool`.
        last_timestamp: Of the newest event; None for an empty run.
        behaviors_cut: Whether the run is longer than what was looked through for behaviors.
        delays_unseen: Whether `queue_depth` may lack the event that invocations delayed long ago are due at.
    """

    status: RuntimeStatus
    unknown: tuple[str, ...] = ()
    damaged: tuple[str, ...] = ()
    in_doubt: CallInDoubt | None = None
    last_timestamp: str | None = None
    behaviors_cut: bool = False
    delays_unseen: bool = False


@dataclass(frozen=True)
class LoadedPack:
    """One `pack.loaded` event: `prompts` maps each prompt's name to its version and hash."""

    event_id: str
    pack: str
    version: str
    prompts: dict[str, dict[str, Any]] = field(default_factory=dict)


def inspect_run(url: str, run_id: str | None = None, *, recent: int = 20) -> RuntimeStatus:
    """The status of a stored run, without loading behaviors or rebuilding its graph.

    Args:
        run_id: Default: the run that was appended to last.
        recent: How many of the newest events to show.

    Raises:
        InvalidRuntimeConfiguration: `recent` is no whole number >= 0.
        StoreNotFoundError, RunNotFoundError: There is no such store or run; nothing is made.

    Cost follows `recent` and the queue that the run owes, not its length.
    """
    return inspect_stored_run(url, run_id, recent=recent).status


def inspect_stored_run(url: str, run_id: str | None = None, *, recent: int = 20) -> Inspection:
    """`inspect_run` with notes for people: damage, calls in doubt, and how long ago the last event was."""
    checked_recent(recent)
    with open_run(url, run_id) as run:
        return _inspect(run, recent)


def event_of_run(url: str, run_id: str | None, event_id: str) -> Event:
    """One event, by index.

    Raises:
        EventNotFoundError: The run has none of this id.
        CorruptedEventPayloadError: Its payload cannot be read.
    """
    with open_run(url, run_id) as run:
        event: Event | None = run.store.get_event(event_id)
        if event is None:
            raise unknown_event(event_id, run.run_id, "inspect", type(run.store).__name__)
        return event


def behaviors_of_run(url: str, run_id: str | None = None) -> list[BehaviorInfo]:
    """The behaviors that a whole log tells of; reads it once, in bounded memory."""
    with open_run(url, run_id) as run:
        return observed_behaviors(run.rows())


def packs_of_run(url: str, run_id: str | None = None) -> list[LoadedPack]:
    """Every `pack.loaded` event of a run, in order.

    Raises:
        CorruptedEventPayloadError: One of them cannot be read.
    """
    with open_run(url, run_id) as run:
        return [_pack(event) for event in run.of_types("pack.loaded")]


def _pack(event: Event) -> LoadedPack:
    payload = event.payload
    prompts = payload.get("prompts")
    known = prompts if isinstance(prompts, dict) else {}
    return LoadedPack(
        event.id,
        str(payload.get("name")),
        str(payload.get("version")),
        {name: dict(prompt) for name, prompt in known.items() if isinstance(prompt, dict)},
    )


class _Snapshot(Struct, gc=False):
    used: dict[str, float] = msgspec.field(default_factory=dict)
    limits: dict[str, float | None] = msgspec.field(default_factory=dict)
    cost_used_usd: str = "0"
    cost_limit_usd: str | None = None


class _Stop(Struct, gc=False):
    snapshot: _Snapshot
    exhausted_by: str | None = None


class _InDoubt(Struct, gc=False):
    requested_event_id: str
    tool: str


_decode_stop = msgspec.json.Decoder(_Stop).decode
_decode_in_doubt = msgspec.json.Decoder(_InDoubt).decode


def _inspect(run: StoredRun, recent: int) -> Inspection:
    newest = run.newest(max(recent, BEHAVIOR_WINDOW))
    stop = run.last_of(*_RUN_STOPS, "tool.in_doubt")
    depth = queue_depth(run, BEHAVIOR_WINDOW)
    unknown, damaged = [], []
    if depth.damaged is not None:
        unknown.append("queue_depth")
        damaged.append(depth.damaged)
    budget = _no_budget()
    told = run.last_of(*_RUN_STOPS)
    if told is not None:
        try:
            budget = _budget(told, exhausted=stop is not None and stop.type == "runtime.budget_exhausted")
        except UNREADABLE:
            unknown.append("budget")
            damaged.append(told.id)
    status = RuntimeStatus(
        run_id=run.run_id,
        state=state_of(None if stop is None else (stop.type, None), depth.events),
        queue_depth=depth.events,
        events_processed=run.head,
        budget=budget,
        frame=_frame(run),
        registered_behaviors=observed_behaviors(newest[-BEHAVIOR_WINDOW:]),
        recent_events=[
            EventSummary(r.id, r.type, r.actor, r.timestamp) for r in newest[max(0, len(newest) - recent) :]
        ],
    )
    return Inspection(
        status,
        tuple(unknown),
        tuple(dict.fromkeys(damaged)),
        _in_doubt(run),
        newest[-1].timestamp if newest else None,
        run.head > BEHAVIOR_WINDOW,
        depth.delays_unseen,
    )


def _no_budget() -> BudgetSnapshot:
    return _budget_snapshot(_Snapshot(), None)


def _budget(stop: StoredEvent, *, exhausted: bool) -> BudgetSnapshot:
    told = _decode_stop(stop.payload)
    return _budget_snapshot(told.snapshot, told.exhausted_by if exhausted else None)


def _budget_snapshot(snapshot: _Snapshot, exhausted_by: str | None) -> BudgetSnapshot:
    return BudgetSnapshot(
        freeze({key: snapshot.used.get(key, 0.0) for key in DIMENSIONS}),
        freeze({key: snapshot.limits.get(key) for key in DIMENSIONS}),
        snapshot.cost_used_usd,
        snapshot.cost_limit_usd,
        exhausted_by,
    )


def _frame(run: StoredRun) -> FrameSnapshot | None:
    frame_id = None if run.record is None else run.record.frame_id
    return None if frame_id is None else FrameSnapshot(frame_id, None)


def _in_doubt(run: StoredRun) -> CallInDoubt | None:
    """The last call in doubt, unless an answer follows it or a fork cut it away from its invocation."""
    told = run.last_of("tool.in_doubt")
    if told is None or told.id == run.forked_at:
        return None
    try:
        call = _decode_in_doubt(told.payload)
    except UNREADABLE:
        return None
    # Nothing but the answer follows, so this ends at once.
    for event in run.store.iter_events(after=told.id):
        if event.id == run.forked_at:
            return None
        if event.type == "tool.responded" and event.caused_by == call.requested_event_id:
            return None
    return CallInDoubt(call.requested_event_id, call.tool)
