"""What a run asks of others: its provider and its tools, and the answers that were recorded before.

Everything that leaves the process, or stands in for something that would, passes here. What is asked
and what is done with an answer is decided in `model_turns` and `tool_calls`; this is where it comes from.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import Struct

from activegraph.core.clock import monotonic_of
from activegraph.errors import IncompatibleRuntimeState, ToolError
from activegraph.errors.base import shown
from activegraph.runtime.answers import ModelAnswer, answered, as_behavior_error, duration, failed, money
from activegraph.runtime.budget import Budget
from activegraph.runtime.call_budget import CallBudget
from activegraph.runtime.retries import RetryPolicy, is_retryable
from activegraph.tools.base import Tool
from activegraph.tools.cache import CachedToolResponse
from activegraph.tools.invoker import DirectToolInvoker, ToolInvoker

if TYPE_CHECKING:
    from activegraph.core.log import RunLog
    from activegraph.llm.cache import LLMCache
    from activegraph.llm.prompt import AssembledPrompt
    from activegraph.runtime.replayed import ReplayedAnswers
    from activegraph.tools.cache import ToolCache
    from activegraph.tools.context import ToolContext

__all__ = ["CallOptions", "Estimate", "Outside", "Question", "ToolAnswer"]


class CallOptions(Struct, frozen=True):
    """What a runtime was given for its calls."""

    provider: Any = None
    tools: tuple[Tool, ...] | None = None
    """Instead of the process-wide registry."""
    tool_invoker: ToolInvoker | None = None
    retries: RetryPolicy = RetryPolicy()
    replay_llm_cache: bool = False
    replay_tool_cache: bool = False
    replay_reinvoke_deterministic: bool = False


class Question(NamedTuple):
    """One attempt at one turn, as a provider is asked."""

    prompt: AssembledPrompt
    output_schema: type | None
    timeout_seconds: float
    idempotency_key: str


class Estimate(NamedTuple):
    """What a question may cost at worst."""

    input_tokens: int
    cost_usd: Decimal


class ToolAnswer(NamedTuple):
    """What a call gave: an output that is still to be checked, or an error."""

    response: CachedToolResponse | None
    error: ToolError | None
    latency_seconds: float


class Outside:
    """The ways out of one run.

    Args:
        clock: Measures calls and waits between attempts, where it can; one that stands still does neither.
    """

    def __init__(self, options: CallOptions, log: RunLog, run_id: str, clock: Any) -> None:
        self.options = options
        self.run_id = run_id
        self.replayed: ReplayedAnswers | None = None
        """Answers that are looked up before a call; None where no cache is switched on."""
        self._log = log
        self._clock = clock
        self._invoker = options.tool_invoker or DirectToolInvoker(monotonic=self.monotonic)

    def look_into(self, models: LLMCache | None, tools: ToolCache | None) -> None:
        """Look up answers in these caches, as far as that is switched on."""
        options = self.options
        if options.replay_llm_cache or options.replay_tool_cache:
            from activegraph.llm.cache import LLMCache
            from activegraph.runtime.replayed import ReplayedAnswers
            from activegraph.tools.cache import ToolCache

            self.replayed = ReplayedAnswers(
                (LLMCache() if models is None else models) if options.replay_llm_cache else None,
                (ToolCache() if tools is None else tools) if options.replay_tool_cache else None,
                self._log,
            )

    def look_into_log(self, url: str | None) -> None:
        """Look up answers in the run's own log and in those of its ancestors, as far as that is switched on.

        Args:
            url: Where the store was opened, if that is known.
        """
        models, tools = self.options.replay_llm_cache, self.options.replay_tool_cache
        if models or tools:
            from activegraph.runtime.replayed import replayed_from

            self.replayed = replayed_from(self._log, url, models=models, tools=tools)

    def monotonic(self) -> float:
        """Seconds for measuring; a clock that cannot measure stands still."""
        return float(monotonic_of(self._clock)())

    def wait(self, seconds: float) -> None:
        """Sleep by the run's clock."""
        sleep: Callable[[float], object] = getattr(self._clock, "sleep", time.sleep)
        sleep(seconds)

    def budget(self, run: Budget, own: Budget | None, trigger_id: str) -> CallBudget:
        """What the calls of one invocation have to fit into."""
        return CallBudget(run, own, trigger_id)

    def recorded_answer(self, prompt_hash: str) -> ModelAnswer | None:
        """The recorded answer to this question, if caches are looked at and one has it."""
        return None if self.replayed is None else self.replayed.answer(prompt_hash)

    def recorded_output(self, tool: Tool, args_hash: str) -> CachedToolResponse | None:
        """The recorded answer to this call, if caches are looked at and one has it."""
        if self.replayed is None or (tool.deterministic and self.options.replay_reinvoke_deterministic):
            return None
        return self.replayed.output(args_hash)

    def saw_answer(self, prompt_hash: str) -> None:
        """This run has an answer more to this question, so that the next recorded one is the one behind it."""
        if self.replayed is not None:
            self.replayed.saw_answer(prompt_hash)

    def saw_output(self, args_hash: str) -> None:
        """The same of a tool call."""
        if self.replayed is not None:
            self.replayed.saw_output(args_hash)

    def check_may_call(self, what: str) -> None:
        """Refuse a call whose request would not be durable before it.

        Raises:
            IncompatibleRuntimeState: The store writes inside a transaction that its owner has open.
        """
        if getattr(self._log.store, "in_callers_transaction", False):
            raise IncompatibleRuntimeState(
                f"{what} cannot be asked inside an open transaction of the connection's owner",
                what_failed=f"Run {self.run_id!r} was about to ask {what}, while its store writes inside a transaction of yours.",
                why="A request is durable before its call, so that nothing is paid for that the log does not know. "
                "What is written now becomes durable with your commit, or never.",
                how_to_fix="Commit or roll back first, then load the run and go on:\n"
                f"    connection.commit()\n    Runtime.load(..., run_id={self.run_id!r}).run_until_idle()",
                context={"run_id": self.run_id, "call": what},
            )

    def estimate(self, prompt: AssembledPrompt) -> Estimate:
        """Count the input and price it with the longest answer.

        Raises:
            LLMBehaviorError: The provider cannot say.
        """
        provider, phase = self.options.provider, "count_tokens"
        try:
            tokens = provider.count_tokens(system=prompt.system, messages=list(prompt.messages), model=prompt.model)
            phase = "estimate_cost"
            cost = provider.estimate_cost(input_tokens=tokens, output_tokens=prompt.max_tokens, model=prompt.model)
        except Exception as error:  # a border: the provider's own code
            raise as_behavior_error(error, model=prompt.model, phase=phase) from error
        amount = money(cost)
        if amount is None or type(tokens) is not int:
            refusal = TypeError(f"{phase} gave {shown(tokens if type(tokens) is not int else cost)}")
            raise as_behavior_error(refusal, model=prompt.model, phase=phase)
        return Estimate(tokens, amount)

    def ask(self, question: Question) -> ModelAnswer:
        """Ask the provider once. Whatever it raises or returns becomes an answer that can be recorded."""
        prompt, provider = question.prompt, self.options.provider
        keyed = {"idempotency_key": question.idempotency_key} if _takes_key(provider) else {}
        began = self.monotonic()
        try:
            response = provider.complete(
                system=prompt.system,
                messages=list(prompt.messages),
                model=prompt.model,
                max_tokens=prompt.max_tokens,
                temperature=prompt.temperature,
                top_p=prompt.top_p,
                output_schema=question.output_schema,
                timeout_seconds=question.timeout_seconds,
                tools=[dict(definition) for definition in prompt.tools] if prompt.tools else None,
                **keyed,
            )
            return answered(response)
        except Exception as error:  # a border: the provider's own code
            return self.failure(error, prompt.model, self._since(began))

    def failure(self, error: Exception, model: str, latency_seconds: float) -> ModelAnswer:
        """A failed attempt as it is recorded."""
        known = as_behavior_error(error, model=model)
        return failed(known, error, model=model, latency_seconds=latency_seconds, retryable=is_retryable(known))

    def call(self, tool: Tool, args: Any, context: ToolContext) -> ToolAnswer:
        """Make one tool call."""
        began = self.monotonic()
        try:
            response = self._invoker.invoke(tool, args, context)
        except Exception as error:  # a border: the tool's body, or an invoker of the user's
            return ToolAnswer(None, _as_tool_error(error, tool), self._since(began))
        return _as_answer(response, tool, self._since(began))

    def _since(self, began: float) -> float:
        """Seconds from then to now; 0 by a clock that cannot tell."""
        return duration(self.monotonic() - began) or 0.0


