"""What a re-execution is given instead of calls: the answers of the log, in their order, failures included.

Nobody outside is asked, whatever is switched on; only deterministic tools are called again, where that
is wanted. What a budget refused then is refused again, since the log says so, and no budget is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, cast

import msgspec

from activegraph.behaviors.base import AnyBehavior
from activegraph.core.codec import decode_canonical
from activegraph.core.log import RunLog
from activegraph.errors import LLMBehaviorError, ToolError
from activegraph.llm.behavior import LLMBehavior
from activegraph.llm.models import FALLBACK_MODEL
from activegraph.runtime.answers import ModelAnswer, duration
from activegraph.runtime.budget import Budget
from activegraph.runtime.call_budget import CallBudget
from activegraph.runtime.model_behaviors import ModelBehaviors, Prepared, named_model
from activegraph.runtime.outside import CallOptions, Outside, Question, ToolAnswer
from activegraph.runtime.retries import RetryPolicy
from activegraph.runtime.verification.meeting import Meeting
from activegraph.tools.base import Tool
from activegraph.tools.cache import CachedToolResponse, recorded_cost
from activegraph.tools.context import ToolContext

__all__ = ["RecordedModels", "RecordedOutside"]

_BASE_KEYS = ("behavior", "event_id", "exception_type", "message", "traceback", "reason", "relation_id", "ordinal")


class RecordedOutside(Outside):
    """Answers out of the log."""

    def __init__(self, options: CallOptions, log: RunLog, run_id: str, meeting: Meeting) -> None:
        retries = cast(RetryPolicy, _RecordedRetries(meeting))
        super().__init__(msgspec.structs.replace(options, retries=retries), log, run_id, None)
        self._meeting = meeting

    def wait(self, seconds: float) -> None:
        """Return at once."""

    def budget(self, run: Budget, own: Budget | None, trigger_id: str) -> CallBudget:
        """What refuses where the recorded run was refused."""
        return _RecordedGates(self._meeting, trigger_id)

    def recorded_answer(self, prompt_hash: str) -> ModelAnswer | None:
        """None: whether an answer came from a cache makes no difference here."""
        return None

    def recorded_output(self, tool: Tool, args_hash: str) -> CachedToolResponse | None:
        """None, as above."""
        return None

    def check_may_call(self, what: str) -> None:
        """Nothing is called."""

    def ask(self, question: Question) -> ModelAnswer:
        """The recorded answer to the request that was met last."""
        return ModelAnswer(decode_canonical(self._meeting.answer("llm.responded").payload), was_asked=True)

    def call(self, tool: Tool, args: Any, context: ToolContext) -> ToolAnswer:
        """The recorded answer to the call that was met last, or a new one of a deterministic tool."""
        if tool.deterministic and self.options.replay_reinvoke_deterministic:
            return super().call(tool, args, context)
        fields = decode_canonical(self._meeting.answer("tool.responded").payload)
        error = fields.get("error")
        response = CachedToolResponse(
            fields.get("output"),
            error if isinstance(error, dict) else None,
            duration(fields.get("latency_seconds")) or 0.0,
            recorded_cost(fields.get("cost_usd")),
            is_dump=True,
        )
        return ToolAnswer(response, None, response.latency_seconds)


class _RecordedRetries:
    """Asks again where the recorded run did."""

    def __init__(self, meeting: Meeting) -> None:
        self._meeting = meeting

    @property
    def max_attempts(self) -> int:
        """More than were made, if the record shows one more; else as many as there were."""
        following = self._meeting.next_in_invocation()
        if following is None:
            return 1 << 31
        payload = decode_canonical(following.payload)
        if "retry_of" in payload:
            return int(payload.get("max_attempts") or 1 << 31)
        goes_on = str(payload.get("reason", "")).startswith("budget.")
        made = self._meeting.recorded.last_compared
        attempts = 0 if made is None else decode_canonical(made.payload).get("attempt_index") or 0
        return 1 << 31 if goes_on else attempts + 1

    def delay_after(self, attempt: int, error: LLMBehaviorError) -> float:
        """No wait."""
        return 0.0


class _RecordedGates(CallBudget):
    """Refuses a call where the record says that a budget did."""

    def __init__(self, meeting: Meeting, trigger_id: str) -> None:
        super().__init__(Budget(), None, trigger_id)
        self._meeting = meeting

    def check(self, *dimensions: str, worst_case: Callable[[], Decimal | None], **about: Any) -> None:
        """Raise the recorded refusal, if the invocation ended with one here."""
        self._refuse_as_recorded()

    def check_cost(self, estimate: Decimal, **about: Any) -> None:
        """The same."""
        self._refuse_as_recorded()

    def _refuse_as_recorded(self) -> None:
        following = self._meeting.next_in_invocation()
        if following is None or following.row.type != "behavior.failed":
            return
        payload = decode_canonical(following.payload)
        reason = payload.get("reason")
        if isinstance(reason, str) and reason.startswith("budget."):
            kind = ToolError if payload.get("exception_type") == "ToolError" else LLMBehaviorError
            message = (str(payload.get("message", "")).splitlines() or [""])[0].partition(f"{reason}: ")[2]
            extras = {key: value for key, value in payload.items() if key not in _BASE_KEYS}
            raise kind(reason, message, payload_extras=extras)

    def count(self, dimension: str, *, recorded: bool = False) -> None:
        """Nothing is counted."""

    def spend(self, cost: Decimal, *, recorded: bool = False) -> None:
        """Nothing is spent."""


class RecordedModels(ModelBehaviors):
    """Behaviors that ask models, without a provider: one that names no model takes the recorded one."""

    def __init__(self, options: CallOptions, pack_tools: Callable[[], Mapping[str, Tool]], meeting: Meeting) -> None:
        super().__init__(options, pack_tools)
        self._meeting = meeting

    def prepared(self, behavior: LLMBehavior) -> Prepared:
        """The model that the next recorded request names, where the behavior names none."""
        prepared = super().prepared(behavior)
        return prepared if prepared.model else prepared._replace(model=self._recorded_model())

    def _recorded_model(self) -> str:
        following = self._meeting.next_in_invocation()
        if following is not None and following.row.type == "llm.requested":
            model = decode_canonical(following.payload).get("model")
            if isinstance(model, str):
                return model
        return FALLBACK_MODEL  # it asked none in the record

    def check_named_model(self, behavior: AnyBehavior) -> None:
        """A re-execution asks nobody, so it has no say in which models are declared."""

    def _require_provider(self, behavior: LLMBehavior) -> None:
        """None is needed."""

    def _model_of(self, behavior: LLMBehavior) -> str:
        return named_model(behavior) or ""
