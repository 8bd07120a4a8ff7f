"""The one way in: every event of a run passes `Recorder.record`.

Outside a step an event is committed, then applied; inside one (a behavior's invocation, a
transaction of the host) it is applied at once, so that the step reads its own writes, and the
whole step is committed together. Listeners hear of events after the commit that holds them.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from threading import Lock, get_ident
from typing import Protocol

from activegraph.core import refusals
from activegraph.core.event import Event
from activegraph.core.log import LogStore, RunLog
from activegraph.core.log_lines import error_fields, log_emitted, name_of, say, wants_lines
from activegraph.core.projection import GRAPH_TYPES, MalformedGraphEvent, Projection
from activegraph.core.record import EventBatch, EventRecord
from activegraph.errors import DuplicateEventError, InvalidArgumentType, NonSerializableEventError

__all__ = ["Listener", "Recorder", "RunObserver"]

Listener = Callable[[Event], object]

_logger = logging.getLogger("activegraph.runtime")
_observability = logging.getLogger("activegraph.observability")


class RunObserver(Protocol):
    """What a runtime learns from the recorder of its graph."""

    def before_host_change(self) -> None:
        """A change from outside is about to be made; raise to refuse it."""

    def recorded(self, event: EventRecord) -> None:
        """A live event is in the projection: queue it if it is to be dispatched."""

    def committed(self, events: Sequence[EventRecord]) -> None:
        """These events, recorded before, are in the log now."""

    def commit_failed(self, error: BaseException) -> None:
        """The log is stopped: memory is ahead of it."""

    def attaching(self, store: LogStore) -> None:
        """The log is written to `store` from now on: write down what else belongs there."""


class Recorder:
    """Applies, buffers and commits the events of one graph; knows who may write now."""

    def __init__(self, run_id: str, projection: Projection, log: RunLog) -> None:
        self.run_id = run_id
        self.projection = projection
        self.log = log
        self.step: list[EventRecord] = []
        """Events of the open step: in the projection, not yet in the log."""
        self.observer: RunObserver | None = None
        self.host_sync: bool | None = None
        """How a host change is committed; the runtime's durability decides."""
        self.runner: int | None = None
        """Thread that has a `run_*` on its stack."""
        self.informing = False
        """Whether each event gets a line, as of the last look at the level; there is one look a step."""
        self.in_body = False
        """Whether foreign code of a behavior or tool is running, which writes through its own graph."""
        self.transactions = 0
        self._listeners: list[Listener] = []
        self._failed_listeners: set[int] = set()
        self._unheard: deque[Event] = deque()
        self._indexed_step: list[EventRecord] = self.step
        self._step_ids: set[str] = set()
        self._indexed = 0
        """How many events of the step the set of their ids covers; it is filled when somebody asks."""
        self._notifying = False
        self._stack_lock = Lock()

    def record(self, event: EventRecord) -> None:
        """Take in an event of the open step: visible inside the process at once."""
        try:
            self.projection.apply(event.type, event.payload)
            self.step.append(event)
            if self.informing:
                log_emitted(event, self.run_id, in_body=self.in_body)
            if self.observer is not None:
                self.observer.recorded(event)
        except BaseException as error:
            # Known to project, so this is an interrupt or the end of the stack: nobody knows how far it came.
            self.stop(error)
            raise

    def record_mark(self, event: EventRecord) -> None:
        """Take in an event of the runtime's own that changes no graph and is queued by nobody else."""
        self.step.append(event)
        if self.informing:
            log_emitted(event, self.run_id)

    def record_from_host(self, event: EventRecord) -> None:
        """Take in a change from outside, of which is known that it projects: durable and visible when this returns.

        Inside a transaction it joins the open step instead.
        """
        if self.transactions:
            self.record(event)
            return
        self.informing = wants_lines()
        try:
            self._write((event,), self.host_sync)
            self.projection.apply(event.type, event.payload)
            if self.informing:
                log_emitted(event, self.run_id)
            if self.observer is not None:
                self.observer.recorded(event)
            self.log.advance((event,))
        except (DuplicateEventError, NonSerializableEventError):
            raise
        except BaseException as error:
            self.stop(error)
            raise
        if self.observer is not None:
            self.observer.committed((event,))
        if self._listeners:
            self._tell_listeners((event,))

    def commit_step(self, sync: bool | None, *, is_last: bool = True) -> None:
        """Commit the open step as a whole and tell those who listen.

        Args:
            is_last: Whether the step ends here; else listeners hear of it with what is still to come.
        """
        events = self.step
        if not events and not sync:
            return
        try:
            self._write(events, sync)
            self.log.advance(events)
            self.step = []
        except BaseException as error:
            # Memory is ahead of the log then, even where the store only refused.
            self.stop(error)
            raise
        if self.observer is not None:
            self.observer.committed(events)
        if self._listeners:
            self._tell_listeners(events, later=not is_last)

    def stop(self, error: BaseException) -> None:
        """Refuse all further work because of `error`: memory and log may differ. The open step is given up."""
        self.step = []
        if self.log.failure is None:
            self.log.failure = error

    def _write(self, events: Sequence[EventRecord], sync: bool | None) -> None:
        was_stopped = self.log.failure is not None
        try:
            self.log.write(events, sync=sync)
        except BaseException as error:
            stops = self.log.failure is not None or events is self.step
            if stops and not was_stopped and self.observer is not None:
                self.observer.commit_failed(error)
            raise

    def take_stack(self, operation: str) -> None:
        """Make this thread the one that runs: nobody else writes until `leave_stack`.

        Raises:
            IncompatibleRuntimeState: A `run_*` is on a stack already, or a transaction is open.
        """
        with self._stack_lock:
            if self.runner is not None:
                raise refusals.working(self.run_id, operation)
            if self.transactions:
                raise refusals.in_transaction(self.run_id, operation)
            self.runner = get_ident()
        self.informing = wants_lines()

    def leave_stack(self) -> None:
        """The `run_*` of this thread has ended."""
        self.runner = None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Collect host changes into one step; what was emitted is committed even if the block raises."""
        if self.transactions == 0:
            # A runtime may have something to emit first, of which listeners hear: so not under the lock.
            self.check_writable("transaction")
        with self._stack_lock:
            if self.transactions == 0:
                self.check_writable("transaction")
                self.informing = wants_lines()
            self.transactions += 1
        try:
            yield
        finally:
            self.transactions -= 1
            if self.transactions == 0:
                self.commit_step(self.host_sync)

    def check_writable(self, operation: str) -> None:
        """Refuse a change by the host where it could not be one history.

        Raises:
            IncompatibleRuntimeState: A behavior or another thread is running, or the log is closed.
        """
        self._check_writer(operation)
        if self.log.failure is not None:
            raise refusals.stopped(self.run_id, self.log.failure) from self.log.failure
        if self.observer is not None and not self.transactions:
            self.observer.before_host_change()

    def check_outside_step(self, operation: str) -> None:
        """Refuse a host call that is a step of its own inside a transaction, and where a change is refused."""
        if self.transactions:
            raise refusals.in_transaction(self.run_id, operation)
        self.check_writable(operation)
        self.informing = wants_lines()

    def check_outside(self, operation: str) -> None:
        """Refuse what neither a behavior nor a transaction may do: fork, save, close, load packs."""
        self._check_writer(operation)
        if self.transactions or self.runner is not None:
            raise refusals.in_open_step(self.run_id, operation)

    def _check_writer(self, operation: str) -> None:
        if self.in_body:
            raise refusals.from_behavior(self.run_id, operation)
        if self.runner is not None and self.runner != get_ident():
            raise refusals.from_other_thread(self.run_id, operation)

    def check_new_id(self, event_id: str) -> None:
        """Raise `DuplicateEventError` if the run, or its open step, holds this id."""
        if self._is_in_step(event_id) or self.log.contains(event_id):
            raise DuplicateEventError(
                f"event {event_id!r} exists already in run {self.run_id!r}",
                what_failed=f"Emitting an event with the id {event_id!r}. Nothing was changed.",
                why="An event id names one event of a run for ever; causes and forks refer to it.",
                how_to_fix="Leave the id to the graph (`graph.ids.event()`), or choose one that the run does not hold.",
                context={"event_id": event_id, "run_id": self.run_id},
            )

    def _is_in_step(self, event_id: str) -> bool:
        if self._indexed_step is not self.step:
            self._indexed_step, self._step_ids, self._indexed = self.step, set(), 0
        if self._indexed < len(self.step):
            self._step_ids.update(event.id for event in islice(self.step, self._indexed, None))
            self._indexed = len(self.step)
        return event_id in self._step_ids

    def add_listener(self, listener: Listener) -> None:
        """Call `listener` with every live event, after its commit."""
        self._listeners.append(listener)

    def remove_listener(self, listener: Listener) -> bool:
        """Stop calling `listener`; whether it was there."""
        if listener not in self._listeners:
            return False
        self._listeners.remove(listener)
        self._failed_listeners.discard(id(listener))
        return True

    def _tell_listeners(self, events: Sequence[EventRecord], *, later: bool = False) -> None:
        self._unheard.extend(EventBatch(events))
        if self._notifying or later:
            return
        self._notifying = True
        try:
            while self._unheard:
                event = self._unheard.popleft()
                for listener in list(self._listeners):
                    self._tell(listener, event)
        finally:
            self._notifying = False

    def _tell(self, listener: Listener, event: Event) -> None:
        try:
            listener(event)
        except Exception as error:
            if self.log.failure is error:
                raise
            if id(listener) in self._failed_listeners:
                return
            self._failed_listeners.add(id(listener))
            fields = {"run_id": self.run_id, "event_id": event.id, **error_fields(error)}
            say(_observability, logging.WARNING, "listener failed: %s", name_of(listener), **fields)


def check_projects(event: EventRecord) -> None:
    """Refuse a graph event that the projection could not apply, before it reaches the log."""
    check_graph_payload(event.type, event.payload, event.id)


def check_graph_payload(type: str, payload: bytes, event_id: str | None = None) -> None:
    """Refuse the payload of a graph event that the projection could not apply.

    Raises:
        InvalidArgumentType: It lacks what the projection reads.
    """
    if type not in GRAPH_TYPES:
        return
    try:
        Projection().apply(type, payload)
    except MalformedGraphEvent as error:
        named = "an event" if event_id is None else f"event {event_id!r}"
        raise InvalidArgumentType(
            f"{named} of type {type!r} lacks what the graph reads: {error}",
            what_failed=f"Emitting a hand-built {type!r} event. Nothing was changed.",
            why="The graph is a function of the log, so an event that changes it has to say how.",
            how_to_fix="Use the graph's own calls (`add_object`, `add_relation`, `patch_object`, `remove_object` ...), "
            "or give the payload the fields that they write.",
            context={"event_id": event_id, "type": type},
        ) from error
