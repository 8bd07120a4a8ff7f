"""Wheels are built once a test run; every test installs into an environment of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support.distributions import Environment, Wheel, build_wheels, pinned_versions


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Wheel]:
    """Every distribution of the workspace, built now."""
    return build_wheels(tmp_path_factory.mktemp("wheels"))


@pytest.fixture(scope="session")
def environment_with(wheels: dict[str, Wheel], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Environment]:
    """An environment as `pip install` with these requirements makes it, from nothing; made once for each set."""
    constraints = pinned_versions(tmp_path_factory.mktemp("pins") / "constraints.txt")
    made: dict[tuple[str, ...], Environment] = {}

    def environment(*requirements: str) -> Environment:
        if requirements not in made:
            made[requirements] = Environment(tmp_path_factory.mktemp("environment") / "venv", constraints)
            made[requirements].install(wheels, *requirements)
        return made[requirements]

    return environment


@pytest.fixture
def core_alone(environment_with: Callable[..., Environment]) -> Environment:
    """An environment that holds activegraph-core and nothing else of ours."""
    return environment_with("activegraph-core")


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A folder without any source of ours, so that only what is installed can be imported."""
    return tmp_path
