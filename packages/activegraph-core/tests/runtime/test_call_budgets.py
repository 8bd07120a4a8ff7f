"""Limits on calls: exactly N are possible, none starts that may cost more than is left, and nothing is lost."""

from __future__ import annotations

from decimal import Decimal, Inexact, localcontext
from typing import Any

import pytest
from activegraph.core.clock import FrozenClock
from activegraph.core.event import Event
from activegraph.core.graph import Graph
from activegraph.errors import InvalidRuntimeConfiguration
from activegraph.llm.behavior import LLMBehavior
from activegraph.runtime.runtime import Runtime
from activegraph.tools.base import Tool
from support.runtimes import new, types_of
from support.scripted import ScriptedProvider, answer, asking


def asker(**fields: Any) -> LLMBehavior:
    def note(event: Event, graph: Any, ctx: Any, out: Any) -> None:
        graph.add_object("note", {"text": str(out)})

    return LLMBehavior(**{"name": "asker", "on": ["goal.created"], "handler": note, **fields})


def look(**fields: Any) -> Tool:
    return Tool("look", lambda args, ctx: "seen", **fields)


def of_type(runtime: Runtime, type: str) -> list[Event]:
    return [event for event in runtime.graph.events if event.type == type]


def run(provider: ScriptedProvider, budget: dict[str, Any], behavior: LLMBehavior | None = None) -> Runtime:
    runtime = new([behavior or asker(tools=[look()])], llm_provider=provider, budget=budget)
    runtime.run_goal("why")
    return runtime


def failure(runtime: Runtime) -> dict[str, Any]:
    [failed] = of_type(runtime, "behavior.failed")
    return failed.payload


class TestCalls:
    @pytest.mark.parametrize("turns", [1, 2, 3])
    def test_exactly_as_many_turns_as_the_limit_are_possible(self, turns: int) -> None:
        provider = ScriptedProvider(*[asking(("look", {}))] * (turns - 1), answer())
        enough = run(provider, {"max_llm_calls": turns})
        assert types_of(enough)[-1] == "runtime.budget_exhausted"
        assert of_type(enough, "behavior.completed")
        assert enough.budget.used["max_llm_calls"] == turns

    @pytest.mark.parametrize("turns", [2, 3])
    def test_one_turn_more_than_the_limit_is_refused_before_it_is_requested(self, turns: int) -> None:
        provider = ScriptedProvider(*[asking(("look", {}))] * (turns - 1), answer())
        runtime = run(provider, {"max_llm_calls": turns - 1})

        assert failure(runtime)["reason"] == "budget.llm_calls_exhausted"
        assert len(provider.calls) == len(of_type(runtime, "llm.requested")) == turns - 1

    def test_exactly_as_many_tool_calls_as_the_limit_are_made(self) -> None:
        provider = ScriptedProvider(asking(("look", {}), ("look", {"n": 1}), ("look", {"n": 2})), answer())
        runtime = run(provider, {"max_tool_calls": 2})

        assert failure(runtime)["reason"] == "budget.tool_calls_exhausted"
        assert failure(runtime)["tool"] == "look"
        assert failure(runtime)["exception_type"] == "ToolError"
        assert len(of_type(runtime, "tool.requested")) == 2
        assert runtime.budget.used["max_tool_calls"] == 2

    def test_the_last_permitted_tool_call_is_used_and_its_answer_asked_about(self) -> None:
        provider = ScriptedProvider(asking(("look", {}), ("look", {"n": 1})), answer())
        runtime = run(provider, {"max_tool_calls": 2})

        assert runtime.graph.objects("note")


