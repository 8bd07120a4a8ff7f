"""Which model is asked, and the names that belong to another provider."""

from __future__ import annotations

from typing import Any

import pytest
from activegraph.errors import InvalidRuntimeConfiguration
from activegraph.llm import AnthropicProvider, OpenAIProvider, RecordedLLMProvider, RecordingLLMProvider
from activegraph.llm.models import check_model, choose_model


class Silent:
    """A provider of one's own that says nothing of models."""


class Mine:
    default_model = "mine-1"

    def recognizes_model(self, name: str) -> bool:
        return name.startswith("mine-")


@pytest.mark.parametrize(
    ("explicit", "provider", "name", "is_default"),
    [
        ("claude-x", Mine(), "claude-x", False),
        ("", Mine(), "mine-1", True),
        (None, Mine(), "mine-1", True),
        (None, OpenAIProvider(), "gpt-4o-mini", True),
        (None, AnthropicProvider(), "claude-sonnet-4-5", True),
        (None, Silent(), "claude-sonnet-4-5", True),
        (None, None, "claude-sonnet-4-5", True),
    ],
)
def test_the_nearest_who_names_a_model_decides(
    explicit: str | None, provider: Any, name: str, is_default: bool
) -> None:
    assert choose_model(explicit, provider=provider) == (name, is_default)


@pytest.mark.parametrize(
    ("provider", "model", "owner", "owners_default"),
    [
        (AnthropicProvider(), "gpt-4o", "OpenAIProvider", "gpt-4o-mini"),
        (AnthropicProvider(), "o3-mini", "OpenAIProvider", "gpt-4o-mini"),
        (OpenAIProvider(), "claude-sonnet-4-5", "AnthropicProvider", "claude-sonnet-4-5"),
        (Mine(), "gpt-4o", "OpenAIProvider", "gpt-4o-mini"),
    ],
)
def test_a_model_of_another_provider_is_refused_with_both_names(
    provider: Any, model: str, owner: str, owners_default: str
) -> None:
    with pytest.raises(InvalidRuntimeConfiguration) as refusal:
        check_model("suggest", model, provider)

    own = type(provider).__name__
    for said in ("suggest", model, own, owner, provider.default_model):
        assert said in str(refusal.value)
    assert refusal.value.context == {
        "behavior": "suggest",
        "model": model,
        "configured_provider": own,
        "claimed_by_provider": owner,
        "claimed_by_default_model": owners_default,
    }


def test_a_recording_of_another_provider_keeps_its_view(tmp_path: Any) -> None:
    recording = RecordingLLMProvider(AnthropicProvider(), tmp_path)

    with pytest.raises(InvalidRuntimeConfiguration, match="RecordingLLMProvider"):
        check_model("suggest", "gpt-4o", recording)


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        (AnthropicProvider(), "claude-of-tomorrow"),
        (AnthropicProvider(), "ft:gpt-4o-mini:org::id"),
        (AnthropicProvider(), "llama-3"),
        (OpenAIProvider(), "gpt-9"),
        (OpenAIProvider(), "ft:gpt-4o-mini:org::id"),
        (Mine(), "mine-2"),
        (Silent(), "gpt-4o"),
        (None, "gpt-4o"),
        (RecordedLLMProvider("nowhere"), "gpt-4o"),
    ],
)
def test_what_nobody_else_knows_passes(provider: Any, model: str) -> None:
    check_model("suggest", model, provider)


def test_a_provider_that_fails_to_say_what_it_knows_is_no_obstacle() -> None:
    class Failing:
        @property
        def default_model(self) -> str:
            raise RuntimeError("not connected")

        def recognizes_model(self, name: str) -> bool:
            raise RuntimeError("not connected")

    check_model("suggest", "gpt-4o", Failing())
    assert choose_model(None, provider=Failing()).name == "claude-sonnet-4-5"


def test_a_subclass_is_not_set_against_its_own_family() -> None:
    class Restricted(OpenAIProvider):
        def recognizes_model(self, name: str) -> bool:
            return False

    check_model("suggest", "gpt-4o", Restricted())
    with pytest.raises(InvalidRuntimeConfiguration, match="AnthropicProvider"):
        check_model("suggest", "claude-x", Restricted())
