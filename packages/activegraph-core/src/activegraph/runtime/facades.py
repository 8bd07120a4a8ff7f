"""What a behavior gets: its graph and its context, valid for one invocation."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from activegraph.core.changes import require_fields, require_text
from activegraph.core.codec import check_header, encode_payload_bytes
from activegraph.core.elements import Object, Relation, object_handle, relation_handle
from activegraph.core.event import Event
from activegraph.core.keys import look_up
from activegraph.core.patch import Patch
from activegraph.core.recorder import check_graph_payload
from activegraph.core.view import View
from activegraph.errors import InvalidArgumentType, RuntimeContextRequiredError
from activegraph.runtime.approvals import propose_object
from activegraph.runtime.queue import INTERNAL_FAMILIES

if TYPE_CHECKING:
    from random import Random

    from activegraph.runtime.invocation import Invocation

__all__ = ["BehaviorGraph", "Context"]


class BehaviorGraph:
    """The graph as a behavior may use it: changes with its name and cause on them, live reads by id.

    It is valid while the behavior runs; afterwards every call raises `RuntimeContextRequiredError`,
    since a leaked handle would write with a stale cause.
    """

    def __init__(self, invocation: Invocation) -> None:
        self._invocation: Invocation | None = invocation

    def add_object(self, type: str, data: dict[str, Any]) -> Object:
        """Create an object (`object.created`) and return it as projected.

        Args:
            type: Any name; a loaded pack that declares it checks and completes `data`.
            data: Plain data with text keys.

        Raises:
            NonSerializableEventError: A value that the log cannot carry; the error names its path.
            PackSchemaViolation: Data that does not fit what a loaded pack declares.
        """
        step = self._change("graph.add_object")
        state = step.writer.add_object(step.take, step.stamp, type, data)
        step.objects_created += 1
        return object_handle(state)

    def add_relation(self, source: str, target: str, type: str, data: dict[str, Any] | None = None) -> Relation:
        """Create a relation (`relation.created`) between two ids, which need not exist as objects.

        Raises:
            NonSerializableEventError: A value that the log cannot carry; the error names its path.
            PackSchemaViolation: Ends of types that a loaded pack does not allow.
        """
        step = self._change("graph.add_relation")
        state = step.writer.add_relation(step.take, step.stamp, source, target, type, data)
        step.relations_created += 1
        return relation_handle(state)

    def patch_object(self, target: str, updates: dict[str, Any]) -> Patch:
        """Merge `updates` into an object's data at once (`patch.applied`).

        Raises:
            KeyError: There is no such object.
            NonSerializableEventError: A value that the log cannot carry; the error names its path.
            PackSchemaViolation: The data would not fit what a loaded pack declares.
        """
        step = self._change("graph.patch_object")
        patch = step.writer.patch_object(step.take, step.stamp, target, updates)
        step.patches_applied += 1
        return patch

    def propose_patch(
        self,
        target: str,
        op: str = "update",
        value: dict[str, Any] | None = None,
        rationale: str | None = None,
        evidence: Sequence[str] | None = None,
    ) -> Patch:
        """Propose a change (`patch.proposed`) that the host decides on, by `apply_patch` or `reject_patch` of its graph.

        Args:
            target: Id of the object; whether it exists counts when the patch is applied.
            op: `"update"` merges `value` into the data, `"replace"` puts it in the place of all data.
            rationale, evidence: Why, in words and as ids.

        Raises:
            InvalidPatchOperation: Another `op`.
        """
        step = self._change("graph.propose_patch")
        patch = step.writer.propose_patch(
            step.take, step.stamp, target, op, {} if value is None else value, rationale, evidence
        )
        step.patches_proposed += 1
        return patch

    def emit(self, event_type: str, payload: dict[str, Any]) -> Event:
        """Emit an event of a type of your own, for other behaviors to react to.

        Args:
            event_type: Dotted lowercase by convention: `order.checked`.
            payload: Plain data with text keys.

        Raises:
            InvalidArgumentType: A type of a family that only the runtime writes.
            NonSerializableEventError: A value that the log cannot carry; the error names its path.
        """
        step = self._change("graph.emit")
        event_type = check_header("type", require_text("event_type", event_type))
        if event_type.startswith(INTERNAL_FAMILIES):
            raise InvalidArgumentType(
                f"a behavior cannot emit {event_type!r}",
                what_failed=f"Behavior {step.name!r} emitted an event of type {event_type!r}.",
                why=f"Types that start with {', '.join(INTERNAL_FAMILIES)} tell how a run went; only the runtime writes them.",
                how_to_fix="Choose a type of your own, for example 'order.checked'.",
                context={"type": event_type, "behavior": step.name},
            )
        encoded = encode_payload_bytes(require_fields("payload", payload))
        check_graph_payload(event_type, encoded)
        record = step.writer.event(event_type, encoded, step.stamp)
        event = record.event()
        step.writer.ids.saw_payload(event)
        step.take(record)
        step.events_emitted += 1
        if event_type == "patch.applied":
            step.patches_by_hand += 1
        return event

    def get_object(self, object_id: str) -> Object | None:
        """The object as it is now, own writes included."""
        objects = self._step("graph.get_object").writer.projection.objects
        state = look_up(objects, "object_id", object_id)
        return None if state is None else object_handle(state)

    def get_relation(self, relation_id: str) -> Relation | None:
        """The relation as it is now, own writes included."""
        relations = self._step("graph.get_relation").writer.projection.relations
        state = look_up(relations, "relation_id", relation_id)
        return None if state is None else relation_handle(state)

    def remove_object(self, object_id: str) -> None:
        """Remove an object and the relations that touch it; an unknown id does nothing."""
        step = self._change("graph.remove_object")
        step.writer.remove_object(step.take, step.stamp, object_id)

    def remove_relation(self, relation_id: str) -> None:
        """Remove a relation; an unknown id does nothing."""
        step = self._change("graph.remove_relation")
        step.writer.remove_relation(step.take, step.stamp, relation_id)

    def _step(self, method: str) -> Invocation:
        if self._invocation is None:
            raise RuntimeContextRequiredError(method=method)
        return self._invocation

    def _change(self, method: str) -> Invocation:
        require_stack()
        return self._step(method)


_FRAMES_NEEDED = 100
"""What recording an event takes of the interpreter's stack at most, with log handlers of others."""

