"""Drives a re-execution along its log: the host's events are fed, and between them the loop works.

Where the recorded run had stopped before the host came in (at a budget, a predicate, a crash, or to
tell a listener), this one stops behind the same mark, and goes on with what is owed there, as a
loaded run would.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from copy import copy
from typing import Any

from msgspec import Struct

from activegraph.behaviors.base import AnyBehavior
from activegraph.core.changes import Stamp
from activegraph.core.codec import decode_canonical, encode_payload_bytes
from activegraph.core.graph import Graph
from activegraph.core.ids import IDGen
from activegraph.core.log_lines import silence
from activegraph.core.record import RecordAsRead
from activegraph.errors import ApprovalNotFoundError, PackSchemaViolation
from activegraph.runtime.approvals import approve, deny
from activegraph.runtime.budget import Budget
from activegraph.runtime.engine import Engine
from activegraph.runtime.log_rows import row_of
from activegraph.runtime.outside import CallOptions
from activegraph.runtime.owed import Owed
from activegraph.runtime.scanner import LogScanner
from activegraph.runtime.subscriptions import Subscriptions
from activegraph.runtime.turns import dispatch
from activegraph.runtime.verification.comparing import Difference
from activegraph.runtime.verification.meeting import Halt, Meeting, RecordedClock
from activegraph.runtime.verification.packs import attach_recorded_pack
from activegraph.runtime.verification.recorded import Recorded, RecordedRun
from activegraph.runtime.verification.recorder import MeetingRecorder
from activegraph.runtime.verification.served import RecordedModels, RecordedOutside

__all__ = ["Declared", "Verification"]


class Declared(Struct, frozen=True):
    """What a run is executed with, that is not in its log."""

    behaviors: tuple[AnyBehavior, ...] | None = None
    """Instead of the process-wide registry."""
    frame: Any = None
    policy: Any = None
    seed: int = 0
    options: CallOptions = CallOptions()
    packs: Any = None
    """Packs, or pairs of a pack and its settings."""


class Verification:
    """One re-execution.

    Args:
        recorded: The log to follow, at its front.
        latest_loads: Ids of the `pack.loaded` where the settings that were passed are held against the record.
    """

    def __init__(
        self,
        recorded: RecordedRun,
        run_id: str,
        declared: Declared,
        *,
        setup_count: int,
        forked_at: str | None,
        latest_loads: frozenset[str] = frozenset(),
    ) -> None:
        clock, ids = RecordedClock(), IDGen()
        graph = Graph(ids, clock, run_id)  # type: ignore[arg-type]  # a clock of its own
        self._ids = ids
        self._recorded = recorded
        self._meeting = clock.meeting = Meeting(recorded, ids)
        self._owes = LogScanner(setup_count=setup_count, forked_at=forked_at, projection=graph._projection)
        self._recorder = MeetingRecorder(run_id, graph._projection, graph._log, self._meeting, self._owes)
        graph._recorder = self._recorder
        self._graph = graph
        self._declared = declared
        self._latest_loads = latest_loads
        self._setup_count = setup_count
        self._engine: Engine | None = None
        self._is_queue_old = False
        """Whether the queue is to be built anew of what is owed, since the loop was stopped in the middle of it."""

    @property
    def pack_behaviors(self) -> set[str]:
        """Names of the behaviors that packs brought."""
        return set() if self._engine is None else {behavior.name for behavior in self._engine.packs.behaviors}

    @property
    def failure(self) -> bytes | None:
        """Payload of the failure before the difference that the record does not have."""
        return self._meeting.failure

    def difference(self) -> Difference | None:
        """Execute the run, and say where it first leaves its log; None if it does not."""
        with silence(), suppress(Halt):
            self._follow()
        return self._meeting.difference

    def _follow(self) -> None:
        recorded, meeting = self._recorded, self._meeting
        while (found := recorded.peek()) is not None and found.row.position <= self._setup_count:
            self._take_over(found)
        self._engine = self._started()
        while not meeting.has_ended and meeting.difference is None and (found := recorded.peek()) is not None:
            if found.kind == "input":
                self._feed(self._engine, found)
            elif found.kind == "stop":
                if found.is_idle:
                    self._work(self._engine)
                if meeting.difference is None:
                    self._take_over(found)
            elif found.kind == "note":
                recorded.take()
            else:
                self._work(self._engine)

    def _started(self) -> Engine:
        declared = self._declared
        engine = Engine(
            self._graph,
            behaviors=declared.behaviors,
            frame=declared.frame,
            policy=declared.policy,
            budget=Budget(),
            seed=declared.seed,
            durability="os",
            options=declared.options,
        )
        engine.outside = RecordedOutside(declared.options, engine.log, engine.run_id, self._meeting)
        engine.model_behaviors = RecordedModels(declared.options, engine.pack_tools, self._meeting)
        engine.attach()
        return engine

    def _feed(self, engine: Engine, found: Recorded) -> None:
        """What the host did: packs are loaded and decisions made again, everything else is taken as it is recorded."""
        if found.row.actor == "runtime":
            if found.row.type == "pack.loaded":
                self._load_pack(engine, found)
                return
            if found.row.type in ("approval.granted", "approval.denied") and self._decide(engine, found):
                return
        self._take_over(found)

    def _load_pack(self, engine: Engine, found: Recorded) -> None:
        attachment = attach_recorded_pack(
            engine,
            found.event().payload,
            found.row.id,
            self._declared.packs,
            is_latest=found.row.id in self._latest_loads,
        )
        payload = encode_payload_bytes(attachment.payload())
        with self._as_host(found):
            event = engine.writer.event("pack.loaded", payload, Stamp("runtime", None, engine.frame_id))
            self._recorder.record(event)
            self._recorder.commit_step(None)

    @contextmanager
    def _as_host(self, found: Recorded) -> Iterator[None]:
        # An id that the host had drawn before is free yet, and is the one of an event that it emitted later.
        self._ids.skip_to_event_id(found.row.id)
        self._meeting.is_host = True
        try:
            yield
        finally:
            self._meeting.is_host = False

    def _decide(self, engine: Engine, found: Recorded) -> bool:
        """Grant or deny again; False for a decision that is only on record, as where a fork cut its object away."""
        payload = found.event().payload
        approval_id = str(payload.get("approval_id"))
        try:
            engine.approvals.find(approval_id)
        except ApprovalNotFoundError:
            return False
        if found.row.type == "approval.granted":
            made = self._recorded.peek(1)
            if made is None or made.row.type != "object.created" or made.row.caused_by != found.row.id:
                return False
        try:
            with self._as_host(found):
                if found.row.type == "approval.granted":
                    approve(engine, approval_id, payload.get("approved_by"))
                else:
                    deny(engine, approval_id, payload.get("denied_by"), str(payload.get("reason", "")))
        except PackSchemaViolation as error:
            self._meeting.refused(found, "approve", error)
        return True

    def _take_over(self, found: Recorded) -> None:
        """Put a recorded event into the re-execution's own log, under an id that is free there."""
        row, meeting = found.row, self._meeting
        id = self._free_id(row.id)
        payload = found.payload
        if found.kind == "stop" and id != row.id:
            payload = encode_payload_bytes(_renamed(decode_canonical(payload), meeting))
        record = RecordAsRead(
            id, row.type, payload, row.actor, row.frame_id, meeting.present_id(row.caused_by), row.timestamp
        )
        event = record.event()
        self._ids.reseed_from_events((event,))
        meeting.feed(found, id)
        if self._engine is not None:
            self._engine.approvals.see(row_of(row.position, event))
        self._recorder.take_over(record)

    def _free_id(self, recorded_id: str) -> str:
        """The recorded id, unless marks more than the record has have used it up."""
        if copy(self._ids).event() == recorded_id or not self._graph._log.contains(recorded_id):
            return recorded_id
        return self._ids.event()

    def _work(self, engine: Engine) -> None:
        """Let the loop work until nothing is queued, or until it has come as far as the recorded one had."""
        subscriptions = self._prepared(engine)
        engine.running = True
        self._recorder.take_stack("replay")
        try:
            self._dispatch_all(engine, subscriptions)
        except Halt:
            self._halted(engine)
        finally:
            self._recorder.leave_stack()
            engine.running = False
        meeting, recorded = self._meeting, self._recorded
        if meeting.has_ended or meeting.difference is not None or self._is_queue_old:
            return
        # Marks that are left are of behaviors that did nothing in the record, and do not run now.
        while (found := recorded.peek()) is not None and found.kind in ("mark", "effect", "note"):
            if found.is_compared:
                meeting.finished_early(found)
                return
            recorded.take()

    def _prepared(self, engine: Engine) -> Subscriptions:
        if self._is_queue_old:
            self._is_queue_old = False
            engine.queue.clear()
            engine.owed = Owed(self._owes)
        return engine.refresh_subscriptions()

    def _dispatch_all(self, engine: Engine, subscriptions: Subscriptions) -> None:
        queue = engine.queue
        while queue:
            queue[0].taken = True
            dispatch(engine, subscriptions, queue[0])
            if self._recorder.step:
                self._recorder.commit_step(None)
            queue.popleft()

    def _halted(self, engine: Engine) -> None:
        """Keep what was met, and forget where the loop stood: what is owed says how to go on."""
        self._meeting.resume()
        self._recorder.commit_step(None)
        self._is_queue_old = True


def _renamed(value: Any, meeting: Meeting) -> Any:
    """A stop's payload with the ids that the events have now."""
    if isinstance(value, dict):
        return {key: _renamed(item, meeting) for key, item in value.items()}
    return meeting.present_id(value) if isinstance(value, str) else value
