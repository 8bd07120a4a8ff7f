"""`PrometheusMetrics`: the standard metrics, and any others, as instruments of `prometheus_client`.

Instruments belong to their registry and not to the backend that needed them first, so any number
of backends, runtimes and reloads share them. Whatever a registry cannot take is dropped and said
once: no method raises.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from itertools import pairwise
from math import inf
from threading import Lock
from typing import Any

from activegraph.core.log_lines import say, text_of, text_of_value
from activegraph.errors import InvalidRuntimeConfiguration, MissingOptionalDependency
from activegraph.metrics import METRIC_BY_NAME

__all__ = ["BUCKETS", "PrometheusMetrics"]

_logger = logging.getLogger("activegraph.observability")

_CALLS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
_PATTERNS = (1e-05, 2.5e-05, 5e-05, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0)
_TOKENS = (10, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 200_000, 1_000_000)
_DOLLARS = (0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

BUCKETS: dict[str, tuple[float, ...]] = {
    "activegraph_behaviors_duration_seconds": _CALLS,
    "activegraph_tools_duration_seconds": _CALLS,
    "activegraph_patterns_evaluation_duration_seconds": _PATTERNS,
    "activegraph_llm_tokens_in": tuple(float(bound) for bound in _TOKENS),
    "activegraph_llm_tokens_out": tuple(float(bound) for bound in _TOKENS),
    "activegraph_llm_cost_usd": _DOLLARS,
}
"""Upper bounds of the standard histograms; other histograms have those of the client."""

_MOST_REMEMBERED = 10_000
"""Series whose instrument is found without building its labels; a run may make up any number of them."""

_ATTRIBUTE = "_activegraph_instruments"


class PrometheusMetrics:
    """Observations as instruments in a registry, made when they are first needed; thread-safe.

    Args:
        registry: A `CollectorRegistry`; default: `prometheus_client.REGISTRY`.
        buckets: Upper bounds by metric name, instead of those in `BUCKETS`. The first backend on a
            registry that observes a histogram decides for all.

    Raises:
        MissingOptionalDependency: `prometheus_client` is not installed.
        InvalidRuntimeConfiguration: Bounds that do not rise.
    """

    def __init__(self, registry: Any = None, *, buckets: Mapping[str, Iterable[float]] | None = None) -> None:
        if not self.available():
            raise MissingOptionalDependency(
                package="prometheus_client", feature="PrometheusMetrics", extras="prometheus"
            )
        import prometheus_client

        self.registry = prometheus_client.REGISTRY if registry is None else registry
        self._buckets = {**BUCKETS, **{name: _checked(name, bounds) for name, bounds in (buckets or {}).items()}}
        self._shared: _Instruments = vars(self.registry).setdefault(_ATTRIBUTE, _Instruments(self.registry))
        self._counters = self._shared.counters
        self._histograms = self._shared.histograms
        self._gauges = self._shared.gauges

    @staticmethod
    def available() -> bool:
        """Whether `prometheus_client` is installed."""
        return find_spec("prometheus_client") is not None

    def counter(self, name: str, tags: dict[str, str], value: float = 1.0) -> None:
        """Add to a total; what is negative or no finite number is dropped."""
        try:
            if not 0 <= value < inf:
                self._shared.drop(name, "a counter takes finite values from 0 on")
                return
            add = self._counters.get((name, *tags.items()))
            if add is None:
                series = self._series("counter", name, tags)
                if series is None:
                    return
                add = _remembered(self._counters, (name, *tags.items()), series.inc)
            add(float(value))
        except Exception as error:  # whatever was passed; an observation is not worth a run
            self._shared.drop(name, text_of(error))

    def histogram(self, name: str, tags: dict[str, str], value: float) -> None:
        """Count an observation into its bucket; what is no number is dropped."""
        try:
            if value != value:
                self._shared.drop(name, "a histogram takes numbers")
                return
            observe = self._histograms.get((name, *tags.items()))
            if observe is None:
                series = self._series("histogram", name, tags)
                if series is None:
                    return
                observe = _remembered(self._histograms, (name, *tags.items()), series.observe)
            observe(float(value))
        except Exception as error:  # whatever was passed; an observation is not worth a run
            self._shared.drop(name, text_of(error))

    def gauge(self, name: str, tags: dict[str, str], value: float) -> None:
        """Set what a series stands at."""
        try:
            put = None if tags else self._gauges.get(name)
            if put is None:
                series = self._series("gauge", name, tags)
                if series is None:
                    return
                put = series.set
                if not tags:
                    self._shared.remember_gauge(name, put)
            put(float(value))
        except Exception as error:  # whatever was passed; an observation is not worth a run
            self._shared.drop(name, text_of(error))

    def remove_gauge(self, name: str, tags: dict[str, str]) -> None:
        """Drop a series of a gauge; one that is not there is none.

        The client's multi-process mode cannot drop series: there they end with their process.
        """
        try:
            self._shared.remove(name, tags)
        except Exception as error:  # whatever was passed; an observation is not worth a run
            self._shared.drop(name, text_of(error))

    def _series(self, kind: str, name: str, tags: dict[str, str]) -> Any:
        instrument = self._shared.instrument(kind, name, tags, self._buckets.get(name))
        return None if instrument is None else instrument.series(self._shared, name, tags)


class _Instrument:
    """One collector of the client's, and the labels that it was made with."""

    def __init__(self, kind: str, collector: Any, labels: tuple[str, ...]) -> None:
        self.kind = kind
        self.collector = collector
        self.labels = labels
        self.known = frozenset(labels)

    def series(self, shared: _Instruments, name: str, tags: Mapping[str, str]) -> Any:
        """What observes for these tags; a missing tag is empty, one that the instrument does not know is dropped."""
        values = _label_values(tags)
        if not values.keys() <= self.known:
            shared.say_once(name, f"it has no tag {_shown(values.keys() - self.known)}")
        if not self.labels:
            return self.collector
        return self.collector.labels(*[values.get(label, "") for label in self.labels])