_frame_at = sys._getframe


def require_stack() -> None:
    """Raise `RecursionError` before a change begins that the stack might end in the middle of."""
    try:
        _frame_at(_stack_limit() - _FRAMES_NEEDED)
    except ValueError:
        return
    raise RecursionError("too little of the interpreter's stack is left to change the graph")


_stack_limit = sys.getrecursionlimit


class Context:
    """What else an invocation may draw on; everything is made when it is looked at."""

    _view: View | None = None
    _random: Random | None = None
    _new_matches: Sequence[Any] | None = None

    def __init__(self, invocation: Invocation) -> None:
        self._invocation = invocation

    @property
    def view(self) -> View:
        """The slice of the run that the behavior's view spec asks for, as of the call."""
        if self._view is None:
            self._view = self._invocation.build_view()
        return self._view

    @property
    def random(self) -> Random:
        """Random numbers that a resumed or replayed invocation draws again."""
        if self._random is None:
            from random import Random

            self._random = Random(self._invocation.seed())  # noqa: S311 - reproducible on purpose
        return self._random

    @property
    def frame(self) -> Any:
        """The runtime's frame."""
        return self._invocation.engine.frame

    @property
    def policy(self) -> Any:
        """The runtime's policy."""
        return self._invocation.engine.policy

    @property
    def clock(self) -> Any:
        """The graph's clock."""
        return self._invocation.writer.clock

    @property
    def llm_provider(self) -> Any:
        """The provider in LLM behaviors, else None."""
        return self._invocation.llm_provider

    @property
    def settings(self) -> Any:
        """Settings of the pack that owns the behavior, else None."""
        step = self._invocation
        return step.engine.packs.settings_of(step.subscriber.behavior)

    @property
    def matches(self) -> Sequence[Any]:
        """All matches of the behavior's pattern as of the call; equals a list, empty without a pattern."""
        matches = self._invocation.matches
        return [] if matches is None else matches

    @property
    def new_matches(self) -> Sequence[Any]:
        """Those of `matches` that bind the object or relation which the triggering event touched."""
        if self._new_matches is None:
            self._new_matches = self._invocation.new_matches()
        return self._new_matches

    def propose_object(self, object_type: str, data: dict[str, Any], *, reason: str = "") -> str:
        """Ask for an object that somebody has to approve; returns the approval's id.

        Raises:
            RuntimeContextRequiredError: The invocation is over.
        """
        step = self._invocation
        if not step.is_running:
            raise RuntimeContextRequiredError(method="ctx.propose_object")
        require_stack()
        return propose_object(step, object_type, data, reason)

    def pack_settings(self, name: str) -> Any:
        """Settings of a loaded pack, or None."""
        return self._invocation.engine.packs.settings(name)
