"""`MetricsConformance`: what every metrics backend promises to whoever calls it.

The cases on what the runtime tells a backend stand in `metrics_emission`.
"""

from __future__ import annotations

import inspect
import sys
import time
import tracemalloc
from collections.abc import Callable, Mapping
from contextlib import suppress
from threading import Barrier, Event, Thread
from typing import Any
from uuid import uuid4

from activegraph.conformance.cases import Lacking, case, check, of_scale, same
from activegraph.conformance.metrics_emission import EmissionCases
from activegraph.conformance.recording import Series
from activegraph.metrics import METRIC_NAMES, Metrics, NoOpMetrics

__all__ = ["MetricsConformance", "NoOpMetricsConformance"]

_READ = "a way to read the backend back (hook: read)"
_THREADS = 8
PATIENCE_SECONDS = 20.0
"""How long an observation may take before it counts as one that never ends."""

_TEXTS = (
    "",
    "a" * 20_000,
    "\u00e9\U0001f989",
    "with space",
    'quote " and \\ and \n',
    "{}",
    "%s",
    "a,b=c",
    "\x00",
    "\ud800",
)
_VALUES = (0.0, 5e-324, 1e-9, 1, 1.5, 1e300, 2**70)


class MetricsConformance(EmissionCases):
    """Promises of every metrics backend. Subclass it, set `__test__ = True`, and give `make_metrics`.

    With `read` the cases on values run too; without it they are skipped.
    """

    __test__ = False

    def make_metrics(self) -> Metrics:
        """A fresh backend."""
        raise NotImplementedError("give make_metrics()")

    def read(self, metrics: Any) -> Mapping[Series, float]:
        """All series: (`counter`, `gauge`, `histogram_count` or `histogram_sum`, name, sorted tag items) to value."""
        raise Lacking(_READ)

    def missing(self, need: str) -> str | None:
        """What is lacking for `need`; None if it is there."""
        if need == "read":
            return None if self.reads() else _READ
        found = hasattr(self.make_metrics(), need)
        return None if found else f"{need}, which is optional"

    def reads(self) -> bool:
        """Whether the backend can be read back."""
        return type(self).read is not MetricsConformance.read

    def finish(self) -> None:
        """Nothing is held between cases."""

    @case("metrics-1", "a backend has the three methods, takes their arguments by position, and returns None")
    def test_metrics_1_the_three_methods_are_there(self) -> None:
        metrics: Any = self.make_metrics()
        check(isinstance(metrics, Metrics), "the backend lacks one of counter, histogram, gauge")
        for name in ("counter", "histogram", "gauge"):
            method = getattr(metrics, name)
            with suppress(ValueError):  # methods written in C may have no signature
                parameters = inspect.signature(method).parameters
                same(f"parameters of {name}()", list(parameters)[:3], ["name", "tags", "value"])
                wanted = 1.0 if name == "counter" else inspect.Parameter.empty
                same(f"default of value in {name}()", parameters["value"].default, wanted)
            same(f"what {name}() returns", method(_name(name), {"a": "b"}, 1.0), None)
        same("what counter() without a value returns", metrics.counter(_name("counter"), {}), None)

    @case("metrics-2", "any name, any tags and any value of the right type are accepted without an exception")
    def test_metrics_2_odd_observations_are_accepted(self) -> None:
        metrics: Any = self.make_metrics()
        for kind in ("counter", "histogram", "gauge"):
            observe = getattr(metrics, kind)
            for text in _TEXTS:
                observe(_name(kind), {"tag": text}, 1.0)
                observe(_name(kind), {f"tag{text}": "value", "other": text}, 1.0)
                observe(f"{_name(kind)}{text}", {}, 1.0)
            name = _name(kind)
            for value in _VALUES:
                observe(name, {}, value)
            observe("unknown.name-with signs", {"not a label!": "x", "1": "y"}, 1.0)
            observe(_name(kind), {f"tag_{n}": str(n) for n in range(50)}, 1.0)
        for value in (-1.0, -0.0, -1e300, float("inf"), float("-inf"), float("nan")):
            metrics.gauge(_name("gauge"), {}, value)
            metrics.histogram(_name("histogram"), {}, value)
            metrics.counter(_name("counter"), {}, value)

    @case("metrics-3", "counters add up, by 1 unless told otherwise", needs=("read",))
    def test_metrics_3_counters_add_up(self) -> None:
        metrics, name = self.make_metrics(), _name("counter")
        metrics.counter(name, {"a": "b"})
        self._has(metrics, "counter", name, {"a": "b"}, 1.0)
        metrics.counter(name, {"a": "b"})
        metrics.counter(name, {"a": "b"}, 2.5)
        metrics.counter(name, {"a": "b"}, 0)
        self._has(metrics, "counter", name, {"a": "b"}, 4.5)

    @case("metrics-3", "gauges hold what they were set to last", needs=("read",))
    def test_metrics_3_gauges_replace(self) -> None:
        metrics, name = self.make_metrics(), _name("gauge")
        for value in (5.0, 7.25, 0.0, -3.5):
            metrics.gauge(name, {"a": "b"}, value)
            self._has(metrics, "gauge", name, {"a": "b"}, value)

    @case("metrics-3", "histograms count and sum their observations", needs=("read",))
    def test_metrics_3_histograms_count_and_sum(self) -> None:
        metrics, name = self.make_metrics(), _name("histogram")
        for value in (0.5, 0.25, 100.0, 0.0):
            metrics.histogram(name, {"a": "b"}, value)
        self._has(metrics, "histogram_count", name, {"a": "b"}, 4.0)
        self._has(metrics, "histogram_sum", name, {"a": "b"}, 100.75)

    @case(
        "metrics-4",
        "the order of tags does not matter, and every difference of a value is another series",
        needs=("read",),
    )
    def test_metrics_4_series_are_told_apart_by_their_tags(self) -> None:
        metrics, name = self.make_metrics(), _name("counter")
        metrics.counter(name, {"a": "1", "b": "2"}, 1)
        metrics.counter(name, {"b": "2", "a": "1"}, 10)
        apart = [
            ("2", "1"),
            ("1", ""),
            ("", "1"),
            ("1,b=2", ""),
            ("", "1,b=2"),
            ("12", ""),
            ("1 ", "2"),
            ("A", ""),
            ("a", ""),
            ("e\u0301", ""),
            ("\u00e9", ""),
            ("long" * 300, ""),
            ("long" * 300 + "er", ""),
        ]
        for n, (a, b) in enumerate(apart):
            metrics.counter(name, {"a": a, "b": b}, 100 + n)

        self._has(metrics, "counter", name, {"a": "1", "b": "2"}, 11.0)
        for n, (a, b) in enumerate(apart):
            self._has(metrics, "counter", name, {"a": a, "b": b}, 100.0 + n)
        for kind in ("gauge", "histogram"):
            self._tells_apart(metrics, kind)

    @case("metrics-4", "the dict of tags is not changed, and changing it afterwards changes nothing")
    def test_metrics_4_the_tags_stay_the_callers(self) -> None:
        metrics: Any = self.make_metrics()
        for kind in ("counter", "histogram", "gauge"):
            name, tags = _name(kind), {"b": "2", "a": "1"}
            getattr(metrics, kind)(name, tags, 1.0)
            same(f"the dict that {kind}() was given", list(tags.items()), [("b", "2"), ("a", "1")])
            tags["a"] = "changed"
            tags["new"] = "tag"
            getattr(metrics, kind)(name, {"b": "2", "a": "1"}, 1.0)
            if self.reads():
                shown = "histogram_count" if kind == "histogram" else kind
                self._has(metrics, shown, name, {"a": "1", "b": "2"}, 1.0 if kind == "gauge" else 2.0)

    @case(
        "metrics-5", "a name that comes with other tags or as another kind raises nothing and harms no earlier series"
    )
    def test_metrics_5_a_name_used_otherwise_harms_nothing(self) -> None:
        metrics: Any = self.make_metrics()
        for kind, others in (
            ("counter", ("gauge", "histogram")),
            ("gauge", ("counter", "histogram")),
            ("histogram", ("counter", "gauge")),
        ):
            name = _name(kind)
            getattr(metrics, kind)(name, {"a": "1"}, 3.0)
            for tags in ({}, {"b": "1"}, {"a": "1", "b": "2"}):
                getattr(metrics, kind)(name, tags, 50.0)
            for other in others:
                getattr(metrics, other)(name, {"a": "1"}, 60.0)
            getattr(metrics, kind)(name, {"a": "1"}, 4.0)
            if self.reads():
                shown = "histogram_sum" if kind == "histogram" else kind
                found = self.read(metrics).get((shown, name, (("a", "1"),)))
                wanted = {4.0} if kind == "gauge" else {7.0, 57.0}
                check(
                    found in wanted, f"{shown} {name} is {found} after the name was used otherwise, not {min(wanted)}"
                )

    @case("metrics-6", "several backends side by side, and one that is made again, work like the first")
    def test_metrics_6_backends_live_side_by_side(self) -> None:
        name, mine, other = _name("counter"), f"mine {uuid4().hex}", f"other {uuid4().hex}"
        first, second = self.make_metrics(), self.make_metrics()
        for _ in range(2):
            first.counter(name, {"who": mine})
            second.counter(name, {"who": other})
            first.gauge(f"{name}_gauge", {}, 1.0)
            second.histogram(f"{name}_histogram", {}, 1.0)
        if self.reads():
            self._has(first, "counter", name, {"who": mine}, 2.0)
            self._has(second, "counter", name, {"who": other}, 2.0)
        del first, second
        third = self.make_metrics()
        third.counter(name, {"who": f"third {mine}"})
        if self.reads():
            self._has(third, "counter", name, {"who": f"third {mine}"}, 1.0)

    @case("metrics-7", "increments and observations from eight threads are all counted", needs=("read",))
    def test_metrics_7_no_increment_is_lost_between_threads(self) -> None:
        metrics, name, barrier = self.make_metrics(), _name("counter"), Barrier(_THREADS)
        each = of_scale(10_000, 50_000)

        def work(n: int) -> None:
            barrier.wait(60)
            for k in range(each):
                metrics.counter(name, {"a": "shared"})
                if k % 10 == 0:
                    metrics.histogram(f"{name}_h", {}, 1.0)

        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-5)
        try:
            working = [Thread(target=work, args=(n,), daemon=True) for n in range(_THREADS)]
            for thread in working:
                thread.start()
            deadline = time.monotonic() + 3 * PATIENCE_SECONDS
            for thread in working:
                thread.join(max(0.0, deadline - time.monotonic()))
        finally:
            sys.setswitchinterval(interval)
        check(not any(thread.is_alive() for thread in working), "an observation never ends")
        self._has(metrics, "counter", name, {"a": "shared"}, float(_THREADS * each))
        for kind in ("histogram_count", "histogram_sum"):
            self._has(metrics, kind, f"{name}_h", {}, float(_THREADS * each // 10))

    @case("metrics-7", "a slow observation of one name does not deadlock with observations of another")
    def test_metrics_7_a_slow_observation_deadlocks_with_nobody(self) -> None:
        metrics = self.make_metrics()
        begun, done = Event(), Event()

        class Slow(dict[str, str]):
            """Tags that take their time to be looked at."""

            def items(self) -> Any:
                begun.set()
                done.wait(1)
                return super().items()

        slow = Thread(target=lambda: metrics.counter(_name("counter"), Slow(a="b")), daemon=True)
        quick = Thread(target=lambda: metrics.counter(_name("counter"), {"a": "b"}), daemon=True)
        slow.start()
        begun.wait(1)
        quick.start()
        quick.join(PATIENCE_SECONDS)
        done.set()
        slow.join(PATIENCE_SECONDS)
        check(not quick.is_alive() and not slow.is_alive(), "two observations wait for each other")

    @case("metrics-8", "remove_gauge() removes that series, and no other", needs=("remove_gauge",))
    def test_metrics_8_a_gauge_is_removed_alone(self) -> None:
        metrics: Any = self.make_metrics()
        name, other = _name("gauge"), _name("gauge")
        metrics.gauge(name, {"run_id": "a"}, 1.0)
        metrics.gauge(name, {"run_id": "b"}, 2.0)
        metrics.gauge(other, {"run_id": "a"}, 3.0)
        for unknown, tags in (
            (name, {"run_id": "c"}),
            (name, {}),
            (name, {"x": "a"}),
            (_name("gauge"), {"run_id": "a"}),
        ):
            same("what remove_gauge() returns", metrics.remove_gauge(unknown, tags), None)
        metrics.remove_gauge(name, {"run_id": "a"})
        if self.reads():
            check(("gauge", name, (("run_id", "a"),)) not in self.read(metrics), "a removed series is still there")
            self._has(metrics, "gauge", name, {"run_id": "b"}, 2.0)
            self._has(metrics, "gauge", other, {"run_id": "a"}, 3.0)
        metrics.remove_gauge(name, {"run_id": "a"})
        metrics.gauge(name, {"run_id": "a"}, 4.0)
        if self.reads():
            self._has(metrics, "gauge", name, {"run_id": "a"}, 4.0)

    @case("metrics-9", "all standard metrics are accepted, and found under their name, kind and tags")
    def test_metrics_9_standard_metrics_are_found_as_they_are(self) -> None:
        metrics: Any = self.make_metrics()
        mine = f"t{uuid4().hex}"
        before = dict(self.read(metrics)) if self.reads() else {}
        for spec in METRIC_NAMES:
            tags = dict.fromkeys(spec.tags, mine)
            getattr(metrics, spec.kind)(spec.name, dict(tags), 2.0)
            if not self.reads():
                continue
            found = self.read(metrics)
            for kind, added in {"histogram": {"histogram_count": 1.0, "histogram_sum": 2.0}}.get(
                spec.kind, {spec.kind: 2.0}
            ).items():
                key = (kind, spec.name, tuple(sorted(tags.items())))
                was = 0.0 if kind == "gauge" else before.get(key, 0.0)
                same(f"{kind} {spec.name} with {tags}", found.get(key), was + added)
            strange = [key for key in found if key[1] == spec.name and set(dict(key[2])) != set(spec.tags)]
            check(not strange, f"{spec.name} has a series with other tags than its own: {strange[:1]}")

    def _tells_apart(self, metrics: Any, kind: str) -> None:
        name = _name(kind)
        getattr(metrics, kind)(name, {"a": "1", "b": "2"}, 1.0)
        getattr(metrics, kind)(name, {"b": "1", "a": "2"}, 2.0)
        shown = "histogram_sum" if kind == "histogram" else kind
        self._has(metrics, shown, name, {"a": "1", "b": "2"}, 1.0)
        self._has(metrics, shown, name, {"a": "2", "b": "1"}, 2.0)

    def _has(self, metrics: Any, kind: str, name: str, tags: dict[str, str], value: float) -> None:
        found = self.read(metrics).get((kind, name, tuple(sorted(tags.items()))))
        same(f"{kind} {name} with {tags}", found, value)


class NoOpMetricsConformance(MetricsConformance):
    """The promise of the backend that does nothing, besides those of every backend."""

    __test__ = False

    @case("metrics-13", "NoOpMetrics allocates nothing for a call and keeps nothing of it")
    def test_metrics_13_nothing_is_allocated_or_kept(self) -> None:
        metrics, tags = self.make_metrics(), {"a": "b"}
        check(isinstance(metrics, NoOpMetrics), "this case is about NoOpMetrics")

        def calls(number: int) -> None:
            for _ in range(number):
                metrics.counter("name", tags)
                metrics.histogram("name", tags, 1.0)
                metrics.gauge("name", tags, 1.0)

        held = sys.getrefcount(tags)
        grown = _allocated(lambda: calls(1)), _allocated(lambda: calls(2000))
        check(grown[1] <= grown[0] + 200, f"2000 calls hold {grown[1] - grown[0]} bytes more than one")
        same("references to the tags", sys.getrefcount(tags), held)
        check(not getattr(metrics, "__dict__", None), "the backend keeps state")


MetricsConformance.__module__ = "activegraph.conformance"


def _allocated(action: Callable[[], None]) -> int:
    """The most bytes that an action held more at any time."""
    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _name(kind: str) -> str:
    """A name that nobody has used, of the shape of its kind."""
    endings = {"counter": "total", "histogram": "seconds", "gauge": "remaining"}
    return f"conformance_{uuid4().hex[:12]}_{endings[kind]}"
