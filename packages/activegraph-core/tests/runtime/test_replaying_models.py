"""Strict replay of runs that asked models and tools: all answers come from the log, and nobody is asked."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from activegraph.behaviors.base import Behavior
from activegraph.core.clock import FrozenClock
from activegraph.core.event import Event
from activegraph.core.graph import Graph
from activegraph.errors import (
    IncompatibleRuntimeState,
    LLMBehaviorError,
    MissingToolError,
    ReplayDivergenceError,
    ToolError,
)
from activegraph.frame import Frame
from activegraph.llm.behavior import LLMBehavior
from activegraph.operations.migrate import migrate
from activegraph.runtime.runtime import Runtime
from activegraph.tools.base import Tool
from activegraph.tools.cache import CachedToolResponse
from pydantic import BaseModel
from support.runtimes import RUN, loaded, new
from support.scripted import ScriptedProvider, answer, asking


class Causes(BaseModel):
    causes: list[str]


class Query(BaseModel):
    host: str


def noting(event: Event, graph: Any, ctx: Any, out: Any) -> None:
    graph.add_object("note", {"text": str(out)})


def asker(handler: Any = noting, **fields: Any) -> LLMBehavior:
    return LLMBehavior(**{"name": "asker", "on": ["goal.created"], "handler": handler, **fields})


def tool(body: Callable[..., Any] = lambda args, ctx: {"host": args["host"]}, **fields: Any) -> Tool:
    return Tool(**{"name": "look", "fn": body, **fields})


def never(*args: Any, **options: Any) -> Any:
    raise AssertionError("nobody is asked in a strict replay")


class Forbidden:
    """A provider that must not be asked, not even for a price."""

    default_model = "another-model"
    complete = count_tokens = estimate_cost = staticmethod(never)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.db"


def record(
    path: Path, *behaviors: Any, provider: Any, goals: tuple[str, ...] = ("why",), **options: Any
) -> list[Event]:
    with new(behaviors, persist_to=path, llm_provider=provider, **options) as runtime:
        for goal in goals:
            runtime.run_goal(goal)
        return list(runtime.graph.events)


def replay(path: Path, *behaviors: Any, **options: Any) -> Runtime:
    return loaded(path, behaviors, replay_strict=True, **options)


def divergence(path: Path, *behaviors: Any, **options: Any) -> ReplayDivergenceError:
    with pytest.raises(ReplayDivergenceError) as raised:
        replay(path, *behaviors, **options)
    return raised.value


def only(events: list[Event], type: str) -> Event:
    [found] = [event for event in events if event.type == type]
    return found


class TestAnswersOfTheLog:
    def test_no_provider_is_needed(self, path: Path) -> None:
        record(path, asker(), provider=ScriptedProvider(answer("because")))

        assert replay(path, asker()).llm_provider is None

    def test_a_provider_that_is_given_is_not_asked(self, path: Path) -> None:
        record(path, asker(), provider=ScriptedProvider(answer("because")), budget={"max_cost_usd": 5})

        for switches in ({}, {"replay_llm_cache": True, "replay_tool_cache": True}):
            replay(path, asker(), llm_provider=Forbidden(), budget={"max_cost_usd": 5}, **switches)

    def test_a_behavior_without_a_model_takes_the_recorded_one_and_keeps_none(self, path: Path) -> None:
        record(path, asker(), provider=ScriptedProvider())
        behavior = asker()

        replay(path, behavior)
        assert behavior.model is None

    def test_structured_answers_are_validated_again(self, path: Path) -> None:
        seen: list[Any] = []
        made = answer('{"causes": ["disk"]}', parsed=Causes(causes=["disk"]))
        record(path, asker(output_schema=Causes), provider=ScriptedProvider(made))

        replay(path, asker(lambda e, g, c, out: (seen.append(out), noting(e, g, c, out)), output_schema=Causes))
        assert seen == [Causes(causes=["disk"])]

    def test_the_same_question_gets_its_answers_in_their_order(self, path: Path) -> None:
        behavior = asker(view_spec={"recent_events": 0, "include_types": ["nothing"]})
        answers = ScriptedProvider(answer("one"), answer("two"), answer("three"))
        events = record(path, behavior, provider=answers, goals=("same", "same", "same"))
        assert len({e.payload["prompt_hash"] for e in events if e.type == "llm.requested"}) == 1

        replay(path, behavior)

    def test_tools_are_not_called_either(self, path: Path) -> None:
        script = (asking(("look", {"host": "db1"}), ("look", {"host": "db2"})), answer("done"))
        record(path, asker(tools=[tool()]), provider=ScriptedProvider(*script))

        replay(path, asker(tools=[tool(never)]))

    def test_tools_still_have_to_be_there(self, path: Path) -> None:
        record(path, asker(tools=[tool()]), provider=ScriptedProvider())

        with pytest.raises(MissingToolError):
            replay(path, asker(tools=["look"]))

    @pytest.mark.parametrize(
        "failing",
        [
            LLMBehaviorError("llm.network_error", "gone", payload_extras={"error_kind": "auth"}),
            LLMBehaviorError("llm.parse_error", "no JSON", payload_extras={"raw_text": "x", "cost_usd": "0.5"}),
            RuntimeError("broken provider"),
            "rubbish",
        ],
    )
    def test_failures_of_models_are_served_too(self, path: Path, failing: Any) -> None:
        seen: list[str] = []
        told = Behavior(
            "told", lambda e, g, c: (seen.append(e.payload["reason"]), g.emit("told", {}))[0], ["behavior.failed"]
        )
        record(path, asker(), told, provider=ScriptedProvider(failing))

        replay(path, asker(), told)
        assert seen[0] == seen[1]

    @pytest.mark.parametrize(
        "body",
        [
            lambda args, ctx: 1 / 0,
            lambda args, ctx: object(),
            lambda args, ctx: (_ for _ in ()).throw(ToolError("tool.mine", "no", payload_extras={"a": 1})),
        ],
    )
    def test_failures_of_tools_are_served_too(self, path: Path, body: Any) -> None:
        script = (asking(("look", {"host": "db1"})), answer("done"))
        record(path, asker(tools=[tool(body)]), provider=ScriptedProvider(*script))

        replay(path, asker(tools=[tool(never)]))

    def test_refused_arguments_unknown_tools_and_endless_turns_fail_again(self, path: Path) -> None:
        ask = asking(("look", {"nothing": 1}))
        for place, script in enumerate(((ask,), (asking(("other", {})),), (asking(("look", {"host": "x"})),))):
            file = path.with_name(f"{place}.db")
            declared = asker(tools=[tool(lambda args, ctx: 1, input_schema=Query)], max_tool_turns=2)
            record(file, declared, provider=ScriptedProvider(*script))
            replay(file, asker(tools=[tool(never, input_schema=Query)], max_tool_turns=2))

    def test_attempts_at_one_turn_are_made_again_without_waiting(self, path: Path) -> None:
        limited = LLMBehaviorError("llm.rate_limited", "slow down", payload_extras={"retry_after_seconds": 3600})
        events = record(path, asker(), provider=ScriptedProvider(limited, limited, answer()), llm_retry_max_attempts=3)
        assert sum(event.type == "llm.requested" for event in events) == 3
        replay(path, asker())

        given_up = path.with_name("given_up.db")
        record(given_up, asker(), provider=ScriptedProvider(limited), llm_retry_max_attempts=2)
        replay(given_up, asker(), llm_retry_max_attempts=9)

    @pytest.mark.parametrize(
        "budget", [{"max_cost_usd": "0.0001"}, {"max_llm_calls": 1}, {"max_tool_calls": 1}, {"max_cost_usd": "0.011"}]
    )
    def test_what_a_budget_refused_is_refused_again_whatever_the_budget_is_now(
        self, path: Path, budget: dict[str, Any]
    ) -> None:
        script = (asking(("look", {"host": "db1"}), ("look", {"host": "db2"})), answer("done"))
        spending = tool(cost_per_call=Decimal("0.001"))
        events = record(path, asker(tools=[spending]), provider=ScriptedProvider(*script), budget=budget)
        assert "budget." in only(events, "behavior.failed").payload["reason"]

        replay(path, asker(tools=[spending]))

    def test_an_own_budget_of_a_behavior_is_kept_to_as_recorded(self, path: Path) -> None:
        script = (asking(("look", {"host": "db1"})), answer("done"))
        limited = asker(tools=[tool()], budget={"max_llm_calls": 1})
        events = record(path, limited, provider=ScriptedProvider(*script))
        assert only(events, "behavior.failed").payload["scope"] == "behavior"

        replay(path, limited)

    def test_answers_from_a_cache_are_answers(self, path: Path) -> None:
        behavior = asker(tools=[tool()])
        script = (asking(("look", {"host": "db1"})), answer("done"))
        parent = new([behavior], persist_to=path, llm_provider=ScriptedProvider(*script))
        parent.run_goal("why")
        fork = parent.fork("evt_001", replay_llm_cache=True, replay_tool_cache=True)
        fork.run_until_idle()
        assert all(e.payload["cache_hit"] for e in fork.graph.events if e.type == "llm.requested")

        replayed = loaded(path, [behavior], fork.run_id, replay_strict=True)
        assert replayed.run_id == fork.run_id

    def test_a_fork_inside_an_invocation_passes(self, path: Path) -> None:
        behavior = asker(tools=[tool()])
        script = (asking(("look", {"host": "db1"})), answer("done"))
        parent = new([behavior], persist_to=path, llm_provider=ScriptedProvider(*script))
        parent.run_goal("why")
        for event in parent.graph.events:
            fork = parent.fork(event.id, llm_provider=ScriptedProvider(*script))
            loaded(path, [behavior], fork.run_id, replay_strict=True)
            fork.run_until_idle()
            loaded(path, [behavior], fork.run_id, replay_strict=True)

    def test_an_approval_of_what_a_model_proposed_passes(self, path: Path) -> None:
        proposing = asker(lambda event, graph, ctx, out: ctx.propose_object("memo", {"text": out}, reason="ask"))
        with new([proposing], persist_to=path, llm_provider=ScriptedProvider(answer("yes"))) as runtime:
            runtime.run_goal("one")
            runtime.run_goal("two")
            first, second = runtime.pending_approvals()
            runtime.approve(first.id, "anna")
            runtime.deny(second.id, "anna", "no")
            runtime.run_until_idle()

        replay(path, proposing)


class Ticking(FrozenClock):
    """Each look at it is half a second later."""

    seconds = 0.0

    def monotonic(self) -> float:
        self.seconds += 0.5
        return self.seconds


class TestModelsThatAreAskedAboutCalls:
    """What a run says of its own calls holds durations, attempts and tracebacks, which no second execution has."""

    HEARD = (
        ("llm.requested", ScriptedProvider(answer("done"))),
        ("llm.responded", ScriptedProvider(ConnectionError("gone"), answer("done"))),
        ("tool.requested", ScriptedProvider(asking(("look", {"host": "db1"})), answer("done"))),
        ("tool.responded", ScriptedProvider(asking(("look", {"host": "db1"})), answer("done"))),
        ("behavior.failed", ScriptedProvider(ConnectionError("gone"))),
        ("behavior.completed", ScriptedProvider(answer("done"))),
    )

    @staticmethod
    def provider_of(script: ScriptedProvider, heard: list[dict[str, Any]]) -> ScriptedProvider:
        """Answers the asker by the script, and the auditor always the same."""
        asker = ScriptedProvider(*script.script)

        def reply(**call: Any) -> Any:
            if '"auditor"' not in call["system"]:
                return asker.complete(**call)
            heard.append(call)
            return answer("noted")

        return ScriptedProvider(reply)

    @pytest.mark.parametrize(("type", "script"), HEARD, ids=[type for type, _ in HEARD])
    def test_a_replay_and_a_fork_ask_what_was_asked(self, path: Path, type: str, script: ScriptedProvider) -> None:
        def declared() -> list[LLMBehavior]:
            return [
                asker(tools=[tool()]),
                asker(lambda event, graph, ctx, out: None, name="auditor", on=[type], where={"behavior": "asker"}),
            ]

        heard: list[dict[str, Any]] = []
        graph = Graph(run_id=RUN, clock=Ticking())
        options: dict[str, Any] = {"llm_retry_max_attempts": 2, "llm_retry_initial_delay_seconds": 0.0}
        parent = new(declared(), graph, llm_provider=self.provider_of(script, heard), persist_to=path, **options)
        parent.run_goal("why")
        assert heard
        asked = len(heard)
        fork = parent.fork("evt_001", replay_llm_cache=True, replay_tool_cache=True)
        fork.run_until_idle()
        run_id = fork.run_id
        fork.close()
        parent.close()

        assert len(heard) == asked
        replay(path, *declared())
        loaded(path, declared(), run_id, replay_strict=True)


class Charging:
    """An invoker that charges for what fails, too."""

    def invoke(self, tool: Any, args: Any, ctx: Any) -> CachedToolResponse:
        error = {"reason": "tool.mine", "message": "no"} if args["host"] == "db2" else None
        return CachedToolResponse({"host": args["host"]}, error, 1.5, Decimal("0.2"))


@pytest.mark.parametrize("attempts", [1, 2, 3])
def test_who_is_told_of_calls_is_told_the_same_again(path: Path, attempts: int) -> None:
    gone, unclear = ConnectionError("gone"), LLMBehaviorError("llm.parse_error", "no JSON")
    script = (gone, asking(("look", {"host": "db1"})), gone, asking(("look", {"host": "db2"})), unclear)
    calls = ("llm.requested", "llm.responded", "tool.requested", "tool.responded")
    told = Behavior("told", lambda event, graph, ctx: graph.emit("told", {"of": dict(event.payload)}), list(calls))
    behaviors = (asker(tools=[tool()]), told)
    record(
        path,
        *behaviors,
        provider=ScriptedProvider(*script),
        goals=("why", "and then", "and now"),
        graph=Graph(run_id=RUN, clock=Ticking()),
        tool_invoker=Charging(),
        llm_retry_max_attempts=attempts,
        llm_retry_initial_delay_seconds=0.0,
    )

    replay(path, *behaviors)


class TestChanges:
    def test_a_changed_prompt_is_found_before_its_answer_is_used(self, path: Path) -> None:
        events = record(path, asker(description="Say why."), provider=ScriptedProvider())
        error = divergence(path, asker(description="Say why not."))

        asked = only(events, "llm.requested")
        assert (error.event_id, error.kind) == (asked.id, "prompt_hash_mismatch")
        assert error.expected == f"prompt_hash={asked.payload['prompt_hash']}"
        assert error.actual is not None
        assert error.actual.startswith("prompt_hash=")
        assert error.actual != error.expected
        assert str(error).startswith(
            f"ReplayDivergenceError: replay diverged at {asked.id}: LLM prompt hash mismatch\n"
        )
        assert error.context["cause"] == "changed prompt: system"
        assert "  -Role: Say why." in error.context["diff"]
        assert "  +Role: Say why not." in error.context["diff"]
        assert error.context["behavior"] == "asker"

    @pytest.mark.parametrize(
        ("changed", "part"),
        [
            ({"model": "m-2"}, "model"),
            ({"max_tokens": 7}, "max_tokens"),
            ({"temperature": 0.1}, "temperature"),
            ({"deterministic": True}, "temperature, deterministic"),
            ({"output_schema": Causes}, "system, messages, output_schema_name, output_schema_json"),
            ({"tools": [tool()]}, "tools"),
            ({"creates": ["memo"]}, "messages"),
        ],
    )
    def test_each_part_of_a_prompt_is_named(self, path: Path, changed: dict[str, Any], part: str) -> None:
        record(path, asker(model="m-1"), provider=ScriptedProvider())

        assert divergence(path, asker(**{"model": "m-1", **changed})).context["cause"] == f"changed prompt: {part}"

    def test_another_frame_is_another_prompt(self, path: Path) -> None:
        record(path, asker(), provider=ScriptedProvider(), frame=Frame(goal="find the cause"))

        replay(path, asker(), frame=Frame(goal="find the cause"))
        assert divergence(path, asker(), frame=Frame(goal="find nothing")).kind == "prompt_hash_mismatch"

    def test_a_changed_handler_is_found_at_what_it_made(self, path: Path) -> None:
        events = record(path, asker(), provider=ScriptedProvider(answer("because")))
        error = divergence(path, asker(lambda event, graph, ctx, out: graph.add_object("note", {"text": out.upper()})))

        assert (error.event_id, error.kind) == (only(events, "object.created").id, "payload_mismatch")
        assert error.context["diff"] == ["object.data.text:", '  - "because"', '  + "BECAUSE"']

    def test_deterministic_tools_are_called_again_only_where_that_is_wanted(self, path: Path) -> None:
        script = (asking(("look", {"host": "db1"}), ("guess", {"host": "db1"})), answer("done"))
        calls: list[str] = []

        def declared(seen: str) -> LLMBehavior:
            look = tool(lambda args, ctx: (calls.append("look"), {"seen": seen})[1], deterministic=True)
            return asker(tools=[look, tool(lambda args, ctx: (calls.append("guess"), 1)[1], name="guess")])

        events = record(path, declared("a"), provider=ScriptedProvider(*script))
        assert calls == ["look", "guess"]

        replay(path, declared("b"))
        assert calls == ["look", "guess"]
        replay(path, declared("a"), replay_reinvoke_deterministic=True)
        assert calls == ["look", "guess", "look"]
        error = divergence(path, declared("b"), replay_reinvoke_deterministic=True)

        answered = next(event for event in events if event.type == "tool.responded")
        assert (error.event_id, error.kind) == (answered.id, "payload_mismatch")
        assert error.context["cause"].startswith("changed tool")
        assert error.context["diff"] == ["output.seen:", '  - "a"', '  + "b"']

    def test_an_answer_that_the_log_has_lost_is_named_and_not_asked_for(self, path: Path) -> None:
        events = record(path, asker(), provider=ScriptedProvider(), goals=("one", "two"))
        responded = next(event for event in events if event.type == "llm.responded")
        with sqlite3.connect(path) as database:
            database.execute("UPDATE events SET payload = '{' WHERE id = ?", (responded.id,))
        copy = path.with_name("copy.db")
        migrate(f"sqlite:///{path}", f"sqlite:///{copy}", skip_corrupted=True)

        error = divergence(copy, asker(), llm_provider=Forbidden())
        assert error.context["cause"].startswith("missing answer")
        assert error.actual == "llm.responded"


def test_a_run_that_a_crash_cut_off_inside_a_call_passes_as_far_as_it_goes(path: Path) -> None:
    class Crash(BaseException):
        pass

    provider = ScriptedProvider(asking(("look", {"host": "db1"})), Crash())
    runtime = new([asker(tools=[tool()])], persist_to=path, llm_provider=provider)
    with pytest.raises(Crash):
        runtime.run_goal("why")
    runtime.close()

    replay(path, asker(tools=[tool(never)]))
    assert divergence(path, asker(tools=[tool(never)], description="changed")).kind == "prompt_hash_mismatch"

    with loaded(path, [asker(tools=[tool(never)])], llm_provider=ScriptedProvider(answer("done"))) as resumed:
        resumed.run_until_idle()
    replay(path, asker(tools=[tool(never)]))


def test_a_call_in_doubt_that_somebody_settled_passes(path: Path) -> None:
    class Crash(BaseException):
        pass

    def crashes(args: Any, ctx: Any) -> Any:
        raise Crash

    for place, settled in enumerate(({"output": {"paid": True}}, {"error": "lost", "cost_usd": "0.5"})):
        file = path.with_name(f"doubt{place}.db")
        script = ScriptedProvider(asking(("look", {"host": "db1"})))
        runtime = new([asker(tools=[tool(crashes, retry_safe=False)])], persist_to=file, llm_provider=script)
        with pytest.raises(Crash):
            runtime.run_goal("why")
        runtime.close()
        behavior = asker(tools=[tool(never, retry_safe=False)])
        with loaded(file, [behavior], llm_provider=ScriptedProvider(answer("done"))) as resumed:
            with pytest.raises(IncompatibleRuntimeState) as doubt:
                resumed.run_until_idle()
            resumed.resolve_tool(doubt.value.context["requested_event_id"], resolved_by="anna", **settled)
            resumed.run_until_idle()
            types = [event.type for event in resumed.graph.events]
        assert "tool.in_doubt" in types
        assert types[-1] == "runtime.idle"

        replay(file, behavior, run_id=RUN)
