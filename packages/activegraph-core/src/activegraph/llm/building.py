"""From a declared behavior to its prompt: the one way, for the runtime and for whoever looks without one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from activegraph.core.event import Event
from activegraph.core.graph import Graph
from activegraph.core.view import View
from activegraph.core.view_builder import centres, view_of_graph
from activegraph.errors import MissingToolError
from activegraph.frame import Frame
from activegraph.llm.models import FALLBACK_MODEL
from activegraph.llm.prompt import AssembledPrompt, assemble_prompt
from activegraph.llm.prompt_text import in_prompts, serialize_view
from activegraph.tools.base import Tool
from activegraph.tools.built_in import built_in_tool
from activegraph.tools.registry import get_tool_registry

if TYPE_CHECKING:
    from activegraph.llm.behavior import LLMBehavior

__all__ = ["first_prompt", "prompt_without_runtime", "tool_definitions"]

_CHARACTERS_A_TOKEN = 4


def first_prompt(
    behavior: LLMBehavior,
    event: Event,
    view: View,
    *,
    frame: Frame | None,
    model: str,
    tools: Sequence[dict[str, Any]] | None,
) -> AssembledPrompt:
    """The prompt of a first turn.

    Args:
        view: What the behavior's view spec asks for; its recent events counted over those `in_prompts`.
        model: Name of the model, chosen already.
        tools: Definitions, as `tool_definitions` gives them.

    Raises:
        ValueError: The template holds an unknown placeholder.
    """
    spec = behavior.view_spec or {}
    around = spec.get("around")
    centre = None if around is None else ", ".join(centres(around, event)) or None
    depth = spec.get("depth")
    limit = spec.get("token_budget")
    if limit is not None:
        view = _within(view, limit, around=centre, depth=depth)
    return assemble_prompt(
        behavior_name=behavior.name,
        description=behavior.description,
        model=model,
        output_schema=behavior.output_schema,
        creates=behavior.creates,
        view=view,
        event=event,
        frame=frame,
        around=centre,
        depth=depth,
        max_tokens=behavior.max_tokens,
        temperature=behavior.temperature,
        top_p=behavior.top_p,
        deterministic=behavior.deterministic,
        prompt_template=behavior.prompt_template,
        tools=tools,
    )


def tool_definitions(tools: Iterable[Tool]) -> list[dict[str, Any]] | None:
    """What the model is told of its tools, each once, in declared order; None for none."""
    once = {tool.name: tool for tool in tools}
    return [tool.to_definition() for tool in once.values()] or None


def prompt_without_runtime(
    behavior: LLMBehavior, event: Event, graph: Graph | View, *, frame: Frame | None
) -> AssembledPrompt:
    """What a runtime would send first if the behavior were called now; see `LLMBehavior.build_prompt`."""
    if isinstance(graph, View):
        view = graph
    else:
        view = view_of_graph(graph, behavior.view_spec, event, shown=in_prompts)
    model = behavior.model or FALLBACK_MODEL
    return first_prompt(behavior, event, view, frame=frame, model=model, tools=tool_definitions(_tools_of(behavior)))


def _tools_of(behavior: LLMBehavior) -> Iterable[Tool]:
    registered = {tool.name: tool for tool in get_tool_registry()}
    for one in behavior.tools:
        if isinstance(one, Tool):
            yield one
        elif found := registered.get(one) or built_in_tool(one):
            yield found
        else:
            raise MissingToolError(one, behavior_name=behavior.name, registered=sorted(registered))


def _within(view: View, tokens: int, *, around: str | None, depth: int | None) -> View:
    """As much of `view` as its text has room for: the oldest events go first, then relations, then objects.

    A token is counted as four characters; the model's own count is known only to its provider.
    """
    objects, relations = view.objects(), view.relations()
    events = [event for event in view.events() if in_prompts(event)]

    def fits(skip: int) -> View | None:
        """The view less the first `skip` of all its elements, if its text is short enough."""
        left_events = events[min(skip, len(events)) :]
        skip = max(0, skip - len(events))
        left_relations = relations[min(skip, len(relations)) :]
        left_objects = objects[max(0, skip - len(relations)) :]
        shorter = View(left_objects, left_relations, left_events)
        length = len(serialize_view(shorter, around=around, depth=depth))
        return shorter if length <= tokens * _CHARACTERS_A_TOKEN else None

    least, most = 0, len(events) + len(relations) + len(objects)
    while least < most:
        middle = (least + most) // 2
        if fits(middle) is None:
            least = middle + 1
        else:
            most = middle
    return fits(least) or View()