class _Instruments:
    """The instruments that all backends on one registry share."""

    def __init__(self, registry: Any) -> None:
        self._registry = registry
        self._by_name: dict[str, _Instrument | None] = {}
        """By exposed name; None where the registry does not take it."""
        self._making = Lock()
        self._said: set[tuple[str, str]] = set()
        self.counters: dict[Any, Any] = {}
        self.histograms: dict[Any, Any] = {}
        """What adds to or observes for a name and its tags in the order in which they came."""
        self.gauges: dict[str, Any] = {}
        """What sets a gauge without labels. Those with labels are looked up each time, since their series end."""

    def instrument(
        self, kind: str, name: str, tags: Mapping[str, str], buckets: Sequence[float] | None
    ) -> _Instrument | None:
        """The instrument of this name, made if there is none; None where it cannot be had."""
        exposed = _exposed(name)
        try:
            found = self._by_name[exposed]
        except KeyError:
            with self._making:
                if exposed not in self._by_name:
                    self._by_name[exposed] = self._make(kind, name, exposed, tags, buckets)
            found = self._by_name[exposed]
        if found is not None and found.kind != kind:
            self.drop(name, f"it is a {found.kind}")
            return None
        return found

    def remove(self, name: str, tags: Mapping[str, str]) -> None:
        """Drop a series of a gauge."""
        exposed = _exposed(name)
        found = self._by_name.get(exposed)
        if found is None or found.kind != "gauge" or _is_multiprocess():
            return
        values = _label_values(tags)
        if values.keys() != found.known:
            return
        if found.labels:
            found.collector.remove(*[values[label] for label in found.labels])
            return
        with self._making:
            self.gauges.clear()
            if self._by_name.pop(exposed, None) is not None:
                self._registry.unregister(found.collector)

    def remember_gauge(self, name: str, put: Any) -> None:
        """Find what sets this gauge at once from now on, unless it has been removed meanwhile."""
        with self._making:
            found = self._by_name.get(_exposed(name))
            if found is not None and not found.labels and found.collector.set == put:
                self.gauges[name] = put

    def drop(self, name: str, why: str) -> None:
        """An observation is lost; say so once for each name and reason."""
        self.say_once(name, f"an observation is dropped, {why}")

    def say_once(self, name: str, what: str) -> None:
        """The WARNING about a metric."""
        shown = text_of_value(name)
        if (shown, what) not in self._said and len(self._said) < _MOST_REMEMBERED:
            self._said.add((shown, what))
            say(_logger, logging.WARNING, "prometheus metric %s: %s", shown, what)

    def _make(
        self, kind: str, name: str, exposed: str, tags: Mapping[str, str], buckets: Sequence[float] | None
    ) -> _Instrument | None:
        import prometheus_client

        spec = METRIC_BY_NAME.get(name)
        if spec is None:
            labels, about = tuple(sorted(_label_values(tags))), f"{name} of a program on activegraph."
        else:
            kind, labels, about = spec.kind, spec.tags, spec.description
        options: dict[str, Any] = {"registry": self._registry}
        if kind == "gauge":
            options["multiprocess_mode"] = "liveall"
        elif kind == "histogram" and buckets is not None:
            options["buckets"] = buckets
        make = {
            "counter": prometheus_client.Counter,
            "gauge": prometheus_client.Gauge,
            "histogram": prometheus_client.Histogram,
        }[kind]
        try:
            return _Instrument(kind, make(exposed, _printable(about), labels, **options), labels)
        except ValueError as error:  # somebody else has registered this name
            self.drop(name, text_of(error))
            return None


