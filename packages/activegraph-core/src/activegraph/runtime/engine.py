"""The state of one running run: what the loop, the front door and `status()` share.

The engine observes the recorder of its graph: it queues what is to be dispatched and publishes
what `status()` shows after each commit. It decides nothing; `loop` does.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence
from copy import copy
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from activegraph.behaviors.base import AnyBehavior
from activegraph.behaviors.registry import get_registry, watch_registry
from activegraph.core.clock import monotonic_of
from activegraph.core.codec import check_header
from activegraph.core.event import Event
from activegraph.core.graph import Graph
from activegraph.core.log import LogStore
from activegraph.core.log_lines import say
from activegraph.core.record import EventRecord
from activegraph.core.refusals import stopped
from activegraph.packs.loaded import NO_PACKS, LoadedPacks
from activegraph.runtime.approvals import APPROVAL_TYPES, Approvals
from activegraph.runtime.arguments import Durability
from activegraph.runtime.budget import Budget
from activegraph.runtime.mark_reading import about_behavior
from activegraph.runtime.matching import Matching
from activegraph.runtime.model_behaviors import ModelBehaviors
from activegraph.runtime.outside import CallOptions, Outside
from activegraph.runtime.owed import Owed
from activegraph.runtime.pack_events import record_packs, warn_of_absent_packs
from activegraph.runtime.points import CutOff
from activegraph.runtime.progress import replace_turn
from activegraph.runtime.prompt_events import PromptEvents
from activegraph.runtime.queue import SUBSCRIBABLE, DelayedEntries, WorkItem, is_internal
from activegraph.runtime.recording import RunFacts
from activegraph.runtime.refusals import closed_error, unfinished_error
from activegraph.runtime.subscriptions import Subscriptions

if TYPE_CHECKING:
    from activegraph.packs.values import Pack
    from activegraph.runtime.measures import Measures
    from activegraph.store.base import EventStore
    from activegraph.tools.base import Tool

__all__ = ["Engine", "Published"]

_logger = logging.getLogger("activegraph.runtime")

_HOST_SYNC: dict[str, bool] = {"effect": True, "every-step": True, "os": False}
_CALL_SYNC = _HOST_SYNC
_STEP_SYNC: dict[str, bool | None] = {"effect": None, "every-step": True, "os": False}


class Published(Struct, frozen=True, gc=False):
    """What `status()` shows besides the window of events: true between two commits."""

    head: int = 0
    queue_depth: int = 0
    used: tuple[float, ...] = ()
    cost_used: Decimal = Decimal(0)
    last_stop: tuple[str, str | None] | None = None
    """Type of the log's last `runtime.*` event, and what was exhausted."""