class TestCost:
    def test_nothing_is_counted_or_estimated_without_a_limit(self) -> None:
        provider = ScriptedProvider()
        runtime = run(provider, {"max_llm_calls": 5})

        assert provider.counted == 0
        assert "estimated_cost_usd" not in of_type(runtime, "llm.requested")[0].payload

    def test_a_request_says_what_it_may_cost_and_what_is_left(self) -> None:
        # 100 tokens of input and 900 of output are estimated at 0.01.
        runtime = run(ScriptedProvider(), {"max_cost_usd": "0.05"}, asker(max_tokens=900))

        request = of_type(runtime, "llm.requested")[0].payload
        assert request["estimated_input_tokens"] == 100
        assert request["estimated_cost_usd"] == "0.01"
        assert request["budget_remaining_usd"] == "0.05"

    def test_a_call_whose_worst_case_just_fits_is_made(self) -> None:
        runtime = run(ScriptedProvider(), {"max_cost_usd": "0.01"}, asker(max_tokens=900))

        assert runtime.graph.objects("note")

    def test_a_call_whose_worst_case_does_not_fit_is_neither_requested_nor_made(self) -> None:
        provider = ScriptedProvider()
        runtime = run(provider, {"max_cost_usd": "0.00999"}, asker(max_tokens=900, model="m-1"))

        assert provider.calls == []
        assert of_type(runtime, "llm.requested") == []
        assert failure(runtime)["reason"] == "budget.cost_exhausted"
        assert failure(runtime)["estimated_cost_usd"] == "0.01"
        assert failure(runtime)["budget_remaining_usd"] == "0.00999"
        assert failure(runtime)["model"] == "m-1"
        assert "runtime.fork('evt_001'" in failure(runtime)["message"]
        assert types_of(runtime)[-1] == "runtime.idle"

    def test_the_fork_that_the_failure_names_repeats_the_invocation(self, tmp_path: Any) -> None:
        provider = ScriptedProvider()
        runtime = Runtime(
            Graph(clock=FrozenClock()),
            [asker(max_tokens=900)],
            llm_provider=provider,
            budget={"max_cost_usd": "0.00999"},
            persist_to=str(tmp_path / "run.db"),
        )
        runtime.run_goal("why")
        message = failure(runtime)["message"]
        call = message[message.index("runtime.fork(") :].splitlines()[0]

        fork: Runtime = eval(call.replace("...", "1"), {"runtime": runtime})
        fork.run_until_idle()

        assert fork.graph.objects("note")
        assert len(provider.calls) == 1

    def test_the_actual_cost_is_added_and_may_pass_the_limit(self) -> None:
        provider = ScriptedProvider(answer(cost_usd=Decimal("0.3")))
        runtime = run(provider, {"max_cost_usd": "0.2"})

        assert runtime.budget.cost_used == Decimal("0.3")
        assert types_of(runtime)[-1] == "runtime.budget_exhausted"
        assert runtime.graph.objects("note")

    def test_a_turn_behind_a_limit_that_is_just_used_up_says_what_it_may_cost(self) -> None:
        provider = ScriptedProvider(asking(("look", {}), cost_usd=Decimal("0.05")), answer())
        runtime = run(provider, {"max_cost_usd": "0.05"}, asker(max_tokens=900, model="m-1", tools=[look()]))

        # The tool is free, and there is nothing left all the same.
        assert failure(runtime)["reason"] == "budget.cost_exhausted"
        assert failure(runtime)["tool"] == "look"
        assert (failure(runtime)["estimated_cost_usd"], failure(runtime)["budget_remaining_usd"]) == ("0", "0.00")
        provider = ScriptedProvider(asking(("look", {}), cost_usd=Decimal("0.02")), answer())
        paid = look(cost_per_call="0.03")
        runtime = run(provider, {"max_cost_usd": "0.05"}, asker(max_tokens=900, model="m-1", tools=[paid]))

        assert failure(runtime)["reason"] == "budget.cost_exhausted"
        assert (failure(runtime)["estimated_cost_usd"], failure(runtime)["budget_remaining_usd"]) == ("0.01", "0.00")
        assert failure(runtime)["model"] == "m-1"
        assert len(provider.calls) == len(of_type(runtime, "llm.requested")) == 1
        assert types_of(runtime)[-1] == "runtime.budget_exhausted"

    def test_a_provider_that_cannot_count_is_refused_for_the_limit_that_is_used_up(self) -> None:
        provider = ScriptedProvider(asking(("look", {}), cost_usd=Decimal("0.02")), answer())
        counted: list[int] = []

        def count(**call: Any) -> int:
            counted.append(1)
            return 100 if len(counted) == 1 else 1 // 0

        provider.count_tokens = count  # type: ignore[method-assign]
        runtime = run(provider, {"max_cost_usd": "0.05"}, asker(max_tokens=900, tools=[look(cost_per_call="0.03")]))

        assert failure(runtime)["reason"] == "budget.cost_exhausted"
        assert "estimated_cost_usd" not in failure(runtime)

    def test_a_cost_beyond_all_measure_ends_the_run_as_any_other(self) -> None:
        runtime = run(ScriptedProvider(answer(cost_usd=Decimal("1e308"))), {"max_cost_usd": "0.2"})

        assert types_of(runtime)[-1] == "runtime.budget_exhausted"

    def test_models_and_tools_share_one_limit(self) -> None:
        provider = ScriptedProvider(asking(("look", {}), cost_usd=Decimal("0.01")), answer())
        runtime = run(provider, {"max_cost_usd": "0.05"}, asker(max_tokens=900, tools=[look(cost_per_call="0.041")]))

        assert failure(runtime)["reason"] == "budget.cost_exhausted"
        assert failure(runtime)["tool"] == "look"
        assert failure(runtime)["estimated_cost_usd"] == "0.041"
        assert failure(runtime)["budget_remaining_usd"] == "0.04"
        assert of_type(runtime, "tool.requested") == []

    def test_a_provider_that_cannot_count_fails_the_behavior_before_a_request(self) -> None:
        provider = ScriptedProvider()
        provider.count_tokens = lambda **call: 1 / 0  # type: ignore[assignment, method-assign, return-value]
        runtime = run(provider, {"max_cost_usd": "1"})

        assert failure(runtime)["reason"] == "llm.network_error"
        assert failure(runtime)["phase"] == "count_tokens"
        assert of_type(runtime, "llm.requested") == []

    def test_many_small_costs_add_up_exactly(self) -> None:
        provider = ScriptedProvider(
            *[asking(("look", {}), cost_usd=Decimal("0.1"))] * 2, answer(cost_usd=Decimal("0.1"))
        )
        runtime = run(provider, {"max_cost_usd": "0.3"}, asker(max_tokens=1, tools=[look()]))

        assert runtime.budget.cost_used == Decimal("0.3")

    @pytest.mark.parametrize("traps", [[], [Inexact]], ids=["rounds", "traps"])
    def test_costs_are_exact_whatever_the_program_does_with_decimals(self, traps: list[Any]) -> None:
        provider = ScriptedProvider(asking(("look", {}), cost_usd=Decimal("0.0123")), answer(cost_usd=Decimal("1.2")))
        with localcontext(prec=2, traps=traps):
            runtime = run(
                provider, {"max_cost_usd": "1.2523"}, asker(max_tokens=900, tools=[look(cost_per_call="0.04")])
            )

        assert runtime.budget.cost_used == Decimal("1.2523")
        assert runtime.graph.objects("note")
        requested = of_type(runtime, "llm.requested")
        assert [e.payload["budget_remaining_usd"] for e in requested] == ["1.2523", "1.2000"]


