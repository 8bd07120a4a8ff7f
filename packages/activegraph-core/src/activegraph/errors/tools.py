"""Errors of calling tools."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from activegraph.errors.base import ExecutionError
from activegraph.errors.reasons import Explanation, _ReasonedError

__all__ = ["ToolError", "UnknownToolError"]


class ToolError(_ReasonedError):
    """A tool failed, or its arguments or result were refused."""

    _what = "Calling a tool"
    _explanations: ClassVar[Mapping[str, Explanation]] = {
        "tool.timeout": (
            "The tool gave up waiting. A body is never interrupted from outside: it keeps to its own limit.",
            "Raise `timeout_seconds` of the tool if the service is slow by nature, or ask it for less.",
        ),
        "tool.network_error": (
            "The tool could not reach its service, so there is no result to go on with.",
            "Check the address and the network from this machine. To go on without them, replay from recordings.",
        ),
        "tool.invalid_input": (
            "Arguments are checked before a call, so that a tool's body only ever sees what its schema allows.",
            "Compare the arguments with the tool's `input_schema`; say in its description what it expects.",
        ),
        "tool.invalid_output": (
            "A result that its schema does not allow is not handed on: neither the model nor the log could rely on it.",
            "Return what `output_schema` says, or declare what the tool really returns.",
        ),
        "tool.execution_error": (
            "The tool's body raised. A failed tool ends the behavior's invocation, and the run goes on.",
            "Look at the exception in the message. Raise ToolError yourself to give it a reason of its own.",
        ),
        "tool.fixture_missing": (
            "Recorded tools answer from files only, and never fall through to a live call.",
            "Record the call once with RecordingToolProvider, or look whether its arguments have changed.",
        ),
    }


class UnknownToolError(ExecutionError, RuntimeError):
    """A model called a tool that its behavior does not declare."""

    _quotes_others = True

    def __init__(
        self,
        message: str,
        *,
        tool_name: str | None = None,
        behavior_name: str | None = None,
        declared_tools: Iterable[str] | None = None,
    ) -> None:
        declared = None if declared_tools is None else tuple(declared_tools)
        given = {"tool_name": tool_name, "behavior_name": behavior_name, "declared_tools": declared}
        context: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        super().__init__(
            message,
            what_failed=message,
            why="A model may call what its behavior lists in `tools=`, and nothing else that happens to be registered.",
            how_to_fix=(
                f"Declared are: {', '.join(declared or ()) or 'none'}.\n"
                f"Add {tool_name or 'the tool'} to `tools=`, or describe the declared ones so that the model calls these."
            ),
            context={"message": message, **context},
        )
        self.message = message
        self.tool_name = tool_name
        self.behavior_name = behavior_name
        self.declared_tools = declared
