"""What one invocation may still spend: the run's budget, and the behavior's own where it has one.

Checked before each turn and each call, so that exactly N calls are possible under a limit of N. A
refusal is the failure of that behavior: nothing was requested, and the run goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from activegraph.errors import InvalidRuntimeConfiguration, LLMBehaviorError, ToolError
from activegraph.runtime.budget import Budget

__all__ = ["CallBudget", "behavior_budget"]

_OWN_DIMENSIONS = ("max_llm_calls", "max_tool_calls", "max_cost_usd", "max_seconds")
"""What a behavior may limit per invocation."""


class _Scoped(NamedTuple):
    budget: Budget
    scope: str


class CallBudget:
    """Both budgets of one invocation.

    Args:
        trigger_id: The event that a fork repeats the invocation from.
    """

    def __init__(self, run: Budget, own: Budget | None, trigger_id: str) -> None:
        self._run = run
        self._own = own
        self._trigger_id = trigger_id
        self._scoped = [_Scoped(run, "run")] if own is None else [_Scoped(run, "run"), _Scoped(own, "behavior")]

    @property
    def has_cost_limit(self) -> bool:
        """Whether a call's cost has to be estimated beforehand."""
        return any(each.budget.has_cost_limit() for each in self._scoped)

    def cost_left(self) -> Decimal:
        """US dollars until the nearer limit; only where there is one."""
        left = (each.budget.cost_remaining_amount() for each in self._scoped)
        return min(amount for amount in left if amount is not None)

    def check(self, *dimensions: str, worst_case: Callable[[], Decimal | None], **about: Any) -> None:
        """Refuse the next call where a dimension is used up.

        Args:
            worst_case: What the call may cost at most, in US dollars; asked where the cost refuses it.
                None where nobody can say.
            about: What the failure says of the call: its `tool`, or its `model`.

        Raises:
            LLMBehaviorError, ToolError: With the reason `budget.<dimension>_exhausted`.
        """
        for dimension in dimensions:
            for each in self._scoped:
                if each.budget.is_exhausted(dimension):
                    told = {**about}
                    if dimension == "max_cost_usd":
                        estimate = worst_case()
                        if estimate is not None:
                            told["estimated_cost_usd"] = str(estimate)
                        told["budget_remaining_usd"] = str(each.budget.cost_remaining_amount())
                    limit = each.budget.cost_limit if dimension == "max_cost_usd" else each.budget.limits[dimension]
                    raise self._refusal(dimension, each.scope, f"the limit of {_number(limit)} is used up", told)

    def check_cost(self, estimate: Decimal, **about: Any) -> None:
        """Refuse a call whose worst case is more than what is left.

        Raises:
            LLMBehaviorError, ToolError: With the reason `budget.cost_exhausted`.
        """
        for each in self._scoped:
            if not each.budget.cost_remaining(estimate):
                left = each.budget.cost_remaining_amount()
                told = {"estimated_cost_usd": str(estimate), "budget_remaining_usd": str(left), **about}
                what = f"the call may cost {estimate} US dollars, and {left} of {each.budget.cost_limit} are left"
                raise self._refusal("max_cost_usd", each.scope, what, told)

    def count(self, dimension: str, *, recorded: bool = False) -> None:
        """One call more. One that the log of an earlier process holds uses nothing of the run's budget in this one."""
        if not recorded:
            self._run.consume(dimension)
        if self._own is not None:
            self._own.consume(dimension)

    def spend(self, cost: Decimal, *, recorded: bool = False) -> None:
        """Add what a call did cost; it may pass the limit, and the next call is refused then."""
        if not recorded:
            self._run.add_cost(cost)
        if self._own is not None:
            self._own.add_cost(cost)

    def _refusal(self, dimension: str, scope: str, what: str, told: dict[str, Any]) -> LLMBehaviorError | ToolError:
        kind = ToolError if "tool" in told else LLMBehaviorError
        extras = {**told, "scope": scope} if scope == "behavior" else told
        again = f"runtime.fork({self._trigger_id!r}, budget={{{dimension!r}: ...}})"
        if scope == "behavior":
            again = f"runtime.fork({self._trigger_id!r}) after raising {dimension!r} in the behavior's `budget=`"
        name = "cost" if dimension == "max_cost_usd" else dimension.removeprefix("max_")
        message = f"{dimension} of the {scope}: {what}; to repeat the invocation with more: {again}"
        return kind(f"budget.{name}_exhausted", message, payload_extras=extras)


def behavior_budget(limits: Any, behavior: str) -> Budget | None:
    """A behavior's own limits as a budget with nothing used; None where it has none.

    Raises:
        InvalidRuntimeConfiguration: A key that is not limited per invocation, or a limit that is none.
    """
    if not limits:
        return None
    try:
        budget = Budget(limits)
    except InvalidRuntimeConfiguration as error:
        raise _unusable(behavior, error.summary) from error
    for key in limits if isinstance(limits, Mapping) else ():
        if key not in _OWN_DIMENSIONS:
            raise _unusable(behavior, f"{key!r} is not limited per invocation")
    return budget


def _unusable(behavior: str, what: str) -> InvalidRuntimeConfiguration:
    return InvalidRuntimeConfiguration(
        f"LLM behavior {behavior!r}: `budget=` cannot be used: {what}",
        what_failed=f"Preparing behavior {behavior!r} with its own budget: {what}.",
        why="A limit that is misspelt would never stop anything.",
        how_to_fix=f"Use only: {', '.join(_OWN_DIMENSIONS)}.",
        context={"behavior": behavior},
    )


def _number(limit: Any) -> str:
    return str(limit) if isinstance(limit, Decimal) else f"{limit:g}"
