"""Which model is asked, and whether its name belongs to another provider than the one that is configured.

A wrong pair of model and provider would be found out by the first paid call; here the name alone tells.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, NamedTuple

from activegraph.errors import InvalidRuntimeConfiguration

__all__ = ["ANTHROPIC", "FALLBACK_MODEL", "OPENAI", "ChosenModel", "check_model", "choose_model", "default_model"]


class Family(NamedTuple):
    """A shipped provider's models: how their names begin, and which is asked by default."""

    provider: str
    default: str
    prefixes: tuple[str, ...]


ANTHROPIC = Family("AnthropicProvider", "claude-sonnet-4-5", ("claude-",))
OPENAI = Family("OpenAIProvider", "gpt-4o-mini", ("gpt-", "o1-", "o3-", "o4-"))

FALLBACK_MODEL = ANTHROPIC.default
"""Asked where nobody names a model."""


class ChosenModel(NamedTuple):
    """The model of a behavior in one runtime."""

    name: str
    is_default: bool
    """Whether it is the provider's default, so that another runtime chooses again for itself."""


def choose_model(explicit: str | None, *, provider: Any = None) -> ChosenModel:
    """The model to ask.

    Args:
        explicit: What the behavior names; one of a pack has it from its pack's settings, if it names none.
    """
    if explicit:
        return ChosenModel(explicit, is_default=False)
    return ChosenModel(default_model(provider), is_default=True)


def default_model(provider: Any) -> str:
    """The provider's default; the fallback where it says none, or there is no provider."""
    named = None
    with suppress(Exception):  # a provider is foreign code, and need not have one
        named = provider.default_model
    return named if isinstance(named, str) and named else FALLBACK_MODEL


def check_model(behavior: str, model: str, provider: Any) -> None:
    """Refuse a model that the provider does not know and another shipped provider does.

    A name that nobody knows passes: new models appear before their names do here.

    Raises:
        InvalidRuntimeConfiguration: It belongs to another provider.
    """
    knows = True
    with suppress(Exception):  # as above; one that cannot say has no say
        knows = bool(provider.recognizes_model(model))
    if knows:
        return
    own = {cls.__name__ for cls in type(provider).__mro__}
    for family in (ANTHROPIC, OPENAI):
        if family.provider not in own and model.startswith(family.prefixes):
            raise _refusal(behavior, model, type(provider).__name__, default_model(provider), family)


def _refusal(behavior: str, model: str, configured: str, default: str, owner: Family) -> InvalidRuntimeConfiguration:
    return InvalidRuntimeConfiguration(
        f"behavior {behavior!r} asks for model {model!r} of {owner.provider}, and the runtime has {configured}",
        what_failed=f"Behavior {behavior!r} names the model {model!r}, which {configured} does not know.",
        why="A provider is asked by the names of its own models; the call would fail after the run has begun.",
        how_to_fix=(
            f"Leave `model=` out for the provider's default ({default!r}), name one of its models, "
            f"or give the runtime the other provider:\n    Runtime(graph, llm_provider={owner.provider}())"
        ),
        context={
            "behavior": behavior,
            "model": model,
            "configured_provider": configured,
            "claimed_by_provider": owner.provider,
            "claimed_by_default_model": owner.default,
        },
    )
