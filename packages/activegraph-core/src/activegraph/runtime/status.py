"""`RuntimeStatus`: a frozen picture of a run between two commits, for operators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

from activegraph.behaviors.kinds import asks_model, is_about_relations
from activegraph.core.event import Event
from activegraph.core.frozen import freeze
from activegraph.core.record import EventRecord
from activegraph.errors import InvalidRuntimeConfiguration
from activegraph.errors.base import shown
from activegraph.runtime.budget import DIMENSIONS, Budget

if TYPE_CHECKING:
    from activegraph.behaviors.base import AnyBehavior
    from activegraph.runtime.engine import Engine, Published

__all__ = [
    "BehaviorInfo",
    "BudgetSnapshot",
    "EventSummary",
    "FrameSnapshot",
    "RuntimeStatus",
    "checked_recent",
    "state_of",
    "status_of",
    "status_to_dict",
    "summary_of",
]

RunState = Literal["idle", "running", "stopped", "exhausted"]


@dataclass(frozen=True)
class BudgetSnapshot:
    """Use and limits of a run at one instant.

    Attributes:
        used: What this process has used, by dimension; seconds are monotonic time.
        limits: None where there is no limit.
        cost_used_usd, cost_limit_usd: US dollars as text, exact.
        exhausted_by: The dimension that stopped the run, if one did.
    """

    used: Mapping[str, float]
    limits: Mapping[str, float | None]
    cost_used_usd: str
    cost_limit_usd: str | None
    exhausted_by: str | None


@dataclass(frozen=True)
class FrameSnapshot:
    """The run's frame."""

    id: str | None
    name: str | None


@dataclass(frozen=True)
class BehaviorInfo:
    """One registered behavior.

    Attributes:
        kind: `function`, `relation` or `llm`.
        subscribed_to: Event types; empty for a behavior that only a pattern wakes.
        activate_after: Delay in dispatched events.
    """

    name: str
    kind: str
    subscribed_to: tuple[str, ...]
    pattern: str | None = None
    activate_after: int | None = None


@dataclass(frozen=True)
class EventSummary:
    """One event without its payload: who caused what, when (ISO 8601, UTC)."""

    id: str
    type: str
    actor: str | None
    timestamp: str


@dataclass(frozen=True)
class RuntimeStatus:
    """A run at one instant between two commits.

    Attributes:
        state: `running` (a call is at work), `idle` (nothing is left to do), `exhausted` (a budget is used
            up) or `stopped` (anything else: new, owed work, paused, a failed commit).
        queue_depth: Events that wait.
        events_processed: Events in the log.
        budget: Use and limits.
        frame: None for a run without one.
        registered_behaviors: Those that take part.
        recent_events: The newest, oldest first; as many as were asked for.
    """

    run_id: str
    state: RunState
    queue_depth: int
    events_processed: int
    budget: BudgetSnapshot
    frame: FrameSnapshot | None
    registered_behaviors: list[BehaviorInfo]
    recent_events: list[EventSummary]

    def to_dict(self) -> dict[str, Any]:
        """The fields in order, as plain values."""
        return status_to_dict(self)


def status_of(engine: Engine, recent: int) -> RuntimeStatus:
    """The state as of the last commit; callable from any thread, cost O(recent + behaviors)."""
    checked_recent(recent)
    log = engine.log
    with log.lock:
        published = engine.published
        running = engine.running
        failed = log.failure is not None
        budget = engine.budget
        window = list(islice(reversed(log.window), min(recent, len(log.window))))
    window.reverse()
    return RuntimeStatus(
        run_id=engine.run_id,
        state="running" if running else state_of(published.last_stop, published.queue_depth, failed=failed),
        queue_depth=published.queue_depth,
        events_processed=published.head,
        budget=_budget_of(budget, published),
        frame=_frame_of(engine.frame),
        registered_behaviors=[_info(behavior) for behavior in _registered(engine)],
        recent_events=[summary_of(event) for event in log.recent(recent, window, published.head)],
    )


