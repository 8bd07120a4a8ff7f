"""Cases on what the runtime tells a metrics backend: each metric exactly so often, with its own tags, and never to a run's harm."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from activegraph.conformance.cases import case, check, same
from activegraph.conformance.recording import Series
from activegraph.conformance.scripted_runs import (
    CALLS,
    COST_LEFT,
    COUNTERS,
    HISTOGRAMS,
    SAID,
    Key,
    run_behaviors,
    run_everything,
)
from activegraph.metrics import METRIC_BY_NAME, METRIC_NAMES, Metrics, NoOpMetrics
from activegraph.runtime.queue import is_internal
from activegraph.runtime.runtime import Runtime

__all__ = ["EmissionCases"]

_PREFIX = "activegraph_"
_OF_RUNS = frozenset(spec.name for spec in METRIC_NAMES if "run_id" in spec.tags)
_BLOCKED_SECONDS = 0.01


class Watched:
    """A backend, and everything that it was told."""

    def __init__(self, backend: Any) -> None:
        self.backend = backend
        self.calls: list[tuple[str, str, dict[str, str], float]] = []

    def counter(self, name: str, tags: dict[str, str], value: float = 1.0) -> None:
        self.calls.append(("counter", name, dict(tags), value))
        self.backend.counter(name, tags, value)

    def histogram(self, name: str, tags: dict[str, str], value: float) -> None:
        self.calls.append(("histogram", name, dict(tags), value))
        self.backend.histogram(name, tags, value)

    def gauge(self, name: str, tags: dict[str, str], value: float) -> None:
        self.calls.append(("gauge", name, dict(tags), value))
        self.backend.gauge(name, tags, value)

    def remove_gauge(self, name: str, tags: dict[str, str]) -> None:
        self.calls.append(("removal", name, dict(tags), 0.0))
        remove = getattr(self.backend, "remove_gauge", None)
        if remove is not None:
            remove(name, tags)


class Refusing(NoOpMetrics):
    """Fails at every n-th call."""

    __slots__ = ("_every", "calls")

    def __init__(self, every: int) -> None:
        self._every = every
        self.calls = 0

    def counter(self, name: str, tags: dict[str, str], value: float = 1.0) -> None:
        self.calls += 1
        if self.calls % self._every == 0:
            raise ConnectionError(SAID)

    histogram = gauge = counter


class Blocking(NoOpMetrics):
    """Takes its time."""

    __slots__ = ()

    def counter(self, name: str, tags: dict[str, str], value: float = 1.0) -> None:
        time.sleep(_BLOCKED_SECONDS)

    histogram = gauge = counter


class EmissionCases:
    """The cases; whoever inherits them says what backend they are about."""

    def make_metrics(self) -> Metrics:
        """A fresh backend."""
        raise NotImplementedError

    def read(self, metrics: Any) -> Mapping[Series, float]:
        """All series of the backend."""
        raise NotImplementedError

    def reads(self) -> bool:
        """Whether `read` is there."""
        return False

    @case("metrics-10", "runs of every kind give exactly the documented observations")
    def test_metrics_10_runs_are_told_exactly(self) -> None:
        backend = self.make_metrics()
        watched, before = Watched(backend), self._series_of(backend)
        runtimes = run_everything(watched, _name())
        logs = {runtime.run_id: list(runtime.graph.events) for runtime in runtimes}
        events = Counter(event.type for log in logs.values() for event in log)
        counters: dict[Key, float] = dict(COUNTERS)
        for type, number in events.items():
            counters["events_emitted_total", (("event_type", type),)] = number

        for kind, name, tags, value in watched.calls:
            _check_call(kind, name, tags, value)
        same("what was counted", _added(watched.calls), counters)
        same("what was observed", {key: n for key, (n, _) in _observed(watched.calls).items()}, _numbers(HISTOGRAMS))
        for key, (_, total) in HISTOGRAMS.items():
            if total is not None:
                same(f"sum of {key}", round(_observed(watched.calls)[key][1], 9), total)
        self._check_gauges(watched, runtimes)
        if self.reads():
            self._check_series(backend, before, counters)
        _close(runtimes)

    @case(
        "metrics-11",
        "no tag tells one run, event, object or text from another, but for two gauges that end with their run",
    )
    def test_metrics_11_cardinality_is_bounded(self) -> None:
        backend = self.make_metrics()
        watched, before = Watched(backend), self._series_of(backend)
        runtimes = [runtime for _ in range(2) for runtime in run_everything(watched, _name())]
        logs = [event for runtime in runtimes for event in runtime.graph.events]
        told_apart = {event.id for event in logs} | {runtime.run_id for runtime in runtimes}
        told_apart |= {thing.id for runtime in runtimes for thing in runtime.graph.all_objects()}

        for _, name, tags, _ in watched.calls:
            check("run_id" not in tags or name in _OF_RUNS, f"{name} has the tag run_id")
            for key, value in tags.items():
                check(SAID not in value, f"the tag {key} of {name} quotes a payload: {value!r}")
                check(key == "run_id" or value not in told_apart, f"the tag {key} of {name} names an id: {value!r}")
        _close(runtimes)
        left = {_key(name, tags) for kind, name, tags, _ in watched.calls if kind == "gauge" and name in _OF_RUNS}
        taken = {_key(name, tags) for kind, name, tags, _ in watched.calls if kind == "removal"}
        same("gauges of runs that were closed and not taken back", left - taken, set())
        if self.reads():
            self._check_runs_are_gone(backend, before, runtimes)

    @case("metrics-12", "a backend that fails or is slow changes no log, and each metric is said once")
    def test_metrics_12_a_failing_backend_harms_no_run(self) -> None:
        expected = _logs_of(run_everything(NoOpMetrics(), "conformance"))
        same("logs with this backend", _logs_of(run_everything(self.make_metrics(), "conformance")), expected)
        for every in (1, 3):
            metrics = Refusing(every)
            with _warnings() as said:
                same(
                    f"logs with a backend that fails at every call of {every}",
                    _logs_of(run_everything(metrics, "conformance")),
                    expected,
                )
            failures = [line for line in said if line.startswith("metrics backend failed: ")]
            check(failures, "nobody said that the backend fails")
            same("lines about a metric", {n for n in Counter(failures).values() if n > 1}, set())
        quick, slow = (_logs_of([run_behaviors(metrics, "conformance")]) for metrics in (NoOpMetrics(), Blocking()))
        same("log with a slow backend", slow, quick)

    def _series_of(self, backend: Any) -> dict[Series, float]:
        return dict(self.read(backend)) if self.reads() else {}

    def _check_gauges(self, watched: Watched, runtimes: list[Runtime]) -> None:
        last = {_key(name, tags): value for kind, name, tags, value in watched.calls if kind == "gauge"}
        behaviors, models = runtimes[0].run_id, runtimes[1].run_id
        expected = {
            ("queue_depth", ()): float(runtimes[-1].status().queue_depth),
            ("budget_events_remaining", (("run_id", behaviors),)): 0.0,
            ("budget_cost_remaining_usd", (("run_id", models),)): 0.005,
        }
        same("what the gauges stand at", last, expected)
        events = [value for _, name, _, value in watched.calls if name == "activegraph_budget_events_remaining"]
        same("what was left of the events' budget, change by change", _changes(events), [8, 7, 6, 5, 4, 3, 2, 1, 0])
        costs = [value for _, name, _, value in watched.calls if name == "activegraph_budget_cost_remaining_usd"]
        same("what was left of the costs' budget, change by change", _changes(costs), COST_LEFT)
        runs = {runtime.run_id: runtime for runtime in runtimes}.values()
        pushed = sum(not is_internal(event.type) for runtime in runs for event in runtime.graph.events)
        popped = pushed - sum(runtime.status().queue_depth for runtime in runs)
        told = sum(name == "activegraph_queue_depth" for _, name, _, _ in watched.calls)
        same("how often the queue was told: each push, each pop, each end of a run", told, pushed + popped + CALLS)

    def _check_series(self, backend: Any, before: Mapping[Series, float], counters: dict[Key, float]) -> None:
        """The backend shows what it was told."""
        gained = {
            (kind, name.removeprefix(_PREFIX), tags): value - before.get((kind, name, tags), 0.0)
            for (kind, name, tags), value in self.read(backend).items()
            if name.startswith(_PREFIX) and kind != "gauge"
        }
        shown = {(name, tags): value for (kind, name, tags), value in gained.items() if kind == "counter" and value}
        same("counters of the backend", shown, counters)
        numbers = {(name, tags): n for (kind, name, tags), n in gained.items() if kind == "histogram_count" and n}
        same("histograms of the backend", numbers, _numbers(HISTOGRAMS))

    def _check_runs_are_gone(self, backend: Any, before: Mapping[Series, float], runtimes: list[Runtime]) -> None:
        ids = {runtime.run_id for runtime in runtimes}
        removes = hasattr(backend, "remove_gauge")
        for kind, name, tags in self.read(backend).keys() - before.keys():
            run = next((value for _, value in tags if value in ids), None)
            check(run is None or name in _OF_RUNS, f"the series {kind} {name} {tags} belongs to one run")
            check(run is None or not removes, f"the gauge {name} of a closed run is still there")


def _name() -> str:
    return f"run_{uuid4().hex[:12]}"


def _check_call(kind: str, name: str, tags: dict[str, str], value: float) -> None:
    spec = METRIC_BY_NAME.get(name)
    check(spec is not None, f"{name} is no standard metric")
    if spec is not None and kind != "removal":
        same(f"kind of {name}", kind, spec.kind)
    same(f"tags of {name}", set(tags), set(() if spec is None else spec.tags))
    check(all(type(text) is str and text for text in tags.values()), f"a tag of {name} is no text: {tags}")
    check(isinstance(value, (int, float)) and value >= 0, f"{name} was told {value!r}")


def _key(name: str, tags: Mapping[str, str]) -> Key:
    return name.removeprefix(_PREFIX), tuple(sorted(tags.items()))


def _added(calls: Iterable[tuple[str, str, dict[str, str], float]]) -> dict[Key, float]:
    added: dict[Key, float] = {}
    for kind, name, tags, value in calls:
        if kind == "counter":
            key = _key(name, tags)
            added[key] = added.get(key, 0.0) + value
    return added


def _observed(calls: Iterable[tuple[str, str, dict[str, str], float]]) -> dict[Key, tuple[int, float]]:
    observed: dict[Key, tuple[int, float]] = {}
    for kind, name, tags, value in calls:
        if kind == "histogram":
            number, total = observed.get(_key(name, tags), (0, 0.0))
            observed[_key(name, tags)] = number + 1, total + value
    return observed


def _changes(values: list[float]) -> list[float]:
    return [round(value, 9) for value, before in zip(values, [None, *values], strict=False) if value != before]


def _numbers(histograms: Mapping[Key, tuple[int, float | None]]) -> dict[Key, int]:
    return {key: number for key, (number, _) in histograms.items()}


def _logs_of(runtimes: list[Runtime]) -> list[list[dict[str, Any]]]:
    """Every field of every event."""
    logs = [[event.to_dict() for event in runtime.graph.events] for runtime in runtimes]
    _close(runtimes)
    return logs


def _close(runtimes: list[Runtime]) -> None:
    for runtime in runtimes:
        runtime.close()


@contextmanager
def _warnings() -> Iterator[list[str]]:
    """What is said about backends meanwhile."""
    said: list[str] = []

    class Collecting(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    logger, handler = logging.getLogger("activegraph.observability"), Collecting(logging.WARNING)
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.WARNING)
    try:
        yield said
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
