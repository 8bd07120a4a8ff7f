"""Who investigates: rules, a model whose answers are recorded, or a model that is asked over the network."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from activegraph.cli.errors import UsageError
from activegraph.core.graph import Graph
from activegraph.errors import MissingProviderSDK
from activegraph.packs import Pack
from activegraph.packs.incident_review.definition import pack, pack_reading
from activegraph.packs.incident_review.provider import RecordedIncidentProvider
from activegraph.packs.incident_review.settings import IncidentReviewSettings
from activegraph.packs.incident_review.sources import GraphSource

__all__ = ["Method", "by_model", "by_recorded_answers", "by_rules"]


@dataclass(frozen=True)
class Method:
    """How a review is made.

    Attributes:
        make_pack: The pack for a run, given its graph.
        make_provider: What answers its LLM behaviors; called when there is something to ask.
        attempts: How often a call is tried that the network or a limit refuses.
        durability: What a power cut may take back.
    """

    settings: IncidentReviewSettings
    make_pack: Callable[[Graph], Pack]
    make_provider: Callable[[], Any]
    attempts: int = 1
    durability: str = "effect"

    @property
    def model(self) -> str | None:
        """Name of the model that is asked; None for rules and recorded answers."""
        return self.settings.llm_model


def by_rules() -> Method:
    """Rules investigate; nobody is asked."""
    return Method(IncidentReviewSettings(investigate_with="rules"), lambda graph: pack, lambda: None)


def by_recorded_answers() -> Method:
    """The recorded incidents, with what a model answered about them."""
    # A recorded answer costs nothing, so none is waited for on the disk; a killed process loses nothing anyway.
    return Method(IncidentReviewSettings(), lambda graph: pack, RecordedIncidentProvider, durability="os")


def by_model(name: str) -> Method:
    """A model of the provider whose names begin like this one; its tools read what the host has added.

    Raises:
        UsageError: No provider has such models.
    """
    from activegraph.llm import AnthropicProvider, OpenAIProvider

    families: tuple[tuple[Any, str, str], ...] = (
        (AnthropicProvider(), "anthropic", "ANTHROPIC_API_KEY"),
        (OpenAIProvider(), "openai", "OPENAI_API_KEY"),
    )
    found = next((family for family in families if family[0].recognizes_model(name)), None)
    if found is None:
        raise UsageError(
            f"no provider knows the model {name!r}: names begin with claude-, gpt-, o1-, ...", "quickstart"
        )
    return Method(
        IncidentReviewSettings(llm_model=name),
        lambda graph: pack_reading(GraphSource(graph)),
        lambda: _usable(name, *found),
        attempts=3,
    )


def _usable(name: str, provider: Any, sdk: str, key: str) -> Any:
    """The provider, if it can be asked: better known now than after the run has begun."""
    if not (os.environ.get(key) or "").strip():
        raise UsageError(f"model {name} needs a key: set the environment variable {key}", hint=False)
    if find_spec(sdk) is None:
        raise MissingProviderSDK(package=sdk, feature=f"the model {name}", extras="llm")
    return provider
