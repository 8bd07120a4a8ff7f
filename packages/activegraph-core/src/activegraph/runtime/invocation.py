"""One invocation of one behavior: the step that it writes, from its start mark to its outcome."""

from __future__ import annotations

import logging
import traceback
from hashlib import sha256
from types import TracebackType
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from activegraph.core.changes import Stamp
from activegraph.core.codec import encode_payload_bytes, encode_plain
from activegraph.core.elements import relation_handle
from activegraph.core.event import Event, raw_payload
from activegraph.core.state import ObjectState, RelationState
from activegraph.core.view import View
from activegraph.errors import DOCS_BASE_URL, ReplayDivergenceError
from activegraph.runtime.approvals import APPROVAL_TYPES
from activegraph.runtime.compare import require_same
from activegraph.runtime.facades import BehaviorGraph, Context
from activegraph.runtime.failures import log_divergence
from activegraph.runtime.matching import touched_element
from activegraph.runtime.scanner import CutOff
from activegraph.runtime.subscriptions import Subscriber
from activegraph.runtime.view_builder import build_view

if TYPE_CHECKING:
    from activegraph.patterns.view import MatchView
    from activegraph.runtime.engine import Engine

__all__ = ["Invocation"]

_logger = logging.getLogger("activegraph.runtime")
_quote = msgspec.json.Encoder().encode


class Invocation:
    """The record behind a behavior's `graph` and `ctx`.

    Where a crash cut this invocation off, `prefix` holds what it had recorded: what is emitted
    is then compared with the prefix instead of written, and goes on live when it is used up.
    """

    def __init__(
        self,
        engine: Engine,
        subscriber: Subscriber,
        trigger: Event,
        relation: RelationState | None,
        *,
        announces_matches: bool,
        cut: CutOff | None,
    ) -> None:
        self.engine = engine
        self.subscriber = subscriber
        self.name = subscriber.name
        self.trigger = trigger
        self.relation = None if relation is None else relation_handle(relation)
        self.writer = engine.writer
        self.stamp = Stamp(subscriber.name, trigger.id, engine.frame_id)
        self.prefix = cut.prefix if cut is not None else None
        self.take = engine.recorder.record if not self.prefix else self._meet_or_record
        self.objects_created = 0
        self.relations_created = 0
        self.patches_applied = 0
        self.patches_proposed = 0
        self.events_emitted = 0
        self.is_running = True
        self.matches: MatchView | None = None
        self._announces_matches = announces_matches
        self._sequence = engine.projection.sequence
        self._head = engine.log.head if cut is None else cut.started_at - 1
        self._unlogged: tuple[Event, ...] = tuple(engine.recorder.step)
        self._removals: list[ObjectState | RelationState] = []

    def execute(self) -> None:
        """Run the behavior inside its marks; an exception of its becomes `behavior.failed`.

        Raises:
            ReplayDivergenceError: It did something else than its recorded prefix says.
            BaseException: What is no `Exception` leaves as it is, and nothing is written.
        """
        engine = self.engine
        informing = _logger.isEnabledFor(logging.INFO)
        began = engine.monotonic() if informing else 0.0
        if self.subscriber.matcher is not None:
            self._match()
        self._mark(self._started_type(), self._started())
        if informing and not self.prefix:
            _logger.info("behavior invoked: %s", self.name, extra=self._log_fields())
        graph, context = BehaviorGraph(self), Context(self)
        engine.projection.removals = self._removals
        engine.recorder.in_body = True
        try:
            if self.relation is None:
                self.subscriber.behavior.run(self.trigger, graph, context)  # type: ignore[call-arg]
            else:
                self.subscriber.behavior.run(self.relation, self.trigger, graph, context)  # type: ignore[call-arg, arg-type]
        except Exception as error:
            self._require_sound()
            self._fail(error)
        else:
            self._require_sound()
            self._mark("behavior.completed", self._completed())
            if informing:
                seconds = engine.monotonic() - began
                _logger.info(
                    "behavior completed: %s", self.name, extra={**self._log_fields(), "latency_seconds": seconds}
                )
        finally:
            engine.recorder.in_body = False
            engine.projection.removals = None
            self.is_running = False
            graph._invocation = None

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
        return int.from_bytes(sha256(_quote(parts)).digest(), "big")

    def new_matches(self) -> list[Any]:
        """Those of the matches that bind the object or relation that the trigger touched."""
        touched = touched_element(self.trigger)
        return [] if touched is None or self.matches is None else self.matches.touching(touched)

    def _match(self) -> None:
        """Take the pattern's matches as of the call; the first invocation of a turn says how many there are."""
        matches = self.matches = self.engine.matching.matches(self.subscriber)
        if self.prefix:
            self._announces_matches = self.prefix[0].type == "pattern.matched"
        if not self._announces_matches:
            return
        payload = b'{"behavior":%b,"event_id":%b,"matches_count":%d,"pattern":%b%b}' % (
            self.subscriber.quoted_name,
            _quote(self.trigger.id),
            len(matches),
            encode_plain(self.subscriber.pattern),
            self._ordinal(),
        )
        matched = self.writer.event("pattern.matched", payload, self._runtime_stamp())
        self.take(matched)
        self._unlogged += (matched,)

    def _meet_or_record(self, event: Event) -> None:
        self._require_sound()
        if not self.prefix:
            self.engine.recorder.record(event)
            return
        recorded = self.prefix.popleft()
        try:
            require_same(recorded, event)
            self.engine.projection.apply(recorded.type, raw_payload(recorded))
            if recorded.type in APPROVAL_TYPES:
                self.engine.approvals.take(recorded, raw_payload(recorded))
        except BaseException as error:
            self.engine.recorder.stop(error)
            if isinstance(error, ReplayDivergenceError):
                error.how_to_fix = self._way_on()
                log_divergence(self.engine.run_id, error)
            raise

    def _way_on(self) -> str:
        before = self.engine.log.position(self._head)
        fork = "" if before is None else f"runtime.fork({before.id!r})  # {self.name!r} is owed anew there"
        return (
            f"Correct the code of {self.name!r}, so that it does what it has recorded, load the run and go on;\n"
            f"or, if the change is meant, leave the recorded part behind:\n    {fork}"
        )

    def _require_sound(self) -> None:
        """Raise what has stopped the run meanwhile, whatever the behavior made of it."""
        failure = self.engine.log.failure
        if failure is not None:
            raise failure

    def _mark(self, type: str, payload: bytes) -> None:
        self.take(self.writer.event(type, payload, self._runtime_stamp()))

    def _runtime_stamp(self) -> Stamp:
        return Stamp("runtime", self.trigger.id, self.engine.frame_id)

    def _started_type(self) -> str:
        return "behavior.started" if self.relation is None else "relation_behavior.started"

    def _started(self) -> bytes:
        head = b'{"behavior":%b,"event_id":%b,"triggering_event_type":%b' % (
            self.subscriber.quoted_name,
            _quote(self.trigger.id),
            _quote(self.trigger.type),
        )
        if self.relation is None:
            return b'%b,"triggering_object_id":%b%b}' % (head, _triggering_object(self.trigger), self._ordinal())
        return b'%b,"relation_type":%b,"relation_id":%b%b}' % (
            head,
            _quote(self.relation.type),
            _quote(self.relation.id),
            self._ordinal(),
        )

    def _completed(self) -> bytes:
        relation = b"" if self.relation is None else b',"relation_id":%b' % _quote(self.relation.id)
        return (
            b'{"behavior":%b,"event_id":%b,"objects_created":%d,"relations_created":%d,'
            b'"patches_applied":%d,"patches_proposed":%d,"events_emitted":%d%b%b}'
            % (
                self.subscriber.quoted_name,
                _quote(self.trigger.id),
                self.objects_created,
                self.relations_created,
                self.patches_applied,
                self.patches_proposed,
                self.events_emitted,
                relation,
                self._ordinal(),
            )
        )

    def _fail(self, error: Exception) -> None:
        message = _shortened(_text_of(error))
        payload: dict[str, Any] = {
            "behavior": self.name,
            "event_id": self.trigger.id,
            "exception_type": type(error).__name__,
            "message": message,
            "traceback": _shortened(_users_traceback(error)),
        }
        if self.relation is not None:
            payload["relation_id"] = self.relation.id
        if self.subscriber.ordinal is not None:
            payload["ordinal"] = self.subscriber.ordinal
        self._mark("behavior.failed", encode_payload_bytes(payload))
        reason = f"exception.{type(error).__name__}"
        summary = message.splitlines()[0] if message else ""
        _logger.error(
            "behavior failed: %s (reason=%s)",
            self.name,
            reason,
            extra={
                **self._log_fields(),
                "reason": reason,
                "error_type": type(error).__name__,
                "error_message": summary,
                "doc_url": f"{DOCS_BASE_URL}/errors/execution-error",
            },
        )

    def _ordinal(self) -> bytes:
        ordinal = self.subscriber.ordinal
        return b"" if ordinal is None else b',"ordinal":%d' % ordinal

    def _log_fields(self) -> dict[str, Any]:
        return {"run_id": self.engine.run_id, "event_id": self.trigger.id, "behavior": self.name}


