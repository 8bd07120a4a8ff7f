"""Group A: what was appended is read in order, whole, once, by every way of reading."""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Callable, Iterator
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activegraph.conformance.cases import case, check, of_scale, same
from activegraph.conformance.samples import event, events, generated, ids, same_events
from activegraph.conformance.suite import StoreSuite
from activegraph.conformance.workload import chain_problem
from activegraph.core.event import Event
from activegraph.errors import EventNotFoundError

__all__ = ["OrderCases"]

_TYPES = ("note.made", "note", "Note.made", "runtime.idle", "behavior.failed", "approval.granted")


class OrderCases(StoreSuite):
    """Cases A1 to A9 and A11."""

    @case("A1", "events are read in the order in which they were appended, each once")
    def test_a1_events_come_back_in_the_order_of_their_appends(self) -> None:
        store = self.open()
        appended = [event(name, payload={"n": n}) for n, name in enumerate(["c", "a", "b", "e", "d"])]
        for each in appended:
            store.append(each)

        same_events(list(store.iter_events()), appended)
        same_events(list(store.iter_events()), appended)

    @case("A1", "an append is seen by another handle as soon as it returns", needs=("second handle",))
    def test_a1_another_handle_sees_an_append_at_once(self) -> None:
        store = self.filled(2)
        other: Any = self.beside(store)
        same("count() of the other handle", other.count(), 2)
        for each in (store, other):
            check(each.get_event("evt_3") is None, "get_event() gives an event that nobody has appended")

        store.append(event("evt_3", payload={"n": 3}))

        if hasattr(other, "head"):
            same("head() of the other handle", other.head(), 3)
        same_events(list(other.iter_events()), events(3))
        same("count() of the other handle", other.count(), 3)
        for name, each in (("its own", store), ("the other", other)):
            check(each.get_event("evt_3") is not None, f"get_event() of {name} handle does not know the new event")

    @case("A1", "a handle that is opened later sees everything that was appended before", needs=("second handle",))
    def test_a1_a_later_handle_sees_everything(self) -> None:
        store = self.filled(5)
        reopened = self.again(store)

        same_events(list(reopened.iter_events()), events(5))
        reopened.append(event("evt_6", payload={"n": 6}))
        last: Any = self.again(reopened)
        same_events(list(last.iter_events()), events(6))
        if hasattr(last, "iter_raw"):
            problem = chain_problem(last.iter_raw())
            check(problem is None, f"what another handle appended is no chain: {problem}")

    @case("A2", "count() is the number of events")
    def test_a2_count_is_the_number_of_events(self) -> None:
        store = self.open()
        for n in range(6):
            same("count()", store.count(), n)
            same("events iterated", len(list(store.iter_events())), n)
            store.append(event(f"evt_{n}"))

    @case("A2", "head() is count(), after every kind of append", needs=("head", "append_many"))
    def test_a2_head_is_the_count(self) -> None:
        store: Any = self.open()
        same("head() of an empty run", store.head(), 0)
        for size in (1, 3, 0, 2):
            before = store.count()
            store.append_many(events(size, start=before + 1))
            same("head()", store.head(), before + size)
            same("count()", store.count(), before + size)

    @case("A3", "get_event() gives the event of this id in this run, or None")
    def test_a3_get_event_knows_the_events_of_its_run_only(self) -> None:
        store, other = self.filled(3), self.open()
        other.append(event("elsewhere"))

        for each in events(3):
            found = store.get_event(each.id)
            check(found is not None, f"get_event({each.id!r}) is None")
            same_events([found] if found else [], [each])
        for unknown in ("evt_4", "elsewhere", "evt_", "vt_1", "EVT_1", "evt_1 ", "%", "evt__", "evt_%", "evt*", ""):
            check(store.get_event(unknown) is None, f"get_event({unknown!r}) gives an event that the run does not hold")

    @case("A4", "`after` is excluded, `until` is included, and both together give the slice between")
    def test_a4_boundaries_cut_the_slice_that_they_name(self) -> None:
        store, names = self.filled(5), ids(events(5))
        for first, after in enumerate([None, *names]):
            for last, until in enumerate([*names, None], start=1):
                found = ids(list(store.iter_events(after=after, until=until)))
                same(f"iter_events(after={after!r}, until={until!r})", found, names[first : min(last, 5)])

    @case("A4", "an empty run has no events")
    def test_a4_an_empty_run_has_no_events(self) -> None:
        store = self.open()
        same("events of an empty run", list(store.iter_events()), [])
        check(store.get_event("evt_1") is None, "get_event() of an empty run gives an event")
        same("count()", store.count(), 0)

    @case("A5", "an unknown boundary is an EventNotFoundError, which is a KeyError")
    def test_a5_an_unknown_boundary_is_refused(self) -> None:
        store, other = self.filled(3), self.open()
        other.append(event("elsewhere"))
        for unknown in ("nowhere", "elsewhere"):
            for where in ({"after": unknown}, {"until": unknown}, {"after": "evt_1", "until": unknown}):
                with pytest.raises(KeyError) as refusal:
                    next(store.iter_events(**where), None)
                check(
                    isinstance(refusal.value, EventNotFoundError),
                    f"iter_events({where}) raises {type(refusal.value).__name__}, not EventNotFoundError",
                )
                context = refusal.value.context  # type: ignore[attr-defined]  # by the check above
                same(
                    "the error's event and run",
                    (context.get("event_id"), context.get("run_id")),
                    (unknown, store.run_id),
                )
                check(unknown in str(refusal.value), "the error's text does not name the event")
        same("events afterwards", ids(list(store.iter_events())), ids(events(3)))

    @case("A5", "an unknown boundary is refused in an empty run as well")
    def test_a5_an_unknown_boundary_of_an_empty_run_is_refused(self) -> None:
        store = self.open()
        for where in ({"after": "nowhere"}, {"until": "nowhere"}, {"after": "nowhere", "until": "nowhere"}):
            with pytest.raises(EventNotFoundError):
                next(store.iter_events(**where), None)

    @case("A6", "an iteration is one snapshot, taken at its first next()")
    def test_a6_an_iteration_ends_where_it_began_to_see(self) -> None:
        store = self.filled(3)
        running = store.iter_events()
        store.append(event("evt_4"))
        seen = [next(running)]
        store.append(event("evt_5"))
        seen += [next(running)]
        store.append(event("evt_6"))

        same("the iteration", ids([*seen, *running]), ids(events(4)))
        same("the next iteration", ids(list(store.iter_events())), ids(events(6)))
        rest = store.iter_events(after="evt_2")
        seen = [next(rest)]
        store.append(event("evt_7"))
        same("an iteration of the rest", ids([*seen, *rest]), ids(events(4, start=3)))

    @case("A6", "an iteration does not see what another handle appends meanwhile", needs=("second handle",))
    def test_a6_an_iteration_does_not_see_other_writers(self) -> None:
        store = self.filled(3)
        other = self.beside(store)
        running = store.iter_events()
        seen = [next(running)]
        other.append(event("evt_4"))

        same("the iteration", ids([*seen, *running]), ids(events(3)))
        same("the next iteration", ids(list(store.iter_events())), ids(events(4)))

    @case("A6", "a long iteration is one snapshot too, however it is read underneath", needs=("append_many",))
    def test_a6_a_long_iteration_is_one_snapshot(self) -> None:
        store: Any = self.filled(6000)
        running = store.iter_events()
        next(running)
        store.append_many(events(3, start=6001))

        same("events of the iteration", 1 + sum(1 for _ in running), 6000)
        same("count()", store.count(), 6003)

    @case("A7", "an iterator that is dropped half-way leaves nothing behind")
    def test_a7_a_dropped_iterator_leaks_nothing(self) -> None:
        store = self.filled(50)
        _drop_half_way(store.iter_events)
        gc.collect()
        before = _open_files()
        for _ in range(100):
            _drop_half_way(store.iter_events)
        gc.collect()
        after = _open_files()

        check(after <= before + 5, f"{after - before} more open files after 100 dropped iterators")
        store.append(event("evt_51"))
        same("count()", store.count(), 51)

    @case("A7", "two iterators do not disturb each other")
    def test_a7_two_iterators_do_not_disturb_each_other(self) -> None:
        store = self.filled(20)
        first, second = store.iter_events(), store.iter_events(after="evt_5")
        pairs = [(a.id, b.id) for a, b in zip(first, second, strict=False)]

        same("what both gave in turn", pairs, [(f"evt_{n}", f"evt_{n + 5}") for n in range(1, 16)])

    @case("A7", "a half-read iterator holds no lock that its own handle's writes could feel")
    def test_a7_a_half_read_iterator_does_not_stop_its_own_handle(self) -> None:
        store = self.filled(20)
        held = store.iter_events()
        next(held)
        store.append(event("evt_21"))
        store.truncate_after("evt_20")
        same("count()", store.count(), 20)

    @case("A7", "a half-read iterator holds no lock that a writer could feel", needs=("second handle",))
    def test_a7_a_half_read_iterator_does_not_stop_another_writer(self) -> None:
        store = self.filled(20)
        other = self.beside(store)
        held = [store.iter_events() for _ in range(3)]
        for running in held:
            next(running)
        began = time.monotonic()
        other.append(event("evt_21"))
        other.truncate_after("evt_20")

        check(time.monotonic() - began < 5, "a writer waited seconds for a reader that was doing nothing")
        same("count()", other.count(), 20)

    @case("A8", "iter_range() gives the slice between two positions, both included", needs=("iter_range",))
    def test_a8_a_range_is_the_slice_between_two_positions(self) -> None:
        for number in (0, 1, 5):
            store: Any = self.filled(number)
            names = ids(events(number))
            for start in range(1, number + 3):
                for stop in (None, *range(number + 3)):
                    found = ids(list(store.iter_range(start, stop)))
                    wanted = names[start - 1 : number if stop is None else max(stop, 0)]
                    same(f"iter_range({start}, {stop}) of {number} events", found, wanted)
            same("iter_range()", ids(list(store.iter_range())), names)
            for wrong in (0, -1):
                with pytest.raises(ValueError):  # noqa: PT011 - any text will do
                    list(store.iter_range(wrong))

    @case("A8", "tail(n) is the last n events, oldest first", needs=("tail",))
    def test_a8_a_tail_is_the_last_events_oldest_first(self) -> None:
        for number in (0, 1, 5):
            store: Any = self.filled(number)
            for n in range(number + 3):
                found = store.tail(n)
                check(isinstance(found, list), f"tail({n}) is a {type(found).__name__}, not a list")
                same(f"tail({n}) of {number} events", ids(found), ids(events(number))[max(0, number - n) :])

    @case("A8", "iter_types() gives the events of exactly these types, in order", needs=("iter_types",), kind="P")
    def test_a8_events_of_types_are_a_filter_of_the_log(self) -> None:
        @generated(of_scale(20, 200))
        @given(
            written=st.lists(st.sampled_from(_TYPES), max_size=8),
            asked=st.lists(st.sampled_from((*_TYPES, "unknown", "")), max_size=4),
        )
        def holds(written: list[str], asked: list[str]) -> None:
            store: Any = self.open()
            for n, type in enumerate(written):
                store.append(event(f"evt_{n}", type))
            wanted = [f"evt_{n}" for n, type in enumerate(written) if type in asked]
            same(f"iter_types{tuple(asked)} of {written}", ids(list(store.iter_types(*asked))), wanted)
            store.close()

        holds()

    @case(
        "A8",
        "events of several types come in the order of the log, however the types are asked for",
        needs=("iter_types",),
    )
    def test_a8_events_of_several_types_come_in_order(self) -> None:
        store: Any = self.open()
        for n, type in enumerate((*_TYPES, *_TYPES[::-1], *_TYPES)):
            store.append(event(f"evt_{n}", type))
        whole = list(store.iter_events())
        for asked in permutations((*_TYPES[:4], "unknown"), 3):
            wanted = [each.id for each in whole if each.type in asked]
            same(f"iter_types{asked}", ids(list(store.iter_types(*asked))), wanted)
        same("iter_types() of a type named twice", len(list(store.iter_types("note", "note"))), 3)

    @case("A8", "iter_raw() gives the stored rows with dense positions", needs=("iter_raw",))
    def test_a8_raw_rows_have_dense_positions(self) -> None:
        store: Any = self.filled(5)
        rows = list(store.iter_raw())
        same("positions", [row.position for row in rows], [1, 2, 3, 4, 5])
        same("ids", [row.id for row in rows], ids(events(5)))
        same("payloads as text", [row.payload for row in rows], [f'{{"n":{n}}}' for n in range(1, 6)])

    @case("A9", "the order is that of the appends, whatever timestamps and ids say")
    def test_a9_timestamps_and_ids_never_order_anything(self) -> None:
        times = ["2026-01-03", "2026-01-02", "2026-01-01", "same", "same", "same", "", "zz", "\U0001f989", "0"]
        appended = [event(f"evt_{9 - n}", payload={"n": n}, timestamp=time) for n, time in enumerate(times)]
        store: Any = self.open()
        for each in appended:
            store.append(each)

        same("iter_events()", ids(list(store.iter_events())), ids(appended))
        same("a slice", ids(list(store.iter_events(after="evt_8", until="evt_3"))), ids(appended[2:7]))
        for name, arguments in (("tail", (10,)), ("iter_range", (1, 10)), ("iter_types", ("note.made",))):
            if hasattr(store, name):
                same(f"{name}()", ids(list(getattr(store, name)(*arguments))), ids(appended))

    @case("A11", "runs that are appended to in turn stay apart, each in its own order")
    def test_a11_appends_to_many_runs_do_not_mix(self) -> None:
        stores: list[Any] = [self.open() for _ in range(20)]
        for round in range(5):
            for n, store in enumerate(stores if round % 2 else stores[::-1]):
                store.append(event(f"evt_{round}", payload={"run": n if round % 2 else 19 - n, "n": round}))

        for n, store in enumerate(stores):
            found = list(store.iter_events())
            same(f"run {n}", [each.payload for each in found], [{"run": n, "n": round} for round in range(5)])
            same("count()", store.count(), 5)
            if hasattr(store, "iter_raw"):
                same("positions", [row.position for row in store.iter_raw()], [1, 2, 3, 4, 5])


def _drop_half_way(iterate: Callable[[], Iterator[Event]]) -> None:
    for n, _ in enumerate(iterate()):
        if n == 10:
            break
    abandoned = iterate()
    next(abandoned)
    closed: Any = iterate()
    next(closed)
    if hasattr(closed, "close"):
        closed.close()


def _open_files() -> int:
    """Open file descriptors of this process; 0 where the system does not list them."""
    folder = "/proc/self/fd" if sys.platform.startswith("linux") else "/dev/fd"
    return len(os.listdir(folder)) if os.path.isdir(folder) else 0
