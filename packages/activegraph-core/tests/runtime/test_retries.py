"""Retries: opt-in, visible in the log, and over when they have cost what they may."""

from __future__ import annotations

from typing import Any

import pytest
from activegraph.core.clock import FrozenClock
from activegraph.core.event import Event
from activegraph.core.graph import Graph
from activegraph.errors import (
    IncompatibleRuntimeState,
    InvalidRuntimeConfiguration,
    LLMBehaviorError,
    MissingOptionalDependency,
)
from activegraph.llm.behavior import LLMBehavior
from activegraph.runtime.runtime import Runtime
from support.runtimes import new
from support.scripted import ScriptedProvider, answer


class Sleeper(FrozenClock):
    """Notes how long it was to sleep."""

    def __init__(self) -> None:
        super().__init__()
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


def limited(**extras: Any) -> LLMBehaviorError:
    return LLMBehaviorError("llm.rate_limited", "slow down", payload_extras=extras)


def network(kind: str) -> LLMBehaviorError:
    return LLMBehaviorError("llm.network_error", "failed", payload_extras={"error_kind": kind})


def asker(**fields: Any) -> LLMBehavior:
    def note(event: Event, graph: Any, ctx: Any, out: Any) -> None:
        graph.add_object("note", {"text": str(out)})

    return LLMBehavior(**{"name": "asker", "on": ["goal.created"], "handler": note, **fields})


def run(provider: ScriptedProvider, attempts: int = 3, **options: Any) -> tuple[Runtime, Sleeper]:
    clock = Sleeper()
    runtime = Runtime(Graph(clock=clock), [asker()], llm_provider=provider, llm_retry_max_attempts=attempts, **options)
    runtime.run_goal("why")
    return runtime, clock


def of_type(runtime: Runtime, type: str) -> list[Event]:
    return [event for event in runtime.graph.events if event.type == type]


def test_by_default_a_model_is_asked_once() -> None:
    provider = ScriptedProvider(limited(), answer())
    runtime = new([asker()], llm_provider=provider)
    runtime.run_goal("why")

    assert len(provider.calls) == 1
    assert runtime.errors[0].reason == "llm.rate_limited"
    assert "attempts" not in of_type(runtime, "behavior.failed")[0].payload


def test_a_limit_that_passes_is_waited_out_and_each_attempt_stands_in_the_log() -> None:
    provider = ScriptedProvider(limited(), limited(), answer("at last"))
    runtime, clock = run(provider)

    requests, responses = of_type(runtime, "llm.requested"), of_type(runtime, "llm.responded")
    assert [r.caused_by for r in requests] == ["evt_001", responses[0].id, responses[1].id]
    assert [r.caused_by for r in responses] == [r.id for r in requests]
    assert "attempt_index" not in requests[0].payload
    for attempt, request in enumerate(requests[1:], 1):
        assert request.payload["attempt_index"] == attempt
        assert request.payload["max_attempts"] == 3
        assert request.payload["retry_of"] == requests[0].id
        assert "prompt" not in request.payload
        assert request.payload["prompt_hash"] == requests[0].payload["prompt_hash"]
    assert responses[0].payload == {
        "behavior": "asker",
        "prompt_hash": requests[0].payload["prompt_hash"],
        "turn_index": 0,
        "model": "scripted-1",
        "error": {"reason": "llm.rate_limited", "message": "slow down"},
        "cache_hit": False,
        "retryable": True,
        "attempt_index": 0,
        "max_attempts": 3,
        "latency_seconds": 0.0,
        "cost_usd": "0",
    }
    assert clock.slept == [0.5, 1.0]
    assert runtime.graph.objects("note")[0].data == {"text": "at last"}
    assert runtime.graph.objects("note")[0].provenance["llm_request_event_id"] == requests[2].id


def test_all_attempts_have_one_key() -> None:
    provider = ScriptedProvider(limited(), limited(), answer())
    run(provider)

    assert len({call["idempotency_key"] for call in provider.calls}) == 1