class TestSeconds:
    def test_time_that_runs_out_inside_an_invocation_fails_it_at_its_next_turn(self) -> None:
        class Slow(FrozenClock):
            seconds = 0.0

            def monotonic(self) -> float:
                return self.seconds

        clock = Slow()
        provider = ScriptedProvider(asking(("look", {})), answer())
        provider.before = lambda: setattr(clock, "seconds", clock.seconds + 6)
        runtime = Runtime(Graph(clock=clock), [asker(tools=[look()])], llm_provider=provider, budget={"max_seconds": 5})
        runtime.run_goal("why")

        assert failure(runtime)["reason"] == "budget.seconds_exhausted"
        assert len(provider.calls) == 1


class TestOwnBudget:
    @pytest.mark.parametrize(
        ("limits", "reason"),
        [
            ({"max_llm_calls": 1}, "budget.llm_calls_exhausted"),
            ({"max_tool_calls": 0}, "budget.tool_calls_exhausted"),
            ({"max_cost_usd": "0.015"}, "budget.cost_exhausted"),
            ({"max_seconds": 0}, "budget.seconds_exhausted"),
        ],
    )
    def test_a_behaviors_own_limit_ends_its_invocation_and_no_other(self, limits: dict[str, Any], reason: str) -> None:
        provider = ScriptedProvider(asking(("look", {})), answer())
        runtime = run(provider, {}, asker(budget=limits, max_tokens=900, tools=[look()]))

        assert failure(runtime)["reason"] == reason
        assert failure(runtime)["scope"] == "behavior"
        assert types_of(runtime)[-1] == "runtime.idle"

    def test_each_invocation_has_it_anew(self) -> None:
        provider = ScriptedProvider()
        runtime = new([asker(budget={"max_llm_calls": 1})], llm_provider=provider)
        runtime.run_goal("why")
        runtime.run_goal("and then")

        assert len(runtime.graph.objects("note")) == 2

    def test_a_refusal_by_the_runs_budget_has_no_scope(self) -> None:
        provider = ScriptedProvider(asking(("look", {})), answer())
        runtime = run(provider, {"max_llm_calls": 1}, asker(budget={"max_llm_calls": 5}, tools=[look()]))

        assert "scope" not in failure(runtime)

    @pytest.mark.parametrize("limits", [{"max_events": 1}, {"max_llm_call": 1}, {"max_llm_calls": -1}, 7])
    def test_a_limit_that_would_stop_nothing_refuses_the_run(self, limits: Any) -> None:
        runtime = new([asker(budget=limits)], llm_provider=ScriptedProvider())

        with pytest.raises(InvalidRuntimeConfiguration):
            runtime.run_goal("why")

        assert types_of(runtime) == []


class TestGoingOn:
    def test_a_run_that_the_loop_stopped_goes_on_with_a_higher_limit_and_loses_nothing(self, tmp_path: Any) -> None:
        def runtime_of(path: Any, budget: dict[str, Any]) -> Runtime:
            return new([asker(), asker(name="second")], llm_provider=ScriptedProvider(), budget=budget, persist_to=path)

        whole = runtime_of(tmp_path / "whole.db", {})
        whole.run_goal("why")
        stopped = runtime_of(tmp_path / "stopped.db", {"max_llm_calls": 1})
        stopped.run_goal("why")
        assert stopped.status().state == "exhausted"

        stopped.budget = {"max_llm_calls": 5}
        stopped.run_until_idle()

        assert [e.to_dict() for e in stopped.graph.events if not e.type.startswith("runtime.")] == [
            e.to_dict() for e in whole.graph.events if not e.type.startswith("runtime.")
        ]
