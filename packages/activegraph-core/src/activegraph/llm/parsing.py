"""Structured answers: the JSON in a model's text, as an instance of the schema that was asked for.

Models wrap JSON in fences and sentences. So there are several places to look, from the strictest to the most
forgiving; what the schema accepts first is the answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import Any, NoReturn, TypeVar

from activegraph.behaviors.models import instance_of_dump
from activegraph.core.model_dump import plain_dump
from activegraph.errors import LLMBehaviorError

__all__ = ["parse_structured_response", "read_back"]

_Schema = TypeVar("_Schema")

_FENCE = re.compile(r"```(?:json)?\s*(.*?)```", re.DOTALL | re.IGNORECASE)
_OPENERS = re.compile(r"[{\[]")
_CLOSERS = {"{": "}", "[": "]"}


def parse_structured_response(text: str, schema: type[_Schema]) -> _Schema:
    """The instance of `schema` that a model's text holds.

    The whole text is tried, then a fenced block, then all from the first opening bracket to the last closing
    one, then every balanced object or array in order.

    Args:
        schema: A pydantic model class.

    Raises:
        LLMBehaviorError: `llm.parse_error` without any JSON, `llm.schema_violation` where none of it fits.
    """
    violation: LLMBehaviorError | None = None
    for value in _candidates(text):
        try:
            return _validated(value, schema, raw_text=text)
        except LLMBehaviorError as error:
            violation = violation or error
    if violation is not None:
        raise violation
    underlying = _why_no_json(text)
    raise LLMBehaviorError(
        "llm.parse_error",
        f"the answer holds no JSON for {schema.__name__}: {underlying}",
        payload_extras={"raw_text": text, "underlying": underlying},
    )


def read_back(recorded: Any, schema: type[_Schema], *, raw_text: str, **extras: Any) -> _Schema:
    """The instance behind a recorded dump: the one that the handler was given when the answer was new.

    A dump need not hold all that the instance did: fields may be left out of it, computed or masked, and a
    validator may change again what it has changed. So the text is read once more, if it leads to that dump.

    Args:
        recorded: What `plain_dump` gave.
        raw_text: The text of the answer.
        extras: Further keys of the failure.

    Raises:
        LLMBehaviorError: `llm.schema_violation`; the schema rejects what is recorded.
    """
    with suppress(Exception):  # no such text, or a serializer of the schema's own
        spoken = parse_structured_response(raw_text, schema)
        if plain_dump(spoken) == recorded:
            return spoken
    return _validated(recorded, schema, raw_text=raw_text, is_dump=True, **extras)


def _validated(value: Any, schema: type[_Schema], *, raw_text: str, is_dump: bool = False, **extras: Any) -> _Schema:
    """`value` as an instance of a pydantic model class.

    Args:
        raw_text: The text that it comes from, for the failure.
        is_dump: Whether it is what an instance was recorded as, rather than what a model has said.
        extras: Further keys of the failure.

    Raises:
        LLMBehaviorError: `llm.schema_violation`; the schema rejects it.
    """
    try:
        read = partial(instance_of_dump, schema) if is_dump else schema.model_validate  # type: ignore[attr-defined]
        instance: _Schema = read(value)
    except Exception as error:  # a schema's own validators may raise anything
        raise LLMBehaviorError(
            "llm.schema_violation",
            f"the answer does not fit {schema.__name__}",
            payload_extras={
                "raw_text": raw_text,
                "schema": schema.__name__,
                "validation_errors": str(error),
                **extras,
            },
        ) from error
    return instance


def _candidates(text: str) -> Iterator[Any]:
    """The JSON values in a text, in the order in which they are tried."""
    whole = text.strip().lstrip("\ufeff")
    found, value = _read(whole)
    if found:
        yield value
        return
    fenced = next((part for match in _FENCE.finditer(text) if (part := match[1].strip())[:1] in _CLOSERS), None)
    for part in (fenced, _widest(text)):
        if part is not None:
            found, value = _read(part)
            if found:
                yield value
    yield from _balanced(text)


def _widest(text: str) -> str | None:
    opener = _OPENERS.search(text)
    if opener is None:
        return None
    end = text.rfind(_CLOSERS[opener[0]])
    return text[opener.start() : end + 1] if end > opener.start() else None


def _balanced(text: str) -> Iterator[Any]:
    decoder = json.JSONDecoder(parse_constant=_refuse_constant)
    last_closer = max(text.rfind(closer) for closer in _CLOSERS.values())
    place = 0
    while (opener := _OPENERS.search(text, place)) and opener.start() < last_closer:
        try:
            value, place = decoder.raw_decode(text, opener.start())
        except RecursionError:
            return  # nested as no answer is; each of its brackets would be tried in vain
        except ValueError:
            place = opener.end()
        else:
            yield value


def _read(text: str) -> tuple[bool, Any]:
    try:
        return True, json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return False, None


def _why_no_json(text: str) -> str:
    if not text.strip():
        return "the text is empty"
    try:
        json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        return str(error)
    return "no JSON"


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
