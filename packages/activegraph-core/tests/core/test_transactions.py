"""Transactions and listeners: what is committed together, and who hears of it when."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import pytest
from activegraph.core.clock import FrozenClock
from activegraph.core.event import Event
from activegraph.core.graph import Graph
from activegraph.errors import IncompatibleRuntimeState, NonSerializableEventError, StoreUnavailableError
from activegraph.store.memory import InMemoryEventStore


class CommitsCounted(InMemoryEventStore):
    """A memory store that notes the batches it was given."""

    def __init__(self, run_id: str) -> None:
        super().__init__(run_id)
        self.batches: list[list[str]] = []
        self.failing = False
        self.refusing: Exception | None = None

    def append_many(self, events: Sequence[Event], **options: Any) -> int:
        if self.refusing is not None:
            raise self.refusing
        if self.failing:
            raise StoreUnavailableError("the disk is gone", context={"reason": "io", "committed": None})
        if events:
            self.batches.append([event.type for event in events])
        return super().append_many(events, **options)


@pytest.fixture
def store() -> CommitsCounted:
    return CommitsCounted("run_a")


@pytest.fixture
def graph(store: CommitsCounted) -> Graph:
    graph = Graph(clock=FrozenClock(), run_id="run_a")
    graph.attach_store(store)
    return graph


class TestTransactions:
    def test_changes_outside_are_committed_one_by_one(self, graph: Graph, store: CommitsCounted) -> None:
        graph.add_object("a", {})
        graph.add_relation("a", "b", "r")
        assert store.batches == [["object.created"], ["relation.created"]]

    def test_changes_inside_are_visible_at_once_and_committed_together(
        self, graph: Graph, store: CommitsCounted
    ) -> None:
        with graph.transaction():
            made = graph.add_object("a", {"n": 1})
            graph.patch_object(made.id, {"n": 2})
            assert graph.objects("a")[0].data == {"n": 2}
            assert store.batches == []
            assert store.count() == 0
        assert store.batches == [["object.created", "patch.applied"]]

    def test_nesting_joins_the_outer_block(self, graph: Graph, store: CommitsCounted) -> None:
        with graph.transaction():
            graph.add_object("a", {})
            with graph.transaction():
                graph.add_object("b", {})
            assert store.batches == []
            graph.add_object("c", {})
        assert [len(batch) for batch in store.batches] == [3]

    @pytest.mark.parametrize("error", [ValueError("oops"), KeyboardInterrupt()])
    def test_an_exception_keeps_what_was_emitted_and_goes_on(
        self, graph: Graph, store: CommitsCounted, error: BaseException
    ) -> None:
        def change_and_fail() -> None:
            with graph.transaction():
                graph.add_object("a", {})
                raise error

        with pytest.raises(type(error)):
            change_and_fail()
        assert store.batches == [["object.created"]]
        graph.add_object("b", {})
        assert len(store.batches) == 2

    def test_an_exception_in_an_inner_block_that_is_caught_ends_nothing(
        self, graph: Graph, store: CommitsCounted
    ) -> None:
        def fail() -> None:
            with graph.transaction():
                graph.add_object("a", {})
                raise ValueError

        with graph.transaction():
            with pytest.raises(ValueError):  # noqa: PT011 - raised just above
                fail()
            graph.add_object("b", {})
        assert [len(batch) for batch in store.batches] == [2]

    def test_an_empty_transaction_commits_nothing(self, graph: Graph, store: CommitsCounted) -> None:
        with graph.transaction():
            pass
        assert store.batches == []

    def test_a_refused_change_inside_leaves_the_others(self, graph: Graph, store: CommitsCounted) -> None:
        with graph.transaction():
            graph.add_object("a", {})
            with pytest.raises(KeyError):
                graph.patch_object("nobody", {})
            graph.add_object("b", {})
        assert store.batches == [["object.created", "object.created"]]

    def test_ids_and_marks_are_those_of_changes_made_one_by_one(self, graph: Graph) -> None:
        alone = Graph(clock=FrozenClock(), run_id="run_a")
        for target in (graph, alone):
            if target is graph:
                with target.transaction():
                    target.add_object("a", {})
                    target.add_relation("a#1", "b", "r")
            else:
                target.add_object("a", {})
                target.add_relation("a#1", "b", "r")
        assert list(graph.events) == list(alone.events)


class TestAFailedCommit:
    def test_the_graph_refuses_further_work_and_says_why(self, graph: Graph, store: CommitsCounted) -> None:
        store.failing = True
        with pytest.raises(StoreUnavailableError):
            graph.add_object("a", {})
        assert graph.all_objects() == []
        store.failing = False
        for change in (lambda: graph.add_object("b", {}), lambda: graph.emit(Event("x", "y"))):
            with pytest.raises(IncompatibleRuntimeState, match="StoreUnavailableError") as refusal:
                change()
            assert "Runtime.load" in refusal.value.how_to_fix
        assert store.count() == 0

    def test_a_change_that_the_store_alone_refuses_leaves_the_graph_usable(
        self, graph: Graph, store: CommitsCounted
    ) -> None:
        store.refusing = NonSerializableEventError("too large for me")
        with pytest.raises(NonSerializableEventError):
            graph.add_object("a", {})
        assert graph.all_objects() == []
        store.refusing = None
        graph.add_object("b", {})
        assert store.count() == 1

    def test_a_step_that_the_store_alone_refuses_stops_the_run(self, graph: Graph, store: CommitsCounted) -> None:
        def change() -> None:
            with graph.transaction():
                graph.add_object("a", {})

        store.refusing = NonSerializableEventError("too large for me")
        with pytest.raises(NonSerializableEventError):
            change()
        store.refusing = None
        with pytest.raises(IncompatibleRuntimeState, match="NonSerializableEventError"):
            graph.add_object("b", {})

    def test_nobody_hears_of_what_was_not_committed(self, graph: Graph, store: CommitsCounted) -> None:
        heard: list[str] = []
        graph.add_listener(lambda event: heard.append(event.id))
        store.failing = True

        def change() -> None:
            with graph.transaction():
                graph.add_object("a", {})

        with pytest.raises(StoreUnavailableError):
            change()
        assert heard == []


class TestListeners:
    def test_listeners_hear_every_event_in_the_order_of_registration(self, graph: Graph) -> None:
        heard: list[tuple[str, str]] = []
        graph.add_listener(lambda event: heard.append(("first", event.id)))
        graph.add_listener(lambda event: heard.append(("second", event.id)))
        graph.add_object("a", {})
        graph.emit(Event("mine", "runtime.idle"))
        assert heard == [("first", "evt_001"), ("second", "evt_001"), ("first", "mine"), ("second", "mine")]

    def test_an_event_is_committed_and_visible_when_it_is_heard(self, graph: Graph, store: CommitsCounted) -> None:
        seen: list[tuple[int, int]] = []
        graph.add_listener(lambda event: seen.append((store.count(), len(graph.objects()))))
        graph.add_object("a", {})
        assert seen == [(1, 1)]

    def test_events_of_a_transaction_are_heard_after_its_commit_in_log_order(
        self, graph: Graph, store: CommitsCounted
    ) -> None:
        heard: list[tuple[str, int]] = []
        graph.add_listener(lambda event: heard.append((event.id, store.count())))
        with graph.transaction():
            graph.add_object("a", {})
            graph.add_object("b", {})
            assert heard == []
        assert heard == [("evt_001", 2), ("evt_002", 2)]

    def test_what_a_listener_emits_is_served_after_the_current_events(
        self, graph: Graph, store: CommitsCounted
    ) -> None:
        heard: list[tuple[str, str]] = []

        def first(event: Event) -> None:
            heard.append(("first", event.id))
            if event.type == "object.created" and event.payload["object"]["type"] == "a":
                graph.add_object("reaction", {})

        graph.add_listener(first)
        graph.add_listener(lambda event: heard.append(("second", event.id)))
        with graph.transaction():
            graph.add_object("a", {})
            graph.add_object("b", {})
        assert heard == [
            ("first", "evt_001"),
            ("second", "evt_001"),
            ("first", "evt_002"),
            ("second", "evt_002"),
            ("first", "evt_003"),
            ("second", "evt_003"),
        ]
        assert [len(batch) for batch in store.batches] == [2, 1]

    def test_a_listener_that_raises_is_logged_and_skipped(self, graph: Graph, caplog: pytest.LogCaptureFixture) -> None:
        heard: list[str] = []

        def broken(event: Event) -> None:
            raise RuntimeError("no")

        graph.add_listener(broken)
        graph.add_listener(lambda event: heard.append(event.id))
        with caplog.at_level(logging.WARNING, logger="activegraph"):
            graph.add_object("a", {})
            graph.add_object("a", {})
        assert heard == ["evt_001", "evt_002"]
        [record] = caplog.records
        assert record.levelname == "WARNING"
        assert record.name == "activegraph.observability"
        assert record.message.startswith("listener failed: ")
        assert "broken" in record.message
        assert (record.error_type, record.error_message) == ("RuntimeError", "no")

    def test_a_removed_listener_hears_nothing_more(self, graph: Graph) -> None:
        heard: list[str] = []

        class Ear:
            def hear(self, event: Event) -> None:
                heard.append(event.id)

        ear = Ear()
        graph.add_listener(ear.hear)
        graph.add_object("a", {})
        assert graph.remove_listener(ear.hear) is True
        assert graph.remove_listener(ear.hear) is False
        graph.add_object("a", {})
        assert heard == ["evt_001"]

    def test_a_listener_may_remove_itself(self, graph: Graph) -> None:
        heard: list[str] = []

        def once(event: Event) -> None:
            heard.append(event.id)
            graph.remove_listener(once)

        graph.add_listener(once)
        graph.add_listener(lambda event: heard.append("other"))
        graph.add_object("a", {})
        graph.add_object("a", {})
        assert heard == ["evt_001", "other", "other"]

    def test_what_a_listener_gets_cannot_be_changed(self, graph: Graph) -> None:
        failures: list[Exception] = []

        def spoil(event: Event) -> None:
            try:
                event.payload["object"]["data"]["n"] = 5
            except TypeError as error:
                failures.append(error)

        graph.add_listener(spoil)
        made = graph.add_object("a", {"n": 1})
        assert len(failures) == 1
        assert made.data == {"n": 1}


class TestAttachStore:
    def test_the_backlog_goes_into_an_empty_store_in_one_batch(self) -> None:
        graph = Graph(clock=FrozenClock(), run_id="run_a")
        graph.add_object("a", {})
        graph.add_object("b", {})
        store = CommitsCounted("run_a")
        graph.attach_store(store)
        assert graph.store is store
        assert store.batches == [["object.created", "object.created"]]
        graph.add_object("c", {})
        assert list(store.iter_events()) == list(graph.events)

    def test_the_same_store_again_changes_nothing(self, graph: Graph, store: CommitsCounted) -> None:
        graph.add_object("a", {})
        graph.attach_store(store)
        assert store.batches == [["object.created"]]

    def test_a_second_store_is_refused(self, graph: Graph) -> None:
        with pytest.raises(IncompatibleRuntimeState):
            graph.attach_store(InMemoryEventStore("run_a"))

    def test_a_store_of_another_run_is_refused(self) -> None:
        graph = Graph(run_id="run_a")
        with pytest.raises(IncompatibleRuntimeState) as refusal:
            graph.attach_store(InMemoryEventStore("run_b"))
        assert refusal.value.context == {"run_id": "run_a", "store_run_id": "run_b"}
        assert graph.store is None

    @pytest.mark.parametrize(
        "stored",
        [
            [Event("evt_001", "x", {"a": 1})],
            [Event("evt_001", "x", {"a": 2}), Event("evt_002", "y")],
            [Event("evt_001", "x", {"a": 1}), Event("evt_002", "y"), Event("evt_003", "z")],
            [Event("evt_001", "x", {"a": 1}), Event("evt_002", "y", actor="me")],
        ],
    )
    def test_a_store_that_holds_other_events_is_refused(self, stored: list[Event]) -> None:
        graph = Graph(run_id="run_a")
        graph.emit(Event("evt_001", "x", {"a": 1}))
        graph.emit(Event("evt_002", "y"))
        store = InMemoryEventStore("run_a")
        store.append_many(stored)
        with pytest.raises(IncompatibleRuntimeState):
            graph.attach_store(store)
        assert graph.store is None
        assert store.count() == len(stored)

    def test_a_store_that_holds_exactly_the_graphs_events_is_taken(self) -> None:
        graph = Graph(run_id="run_a", clock=FrozenClock())
        graph.add_object("a", {"n": 1})
        store = InMemoryEventStore("run_a")
        store.append_many(list(graph.events))
        graph.attach_store(store)
        graph.add_object("b", {})
        assert [e.id for e in store.iter_events()] == ["evt_001", "evt_002"]

    def test_a_failed_attachment_leaves_the_graph_without_a_store(self) -> None:
        graph = Graph(run_id="run_a", clock=FrozenClock())
        graph.add_object("a", {})
        store = CommitsCounted("run_a")
        store.failing = True
        with pytest.raises(StoreUnavailableError):
            graph.attach_store(store)
        assert graph.store is None
        graph.add_object("b", {})
        assert len(graph.events) == 2
