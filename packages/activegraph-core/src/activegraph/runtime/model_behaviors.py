"""The behaviors of a runtime that ask models, made ready: which model, which tools, which limits.

Found out at each start of a run, before anything is emitted. A model that a behavior does not name is the
provider's default; that it was a default is remembered, so that another runtime chooses for itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from activegraph.behaviors.kinds import asks_model
from activegraph.errors import MissingProviderError, MissingToolError
from activegraph.llm.models import check_model, choose_model
from activegraph.runtime.call_budget import behavior_budget
from activegraph.runtime.outside import CallOptions
from activegraph.runtime.subscriptions import Subscriptions
from activegraph.tools.base import Tool
from activegraph.tools.built_in import built_in_tool
from activegraph.tools.registry import by_name, get_tool_registry

if TYPE_CHECKING:
    from activegraph.behaviors.base import AnyBehavior
    from activegraph.llm.behavior import LLMBehavior

__all__ = ["ModelBehaviors", "Prepared", "named_model"]


class Prepared(NamedTuple):
    """One behavior in one runtime."""

    model: str
    tools: tuple[Tool, ...]


class ModelBehaviors:
    """What the behaviors of one runtime that ask models have been resolved to.

    Attributes:
        tools: All tools of the runtime by name, as of the last start of a run; a tool that a pack exports stands
            under its short name too.
    """

    def __init__(self, options: CallOptions, pack_tools: Callable[[], Mapping[str, Tool]]) -> None:
        self.tools: dict[str, Tool] = {}
        self._options = options
        self._pack_tools = pack_tools
        self._prepared: dict[int, Prepared] = {}

    def prepare(self, subscriptions: Subscriptions) -> None:
        """Make ready all behaviors of a run that is about to start.

        Raises:
            MissingProviderError: One asks a model, and there is no provider.
            MissingToolError: One names a tool that is not there.
            InvalidRuntimeConfiguration: A model of another provider, two tools of one name, an own budget
                that cannot be used.
        """
        asking = [each for each in subscriptions.behaviors if asks_model(each)]
        tools = self.collect_tools(asking)
        prepared = {id(behavior): self._prepare(behavior, tools) for behavior in asking}
        self.tools, self._prepared = tools, prepared

    def prepared(self, behavior: LLMBehavior) -> Prepared:
        """What one behavior was resolved to."""
        return self._prepared[id(behavior)]

    def check_named_model(self, behavior: AnyBehavior) -> None:
        """Refuse a behavior that names a model of another provider; one that names none is settled later."""
        if self._options.provider is not None and asks_model(behavior):
            named = named_model(behavior)
            if named is not None:
                check_model(behavior.name, named, self._options.provider)

    def settle_models(self, behaviors: Iterable[AnyBehavior]) -> None:
        """Settle the models of behaviors that are known before a run starts; without a provider nothing is known yet.

        Raises:
            InvalidRuntimeConfiguration: One names a model of another provider.
        """
        if self._options.provider is not None:
            for behavior in behaviors:
                if asks_model(behavior):
                    self._model_of(behavior)

    def collect_tools(self, behaviors: Iterable[AnyBehavior]) -> dict[str, Tool]:
        """All tools that these behaviors, this runtime and its packs know, by name."""
        return by_name(self.own_tools(behaviors).values(), also=self._pack_tools())

    def own_tools(self, behaviors: Iterable[AnyBehavior]) -> dict[str, Tool]:
        """The same without the packs'."""
        given = get_tool_registry() if self._options.tools is None else self._options.tools
        declared = (
            one for behavior in behaviors if asks_model(behavior) for one in behavior.tools if isinstance(one, Tool)
        )
        return by_name([*given, *declared])

    def _prepare(self, behavior: LLMBehavior, tools: dict[str, Tool]) -> Prepared:
        self._require_provider(behavior)
        behavior_budget(behavior.budget, behavior.name)
        named = {tool.name: tool for tool in (self._tool(one, behavior, tools) for one in behavior.tools)}
        return Prepared(self._model_of(behavior), tuple(named.values()))

    def _require_provider(self, behavior: LLMBehavior) -> None:
        if self._options.provider is None:
            raise MissingProviderError(behavior.name)

    def _tool(self, one: Tool | str, behavior: LLMBehavior, tools: dict[str, Tool]) -> Tool:
        if isinstance(one, Tool):
            return one
        found = tools.get(one) or built_in_tool(one)
        if found is None:
            raise MissingToolError(one, behavior_name=behavior.name, registered=sorted(tools))
        tools.setdefault(found.name, found)
        return found

    def _model_of(self, behavior: LLMBehavior) -> str:
        chosen = choose_model(named_model(behavior), provider=self._options.provider)
        if chosen.is_default:
            behavior.__dict__["_default_model"] = behavior.model = chosen.name
        else:
            check_model(behavior.name, chosen.name, self._options.provider)
        return chosen.name


def named_model(behavior: LLMBehavior) -> str | None:
    """The model that the behavior itself names; what a runtime has put there as its default is none."""
    return None if behavior.model == behavior.__dict__.get("_default_model") else behavior.model
