"""What an answer costs: US dollars per million tokens, by the longest matching beginning of the model's name."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from activegraph.core.exact import EXACT
from activegraph.core.log_lines import say
from activegraph.errors import InvalidRuntimeConfiguration
from activegraph.errors.base import shown

__all__ = ["PriceTable"]

_MILLION = Decimal(1_000_000)


class Price(NamedTuple):
    """US dollars per million tokens."""

    input: Decimal
    output: Decimal


class PriceTable:
    """Prices of one provider's models.

    Args:
        prices: By the beginning of a model's name: `{"input": "3", "output": "15"}`; text, Decimal, int or float.
        otherwise: Entry for models of no matching name. If the table lacks it, its most expensive entry
            stands in, and a WARNING says so once for each model.
        logger: Where the WARNING goes.

    Raises:
        InvalidRuntimeConfiguration: An empty table, or a price that is none.
    """

    def __init__(self, prices: Mapping[str, Mapping[str, Any]], *, otherwise: str, logger: logging.Logger) -> None:
        if not isinstance(prices, Mapping) or not prices:
            raise _refusal(f"`pricing` must be a table of prices, not {shown(prices)}")
        self._prices = {str(prefix): _price(str(prefix), entry) for prefix, entry in prices.items()}
        self._otherwise = otherwise
        self._logger = logger
        self._warned: set[str] = set()

    def cost(self, *, input_tokens: int, output_tokens: int, model: str) -> Decimal:
        """US dollars, exact."""
        price = self._price_of(model)
        asked = EXACT.divide(EXACT.multiply(input_tokens, price.input), _MILLION)
        return EXACT.add(asked, EXACT.divide(EXACT.multiply(output_tokens, price.output), _MILLION))

    def _price_of(self, model: str) -> Price:
        matching = [prefix for prefix in self._prices if model.startswith(prefix)]
        if matching:
            return self._prices[max(matching, key=len)]
        known = self._prices.get(self._otherwise)
        if known is not None:
            return known
        dearest = max(self._prices.values(), key=lambda price: price.input + price.output)
        if model not in self._warned:
            self._warned.add(model)
            say(
                self._logger,
                logging.WARNING,
                "no price for model %s: counted as the most expensive of the table, $%s in and $%s out per million tokens",
                model,
                dearest.input,
                dearest.output,
                model=model,
            )
        return dearest


def _price(prefix: str, entry: Any) -> Price:
    try:
        price = Price(Decimal(str(entry["input"])), Decimal(str(entry["output"])))
    except (InvalidOperation, KeyError, TypeError):
        price = None
    if price is None or not all(part.is_finite() and part >= 0 for part in price):
        raise _refusal(f"`pricing[{prefix!r}]` is no price: {shown(entry)}")
    return price


def _refusal(what: str) -> InvalidRuntimeConfiguration:
    return InvalidRuntimeConfiguration(
        what,
        what_failed=f"Building a provider: {what}.",
        why="Costs are added up exactly and compared with the budget; a wrong price would make the limit worthless.",
        how_to_fix='pricing={"<beginning of a model name>": {"input": "3", "output": "15"}}, in dollars per million tokens',
        context={"argument": "pricing"},
    )