def test_all_attempts_of_a_turn_are_one_call_of_the_budget() -> None:
    runtime, _ = run(ScriptedProvider(limited(), answer()), budget={"max_llm_calls": 1})

    assert runtime.budget.used["max_llm_calls"] == 1
    assert runtime.graph.objects("note")


def test_the_last_attempt_that_fails_fails_the_behavior_and_says_how_many_there_were() -> None:
    runtime, clock = run(ScriptedProvider(limited()), attempts=4)

    [failed] = of_type(runtime, "behavior.failed")
    assert failed.payload["reason"] == "llm.rate_limited"
    assert (failed.payload["attempts"], failed.payload["max_attempts"]) == (4, 4)
    assert failed.payload["retry_exhausted"] is True
    assert clock.slept == [0.5, 1.0, 2.0]


def test_the_wait_is_what_the_provider_asks_for_and_never_above_the_maximum() -> None:
    script = [limited(retry_after_seconds=3.5), limited(retry_after_seconds=99.0), limited(retry_after_seconds=True)]
    _, clock = run(ScriptedProvider(*script, answer()), attempts=4, llm_retry_max_delay_seconds=6.0)

    assert clock.slept == [3.5, 6.0, 2.0]


@pytest.mark.parametrize("kind", ["timeout", "connection", "server", "unknown", "rate_limit"])
def test_what_may_pass_is_asked_again(kind: str) -> None:
    provider = ScriptedProvider(network(kind), answer())
    runtime, _ = run(provider)

    assert len(provider.calls) == 2
    assert runtime.errors == []


@pytest.mark.parametrize(
    "error",
    [
        network("auth"),
        network("invalid_request"),
        LLMBehaviorError("llm.parse_error", "no JSON"),
        LLMBehaviorError("llm.fixture_missing", "no file"),
        LLMBehaviorError("llm.own", "mine"),
        MissingOptionalDependency(package="anthropic", feature="AnthropicProvider"),
        IncompatibleRuntimeState("no key"),
    ],
)
def test_what_would_fail_again_is_asked_once(error: Exception) -> None:
    provider = ScriptedProvider(error, answer())
    runtime, clock = run(provider)

    assert len(provider.calls) == 1
    assert clock.slept == []
    assert of_type(runtime, "llm.responded")[0].payload["retryable"] is False
    assert "retry_exhausted" not in of_type(runtime, "behavior.failed")[0].payload


def test_the_cost_of_a_failed_attempt_counts_and_may_leave_nothing_for_the_next() -> None:
    provider = ScriptedProvider(limited(cost_usd="0.05"), answer())
    runtime, _ = run(provider, budget={"max_cost_usd": "0.06"})

    assert len(provider.calls) == 1
    assert runtime.errors[0].reason == "budget.cost_exhausted"
    assert of_type(runtime, "llm.responded")[0].payload["cost_usd"] == "0.05"


def test_a_fork_asks_as_often_as_its_parent_unless_told(tmp_path: Any) -> None:
    provider = ScriptedProvider(limited())
    runtime, _ = run(provider, attempts=2, persist_to=str(tmp_path / "run.db"))
    for given, expected in ((None, 2), (3, 3)):
        provider.calls.clear()
        runtime.fork("evt_001", llm_retry_max_attempts=given).run_until_idle()
        assert len(provider.calls) == expected


@pytest.mark.parametrize(
    "options",
    [
        {"llm_retry_max_attempts": 0},
        {"llm_retry_max_attempts": 2.5},
        {"llm_retry_max_attempts": True},
        {"llm_retry_initial_delay_seconds": -1},
        {"llm_retry_max_delay_seconds": float("nan")},
        {"llm_retry_max_delay_seconds": "8"},
    ],
)
def test_retries_that_make_no_sense_refuse_the_runtime(options: dict[str, Any]) -> None:
    graph = Graph()

    with pytest.raises(InvalidRuntimeConfiguration):
        Runtime(graph, [], **options)

    assert graph._recorder.observer is None
