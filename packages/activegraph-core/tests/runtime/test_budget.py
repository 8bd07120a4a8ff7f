"""Limits on a run: what one unit is, when it is asked for, and what is said when little is left."""

from __future__ import annotations

import json
import logging
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from activegraph.behaviors.base import Behavior, RelationBehavior
from activegraph.core.clock import FrozenClock
from activegraph.core.event import Event
from activegraph.core.graph import Graph
from activegraph.errors import InvalidRuntimeConfiguration
from activegraph.runtime.budget import DIMENSIONS, Budget
from support.runtimes import RUN, emit, loaded, new, recording, types_of


class TestBudget:
    def test_all_eight_dimensions_are_there_in_order_and_without_limits(self) -> None:
        budget = Budget()

        assert tuple(budget.limits) == tuple(budget.used) == DIMENSIONS
        assert set(budget.limits.values()) == {float("inf")}
        assert set(budget.used.values()) == {0.0}
        assert (budget.cost_limit, budget.cost_used) == (None, Decimal(0))
        assert budget.remaining()
        assert budget.exhausted_by() is None

    def test_none_is_no_limit_and_zero_is_one(self) -> None:
        assert Budget({"max_events": None, "max_cost_usd": None}).remaining()
        assert not Budget({"max_events": 0}).remaining()
        assert not Budget({"max_cost_usd": 0}).remaining()

    def test_the_limits_of_one_are_limits_for_another(self) -> None:
        limits = Budget({"max_events": 3, "max_cost_usd": "0.5"}).limits

        assert Budget({**limits, "max_cost_usd": float("inf")}).limits == {**Budget().limits, "max_events": 3.0}
        assert Budget({"max_cost_usd": float("inf")}).cost_limit is None

    @pytest.mark.parametrize("key", ["max_events", "max_cost_usd"])
    def test_a_limit_may_be_a_number_of_any_size(self, key: str) -> None:
        assert Budget({key: 10**5000}).remaining()

    def test_the_first_exhausted_dimension_in_order_is_named_and_forgotten_when_there_is_more(self) -> None:
        budget = Budget({"max_patches": 1, "max_events": 1, "max_cost_usd": "0.1"})
        budget.add_cost("0.1")
        budget.consume("max_patches")
        assert (budget.remaining(), budget.exhausted_by()) == (False, "max_patches")
        budget.consume("max_events")
        assert (budget.remaining(), budget.exhausted_by()) == (False, "max_events")
        budget.limits["max_events"] = budget.limits["max_patches"] = 5.0
        budget.cost_limit = Decimal(1)
        assert (budget.remaining(), budget.exhausted_by()) == (True, None)

    def test_money_is_exact(self) -> None:
        budget = Budget({"max_cost_usd": "0.3"})
        for _ in range(3):
            assert budget.remaining()
            budget.add_cost("0.1")

        assert budget.cost_used == Decimal("0.3")
        assert budget.used["max_cost_usd"] == 0.3
        assert not budget.remaining()
        assert budget.cost_remaining_amount() == Decimal(0)

    def test_a_prospective_cost_may_use_the_limit_up_and_not_pass_it(self) -> None:
        budget = Budget({"max_cost_usd": Decimal("1.00")})
        budget.add_cost("0.4")

        assert budget.has_cost_limit()
        assert budget.cost_remaining("0.6")
        assert not budget.cost_remaining("0.600001")
        assert Budget().cost_remaining(10**9)
        assert Budget().cost_remaining_amount() is None

    def test_what_is_left_of_the_money_is_never_below_zero(self) -> None:
        budget = Budget({"max_cost_usd": 1})
        budget.add_cost(7)

        assert budget.cost_remaining_amount() == Decimal(0)

    def test_cost_that_is_consumed_is_cost(self) -> None:
        budget = Budget({"max_cost_usd": 1})
        budget.consume("max_cost_usd", 1)

        assert budget.cost_used == Decimal(1)

    def test_a_snapshot_is_plain_and_leaves_the_seconds_out(self) -> None:
        budget = Budget({"max_seconds": 60, "max_cost_usd": "2.50"})
        budget.start()
        snapshot = json.loads(json.dumps(budget.snapshot()))

        assert snapshot["used"]["max_seconds"] == 0.0
        assert snapshot["limits"]["max_events"] is None
        assert (snapshot["cost_used_usd"], snapshot["cost_limit_usd"]) == ("0", "2.50")

    @pytest.mark.parametrize(
        "limits",
        [
            {"max_event": 1},
            {"max_events": -1},
            {"max_events": "1"},
            {"max_events": True},
            {"max_events": float("nan")},
            {"max_cost_usd": "-1"},
            {"max_cost_usd": "dear"},
            {"max_cost_usd": True},
            {"max_events": Decimal("NaN")},
            {"max_cost_usd": Decimal("sNaN")},
            {"max_cost_usd": float("-inf")},
            {"max_cost_usd": [10**5000]},
            5,
            "max_events",
        ],
    )
    def test_what_would_never_stop_anything_is_refused(self, limits: Any) -> None:
        with pytest.raises(InvalidRuntimeConfiguration):
            Budget(limits)

    def test_what_somebody_takes_from_a_clock_counts_from_its_start(self) -> None:
        class Stopwatch(FrozenClock):
            at = 10.0

            def monotonic(self) -> float:
                return self.at

        clock, budget = Stopwatch(), Budget({"max_seconds": 5})
        budget.use_clock(clock)
        assert budget.elapsed_seconds() == 0.0
        budget.start()
        clock.at = 15.0
        assert not budget.remaining()
        budget.start()
        assert budget.remaining()


