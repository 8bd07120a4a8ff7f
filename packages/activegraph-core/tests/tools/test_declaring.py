"""Declaring tools: the decorator, plain objects, the registry, and what is refused there."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from activegraph.behaviors.decorators import behavior, clear_registry, get_registry, relation_behavior
from activegraph.behaviors.models import checked_model_class
from activegraph.errors import (
    InvalidArgumentType,
    InvalidRuntimeConfiguration,
    InvalidToolRegistration,
    LLMBehaviorError,
    MissingToolError,
    ToolError,
    UnknownToolError,
)
from activegraph.tools import Tool, ToolContext, clear_tool_registry, get_tool_registry, tool
from activegraph.tools.context import idempotency_key, tool_logger
from activegraph.tools.registry import by_name, checked_tools
from pydantic import BaseModel

if TYPE_CHECKING:
    from activegraph.frame import Frame as OnlyForCheckers


class Query(BaseModel):
    host: str
    depth: int = 1


class Usage(BaseModel):
    percent: int


class Plain:
    pass


@pytest.fixture(autouse=True)
def _own_registries() -> Iterator[None]:
    tools, behaviors = clear_tool_registry(), clear_registry()
    yield
    clear_tool_registry()
    clear_registry()
    from activegraph.behaviors.registry import register
    from activegraph.tools.registry import register_tool

    for one in tools:
        register_tool(one)
    for each in behaviors:
        register(each)


def look(args: Any, ctx: Any) -> Any:
    return args


def test_a_decorated_function_becomes_a_registered_tool() -> None:
    declared = tool(
        input_schema=Query, output_schema=Usage, cost_per_call="0.002", timeout_seconds=5, retry_safe=False
    )(look)

    assert type(declared) is Tool
    assert (declared.name, declared.fn, declared.description) == ("look", look, "")
    assert (declared.input_schema, declared.output_schema) == (Query, Usage)
    assert (declared.cost_per_call, declared.timeout_seconds) == (Decimal("0.002"), 5.0)
    assert (declared.deterministic, declared.retry_safe) == (False, False)
    assert get_tool_registry() == [declared]


def test_the_defaults_of_a_tool_are_free_slow_and_safe_to_repeat() -> None:
    made = Tool("look", look)

    assert (made.cost_per_call, made.timeout_seconds) == (Decimal(0), 30.0)
    assert (made.deterministic, made.retry_safe) == (False, True)
    assert (made.input_schema, made.output_schema) == (None, None)


def test_making_a_tool_by_hand_registers_nothing() -> None:
    Tool("look", look)

    assert get_tool_registry() == []


def test_the_registry_is_handed_out_as_a_copy_in_registration_order() -> None:
    first, second = tool(name="b")(look), tool(name="a")(look)
    get_tool_registry().clear()

    assert get_tool_registry() == [first, second]
    assert clear_tool_registry() == [first, second]
    assert get_tool_registry() == []


@pytest.mark.parametrize("price", [Decimal("0.002"), "0.002", 0.002])
def test_a_price_is_exact_however_it_is_written(price: Any) -> None:
    assert tool(cost_per_call=price)(look).cost_per_call == Decimal("0.002")
    assert isinstance(tool(cost_per_call=3)(look).cost_per_call, Decimal)


@pytest.mark.parametrize("price", [-1, "-0.01", "cheap", "NaN", float("inf")])
def test_a_price_that_is_none_is_refused(price: Any) -> None:
    with pytest.raises(InvalidRuntimeConfiguration, match="cost_per_call"):
        tool(cost_per_call=price)(look)
    assert get_tool_registry() == []


@pytest.mark.parametrize("price", [True, None, [1]])
def test_a_price_of_another_type_is_refused(price: Any) -> None:
    with pytest.raises(InvalidArgumentType, match="cost_per_call"):
        tool(cost_per_call=price)(look)


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), True, "5"])
def test_a_time_limit_that_is_none_is_refused(seconds: Any) -> None:
    with pytest.raises(InvalidRuntimeConfiguration, match="timeout_seconds"):
        tool(timeout_seconds=seconds)(look)


@pytest.mark.parametrize("name", ["", 5, "a\x00b"])
def test_a_name_that_the_log_cannot_carry_is_refused(name: Any) -> None:
    with pytest.raises(InvalidArgumentType, match="a tool's `name`"):
        Tool(name, look)


def test_a_tool_without_a_body_is_refused() -> None:
    with pytest.raises(InvalidArgumentType, match="no function to call"):
        Tool("look", None)  # type: ignore[arg-type]


class TestSchemas:
    def test_a_model_is_told_of_name_description_and_arguments(self) -> None:
        declared = tool(name="disk", description="Asks a host.", input_schema=Query)(look)

        assert declared.to_definition() == {
            "name": "disk",
            "description": "Asks a host.",
            "input_schema": Query.model_json_schema(),
        }

    def test_a_tool_without_a_schema_takes_any_object(self) -> None:
        assert Tool("look", look).to_definition()["input_schema"] == {"type": "object", "properties": {}}

    def test_an_annotation_of_the_first_parameter_is_the_schema(self) -> None:
        @tool()
        def annotated(args: Query, ctx: ToolContext) -> Any: ...

        assert annotated.input_schema is Query

    def test_an_annotation_may_name_a_class_of_the_same_function(self) -> None:
        class Local(BaseModel):
            x: int

        @tool()
        def annotated(args: Local, ctx: ToolContext) -> Any: ...

        assert annotated.input_schema is Local

    def test_a_given_schema_goes_before_the_annotation(self) -> None:
        @tool(input_schema=Usage)
        def annotated(args: Query, ctx: ToolContext) -> Any: ...

        assert annotated.input_schema is Usage

    def test_another_annotation_is_no_schema(self) -> None:
        @tool()
        def a(args: dict[str, Any], ctx: ToolContext) -> Any: ...

        @tool()
        def b(args: OnlyForCheckers, ctx: ToolContext) -> Any: ...

        assert (a.input_schema, b.input_schema) == (None, None)

    @pytest.mark.parametrize(
        ("schema", "shown"),
        [
            ({}, "not dict"),
            ("Usage", "not str"),
            (Usage(percent=1), "not Usage"),
            (Plain, "not Plain (a class, but not a BaseModel subclass)"),
        ],
    )
    @pytest.mark.parametrize("argument", ["input_schema", "output_schema"])
    def test_a_schema_that_is_no_model_class_is_refused_with_the_right_form(
        self, schema: Any, shown: str, argument: str
    ) -> None:
        with pytest.raises(TypeError) as refusal:
            tool(**{argument: schema})(look)

        text = str(refusal.value)
        assert shown in text
        assert "from pydantic import BaseModel" in text
        assert "class MyOutput(BaseModel):" in text
        assert f"@tool({argument}=MyOutput)" in text

    def test_no_schema_is_one_too(self) -> None:
        assert checked_model_class(None, "@tool", "input_schema") is None


class TestSignatures:
    def test_parentheses_are_needed(self) -> None:
        with pytest.raises(TypeError, match=r"@tool needs parentheses") as refusal:
            tool(look)

        assert "def look(args, ctx)" in str(refusal.value)

    def test_a_tool_takes_two_arguments_by_place(self) -> None:
        def one(args: Any) -> None: ...

        with pytest.raises(TypeError, match="'one' cannot be called: it takes 1 arguments by place") as refusal:
            tool()(one)
        assert "def one(args, ctx): ..." in str(refusal.value)
        assert get_tool_registry() == []

    def test_nothing_fills_further_parameters_of_a_tool(self) -> None:
        def more(args: Any, ctx: Any, settings: Query) -> None: ...

        def named(args: Any, ctx: Any, *, settings: Query) -> None: ...

        for fn in (more, named):
            with pytest.raises(TypeError, match="nothing fills its parameter 'settings'"):
                tool()(fn)

    def test_further_parameters_with_a_default_are_the_authors_own(self) -> None:
        def more(args: Any, ctx: Any, extra: int = 1, *rest: Any, flag: bool = False, **others: Any) -> None: ...

        def any_number(*args: Any) -> None: ...

        assert tool()(more).name == "more"
        assert tool()(any_number).name == "any_number"

    def test_a_callable_object_and_a_bound_method_are_taken(self) -> None:
        class Asker:
            def __call__(self, args: Any, ctx: Any) -> None: ...

            def ask(self, args: Any, ctx: Any) -> None: ...

        assert tool()(Asker()).name == "Asker"
        assert tool()(Asker().ask).name == "ask"

    def test_a_behavior_takes_three_arguments_and_annotated_ones_besides(self) -> None:
        def two(event: Any, graph: Any) -> None: ...

        def bare(event, graph, ctx, settings): ...  # type: ignore[no-untyped-def]

        def fine(event: Any, graph: Any, ctx: Any, *, settings: Query) -> None: ...

        with pytest.raises(TypeError, match="'two' cannot be called"):
            behavior()(two)
        with pytest.raises(TypeError, match="nothing fills its parameter 'settings'"):
            behavior()(bare)
        assert behavior()(fine).name == "fine"
        assert len(get_registry()) == 1

    def test_a_relation_behavior_takes_four(self) -> None:
        def three(event: Any, graph: Any, ctx: Any) -> None: ...

        with pytest.raises(TypeError, match=r"def three\(relation, event, graph, ctx\): \.\.\."):
            relation_behavior("depends_on")(three)


class TestNames:
    def test_only_tools_are_tools(self) -> None:
        with pytest.raises(InvalidToolRegistration) as refusal:
            checked_tools([Tool("look", look), look])

        assert refusal.value.context["type"] == "function"

    def test_one_tool_may_be_given_twice(self) -> None:
        one = Tool("look", look)

        assert by_name([one, one]) == {"look": one}

    def test_two_tools_of_one_name_are_an_error_and_no_replacement(self) -> None:
        with pytest.raises(InvalidRuntimeConfiguration, match="two different tools are named 'look'"):
            by_name([Tool("look", look), Tool("look", look)])


class TestContext:
    def test_a_context_needs_no_more_than_who_called_and_why(self) -> None:
        ctx = ToolContext(behavior_name="plan", event_id="evt_001")

        assert ctx.logger is logging.getLogger("activegraph.tools")
        assert (ctx.frame, ctx.timeout_seconds) == (None, 30.0)

    def test_the_key_of_a_call_follows_from_run_and_request_alone(self) -> None:
        key = idempotency_key("run_a", "evt_004")

        assert key == "df6676c3eab4670b560a742c21dcf85ab44bd5b93e8ec59ce2635f322eac5133"
        assert key == idempotency_key("run_a", "evt_004")
        assert len({key, idempotency_key("run_b", "evt_004"), idempotency_key("run_a", "evt_005")}) == 3

    def test_each_tool_has_a_logger_of_its_own(self) -> None:
        assert tool_logger("storage.disk_usage").name == "activegraph.tools.storage.disk_usage"


class TestErrors:
    def test_a_missing_tool_is_shown_beside_up_to_six_registered_ones(self) -> None:
        error = MissingToolError("x", behavior_name="plan", registered=[f"t{n}" for n in range(9)])

        assert "t0, t1, t2, t3, t4, t5 (+3 more)" in str(error)
        assert "t6" not in str(error)
        assert "Registered tools: none" in str(MissingToolError("x"))

    @pytest.mark.parametrize(
        "reason",
        [
            "tool.timeout",
            "tool.network_error",
            "tool.invalid_input",
            "tool.invalid_output",
            "tool.execution_error",
            "tool.fixture_missing",
        ],
    )
    def test_each_known_reason_has_an_explanation_of_its_own(self, reason: str) -> None:
        error, other = ToolError(reason, "as it is"), ToolError("tool.mine", "as it is")

        assert error.summary == f"{reason}: as it is"
        assert error.why != other.why
        assert reason not in error.why

    def test_any_other_reason_is_taken_and_quoted(self) -> None:
        error = ToolError("tool.mine", "first\nsecond")

        assert "'tool.mine'" in error.why
        assert "first\nsecond" in error.what_failed
        assert error.payload_extras == {}

    def test_a_limit_that_refused_a_call_is_explained_as_one(self) -> None:
        for kind in (ToolError, LLMBehaviorError):
            error = kind("budget.cost_exhausted", "max_cost_usd of the run: used up")

            assert "'budget.cost_exhausted'" in error.why
            assert "Raise the limit" in error.how_to_fix

    def test_an_unknown_tool_names_those_that_are_declared(self) -> None:
        error = UnknownToolError("no tool 'x'", tool_name="x", declared_tools=["a", "b"])

        assert "Declared are: a, b." in str(error)
        assert error.context == {"message": "no tool 'x'", "tool_name": "x", "declared_tools": ("a", "b")}
