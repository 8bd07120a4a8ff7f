"""`Runtime`: how it is built, what it shows, what a load gives back."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from activegraph.behaviors.base import Behavior
from activegraph.behaviors.registry import clear_registry, register
from activegraph.core.clock import FrozenClock
from activegraph.core.event import Event
from activegraph.core.graph import Graph
from activegraph.errors import (
    BehaviorNotFoundError,
    EventNotFoundError,
    IncompatibleRuntimeState,
    InvalidArgumentType,
    InvalidRuntimeConfiguration,
    LogInconsistencyError,
    RunNotFoundError,
    StoreNotFoundError,
)
from activegraph.frame import Frame
from activegraph.metrics import NoOpMetrics
from activegraph.runtime.runtime import Runtime
from activegraph.store import InMemoryEventStore, list_runs, sqlite_url
from support.runtimes import RUN, emit, loaded, new, recording, types_of


class TestConstruction:
    def test_a_store_and_a_url_exclude_each_other(self, tmp_path: Path) -> None:
        with pytest.raises(InvalidRuntimeConfiguration):
            new(persist_to=tmp_path / "r.db", store=InMemoryEventStore(RUN))

    def test_a_store_of_another_run_leaves_no_listener_and_no_store(self) -> None:
        graph = Graph()
        with pytest.raises(IncompatibleRuntimeState):
            Runtime(graph, store=InMemoryEventStore("another run"))

        assert graph.store is None
        Runtime(graph, behaviors=[]).run_until_idle()

    @pytest.mark.parametrize("frame", ["a mission in words", object(), Frame("mission", id=7)])  # type: ignore[arg-type]
    def test_a_frame_that_cannot_carry_an_id_leaves_no_listener_and_no_store(self, frame: Any, tmp_path: Path) -> None:
        graph = Graph()
        with pytest.raises(InvalidArgumentType, match=f"`frame` of type {type(frame).__name__} cannot carry an id"):
            Runtime(graph, frame=frame, persist_to=tmp_path / "run.db")

        assert graph.store is None
        assert not (tmp_path / "run.db").exists()
        Runtime(graph, behaviors=[]).run_until_idle()

    @pytest.mark.parametrize("path", [7, b"run.db", ["run.db"]])
    def test_a_store_is_named_by_text(self, path: Any) -> None:
        with pytest.raises(InvalidArgumentType, match="`path` is a store URL or a path, not "):
            Runtime(Graph(), persist_to=path)
        with pytest.raises(InvalidArgumentType):
            Runtime(Graph()).save_state(path)
        with pytest.raises(InvalidArgumentType):
            Runtime.load(path)

    def test_a_durability_that_does_not_exist_is_refused(self) -> None:
        with pytest.raises(InvalidRuntimeConfiguration):
            new(durability="maybe")

    def test_nothing_is_emitted_by_it_and_further_attributes_are_the_users(self, tmp_path: Path) -> None:
        runtime: Any = new(persist_to=tmp_path / "run.db")
        runtime.mine = runtime.graph.mine = 1

        assert types_of(runtime) == []
        assert runtime.run_id == runtime.graph.run_id == RUN
        assert isinstance(runtime.metrics, NoOpMetrics)

    def test_a_frame_gets_an_id_and_stands_on_what_the_run_emits(self, tmp_path: Path) -> None:
        seen: list[Any] = []
        behaviors = [Behavior("w", lambda e, g, c: (seen.append(c.frame), g.add_object("x", {})), on=["goal.created"])]
        frame = Frame("mission")
        runtime = new(behaviors, frame=frame, persist_to=tmp_path / "run.db")
        runtime.run_goal("g")
        runtime.close()
        again = loaded(tmp_path / "run.db", behaviors, frame=Frame("mission"))

        assert frame.id == "frame_001"
        assert seen == [frame]
        assert {e.frame_id for e in runtime.graph.events} == {"frame_001"}
        made = runtime.graph.get_object("x#1")
        assert made is not None
        assert made.provenance["frame_id"] == "frame_001"
        assert again.frame.id == "frame_001"

    def test_a_second_runtime_with_another_frame_draws_the_next_id(self) -> None:
        first = new(frame=Frame("one"))
        second = Runtime(first.graph, [], Frame("two"))

        assert (first.frame.id, second.frame.id) == ("frame_001", "frame_002")

    @pytest.mark.parametrize("durability", ["effect", "every-step", "os"])
    def test_each_durability_asks_the_store_for_what_it_promises(self, durability: str) -> None:
        asked: list[bool | None] = []

        class Store(InMemoryEventStore):
            def append_many(self, events: Any, **options: Any) -> int:
                asked.append(options.get("sync"))
                return super().append_many(events, **options)

        runtime = new([recording("b", [], ["a"])], store=Store(RUN), durability=durability)
        emit(runtime, "a")
        runtime.run_until_idle()
        runtime.run_until_idle()

        step, host = {"effect": (None, True), "every-step": (True, True), "os": (False, False)}[durability]
        assert asked == [host, step, host, *([host] if host else [])]


class TestBehaviors:
    def test_the_registry_is_read_at_each_run(self) -> None:
        kept = clear_registry()
        try:
            seen: list[str] = []
            runtime = Runtime(Graph(clock=FrozenClock()))
            assert runtime.registry is None
            register(recording("one", seen, ["a"]))
            emit(runtime, "a")
            runtime.run_until_idle()
            register(recording("two", seen, ["a"]))
            emit(runtime, "a")
            runtime.run_until_idle()

            assert seen == ["one evt_001", "one evt_005", "two evt_005"]
            assert runtime.registry is not None
            assert [behavior.name for behavior in runtime.registry.all()] == ["one", "two"]
        finally:
            clear_registry()
            for behavior in kept:
                register(behavior)

    def test_an_explicit_list_is_copied_and_the_registry_ignored(self) -> None:
        behaviors = [recording("one", [], ["a"])]
        runtime = new(behaviors)
        given: Any = behaviors
        given.append(recording("two", [], ["a"]))
        runtime.run_until_idle()

        assert runtime.registry is not None
        assert [behavior.name for behavior in runtime.registry.all()] == ["one"]

    def test_one_is_found_by_its_name_before_and_after_a_run(self) -> None:
        first, second = recording("same", []), recording("same", [])
        runtime = new([first, second])

        assert runtime.get_behavior("same") is first
        with pytest.raises(BehaviorNotFoundError) as missing:
            runtime.get_behavior("other")
        assert missing.value.registered == ("same", "same")

    def test_one_object_given_twice_runs_twice(self) -> None:
        seen: list[str] = []
        behavior = recording("b", seen, ["a"])
        runtime = new([behavior, behavior])
        emit(runtime, "a")
        runtime.run_until_idle()

        assert seen == ["b evt_001", "b evt_001"]

    def test_a_subclass_may_override_what_is_called(self) -> None:
        seen: list[str] = []

        class Mine(Behavior):
            def run(self, event: Event, graph: Any, ctx: Any) -> None:
                seen.append(f"{self.name} {event.id}")

        runtime = new([Mine("mine", on=["a"])])
        emit(runtime, "a")
        runtime.run_until_idle()

        assert seen == ["mine evt_001"]


class TestLooking:
    def test_the_graph_is_printed_with_labels_and_states(self, capsys: pytest.CaptureFixture[str]) -> None:
        runtime = new()
        runtime.graph.add_object("task", {"title": "Research: x", "status": "open"})
        runtime.graph.add_object("claim", {"title": "", "text": "so it is", "status": ""})
        runtime.graph.add_object("claim", {})
        runtime.graph.add_relation("task#1", "claim#2", "depends_on")
        runtime.print_graph()

        assert capsys.readouterr().out == (
            "graph:\n"
            "  objects (3):\n"
            '    task#1 "Research: x" (open)\n'
            '    claim#2 "so it is"\n'
            "    claim#3\n"
            "  relations (1):\n"
            "    task#1 --depends_on--> claim#2\n"
        )

    def test_an_element_of_the_graph_is_one_line_whatever_its_label(self, capsys: pytest.CaptureFixture[str]) -> None:
        runtime = new()
        runtime.graph.add_object("task", {"title": "a\nb", "status": "x\r\ny"})
        runtime.print_graph()

        assert capsys.readouterr().out.splitlines()[2] == '    task#1 "a\\nb" (x\\ny)'

    def test_a_trace_is_exported_as_one_object_a_line(self, tmp_path: Path) -> None:
        runtime = new()
        emit(runtime, "a", {"text": "zwölf\nLinien", "n": 10**30})
        runtime.run_until_idle()
        runtime.export_trace(tmp_path / "trace.jsonl")

        lines = (tmp_path / "trace.jsonl").read_text(encoding="utf-8").splitlines()
        assert [json.loads(line)["id"] for line in lines] == ["evt_001", "evt_002"]
        assert list(json.loads(lines[0])) == ["id", "type", "payload", "actor", "frame_id", "caused_by", "timestamp"]
        assert "zwölf" in lines[0]

    def test_failures_are_read_from_the_log_replayed_ones_included(self, tmp_path: Path) -> None:
        runtime = new([Behavior("fail", lambda e, g, c: 1 / 0, ["a"])], persist_to=tmp_path / "run.db")
        emit(runtime, "a")
        runtime.run_until_idle()
        runtime.close()
        again = loaded(tmp_path / "run.db")

        assert again.errors == runtime.errors
        (failure,) = again.errors
        assert failure == ("fail", "evt_001", None, "ZeroDivisionError", "division by zero", "evt_003")


class TestLoad:
    def test_nothing_runs_and_nothing_is_written(self, tmp_path: Path) -> None:
        seen: list[str] = []
        behaviors = [recording("b", seen)]
        runtime = new(behaviors, persist_to=tmp_path / "run.db")
        emit(runtime, "a")
        runtime.close()

        again = loaded(tmp_path / "run.db", behaviors)

        assert seen == []
        assert [e.id for e in again.graph.events] == ["evt_001"]
        assert again.graph.replayed_ids == {"evt_001"}
        assert again.status().state == "stopped"
        assert again.graph.ids.event() == "evt_002"

    def test_a_missing_file_is_named_and_not_made(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError) as missing:
            Runtime.load(str(tmp_path / "none.db"))

        assert isinstance(missing.value, StoreNotFoundError)
        assert list(tmp_path.iterdir()) == []

    def test_an_unknown_run_is_named_and_not_made(self, tmp_path: Path) -> None:
        new(persist_to=tmp_path / "run.db").close()
        with pytest.raises(RunNotFoundError) as missing:
            Runtime.load(str(tmp_path / "run.db"), "other")

        assert RUN in str(missing.value)
        assert [r.run_id for r in list_runs(sqlite_url(tmp_path / "run.db"))] == [RUN]

    def test_what_is_wrong_with_a_log_is_said_with_the_stores_own_address(self, tmp_path: Path) -> None:
        path = tmp_path / "my run.db"
        runtime = new(persist_to=path)
        for name in ("a", "b", "c"):
            emit(runtime, name)
        with pytest.raises(EventNotFoundError) as unknown:
            runtime.fork("evt_009")
        runtime.close()
        with sqlite3.connect(path) as database:
            database.execute("DELETE FROM events WHERE position = 2")
        database.close()
        with pytest.raises(LogInconsistencyError) as hole:
            loaded(path)

        assert f"activegraph inspect {sqlite_url(path)} --run-id {RUN}" in unknown.value.how_to_fix
        assert f"activegraph verify {sqlite_url(path)} --run-id {RUN}" in hole.value.how_to_fix

    def test_a_run_that_is_named_by_no_text_is_unknown(self, tmp_path: Path) -> None:
        new(persist_to=tmp_path / "run.db").close()
        with pytest.raises(RunNotFoundError, match="no run 5 in "):
            loaded(tmp_path / "run.db", run_id=5)

    def test_a_run_with_a_record_and_no_events_loads_as_an_empty_one(self, tmp_path: Path) -> None:
        new(persist_to=tmp_path / "run.db").close()

        assert Runtime.load(str(tmp_path / "run.db")).status().state == "stopped"

    def test_the_run_that_was_appended_to_last_is_the_default(self, tmp_path: Path) -> None:
        for run_id in ("run_a", "run_b"):
            runtime = Runtime(Graph(run_id=run_id), [], persist_to=str(tmp_path / "run.db"))
            emit(runtime, "a")
            runtime.close()
        again = Runtime.load(str(tmp_path / "run.db"), "run_a", behaviors=[])
        emit(again, "a")
        again.close()

        assert Runtime.load(tmp_path / "run.db").run_id == "run_a"

    def test_arguments_that_make_no_sense_open_nothing(self, tmp_path: Path) -> None:
        new(persist_to=tmp_path / "run.db").close()
        for options in ({"durability": "maybe"}, {"budget": {"max_event": 1}}, {"behaviors": [5]}):
            with pytest.raises((InvalidRuntimeConfiguration, TypeError)):
                Runtime.load(str(tmp_path / "run.db"), **options)  # type: ignore[arg-type]

    def test_ids_of_every_kind_go_on_behind_the_highest(self, tmp_path: Path) -> None:
        ask = Behavior("ask", lambda e, g, c: c.propose_object("x", {}), ["a"])
        runtime = new([ask], persist_to=tmp_path / "run.db", frame=Frame("m"), budget={"max_behavior_calls": 1})
        graph = runtime.graph
        graph.add_object("x", {})
        graph.add_relation("x#1", "x#1", "self")
        graph.patch_object("x#1", {"n": 1})
        graph.remove_object("x#1")
        emit(runtime, "a")
        runtime.run_until_idle()
        runtime.close()

        ids = loaded(tmp_path / "run.db").graph.ids
        assert (ids.object("x"), ids.relation(), ids.patch(), ids.frame(), ids.stop(), ids.approval()) == (
            "x#2",
            "rel_002",
            "patch_002",
            "frame_002",
            "stop_002",
            "approval_002",
        )

    def test_a_rejection_of_a_patch_that_nobody_proposed_uses_up_its_id(self, tmp_path: Path) -> None:
        runtime = new(persist_to=tmp_path / "run.db")
        emit(runtime, "patch.rejected", {"patch_id": "patch_007", "reason": "of another graph"})
        runtime.close()

        assert loaded(tmp_path / "run.db").graph.ids.patch() == runtime.graph.ids.patch() == "patch_008"

    def test_an_id_of_a_stop_that_the_host_gave_to_another_event_is_used_up(self, tmp_path: Path) -> None:
        runtime = new(persist_to=tmp_path / "run.db")
        runtime.graph.emit(Event("stop_007", "a", {}))
        runtime.close()

        assert loaded(tmp_path / "run.db").graph.ids.stop() == runtime.graph.ids.stop() == "stop_008"

    @pytest.mark.parametrize(
        "id", ["zzz_999", "evt_99x", "evt_2000", "evt_0999", "evt_998", "evt_\u0663\u0663\u0663\u0663"]
    )
    def test_the_next_event_has_the_id_behind_the_highest_number_among_ids_of_any_shape(
        self, tmp_path: Path, id: str
    ) -> None:
        runtime = new(persist_to=tmp_path / "run.db")
        with runtime.graph.transaction():
            for number in range(1, 1200):
                emit(runtime, "a") if number != 700 else runtime.graph.emit(Event(id, "a", {}))
        expected = runtime.graph.ids.event()
        runtime.close()

        assert loaded(tmp_path / "run.db").graph.ids.event() == expected


class TestStopsAreNotRepeated:
    """A stop is written once for what it ends, by whatever runtime."""

    def stops(self, runtime: Runtime) -> list[str]:
        return [type for type in types_of(runtime) if type.startswith("runtime.")]

    def test_a_loaded_idle_run_is_idle_without_a_word(self, tmp_path: Path) -> None:
        new(persist_to=tmp_path / "run.db").run_until_idle()
        again = loaded(tmp_path / "run.db")
        again.run_until_idle()
        again.fork("evt_001").run_until_idle()

        assert self.stops(again) == ["runtime.idle"]
        assert again.status().state == "idle"

    def test_an_event_that_nobody_hears_ends_in_another_idle(self, tmp_path: Path) -> None:
        runtime = new(persist_to=tmp_path / "run.db")
        runtime.run_until_idle()
        emit(runtime, "a")
        runtime.close()
        again = loaded(tmp_path / "run.db")
        again.run_until_idle()

        assert self.stops(again) == ["runtime.idle", "runtime.idle"]

    def test_a_loaded_exhausted_run_says_so_again_only_of_another_limit(self, tmp_path: Path) -> None:
        runtime = new([recording("b", [], ["a"])], persist_to=tmp_path / "run.db", budget={"max_behavior_calls": 0})
        emit(runtime, "a")
        runtime.run_until_idle()
        runtime.run_until_idle()
        runtime.close()
        again = loaded(tmp_path / "run.db", [recording("b", [], ["a"])], budget={"max_behavior_calls": 0})
        again.run_until_idle()
        assert self.stops(again) == ["runtime.budget_exhausted"]
        again.budget = {"max_events": 0}
        again.run_until_idle()
        again.budget = {}
        again.run_until_idle()

        assert self.stops(again) == ["runtime.budget_exhausted", "runtime.budget_exhausted", "runtime.idle"]

    def test_a_predicate_that_stops_at_once_again_is_no_second_pause(self, tmp_path: Path) -> None:
        runtime = new(persist_to=tmp_path / "run.db")
        emit(runtime, "a")
        runtime.run_until(lambda graph: True)
        runtime.run_until(lambda graph: True)
        runtime.close()
        again = loaded(tmp_path / "run.db")
        again.run_until(lambda graph: True)

        assert self.stops(again) == ["runtime.paused"]

    def test_a_fork_before_the_end_ends_in_an_idle_of_its_own(self, tmp_path: Path) -> None:
        runtime = new([recording("b", [], ["a"])], persist_to=tmp_path / "run.db")
        emit(runtime, "a")
        runtime.run_until_idle()
        fork = runtime.fork("evt_003")
        fork.run_until_idle()
        fork.run_until_idle()

        assert self.stops(fork) == ["runtime.idle"]
