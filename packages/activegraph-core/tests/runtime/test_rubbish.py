"""A provider or a tool that gives rubbish: a reason, an event, and a run that goes on."""

from __future__ import annotations

import logging
import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from activegraph.core.clock import FrozenClock
from activegraph.core.codec import MAX_BYTES
from activegraph.core.event import Event
from activegraph.core.graph import Graph
from activegraph.errors import LLMBehaviorError, ToolError
from activegraph.llm.behavior import LLMBehavior
from activegraph.llm.types import LLMResponse, ToolCall
from activegraph.runtime.runtime import Runtime
from activegraph.tools.base import Tool
from activegraph.tools.cache import CachedToolResponse
from pydantic import BaseModel, field_serializer
from support.runtimes import loaded, new, types_of
from support.scripted import ScriptedProvider, answer, asking


class Answer(BaseModel):
    text: str


class Query(BaseModel):
    host: str


HUGE = "x" * (MAX_BYTES + 1)


def asker(**fields: Any) -> LLMBehavior:
    def note(event: Event, graph: Any, ctx: Any, out: Any) -> None:
        graph.add_object("note", {"text": str(out)[:100]})

    return LLMBehavior(**{"name": "asker", "on": ["goal.created"], "handler": note, **fields})


def of_type(runtime: Runtime, type: str) -> list[Event]:
    return [event for event in runtime.graph.events if event.type == type]


def reason_after(provider: Any, behavior: LLMBehavior, path: Path, **options: Any) -> tuple[str, Runtime]:
    """Why the behavior failed; the run went on, and its log is what a load reads."""
    runtime = new([behavior], llm_provider=provider, persist_to=path / "run.db", **options)
    runtime.run_goal("why")
    assert types_of(runtime)[-2:] == ["behavior.failed", "runtime.idle"]
    runtime.run_goal("and now")
    assert len(of_type(runtime, "goal.created")) == 2
    log = [event.to_dict() for event in runtime.graph.events]
    runtime.close()
    assert [event.to_dict() for event in loaded(path / "run.db", [behavior]).graph.events] == log
    return of_type(runtime, "behavior.failed")[0].payload.get("reason"), runtime


class NotAResponse:
    raw_text = "hello"

    def to_dict(self) -> Any:
        return 7


@pytest.mark.parametrize(
    "rubbish",
    [
        lambda **call: None,
        lambda **call: "just text",
        lambda **call: {"raw_text": "a dict"},
        lambda **call: NotAResponse(),
        lambda **call: answer(b"\xff\xfe"),
        lambda **call: answer(None),
        lambda **call: answer("ok", input_tokens="many"),
        lambda **call: answer("ok", output_tokens=-1),
        lambda **call: answer("ok", cost_usd=Decimal("NaN")),
        lambda **call: answer("ok", cost_usd="free"),
        lambda **call: answer("ok", cost_usd=Decimal(-1)),
        lambda **call: answer("ok", cost_usd=10**5000),
        lambda **call: answer("ok", cost_usd=Decimal("1e400")),
        lambda **call: answer("ok", input_tokens=10**5000),
        lambda **call: answer("ok", latency_seconds=float("inf")),
        lambda **call: answer("ok", latency_seconds=10**400),
        lambda **call: answer("ok", provider_meta={"raw": object()}),
        lambda **call: answer("ok", tool_calls=["look"]),
        lambda **call: answer("ok", tool_calls=[ToolCall(7, "look", {})]),
        lambda **call: answer("ok", tool_calls=[ToolCall("c", "look", object())]),
        lambda **call: answer(HUGE),
        lambda **call: answer("ok", parsed=object()),
    ],
)
def test_what_is_no_answer_is_a_failure_that_is_recorded(rubbish: Any, tmp_path: Path) -> None:
    reason, runtime = reason_after(ScriptedProvider(rubbish), asker(), tmp_path)

    assert reason == "llm.parse_error"
    responded = of_type(runtime, "llm.responded")[0].payload
    assert responded["error"]["reason"] == "llm.parse_error"
    assert responded["retryable"] is False
    assert len(responded["error"]["raw_text"]) < MAX_BYTES // 2


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


class Undumpable(BaseModel):
    text: str

    @field_serializer("text")
    def dump(self, value: str) -> str:
        raise ValueError("not told")


