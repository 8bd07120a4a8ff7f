"""Group C, its blocks and its cuts: transactions and truncations are whole or not at all, too."""

from __future__ import annotations

from typing import Any

import pytest

from activegraph.conformance.cases import case, check, same
from activegraph.conformance.samples import event, events, holds, ids
from activegraph.conformance.steps import watched
from activegraph.conformance.suite import StoreSuite
from activegraph.conformance.workload import chain_problem
from activegraph.errors import ConcurrentWriterError, DuplicateEventError, EventNotFoundError

__all__ = ["TransactionCases"]


class TransactionCases(StoreSuite):
    """Cases C6 and C7."""

    @case("C6", "a transaction commits everything at its end", needs=("transaction",))
    def test_c6_a_transaction_commits_at_its_end(self) -> None:
        store: Any = self.open()
        with store.transaction():
            store.append(event("evt_1", payload={"n": 1}))
            with store.transaction():
                store.append(event("evt_2", payload={"n": 2}))
            store.append(event("evt_3", payload={"n": 3}))
        holds(store, 3)
        store.append(event("evt_4", payload={"n": 4}))
        holds(store, 4)

    @case("C6", "a transaction that raises leaves nothing behind", needs=("transaction",))
    def test_c6_a_transaction_that_raises_leaves_nothing_behind(self) -> None:
        store: Any = self.filled(2)
        for error in (RuntimeError("no"), KeyboardInterrupt()):
            with pytest.raises(type(error)), store.transaction():
                store.append(event("evt_3", payload={"n": "undone"}))
                with store.transaction():
                    store.append(event("evt_4", payload={"n": "undone"}))
                raise error
            holds(store, 2)
            check(store.get_event("evt_3") is None, "get_event() gives an event that was undone")
        with pytest.raises(RuntimeError), store.transaction(), store.transaction():
            store.append(event("evt_3", payload={"n": "undone"}))
            raise RuntimeError("inner")
        holds(store, 2)
        store.append(event("evt_3", payload={"n": 3}))
        holds(store, 3)

    @case(
        "C6",
        "a batch that is refused inside a transaction leaves nothing of itself",
        needs=("transaction", "append_many"),
    )
    def test_c6_a_refused_batch_inside_a_transaction_leaves_nothing(self) -> None:
        store: Any = self.filled(1)
        with store.transaction():
            store.append(event("evt_2", payload={"n": 2}))
            for taken in ("evt_1", "evt_2"):
                with pytest.raises(DuplicateEventError):
                    store.append_many([event("evt_9"), event(taken)])
            store.append(event("evt_3", payload={"n": 3}))
        holds(store, 3)

    @case("C6", "a batch inside a transaction is fenced like any other", needs=("transaction", "append_many"))
    def test_c6_a_batch_inside_a_transaction_is_fenced(self) -> None:
        store: Any = self.filled(1)
        with store.transaction():
            for expected in (1, 2):
                same(
                    "append_many()",
                    store.append_many(events(1, start=expected + 1), expected_count=expected),
                    expected + 1,
                )
                for wrong in (0, expected, expected + 2):
                    with pytest.raises(ConcurrentWriterError):
                        store.append_many([event("evt_9")], expected_count=wrong)
        holds(store, 3)

    @case("C6", "events and the run's record commit together", needs=("transaction", "metadata"))
    def test_c6_metadata_belongs_to_the_transaction(self) -> None:
        store: Any = self.open()
        with pytest.raises(RuntimeError), store.transaction():
            store.upsert_run(created_at="2026-05-15T10:32:01Z", label="undone")
            store.append(event("evt_1"))
            raise RuntimeError("no")
        check(store.get_run() is None, "a run that was undone has a record")
        with store.transaction():
            store.append(event("evt_1", payload={"n": 1}))
            store.upsert_run(created_at=(store.get_run() or _NO_RECORD).created_at, label="kept")
        holds(store, 1)
        same("the label", (store.get_run() or _NO_RECORD).label, "kept")
        with pytest.raises(RuntimeError), store.transaction():
            store.upsert_run(created_at=(store.get_run() or _NO_RECORD).created_at, label="undone", goal="undone")
            raise RuntimeError("no")
        record = store.get_run() or _NO_RECORD
        same("label and goal after a block that raised", (record.label, record.goal), ("kept", None))

    @case(
        "C6", "nothing inside a transaction is seen from outside before its end", needs=("transaction", "second handle")
    )
    def test_c6_nobody_sees_an_open_transaction(self) -> None:
        store: Any = self.filled(1)
        other = self.beside(store)
        with store.transaction():
            for each in events(3, start=2):
                store.append(each)
            holds(other, 1)
        holds(other, 4)

    @case("C7", "truncate_after() deletes exactly what comes after the event")
    def test_c7_a_truncated_run_goes_on_densely(self) -> None:
        store: Any = self.filled(5)
        bystander = self.filled(5)
        store.truncate_after("evt_2")
        holds(store, 2)
        for gone in ("evt_3", "evt_5"):
            check(store.get_event(gone) is None, f"get_event() gives {gone}, which was truncated")
        if hasattr(store, "iter_types"):
            same("iter_types()", ids(list(store.iter_types("note.made"))), ids(events(2)))
        store.append(event("evt_3", payload={"n": 3}))
        holds(store, 3)
        if hasattr(store, "iter_raw"):
            problem = chain_problem(store.iter_raw())
            check(problem is None, f"the truncated run goes on as no chain: {problem}")
        holds(bystander, 5)

    @case("C7", "truncating after the last event changes nothing, after an unknown one is refused")
    def test_c7_truncating_after_the_last_event_changes_nothing(self) -> None:
        store, other = self.filled(3), self.open()
        other.append(event("elsewhere"))
        store.truncate_after("evt_3")
        holds(store, 3)
        for unknown in ("evt_4", "elsewhere", "evt_", "%"):
            with pytest.raises(EventNotFoundError) as refusal:
                store.truncate_after(unknown)
            same("the error's event", refusal.value.context.get("event_id"), unknown)
            holds(store, 3)

    @case("C7", "a handle that the run outgrew may not truncate it", needs=("second handle",))
    def test_c7_a_stale_handle_may_not_truncate(self) -> None:
        store = self.filled(3)
        other = self.beside(store)
        other.append(event("evt_4", payload={"n": 4}))
        with pytest.raises(ConcurrentWriterError):
            store.truncate_after("evt_1")
        holds(other, 4)
        list(store.iter_events())
        store.truncate_after("evt_1")
        holds(other, 1)

    @case("C7", "at no instant does anybody see part of a truncation", needs=("second handle",))
    def test_c7_nobody_ever_sees_part_of_a_truncation(self) -> None:
        store = self.filled(8)
        other = self.beside(store)
        check(other.get_event("evt_5") is not None, "get_event() of the other handle does not know an event")
        seen = watched(lambda: store.truncate_after("evt_2"), other.count)
        check(set(seen) <= {2, 8}, f"while 6 of 8 events were truncated, another handle counted {seen}")
        holds(other, 2)
        check(other.get_event("evt_5") is None, "get_event() of the other handle gives an event that was truncated")


class _NoRecord:
    label = goal = None
    created_at = "2026-05-15T10:32:01Z"


_NO_RECORD = _NoRecord()
