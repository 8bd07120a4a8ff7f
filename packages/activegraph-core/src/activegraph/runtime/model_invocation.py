"""The invocation of a behavior that asks a model: first the conversation, then its handler with the answer.

Until the handler runs, the invocation leaves marks, requests and answers only; what the handler creates
names the request whose answer it was given.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, cast

from activegraph.core.changes import Stamp
from activegraph.core.event import Event, raw_payload
from activegraph.core.log_lines import text_of
from activegraph.core.record import EventRecord
from activegraph.core.view_builder import build_view
from activegraph.errors import (
    IncompatibleRuntimeState,
    LLMBehaviorError,
    ReplayDivergenceError,
    ToolError,
    UnknownToolError,
)
from activegraph.llm.behavior import LLMBehavior
from activegraph.llm.building import first_prompt, tool_definitions
from activegraph.llm.prompt import AssembledPrompt
from activegraph.runtime.answers import recordable
from activegraph.runtime.call_budget import CallBudget, behavior_budget
from activegraph.runtime.call_lines import log_call
from activegraph.runtime.facades import BehaviorGraph, Context
from activegraph.runtime.invocation import Invocation
from activegraph.runtime.model_turns import ModelTurns
from activegraph.tools.base import Tool

__all__ = ["ModelInvocation"]


class ModelInvocation(Invocation):
    """An invocation whose behavior is an `LLMBehavior`."""

    tool_calls: int | None = 0
    _is_handling = False
    """Whether the handler has been called, so that what is raised is its own."""

    @property
    def behavior(self) -> LLMBehavior:
        """What is invoked."""
        return cast(LLMBehavior, self.subscriber.behavior)

    @property
    def tools(self) -> tuple[Tool, ...]:
        """The tools that the model may ask for."""
        return self.engine.model_behaviors.prepared(self.behavior).tools

    @property
    def llm_provider(self) -> Any:
        """Shown to the handler as `ctx.llm_provider`."""
        return self.engine.outside.options.provider

    @cached_property
    def call_budget(self) -> CallBudget:
        """What the calls of this invocation have to fit into."""
        own = behavior_budget(self.behavior.budget, self.name)
        if own is not None:
            own.use_clock(self.engine.graph.clock)
            own.start()
        return self.engine.outside.budget(self.engine.budget, own, self.trigger.id)

    def _call(self, graph: BehaviorGraph, context: Context) -> None:
        turns = ModelTurns(self)
        try:
            output = turns.output()
        finally:
            self.tool_calls = len(turns.tools.request_ids)
        self.stamp = Stamp(
            self.name, self.trigger.id, self.engine.frame_id, turns.request_id, tuple(turns.tools.request_ids)
        )
        self._is_handling = True
        handler: Any = self.behavior.handler
        handler(self.trigger, graph, context, output)

    def assemble_prompt(self) -> AssembledPrompt:
        """The prompt of the first turn.

        Raises:
            LLMBehaviorError: `llm.prompt_assembly_error`.
        """
        engine, behavior = self.engine, self.behavior
        view = build_view(
            behavior.view_spec,
            projection=engine.projection,
            log=engine.log,
            trigger=self.trigger,
            sequence=self._sequence,
            head=self._head,
            unlogged=self._unlogged,
            removals=self._removals,
            find_events=lambda count: engine.prompt_events.recent(count, self._head, self._unlogged),
        )
        model = engine.model_behaviors.prepared(behavior).model
        try:
            tools = tool_definitions(self.tools)
            return first_prompt(behavior, self.trigger, view, frame=engine.frame, model=model, tools=tools)
        except Exception as error:  # schemas, templates and data of users take part in it
            raise LLMBehaviorError(
                "llm.prompt_assembly_error",
                f"the prompt of {self.name!r} cannot be built: {type(error).__name__}: {text_of(error)}",
            ) from error

    def check_may_call(self, what: str) -> None:
        """Refuse a call whose request would not be durable before it; that is no failure of the behavior's."""
        try:
            self.engine.outside.check_may_call(what)
        except IncompatibleRuntimeState as error:
            self._stop(error)
            raise

    def record_call(self, type: str, payload: bytes, caused_by: str) -> Event:
        """Record a request or an answer of this invocation; what a crash left in the log is met there.

        Returns:
            The event as it stands in the log.
        """
        recorded = self.prefix[0] if self.prefix else None
        record = self._call_event(type, payload, caused_by)
        self.take(record)
        if recorded is not None:
            return recorded
        event = record.event()
        log_call(event, self.log_fields())
        return event

    def meet_recorded(self, type: str, caused_by: str) -> Event:
        """The next event of what was recorded, which is to be of this type and cause."""
        recorded = self.prefix[0]  # type: ignore[index]  # asked only where something is left
        if recorded.type != type:
            divergence = ReplayDivergenceError(event_id=recorded.id, expected=recorded.type, actual=type)
            self._stop(divergence)
            raise divergence
        self.take(self._call_event(type, raw_payload(recorded), caused_by))
        return recorded

    def commit_call(self) -> None:
        """Make durable what was recorded so far; a request before its call, an answer before its use."""
        self._require_sound()
        self.engine.recorder.commit_step(self.engine.call_sync, is_last=False)

    def _call_event(self, type: str, payload: bytes, caused_by: str) -> EventRecord:
        try:
            return self.writer.event(type, payload, Stamp(self.name, caused_by, self.engine.frame_id))
        except Exception as error:
            # A clock that fails is no failure of the behavior's, and what was paid for must not be taken for used.
            self._stop(error)
            raise

    def _reason_of(self, error: Exception) -> dict[str, Any]:
        """The reason and its keys; a handler's own exception has none, unless it is an `LLMBehaviorError`."""
        if isinstance(error, LLMBehaviorError) or (isinstance(error, ToolError) and not self._is_handling):
            return {**recordable(error.payload_extras), "reason": str(error.reason)}
        if isinstance(error, UnknownToolError) and not self._is_handling:
            return {"reason": "tool.unknown_tool", "tool": error.tool_name}
        return {}
