"""Pydantic models as packs use them: validated by field name, and what they refused as plain lines.

Nothing here imports pydantic: whoever has a model class has it already.
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from activegraph.errors.base import shown

__all__ = [
    "MASK",
    "fields_of",
    "is_model",
    "refusal_lines",
    "validated",
    "validated_json",
    "validated_recorded",
]

MASK = "**********"
"""What stands in the log for a secret."""


def is_model(value: object) -> bool:
    """Whether `value` is an instance of a model."""
    return hasattr(type(value), "model_fields")


def fields_of(model: Any) -> dict[str, Any]:
    """The fields of a model by name, extra ones too, their values as they are."""
    named = {name: getattr(model, name) for name in type(model).model_fields}
    return {**named, **(model.model_extra or {})}


def validated(schema: Any, data: Mapping[str, Any]) -> Any:
    """An instance of `schema` of what its fields are named and not only of their aliases.

    Raises:
        ValueError: Pydantic's `ValidationError`.
    """
    return schema.model_validate(data, **_by_name())


def validated_json(schema: Any, data: Mapping[str, Any]) -> Any:
    """The same for data that went through JSON, so that a strict schema takes dates and the like as texts."""
    return schema.model_validate_json(json.dumps(data), **_by_name())


def validated_recorded(schema: Any, data: Mapping[str, Any]) -> Any:
    """The same for data as the log holds it, be it JSON or not: a strict schema's tuples are lists there."""
    try:
        return validated(schema, data)
    except ValueError as refusal:
        try:
            return validated_json(schema, data)
        except TypeError:  # it holds what JSON cannot
            raise refusal from None


@cache
def _by_name() -> dict[str, bool]:
    """The option that lets fields be named by name, where this pydantic knows it."""
    knows = "by_name" in inspect.signature(sys.modules["pydantic"].BaseModel.model_validate).parameters
    return {"by_name": True, "by_alias": True} if knows else {}


def refusal_lines(error: ValueError, *, show_input: bool) -> str:
    """What a schema refused, one line each.

    Args:
        show_input: Whether to say what was given; settings may hold secrets, which pydantic's own
            text would show.
    """
    errors = getattr(error, "errors", None)
    if not callable(errors):
        return str(error)
    return "\n".join(_lines(errors(include_url=False, include_context=False), show_input))


def _lines(errors: list[dict[str, Any]], show_input: bool) -> Iterator[str]:
    for each in errors:
        place = ".".join(str(step) for step in each["loc"]) or "(whole)"
        given = f", not {shown(each['input'], 60)}" if show_input and each["type"] != "missing" else ""
        yield f"{place}: {each['msg']}{given}"
