"""Group A, its long runs: they are read whole, by every way of reading, and cost no more than they must."""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

from activegraph.conformance.cases import case, check, of_scale, same
from activegraph.conformance.samples import event
from activegraph.conformance.suite import StoreSuite
from activegraph.core.event import Event

__all__ = ["LengthCases"]


class LengthCases(StoreSuite):
    """Cases A10."""

    @case("A10", "a long run is read in order, and every event of it is found", needs=("append_many",))
    def test_a10_a_long_run_is_read_in_order(self) -> None:
        number = of_scale(10_000, 200_000)
        store = self._long(number)
        same("count()", store.count(), number)
        same("the order", [each.payload["n"] for each in store.iter_events()], list(range(1, number + 1)))
        for n in (1, 2, 999, 1000, 1001, 2000, 2001, number // 2, number - 1, number):
            found = store.get_event(f"evt_{n}")
            check(found is not None and found.payload["n"] == n, f"get_event('evt_{n}') does not give that event")
        for how, found in self._by_number(store, number):
            same(f"the order by {how}", list(found), list(range(1, number + 1)))
        middle = list(store.iter_events(after=f"evt_{number // 2}", until=f"evt_{number // 2 + 2500}"))
        same("a slice", [each.payload["n"] for each in middle], list(range(number // 2 + 1, number // 2 + 2501)))

    @case("A10", "an iteration streams: its memory does not grow with the run", needs=("append_many",))
    def test_a10_the_memory_of_an_iteration_stays_flat(self) -> None:
        padding = "x" * 1000
        small, large = self._long(2_500, padding), self._long(of_scale(12_500, 100_000), padding)
        _peak(small.iter_events)
        few, many = _peak(small.iter_events), _peak(large.iter_events)

        check(
            many < 2 * few + 2_000_000,
            f"an iteration takes {many // 1000} kB for {large.count()} events, {few // 1000} kB for {small.count()}",
        )

    @case("A10", "count(), head(), tail() and get_event() do not get slower with the run", needs=("append_many",))
    def test_a10_look_ups_do_not_get_slower_with_the_run(self) -> None:
        short: Any = self._long(100)
        long: Any = self._long(of_scale(10_000, 200_000))
        calls: dict[str, Callable[[Any], object]] = {
            "count()": lambda store: store.count(),
            "get_event()": lambda store: store.get_event("evt_77"),
        }
        if hasattr(short, "head"):
            calls["head()"] = lambda store: store.head()
        if hasattr(short, "tail"):
            calls["tail(20)"] = lambda store: store.tail(20)
        for name, call in calls.items():
            ratio = min(_fastest(call, long) / _fastest(call, short) for _ in range(3))
            check(
                ratio < 8, f"{name} takes {ratio:.0f} times as long in a run of {long.count()} events as in one of 100"
            )

    def _by_number(self, store: Any, number: int) -> Iterator[tuple[str, Iterator[int]]]:
        """What every further way of reading a whole run gives, as numbers."""
        if hasattr(store, "iter_range"):
            yield "iter_range()", (each.payload["n"] for each in store.iter_range())
        if hasattr(store, "iter_types"):
            yield "iter_types()", (each.payload["n"] for each in store.iter_types("note.made", "unknown"))
        if hasattr(store, "tail"):
            yield f"tail({number})", (each.payload["n"] for each in store.tail(number))
        if hasattr(store, "iter_raw"):
            yield "iter_raw()", (row.position for row in store.iter_raw() if row.id == f"evt_{row.position}")

    def _long(self, number: int, padding: str = "") -> Any:
        store: Any = self.open()
        for start in range(1, number + 1, 1000):
            size = min(1000, number + 1 - start)
            store.append_many([event(f"evt_{n}", payload={"n": n, "x": padding}) for n in range(start, start + size)])
        return store


def _peak(iterate: Callable[[], Iterator[Event]]) -> int:
    """The most bytes that Python held more while an iteration was read and forgotten."""
    gc.collect()
    tracemalloc.start()
    try:
        for _ in iterate():
            pass
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _fastest(call: Callable[[Any], object], store: Any) -> float:
    """Seconds of the fastest of many calls: what it takes when nobody else wants the machine."""
    best = float("inf")
    for _ in range(30):
        began = time.perf_counter()
        call(store)
        best = min(best, time.perf_counter() - began)
    return best
