"""One tool call after the other, as the answers of a model ask for them: checked, requested, made, recorded.

A failed call ends the invocation; the model is not asked to mend it. Calls that a crash left in the
log are met again there, and one without an answer is made again with the same idempotency key.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from activegraph.core.codec import decode_canonical, encode_payload_bytes, encode_plain
from activegraph.core.event import Event, raw_payload
from activegraph.errors import NonSerializableEventError, ToolError, UnknownToolError
from activegraph.errors.base import shown
from activegraph.llm.types import LLMMessage, ToolCall
from activegraph.runtime.answers import cost_of, money, recordable
from activegraph.runtime.call_lines import log_lookup
from activegraph.tools.base import Tool
from activegraph.tools.cache import CachedToolResponse
from activegraph.tools.checking import PreparedCall, checked_output, failure_from_record, failure_record, prepare_call
from activegraph.tools.context import ToolContext, call_logger, idempotency_key

if TYPE_CHECKING:
    from activegraph.runtime.model_invocation import ModelInvocation

__all__ = ["ToolCalls"]


@dataclass(frozen=True, slots=True)
class _Outcome:
    """How one call went, whatever it gave."""

    tool: Tool
    prepared: PreparedCall
    request: Event
    latency: float = 0.0
    cost: Decimal = Decimal(0)
    is_hit: bool = False


class ToolCalls:
    """The tool calls of one invocation.

    Attributes:
        request_ids: All `tool.requested` of it, in order.
    """

    def __init__(self, step: ModelInvocation) -> None:
        self.request_ids: list[str] = []
        self._step = step
        self._outside = step.engine.outside
        self._budget = step.call_budget
        self._declared = {tool.name: tool for tool in step.tools}

    def answer(self, call: ToolCall, cause: str) -> LLMMessage:
        """Make a call, and say to the model what it gave.

        Args:
            cause: The `llm.requested` whose answer asked for it.

        Raises:
            UnknownToolError, ToolError: The invocation fails with it.
        """
        tool = self._declared.get(call.name)
        if tool is None:
            raise UnknownToolError(
                f"the model called {call.name!r}, which behavior {self._step.name!r} does not declare",
                tool_name=call.name,
                behavior_name=self._step.name,
                declared_tools=tuple(self._declared),
            )
        fields = self._ask(tool, call, cause)
        content = json.dumps(fields["output"], sort_keys=True, default=str)
        return LLMMessage("tool", content, tool_use_id=call.id, tool_name=tool.name)

    def _ask(self, tool: Tool, call: ToolCall, cause: str) -> dict[str, Any]:
        """The payload of the call's answer, as it was recorded."""
        step = self._step
        is_recorded = bool(step.prefix)
        hit: CachedToolResponse | None = None
        if not is_recorded:
            dimensions = ("max_tool_calls", "max_seconds", "max_cost_usd")
            self._budget.check(*dimensions, worst_case=lambda: tool.cost_per_call, tool=tool.name)
        prepared = _recordable_call(tool, prepare_call(tool, call.args))
        if not is_recorded and prepared.refusal is None:
            hit = self._outside.recorded_output(tool, prepared.args_hash)
            if self._outside.options.replay_tool_cache:
                log_lookup(prepared.args_hash, step.log_fields(), is_hit=hit is not None, tool=tool.name)
            if hit is None:
                self._budget.check_cost(tool.cost_per_call, tool=tool.name)
                step.check_may_call(f"the tool {tool.name!r}")
        request = step.record_call("tool.requested", self._request(tool, call, prepared, is_hit=hit is not None), cause)
        self._budget.count("max_tool_calls", recorded=is_recorded)
        self.request_ids.append(request.id)
        if step.prefix:
            responded = step.meet_recorded("tool.responded", request.id)
            fields: dict[str, Any] = decode_canonical(raw_payload(responded))
            self._budget.spend(cost_of(fields), recorded=True)
            if fields.get("error") is not None:
                raise failure_from_record(fields["error"])
            return fields
        if is_recorded and request.payload.get("cache_hit"):
            hit = self._outside.recorded_output(tool, prepared.args_hash)
        return self._make(tool, prepared, request, hit)

    def _request(self, tool: Tool, call: ToolCall, prepared: PreparedCall, *, is_hit: bool) -> bytes:
        return encode_payload_bytes(
            {
                "behavior": self._step.name,
                "tool": tool.name,
                "args": prepared.recorded_args,
                "args_hash": prepared.args_hash,
                "call_id": call.id,
                "cache_hit": is_hit,
                "deterministic": tool.deterministic,
            }
        )

    def _make(
        self, tool: Tool, prepared: PreparedCall, request: Event, hit: CachedToolResponse | None
    ) -> dict[str, Any]:
        """Make the call, unless it was refused or answered before, and record what it gave."""
        if prepared.refusal is not None:
            raise self._failed(_Outcome(tool, prepared, request), prepared.refusal)
        if hit is not None:
            return self._succeeded(_Outcome(tool, prepared, request, is_hit=True), hit)
        self._step.commit_call()
        answer = self._outside.call(tool, prepared.args, self._context(tool, request))
        response, error = answer.response, answer.error
        outcome = _Outcome(tool, prepared, request, latency=answer.latency_seconds)
        if response is not None and response.error is not None:
            error = failure_from_record(_record_of(response.error))
            outcome = self._paid(outcome, response)
        if response is None or error is not None:
            cause = error or ToolError("tool.execution_error", "the tool gave nothing")
            raise self._failed(outcome, cause) from cause
        return self._succeeded(outcome, response)

    def _succeeded(self, outcome: _Outcome, response: CachedToolResponse) -> dict[str, Any]:
        outcome = self._paid(outcome, response)
        try:
            payload = self._answer(outcome, output=checked_output(outcome.tool, response))
        except (ToolError, NonSerializableEventError) as error:
            refusal = error if isinstance(error, ToolError) else _too_large(outcome.tool, error)
            raise self._failed(outcome, refusal) from error
        self._record(outcome, payload)
        self._outside.saw_output(outcome.prepared.args_hash)
        recorded: dict[str, Any] = decode_canonical(payload)
        return recorded

    def _paid(self, outcome: _Outcome, response: CachedToolResponse) -> _Outcome:
        """The outcome with what the call took and cost; what failed may have cost something too."""
        outcome = replace(outcome, cost=money(response.cost_usd) or Decimal(0), latency=float(response.latency_seconds))
        if not outcome.is_hit:
            self._budget.spend(outcome.cost)
        return outcome

    def _failed(self, outcome: _Outcome, error: ToolError) -> ToolError:
        """Record a failed call; the error as it was recorded, so that it is the same after a crash."""
        payload = self._answer(outcome, error=recordable(failure_record(error, outcome.tool.name)))
        self._record(outcome, payload)
        return failure_from_record(decode_canonical(payload)["error"])

    def _record(self, outcome: _Outcome, payload: bytes) -> None:
        self._step.record_call("tool.responded", payload, outcome.request.id)
        if outcome.prepared.refusal is None and not outcome.is_hit:
            self._step.commit_call()

    def _answer(self, outcome: _Outcome, *, output: Any = None, error: dict[str, Any] | None = None) -> bytes:
        return encode_payload_bytes(
            {
                "behavior": self._step.name,
                "tool": outcome.tool.name,
                "args_hash": outcome.prepared.args_hash,
                "output": output,
                "error": error,
                "cache_hit": outcome.is_hit,
                "latency_seconds": outcome.latency,
                "cost_usd": str(outcome.cost),
                "deterministic": outcome.tool.deterministic,
            }
        )

    def _context(self, tool: Tool, request: Event) -> ToolContext:
        step = self._step
        return ToolContext(
            behavior_name=step.name,
            event_id=step.trigger.id,
            frame=step.engine.frame,
            idempotency_key=idempotency_key(self._outside.run_id, request.id),
            timeout_seconds=tool.timeout_seconds,
            logger=call_logger(tool.name, run_id=self._outside.run_id, event_id=step.trigger.id),
        )


def _recordable_call(tool: Tool, prepared: PreparedCall) -> PreparedCall:
    """The same call; refused, where its arguments are nothing that a log can carry."""
    try:
        encode_plain(prepared.recorded_args, "args", 2)
    except NonSerializableEventError as error:
        refusal = ToolError(
            "tool.invalid_input",
            f"arguments of tool {tool.name!r} cannot be recorded: {error.summary}",
            payload_extras={"tool": tool.name, "validation_errors": error.summary},
        )
        return replace(prepared, recorded_args=shown(prepared.recorded_args), refusal=refusal)
    return prepared


def _record_of(error: Any) -> dict[str, Any]:
    """The error of an invoker that returned one instead of raising it."""
    return error if isinstance(error, dict) else {"reason": "tool.execution_error", "message": str(error)}


def _too_large(tool: Tool, error: NonSerializableEventError) -> ToolError:
    return ToolError(
        "tool.invalid_output",
        f"the result of tool {tool.name!r} cannot be recorded: {error.summary}",
        payload_extras={"tool": tool.name, "validation_errors": error.summary},
    )
