"""The cases on two stores, for every ordered pair of those that the command line names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from activegraph.conformance.pairs import PairConformance
from activegraph.conformance.targets import StoreTarget, StoreUnderTest


class TestPair(PairConformance):
    """Every case, once per pair."""

    __test__ = True

    @pytest.fixture(autouse=True)
    def _places(self, store_pair: tuple[StoreTarget, StoreTarget], tmp_path: Path) -> Iterator[None]:
        suites = []
        for name, target in zip(("source", "destination"), store_pair, strict=True):
            folder = tmp_path / name
            folder.mkdir()
            suite = StoreUnderTest()
            suite.enter(target, folder)
            suites.append(suite)
        self.source, self.destination = suites
        yield
        for suite in suites:
            suite.leave()
