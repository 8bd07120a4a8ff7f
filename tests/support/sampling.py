"""How much of a sweep is tried: a little, what is usual, or all of it; and the settings of tests of generated programs.

`ACTIVEGRAPH_TEST_SCALE=full` is for a long run on one's own machine. `small` is for the older
Pythons, where nox repeats what the newest one has tried at the usual scale.
"""

from __future__ import annotations

import os
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

__all__ = ["FULL", "by_scale", "generated", "some"]

Choice = TypeVar("Choice")

SCALE = os.environ.get("ACTIVEGRAPH_TEST_SCALE", "usual")
FULL = SCALE == "full"


def by_scale(usual: Choice, *, small: Choice, full: Choice) -> Choice:
    """What the scale of this test run asks for."""
    return {"small": small, "full": full}.get(SCALE, usual)


generated = settings(
    max_examples=int(os.environ.get("ACTIVEGRAPH_TEST_PROGRAMS", by_scale(50, small=8, full=2000))),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)


def some(draw: Any, last: int, most: int) -> list[int]:
    """Every place up to `last`, or a few drawn ones where there are many."""
    if FULL or last <= most:
        return list(range(1, last + 1))
    return sorted(draw(st.sets(st.integers(1, last), min_size=most, max_size=most)))
