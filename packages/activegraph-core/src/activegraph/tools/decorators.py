"""The decorator that declares a tool and puts it on the process-wide registry."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from activegraph.behaviors.models import is_model_class
from activegraph.behaviors.signature import check_signature, name_of
from activegraph.tools.base import Tool
from activegraph.tools.registry import clear_tool_registry, get_tool_registry, register_tool

__all__ = ["clear_tool_registry", "declared_tool", "get_tool_registry", "tool"]


def tool(
    bare: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    description: str = "",
    input_schema: Any = None,
    output_schema: Any = None,
    cost_per_call: Decimal | str | float = Decimal(0),
    timeout_seconds: float = 30.0,
    deterministic: bool = False,
    retry_safe: bool = True,
) -> Callable[[Callable[..., Any]], Tool]:
    """Declare `fn(args, ctx)` as a tool; the name then stands for the `Tool`.

    Args:
        name: Default: the function's name.
        input_schema: Default: the annotation of the first parameter, if that is a pydantic model.

    The other arguments are the fields of `Tool`.

    Raises:
        TypeError: Used without parentheses, a function that cannot take the two arguments, or a
            schema that is no pydantic model class.
        InvalidArgumentType, InvalidRuntimeConfiguration: As `Tool`.
    """
    if bare is not None:
        raise TypeError(
            f"@tool needs parentheses: write\n    @tool(description=...)\n    def {name_of(bare)}(args, ctx): ..."
        )
    names = sys._getframe(1).f_locals

    def declare(fn: Callable[..., Any]) -> Tool:
        return register_tool(
            declared_tool(
                fn,
                names,
                name=name,
                description=description,
                input_schema=input_schema,
                output_schema=output_schema,
                cost_per_call=cost_per_call,
                timeout_seconds=timeout_seconds,
                deterministic=deterministic,
                retry_safe=retry_safe,
            )
        )

    return declare


def declared_tool(
    fn: Callable[..., Any],
    names: Mapping[str, Any],
    *,
    name: str | None,
    input_schema: Any,
    **fields: Any,
) -> Tool:
    """The tool that a decorator makes of `fn`; registered nowhere.

    Args:
        names: What the names around the declaration stand for, for an annotation that is text.
        fields: Further fields of `Tool`.
    """
    check_signature(fn, "@tool", "args", "ctx", annotated_extras=False)
    if input_schema is None:
        input_schema = _annotated_model(fn, names)
    return Tool(name=name or name_of(fn), fn=fn, input_schema=input_schema, **fields)


def _annotated_model(fn: Callable[..., Any], names: Mapping[str, Any]) -> Any:
    """The pydantic model that annotates the first parameter; None for any other annotation, or none."""
    try:
        first = next(iter(inspect.signature(fn).parameters.values()), None)
    except (TypeError, ValueError):
        return None
    annotation = None if first is None else first.annotation
    if isinstance(annotation, str):
        known = getattr(inspect.unwrap(fn), "__globals__", {})
        try:
            annotation = eval(annotation, dict(known), dict(names))  # noqa: S307 - the author's own text
        except Exception:  # whatever it names is there for type checkers only
            return None
    return annotation if is_model_class(annotation) else None