def _remembered(known: dict[Any, Any], key: Any, found: Any) -> Any:
    if len(known) >= _MOST_REMEMBERED:
        known.clear()
    known[key] = found
    return found


_not_in_names = re.compile(r"[^a-zA-Z0-9_:]")
_not_in_labels = re.compile(r"[^a-zA-Z0-9_]")


def _exposed(name: str) -> str:
    shown = _not_in_names.sub("_", name)
    return f"_{shown}" if not shown or shown[0].isdigit() else shown


def _label_name(key: str) -> str:
    shown = _not_in_labels.sub("_", key)
    if not shown or shown[0].isdigit():
        shown = f"_{shown}"
    # Two underscores in front are Prometheus' own, and so is the bound of a bucket.
    return "_" + shown.lstrip("_") if shown.startswith("__") else f"{shown}_" if shown == "le" else shown


def _label_values(tags: Mapping[str, str]) -> dict[str, str]:
    return {_label_name(str(key)): _printable("" if value is None else str(value)) for key, value in tags.items()}


def _printable(text: str) -> str:
    """`text` as an exposition can hold it: halves of characters have no UTF-8."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


def _shown(keys: Iterable[str]) -> str:
    return ", ".join(sorted(map(repr, keys)))


def _is_multiprocess() -> bool:
    return "PROMETHEUS_MULTIPROC_DIR" in os.environ or "prometheus_multiproc_dir" in os.environ


def _checked(name: str, bounds: Iterable[float]) -> tuple[float, ...]:
    given = tuple(bounds)
    try:
        rising = tuple(float(bound) for bound in given)
    except (TypeError, ValueError):
        rising = ()
    if rising and all(lower < upper for lower, upper in pairwise(rising)):
        return rising
    raise InvalidRuntimeConfiguration(
        f"buckets of {name!r} must be numbers that rise, not {given!r}",
        what_failed=f"`PrometheusMetrics(buckets={{{name!r}: ...}})`.",
        why="Each bucket counts what is at most its bound, so the bounds are in order and there is at least one.",
        how_to_fix=f"PrometheusMetrics(buckets={{{name!r}: (0.1, 1, 10)}})",
        context={"name": name, "buckets": list(given)},
    )


PrometheusMetrics.__module__ = "activegraph.observability"
