"""Who makes a call: the protocol, and the invoker that calls the tool's body in this process."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

from activegraph.behaviors.models import is_model_class
from activegraph.core.log_lines import say
from activegraph.core.model_dump import plain_dump
from activegraph.errors import ToolError
from activegraph.tools.base import Tool
from activegraph.tools.cache import CachedToolResponse
from activegraph.tools.context import ToolContext

__all__ = ["DirectToolInvoker", "ToolInvoker"]


@runtime_checkable
class ToolInvoker(Protocol):
    """Makes one call whose arguments have been checked."""

    def invoke(self, tool: Tool, args: Any, ctx: ToolContext) -> CachedToolResponse:
        """The answer, with what it took and what it costs.

        Args:
            args: An instance of the tool's `input_schema`, or a dict without one.

        Raises:
            ToolError: The call failed. Any other exception counts as `tool.execution_error`.
        """
        ...


class DirectToolInvoker:
    """Calls the body. Nothing is cached, recorded or interrupted.

    Args:
        monotonic: Seconds from an arbitrary point, to measure a call by.
    """

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic

    def invoke(self, tool: Tool, args: Any, ctx: ToolContext) -> CachedToolResponse:
        """What the body returned, a model dumped; the price is the tool's.

        Raises:
            ToolError: As the body raised it; `tool.timeout` for its `TimeoutError`, and
                `tool.execution_error` for any other exception.
        """
        started = self._monotonic()
        try:
            result = tool.fn(args, ctx)
            is_model = is_model_class(type(result))
            output = plain_dump(result) if is_model else result
        except ToolError:
            raise
        except Exception as error:  # the body is its author's code
            raise _failure(tool, error) from error
        latency = self._monotonic() - started
        if latency > tool.timeout_seconds:
            say(
                ctx.logger,
                logging.WARNING,
                "tool %s took %.1f s, its limit is %.1f s; the result is kept",
                tool.name,
                latency,
                tool.timeout_seconds,
                tool=tool.name,
                behavior=ctx.behavior_name,
                latency_seconds=latency,
            )
        is_dump = is_model and tool.output_schema is not None and isinstance(result, tool.output_schema)
        return CachedToolResponse(output, latency_seconds=latency, cost_usd=tool.cost_per_call, is_dump=is_dump)


def _failure(tool: Tool, error: Exception) -> ToolError:
    try:
        text = str(error)
    except Exception:  # of the class of the error, which may be anybody's
        text = "<without a readable message>"
    name = type(error).__name__
    reason = "tool.timeout" if isinstance(error, TimeoutError) else "tool.execution_error"
    return ToolError(
        reason, f"{name}: {text}" if text else name, payload_extras={"tool": tool.name, "exception_type": name}
    )
