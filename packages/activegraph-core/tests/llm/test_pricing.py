"""What answers cost."""

from __future__ import annotations

import logging
from decimal import Decimal, Inexact, localcontext
from typing import Any

import pytest
from activegraph.errors import InvalidRuntimeConfiguration
from activegraph.llm import AnthropicProvider, OpenAIProvider


def million(provider: Any, model: str) -> tuple[Decimal, Decimal]:
    """The cost of a million tokens in, and of a million out."""
    return (
        provider.estimate_cost(input_tokens=1_000_000, output_tokens=0, model=model),
        provider.estimate_cost(input_tokens=0, output_tokens=1_000_000, model=model),
    )


@pytest.mark.parametrize(
    ("model", "price"),
    [
        ("claude-opus-4", ("15", "75")),
        ("claude-opus-4-5-20251101", ("15", "75")),
        ("claude-sonnet-4-5", ("3", "15")),
        ("claude-haiku-4-5", ("1", "5")),
        ("claude-of-tomorrow", ("3", "15")),
    ],
)
def test_prices_of_claude_models(model: str, price: tuple[str, str]) -> None:
    assert million(AnthropicProvider(), model) == tuple(map(Decimal, price))


@pytest.mark.parametrize("traps", [[], [Inexact]], ids=["rounds", "traps"])
def test_a_price_is_exact_whatever_the_program_does_with_decimals(traps: list[Any]) -> None:
    with localcontext(prec=2, traps=traps):
        cost = AnthropicProvider().estimate_cost(input_tokens=12_345, output_tokens=678, model="claude-sonnet-4-5")

    assert cost == Decimal("0.047205")


@pytest.mark.parametrize(
    ("model", "price"),
    [
        ("gpt-4o-mini-2024-07-18", ("0.15", "0.6")),
        ("gpt-4o", ("2.5", "10")),
        ("gpt-4-turbo", ("10", "30")),
        ("gpt-4", ("30", "60")),
        ("gpt-3.5-turbo", ("0.5", "1.5")),
        ("ft:gpt-4o-mini:org::id", ("2.5", "10")),
    ],
)
def test_prices_of_openai_models(model: str, price: tuple[str, str]) -> None:
    assert million(OpenAIProvider(), model) == tuple(map(Decimal, price))


def test_a_cost_is_exact() -> None:
    cost = OpenAIProvider().estimate_cost(input_tokens=1, output_tokens=3, model="gpt-4o-mini")

    assert cost == Decimal("0.00000195")


@pytest.mark.parametrize("entry", [{"input": "2", "output": 4}, {"input": Decimal(2), "output": 4.0}])
def test_prices_of_ones_own_replace_the_table(entry: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    provider = AnthropicProvider(pricing={"mine": entry, "claude-sonnet-4": {"input": 1, "output": 1}})

    assert million(provider, "mine-7") == (2, 4)
    assert million(provider, "claude-opus-4") == (1, 1)
    assert caplog.records == []


def test_without_a_price_the_dearest_counts_and_is_announced_once_for_each_model(
    caplog: pytest.LogCaptureFixture,
) -> None:
    provider = OpenAIProvider(
        pricing={"a": {"input": 1, "output": 9}, "b": {"input": 2, "output": 8.5}, "c": {"input": 0, "output": 0}}
    )
    with caplog.at_level(logging.WARNING):
        for model in ("x", "x", "y"):
            assert million(provider, model) == (2, Decimal("8.5"))

    lines = [(record.name, record.levelname) for record in caplog.records]
    assert lines == [("activegraph.llm.openai", "WARNING")] * 2
    assert ["no price for model x" in r.getMessage() for r in caplog.records] == [True, False]


@pytest.mark.parametrize(
    "pricing",
    [
        {},
        {"a": {}},
        {"a": {"input": 1}},
        {"a": {"input": "cheap", "output": 1}},
        {"a": {"input": -1, "output": 1}},
        {"a": {"input": "NaN", "output": 1}},
        {"a": 5},
        [],
    ],
)
def test_what_is_no_price_is_refused(pricing: Any) -> None:
    with pytest.raises(InvalidRuntimeConfiguration, match="pricing"):
        AnthropicProvider(pricing=pricing)
