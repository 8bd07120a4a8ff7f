"""The conversation of one invocation: question, answer, the tools that the answer asks for, and again.

Each request is committed before its call, each answer before its use. Where a crash cut the
invocation off, requests and answers that it had recorded are met again in their order: they are
served from the log, pass no gate and cost nothing, and a request without an answer is asked again.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from activegraph.core.codec import decode_canonical, encode_payload_bytes
from activegraph.core.event import Event, raw_payload
from activegraph.core.log_lines import error_fields, say
from activegraph.errors import LLMBehaviorError, NonSerializableEventError, ToolError
from activegraph.llm.growing_hash import GrowingHash
from activegraph.llm.types import LLMMessage
from activegraph.runtime.answers import ModelAnswer, calls_of, cost_of, failure_of, output_of, unrecordable
from activegraph.runtime.call_lines import log_lookup, log_prompt
from activegraph.runtime.outside import Question
from activegraph.runtime.tool_calls import ToolCalls
from activegraph.tools.context import idempotency_key

if TYPE_CHECKING:
    from activegraph.llm.prompt import AssembledPrompt
    from activegraph.runtime.model_invocation import ModelInvocation

__all__ = ["ModelTurns"]

_logger = logging.getLogger("activegraph.llm")


@dataclass(frozen=True, slots=True)
class _Turn:
    """One turn's question, whatever the number of attempts at it."""

    index: int
    prompt: AssembledPrompt
    prompt_hash: str
    added: list[LLMMessage]
    """Messages that came since the turn before."""


