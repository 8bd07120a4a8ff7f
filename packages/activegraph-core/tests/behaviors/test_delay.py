"""`activate_after`: what counts as a number of events, and what is refused as what."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import pytest
from activegraph.errors import InvalidActivateAfter, RegistrationError
from activegraph.runtime.scheduler import parse_activate_after


class Few(IntEnum):
    THREE = 3


@pytest.mark.parametrize(
    ("spec", "count"),
    [
        (1, 1),
        (12, 12),
        (Few.THREE, 3),
        ("3", 3),
        ("1 event", 1),
        ("3 events", 3),
        (" 3  Events\n", 3),
        ("2 EVENT", 2),
        ("007", 7),
    ],
)
def test_a_delay_is_a_whole_number_of_events(spec: Any, count: int) -> None:
    parsed = parse_activate_after(spec)
    assert parsed == count
    assert type(parsed) is int


@pytest.mark.parametrize(
    ("spec", "kind"),
    [
        (True, "bool not int"),
        (False, "bool not int"),
        ("5 seconds", "wall-clock unit"),
        ("1 second", "wall-clock unit"),
        ("10 ms", "wall-clock unit"),
        ("5ms", "wall-clock unit"),
        ("1 millisecond", "wall-clock unit"),
        ("2 minutes", "wall-clock unit"),
        ("2 min", "wall-clock unit"),
        ("2 Mins", "wall-clock unit"),
        ("1 HOUR", "wall-clock unit"),
        ("3 days", "wall-clock unit"),
        ("a week from now", "wall-clock unit"),
        ("", "unparseable string"),
        ("soon", "unparseable string"),
        ("3.5", "unparseable string"),
        ("3 eventss", "unparseable string"),
        ("3events", "unparseable string"),
        ("\u0663 events", "unparseable string"),
        ("admin", "unparseable string"),
        ("9" * 5000, "unparseable string"),
        (2.0, "type float"),
        (None, "type NoneType"),
        ([3], "type list"),
        (0, "must be >= 1"),
        (-2, "must be >= 1"),
        ("0 events", "must be >= 1"),
        ("-3", "must be >= 1"),
    ],
)
def test_other_delays_are_refused_by_kind(spec: Any, kind: str) -> None:
    with pytest.raises(InvalidActivateAfter) as refusal:
        parse_activate_after(spec)
    error = refusal.value
    assert (error.spec, error.kind) == (spec, kind)
    assert error.summary == f"activate_after={spec!r} is invalid ({kind})"
    assert error.hint == error.how_to_fix
    assert error.context["spec"] == repr(spec)
    assert error.context["kind"] == kind
    assert isinstance(error, RegistrationError)
    assert isinstance(error, ValueError)


def test_a_delay_that_cannot_even_be_shown_is_refused_all_the_same() -> None:
    with pytest.raises(InvalidActivateAfter, match="must be >= 1"):
        parse_activate_after(-(10**5000))
