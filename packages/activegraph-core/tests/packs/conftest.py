"""Each test of this room declares into a registry of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from activegraph import clear_registry, register


@pytest.fixture(autouse=True)
def _own_registry() -> Iterator[None]:
    kept = clear_registry()
    yield
    clear_registry()
    for declared in kept:
        register(declared)
