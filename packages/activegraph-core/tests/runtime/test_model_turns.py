"""LLM behaviors run: the conversation, its events, budgets, failures and what the handler is given."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from activegraph.behaviors.base import AnyBehavior
from activegraph.core.event import Event
from activegraph.errors import LLMBehaviorError, MissingProviderError, MissingToolError, ToolError
from activegraph.llm.behavior import LLMBehavior
from activegraph.runtime.runtime import Runtime
from activegraph.tools.base import Tool
from pydantic import BaseModel
from support.runtimes import new, types_of
from support.scripted import ScriptedProvider, answer, asking


class Causes(BaseModel):
    causes: list[str]


class Query(BaseModel):
    host: str
    limit: int = 10


def noting(event: Event, graph: Any, ctx: Any, out: Any) -> None:
    graph.add_object("note", {"text": str(out)})


def asker(handler: Any = noting, **fields: Any) -> LLMBehavior:
    return LLMBehavior(**{"name": "asker", "on": ["goal.created"], "handler": handler, **fields})


def look(args: Any, ctx: Any) -> dict[str, Any]:
    return {"seen": args["host"] if isinstance(args, dict) else args.host}


def asked(runtime: Runtime, goal: str = "why") -> Runtime:
    runtime.run_goal(goal)
    return runtime


def run(provider: Any, behavior: AnyBehavior | None = None, **options: Any) -> Runtime:
    return asked(new([behavior or asker()], llm_provider=provider, **options))


def of_type(runtime: Runtime, type: str) -> list[Event]:
    return [event for event in runtime.graph.events if event.type == type]


def failure(runtime: Runtime) -> dict[str, Any]:
    [failed] = of_type(runtime, "behavior.failed")
    return failed.payload


class TestOneTurn:
    def test_a_question_and_its_answer_stand_between_the_marks_of_the_behavior(self) -> None:
        runtime = run(ScriptedProvider(answer("fine")))

        assert types_of(runtime) == [
            "goal.created",
            "behavior.started",
            "llm.requested",
            "llm.responded",
            "object.created",
            "behavior.completed",
            "runtime.idle",
        ]
        request, response = runtime.graph.events[2:4]
        assert (request.actor, request.caused_by) == ("asker", "evt_001")
        assert (response.actor, response.caused_by) == ("asker", request.id)

    def test_the_payloads_are_those_of_the_specification(self) -> None:
        behavior = asker(description="Say why.", model="m-1")
        runtime = run(ScriptedProvider(answer("fine")), behavior)

        request, response, _, completed = runtime.graph.events[2:6]
        prompt = behavior.build_prompt(runtime.graph.events[0], runtime.graph)
        assert request.payload == {
            "behavior": "asker",
            "model": "m-1",
            "prompt_hash": request.payload["prompt_hash"],
            "deterministic": False,
            "cache_hit": False,
            "turn_index": 0,
            "prompt_normalized": True,
            "prompt": request.payload["prompt"],
        }
        assert request.payload["prompt"]["system"] == prompt.system
        assert response.payload == {
            **answer("fine").to_dict(),
            "behavior": "asker",
            "prompt_hash": request.payload["prompt_hash"],
            "turn_index": 0,
        }
        assert completed.payload["tool_calls"] == 0
        assert completed.payload["objects_created"] == 1

    def test_the_hash_is_that_of_the_prompt_that_the_behavior_builds_without_a_runtime(self) -> None:
        behavior = asker()
        runtime = new([behavior], llm_provider=ScriptedProvider())
        runtime.graph.add_object("task", {"n": 1})
        goal = runtime.graph.emit(Event(runtime.graph.ids.event(), "goal.created", {"goal": "why"}, actor="user"))
        expected = behavior.build_prompt(goal, runtime.graph).hash()

        runtime.run_until_idle()

        assert of_type(runtime, "llm.requested")[0].payload["prompt_hash"] == expected

    def test_the_provider_is_asked_with_the_declared_arguments(self) -> None:
        provider = ScriptedProvider()
        run(provider, asker(max_tokens=77, temperature=0.3, top_p=0.9, timeout_seconds=5.0, model="m-1"))

        [call] = provider.calls
        assert {key: call[key] for key in ("model", "max_tokens", "temperature", "top_p", "timeout_seconds")} == {
            "model": "m-1",
            "max_tokens": 77,
            "temperature": 0.3,
            "top_p": 0.9,
            "timeout_seconds": 5.0,
        }
        assert call["tools"] is None
        assert [message.role for message in call["messages"]] == ["user"]

    def test_a_deterministic_behavior_asks_with_temperature_0_and_top_p_1(self) -> None:
        provider = ScriptedProvider()
        runtime = run(provider, asker(deterministic=True, temperature=0.3, top_p=0.5))

        assert (provider.calls[0]["temperature"], provider.calls[0]["top_p"]) == (0.0, 1.0)
        assert of_type(runtime, "llm.requested")[0].payload["deterministic"] is True

    def test_a_free_text_behavior_gets_the_text(self) -> None:
        runtime = run(ScriptedProvider(answer("because")))

        assert runtime.graph.objects("note")[0].data == {"text": "because"}

    def test_a_handler_with_a_schema_gets_the_instance(self) -> None:
        given = Causes(causes=["disk"])
        got: list[Any] = []
        run(
            ScriptedProvider(answer(parsed=given)),
            asker(lambda event, graph, ctx, out: got.append(out), output_schema=Causes),
        )

        assert got[0] is given

    def test_what_the_handler_creates_names_the_request_it_is_from(self) -> None:
        runtime = run(ScriptedProvider())

        [note] = runtime.graph.objects("note")
        assert note.provenance["llm_request_event_id"] == of_type(runtime, "llm.requested")[0].id
        assert "tool_request_event_ids" not in note.provenance
        assert note.provenance["caused_by_event"] == "evt_001"

    def test_the_handler_sees_the_provider_on_its_context(self) -> None:
        provider = ScriptedProvider()
        seen: list[Any] = []
        run(provider, asker(lambda event, graph, ctx, out: seen.append(ctx.llm_provider)))

        assert seen == [provider]


class TestTools:
    def test_the_tools_that_an_answer_asks_for_are_called_and_told_to_the_model(self) -> None:
        provider = ScriptedProvider(asking(("look", {"host": "a"}), text="let me see"), answer("done"))
        runtime = run(provider, asker(tools=[Tool("look", look, cost_per_call=Decimal("0.002"))]))

        assert types_of(runtime)[2:9] == [
            "llm.requested",
            "llm.responded",
            "tool.requested",
            "tool.responded",
            "llm.requested",
            "llm.responded",
            "object.created",
        ]
        first, _, tool_request, tool_answer, second = runtime.graph.events[2:7]
        assert tool_request.caused_by == first.id
        assert tool_request.payload == {
            "behavior": "asker",
            "tool": "look",
            "args": {"host": "a"},
            "args_hash": tool_request.payload["args_hash"],
            "call_id": "call_1",
            "cache_hit": False,
            "deterministic": False,
        }
        assert tool_answer.caused_by == tool_request.id
        assert tool_answer.payload == {
            "behavior": "asker",
            "tool": "look",
            "args_hash": tool_request.payload["args_hash"],
            "output": {"seen": "a"},
            "error": None,
            "cache_hit": False,
            "latency_seconds": 0.0,
            "cost_usd": "0.002",
            "deterministic": False,
        }
        assert second.caused_by == first.id
        assert second.payload["turn_index"] == 1
        assert "prompt" not in second.payload
        assert second.payload["messages"] == [
            {
                "role": "assistant",
                "content": "let me see",
                "tool_calls": [{"id": "call_1", "name": "look", "args": {"host": "a"}}],
            },
            {"role": "tool", "content": '{"seen": "a"}', "tool_use_id": "call_1", "tool_name": "look"},
        ]
        assert [m.role for m in provider.calls[1]["messages"]] == ["user", "assistant", "tool"]
        assert runtime.budget.cost_used == Decimal("0.022")

    def test_the_outcome_counts_the_calls_and_what_is_created_names_them(self) -> None:
        provider = ScriptedProvider(asking(("look", {"host": "a"}), ("look", {"host": "b"})), answer())
        runtime = run(provider, asker(tools=[Tool("look", look)]))

        [completed] = of_type(runtime, "behavior.completed")
        assert completed.payload["tool_calls"] == 2
        [note] = runtime.graph.objects("note")
        assert note.provenance["tool_request_event_ids"] == [e.id for e in of_type(runtime, "tool.requested")]
        assert note.provenance["llm_request_event_id"] == of_type(runtime, "llm.requested")[1].id

    def test_arguments_are_recorded_and_handed_over_as_the_schema_reads_them(self) -> None:
        got: list[Any] = []
        tool = Tool("look", lambda args, ctx: got.append(args), input_schema=Query)
        runtime = run(ScriptedProvider(asking(("look", {"host": "a"})), answer()), asker(tools=[tool]))

        assert got == [Query(host="a", limit=10)]
        assert of_type(runtime, "tool.requested")[0].payload["args"] == {"host": "a", "limit": 10}

    def test_a_model_that_never_stops_asking_for_tools_fails_its_behavior(self) -> None:
        provider = ScriptedProvider(asking(("look", {"host": "a"})))
        runtime = run(provider, asker(tools=[Tool("look", look)], max_tool_turns=3))

        assert failure(runtime)["reason"] == "tool.max_turns_exhausted"
        assert failure(runtime)["max_tool_turns"] == 3
        assert len(provider.calls) == 3
        assert types_of(runtime)[-1] == "runtime.idle"


class TestRegistryBuild:
    def test_without_a_provider_a_run_is_refused_before_anything_is_emitted(self) -> None:
        runtime = new([asker()])

        with pytest.raises(MissingProviderError) as refusal:
            runtime.run_goal("why")

        assert refusal.value.behavior_name == "asker"
        assert list(runtime.graph.events) == []

    def test_an_unknown_tool_refuses_the_run_before_anything_is_emitted(self) -> None:
        runtime = new([asker(tools=["nowhere"])], llm_provider=ScriptedProvider())

        with pytest.raises(MissingToolError):
            runtime.run_goal("why")

        assert list(runtime.graph.events) == []


class TestFailures:
    @pytest.mark.parametrize(
        ("error", "reason"),
        [
            (LLMBehaviorError("llm.rate_limited", "slow down"), "llm.rate_limited"),
            (LLMBehaviorError("llm.own", "mine", payload_extras={"detail": 7}), "llm.own"),
            (ConnectionError("gone"), "llm.network_error"),
            (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"), "llm.network_error"),
        ],
    )
    def test_a_call_that_raises_is_an_answer_with_an_error_and_a_failed_behavior(
        self, error: Exception, reason: str
    ) -> None:
        runtime = run(ScriptedProvider(error))

        [responded] = of_type(runtime, "llm.responded")
        assert responded.payload["error"]["reason"] == reason
        assert responded.payload["cost_usd"] == "0"
        assert failure(runtime)["reason"] == reason
        assert runtime.errors[0].reason == reason
        assert types_of(runtime)[-2:] == ["behavior.failed", "runtime.idle"]

    def test_an_answer_of_another_shape_is_a_schema_violation(self) -> None:
        runtime = run(ScriptedProvider(answer('{"causes": 7}', parsed={"causes": 7})), asker(output_schema=Causes))

        assert failure(runtime)["reason"] == "llm.schema_violation"
        assert failure(runtime)["schema"] == "Causes"
        assert "error" not in of_type(runtime, "llm.responded")[0].payload

    def test_a_handler_gives_its_failure_a_reason_with_an_llm_error_and_with_nothing_else(self) -> None:
        def failing(error: Exception) -> Any:
            def handler(event: Event, graph: Any, ctx: Any, out: Any) -> None:
                graph.add_object("half", {})
                raise error

            return handler

        mine = LLMBehaviorError("llm.not_convincing", "no", payload_extras={"score": 0.1, "reason": "other"})
        for error, reason in ((mine, "llm.not_convincing"), (ToolError("tool.mine", "no"), None), (ValueError(), None)):
            runtime = run(ScriptedProvider(), asker(failing(error)))
            assert failure(runtime).get("reason") == reason
            assert runtime.graph.objects("half")
        assert "score" not in failure(runtime)

    def test_a_prompt_that_cannot_be_built_fails_its_behavior_before_anything_is_asked(self) -> None:
        behavior = asker()
        behavior.prompt_template = "{nonsense}"
        provider = ScriptedProvider()
        runtime = run(provider, behavior)

        assert failure(runtime)["reason"] == "llm.prompt_assembly_error"
        assert provider.calls == []
        assert of_type(runtime, "llm.requested") == []
