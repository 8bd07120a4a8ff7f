"""What every test of the workspace may use, and that none leaves declared behaviors to the next."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from activegraph import clear_registry, get_registry, register

pytest_plugins = ["support.postgres_fixtures"]


@pytest.fixture(autouse=True)
def _registry_as_it_was() -> Iterator[None]:
    before = get_registry()
    yield
    if get_registry() != before:
        clear_registry()
        for declared in before:
            register(declared)
