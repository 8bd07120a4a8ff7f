"""Group E, one writer after another: a handle that was overtaken is refused until it has read what was written."""

from __future__ import annotations

from typing import Any

import pytest

from activegraph.conformance.cases import case, same
from activegraph.conformance.samples import event, events, ids, same_events
from activegraph.conformance.suite import StoreSuite
from activegraph.core.event import Event
from activegraph.errors import ConcurrentWriterError, DuplicateEventError, NonSerializableEventError

__all__ = ["StaleHandleCases"]


class StaleHandleCases(StoreSuite):
    """Case E1."""

    @case("E1", "a handle that was overtaken cannot append before it has read again", needs=("second handle",))
    def test_e1_a_stale_handle_is_refused_until_it_reads(self) -> None:
        store = self.filled(2)
        other = self.beside(store)
        store.append(event("evt_3", payload={"n": 3}))

        for attempt in (event("evt_other"), event("evt_3", payload={"n": "other"})):
            with pytest.raises(ConcurrentWriterError) as refusal:
                other.append(attempt)
            told = (refusal.value.run_id, refusal.value.expected_count, refusal.value.actual_count)
            same("run, expected and actual count of the error", told, (store.run_id, 2, 3))
        same_events(list(store.iter_events()), events(3))

        same_events(list(other.iter_events()), events(3))
        other.append(event("evt_4", payload={"n": 4}))
        same_events(list(store.iter_events()), events(4))

    @case("E1", "only a read to the end of the log moves the head that a handle knows", needs=("second handle",))
    def test_e1_looking_around_does_not_make_a_stale_handle_current(self) -> None:
        store = self.filled(3)
        other: Any = self.beside(store)
        store.append(event("evt_4", payload={"n": 4}))
        other.count()
        other.get_event("evt_4")
        list(other.iter_events(until="evt_4"))
        next(other.iter_events())
        for name, arguments in (("head", ()), ("tail", (2,)), ("iter_range", (1, 4)), ("get_run", ())):
            if hasattr(other, name):
                found = getattr(other, name)(*arguments)
                if name == "iter_range":
                    list(found)

        with pytest.raises(ConcurrentWriterError):
            other.append(event("evt_5"))
        same_events(list(store.iter_events()), events(4))

    @case("E1", "a refused append leaves the head that a handle knows as it was", needs=("second handle",))
    def test_e1_a_refusal_does_not_make_a_stale_handle_current(self) -> None:
        store = self.filled(2)
        other = self.beside(store)
        store.append(event("evt_3", payload={"n": 3}))
        attempts: list[tuple[Event, type[Exception]]] = [
            (event("evt_1"), DuplicateEventError),
            (event("evt_4", payload={"a": object()}), NonSerializableEventError),
            (event("evt_4"), ConcurrentWriterError),
            (event("evt_2"), DuplicateEventError),
            (event("evt_4"), ConcurrentWriterError),
        ]
        for attempt, error in attempts:
            with pytest.raises(error):
                other.append(attempt)
        same_events(list(store.iter_events()), events(3))

    @case("E1", "a handle that has read the rest of the log may go on behind it", needs=("second handle",))
    def test_e1_reading_the_rest_of_the_log_is_reading_to_its_end(self) -> None:
        store = self.filled(2)
        other = self.beside(store)
        for n, after in ((3, "evt_2"), (5, "evt_3"), (7, "evt_7")):
            store.append(event(f"evt_{n}", payload={"n": n}))
            list(other.iter_events(after=after))
            other.append(event(f"evt_{n + 1}", payload={"n": n + 1}))
            list(store.iter_events())
        same_events(list(store.iter_events()), events(8))

    @case("E1", "a stale handle's batch is refused whole", needs=("second handle", "append_many"))
    def test_e1_a_batch_of_a_stale_handle_is_refused_whole(self) -> None:
        store: Any = self.filled(2)
        other: Any = self.beside(store)
        store.append_many(events(2, start=3))
        for batch in ([event("x")], [event("x"), event("y"), event("z")], []):
            for expected in (None, 2):
                with pytest.raises(ConcurrentWriterError):
                    other.append_many(batch, expected_count=expected)
        same_events(list(store.iter_events()), events(4))

    @case("E1", "a writer that knows more than the database has may not leave a hole", needs=("second handle",))
    def test_e1_a_head_that_was_lost_is_refused(self) -> None:
        store = self.filled(5)
        other = self.beside(store)
        list(other.iter_events())
        other.truncate_after("evt_3")

        with pytest.raises(ConcurrentWriterError):
            store.append(event("evt_6"))
        same_events(list(other.iter_events()), events(3))
        if hasattr(other, "iter_raw"):
            same("positions", [row.position for row in other.iter_raw()], [1, 2, 3])

    @case(
        "E1", "a history that was replaced by another of the same length is not gone on with", needs=("second handle",)
    )
    def test_e1_a_replaced_history_is_refused(self) -> None:
        store = self.filled(3)
        other = self.beside(store)
        other.truncate_after("evt_1")
        other.append(event("evt_2", payload={"n": "another"}))
        other.append(event("evt_3", payload={"n": "another"}))
        if not hasattr(store, "append_many"):
            return

        with pytest.raises(ConcurrentWriterError):
            store.append(event("evt_4"))
        for batch in (events(1, start=4), events(3, start=4)):
            with pytest.raises(ConcurrentWriterError):
                store.append_many(batch, expected_count=3)
        same("the log", ids(list(other.iter_events())), ids(events(3)))