def _takes_key(provider: Any) -> bool:
    return getattr(provider, "accepts_idempotency_key", False) is True


def _as_tool_error(error: Exception, tool: Tool) -> ToolError:
    if isinstance(error, ToolError):
        return error
    name = type(error).__name__
    try:
        text = str(error)
    except Exception:  # of the class of the error, which may be anybody's
        text = "<without a readable message>"
    return ToolError(
        "tool.execution_error",
        f"{name}: {text}" if text else name,
        payload_extras={"tool": tool.name, "exception_type": name},
    )


def _as_answer(response: Any, tool: Tool, measured: float) -> ToolAnswer:
    """What an invoker returned, as far as it is an answer; what is none may have been paid for all the same.

    Args:
        measured: Seconds that the call took, as the run sees it; recorded where the response's own are no duration.
    """
    try:
        given, cost = response.latency_seconds, money(response.cost_usd)
        output, error, is_dump = response.output, response.error, bool(getattr(response, "is_dump", False))
    except Exception:  # whatever it returned
        return ToolAnswer(None, _no_answer(tool, shown(response)), measured)
    seconds = duration(given)
    latency = measured if seconds is None else seconds
    if cost is None:
        error = _refused(tool, f"a cost of {shown(response.cost_usd)}")
    elif isinstance(given, bool) or not isinstance(given, (int, float)):
        error = _refused(tool, f"a latency of {shown(given)}")
    told = CachedToolResponse(output, error, latency, cost or Decimal(0), is_dump=is_dump)
    return ToolAnswer(told, None, latency)


def _refused(tool: Tool, what: str) -> dict[str, Any]:
    from activegraph.tools.checking import failure_record

    return failure_record(_no_answer(tool, what), tool.name)


def _no_answer(tool: Tool, what: str) -> ToolError:
    return ToolError("tool.execution_error", f"the invoker returned {what}", payload_extras={"tool": tool.name})
