"""Where a run is put: a store from the beginning, one attached later, `save_state`, `close`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from activegraph.core.clock import FrozenClock
from activegraph.core.graph import Graph
from activegraph.errors import (
    IncompatibleRuntimeState,
    InvalidArgumentType,
    InvalidRuntimeConfiguration,
    StoreUnavailableError,
)
from activegraph.frame import Frame
from activegraph.runtime.runtime import Runtime
from activegraph.store import InMemoryEventStore, list_runs, open_store, sqlite_url
from activegraph.store.base import RunRecord
from support.runtimes import RUN, emit, loaded, new, recording, types_of


def record_of(path: Path) -> RunRecord:
    (record,) = list_runs(sqlite_url(path))
    return record


class TestRecord:
    def test_a_runtime_on_a_graph_that_has_a_store_records_its_set_up(self, tmp_path: Path) -> None:
        path = tmp_path / "run.db"
        graph = Graph(run_id=RUN)
        graph.add_object("door", {})
        graph.attach_store(open_store(sqlite_url(path), RUN))
        Runtime(graph, [])

        assert record_of(path).setup_count == 1
        assert loaded(path).status().queue_depth == 0

    def test_a_store_that_is_attached_to_a_running_graph_is_told_of_its_set_up_and_goal(self, tmp_path: Path) -> None:
        path = tmp_path / "run.db"
        graph = Graph(run_id=RUN)
        graph.add_object("door", {})
        runtime = new([], graph)
        runtime.run_goal("open it")
        graph.attach_store(open_store(sqlite_url(path), RUN))

        assert (record_of(path).setup_count, record_of(path).goal) == (1, "open it")

    def test_the_events_of_an_open_transaction_belong_to_the_set_up(self) -> None:
        seen: list[str] = []
        graph = Graph(run_id=RUN)
        with graph.transaction():
            graph.add_object("door", {})
            runtime = new([recording("b", seen)], graph)
        runtime.run_until_idle()

        assert seen == []

    def test_a_goal_that_the_host_emits_by_hand_is_recorded_and_the_first_one_stays(self, tmp_path: Path) -> None:
        runtime = new([], persist_to=tmp_path / "run.db")
        emit(runtime, "goal.created", {"goal": "first"})
        runtime.run_goal("second")

        assert record_of(tmp_path / "run.db").goal == "first"

    def test_the_frame_is_recorded_with_the_run(self, tmp_path: Path) -> None:
        new([], persist_to=tmp_path / "run.db", frame=Frame("mission"))

        assert record_of(tmp_path / "run.db").frame_id == "frame_001"

    def test_a_second_runtime_keeps_the_set_up_of_the_first(self, tmp_path: Path) -> None:
        first = new([], persist_to=tmp_path / "run.db")
        emit(first, "a")
        Runtime(first.graph, [])

        assert record_of(tmp_path / "run.db").setup_count == 0

    def test_a_load_writes_nothing_into_the_record(self, tmp_path: Path) -> None:
        url = sqlite_url(tmp_path / "run.db")
        graph = Graph(run_id=RUN)
        graph.attach_store(open_store(url, RUN))
        graph.add_object("door", {})

        assert loaded(tmp_path / "run.db").status().queue_depth == 1
        assert record_of(tmp_path / "run.db").setup_count is None


class TestFailedConstruction:
    def test_a_record_that_cannot_be_written_leaves_no_store_and_no_event(self, tmp_path: Path) -> None:
        class Unwilling(InMemoryEventStore):
            def upsert_run(self, **fields: Any) -> None:
                raise StoreUnavailableError("no", what_failed="x", why="y", how_to_fix="z")

        graph, frame, store = Graph(run_id=RUN), Frame("mission"), Unwilling(RUN)
        graph.add_object("door", {})
        with pytest.raises(StoreUnavailableError):
            Runtime(graph, [], frame, store=store)

        assert graph.store is None
        assert store.count() == 0
        assert frame.id is None
        assert graph.ids.frame() == "frame_001"
        graph.add_object("door", {})

    def test_a_store_that_was_opened_for_it_is_closed_again(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from activegraph.store import runs

        opened: list[Any] = []
        real = runs.open_store
        monkeypatch.setattr(runs, "open_store", lambda *a, **o: opened.append(real(*a, **o)) or opened[-1])
        runtime = new([], persist_to=tmp_path / "run.db")
        emit(runtime, "a")

        with pytest.raises(IncompatibleRuntimeState):
            Runtime(Graph(run_id=RUN), [], persist_to=str(tmp_path / "run.db"))

        with pytest.raises(StoreUnavailableError):
            opened[1].count()
        emit(runtime, "b")

    @pytest.mark.parametrize("behaviors", [[lambda e, g, c: None], "planner", 5, [recording("b", []), None]])
    def test_what_is_no_list_of_behaviors_is_refused_at_once(self, behaviors: Any) -> None:
        with pytest.raises(TypeError, match="behaviors"):
            Runtime(Graph(), behaviors)

    def test_what_is_no_graph_is_refused(self) -> None:
        with pytest.raises(TypeError):
            Runtime("graph")  # type: ignore[arg-type]


class TestSaveState:
    def test_a_run_without_a_store_needs_a_path_once(self, tmp_path: Path) -> None:
        runtime = new([])
        emit(runtime, "a")
        with pytest.raises(InvalidRuntimeConfiguration):
            runtime.save_state()
        path = str(tmp_path / "run.db")

        assert runtime.save_state(path) == path
        emit(runtime, "b")
        assert runtime.save_state() == path
        assert types_of(loaded(tmp_path / "run.db")) == ["a", "b"]

    def test_what_is_no_path_is_refused_with_a_store_and_without(self, tmp_path: Path) -> None:
        nowhere: Any = 3
        runtime = new([])
        with pytest.raises(InvalidArgumentType):
            runtime.save_state(nowhere)
        runtime.save_state(tmp_path / "run.db")

        with pytest.raises(InvalidArgumentType):
            runtime.save_state(nowhere)

    def test_a_url_may_say_where(self, tmp_path: Path) -> None:
        url = sqlite_url(tmp_path / "run.db")
        runtime = new([])

        assert runtime.save_state(url) == url
        assert runtime.save_state() == str(tmp_path / "run.db")

    def test_record_and_events_are_one_transaction(self, tmp_path: Path) -> None:
        graph = Graph(run_id=RUN, clock=FrozenClock())
        graph.add_object("door", {})
        runtime = new([], graph)
        emit(runtime, "a")
        runtime.save_state(tmp_path / "run.db")

        assert (record_of(tmp_path / "run.db").setup_count, record_of(tmp_path / "run.db").event_count) == (1, 2)
        assert loaded(tmp_path / "run.db").status().queue_depth == 1

    @pytest.mark.parametrize(
        "other", ["other.db", "sqlite:///other.db", "postgresql://u:s3cret@h/db", "no://like:s3cret@it"]
    )
    def test_another_place_than_the_store_is_refused_and_its_password_kept(self, tmp_path: Path, other: str) -> None:
        for runtime in (new([], persist_to=tmp_path / "run.db"), new([], store=InMemoryEventStore(RUN))):
            with pytest.raises(InvalidRuntimeConfiguration) as refusal:
                runtime.save_state(other)
            assert "s3cret" not in str(refusal.value)

    def test_a_run_that_is_there_already_is_refused_and_the_runtime_goes_on_without_a_store(
        self, tmp_path: Path
    ) -> None:
        first = new([], persist_to=tmp_path / "run.db")
        emit(first, "a")
        second = new([])

        with pytest.raises(IncompatibleRuntimeState):
            second.save_state(tmp_path / "run.db")

        assert second.graph.store is None
        emit(second, "b")
        second.save_state(tmp_path / "other.db")

    def test_a_relative_path_to_the_same_file_is_the_same_place(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        runtime = new([], persist_to=tmp_path / "run.db")

        assert runtime.save_state("run.db") == str(tmp_path / "run.db")


class TestClose:
    def test_a_store_that_save_state_opened_is_closed(self, tmp_path: Path) -> None:
        runtime = new([])
        runtime.save_state(tmp_path / "run.db")
        store = runtime.graph.store
        runtime.close()

        assert store is not None
        with pytest.raises(StoreUnavailableError):
            store.count()

    def test_a_store_that_was_passed_stays_open(self) -> None:
        store = InMemoryEventStore(RUN)
        new([], store=store).close()

        assert store.count() == 0

    def test_the_whole_log_stays_readable(self, tmp_path: Path) -> None:
        runtime = new([], persist_to=tmp_path / "run.db")
        with runtime.graph.transaction():
            for _ in range(1500):
                emit(runtime, "a")
        emit(runtime, "behavior.failed", {"behavior": "x", "event_id": "evt_001"})
        runtime.close()

        assert [event.id for event in runtime.graph.events[:2]] == ["evt_001", "evt_002"]
        assert [failure.behavior for failure in runtime.errors] == ["x"]
        assert len(runtime.status(recent=1200).recent_events) == 1200
        assert runtime.trace.causal_chain("door#1") == "(no such object: door#1)"

    def test_changes_of_a_graph_whose_store_is_closed_are_refused_by_name(self, tmp_path: Path) -> None:
        runtime = new([], persist_to=tmp_path / "run.db")
        runtime.close()

        with pytest.raises(IncompatibleRuntimeState):
            runtime.graph.add_object("door", {})
        with pytest.raises(IncompatibleRuntimeState):
            Runtime(runtime.graph, [])

    def test_a_second_time_is_no_error_and_calls_are_refused(self, tmp_path: Path) -> None:
        runtime = new([], persist_to=tmp_path / "run.db")
        runtime.close()
        runtime.close()

        for call in (runtime.run_until_idle, lambda: runtime.run_goal("g"), lambda: runtime.deny("approval_001")):
            with pytest.raises(IncompatibleRuntimeState):
                call()

    def test_a_runtime_that_took_over_keeps_the_store_open(self, tmp_path: Path) -> None:
        first = new([], persist_to=tmp_path / "run.db")
        second = Runtime(first.graph, [])
        first.close()

        emit(second, "a")
        fork = second.fork("evt_001")
        second.close()

        assert types_of(fork) == ["a"]
        with pytest.raises(StoreUnavailableError):
            assert second.graph.store is not None
            second.graph.store.count()