class _Identified(Struct, gc=False):
    id: Any = None


class _WithIdentifiedObject(Struct, gc=False):
    object: _Identified | None = None


_decode_identified = msgspec.json.Decoder(_WithIdentifiedObject).decode


def _triggering_object(trigger: Event) -> bytes:
    """The id inside the trigger's `payload["object"]` as JSON, else `null`."""
    raw = raw_payload(trigger)
    if b'"object":' not in raw:
        return b"null"
    try:
        found = _decode_identified(raw).object
    except msgspec.MsgspecError:
        return b"null"
    return _quote(found.id) if found is not None and isinstance(found.id, str) else b"null"


_LONGEST_TEXT = 1024 * 1024
"""Characters of a message or a traceback that are recorded."""


def _shortened(text: str) -> str:
    if len(text) <= _LONGEST_TEXT:
        return text
    return f"{text[:_LONGEST_TEXT]}\n... ({len(text)} characters)"


def _text_of(error: Exception) -> str:
    try:
        return str(error)
    except Exception:  # a broken __str__ must not hide the failure that it belongs to
        return f"<{type(error).__name__} without a readable message>"


def _users_traceback(error: Exception) -> str:
    """The traceback from the first frame of the user's code on."""
    start: TracebackType | None = error.__traceback__
    while start is not None and start.tb_frame.f_globals.get("__name__") in _OWN_FRAMES:
        start = start.tb_next
    try:
        lines = traceback.format_exception(type(error), error, start)
    except Exception:
        lines = [f"Traceback (most recent call last):\n{type(error).__name__}\n"]
    text = "".join(lines)
    return text if text.startswith("Traceback") else "Traceback (most recent call last):\n" + text


_OWN_FRAMES = frozenset({"activegraph.runtime.invocation", "activegraph.behaviors.base"})
