"""A tool as a plain value: what is called, with what, at what price."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from activegraph.behaviors.declaration import checked_name
from activegraph.behaviors.models import checked_model_class
from activegraph.errors import InvalidArgumentType, InvalidRuntimeConfiguration
from activegraph.errors.base import shown

__all__ = ["Tool"]


@dataclass(eq=False)
class Tool:
    """A function that a model may call while it answers. The same object may serve many runtimes.

    Attributes:
        name: What the log, the model and `tools=` call it.
        fn: Called as `fn(args, ctx)`; gives a model instance or a value that JSON can carry.
        description: For the model: what it does, and when to call it.
        input_schema: Pydantic model class of `args`; None hands over the plain dict.
        output_schema: Pydantic model class of the result; None lets any JSON value through.
        cost_per_call: US dollars, exact. Text, int and float are taken too.
        timeout_seconds: Handed to the body, which keeps to it; nothing interrupts a body.
        deterministic: Whether the same arguments always give the same result.
        retry_safe: Whether asking twice does no harm. If not, a call that a crash left without an
            answer is never made again by itself.

    Raises:
        InvalidArgumentType: No name, nothing to call, or a price of a type that is no number.
        InvalidRuntimeConfiguration: A negative price, or a time limit that is none.
        TypeError: A schema that is no pydantic model class.
    """

    name: str
    fn: Callable[..., Any]
    description: str = ""
    input_schema: Any = None
    output_schema: Any = None
    cost_per_call: Decimal = Decimal(0)
    timeout_seconds: float = 30.0
    deterministic: bool = False
    retry_safe: bool = True

    def __post_init__(self) -> None:
        self.name = checked_name(self.name, of="a tool")
        if not callable(self.fn):
            raise InvalidArgumentType(
                f"tool {self.name!r} has no function to call",
                what_failed=f"Declaring tool {self.name!r} with `fn={shown(self.fn)}`.",
                why="A tool's body is what answers the model's call.",
                how_to_fix="Pass a function of two arguments: def look(args, ctx): ...",
                context={"tool": self.name, "type": type(self.fn).__name__},
            )
        checked_model_class(self.input_schema, "@tool", "input_schema")
        checked_model_class(self.output_schema, "@tool", "output_schema")
        self.cost_per_call = _price(self.cost_per_call, self.name)
        self.timeout_seconds = _seconds(self.timeout_seconds, self.name)

    def to_definition(self) -> dict[str, Any]:
        """What a model is told of it: `name`, `description` and `input_schema` as JSON schema."""
        schema = self.input_schema
        return {
            "name": self.name,
            "description": self.description,
            "input_schema": {"type": "object", "properties": {}} if schema is None else schema.model_json_schema(),
        }


def _price(value: Any, tool: str) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, (Decimal, str, int, float)):
        raise InvalidArgumentType(
            f"tool {tool!r}: `cost_per_call` must be a number of US dollars, not {shown(value)}",
            what_failed=f"Declaring tool {tool!r} with `cost_per_call={shown(value)}`.",
            why="Costs are added up exactly, and compared with the budget's limit.",
            how_to_fix='cost_per_call="0.002"',
            context={"tool": tool, "type": type(value).__name__},
        )
    try:
        price = value if isinstance(value, Decimal) else Decimal(str(value))
    except InvalidOperation:
        price = Decimal("NaN")
    if not price.is_finite() or price < 0:
        raise _refusal(tool, "cost_per_call", value, "no price in US dollars, 0 or more", '"0.002"')
    return price


def _seconds(value: Any, tool: str) -> float:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or value <= 0:
        raise _refusal(tool, "timeout_seconds", value, "no number of seconds above 0", "30.0")
    return float(value)


def _refusal(tool: str, argument: str, value: object, what: str, fix: str) -> InvalidRuntimeConfiguration:
    return InvalidRuntimeConfiguration(
        f"tool {tool!r}: `{argument}` is {what}: {shown(value)}",
        what_failed=f"Declaring tool {tool!r} with `{argument}={shown(value)}`.",
        why="A declaration is checked when it is made, so that no call finds out.",
        how_to_fix=f"{argument}={fix}",
        context={"tool": tool, "argument": argument},
    )
