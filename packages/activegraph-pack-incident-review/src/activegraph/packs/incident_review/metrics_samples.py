"""Reads samples of the statistics views and makes signals of them, one per metric.

A sample is a line of JSON with the time `at`, and either counts or the `error` that came instead.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import msgspec
from activegraph.packs.incident_review.signals import Signal

__all__ = ["Sample", "read_metric_signals", "read_samples"]


class Sample(NamedTuple):
    """One line of the file: counts, or the `error` that came instead."""

    line: int
    at: str
    values: dict[str, Any]

    def number(self, name: str) -> int:
        value = self.values.get(name)
        return value if isinstance(value, int) else 0

    def quote(self, *names: str) -> str:
        """The named values as they stand in the file."""
        return json.dumps({name: self.values[name] for name in names if name in self.values})[1:-1]


def read_samples(path: str | os.PathLike[str]) -> list[Sample]:
    """The samples of a file, in order; lines that are none are passed over.

    Raises:
        OSError: The file can't be read.
    """
    samples = []
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            try:
                values = msgspec.json.decode(line)
            except msgspec.MsgspecError:
                continue
            if isinstance(values, dict) and isinstance(values.get("at"), str):
                samples.append(Sample(number, values["at"], values))
    return samples


def read_metric_signals(path: str | os.PathLike[str], incident: int = 1) -> list[Signal]:
    """The signals of a file of samples, one per metric.

    Raises:
        OSError: The file can't be read.
    """
    samples = read_samples(path)
    answered = [sample for sample in samples if "error" not in sample.values]
    made = [make(samples, answered) for make in _METRICS] if answered else []
    return [
        Signal(
            incident,
            "metrics",
            signal.kind,
            signal.title,
            len(samples),
            samples[0].at,
            samples[-1].at,
            signal.lines,
            message=signal.quote,
            facts=signal.facts,
        )
        for signal in made
        if signal is not None
    ]


class _Metric(NamedTuple):
    kind: str
    title: str
    lines: tuple[int, ...]
    quote: str
    facts: dict[str, Any]


def _sessions(samples: Sequence[Sample], answered: Sequence[Sample]) -> _Metric:
    peak = max(answered, key=lambda sample: sample.number("backends"))
    facts = {
        "peak": peak.number("backends"),
        "at": peak.at,
        "states": peak.values.get("sessions", {}),
        "max_connections": peak.number("max_connections"),
        "first": answered[0].number("backends"),
    }
    title = f"sessions: at most {facts['peak']} of {facts['max_connections']}"
    return _Metric("sessions", title, (peak.line,), peak.quote("sessions", "backends"), facts)


def _lock_waiters(samples: Sequence[Sample], answered: Sequence[Sample]) -> _Metric:
    peak = max(range(len(answered)), key=lambda place: answered[place].number("waiting"))
    # The queue of the peak: the samples around it in which somebody waited.
    begin = end = peak
    while begin > 0 and answered[begin - 1].number("waiting"):
        begin -= 1
    while end + 1 < len(answered) and answered[end + 1].number("waiting"):
        end += 1
    queue = answered[begin : end + 1]
    highest = answered[peak]
    facts = {
        "peak": highest.number("waiting"),
        "at": highest.at,
        "grew_from": queue[0].number("waiting"),
        "samples": len(queue),
        "samples_with_an_idle_transaction": sum(
            1 for sample in queue if sample.values.get("sessions", {}).get("idle in transaction")
        ),
    }
    title = f"sessions waiting for a lock: at most {facts['peak']}"
    return _Metric("lock_waiters", title, (highest.line,), highest.quote("sessions", "backends", "waiting"), facts)


def _deadlock_counter(samples: Sequence[Sample], answered: Sequence[Sample]) -> _Metric:
    last = answered[0]
    counted = 0
    for before, after in pairwise(answered):
        # A counter that fell was reset by a crash; what it shows since then is new.
        step = after.number("deadlocks") - before.number("deadlocks")
        step = after.number("deadlocks") if step < 0 else step
        if step:
            counted, last = counted + step, after
    title = f"deadlocks counted: {counted}"
    return _Metric("deadlock_counter", title, (last.line,), last.quote("deadlocks"), {"counted": counted})


def _outage(samples: Sequence[Sample], answered: Sequence[Sample]) -> _Metric | None:
    failed = [sample for sample in samples if "error" in sample.values]
    if not failed:
        return None
    before = [sample for sample in answered if sample.line < failed[0].line]
    after = [sample for sample in answered if sample.line > failed[-1].line]
    facts = {
        "failed": len(failed),
        "last_answer_before": before[-1].at if before else None,
        "first_answer_after": after[0].at if after else None,
    }
    title = f"samples without an answer: {len(failed)}"
    lines = tuple(sample.line for sample in failed[:100])
    return _Metric("outage", title, lines, str(failed[0].values["error"])[:500], facts)


_METRICS: tuple[Callable[[Sequence[Sample], Sequence[Sample]], _Metric | None], ...] = (
    _sessions,
    _lock_waiters,
    _deadlock_counter,
    _outage,
)