class TestUse:
    def test_an_event_is_dispatched_in_full_under_a_limit_of_events(self) -> None:
        seen: list[str] = []
        runtime = new([recording(n, seen, ["a"]) for n in ("one", "two")], budget={"max_events": 1})
        emit(runtime, "a")
        emit(runtime, "a")
        runtime.run_until_idle()

        assert seen == ["one evt_001", "two evt_001"]

    def test_each_relation_is_a_call_and_is_asked_for(self) -> None:
        seen: list[str] = []
        visit = RelationBehavior("r", lambda r, e, g, c: seen.append(r.target), "knows", ["a"])
        runtime = new([visit])
        for other in "xyz":
            runtime.graph.add_relation("hub", other, "knows")
        emit(runtime, "a", {"id": "hub"})
        runtime.budget = {"max_behavior_calls": 2}
        runtime.run_until_idle()

        assert seen == ["x", "y"]
        assert runtime.budget.used["max_behavior_calls"] == 2.0
        runtime.budget = {}
        runtime.run_until_idle()
        assert seen == ["x", "y", "z"]
        assert runtime.budget.used["max_events"] == 0.0

    def test_a_schedule_is_no_call_and_uses_none(self) -> None:
        runtime = new([recording("late", [], ["a"], activate_after=1)], budget={"max_behavior_calls": 1})
        emit(runtime, "a")
        runtime.run_until_idle()

        assert types_of(runtime) == ["a", "behavior.scheduled", "runtime.idle"]
        assert runtime.budget.used["max_behavior_calls"] == 0.0

    def test_internal_events_use_no_event(self) -> None:
        runtime = new([recording("a", [], ["a"]), recording("m", [], ["behavior.completed"])])
        emit(runtime, "a")
        runtime.run_until_idle()

        assert runtime.budget.used["max_events"] == 1.0
        assert runtime.budget.used["max_behavior_calls"] == 2.0

    def test_depth_is_the_greatest_and_no_behavior_runs_at_the_limit(self) -> None:
        seen: list[str] = []

        def deeper(event: Event, graph: Any, ctx: Any) -> None:
            seen.append(event.id)
            graph.emit("a", {})

        runtime = new([Behavior("d", deeper, ["a"])], budget={"max_depth": 2})
        emit(runtime, "a")
        runtime.run_until_idle()

        assert len(seen) == 2
        assert runtime.budget.used["max_depth"] == 2.0

    @pytest.mark.parametrize("limits", [{"max_depth": 99}, None])
    def test_depth_is_known_after_a_load_too(self, tmp_path: Path, limits: Any) -> None:
        def deeper(event: Event, graph: Any, ctx: Any) -> None:
            graph.emit("a", {})

        runtime = new([Behavior("d", deeper, ["a"])], persist_to=tmp_path / "run.db", budget={"max_events": 5})
        emit(runtime, "a")
        runtime.run_until_idle()
        runtime.close()
        again = loaded(tmp_path / "run.db", [recording("b", [], ["a"])], budget=limits)
        again.run_until_idle()

        assert again.budget.used["max_depth"] == 5.0

    @pytest.mark.parametrize("causes", [("evt_001",), ("evt_002", "evt_001"), ("unknown",)])
    def test_causes_that_go_round_or_lead_nowhere_end_somewhere(self, causes: tuple[str, ...]) -> None:
        runtime = new([recording("b", [])], budget={"max_depth": 99})
        for cause in causes:
            emit(runtime, "a", caused_by=cause)
        runtime.run_until_idle()

        assert runtime.status().state == "idle"

    def test_seconds_begin_anew_with_a_goal_and_go_on_without(self) -> None:
        class Stopwatch(FrozenClock):
            at = 0.0

            def monotonic(self) -> float:
                return self.at

        clock = Stopwatch()
        runtime = new([], Graph(clock=clock, run_id=RUN))
        runtime.run_until_idle()
        clock.at = 5.0
        runtime.run_until_idle()
        assert runtime.status().budget.used["max_seconds"] == 5.0
        runtime.run_goal("g")
        assert runtime.status().budget.used["max_seconds"] == 0.0