def state_of(last_stop: tuple[str, str | None] | None, queue_depth: int, *, failed: bool = False) -> RunState:
    """The state of a run that is not running, from its last `runtime.*` event and its queue."""
    type = None if last_stop is None else last_stop[0]
    if failed or type == "tool.in_doubt":
        return "stopped"
    if type == "runtime.budget_exhausted":
        return "exhausted"
    if type == "runtime.idle" and queue_depth == 0:
        return "idle"
    return "stopped"


def checked_recent(recent: object) -> int:
    """`recent` if it is an int >= 0, else `InvalidRuntimeConfiguration`."""
    if type(recent) is int and recent >= 0:
        return recent
    raise InvalidRuntimeConfiguration(
        f"status(recent={shown(recent)}): `recent` must be a whole number >= 0",
        what_failed=f"`status(recent={shown(recent)})`.",
        why="It says how many of the newest events to show.",
        how_to_fix="runtime.status(recent=20)",
        context={"recent": shown(recent)},
    )


def summary_of(event: Event | EventRecord) -> EventSummary:
    """The event without its payload."""
    return EventSummary(event.id, event.type, event.actor, event.timestamp)


def status_to_dict(status: RuntimeStatus) -> dict[str, Any]:
    """`status` as plain values that `json.dumps` takes, field names in order."""
    budget, frame = status.budget, status.frame
    return {
        "run_id": status.run_id,
        "state": status.state,
        "queue_depth": status.queue_depth,
        "events_processed": status.events_processed,
        "budget": {
            "used": dict(budget.used),
            "limits": dict(budget.limits),
            "cost_used_usd": budget.cost_used_usd,
            "cost_limit_usd": budget.cost_limit_usd,
            "exhausted_by": budget.exhausted_by,
        },
        "frame": None if frame is None else {"id": frame.id, "name": frame.name},
        "registered_behaviors": [
            {
                "name": info.name,
                "kind": info.kind,
                "subscribed_to": list(info.subscribed_to),
                "pattern": info.pattern,
                "activate_after": info.activate_after,
            }
            for info in status.registered_behaviors
        ],
        "recent_events": [
            {"id": e.id, "type": e.type, "actor": e.actor, "timestamp": e.timestamp} for e in status.recent_events
        ],
    }


def _registered(engine: Engine) -> Sequence[AnyBehavior]:
    """Those of the last `run_*`; before the first, those that one would use now."""
    subscriptions = engine.subscriptions
    return engine.behaviors_now() if subscriptions is None else subscriptions.behaviors


def _budget_of(budget: Budget, published: Published) -> BudgetSnapshot:
    used = dict(zip(DIMENSIONS, published.used or (0.0,) * len(DIMENSIONS), strict=True))
    used["max_seconds"] = budget.elapsed_seconds()
    snapshot = budget.snapshot()
    stop = published.last_stop
    return BudgetSnapshot(
        freeze(used),
        freeze(snapshot["limits"]),
        str(published.cost_used),
        snapshot["cost_limit_usd"],
        stop[1] if stop is not None and stop[0] == "runtime.budget_exhausted" else None,
    )


def _frame_of(frame: Any) -> FrameSnapshot | None:
    if frame is None:
        return None
    return FrameSnapshot(_text_in(frame, "id"), _text_in(frame, "name"))


def _text_in(frame: Any, name: str) -> str | None:
    try:
        value = getattr(frame, name, None)
    except Exception:  # a frame may be of any class
        return None
    return value if isinstance(value, str) else None


def _info(behavior: AnyBehavior) -> BehaviorInfo:
    return BehaviorInfo(
        behavior.name,
        _kind(behavior),
        tuple(behavior.on),
        behavior.pattern,
        behavior.activate_after,
    )


def _kind(behavior: AnyBehavior) -> str:
    if is_about_relations(behavior):
        return "relation"
    return "llm" if asks_model(behavior) else "function"
