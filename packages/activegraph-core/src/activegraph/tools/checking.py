"""A call's arguments before it and its result after it, held against the tool's schemas.

Schemas and results are foreign code: whatever they raise becomes a `ToolError`, and what comes out
is plain data that the log can carry and that a model sees as it will be recorded.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from activegraph.behaviors.models import instance_of_dump
from activegraph.core.canonical_json import canonical_json
from activegraph.core.codec import decode_canonical, encode_plain
from activegraph.core.model_dump import plain_dump
from activegraph.errors import NonSerializableEventError, ToolError
from activegraph.errors.base import shown
from activegraph.tools.base import Tool
from activegraph.tools.cache import CachedToolResponse, canonicalize_args, hash_tool_call

__all__ = ["PreparedCall", "checked_output", "failure_from_record", "failure_record", "prepare_call"]


@dataclass(frozen=True, slots=True)
class PreparedCall:
    """A call that is ready to be made, or refused.

    Attributes:
        args: What the body is called with: a model instance, or a dict of its own.
        recorded_args: The same as plain data, for the log.
        args_hash: Key of the call.
        refusal: Why it may not be made; None if it may.
    """

    args: Any
    recorded_args: Any
    args_hash: str
    refusal: ToolError | None = None


def prepare_call(tool: Tool, args: Any) -> PreparedCall:
    """Validate what a model sent. Key and record are those of the validated arguments, of the raw ones if refused."""
    try:
        given = _own_dict(args) if tool.input_schema is None else tool.input_schema.model_validate(args)
        plain = canonicalize_args(given)
        return PreparedCall(given, plain, hash_tool_call(tool_name=tool.name, args=plain))
    except Exception as error:  # a validator is its author's code, and may raise what it likes
        refusal = _refusal("tool.invalid_input", f"arguments of tool {tool.name!r} were refused", tool, error)
        plain = _readable(args)
        return PreparedCall(args, plain, hash_tool_call(tool_name=tool.name, args=plain), refusal)


def _own_dict(args: Any) -> dict[str, Any]:
    if not isinstance(args, dict):
        raise TypeError(f"arguments are an object, not {shown(args)}")
    return deepcopy(args)


def checked_output(tool: Tool, response: CachedToolResponse) -> Any:
    """The output of a call as the plain data that is recorded.

    Raises:
        ToolError: `tool.invalid_output`: the output schema refuses it, or the log cannot carry it.
    """
    output = response.output
    try:
        if tool.output_schema is not None and not response.is_dump:
            output = plain_dump(instance_of_dump(tool.output_schema, output))
        return decode_canonical(encode_plain(output, "output", 2))
    except Exception as error:  # as above
        raise _refusal("tool.invalid_output", f"the result of tool {tool.name!r} was refused", tool, error) from error


def failure_record(error: ToolError, tool: str) -> dict[str, Any]:
    """What an answer's `error` says of a failed call: reason, message, the tool and the error's own extras."""
    extras = {"tool": tool, **error.payload_extras}
    for key, value in extras.items():
        try:
            encode_plain(value, key, 3)
        except NonSerializableEventError:
            extras[key] = shown(value)
    return {**extras, "reason": error.reason, "message": error.message}


def failure_from_record(record: dict[str, Any]) -> ToolError:
    """The error that was recorded."""
    extras = {key: value for key, value in record.items() if key not in ("reason", "message")}
    return ToolError(
        str(record.get("reason") or "tool.execution_error"), str(record.get("message") or ""), payload_extras=extras
    )


def _readable(args: Any) -> Any:
    """Arguments as plain data, or what can be told of them."""
    try:
        plain = canonicalize_args(args)
        canonical_json(plain)
    except Exception:  # values of any class
        return shown(args)
    return plain


def _refusal(reason: str, what: str, tool: Tool, error: Exception) -> ToolError:
    try:
        details = str(error)
    except Exception:  # of the class of the error, which may be anybody's
        details = type(error).__name__
    first = (details.splitlines() or [""])[0]
    return ToolError(reason, f"{what}: {first}", payload_extras={"tool": tool.name, "validation_errors": details})
