"""The graph of one run, as its host sees it: changes become events. Its reads are in `core.face`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from activegraph.core.attaching import attach_store
from activegraph.core.changes import Stamp, require_text
from activegraph.core.clock import Clock
from activegraph.core.codec import check_header
from activegraph.core.elements import Object, Relation, object_handle, relation_handle
from activegraph.core.event import Event
from activegraph.core.face import GraphFace
from activegraph.core.ids import IDGen
from activegraph.core.log import RunLog
from activegraph.core.patch import Patch
from activegraph.core.projection import Projection
from activegraph.core.record import EventRecord, record_of
from activegraph.core.recorder import Listener, Recorder, check_projects
from activegraph.core.where import evaluate_where
from activegraph.core.writer import GraphWriter
from activegraph.errors import InvalidArgumentType
from activegraph.errors.base import shown

if TYPE_CHECKING:
    from activegraph.store.base import EventStore

__all__ = ["Graph", "Object", "Relation", "evaluate_where"]


class Graph(GraphFace):
    """Typed objects and relations as the projection of an append-only event log.

    Each changing method makes one event. What its keyword arguments say stands in that event and in
    the `provenance` of what it makes or changes:

    - `actor`: who does it; `caused_by`: id of the event that led to it.
    - `frame_id`: frame of the run, if it has one.
    - `rationale`, `evidence`: why, in words and as ids.
    - `llm_request_event_id`, `tool_request_event_ids`: the calls that fed it.

    A change that is refused changes nothing and consumes no id. Besides what a method names, all of
    them raise `IncompatibleRuntimeState` from inside a behavior (which has a graph of its own), from
    another thread while a run is at work, and once the run is stopped; and what a failing store
    raises at the commit.

    Args:
        ids: Id sequences of this run; never shared between graphs.
        clock: Anything with `now() -> str`; read once per event.
        run_id: Fixed id of the run; a fresh ULID by default.
    """

    def __init__(self, ids: IDGen | None = None, clock: Clock | None = None, run_id: str | None = None) -> None:
        self.ids = IDGen() if ids is None else _checked_ids(ids)
        self.clock = Clock() if clock is None else _checked_clock(clock)
        self.run_id = self.ids.run() if run_id is None else check_header("run_id", run_id)
        self._projection = Projection()
        self._log = RunLog()
        self._recorder = Recorder(self.run_id, self._projection, self._log)
        self._writer = GraphWriter(self._projection, self.ids, self.clock, self.run_id)
        self._replayed = 0
        self._replayed_ids: frozenset[str] | None = None

    def add_object(
        self,
        type: str,
        data: dict[str, Any],
        *,
        evidence: Sequence[str] | None = None,
        actor: str | None = "system",
        caused_by: str | None = None,
        frame_id: str | None = None,
        llm_request_event_id: str | None = None,
        tool_request_event_ids: Sequence[str] | None = None,
    ) -> Object:
        """Create an object (`object.created`) and return it as projected.

        Args:
            type: Any name; a loaded pack that declares it checks and completes `data`.
            data: Plain data with text keys, nested at will; it is detached from what you passed.

        Raises:
            NonSerializableEventError: A value that the log cannot carry; the error names its path.
            InvalidArgumentType: No type, or data that is no dict.
            PackSchemaViolation: Data that does not fit what a loaded pack declares.
        """
        stamp = self._stamp("add_object", actor, caused_by, frame_id, llm_request_event_id, tool_request_event_ids)
        return object_handle(self._writer.add_object(self._take, stamp, type, data, evidence))

    def add_relation(
        self,
        source: str,
        target: str,
        type: str,
        data: dict[str, Any] | None = None,
        *,
        actor: str | None = "system",
        caused_by: str | None = None,
        frame_id: str | None = None,
        llm_request_event_id: str | None = None,
        tool_request_event_ids: Sequence[str] | None = None,
    ) -> Relation:
        """Create a relation (`relation.created`) and return it as projected.

        Args:
            source, target: Ids of its ends; they need not exist as objects.
            type: Any name; a loaded pack may say between which types it may stand.
            data: Plain data, as for objects.

        Raises:
            NonSerializableEventError: A value that the log cannot carry; the error names its path.
            InvalidArgumentType: An end or a type that is no text, or data that is no dict.
            PackSchemaViolation: Ends of types that a loaded pack does not allow.
        """
        stamp = self._stamp("add_relation", actor, caused_by, frame_id, llm_request_event_id, tool_request_event_ids)
        return relation_handle(self._writer.add_relation(self._take, stamp, source, target, type, data))

    def remove_object(
        self,
        object_id: str,
        *,
        actor: str | None = "system",
        caused_by: str | None = None,
        frame_id: str | None = None,
    ) -> None:
        """Remove an object and the relations that touch it (`object.removed`); an unknown id does nothing."""
        stamp = self._stamp("remove_object", actor, caused_by, frame_id)
        self._writer.remove_object(self._take, stamp, object_id)

    def remove_relation(
        self,
        relation_id: str,
        *,
        actor: str | None = "system",
        caused_by: str | None = None,
        frame_id: str | None = None,
    ) -> None:
        """Remove a relation (`relation.removed`); an unknown id does nothing."""
        stamp = self._stamp("remove_relation", actor, caused_by, frame_id)
        self._writer.remove_relation(self._take, stamp, relation_id)

    def patch_object(
        self,
        target: str,
        updates: dict[str, Any],
        *,
        rationale: str | None = None,
        evidence: Sequence[str] | None = None,
        actor: str | None = "system",
        caused_by: str | None = None,
        frame_id: str | None = None,
        llm_request_event_id: str | None = None,
        tool_request_event_ids: Sequence[str] | None = None,
    ) -> Patch:
        """Merge `updates` into an object's data at once (`patch.applied`).

        Args:
            target: Id of the object.
            updates: Top-level keys and their new values; other keys stay.

        Raises:
            KeyError: There is no such object.
            NonSerializableEventError: A value that the log cannot carry; the error names its path.
            PackSchemaViolation: The data would not fit what a loaded pack declares.
        """
        stamp = self._stamp("patch_object", actor, caused_by, frame_id, llm_request_event_id, tool_request_event_ids)
        return self._writer.patch_object(self._take, stamp, target, updates, rationale, evidence)

    def propose_patch(
        self,
        target: str,
        op: str,
        value: dict[str, Any],
        *,
        proposed_by: str,
        rationale: str | None = None,
        evidence: Sequence[str] | None = None,
        caused_by: str | None = None,
        frame_id: str | None = None,
        llm_request_event_id: str | None = None,
        tool_request_event_ids: Sequence[str] | None = None,
    ) -> Patch:
        """Propose a change (`patch.proposed`) that `apply_patch` or `reject_patch` decides on.

        Args:
            target: Id of the object; whether it exists counts when the patch is applied.
            op: `"update"` merges `value` into the data, `"replace"` puts it in the place of all data.
            proposed_by: Who proposes it; stands as actor in the event.

        Raises:
            InvalidPatchOperation: Another `op`.
            NonSerializableEventError: A value that the log cannot carry; the error names its path.
        """
        stamp = self._stamp(
            "propose_patch",
            require_text("proposed_by", proposed_by),
            caused_by,
            frame_id,
            llm_request_event_id,
            tool_request_event_ids,
        )
        return self._writer.propose_patch(self._take, stamp, target, op, value, rationale, evidence)

    def apply_patch(
        self,
        patch_id: str,
        *,
        approved_by: str = "system",
        caused_by: str | None = None,
        frame_id: str | None = None,
    ) -> Event:
        """Apply a proposal; its event says `patch.rejected` if the target has moved on or is gone.

        Args:
            approved_by: Who decides; stands as actor in the event.

        Returns:
            The event, `patch.applied` or `patch.rejected`.

        Raises:
            KeyError: There is no such patch.
            InvalidPatchLifecycleState: It was decided already.
        """
        stamp = self._stamp("apply_patch", approved_by, caused_by, frame_id)
        return self._writer.apply_patch(self._take, stamp, patch_id).event()

    def reject_patch(
        self,
        patch_id: str,
        reason: str,
        *,
        actor: str | None = "system",
        caused_by: str | None = None,
        frame_id: str | None = None,
    ) -> Event:
        """Reject a proposal for good (`patch.rejected`), with the reason in the log.

        Raises:
            KeyError: There is no such patch.
            InvalidPatchLifecycleState: It was decided already.
        """
        stamp = self._stamp("reject_patch", actor, caused_by, frame_id)
        return self._writer.reject_patch(self._take, stamp, patch_id, reason).event()

    def emit(self, event: Event) -> Event:
        """Take in an event that the host built; the one entry point of all changes.

        Returns:
            The event as the log holds it, detached and frozen.

        Raises:
            NonSerializableEventError: A field or the payload holds what the log cannot carry.
            DuplicateEventError: The run has an event with this id.
            InvalidArgumentType: A graph event without the fields that the graph reads.
        """
        if not isinstance(event, Event):
            raise InvalidArgumentType(
                f"`emit` takes an Event, not {type(event).__name__}",
                what_failed=f"`graph.emit` was called with a {type(event).__name__}.",
                why="The log holds events; a behavior's own `graph.emit(type, payload)` is another call.",
                how_to_fix="graph.emit(Event(id=graph.ids.event(), type=..., payload={...}))",
                context={"type": type(event).__name__},
            )
        self._recorder.check_writable("emit")
        record = record_of(event)
        check_projects(record)
        taken = record.event()
        self._recorder.check_new_id(taken.id)
        # Before anybody hears of the event: a listener may emit, and then draws ids.
        self.ids.reseed_from_events((taken,))
        self._recorder.record_from_host(record)
        return taken

    def transaction(self) -> AbstractContextManager[None]:
        """Commit the host changes of a `with` block together; nesting joins the outer block.

        A crash leaves all of them or none. An exception undoes nothing: it commits what was changed, and propagates.
        """
        return self._recorder.transaction()

    def add_listener(self, listener: Listener) -> None:
        """Call `listener(event)` for every live event, after its commit.

        Raises:
            InvalidArgumentType: It cannot be called.
        """
        if not callable(listener):
            raise InvalidArgumentType(
                f"a listener is a function of an event, not {type(listener).__name__}",
                what_failed=f"`graph.add_listener({shown(listener)})`.",
                why="It is called for every event; one that cannot be would fail at each of them.",
                how_to_fix="graph.add_listener(lambda event: print(event.type))",
                context={"argument": "listener", "type": type(listener).__name__},
            )
        self._recorder.add_listener(listener)

    def remove_listener(self, listener: Listener) -> bool:
        """Stop calling `listener`; returns whether it was registered."""
        return self._recorder.remove_listener(listener)

    def attach_store(self, store: EventStore) -> None:
        """Write the log to `store` from now on; what the graph holds already is written first.

        Raises:
            IncompatibleRuntimeState: Another store is attached, or `store` holds other events of this run.
        """
        attach_store(self._log, self._recorder, store)

    def _take(self, event: EventRecord) -> None:
        if event.frame_id is not None:
            self.ids.saw_frame_id(event.frame_id)
        self._recorder.record_from_host(event)

    def _stamp(
        self,
        operation: str,
        actor: str | None,
        caused_by: str | None,
        frame_id: str | None,
        llm_request_event_id: str | None = None,
        tool_request_event_ids: Sequence[str] | None = None,
    ) -> Stamp:
        self._recorder.check_writable(operation)
        return Stamp(
            check_header("actor", actor),
            check_header("caused_by", caused_by),
            check_header("frame_id", frame_id),
            check_header("llm_request_event_id", llm_request_event_id),
            _checked_calls(tool_request_event_ids) if tool_request_event_ids else (),
        )


def _checked_calls(ids: Sequence[str]) -> tuple[str, ...]:
    if isinstance(ids, Iterable) and not isinstance(ids, (str, bytes)):
        return tuple(check_header("tool_request_event_ids", id) for id in ids)
    raise InvalidArgumentType(
        f"`tool_request_event_ids` is a list of event ids, not {shown(ids)}",
        what_failed=f"A graph change with `tool_request_event_ids={shown(ids)}`. Nothing was changed.",
        why="Each of them is kept in the provenance of what the change makes.",
        how_to_fix='tool_request_event_ids=["evt_007"]',
        context={"argument": "tool_request_event_ids", "type": type(ids).__name__},
    )


def _checked_ids(ids: object) -> IDGen:
    if isinstance(ids, IDGen):
        return ids
    raise InvalidArgumentType(
        f"`ids` is an IDGen, not {type(ids).__name__}",
        what_failed=f"`Graph(ids=...)` with {shown(ids)}.",
        why="It holds the id sequences of the run, which go on where a loaded log ends.",
        how_to_fix="Leave it out, or pass `IDGen()` or an object of a subclass.",
        context={"argument": "ids", "type": type(ids).__name__},
    )


def _checked_clock(clock: Clock) -> Clock:
    if callable(getattr(clock, "now", None)):
        return clock
    raise InvalidArgumentType(
        f"`clock` of type {type(clock).__name__} has no `now()`",
        what_failed=f"`Graph(clock=...)` with a {type(clock).__name__}.",
        why="The clock is read once per event, by `now() -> str`.",
        how_to_fix="Pass `Clock()`, `FrozenClock()`, `TickingClock()` or an object with a `now() -> str`.",
        context={"argument": "clock", "type": type(clock).__name__},
    )
