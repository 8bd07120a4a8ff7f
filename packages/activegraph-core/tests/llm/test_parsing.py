"""The JSON in a model's text: where it is found, what is refused, and what the refusal tells."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from activegraph.errors import LLMBehaviorError
from activegraph.llm import parse_structured_response
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, RootModel, field_validator
from support.values import examples


class Causes(BaseModel):
    causes: list[str]


class Anything(RootModel[Any]):
    pass


class Maybe(RootModel[int | None]):
    pass


ANSWER = '{"causes": ["disk"]}'

WRAPPED = {
    "alone": ANSWER,
    "with space around": f"\n\n  {ANSWER}\n",
    "after a byte order mark": f"\ufeff{ANSWER}",
    "in a fence": f"Here it is:\n```json\n{ANSWER}\n```\nAnything else?",
    "in a fence without a word": f"```\n{ANSWER}\n```",
    "in a fence in capitals": f"```JSON\n{ANSWER}\n```",
    "in a fence on one line": f"```{ANSWER}```",
    "in the second fence": f"```python\nprint(1)\n```\nand\n```json\n{ANSWER}\n```",
    "in a sentence": f"The answer is {ANSWER}, I think.",
    "after a brace that is none": f"In {{short}}: {ANSWER}",
    "after an object that does not fit": f'Not {{"a": 1}} but {ANSWER}',
    "after a list that does not fit": f"I considered [1, 2] first. {ANSWER} (see [3])",
    "before a brace that is left open": f"{ANSWER} and so on {{",
    "behind a fence that does not fit": f'```json\n{{"example": 1}}\n```\nSo: {ANSWER}',
    "with a fence inside it": '{"causes": ["disk"], "note": "```json {} ```"} that is all',
}


@pytest.mark.parametrize("text", WRAPPED.values(), ids=WRAPPED)
def test_the_answer_is_found(text: str) -> None:
    assert parse_structured_response(text, Causes) == Causes(causes=["disk"])


def test_a_list_is_found_as_an_object_is() -> None:
    class Many(RootModel[list[int]]):
        pass

    assert parse_structured_response("Here: [1, 2]", Many).root == [1, 2]


@pytest.mark.parametrize(
    "text",
    ["", "   ", "I do not know.", "{causes: disk}", "```\nnothing\n```", "NaN", "[" * 5000, "[" * 100_000 + "]"],
    ids=lambda text: repr(text[:12]),
)
def test_without_json_it_is_a_parse_error(text: str) -> None:
    with pytest.raises(LLMBehaviorError) as failure:
        parse_structured_response(text, Causes)

    assert failure.value.reason == "llm.parse_error"
    assert failure.value.payload_extras.keys() == {"raw_text", "underlying"}
    assert failure.value.payload_extras["raw_text"] == text
    assert failure.value.payload_extras["underlying"]


@pytest.mark.parametrize(
    "text", ['{"causes": 5}', '{"other": []}', "5", "null", '"text"', "[]", 'So: {"causes": 5}', "{}"]
)
def test_json_of_another_shape_is_a_violation(text: str) -> None:
    with pytest.raises(LLMBehaviorError) as failure:
        parse_structured_response(text, Causes)

    assert failure.value.reason == "llm.schema_violation"
    extras = failure.value.payload_extras
    assert extras.keys() == {"raw_text", "schema", "validation_errors"}
    assert (extras["raw_text"], extras["schema"]) == (text, "Causes")
    assert "Causes" in extras["validation_errors"]


def test_null_is_json_like_any_other() -> None:
    assert parse_structured_response("null", Maybe).root is None
    with pytest.raises(LLMBehaviorError, match=r"llm\.schema_violation"):
        parse_structured_response("null", Causes)


def test_a_whole_answer_of_another_shape_is_not_searched_for_a_part_that_fits() -> None:
    with pytest.raises(LLMBehaviorError, match=r"llm\.schema_violation"):
        parse_structured_response(f'{{"result": {ANSWER}}}', Causes)


def test_the_first_json_that_was_met_is_what_the_violation_tells_of() -> None:
    with pytest.raises(LLMBehaviorError) as failure:
        parse_structured_response('```json\n{"causes": 1}\n```\n{"causes": null}', Causes)

    assert "input_value=1" in failure.value.payload_extras["validation_errors"]


def test_a_validator_that_raises_what_it_likes_is_a_violation() -> None:
    class Strict(BaseModel):
        causes: list[str] = Field()

        @field_validator("causes")
        @classmethod
        def check(cls, value: list[str]) -> list[str]:
            raise KeyError("gone")

    with pytest.raises(LLMBehaviorError, match=r"llm\.schema_violation"):
        parse_structured_response(ANSWER, Strict)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(values)
@examples(50)
def test_any_json_comes_back_as_it_was_said(value: Any) -> None:
    assert parse_structured_response(json.dumps(value), Anything).root == value


prose = st.text(st.characters(exclude_characters="{}[]`", exclude_categories=["Cs"]))


@given(prose, st.dictionaries(st.text(), values) | st.lists(values), prose)
@examples(50)
def test_json_between_sentences_comes_back_too(before: str, value: Any, after: str) -> None:
    assert parse_structured_response(f"So {before}{json.dumps(value)}{after}", Anything).root == value


@given(st.text())
@examples(50)
def test_no_text_raises_anything_else(text: str) -> None:
    with suppress(LLMBehaviorError):
        parse_structured_response(text, Causes)
