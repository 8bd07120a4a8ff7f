"""One invocation of one behavior: the step that it writes, from its start mark to its outcome."""

from __future__ import annotations

import logging
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from activegraph.core.changes import Stamp
from activegraph.core.codec import encode_payload_bytes
from activegraph.core.elements import relation_handle
from activegraph.core.event import Event, raw_payload
from activegraph.core.log_lines import say, wants_lines
from activegraph.core.record import EventRecord
from activegraph.core.state import ObjectState, RelationState
from activegraph.core.view import View
from activegraph.core.view_builder import build_view
from activegraph.errors import ReplayDivergenceError
from activegraph.runtime.approvals import APPROVAL_TYPES
from activegraph.runtime.compare import require_same
from activegraph.runtime.facades import BehaviorGraph, Context
from activegraph.runtime.failures import failure_payload, log_behavior_failure, log_divergence
from activegraph.runtime.marks import completed, matched, quoted, started
from activegraph.runtime.matching import touched_element
from activegraph.runtime.points import CutOff
from activegraph.runtime.subscriptions import Subscriber

if TYPE_CHECKING:
    from activegraph.patterns.view import MatchView
    from activegraph.runtime.engine import Engine

__all__ = ["Invocation"]

_logger = logging.getLogger("activegraph.runtime")


