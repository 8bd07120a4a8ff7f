"""What is said to a model and what comes back, as values."""

from __future__ import annotations

import dataclasses
import json
from decimal import Decimal

import pytest
from activegraph.llm import LLMMessage, LLMProvider, LLMResponse, ToolCall
from pydantic import BaseModel


class Causes(BaseModel):
    causes: list[str]


def test_a_plain_message_has_two_keys_so_that_new_fields_move_no_hash() -> None:
    assert LLMMessage("user", "hello").to_dict() == {"role": "user", "content": "hello"}


def test_a_tools_answer_names_its_call() -> None:
    message = LLMMessage("tool", "[]", tool_use_id="call_1", tool_name="graph_query")

    assert message.to_dict() == {
        "role": "tool",
        "content": "[]",
        "tool_use_id": "call_1",
        "tool_name": "graph_query",
    }


def test_calls_stand_in_an_assistants_message_as_a_list() -> None:
    message = LLMMessage("assistant", "", tool_calls=(ToolCall("call_1", "look", {"at": ["x"]}),))

    assert message.to_dict()["tool_calls"] == [{"id": "call_1", "name": "look", "args": {"at": ["x"]}}]


def test_what_a_call_hands_out_is_a_copy() -> None:
    call = ToolCall("call_1", "look", {"at": ["x"]})
    call.to_dict()["args"]["at"].append("y")

    assert call.args == {"at": ["x"]}


@pytest.mark.parametrize("value", [LLMMessage("user", "x"), ToolCall("1", "look", {})])
def test_messages_and_calls_cannot_be_changed(value: object) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        value.role = value.name = "other"  # type: ignore[attr-defined]


def response(**options: object) -> LLMResponse:
    known = {
        "raw_text": "hi",
        "parsed": None,
        "input_tokens": 3,
        "output_tokens": 4,
        "cost_usd": Decimal("0.0010"),
        "latency_seconds": 0.5,
        "model": "m",
        "finish_reason": "end_turn",
    }
    return LLMResponse(**{**known, **options})  # type: ignore[arg-type]


def test_a_response_as_json_has_all_its_keys_and_exact_money() -> None:
    assert response().to_dict() == {
        "raw_text": "hi",
        "parsed": None,
        "input_tokens": 3,
        "output_tokens": 4,
        "cost_usd": "0.0010",
        "latency_seconds": 0.5,
        "model": "m",
        "finish_reason": "end_turn",
        "seed": None,
        "cache_hit": False,
        "provider_meta": {},
        "tool_calls": None,
    }


def test_a_response_dumps_what_was_parsed_and_its_calls() -> None:
    told = response(parsed=Causes(causes=["disk"]), tool_calls=[ToolCall("1", "look", {"at": "x"})]).to_dict()

    assert told["parsed"] == {"causes": ["disk"]}
    assert told["tool_calls"] == [{"id": "1", "name": "look", "args": {"at": "x"}}]
    assert json.loads(json.dumps(told)) == told


@pytest.mark.parametrize("parsed", [{"a": 1}, "text", 5, None])
def test_what_is_no_model_stays_as_it_is(parsed: object) -> None:
    assert response(parsed=parsed).to_dict()["parsed"] == parsed


def test_no_calls_are_none_however_they_were_written() -> None:
    assert response(tool_calls=[]).to_dict()["tool_calls"] is None


def test_pydantic_can_read_them_as_fields_of_a_model() -> None:
    class Kept(BaseModel):
        message: LLMMessage
        response: LLMResponse

    kept = Kept(message=LLMMessage("user", "x"), response=response(tool_calls=[ToolCall("1", "look", {})]))

    assert Kept.model_validate_json(kept.model_dump_json()) == kept


def test_a_class_of_a_users_own_is_a_provider_by_its_methods() -> None:
    class Mine:
        default_model = "mine-1"

        def complete(self, **asked: object) -> None: ...
        def estimate_cost(self, **asked: object) -> None: ...
        def count_tokens(self, **asked: object) -> None: ...
        def recognizes_model(self, name: str) -> bool:
            return True

    assert isinstance(Mine(), LLMProvider)
    assert not isinstance(object(), LLMProvider)