class Unparsed:
    """A response that can be told, and not be read."""

    def to_dict(self) -> Any:
        return answer(cost_usd=Decimal("0.4")).to_dict()

    @property
    def parsed(self) -> Any:
        raise ValueError("not read")


@pytest.mark.parametrize(
    "rubbish",
    [
        answer(HUGE, cost_usd=Decimal("0.4")),
        answer(parsed=Undumpable(text="x"), cost_usd=Decimal("0.4")),
        answer(tool_calls=[ToolCall("c", "look", {"a": nested(5000)})], cost_usd=Decimal("0.4")),
        answer(latency_seconds=10**400, cost_usd=Decimal("0.4")),
        Unparsed(),
    ],
)
def test_what_was_paid_for_rubbish_counts(rubbish: Any, tmp_path: Path) -> None:
    reason, runtime = reason_after(ScriptedProvider(rubbish), asker(), tmp_path)

    assert reason == "llm.parse_error"
    assert of_type(runtime, "llm.responded")[0].payload["cost_usd"] == "0.4"
    assert runtime.budget.cost_used == Decimal("0.8")


def test_an_answer_that_a_provider_could_not_parse_keeps_its_price(tmp_path: Path) -> None:
    error = LLMBehaviorError(
        "llm.parse_error", "no JSON", payload_extras={"raw_text": "hm", "underlying": "empty", "cost_usd": "0.03"}
    )
    reason, runtime = reason_after(ScriptedProvider(error), asker(output_schema=Answer), tmp_path)

    assert reason == "llm.parse_error"
    assert of_type(runtime, "llm.responded")[0].payload["cost_usd"] == "0.03"
    assert runtime.budget.cost_used == Decimal("0.06")


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (answer(""), "llm.parse_error"),
        (answer("text", parsed=None), "llm.parse_error"),
        (answer("{}", parsed={"text": 7}), "llm.schema_violation"),
        (answer("[]", parsed=[1, 2]), "llm.schema_violation"),
        (answer("7", parsed=7), "llm.schema_violation"),
    ],
)
def test_an_answer_that_is_none_of_the_schema_fails_its_behavior(response: Any, reason: str, tmp_path: Path) -> None:
    found, runtime = reason_after(ScriptedProvider(response), asker(output_schema=Answer), tmp_path)

    assert found == reason
    assert of_type(runtime, "behavior.failed")[0].payload["schema"] == "Answer"
    assert "error" not in of_type(runtime, "llm.responded")[0].payload


def test_text_with_nuls_and_lone_surrogates_comes_through_exactly(tmp_path: Path) -> None:
    odd = "a\x00b\ud800c\U0001f600"
    runtime = new([asker()], llm_provider=ScriptedProvider(answer(odd)), persist_to=tmp_path / "run.db")
    runtime.run_goal("why")
    runtime.close()

    again = loaded(tmp_path / "run.db", [asker()])
    assert of_type(again, "llm.responded")[0].payload["raw_text"] == odd
    assert again.graph.objects("note")[0].data["text"] == odd


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    "error",
    [ValueError("boom"), TimeoutError(), MemoryError(), RecursionError(), Unspeakable(), OSError(5, "x" * 10**7)],
)
def test_whatever_a_provider_raises_is_a_network_error(error: Exception, tmp_path: Path) -> None:
    reason, runtime = reason_after(ScriptedProvider(error), asker(), tmp_path)

    assert reason == "llm.network_error"
    record = of_type(runtime, "llm.responded")[0].payload["error"]
    assert record["exception_type"] == type(error).__name__
    assert len(record["message"]) < 2 * 1024 * 1024


def test_extras_that_no_log_can_carry_are_told_as_text(tmp_path: Path) -> None:
    error = LLMBehaviorError(
        "llm.own", "mine", payload_extras={"thing": object(), "fine": 7, "huge": HUGE, "deep": ["x" * 2_000_000]}
    )
    reason, runtime = reason_after(ScriptedProvider(error), asker(), tmp_path)

    assert reason == "llm.own"
    failed = of_type(runtime, "behavior.failed")[0].payload
    assert failed["fine"] == 7
    assert failed["thing"].startswith("<object object")
    assert len(failed["huge"]) < 2 * 1024 * 1024
    assert len(failed["deep"]) < 100


