"""One call: what is checked before and after it, its key, and the invoker that makes it."""

from __future__ import annotations

import hashlib
import json
import logging
import subprocess
import sys
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from activegraph.errors import ToolError
from activegraph.tools import Tool, ToolContext
from activegraph.tools.cache import CachedToolResponse, canonicalize_args, hash_tool_call
from activegraph.tools.checking import checked_output, failure_from_record, failure_record, prepare_call
from activegraph.tools.invoker import DirectToolInvoker, ToolInvoker
from pydantic import BaseModel, ConfigDict, Field, computed_field, field_validator

CONTEXT = ToolContext(behavior_name="plan", event_id="evt_001")


class Query(BaseModel):
    host: str
    depth: int = 1
    limit: Decimal = Decimal("0.50")


class Usage(BaseModel):
    percent: int


def tool_of(fn: Any = lambda args, ctx: args, **fields: Any) -> Tool:
    return Tool("look", fn, **fields)


class TestKeys:
    def test_the_key_is_the_hash_of_the_canonical_text(self) -> None:
        text = json.dumps({"tool": "look", "args": {"a": 1, "b": "é"}}, sort_keys=True, separators=(",", ":"))

        assert hash_tool_call(tool_name="look", args={"b": "é", "a": 1}) == hashlib.sha256(text.encode()).hexdigest()

    def test_another_tool_or_another_argument_has_another_key(self) -> None:
        keys = {hash_tool_call(tool_name=name, args=args) for name in ("a", "b") for args in ({"x": 1}, {"x": 2}, {})}

        assert len(keys) == 6

    def test_arguments_become_plain_however_deep_they_stand(self) -> None:
        args = {"query": Query(host="db1"), "prices": (Decimal("1.50"), [Decimal(2)]), "flag": None}

        assert canonicalize_args(args) == {
            "query": {"host": "db1", "depth": 1, "limit": "0.50"},
            "prices": ["1.50", ["2"]],
            "flag": None,
        }

    def test_a_key_is_the_same_in_a_process_of_another_hash_seed(self) -> None:
        code = (
            "from activegraph.tools.cache import hash_tool_call\n"
            "print(hash_tool_call(tool_name='look', args={k: {k: 1} for k in 'dcba'}))"
        )
        keys = {
            subprocess.run(
                [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
            ).stdout
            for seed in ("1", "2")
        }

        assert keys == {hash_tool_call(tool_name="look", args={k: {k: 1} for k in "abcd"}) + "\n"}


class TestArguments:
    def test_omitted_and_spelled_out_defaults_are_one_call(self) -> None:
        tool = tool_of(input_schema=Query)
        short, long = prepare_call(tool, {"host": "db1"}), prepare_call(tool, {"depth": 1, "host": "db1"})

        assert short.args_hash == long.args_hash
        assert short.recorded_args == {"host": "db1", "depth": 1, "limit": "0.50"}
        assert short.args == Query(host="db1")
        assert short.refusal is None

    def test_the_key_is_that_of_a_recording_of_the_same_call(self) -> None:
        prepared = prepare_call(tool_of(input_schema=Query), {"host": "db1"})

        assert prepared.args_hash == hash_tool_call(tool_name="look", args=prepared.args)

    def test_without_a_schema_the_body_gets_a_dict_of_its_own(self) -> None:
        sent: dict[str, Any] = {"hosts": ["db1"]}
        prepared = prepare_call(tool_of(), sent)
        prepared.args["hosts"].append("db2")

        assert sent == prepared.recorded_args == {"hosts": ["db1"]}

    def test_refused_arguments_keep_their_raw_form_and_key(self) -> None:
        prepared = prepare_call(tool_of(input_schema=Query), {"depth": "deep"})

        assert prepared.recorded_args == {"depth": "deep"}
        assert prepared.args_hash == hash_tool_call(tool_name="look", args={"depth": "deep"})
        assert prepared.refusal is not None
        assert prepared.refusal.reason == "tool.invalid_input"
        assert prepared.refusal.payload_extras["tool"] == "look"
        assert "depth" in prepared.refusal.payload_extras["validation_errors"]
        assert "\n" not in prepared.refusal.message

    def test_a_validator_that_raises_anything_refuses_the_arguments(self) -> None:
        class Strange(BaseModel):
            x: int

            @field_validator("x")
            @classmethod
            def _strange(cls, value: int) -> int:
                raise ZeroDivisionError("oh")

        refusal = prepare_call(tool_of(input_schema=Strange), {"x": 1}).refusal

        assert refusal is not None
        assert refusal.message == "arguments of tool 'look' were refused: oh"

    def test_arguments_that_no_log_could_carry_are_refused_readably(self) -> None:
        prepared = prepare_call(tool_of(), {"x": {1, 2}})

        assert prepared.refusal is not None
        assert prepared.refusal.reason == "tool.invalid_input"
        assert prepared.recorded_args == "{'x': {1, 2}}"


class TestResults:
    @pytest.mark.parametrize("result", [Usage(percent=91), {"percent": 91}, {"percent": "91"}])
    def test_a_result_is_recorded_as_the_dump_of_its_schema(self, result: Any) -> None:
        tool = tool_of(lambda args, ctx: result, output_schema=Usage)

        assert checked_output(tool, DirectToolInvoker().invoke(tool, {}, CONTEXT)) == {"percent": 91}

    @pytest.mark.parametrize("result", [None, "", {"percent": "much"}, [], {}])
    def test_rubbish_is_refused(self, result: Any) -> None:
        with pytest.raises(ToolError) as refusal:
            checked_output(tool_of(output_schema=Usage), CachedToolResponse(result))

        assert refusal.value.reason == "tool.invalid_output"
        assert refusal.value.payload_extras.keys() == {"tool", "validation_errors"}

    def test_a_model_that_cannot_be_read_back_from_its_dump_is_a_result_like_any(self) -> None:
        class Shown(BaseModel):
            model_config = ConfigDict(extra="forbid")
            percent: int = Field(alias="usedPercent")

            @computed_field  # type: ignore[prop-decorator]
            @property
            def is_full(self) -> bool:
                return self.percent > 90

        tool = tool_of(lambda args, ctx: Shown(usedPercent=91), output_schema=Shown)

        assert checked_output(tool, DirectToolInvoker().invoke(tool, {}, CONTEXT)) == {"percent": 91, "is_full": True}

    def test_the_names_of_fields_and_their_aliases_are_both_read(self) -> None:
        class Aliased(BaseModel):
            percent: int = Field(alias="usedPercent")

        for output in ({"percent": 91}, {"usedPercent": 91}):
            assert checked_output(tool_of(output_schema=Aliased), CachedToolResponse(output)) == {"percent": 91}

    def test_without_a_schema_any_value_that_the_log_carries_is_a_result_as_it_will_be_read_back(self) -> None:
        made = {"cost": Decimal("1.50"), "day": date(2026, 1, 2), "both": (1, 2), "none": None}

        assert checked_output(tool_of(), CachedToolResponse(made)) == {
            "cost": "1.50",
            "day": "2026-01-02",
            "both": [1, 2],
            "none": None,
        }

    @pytest.mark.parametrize("result", [object(), {"x": {1: object()}}, lambda: None, CachedToolResponse(1)])
    def test_a_result_that_the_log_cannot_carry_is_refused(self, result: Any) -> None:
        with pytest.raises(ToolError, match=r"tool\.invalid_output: the result of tool 'look' was refused"):
            checked_output(tool_of(), CachedToolResponse(result))


class TestDirectCalls:
    def test_it_calls_the_body_with_arguments_and_context_and_measures_it(self) -> None:
        seen: list[Any] = []
        tool = tool_of(lambda args, ctx: seen.append((args, ctx)) or {"ok": True}, cost_per_call="0.002")
        moments = iter([10.0, 12.5])

        response = DirectToolInvoker(monotonic=lambda: next(moments)).invoke(tool, {"x": 1}, CONTEXT)

        assert seen == [({"x": 1}, CONTEXT)]
        assert response == CachedToolResponse({"ok": True}, latency_seconds=2.5, cost_usd=Decimal("0.002"))

    def test_it_is_an_invoker(self) -> None:
        assert isinstance(DirectToolInvoker(), ToolInvoker)

    def test_a_model_is_dumped_with_and_without_an_output_schema(self) -> None:
        for schema in (None, Usage):
            tool = tool_of(lambda args, ctx: Usage(percent=91), output_schema=schema)
            assert DirectToolInvoker().invoke(tool, {}, CONTEXT).output == {"percent": 91}

    def test_a_tools_own_error_goes_through(self) -> None:
        own = ToolError("tool.mine", "no", payload_extras={"a": 1})

        def body(args: Any, ctx: Any) -> Any:
            raise own

        with pytest.raises(ToolError) as raised:
            DirectToolInvoker().invoke(tool_of(body), {}, CONTEXT)
        assert raised.value is own

    @pytest.mark.parametrize(
        ("error", "reason", "message"),
        [
            (KeyError("x"), "tool.execution_error", "KeyError: 'x'"),
            (TimeoutError("slow"), "tool.timeout", "TimeoutError: slow"),
            (ValueError(), "tool.execution_error", "ValueError"),
        ],
    )
    def test_other_exceptions_of_the_body_are_failures_with_a_reason(
        self, error: Exception, reason: str, message: str
    ) -> None:
        def body(args: Any, ctx: Any) -> Any:
            raise error

        with pytest.raises(ToolError) as raised:
            DirectToolInvoker().invoke(tool_of(body), {}, CONTEXT)

        assert (raised.value.reason, raised.value.message) == (reason, message)
        assert raised.value.payload_extras == {"tool": "look", "exception_type": type(error).__name__}
        assert raised.value.__cause__ is error

    def test_an_exception_that_cannot_be_shown_is_a_failure_too(self) -> None:
        class Broken(Exception):
            def __str__(self) -> str:
                raise RuntimeError

        def body(args: Any, ctx: Any) -> Any:
            raise Broken

        with pytest.raises(ToolError, match="Broken: <without a readable message>"):
            DirectToolInvoker().invoke(tool_of(body), {}, CONTEXT)

    @pytest.mark.parametrize("signal", [KeyboardInterrupt, SystemExit])
    def test_an_interrupt_is_no_failure_of_the_tool(self, signal: type[BaseException]) -> None:
        def body(args: Any, ctx: Any) -> Any:
            raise signal

        with pytest.raises(signal):
            DirectToolInvoker().invoke(tool_of(body), {}, CONTEXT)

    def test_a_call_that_took_too_long_is_told_of_and_kept(self, caplog: pytest.LogCaptureFixture) -> None:
        moments = iter([0.0, 5.5, 0.0, 5.0])
        invoker = DirectToolInvoker(monotonic=lambda: next(moments))
        tool = tool_of(lambda args, ctx: "late", timeout_seconds=5)

        with caplog.at_level(logging.WARNING, "activegraph.tools"):
            assert invoker.invoke(tool, {}, CONTEXT).output == "late"
            assert invoker.invoke(tool, {}, CONTEXT).output == "late"

        assert [record.getMessage() for record in caplog.records] == [
            "tool look took 5.5 s, its limit is 5.0 s; the result is kept"
        ]
        assert caplog.records[0].tool == "look"


class TestFailuresInTheLog:
    def test_a_failure_is_recorded_and_read_back(self) -> None:
        error = ToolError("tool.timeout", "no answer", payload_extras={"url": "u"})
        record = failure_record(error, "look")

        assert record == {"reason": "tool.timeout", "message": "no answer", "tool": "look", "url": "u"}
        again = failure_from_record(record)
        assert (again.reason, again.message) == ("tool.timeout", "no answer")
        assert again.payload_extras == {"tool": "look", "url": "u"}

    def test_extras_that_the_log_cannot_carry_are_told_of(self) -> None:
        record = failure_record(ToolError("tool.mine", "no", payload_extras={"lock": object}), "look")

        assert record["lock"] == "<class 'object'>"

    def test_extras_never_hide_reason_and_message(self) -> None:
        error = ToolError("tool.mine", "no", payload_extras={"reason": "x", "message": "y"})

        assert failure_record(error, "look") == {"reason": "tool.mine", "message": "no", "tool": "look"}