class TestCarryOver:
    def behaviors(self) -> list[Behavior]:
        def work(event: Event, graph: Any, ctx: Any) -> None:
            graph.patch_object("x#1", {"by": event.id})

        return [Behavior("w", work, ["a"])]

    def run(self, path: Path, events: int) -> None:
        runtime = new(self.behaviors(), persist_to=path)
        runtime.graph.add_object("x", {})
        for _ in range(events):
            emit(runtime, "a")
        runtime.run_until_idle()
        runtime.graph.patch_object("x#1", {"by": "host"})
        runtime.close()

    def test_use_goes_on_from_what_the_log_records(self, tmp_path: Path) -> None:
        self.run(tmp_path / "run.db", 3)
        budget = Budget(carry_over=True)
        loaded(tmp_path / "run.db", self.behaviors(), budget=budget)

        assert {key: used for key, used in budget.used.items() if used} == {
            "max_events": 7.0,
            "max_behavior_calls": 3.0,
            "max_patches": 3.0,
        }

    def test_the_same_budget_given_to_a_second_load_is_not_charged_twice(self, tmp_path: Path) -> None:
        self.run(tmp_path / "run.db", 1)
        budget = Budget(carry_over=True)
        for _ in range(2):
            loaded(tmp_path / "run.db", self.behaviors(), budget=budget)

        assert budget.used["max_behavior_calls"] == 1.0

    def test_without_it_a_load_and_a_fork_start_from_zero(self, tmp_path: Path) -> None:
        self.run(tmp_path / "run.db", 1)
        again = loaded(tmp_path / "run.db", self.behaviors(), budget={"max_behavior_calls": 1})
        assert again.budget.used["max_behavior_calls"] == 0.0
        assert again.fork("evt_001").budget.used["max_events"] == 0.0


class TestSaying:
    def lines(self, caplog: pytest.LogCaptureFixture) -> list[str]:
        return [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]

    def test_it_is_said_once_that_little_is_left_before_it_is_used_up(self, caplog: pytest.LogCaptureFixture) -> None:
        runtime = new([recording("b", [], ["a"])], budget={"max_behavior_calls": 5})
        for _ in range(9):
            emit(runtime, "a")
        runtime.run_until_idle()

        assert self.lines(caplog) == ["budget at 80%: max_behavior_calls 4 of 5"]
        assert caplog.records[0].name == "activegraph.runtime"
        assert caplog.records[0].run_id == RUN  # type: ignore[attr-defined]

    def test_it_is_said_once_per_dimension_and_runtime_whatever_the_budget(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        runtime = new([recording("b", [], ["a"])], budget={"max_behavior_calls": 1, "max_events": 1_000_000})
        for _ in range(3):
            emit(runtime, "a")
        runtime.run_until_idle()
        runtime.budget = {"max_behavior_calls": 1, "max_cost_usd": "1"}
        runtime.budget.add_cost("0.85")
        runtime.run_until_idle()

        assert self.lines(caplog) == [
            "budget at 100%: max_behavior_calls 1 of 1",
            "budget at 85%: max_cost_usd 0.85 of 1",
        ]

    def test_a_limit_of_zero_is_no_news(self, caplog: pytest.LogCaptureFixture) -> None:
        new([], budget={"max_events": 0}).run_until_idle()

        assert self.lines(caplog) == []
