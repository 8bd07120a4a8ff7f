"""LLM behaviors as plain values: what is asked of a model, and what is done with its answer.

The prompt is put together from the declaration, the view and the event; the runtime asks the model and
calls the handler with what came back. A behavior object holds nothing of a run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from activegraph.behaviors.base import Behavior
from activegraph.behaviors.declaration import check_runs
from activegraph.behaviors.models import checked_model_class
from activegraph.errors import InvalidArgumentType, InvalidRuntimeConfiguration, InvalidToolRegistration
from activegraph.errors.base import shown
from activegraph.llm.building import prompt_without_runtime
from activegraph.llm.template import checked_template
from activegraph.tools.base import Tool
from activegraph.tools.registry import one_by_one

if TYPE_CHECKING:
    from activegraph.core.event import Event
    from activegraph.core.graph import Graph
    from activegraph.core.view import View
    from activegraph.frame import Frame
    from activegraph.llm.prompt import AssembledPrompt

__all__ = ["LLMBehavior"]


def _called_by_the_runtime(event: Any, graph: Any, ctx: Any) -> NoReturn:
    raise RuntimeError(
        "an LLM behavior cannot be called like a function: the runtime asks the model, and calls `handler` with its answer"
    )


@dataclass(eq=False)
class LLMBehavior(Behavior):
    """A behavior that asks a model, and reacts to its answer.

    Attributes:
        handler: Called as `handler(event, graph, ctx, llm_output)`.
        description: The role that the model is given.
        model: Name of the model; None for the pack's or the provider's default.
        output_schema: Pydantic model class that the answer must fit; None for free text.
        deterministic: Ask with temperature 0 and top_p 1, whatever the two fields say.
        max_tokens: Upper bound of the answer.
        temperature, top_p: Sampling.
        timeout_seconds: How long the provider may take.
        prompt_template: Replaces the user message; may hold `{system}`, `{view}`, `{event}`, `{instruction}`.
        tools: `Tool` objects, or names of tools.
        max_tool_turns: The most answers of the model in one invocation.

    Raises:
        TypeError: `output_schema` is no pydantic model class.
        ValueError: `prompt_template` holds an unknown placeholder.
        InvalidRuntimeConfiguration: A number that makes no sense.
        InvalidArgumentType: No handler to call, or one that is `async` or holds a `yield`; a model that is no text.
        InvalidToolRegistration: Something in `tools` is neither a tool nor a name.
    """

    handler: Callable[..., Any] | None = None
    description: str = ""
    model: str | None = None
    output_schema: type | None = None
    deterministic: bool = False
    max_tokens: int = 4096
    temperature: float = 0.7
    top_p: float = 1.0
    timeout_seconds: float = 60.0
    prompt_template: str | None = None
    tools: list[Tool | str] = field(default_factory=list)
    max_tool_turns: int = 6

    def __post_init__(self) -> None:
        if self.fn is None:
            self.fn = _called_by_the_runtime
        super().__post_init__()
        _check_handler(self.handler, self.name)
        _check_model(self.model, self.name)
        checked_model_class(self.output_schema, "@llm_behavior", "output_schema")
        if self.prompt_template is not None:
            checked_template(self.prompt_template)
        self.tools = _own_tools(self.tools)
        for field_name, least, whole in _NUMBERS:
            _check_number(getattr(self, field_name), field_name, self.name, least=least, whole=whole)

    def build_prompt(self, event: Event, graph: Graph | View, *, frame: Frame | None = None) -> AssembledPrompt:
        """What the first turn would send if `event` were dispatched now; needs no runtime, provider or key.

        Args:
            graph: The run's graph, or a view to show instead of the one that the behavior asks for.
            frame: The run's mission, if it has one.

        Raises:
            ValueError: The template holds an unknown placeholder.
            MissingToolError: A tool is given by a name that no registered tool has.
        """
        return prompt_without_runtime(self, event, graph, frame=frame)


LLMBehavior.__module__ = "activegraph"

_NUMBERS: tuple[tuple[str, float, bool], ...] = (
    ("max_tokens", 1, True),
    ("max_tool_turns", 1, True),
    ("temperature", 0, False),
    ("top_p", 0, False),
    ("timeout_seconds", 0, False),
)


def _own_tools(tools: Iterable[Tool | str] | Tool | None) -> list[Tool | str]:
    if tools is None:
        return []
    listed: list[Tool | str] = one_by_one(tools)
    for one in listed:
        if not isinstance(one, (str, Tool)):
            raise InvalidToolRegistration(one)
    return listed


def _check_handler(handler: object, name: str) -> None:
    check_runs(handler, name, "handler")
    if callable(handler):
        return
    raise InvalidArgumentType(
        f"LLM behavior {name!r} has no handler to call",
        what_failed=f"Declaring LLM behavior {name!r} with `handler={shown(handler)}`.",
        why="The runtime calls `handler` with the model's answer.",
        how_to_fix="Pass a function as `handler`, or declare it with @llm_behavior.",
        context={"behavior": name, "type": type(handler).__name__},
    )


def _check_model(model: object, name: str) -> None:
    if model is None or isinstance(model, str):
        return
    raise InvalidArgumentType(
        f"LLM behavior {name!r}: `model` is the name of a model, not {shown(model)}",
        what_failed=f"Declaring LLM behavior {name!r} with `model={shown(model)}`.",
        why="It is sent to the provider, stands in the log, and is part of the prompt's hash.",
        how_to_fix="Leave it out for the provider's default, or give the name as text.",
        context={"behavior": name, "argument": "model", "type": type(model).__name__},
    )


def _check_number(value: object, field_name: str, behavior: str, *, least: float, whole: bool) -> None:
    is_number = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
    if is_number and least <= value < math.inf:  # type: ignore[operator]
        return
    kind = "a whole number" if whole else "a number"
    raise InvalidRuntimeConfiguration(
        f"LLM behavior {behavior!r}: `{field_name}` must be {kind} >= {least:g}, not {shown(value)}",
        what_failed=f"Declaring LLM behavior {behavior!r} with `{field_name}={shown(value)}`.",
        why="It is sent to the provider and is part of the prompt's hash.",
        how_to_fix=f"Leave it out for the default, or give {kind} >= {least:g}.",
        context={"behavior": behavior, "argument": field_name},
    )