class Invocation:
    """The record behind a behavior's `graph` and `ctx`.

    Where a crash cut this invocation off, `prefix` holds what it had recorded: what is emitted
    is then compared with the prefix instead of written, and goes on live when it is used up.
    """

    is_running = True
    matches: MatchView | None = None
    tool_calls: int | None = None
    """Calls of tools; None for a behavior that asks no model."""
    llm_provider: Any = None

    def __init__(
        self,
        engine: Engine,
        subscriber: Subscriber,
        trigger: Event,
        relation: RelationState | None,
        cut: CutOff | None,
        announces_matches: bool,
    ) -> None:
        name, trigger_id, frame_id = subscriber.name, trigger.id, engine.frame_id
        self.engine = engine
        self.subscriber = subscriber
        self.name = name
        self.trigger = trigger
        self.relation = None if relation is None else relation_handle(relation)
        self.writer = engine.writer
        self.stamp = Stamp(name, trigger_id, frame_id)
        self._mark_stamp = Stamp("runtime", trigger_id, frame_id)
        self.prefix = cut.prefix if cut is not None else None
        self.take = engine.recorder.record if not self.prefix else self._meet_or_record
        self._trigger_id = quoted(trigger_id)
        self._announces_matches = announces_matches
        self._sequence = engine.projection.sequence
        self._head = engine.log.head if cut is None else cut.started_at - 1
        self._unlogged = tuple(engine.recorder.step)
        self._removals: list[ObjectState | RelationState] = []
        self.objects_created = self.relations_created = self.events_emitted = 0
        self.patches_applied = self.patches_proposed = 0
        self.patches_by_hand = 0
        """Of the events that it emitted, those that apply a patch."""

    def execute(self) -> None:
        """Run the behavior inside its marks; an exception of its becomes `behavior.failed`.

        Raises:
            BaseException: What is no `Exception` of the behavior's leaves as it is, and so does what
                stopped the run meanwhile: a divergence from the prefix, a commit that failed.
        """
        engine, subscriber, relation = self.engine, self.subscriber, self.relation
        informing = engine.recorder.informing = wants_lines()
        measures = engine.measures
        began = engine.monotonic() if informing or measures is not None else 0.0
        if subscriber.matcher is not None:
            self._match()
        type = "behavior.started" if relation is None else "relation_behavior.started"
        is_news = not self.prefix
        self._mark(type, started(subscriber, self.trigger, self._trigger_id, relation))
        if measures is not None and is_news:
            measures.begins(self.name)
        if informing and is_news:
            say(_logger, logging.INFO, "behavior invoked: %s", self.name, **self.log_fields())
        graph, context = BehaviorGraph(self), Context(self)
        engine.projection.removals = self._removals
        engine.recorder.in_body = True
        try:
            self._call(graph, context)
        except Exception as error:
            self._fail(error)
        else:
            self._complete()
            if informing:
                fields = {**self.log_fields(), "latency_seconds": engine.monotonic() - began}
                say(_logger, logging.INFO, "behavior completed: %s", self.name, **fields)
        finally:
            engine.recorder.in_body = False
            engine.projection.removals = None
            self.is_running = False
            graph._invocation = None
        if measures is not None:
            measures.finished(self.name, engine.monotonic() - began)

    def _call(self, graph: BehaviorGraph, context: Context) -> None:
        behavior, relation = self.subscriber.behavior, self.relation
        if relation is None:
            behavior.run(self.trigger, graph, context)  # type: ignore[call-arg]
        else:
            behavior.run(relation, self.trigger, graph, context)  # type: ignore[call-arg, arg-type]

    def build_view(self) -> View:
        """The view that the behavior's spec asks for, as of the call."""
        return build_view(
            self.subscriber.behavior.view_spec,
            projection=self.engine.projection,
            log=self.engine.log,
            trigger=self.trigger,
            sequence=self._sequence,
            head=self._head,
            unlogged=self._unlogged,
            removals=self._removals,
            reporter=self._report_view,
        )

    def seed(self) -> int:
        """Seed of `ctx.random`: a function of the run's seed and this invocation's place in the log."""
        parts = (
            str(self.engine.seed),
            self.trigger.id,
            self.name,
            str(self.subscriber.ordinal or 0),
            "" if self.relation is None else self.relation.id,
        )
        return int.from_bytes(sha256(quoted(parts)).digest(), "big")

    def new_matches(self) -> list[Any]:
        """Those of the matches that bind the object or relation that the trigger touched."""
        touched = touched_element(self.trigger)
        return [] if touched is None or self.matches is None else self.matches.touching(touched)

    def log_fields(self) -> dict[str, Any]:
        """What every log line about this invocation says."""
        return {"run_id": self.engine.run_id, "event_id": self.trigger.id, "behavior": self.name}

    def _match(self) -> None:
        """Take the pattern's matches as of the call; the first invocation of a turn says how many there are."""
        matches = self.matches = self.engine.matching.matches(self.subscriber)
        if self.prefix:
            self._announces_matches = self.prefix[0].type == "pattern.matched"
        if self._announces_matches:
            found = self._mark("pattern.matched", matched(self.subscriber, self._trigger_id, len(matches)))
            self._unlogged += (found,)

    def _complete(self) -> None:
        self._require_sound()
        counts = (
            self.objects_created,
            self.relations_created,
            self.patches_applied,
            self.patches_proposed,
            self.events_emitted,
        )
        self._mark(
            "behavior.completed", completed(self.subscriber, self._trigger_id, self.relation, counts, self.tool_calls)
        )

    def _fail(self, error: Exception) -> None:
        self._require_sound()
        payload = failure_payload(error, self.name, self.trigger.id)
        if self.relation is not None:
            payload["relation_id"] = self.relation.id
        if self.subscriber.ordinal is not None:
            payload["ordinal"] = self.subscriber.ordinal
        payload = {**self._reason_of(error), **payload}
        self._mark("behavior.failed", encode_payload_bytes(payload))
        log_behavior_failure(payload, self.log_fields(), error)

    def _reason_of(self, error: Exception) -> dict[str, Any]:
        """What a failure says beyond its class: nothing, where no model was asked."""
        return {}

    def _mark(self, type: str, payload: bytes) -> EventRecord:
        """Record an event of the runtime's own; most have no effect but to stand in the log."""
        event = self.writer.event(type, payload, self._mark_stamp)
        if self.prefix:
            self._meet_or_record(event)
        else:
            engine = self.engine
            engine.recorder.record_mark(event)
            if type in engine.awaited:
                engine.recorded(event)
        return event

    def _meet_or_record(self, made: EventRecord) -> None:
        self._require_sound()
        if not self.prefix:
            self.engine.recorder.record(made)
            return
        recorded = self.prefix.popleft()
        try:
            require_same(recorded, made.event())
            self.engine.projection.apply(recorded.type, raw_payload(recorded))
            if recorded.type in APPROVAL_TYPES:
                self.engine.approvals.take(recorded, raw_payload(recorded))
            if self.engine.measures is not None:
                self.engine.measures.met(recorded)
        except BaseException as error:
            self._stop(error)
            raise

    def _stop(self, error: BaseException) -> None:
        """Stop the run for what was found out in the middle of a prefix."""
        self.engine.recorder.stop(error)
        if isinstance(error, ReplayDivergenceError):
            error.how_to_fix = self._way_on(error)
            log_divergence(self.engine.run_id, error)
            if self.engine.measures is not None:
                self.engine.measures.diverged(error.kind)

    def _way_on(self, error: ReplayDivergenceError) -> str:
        """Where to look, and that a fork before the invocation began leaves what it recorded behind."""
        ways = [line for line in error.how_to_fix.splitlines() if "activegraph inspect" in line]
        ways.append(
            f"Correct the code of {self.name!r}, so that it does what it has recorded; then load the run and go on."
        )
        before = self.engine.log.position(self._head)
        if before is not None:
            ways.append(f"Or, if the change is meant, fork before it began, where {self.name!r} is owed anew:")
            ways.append(f"    runtime.fork({before.id!r})")
        return "\n".join(ways)

    def _require_sound(self) -> None:
        """Raise what has stopped the run meanwhile, whatever the behavior made of it."""
        failure = self.engine.log.failure
        if failure is not None:
            raise failure

    def _report_view(self, objects: int, relations: int, seconds: float) -> None:
        fields = {**self.log_fields(), "latency_seconds": seconds}
        say(_logger, logging.DEBUG, "view built: %d objects, %d relations", objects, relations, **fields)
