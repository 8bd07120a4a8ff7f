"""The store suite on every store that the command line names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from activegraph.conformance.targets import StoreTarget, StoreUnderTest


class TestStore(StoreUnderTest):
    """Every case, once per `--store-url`."""

    __test__ = True

    @pytest.fixture(autouse=True)
    def _place(self, store_target: StoreTarget, tmp_path: Path) -> Iterator[None]:
        self.enter(store_target, tmp_path)
        yield
        self.leave()
