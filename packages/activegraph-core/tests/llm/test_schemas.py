"""Schemas as a prompt shows them: the example instance of any JSON schema."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from activegraph.llm import schema_to_json
from activegraph.llm.prompt import example_instance_from_schema
from pydantic import BaseModel, Field


class Part(BaseModel):
    name: str
    parts: list[Part] = Field(default_factory=list)


class Whole(BaseModel):
    kind: Literal["a", "b"]
    size: int | None
    ratio: float
    good: bool
    part: Part
    more: dict[str, int]


def test_a_model_class_shows_its_json_schema() -> None:
    assert schema_to_json(Whole) == Whole.model_json_schema()


def test_no_schema_and_other_classes() -> None:
    assert schema_to_json(None) is None
    assert schema_to_json(dict) == {"type": "object", "title": "dict"}


def test_an_example_has_every_property_in_the_schemas_order() -> None:
    example = example_instance_from_schema(Whole.model_json_schema())

    assert list(example) == ["kind", "size", "ratio", "good", "part", "more"]
    assert {name: example[name] for name in ("kind", "size", "ratio", "good", "more")} == {
        "kind": "a",
        "size": 0,
        "ratio": 0.0,
        "good": True,
        "more": {},
    }


def test_a_schema_that_holds_itself_ends_after_six_levels() -> None:
    part = example_instance_from_schema(Part.model_json_schema())

    assert part["parts"][0]["parts"][0]["parts"][0] == {"name": None, "parts": None}


@pytest.mark.parametrize(
    ("schema", "example"),
    [
        ({"enum": ["x", "y"], "type": "string"}, "x"),
        ({"const": 7, "type": "integer"}, 7),
        ({"const": None}, None),
        ({"anyOf": [{"type": "null"}, {"type": "integer"}]}, 0),
        ({"oneOf": [{"type": "null"}]}, None),
        ({"oneOf": [{"type": "null"}], "type": "string"}, "<string>"),
        ({"type": ["null", "number"]}, 0.0),
        ({"type": ["null"]}, None),
        ({"type": "null"}, None),
        ({"properties": {"a": {"type": "boolean"}}}, {"a": True}),
        ({"type": "object"}, {}),
        ({"type": "array", "items": {"type": "string"}}, ["<string>"]),
        ({"type": "array"}, []),
        ({"type": "array", "items": {}}, [None]),
        ({"type": "date"}, None),
        ({}, None),
        ({"$ref": "#/definitions/A", "definitions": {"A": {"type": "integer"}}}, 0),
        ({"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"type": "integer"}}}, 0),
        ({"$ref": "#/$defs/Gone", "$defs": {}}, None),
        ({"$ref": "https://example.org/schema"}, None),
        ({"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/B"}, "B": {"$ref": "#/$defs/A"}}}, None),
        ({"$ref": "#/$defs/A", "$defs": {"A": {"anyOf": [{"$ref": "#/$defs/A"}, {"type": "integer"}]}}}, 0),
    ],
)
def test_each_form_of_a_schema_has_its_example(schema: dict[str, Any], example: Any) -> None:
    assert example_instance_from_schema(schema) == example
