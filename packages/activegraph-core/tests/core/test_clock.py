"""Clocks: what they tell, and that standing ones make runs equal byte for byte."""

from __future__ import annotations

import re
import time

import pytest
from activegraph.core.clock import Clock, FrozenClock, TickingClock, monotonic_of


def test_the_clock_tells_utc_in_whole_seconds() -> None:
    clock = Clock()
    before = time.time()
    text = clock.now()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", text)
    earliest = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(before))
    assert earliest <= text <= time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def test_the_clock_measures_durations() -> None:
    clock = Clock()
    first = clock.monotonic()
    assert clock.monotonic() >= first


class _Slow(Clock):
    def monotonic(self) -> float:
        return 1.5


class _Sundial:
    def now(self) -> str:
        return "noon"


def test_durations_are_measured_by_whatever_a_clock_has_for_it() -> None:
    replaced = Clock()
    replaced.__dict__["monotonic"] = lambda: 2.5

    assert [monotonic_of(clock)() for clock in (_Slow(), replaced, FrozenClock(), _Sundial())] == [1.5, 2.5, 0.0, 0.0]
    assert monotonic_of(Clock())() <= time.monotonic()


def test_a_frozen_clock_tells_one_time() -> None:
    assert FrozenClock().now() == "2026-05-15T10:32:01Z"
    clock = FrozenClock("any text")
    assert [clock.now(), clock.now()] == ["any text", "any text"]


def test_a_ticking_clock_starts_at_its_start_and_steps_at_each_look() -> None:
    clock = TickingClock()
    assert [clock.now() for _ in range(3)] == ["2026-05-15T10:32:01Z", "2026-05-15T10:32:02Z", "2026-05-15T10:32:03Z"]
    late = TickingClock(start="2026-12-31T23:59:30Z", step_seconds=40)
    assert [late.now(), late.now()] == ["2026-12-31T23:59:30Z", "2027-01-01T00:00:10Z"]


@pytest.mark.parametrize(
    ("start", "first"),
    [
        ("2026-05-15T12:32:01+02:00", "2026-05-15T10:32:01Z"),
        ("2026-05-15T10:32:01", "2026-05-15T10:32:01Z"),
        ("0007-01-02T03:04:05Z", "0007-01-02T03:04:05Z"),
    ],
)
def test_a_ticking_clock_tells_utc_whatever_its_start_is_written_in(start: str, first: str) -> None:
    assert TickingClock(start).now() == first


def test_steps_below_a_second_add_up() -> None:
    clock = TickingClock(step_seconds=0.5)
    assert [clock.now()[-3:] for _ in range(4)] == ["01Z", "01Z", "02Z", "02Z"]


@pytest.mark.parametrize("clock", [FrozenClock(), TickingClock()])
def test_durations_and_waits_of_standing_clocks_take_no_time(clock: Clock) -> None:
    assert clock.monotonic() == 0.0
    clock.sleep(10**9)
    assert clock.monotonic() == 0.0
    assert isinstance(clock, Clock)