@pytest.mark.parametrize("error", [None, "boom", {"reason": "llm.mine"}])
def test_only_a_failure_has_an_error_whatever_a_response_says_of_itself(error: Any) -> None:
    class Told(LLMResponse):
        def to_dict(self) -> dict[str, Any]:
            return {**super().to_dict(), "error": error}

    made = Told(**vars(answer("fine")))
    runtime = new([asker()], llm_provider=ScriptedProvider(made))
    runtime.run_goal("why")

    assert runtime.errors == []
    assert runtime.graph.objects("note")[0].data == {"text": "fine"}
    assert "error" not in of_type(runtime, "llm.responded")[0].payload


def test_the_reason_of_a_handlers_own_failure_is_the_one_that_it_gave(tmp_path: Path) -> None:
    def refuse(event: Any, graph: Any, ctx: Any, out: Any) -> None:
        raise LLMBehaviorError("llm.mine", "no", payload_extras={"reason": "other", "detail": 7})

    reason, runtime = reason_after(ScriptedProvider(answer()), asker(handler=refuse), tmp_path)

    assert reason == "llm.mine"
    assert of_type(runtime, "behavior.failed")[0].payload["detail"] == 7


@pytest.mark.parametrize("name", ["behavior", "event_id", "exception_type", "message", "traceback"])
def test_extras_never_replace_what_every_failure_says(name: str, tmp_path: Path) -> None:
    error = LLMBehaviorError("llm.own", "mine", payload_extras={name: "other", "reason": "other"})
    reason, runtime = reason_after(ScriptedProvider(error), asker(), tmp_path)

    assert reason == "llm.own"
    assert of_type(runtime, "behavior.failed")[0].payload[name] != "other"


def test_keyboard_interrupts_are_no_answers(tmp_path: Path) -> None:
    runtime = new([asker()], llm_provider=ScriptedProvider(KeyboardInterrupt()), persist_to=tmp_path / "run.db")

    with pytest.raises(KeyboardInterrupt):
        runtime.run_goal("why")

    assert runtime.status().state == "stopped"
    runtime.close()
    log = loaded(tmp_path / "run.db", [asker()], llm_provider=ScriptedProvider())
    assert types_of(log) == ["goal.created", "behavior.started", "llm.requested"]
    log.run_until_idle()
    assert log.graph.objects("note")


class Moving(FrozenClock):
    """Stands wherever it is put."""

    seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds


class TestTools:
    def test_a_tool_that_the_behavior_does_not_declare(self, tmp_path: Path) -> None:
        other = Tool("other", lambda args, ctx: 1)
        behavior = asker(tools=[Tool("look", lambda args, ctx: 1)])
        reason, runtime = reason_after(ScriptedProvider(asking(("other", {}))), behavior, tmp_path, tools=[other])

        assert reason == "tool.unknown_tool"
        failed = of_type(runtime, "behavior.failed")[0].payload
        assert failed["tool"] == "other"
        assert failed["exception_type"] == "UnknownToolError"
        assert of_type(runtime, "tool.requested") == []

    def test_arguments_that_the_schema_refuses_are_recorded_and_not_called_with(self, tmp_path: Path) -> None:
        called: list[Any] = []
        tool = Tool("look", lambda args, ctx: called.append(args), input_schema=Query)
        reason, runtime = reason_after(ScriptedProvider(asking(("look", {"host": 7}))), asker(tools=[tool]), tmp_path)

        assert reason == "tool.invalid_input"
        assert called == []
        assert types_of(runtime)[4:7] == ["tool.requested", "tool.responded", "behavior.failed"]
        assert of_type(runtime, "tool.requested")[0].payload["args"] == {"host": 7}
        assert of_type(runtime, "tool.responded")[0].payload["error"]["reason"] == "tool.invalid_input"
        assert "host" in of_type(runtime, "behavior.failed")[0].payload["validation_errors"]

    @pytest.mark.parametrize("args", [7, "text", None, [1, 2]])
    def test_arguments_that_are_no_object(self, args: Any, tmp_path: Path) -> None:
        call = answer(tool_calls=[ToolCall("c", "look", args)])
        reason, _ = reason_after(
            ScriptedProvider(lambda **_: _Raw(call, args)),
            asker(tools=[Tool("look", lambda a, ctx: 1, input_schema=Query)]),
            tmp_path,
        )

        assert reason == "tool.invalid_input"

    @pytest.mark.parametrize("args", [7, "text", None, [1, 2]])
    def test_arguments_that_are_no_object_reach_no_tool_without_a_schema_either(
        self, args: Any, tmp_path: Path
    ) -> None:
        called: list[Any] = []
        behavior = asker(tools=[Tool("look", lambda a, ctx: called.append(a))])
        reason, runtime = reason_after(
            ScriptedProvider(answer(tool_calls=[ToolCall("c", "look", args)])), behavior, tmp_path
        )

        assert (reason, called) == ("tool.invalid_input", [])
        assert of_type(runtime, "tool.requested")[0].payload["args"] == args

    @pytest.mark.parametrize(
        ("result", "schema"),
        [
            ({"text": 7}, Answer),
            (None, Answer),
            (object(), None),
            (HUGE, None),
            ({1: 2}, Answer),
            ({"a": {7, "x"}, "b": object()}, None),
        ],
    )
    def test_a_result_that_is_none_of_the_schema_or_of_any_log(self, result: Any, schema: Any, tmp_path: Path) -> None:
        tool = Tool("look", lambda args, ctx: result, output_schema=schema, cost_per_call="0.2")
        reason, runtime = reason_after(ScriptedProvider(asking(("look", {}))), asker(tools=[tool]), tmp_path)

        assert reason == "tool.invalid_output"
        responded = of_type(runtime, "tool.responded")[0].payload
        assert (responded["output"], responded["cost_usd"]) == (None, "0.2")
        assert runtime.budget.cost_used == Decimal("0.42")

    @pytest.mark.parametrize(
        ("error", "reason"),
        [
            (ValueError("boom"), "tool.execution_error"),
            (TimeoutError("slow"), "tool.timeout"),
            (ToolError("tool.network_error", "gone", payload_extras={"url": "http://x"}), "tool.network_error"),
            (ToolError("tool.mine", "mine"), "tool.mine"),
            (Unspeakable(), "tool.execution_error"),
            (RecursionError(), "tool.execution_error"),
            (ValueError("x" * 10**7), "tool.execution_error"),
        ],
    )
    def test_whatever_a_tool_raises_has_a_reason(self, error: Exception, reason: str, tmp_path: Path) -> None:
        def fail(args: Any, ctx: Any) -> Any:
            raise error

        found, runtime = reason_after(
            ScriptedProvider(asking(("look", {}))), asker(tools=[Tool("look", fail)]), tmp_path
        )

        assert found == reason
        record = of_type(runtime, "tool.responded")[0].payload["error"]
        assert record["reason"] == reason
        assert "\n" not in record["message"] or len(record["message"]) > 10**6
        assert of_type(runtime, "behavior.failed")[0].payload["tool"] == "look"

    @pytest.mark.parametrize(
        "response",
        [
            None,
            7,
            CachedToolResponse(1, cost_usd=Decimal("NaN")),
            CachedToolResponse(1, cost_usd=10**5000),  # type: ignore[arg-type]
            CachedToolResponse(1, latency_seconds="long"),  # type: ignore[arg-type]
            CachedToolResponse(1, error={"reason": "tool.mine", "message": "no"}),
        ],
    )
    def test_an_invoker_that_gives_rubbish(self, response: Any, tmp_path: Path) -> None:
        class Invoker:
            def invoke(self, tool: Any, args: Any, ctx: Any) -> Any:
                return response

        behavior = asker(tools=[Tool("look", lambda args, ctx: 1)])
        reason, _ = reason_after(ScriptedProvider(asking(("look", {}))), behavior, tmp_path, tool_invoker=Invoker())

        assert reason == (
            "tool.mine" if isinstance(response, CachedToolResponse) and response.error else "tool.execution_error"
        )

    @pytest.mark.parametrize("latency", [math.nan, math.inf, -math.inf, -1.0, 10**400])
    def test_a_clock_that_cannot_measure_loses_no_result(self, latency: Any) -> None:
        class Invoker:
            def invoke(self, tool: Any, args: Any, ctx: Any) -> CachedToolResponse:
                clock.seconds += 2.5
                return CachedToolResponse("seen", latency_seconds=latency, cost_usd=Decimal("0.2"))

        clock = Moving()
        provider = ScriptedProvider(asking(("look", {})), answer())
        behavior = asker(tools=[Tool("look", lambda args, ctx: 1)])
        runtime = Runtime(Graph(clock=clock), [behavior], llm_provider=provider, tool_invoker=Invoker())
        runtime.run_goal("why")

        responded = of_type(runtime, "tool.responded")[0].payload
        assert (responded["output"], responded["cost_usd"], responded["latency_seconds"]) == ("seen", "0.2", 2.5)
        assert runtime.graph.objects("note")

    def test_a_run_whose_own_clock_cannot_measure_records_no_time(self) -> None:
        clock = Moving()
        clock.seconds = math.nan
        provider = ScriptedProvider(asking(("look", {})), ValueError("boom"))
        behavior = asker(tools=[Tool("look", lambda args, ctx: "seen")])
        runtime = Runtime(Graph(clock=clock), [behavior], llm_provider=provider)
        runtime.run_goal("why")

        assert of_type(runtime, "tool.responded")[0].payload["output"] == "seen"
        assert of_type(runtime, "tool.responded")[0].payload["latency_seconds"] == 0.0
        assert of_type(runtime, "llm.responded")[1].payload["latency_seconds"] == 0.0

    def test_a_result_that_is_refused_for_its_latency_is_paid_for(self, tmp_path: Path) -> None:
        class Invoker:
            def invoke(self, tool: Any, args: Any, ctx: Any) -> CachedToolResponse:
                return CachedToolResponse(1, latency_seconds="long", cost_usd=Decimal("0.2"))  # type: ignore[arg-type]

        behavior = asker(tools=[Tool("look", lambda args, ctx: 1)])
        provider = ScriptedProvider(asking(("look", {})))
        reason, runtime = reason_after(provider, behavior, tmp_path, tool_invoker=Invoker())

        assert reason == "tool.execution_error"
        assert of_type(runtime, "tool.responded")[0].payload["cost_usd"] == "0.2"
        assert runtime.budget.cost_used == Decimal("0.42")

    def test_a_failure_that_an_invoker_was_charged_for_counts(self, tmp_path: Path) -> None:
        class Invoker:
            def invoke(self, tool: Any, args: Any, ctx: Any) -> CachedToolResponse:
                error = {"reason": "tool.mine", "message": "no"}
                return CachedToolResponse(None, error=error, cost_usd=Decimal("0.2"), latency_seconds=1.5)

        behavior = asker(tools=[Tool("look", lambda args, ctx: 1)])
        provider = ScriptedProvider(asking(("look", {})))
        _, runtime = reason_after(provider, behavior, tmp_path, tool_invoker=Invoker())

        responded = of_type(runtime, "tool.responded")[0].payload
        assert (responded["cost_usd"], responded["latency_seconds"]) == ("0.2", 1.5)
        assert runtime.budget.cost_used == Decimal("0.42")

    def test_an_endless_loop_of_tools_ends(self, tmp_path: Path) -> None:
        behavior = asker(tools=[Tool("look", lambda args, ctx: 1)])
        reason, runtime = reason_after(ScriptedProvider(asking(("look", {}))), behavior, tmp_path)

        assert reason == "tool.max_turns_exhausted"
        assert len(of_type(runtime, "llm.requested")) == 2 * 6

    def test_a_call_that_took_longer_than_its_limit_is_said_and_kept(self, caplog: pytest.LogCaptureFixture) -> None:
        clock = Moving()

        def slow(args: Any, ctx: Any) -> str:
            clock.seconds += 3
            return "done"

        provider = ScriptedProvider(asking(("look", {})), answer())
        behavior = asker(tools=[Tool("look", slow, timeout_seconds=2)])
        runtime = Runtime(Graph(clock=clock), [behavior], llm_provider=provider)
        with caplog.at_level(logging.WARNING, "activegraph.tools"):
            runtime.run_goal("why")

        assert of_type(runtime, "tool.responded")[0].payload["output"] == "done"
        assert of_type(runtime, "tool.responded")[0].payload["latency_seconds"] == 3.0
        assert [record.name for record in caplog.records] == ["activegraph.tools.look"]


class _Raw:
    """A response whose tool call has arguments of any kind."""

    def __init__(self, response: Any, args: Any) -> None:
        self.parsed = None
        self._dict = {**answer().to_dict(), "tool_calls": [{"id": "c", "name": "look", "args": args}]}

    def to_dict(self) -> Any:
        return self._dict