class ModelTurns:
    """Asks until there is an answer that calls no tool.

    Attributes:
        request_id: The `llm.requested` whose answer came last.
        tools: What became of the tools that were called.
    """

    def __init__(self, step: ModelInvocation) -> None:
        self._step = step
        self._behavior = step.behavior
        self._outside = step.engine.outside
        self._budget = step.call_budget
        self.request_id = ""
        self.tools = ToolCalls(step)

    def output(self) -> Any:
        """What the handler is to be given.

        Raises:
            LLMBehaviorError, ToolError, UnknownToolError: The invocation fails with it.
        """
        step, behavior = self._step, self._behavior
        prompt = step.assemble_prompt()
        messages, hashed = list(prompt.messages), GrowingHash(prompt)
        added: list[LLMMessage] = []
        cause = step.trigger.id
        for index in range(behavior.max_tool_turns):
            prompt = replace(prompt, messages=list(messages))
            answer = self._ask(_Turn(index, prompt, hashed.hexdigest(), added), cause)
            cause = self.request_id
            calls = calls_of(answer.fields)
            if not calls:
                return output_of(behavior.output_schema, answer.fields, answer.parsed)
            added = [LLMMessage("assistant", answer.fields["raw_text"], tool_calls=tuple(calls))]
            for call in calls:
                added.append(self.tools.answer(call, cause))
            messages += added
            hashed.add(added)
        raise ToolError(
            "tool.max_turns_exhausted",
            f"the model asked for tools in each of its {behavior.max_tool_turns} turns",
            payload_extras={"max_tool_turns": behavior.max_tool_turns},
        )

    def _ask(self, turn: _Turn, cause: str) -> ModelAnswer:
        """One turn: the question is asked again as long as that may help."""
        step, retries = self._step, self._outside.options.retries
        first: str | None = None
        attempt = 0
        while True:
            request, answer = self._attempt(turn, cause, attempt, first)
            first = first or request.id
            responded, answer = self._record_answer(turn, request, attempt, answer)
            record = answer.fields.get("error")
            if record is None:
                self.request_id = request.id
                return answer
            error = failure_of(record)
            if not step.prefix:
                if not answer.fields.get("retryable") or attempt + 1 >= retries.max_attempts:
                    raise self._given_up(error, answer, attempt) from answer.cause
                self._wait(turn.prompt.model, attempt, error)
            attempt += 1
            cause = responded.id

    def _attempt(self, turn: _Turn, cause: str, attempt: int, first: str | None) -> tuple[Event, ModelAnswer | None]:
        """Record a request, and find its answer; None where the log holds it."""
        step, prompt = self._step, turn.prompt
        is_recorded = bool(step.prefix)
        answer: ModelAnswer | None = None
        fields = self._request_fields(turn, attempt, first)
        if not is_recorded:
            if attempt == 0:
                log_prompt(prompt, turn.prompt_hash, turn.index, step.log_fields())
            self._check(turn, attempt)
            answer = self._outside.recorded_answer(turn.prompt_hash)
            if self._outside.options.replay_llm_cache:
                log_lookup(turn.prompt_hash, step.log_fields(), is_hit=answer is not None, model=prompt.model)
            fields["cache_hit"] = answer is not None
            if answer is None:
                self._pass_gate(prompt, fields)
            elif self._budget.has_cost_limit:
                fields["budget_remaining_usd"] = str(self._budget.cost_left())
        request = step.record_call("llm.requested", self._encoded(fields), cause)
        if attempt == 0:
            self._budget.count("max_llm_calls", recorded=is_recorded)
        if answer is None and not step.prefix:
            if is_recorded and request.payload.get("cache_hit"):
                answer = self._outside.recorded_answer(turn.prompt_hash)
            answer = answer or self._call(turn, first or request.id)
        return request, answer

    def _request_fields(self, turn: _Turn, attempt: int, first: str | None) -> dict[str, Any]:
        fields: dict[str, Any] = {
            "behavior": self._step.name,
            "model": turn.prompt.model,
            "prompt_hash": turn.prompt_hash,
            "deterministic": turn.prompt.deterministic,
            "cache_hit": False,
            "turn_index": turn.index,
            "prompt_normalized": True,
        }
        if attempt:
            max_attempts = self._outside.options.retries.max_attempts
            return {**fields, "attempt_index": attempt, "max_attempts": max_attempts, "retry_of": first}
        if turn.index == 0:
            fields["prompt"] = turn.prompt.to_hashable()
        else:
            fields["messages"] = [message.to_dict() for message in turn.added]
        return fields

    def _check(self, turn: _Turn, attempt: int) -> None:
        # An attempt more at the same turn is no call more.
        dimensions = ("max_llm_calls", "max_seconds", "max_cost_usd")[bool(attempt) :]
        self._budget.check(*dimensions, worst_case=lambda: self._worst_case(turn), model=turn.prompt.model)

    def _worst_case(self, turn: _Turn) -> Decimal | None:
        """What a turn that is being refused could have cost: nothing, where its answer is known."""
        if self._outside.recorded_answer(turn.prompt_hash) is not None:
            return Decimal(0)
        try:
            return self._outside.estimate(turn.prompt).cost_usd
        except LLMBehaviorError:
            return None

    def _pass_gate(self, prompt: AssembledPrompt, fields: dict[str, Any]) -> None:
        """Refuse what is too dear, or could not be recorded before it is asked."""
        self._step.check_may_call(f"the model {prompt.model!r}")
        if not self._budget.has_cost_limit:
            return
        estimate = self._outside.estimate(prompt)
        self._budget.check_cost(estimate.cost_usd, model=prompt.model)
        fields["estimated_input_tokens"] = estimate.input_tokens
        fields["estimated_cost_usd"] = str(estimate.cost_usd)
        fields["budget_remaining_usd"] = str(self._budget.cost_left())

    def _encoded(self, fields: dict[str, Any]) -> bytes:
        try:
            return encode_payload_bytes(fields)
        except NonSerializableEventError as error:
            raise LLMBehaviorError(
                "llm.prompt_assembly_error", f"the prompt cannot be recorded: {error.summary}"
            ) from error

    def _call(self, turn: _Turn, first_request: str) -> ModelAnswer:
        step = self._step
        step.commit_call()
        key = idempotency_key(self._outside.run_id, first_request)
        behavior = self._behavior
        return self._outside.ask(Question(turn.prompt, behavior.output_schema, behavior.timeout_seconds, key))

    def _record_answer(
        self, turn: _Turn, request: Event, attempt: int, answer: ModelAnswer | None
    ) -> tuple[Event, ModelAnswer]:
        """Make an answer durable, or meet it in the log. What is used from here on is what was recorded."""
        step = self._step
        if answer is None:
            responded = step.meet_recorded("llm.responded", request.id)
            fields = decode_canonical(raw_payload(responded))
            self._budget.spend(cost_of(fields), recorded=True)
            return responded, ModelAnswer(fields)
        try:
            payload = encode_payload_bytes(self._answer_fields(turn, attempt, answer))
        except NonSerializableEventError as error:
            refused = unrecordable(answer, error)
            answer = self._outside.failure(refused, turn.prompt.model, answer.fields["latency_seconds"])
            payload = encode_payload_bytes(self._answer_fields(turn, attempt, answer))
        fields = decode_canonical(payload)
        self._budget.spend(cost_of(fields))
        responded = step.record_call("llm.responded", payload, request.id)
        if answer.was_asked:
            step.commit_call()
        if "error" not in fields:
            self._outside.saw_answer(turn.prompt_hash)
        return responded, answer._replace(fields=fields)

    def _answer_fields(self, turn: _Turn, attempt: int, answer: ModelAnswer) -> dict[str, Any]:
        about = {"behavior": self._step.name, "prompt_hash": turn.prompt_hash, "turn_index": turn.index}
        if "error" not in answer.fields:
            return {**answer.fields, **about}
        attempts = {"attempt_index": attempt, "max_attempts": self._outside.options.retries.max_attempts}
        # One that was recorded says itself how many there were to be.
        return {**about, **attempts, **answer.fields}

    def _given_up(self, error: LLMBehaviorError, answer: ModelAnswer, attempt: int) -> LLMBehaviorError:
        most = self._outside.options.retries.max_attempts
        if most == 1 or not answer.fields.get("retryable"):
            return error
        told = {"attempts": attempt + 1, "max_attempts": most, "retry_exhausted": True}
        return LLMBehaviorError(error.reason, error.message, payload_extras={**error.payload_extras, **told})

    def _wait(self, model: str, attempt: int, error: LLMBehaviorError) -> None:
        retries = self._outside.options.retries
        seconds = retries.delay_after(attempt, error)
        told = {**self._step.log_fields(), "model": model, "reason": error.reason, **error_fields(error)}
        message = "retry %d of %d in %gs"
        say(_logger, logging.WARNING, message, attempt + 1, retries.max_attempts - 1, seconds, **told)
        self._outside.wait(seconds)
