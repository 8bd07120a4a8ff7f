"""Group C: an append is whole or not at all, behind the head that its writer knows."""

from __future__ import annotations

from typing import Any

import pytest

from activegraph.conformance.cases import case, check, of_scale, same
from activegraph.conformance.samples import event, events, holds, ids, same_events
from activegraph.conformance.steps import watched
from activegraph.conformance.suite import StoreSuite
from activegraph.errors import (
    ConcurrentWriterError,
    DuplicateEventError,
    NonSerializableEventError,
    StoreUnavailableError,
)

__all__ = ["AppendCases"]


class AppendCases(StoreSuite):
    """Cases C1 to C5, C8 and C9."""

    @case("C1", "an id that the run holds is refused as DuplicateEventError, and the log does not change")
    def test_c1_an_id_is_appended_once(self) -> None:
        store = self.filled(3)
        for again in (event("evt_2", payload={"n": 2}), event("evt_2", "other", {"x": 1}), event("evt_3")):
            with pytest.raises(ValueError) as refusal:  # noqa: PT011 - its class is checked below
                store.append(again)
            _is_duplicate(refusal.value, again.id, store.run_id)
        holds(store, 3)

        store.append(event("evt_4", payload={"n": 4}))
        holds(store, 4)

    @case("C1", "an id from before the handle was opened is refused too", needs=("second handle",))
    def test_c1_an_id_of_an_earlier_handle_is_refused(self) -> None:
        store = self.again(self.filled(3))
        with pytest.raises(DuplicateEventError):
            store.append(event("evt_1", payload={"n": 1}))
        holds(store, 3)
        store.append(event("evt_4", payload={"n": 4}))
        holds(store, 4)

    @case("C2", "the same id in another run is another event")
    def test_c2_the_same_id_may_stand_in_two_runs(self) -> None:
        first, second = self.filled(2), self.open()
        second.append(event("evt_1", payload={"n": "second"}))

        holds(first, 2)
        same("the payload in the second run", [each.payload["n"] for each in second.iter_events()], ["second"])

    @case("C3", "append_many() stores its events in order and returns the new count", needs=("append_many",))
    def test_c3_a_batch_is_stored_in_order(self) -> None:
        store: Any = self.open()
        same("append_many() of nothing", store.append_many([]), 0)
        same("append_many() of 3", store.append_many(events(3)), 3)
        same("append_many() of a tuple of 2", store.append_many(tuple(events(2, start=4))), 5)
        same("append_many() of nothing", store.append_many([]), 5)
        store.append(event("evt_6", payload={"n": 6}))
        holds(store, 6)
        if hasattr(store, "iter_raw"):
            same("positions", [row.position for row in store.iter_raw()], [1, 2, 3, 4, 5, 6])

    @case("C3", "a batch with an id that is taken is refused whole", needs=("append_many",))
    def test_c3_a_batch_with_a_known_id_leaves_nothing_behind(self) -> None:
        store: Any = self.filled(3)
        for place in range(4):
            batch = events(3, start=4)
            batch.insert(place, event("evt_2", payload={"n": 2}))
            with pytest.raises(DuplicateEventError) as refusal:
                store.append_many(batch)
            _is_duplicate(refusal.value, "evt_2", store.run_id)
            holds(store, 3)
        store.append_many(events(3, start=4))
        holds(store, 6)

    @case("C3", "a batch that names an id twice is refused whole", needs=("append_many",))
    def test_c3_a_batch_with_a_double_leaves_nothing_behind(self) -> None:
        store: Any = self.filled(1)
        for first, second in ((0, 1), (0, 3), (2, 3)):
            batch = events(4, start=2)
            batch[second] = event(batch[first].id, payload={"n": "again"})
            with pytest.raises(DuplicateEventError) as refusal:
                store.append_many(batch)
            _is_duplicate(refusal.value, batch[first].id, store.run_id)
            holds(store, 1)
        store.append_many(events(4, start=2))
        holds(store, 5)

    @case("C3", "a refused batch is not seen by another handle either", needs=("append_many", "second handle"))
    def test_c3_another_handle_sees_nothing_of_a_refused_batch(self) -> None:
        store: Any = self.filled(3)
        with pytest.raises(DuplicateEventError):
            store.append_many([*events(3, start=4), event("evt_1")])
        holds(self.beside(store), 3)
        holds(self.again(store), 3)

    @case("C3", "at no instant does anybody see part of a batch", needs=("append_many", "second handle"))
    def test_c3_nobody_ever_sees_part_of_a_batch(self) -> None:
        store: Any = self.filled(2)
        other = self.beside(store)
        seen = watched(lambda: store.append_many(events(6, start=3)), other.count)
        check(set(seen) <= {2, 8}, f"while a batch of 6 was appended behind 2, another handle counted {seen}")
        holds(other, 8)

    @case("C4", "a batch with an event that cannot be kept is refused whole", needs=("append_many",))
    def test_c4_a_batch_with_an_unserializable_event_leaves_nothing_behind(self) -> None:
        store: Any = self.filled(1)
        for wrong in (event("evt_9", payload={"a": object()}), event("evt_9", actor="\x00")):
            for place in range(4):
                batch = events(3, start=2)
                batch.insert(place, wrong)
                with pytest.raises(NonSerializableEventError):
                    store.append_many(batch)
                holds(store, 1)
        store.append_many(events(3, start=2))
        holds(store, 4)

    @case(
        "C4",
        "what cannot be kept is found before a duplicate, and a duplicate before a stale head",
        needs=("append_many",),
    )
    def test_c4_checks_come_in_their_order(self) -> None:
        store: Any = self.filled(2)
        with pytest.raises(NonSerializableEventError):
            store.append_many([event("evt_1"), event("evt_3", payload={"a": object()})], expected_count=1)
        with pytest.raises(DuplicateEventError):
            store.append_many([event("evt_3"), event("evt_1")], expected_count=1)
        holds(store, 2)

    @case("C5", "a writer whose expected head is stale, too low or too high, stores nothing", needs=("append_many",))
    def test_c5_a_wrong_expected_count_is_refused_in_both_directions(self) -> None:
        store: Any = self.filled(3)
        for expected in (0, 1, 2, 4, 5, 100):
            for batch in (events(1, start=4), events(3, start=4), []):
                with pytest.raises(ConcurrentWriterError) as refusal:
                    store.append_many(batch, expected_count=expected)
                _is_stale(refusal.value, store.run_id, expected=expected, actual=3)
            holds(store, 3)
            same("events behind the head", ids(list(store.iter_events(after="evt_3"))), [])

        same("append_many() with the right count", store.append_many(events(2, start=4), expected_count=3), 5)
        same("append_many() of nothing with the right count", store.append_many([], expected_count=5), 5)
        holds(store, 5)

    @case("C5", "a writer that expects an empty run is refused by one that is not", needs=("append_many",))
    def test_c5_zero_is_an_expectation_like_any_other(self) -> None:
        store: Any = self.open()
        with pytest.raises(ConcurrentWriterError) as refusal:
            store.append_many(events(1), expected_count=1)
        _is_stale(refusal.value, store.run_id, expected=1, actual=0)
        holds(store, 0)
        same("append_many() to the empty run", store.append_many(events(1), expected_count=0), 1)
        with pytest.raises(ConcurrentWriterError):
            store.append_many(events(1, start=2), expected_count=0)
        holds(store, 1)

    @case(
        "C5", "whoever names the true head may append, whatever the handle knew", needs=("append_many", "second handle")
    )
    def test_c5_the_right_count_is_taken_from_a_stale_handle(self) -> None:
        store: Any = self.filled(2)
        other: Any = self.beside(store)
        other.append_many(events(2, start=3))

        with pytest.raises(ConcurrentWriterError) as refusal:
            store.append_many(events(1, start=5), expected_count=2)
        _is_stale(refusal.value, store.run_id, expected=2, actual=4)
        same("append_many() with the true head", store.append_many(events(1, start=5), expected_count=4), 5)
        holds(other, 5)

    @case("C8", "close() may be called twice, and every later call says that the store is closed")
    def test_c8_a_closed_store_says_that_it_is_closed(self) -> None:
        store: Any = self.filled(2)
        running = store.iter_events()
        next(running)
        store.close()
        store.close()
        calls: dict[str, Any] = {
            "append": lambda: store.append(event("evt_3")),
            "iter_events": lambda: list(store.iter_events()),
            "get_event": lambda: store.get_event("evt_1"),
            "count": lambda: store.count(),
            "truncate_after": lambda: store.truncate_after("evt_1"),
            "append_many": lambda: store.append_many([]),
            "head": lambda: store.head(),
            "iter_range": lambda: list(store.iter_range()),
            "tail": lambda: store.tail(1),
            "iter_types": lambda: list(store.iter_types("note.made")),
            "iter_raw": lambda: list(store.iter_raw()),
            "transaction": lambda: store.transaction().__enter__(),
            "get_run": lambda: store.get_run(),
            "upsert_run": lambda: store.upsert_run(created_at="2026-05-15T10:32:01Z"),
        }
        for name, call in calls.items():
            if not hasattr(store, name):
                continue
            with pytest.raises(StoreUnavailableError, match="closed") as refusal:
                call()
            same(f"reason of the refusal of {name}()", refusal.value.context.get("reason"), "closed")
        with pytest.raises(StoreUnavailableError):
            store.append(event("evt_3", payload={"a": object()}))
        store.close()

    @case("C8", "a store is a context manager that closes it")
    def test_c8_a_store_closes_at_the_end_of_its_block(self) -> None:
        store: Any = self.open()
        with store as entered:
            check(entered is store, "`with store as s` gives something else than the store")
            store.append(event("evt_1"))
        with pytest.raises(StoreUnavailableError):
            store.count()

    @case("C8", "what is raised in the block of a store is raised out of it, and the store is closed")
    def test_c8_the_block_of_a_store_hides_no_error(self) -> None:
        store: Any = self.open()
        with pytest.raises(LookupError, match="out of the block"), store:
            raise LookupError("out of the block")
        with pytest.raises(StoreUnavailableError):
            store.count()

    @case("C8", "a run outlives its handles, closed or forgotten", needs=("second handle",))
    def test_c8_a_run_outlives_its_handles(self) -> None:
        closed = self.filled(3)
        holds(self.again(closed), 3)
        forgotten = self.make_store(self.new_run())
        run_id = forgotten.run_id
        forgotten.append(event("evt_1", payload={"n": 1}))
        del forgotten
        holds(self.open(run_id), 1)

    @case("C9", "a batch of any size is stored whole", needs=("append_many",))
    def test_c9_batches_of_any_size_are_stored_whole(self) -> None:
        store: Any = self.open()
        held = 0
        for size in (1, 999, 1000, 1001, 40_000):
            batch = events(size, start=held + 1)
            held += size
            same(f"append_many() of {size}", store.append_many(batch), held)
            same("count()", store.count(), held)
            tail = list(store.iter_events(after=f"evt_{held - size}")) if held > size else list(store.iter_events())
            same_events(tail, batch)

    @case("C9", "a large batch is whole or not at all as well", needs=("append_many", "second handle"))
    def test_c9_nobody_ever_sees_part_of_a_large_batch(self) -> None:
        store: Any = self.filled(1)
        other = self.beside(store)
        size = of_scale(2_500, 25_000)
        seen = watched(lambda: store.append_many(events(size, start=2)), other.count)
        check(set(seen) <= {1, size + 1}, f"while a batch of {size} was appended behind 1, others counted {set(seen)}")
        batch = [*events(size, start=size + 2), event("evt_1")]
        with pytest.raises(DuplicateEventError):
            store.append_many(batch)
        same("count() after a large batch was refused", other.count(), size + 1)


def _is_duplicate(error: BaseException, event_id: str, run_id: str) -> None:
    check(
        isinstance(error, DuplicateEventError), f"a duplicate id raises {type(error).__name__}, not DuplicateEventError"
    )
    context: dict[str, Any] = getattr(error, "context", {})
    same("event and run of the error", (context.get("event_id"), context.get("run_id")), (event_id, run_id))


def _is_stale(error: ConcurrentWriterError, run_id: str, *, expected: int, actual: int) -> None:
    told = (error.run_id, error.expected_count, error.actual_count, error.actual_head)
    same(
        "run, expected and actual count, actual head of the error",
        told,
        (run_id, expected, actual, f"evt_{actual}" if actual else None),
    )
    same("the error's context", error.context.get("actual_count"), actual)
    same("expected head", error.expected_head, f"evt_{expected}" if 1 <= expected <= actual else None)
