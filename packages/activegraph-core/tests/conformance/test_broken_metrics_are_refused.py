"""Every broken metrics backend is refused by the case of the promise that it breaks, and by name."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any, TypeVar
from unicodedata import normalize

import pytest
from activegraph.conformance import BrokenPromise, metrics_cases
from activegraph.conformance.cases import cases_of
from activegraph.conformance.metrics_cases import MetricsConformance, NoOpMetricsConformance
from activegraph.conformance.recording import RecordingMetrics, Series
from activegraph.metrics import METRIC_BY_NAME, NoOpMetrics

Tags = dict[str, str]
Kind = TypeVar("Kind", bound=type)

BROKEN: list[tuple[type, str]] = []


def breaks(number: int) -> Callable[[Kind], Kind]:
    """Register a backend as one that breaks the promise of this number."""

    def register(kind: Kind) -> Kind:
        BROKEN.append((kind, f"metrics-{number}"))
        return kind

    return register


@breaks(1)
class returns_the_total(RecordingMetrics):
    def counter(self, name: str, tags: Tags, value: float = 1.0) -> Any:
        super().counter(name, tags, value)
        return value


@breaks(1)
class has_no_gauges:
    def counter(self, name: str, tags: Tags, value: float = 1.0) -> None: ...

    def histogram(self, name: str, tags: Tags, value: float) -> None: ...


@breaks(1)
class wants_its_tags_last(RecordingMetrics):
    def histogram(self, name: str, value: Any, tags: Any) -> None:  # type: ignore[override]
        super().histogram(name, value, tags)


@breaks(1)
class counts_by_two_unless_told_otherwise(RecordingMetrics):
    def counter(self, name: str, tags: Tags, value: float = 2.0) -> None:
        super().counter(name, tags, value)


@breaks(2)
class raises_for_an_unknown_name(RecordingMetrics):
    def counter(self, name: str, tags: Tags, value: float = 1.0) -> None:
        if not name.startswith(("activegraph_", "conformance_")):
            raise KeyError(name)
        super().counter(name, tags, value)


@breaks(2)
class raises_for_a_label_with_odd_signs(RecordingMetrics):
    def gauge(self, name: str, tags: Tags, value: float) -> None:
        if not all(key.isidentifier() for key in tags):
            raise ValueError("Invalid label name")
        super().gauge(name, tags, value)


@breaks(2)
class raises_for_what_utf8_cannot_carry(RecordingMetrics):
    def histogram(self, name: str, tags: Tags, value: float) -> None:
        "".join(tags.values()).encode()
        super().histogram(name, tags, value)


@breaks(2)
class raises_for_a_negative_increment(RecordingMetrics):
    def counter(self, name: str, tags: Tags, value: float = 1.0) -> None:
        if value < 0:
            raise ValueError("counters only grow")
        super().counter(name, tags, value)


@breaks(2)
class raises_for_an_integer_beyond_64_bits(RecordingMetrics):
    def gauge(self, name: str, tags: Tags, value: float) -> None:
        if abs(value) > 2**63 and isinstance(value, int):
            raise OverflowError
        super().gauge(name, tags, value)


@breaks(3)
class replaces_counters(RecordingMetrics):
    def counter(self, name: str, tags: Tags, value: float = 1.0) -> None:
        self._series.pop(("counter", name, tuple(sorted(tags.items()))), None)
        super().counter(name, tags, value)


@breaks(3)
class counts_in_whole_numbers(RecordingMetrics):
    def counter(self, name: str, tags: Tags, value: float = 1.0) -> None:
        super().counter(name, tags, value if value - value else int(value))


@breaks(3)
class adds_gauges_up(RecordingMetrics):
    def gauge(self, name: str, tags: Tags, value: float) -> None:
        held = self._series.get(("gauge", name, tuple(sorted(tags.items()))), 0.0)
        super().gauge(name, tags, held + value)


@breaks(3)
class keeps_gauges_above_zero(RecordingMetrics):
    def gauge(self, name: str, tags: Tags, value: float) -> None:
        super().gauge(name, tags, max(0.0, value))


@breaks(3)
class leaves_out_observations_of_zero(RecordingMetrics):
    def histogram(self, name: str, tags: Tags, value: float) -> None:
        if value != 0:
            super().histogram(name, tags, value)


@breaks(3)
class sums_no_histogram_beyond_its_last_bucket(RecordingMetrics):
    def histogram(self, name: str, tags: Tags, value: float) -> None:
        super().histogram(name, tags, min(value, 10.0))


@breaks(4)
class merges_all_label_sets(RecordingMetrics):
    def counter(self, name: str, tags: Tags, value: float = 1.0) -> None:
        super().counter(name, dict.fromkeys(tags, ""), value)


@breaks(4)
class joins_values_with_a_comma(RecordingMetrics):
    def __init__(self) -> None:
        super().__init__()
        self._first: dict[str, Tags] = {}

    def counter(self, name: str, tags: Tags, value: float = 1.0) -> None:
        key = name + ",".join(f"{k}={v}" for k, v in sorted(tags.items()) if v)
        super().counter(name, self._first.setdefault(key, dict(tags)), value)


@breaks(4)
class tells_series_apart_by_the_order_of_tags(RecordingMetrics):
    def series(self) -> dict[Series, float]:
        found: dict[Series, float] = {}
        for kind, name, tags, value in self.calls:
            if kind == "counter":
                found[kind, name, tuple(tags.items())] = found.get((kind, name, tuple(tags.items())), 0.0) + value
        return found


@breaks(4)
class takes_values_in_any_case(RecordingMetrics):
    def counter(self, name: str, tags: Tags, value: float = 1.0) -> None:
        super().counter(name, {key: each.lower() for key, each in tags.items()}, value)


@breaks(4)
class trims_values(RecordingMetrics):
    def counter(self, name: str, tags: Tags, value: float = 1.0) -> None:
        super().counter(name, {key: each.strip() for key, each in tags.items()}, value)


@breaks(4)
class cuts_values_at_a_thousand_characters(RecordingMetrics):
    def counter(self, name: str, tags: Tags, value: float = 1.0) -> None:
        super().counter(name, {key: each[:1000] for key, each in tags.items()}, value)


@breaks(4)
class composes_characters_of_values(RecordingMetrics):
    def counter(self, name: str, tags: Tags, value: float = 1.0) -> None:
        super().counter(name, {key: normalize("NFC", each) for key, each in tags.items()}, value)


@breaks(4)
class merges_label_sets_of_gauges(RecordingMetrics):
    def gauge(self, name: str, tags: Tags, value: float) -> None:
        super().gauge(name, dict(zip(sorted(tags), sorted(tags.values()), strict=True)), value)


@breaks(4)
class adds_a_tag_to_the_callers_dict(RecordingMetrics):
    def histogram(self, name: str, tags: Tags, value: float) -> None:
        super().histogram(name, tags, value)
        tags.setdefault("host", "here")


@breaks(4)
class sorts_the_callers_dict(RecordingMetrics):
    def gauge(self, name: str, tags: Tags, value: float) -> None:
        for key in sorted(tags):
            tags[key] = tags.pop(key)
        super().gauge(name, tags, value)


@breaks(4)
class looks_at_the_tags_when_it_is_read(RecordingMetrics):
    def __init__(self) -> None:
        super().__init__()
        self._lent: list[tuple[str, Tags, float]] = []

    def counter(self, name: str, tags: Tags, value: float = 1.0) -> None:
        self._lent.append((name, tags, value))

    def series(self) -> dict[Series, float]:
        late = RecordingMetrics()
        for name, tags, value in self._lent:
            late.counter(name, tags, value)
        return {**super().series(), **late.series()}


@breaks(5)
class raises_for_another_tag_set(RecordingMetrics):
    def __init__(self) -> None:
        super().__init__()
        self._labels: dict[str, set[str]] = {}

    def counter(self, name: str, tags: Tags, value: float = 1.0) -> None:
        if self._labels.setdefault(name, set(tags)) != set(tags) and len(tags) < 2:
            raise ValueError("Incorrect label names")
        super().counter(name, tags, value)


@breaks(5)
class begins_anew_when_a_name_changes_its_kind(RecordingMetrics):
    def gauge(self, name: str, tags: Tags, value: float) -> None:
        for key in [key for key in self._series if key[1] == name and key[0] != "gauge"]:
            del self._series[key]
        super().gauge(name, tags, value)


_registered: set[str] = set()


@breaks(6)
class cannot_be_made_twice(RecordingMetrics):
    def counter(self, name: str, tags: Tags, value: float = 1.0) -> None:
        if not self._series and name in _registered:
            raise ValueError("Duplicated timeseries in CollectorRegistry")
        _registered.add(name)
        super().counter(name, tags, value)


class _Shared(RecordingMetrics):
    latest: RecordingMetrics

    def __init__(self) -> None:
        super().__init__()
        type(self).latest = self


@breaks(6)
class counts_for_whoever_was_made_last(_Shared):
    def series(self) -> dict[Series, float]:
        return super().series() if type(self).latest is self else {}


@breaks(7)
class loses_increments_between_threads(RecordingMetrics):
    def counter(self, name: str, tags: Tags, value: float = 1.0) -> None:
        key = ("counter", name, tuple(sorted(tags.items())))
        held = self._series.get(key, 0.0)
        time.sleep(0)
        self._series[key] = held + value


@breaks(7)
class loses_observations_between_threads(RecordingMetrics):
    def histogram(self, name: str, tags: Tags, value: float) -> None:
        key = ("histogram_sum", name, tuple(sorted(tags.items())))
        held = self._series.get(key, 0.0)
        time.sleep(0)
        super().histogram(name, tags, value)
        self._series[key] = held + value


@breaks(7)
class never_ends_when_it_is_busy(RecordingMetrics):
    def __init__(self) -> None:
        super().__init__()
        self._busy = Lock()

    def counter(self, name: str, tags: Tags, value: float = 1.0) -> None:
        if not self._busy.acquire(blocking=False):
            never = Lock()
            never.acquire()
            never.acquire()
        tags.items()
        self._busy.release()


@breaks(8)
class removes_every_series_of_a_name(RecordingMetrics):
    def remove_gauge(self, name: str, tags: Tags) -> None:
        for key in [key for key in self._series if key[1] == name]:
            del self._series[key]


@breaks(8)
class removes_the_run_from_every_name(RecordingMetrics):
    def remove_gauge(self, name: str, tags: Tags) -> None:
        for key in [key for key in self._series if key[0] == "gauge" and dict(key[2]) == tags]:
            del self._series[key]


@breaks(8)
class removes_nothing(RecordingMetrics):
    def remove_gauge(self, name: str, tags: Tags) -> None:
        return


@breaks(8)
class raises_when_there_is_nothing_to_remove(RecordingMetrics):
    def remove_gauge(self, name: str, tags: Tags) -> None:
        del self._series["gauge", name, tuple(sorted(tags.items()))]


@breaks(9)
class counts_by_run_as_well(RecordingMetrics):
    def counter(self, name: str, tags: Tags, value: float = 1.0) -> None:
        super().counter(name, {**tags, "run_id": "run_1"} if name in METRIC_BY_NAME else tags, value)


@breaks(9)
class leaves_out_the_ending_of_counters(RecordingMetrics):
    def counter(self, name: str, tags: Tags, value: float = 1.0) -> None:
        super().counter(name.removesuffix("_total") if name in METRIC_BY_NAME else name, tags, value)


@breaks(9)
class takes_gauges_for_counters(RecordingMetrics):
    def gauge(self, name: str, tags: Tags, value: float) -> None:
        if name in METRIC_BY_NAME:
            self.counter(name, tags, value)
        else:
            super().gauge(name, tags, value)


@breaks(9)
class knows_nineteen_of_the_twenty(RecordingMetrics):
    def counter(self, name: str, tags: Tags, value: float = 1.0) -> None:
        if name != "activegraph_replay_divergence_detected_total":
            super().counter(name, tags, value)


@breaks(13)
class keeps_what_it_is_told(NoOpMetrics):
    def __init__(self) -> None:
        self.seen: list[Tags] = []

    def counter(self, name: str, tags: Tags, value: float = 1.0) -> None:
        self.seen.append(tags)


class _Under(NoOpMetricsConformance):
    """The suite on one backend."""

    def __init__(self, kind: type) -> None:
        self._kind = kind

    def make_metrics(self) -> Any:
        return self._kind()

    def reads(self) -> bool:
        return issubclass(self._kind, RecordingMetrics)

    def read(self, metrics: Any) -> Mapping[Series, float]:
        found: Mapping[Series, float] = metrics.series()
        return found


@pytest.mark.parametrize(("kind", "id"), BROKEN, ids=lambda value: getattr(value, "__name__", None))
def test_a_broken_backend_is_refused_by_its_promise(kind: type, id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_cases, "PATIENCE_SECONDS", 0.5)
    suite = _Under(kind)
    refusals = []
    for name, case in cases_of(NoOpMetricsConformance):
        if case.id == id:
            try:
                getattr(suite, name)()
            except BrokenPromise as refusal:
                refusals.append(refusal)

    assert refusals, f"no case of {id} refuses the backend that {kind.__name__}"
    assert str(refusals[0]).startswith(f"{id} is broken: {refusals[0].case.promise}")


class TestRecordingMetrics(MetricsConformance):
    __test__ = True

    def make_metrics(self) -> RecordingMetrics:
        return RecordingMetrics()

    def read(self, metrics: RecordingMetrics) -> Mapping[Series, float]:
        return metrics.series()


class TestNoOpMetrics(NoOpMetricsConformance):
    __test__ = True

    def make_metrics(self) -> NoOpMetrics:
        return NoOpMetrics()


def test_a_backend_that_cannot_be_read_skips_the_cases_on_values_by_name() -> None:
    with pytest.raises(pytest.skip.Exception, match=r"metrics-3 needs a way to read the backend back \(hook: read\)"):
        TestNoOpMetrics().test_metrics_3_counters_add_up()