class Engine:
    """Queue, behaviors, budget and published state of one run."""

    running = closed = False
    url: str | None = None
    """Where the store was opened, if a runtime of this graph opened it."""
    owned: EventStore | None = None
    """The store, if a runtime of this graph opened it and has to close it."""
    tick = 0
    packs: LoadedPacks = NO_PACKS
    trigger: Event | None = None
    """The event that the running invocation reacts to."""
    trigger_depth: int | None = None
    subscriptions: Subscriptions | None = None
    """The behaviors of the last `run_*` of this runtime."""
    awaited: frozenset[str] = frozenset()
    """Internal types that behaviors of the last `run_*` name."""
    owed: Owed | None = None
    """What a load found still to do; None once the queue has been built from it."""
    owed_depth = 0
    """Events that wait according to it."""
    cut: CutOff | None = None
    """The invocation that a crash cut off, until it has been finished."""
    last_taken: str | None = None
    """Id of the event that was taken from the queue last."""
    last_stop: tuple[str, str | None] | None = None
    measures: Measures | None = None
    """What tells the metrics backend; None where nobody would see it."""
    worked = False
    """Whether anything was dispatched or invoked since the last `runtime.*` event."""
    _indexed: Subscriptions | None = None
    """The behaviors that the queue's first item was last dispatched by, maybe by an earlier runtime."""
    _unheard = 0
    """Events in the queue that nobody would hear of: the host's internal ones, until the next `run_*` sorts them out."""

    def __init__(
        self,
        graph: Graph,
        *,
        behaviors: tuple[AnyBehavior, ...] | None,
        frame: Any,
        policy: Any,
        budget: Budget,
        seed: int,
        durability: Durability,
        options: CallOptions,
    ) -> None:
        self.graph = graph
        self.run_id = graph.run_id
        self.projection = graph._projection
        self.log = graph._log
        self.recorder = graph._recorder
        self.writer = graph._writer
        self.monotonic = monotonic_of(graph.clock)
        """Seconds for measuring durations; a clock that cannot measure stands still."""
        self.explicit = behaviors
        self.frame = frame
        id = getattr(frame, "id", None)
        if frame is not None and id is None:
            # Drawn when the graph is attached to: until then the construction may fail.
            id = copy(graph.ids).frame()
        self.frame_id: str | None = check_header("frame_id", id)
        self.policy = policy
        self.budget = budget
        self.seed = seed
        self.durability = durability
        self.step_sync = _STEP_SYNC[durability]
        """How a behavior's step is committed."""
        self.host_sync = _HOST_SYNC[durability]
        """How what returns to the host is committed."""
        self.call_sync = _CALL_SYNC[durability]
        """How requests are committed before their calls, and answers after them."""
        self.outside = Outside(options, self.log, self.run_id, graph.clock)
        self.prompt_events = PromptEvents(self.log)
        self.model_behaviors = ModelBehaviors(options, self.pack_tools)
        self.queue: deque[WorkItem] = deque()
        self.delayed = DelayedEntries()
        """Invocations that wait for their tick."""
        self.approvals = Approvals()
        self.pack_events: list[Event] = []
        """What the log says of packs, as far as a load has read it and runtimes of this graph have written it since."""
        self.unrecorded_packs: deque[tuple[Pack, bytes]] = deque()
        """Packs, and their payloads of `pack.loaded`, that wait for the first host change or `run_*`."""
        self.depths: dict[str, int] = {}
        """Causal depths that were looked up in the log."""
        previous = self.recorder.observer
        held = self.log.head + len(self.recorder.step)
        self.facts = RunFacts(self.log, held, self.frame_id)
        if isinstance(previous, Engine):
            self.facts.take_over(previous.facts)
        self.matching = Matching(self.projection)
        self._near_limits: set[str] = set()
        """Dimensions of which was said already that little is left."""
        self.published = Published()

    def attach(self) -> None:
        """Observe the graph from now on; what an earlier runtime of this graph left owed is taken over."""
        previous = self.recorder.observer
        if isinstance(previous, Engine):
            previous.closed = True
            previous.stop_measuring()
            self._take_over(previous)
        self.recorder.observer = self
        self.recorder.host_sync = self.host_sync
        self.writer.schemas = self.packs.schemas
        if self.frame is not None and getattr(self.frame, "id", None) is None:
            self.frame.id = self.graph.ids.frame()
        self.log.on_advance = self.publish
        self.use_budget(self.budget)
        with self.log.lock:
            self.publish()
        if self.explicit is None:
            watch_registry(self)

    def _take_over(self, previous: Engine) -> None:
        self.queue, self.delayed, self.approvals = previous.queue, previous.delayed, previous.approvals
        self.owed, self.cut, self.pack_events = previous.owed, previous.cut, previous.pack_events
        self.tick, self.last_taken, self.last_stop = previous.tick, previous.last_taken, previous.last_stop
        self.worked = previous.worked
        self.matching = previous.matching
        self._indexed = previous._indexed
        if previous.owned is not None:
            self.url, self.owned, previous.owned = previous.url, previous.owned, None
        self.count_waiting()

    def count_waiting(self) -> None:
        """Work out anew how many of the events that wait the behaviors of now are to see."""
        heard = self._awaited_now()
        self._unheard = sum(item.internal and item.record.type not in heard for item in self.queue)
        if self.owed is not None:
            self.owed_depth = self.owed.depth(Subscriptions(tuple(self.behaviors_now())))

    def detach(self) -> None:
        """Refuse to run from now on. What happens to the graph is still queued, for a later runtime of it."""
        self.closed = True
        self.stop_measuring()
        if self.recorder.observer is self:
            self.recorder.host_sync = None
            self.writer.schemas = None

    def use_packs(self, packs: LoadedPacks) -> None:
        """Have these packs from now on."""
        self.packs = packs
        if self.recorder.observer is self:
            self.writer.schemas = packs.schemas
            self.count_waiting()
            with self.log.lock:
                self.publish()

    def pack_tools(self) -> dict[str, Tool]:
        """The tools of its packs, by the names under which they can be found."""
        return {**self.packs.exported, **self.packs.tools}

    def stop_measuring(self) -> None:
        """Take the run's series back and measure nothing more."""
        measures, self.measures = self.measures, None
        self.budget.on_cost = None
        if measures is not None:
            measures.close()

    def use_budget(self, budget: Budget) -> None:
        """Measure by this budget from now on."""
        budget.use_clock(self.graph.clock)
        budget.on_near_limit = self._say_near_limit
        if self.measures is not None:
            self.budget.on_cost = None
            budget.on_cost = self.measures.cost_left
        with self.log.lock:
            self.budget = budget
            self.published = replace(self.published, used=tuple(budget.used.values()), cost_used=budget.cost_used)

    def _say_near_limit(self, key: str, used: float, limit: float) -> None:
        if key not in self._near_limits:
            self._near_limits.add(key)
            percent = int(min(used * 100 / limit, 10**9))
            message = "budget at %d%%: %s %.12g of %.12g"
            say(_logger, logging.WARNING, message, percent, key, used, limit, run_id=self.run_id)

    def check_callable(self, operation: str) -> None:
        """Refuse a call of the host's from inside a behavior, another thread or a transaction."""
        self.recorder.check_outside(operation)

    def check_behavior(self, behavior: AnyBehavior) -> None:
        """Refuse a behavior that is being registered, and that the next `run_*` could not use."""
        if not self.closed:
            self.model_behaviors.check_named_model(behavior)

    def check_open(self, operation: str) -> None:
        """Refuse a call of the host's that goes on beside an unfinished invocation, where the run cannot be written to."""
        if self.closed:
            raise closed_error(self.run_id, operation)
        self.recorder.check_outside(operation)
        if self.log.failure is not None:
            raise stopped(self.run_id, self.log.failure) from self.log.failure

    def check_host_call(self, operation: str) -> None:
        """Refuse a decision of the host's where it could not be a step of its own, or the runtime is closed."""
        if self.closed:
            raise closed_error(self.run_id, operation)
        self.recorder.check_outside_step(operation)

    def behaviors_now(self) -> Sequence[AnyBehavior]:
        """The behaviors that a `run_*` starting now would use."""
        own = get_registry() if self.explicit is None else self.explicit
        return [*own, *self.packs.behaviors] if self.packs.behaviors else own

    def refresh_subscriptions(self) -> Subscriptions:
        """Index the behaviors as they are now, and build the queue that a load left owed."""
        behaviors = tuple(self.behaviors_now())
        indexed = self._indexed
        subscriptions = indexed if indexed is not None and indexed.behaviors == behaviors else Subscriptions(behaviors)
        self.model_behaviors.prepare(subscriptions)
        if self.measures is not None:
            self.measures.declared_tools = self.model_behaviors.tools
        self.subscriptions = self._indexed = subscriptions
        self.awaited = subscriptions.awaited
        if indexed is not None and indexed is not subscriptions and self.queue:
            replace_turn(self.queue[0], indexed, subscriptions)
        fresh = (item for item in self.queue if not item.internal or subscriptions.for_type(item.record.type))
        if self.owed is not None:
            warn_of_absent_packs(self)
            queue = self.owed.queue(subscriptions, self.projection)
            queue.extend(fresh)
            # All at once, since an interrupt in between would leave the run owing nothing.
            entries = self.owed.entries(subscriptions, self.projection)
            self.queue, self.delayed, self.owed, self.owed_depth = queue, entries, None, 0
        else:
            self.queue = deque(fresh)
        self._unheard = 0
        return subscriptions

    def queue_depth(self) -> int:
        """Events that wait for dispatch; one that is partly dispatched counts."""
        return len(self.queue) - self._unheard + self.owed_depth

    def before_host_change(self) -> None:
        """Refuse changes while an invocation waits to be finished against its prefix."""
        if self.closed:
            if self.log.is_closed:
                raise closed_error(self.run_id, "a change of the graph")
            return
        if self.cut is not None and not self.running:
            raise unfinished_error(self.run_id, self.cut)
        if self.unrecorded_packs:
            record_packs(self)

    def recorded(self, event: EventRecord) -> None:
        """Queue a live event if somebody is to see it."""
        type = event.type
        if not is_internal(type):
            self.tick = tick = self.tick + 1
            self._push(WorkItem(event, tick, self._depth_of(event)))
            if type == "goal.created":
                self.facts.saw_goal(event)
        elif type in SUBSCRIBABLE:
            if not self.running:
                # Behaviors may be declared until the next `run_*`, so it is kept, and counts if it would be heard now.
                self._unheard += type not in self._awaited_now()
            if not self.running or self._is_awaited(type):
                about = about_behavior(event.payload)
                self._push(WorkItem(event, self.tick, self._depth_of(event), about, internal=True))
            if type in APPROVAL_TYPES:
                self.approvals.take(event, event.payload)

    def _awaited_now(self) -> frozenset[str]:
        return SUBSCRIBABLE.intersection(type for behavior in self.behaviors_now() for type in behavior.on)

    def _push(self, item: WorkItem) -> None:
        self.queue.append(item)
        if self.measures is not None:
            self.measures.queued(self.queue_depth())
        if self.recorder.informing and _logger.isEnabledFor(logging.DEBUG):
            self.log_queue("push", item)

    def log_queue(self, what: str, item: WorkItem) -> None:
        """The DEBUG line of an event that was queued or taken."""
        message, fields = "queue %s: %s depth=%d", {"run_id": self.run_id, "event_id": item.record.id}
        say(_logger, logging.DEBUG, message, what, item.record.type, self.queue_depth(), **fields)

    def _is_awaited(self, type: str) -> bool:
        """Whether a behavior names this internal type; two handlers of each other's outcomes must not feed themselves."""
        if type not in self.awaited:
            return False
        return not (type.startswith("behavior.") and self.trigger is not None and is_internal(self.trigger.type))

    def committed(self, events: Sequence[EventRecord]) -> None:
        """Measure what is in the log now, and record the goal that a `goal.created` among it has brought."""
        if self.measures is not None:
            self.measures.committed(events)
        if self.facts.has_unrecorded_goal:
            self.facts.record_goal()

    def attaching(self, store: LogStore) -> None:
        """Record the run in a store that is being put under its log."""
        self.facts.record_in(store)

    def commit_failed(self, error: BaseException) -> None:
        """The log is closed; `status()` says stopped from now on."""
        from activegraph.runtime.failures import log_commit_failure

        log_commit_failure(self.run_id, error)

    def publish(self) -> None:
        """Make the present state the one that `status()` shows; called under the log's lock."""
        budget = self.budget
        used = tuple(budget.used.values())
        self.published = Published(self.log.head, self.queue_depth(), used, budget.cost_used, self.last_stop)

    def _depth_of(self, event: EventRecord) -> int | None:
        cause, trigger = event.caused_by, self.trigger
        if cause is None:
            return 0
        if trigger is not None and trigger.id == cause and self.trigger_depth is not None:
            return self.trigger_depth + 1
        return None
