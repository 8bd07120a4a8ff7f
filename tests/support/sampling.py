"""How many generated programs a test runs, and how many places of each: few by default, all of them at full scale."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

__all__ = ["FULL", "generated", "some"]

FULL = os.environ.get("ACTIVEGRAPH_TEST_SCALE") == "full"
EXAMPLES = 2000 if FULL else int(os.environ.get("ACTIVEGRAPH_TEST_PROGRAMS", "25"))

generated = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)


def some(draw: Any, last: int, most: int) -> list[int]:
    """Every place up to `last`, or a few drawn ones where there are many."""
    if FULL or last <= most:
        return list(range(1, last + 1))
    return sorted(draw(st.sets(st.integers(1, last), min_size=most, max_size=most)))
