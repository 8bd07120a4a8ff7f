"""`status()`: one instant between two commits, for any thread, at any time."""

from __future__ import annotations

import dataclasses
import json
import pickle
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from activegraph.behaviors.base import Behavior, RelationBehavior
from activegraph.behaviors.registry import clear_registry, register
from activegraph.core.event import Event
from activegraph.core.graph import Graph
from activegraph.errors import InvalidRuntimeConfiguration
from activegraph.frame import Frame
from activegraph.runtime.budget import DIMENSIONS, Budget
from activegraph.runtime.runtime import Runtime
from activegraph.runtime.status import BehaviorInfo, FrameSnapshot, RuntimeStatus, status_to_dict
from support.runtimes import RUN, emit, loaded, new, recording


class TestStates:
    def test_a_new_run_is_stopped_and_one_with_nothing_left_idle(self) -> None:
        runtime = new([])
        assert runtime.status().state == "stopped"
        runtime.run_until_idle()
        assert runtime.status().state == "idle"

    def test_a_change_from_outside_makes_an_idle_run_a_stopped_one_at_once(self) -> None:
        runtime = new([])
        runtime.run_until_idle()
        emit(runtime, "a")

        status = runtime.status()
        assert (status.state, status.queue_depth, status.events_processed) == ("stopped", 1, 2)

    def test_a_decision_that_nobody_listens_to_leaves_it_idle(self, tmp_path: Path) -> None:
        ask = Behavior("ask", lambda e, g, c: c.propose_object("x", {}), ["a"])
        for listens in (False, True):
            path = tmp_path / f"{listens}.db"
            behaviors = [ask, *([recording("m", [], ["approval.denied"])] if listens else [])]
            runtime = new(behaviors, persist_to=path)
            emit(runtime, "a")
            runtime.run_until_idle()
            runtime.deny("approval_001")
            runtime.close()

            expected = ("stopped", 1) if listens else ("idle", 0)
            assert (runtime.status().state, runtime.status().queue_depth) == expected
            assert (loaded(path, behaviors).status().state, loaded(path, behaviors).status().queue_depth) == expected

    def test_an_exhausted_run_says_by_what_live_loaded_and_closed(self, tmp_path: Path) -> None:
        runtime = new([recording("b", [], ["a"])], persist_to=tmp_path / "run.db", budget={"max_events": 1})
        emit(runtime, "a")
        emit(runtime, "a")
        runtime.run_until_idle()
        runtime.close()

        for each in (runtime, loaded(tmp_path / "run.db")):
            status = each.status()
            assert (status.state, status.queue_depth, status.budget.exhausted_by) == ("exhausted", 1, "max_events")

    def test_it_is_running_from_within_and_shows_the_state_of_the_last_commit(self) -> None:
        seen: list[RuntimeStatus] = []

        def work(event: Event, graph: Any, ctx: Any) -> None:
            graph.add_object("x", {})
            seen.append(runtime.status())

        runtime = new([Behavior("w", work, ["a"])])
        emit(runtime, "a")
        runtime.run_until_idle()

        (status,) = seen
        assert (status.state, status.events_processed, [e.type for e in status.recent_events]) == ("running", 1, ["a"])

    def test_a_failed_run_shows_what_the_log_holds(self) -> None:
        def interrupt(event: Event, graph: Any, ctx: Any) -> None:
            graph.add_object("x", {})
            raise KeyboardInterrupt

        runtime = new([Behavior("i", interrupt, ["a"])])
        emit(runtime, "a")
        with pytest.raises(KeyboardInterrupt):
            runtime.run_until_idle()

        status = runtime.status()
        assert (status.state, status.queue_depth, status.events_processed) == ("stopped", 1, 1)


class TestFields:
    def test_behaviors_are_those_of_now_until_a_run_has_taken_them(self) -> None:
        kept = clear_registry()
        try:
            runtime = Runtime(Graph())
            register(Behavior("one", lambda e, g, c: None, ["b", "a"], activate_after=2, pattern="(a:t)"))
            register(RelationBehavior("two", lambda r, e, g, c: None, "knows"))
            assert runtime.status().registered_behaviors == [
                BehaviorInfo("one", "function", ("b", "a"), "(a:t)", 2),
                BehaviorInfo("two", "relation", ()),
            ]
            runtime.run_until_idle()
            register(Behavior("three", lambda e, g, c: None))
            assert [info.name for info in runtime.status().registered_behaviors] == ["one", "two"]
            runtime.run_until_idle()
            assert [info.name for info in runtime.status().registered_behaviors] == ["one", "two", "three"]
        finally:
            clear_registry()
            for behavior in kept:
                register(behavior)

    def test_a_frame_shows_its_id_and_the_name_that_somebody_gave_it(self) -> None:
        frame = Frame("mission")
        runtime = new([], frame=frame)
        named: Any = frame
        named.name = "tenant a"

        shown = runtime.status().frame
        assert shown is not None
        assert (shown.id, shown.name) == ("frame_001", "tenant a")
        assert new([]).status().frame is None

    @pytest.mark.parametrize(("recent", "shown"), [(0, 0), (1, 1), (2, 2), (5, 5), (99, 5), (2**70, 5)])
    def test_recent_events_are_the_last_so_many(self, recent: int, shown: int) -> None:
        runtime = new([])
        for _ in range(5):
            emit(runtime, "a")

        found = [event.id for event in runtime.status(recent).recent_events]
        assert found == [f"evt_{n:03d}" for n in range(6 - shown, 6)]

    @pytest.mark.parametrize("recent", [-1, True, 1.0, None, "20"])
    def test_anything_but_a_whole_number_from_zero_is_refused(self, recent: Any) -> None:
        with pytest.raises(InvalidRuntimeConfiguration):
            new([]).status(recent)

    def test_it_can_be_compared_sent_and_not_changed(self) -> None:
        runtime = new([recording("b", [], ["a"])], frame=Frame("mission"), budget={"max_cost_usd": "1.50"})
        emit(runtime, "a")
        runtime.run_until_idle()
        status = runtime.status()

        assert status == runtime.status() == pickle.loads(pickle.dumps(status))
        assert dataclasses.asdict(status)["budget"]["limits"]["max_cost_usd"] == 1.5
        with pytest.raises(dataclasses.FrozenInstanceError):
            status.state = "idle"  # type: ignore[misc]
        with pytest.raises(TypeError):
            status.budget.used["max_events"] = 7.0  # type: ignore[index]
        status.recent_events.clear()
        assert runtime.status().recent_events != []

    def test_a_budget_that_replaces_another_is_shown_at_once(self) -> None:
        runtime = new([recording("b", [], ["a"])], budget={"max_events": 5})
        emit(runtime, "a")
        runtime.run_until_idle()
        assert runtime.status().budget.used["max_events"] == 1.0
        runtime.budget = Budget({"max_events": 7})
        runtime.budget.add_cost("0.25")

        shown = runtime.status().budget
        assert (shown.used["max_events"], shown.limits["max_events"]) == (0.0, 7.0)

    def test_a_frame_of_any_class_keeps_nobody_from_looking(self) -> None:
        class Odd:
            id = 7

            @property
            def name(self) -> str:
                raise RuntimeError("no name")

        frame: Any = Frame("mission")
        runtime = new([], frame=frame)
        runtime._engine.frame = Odd()

        assert runtime.status().frame == FrameSnapshot(None, None)

    def test_as_a_dict_it_is_json_with_the_names_in_order(self) -> None:
        runtime = new([recording("b", [], ["a"])])
        runtime.run_goal("g")
        plain = json.loads(json.dumps(runtime.status().to_dict()))

        assert list(plain) == [field.name for field in dataclasses.fields(RuntimeStatus)]
        assert plain == json.loads(json.dumps(status_to_dict(runtime.status())))
        assert list(plain["budget"]["used"]) == list(plain["budget"]["limits"]) == list(DIMENSIONS)
        assert plain["budget"]["used"]["max_events"] == 1.0
        assert plain["registered_behaviors"][0]["subscribed_to"] == ["a"]


def test_it_is_never_torn_however_many_threads_look(tmp_path: Path) -> None:
    def chain(event: Event, graph: Any, ctx: Any) -> None:
        if (n := event.payload["n"]) > 0:
            graph.emit("a", {"n": n - 1})

    runtime = new([Behavior("chain", chain, ["a"])], persist_to=tmp_path / "run.db")
    runtime.graph.emit(Event("evt_001", "a", {"n": 700}))
    torn: list[object] = []
    stop = threading.Event()

    def watch(recent: int) -> None:
        while not stop.is_set():
            try:
                status = runtime.status(recent)
                ids = [int(event.id[4:]) for event in status.recent_events if event.id.startswith("evt_")]
                head = status.events_processed
                whole = ids == list(range(head - len(ids) + 1, head + 1)) and len(ids) == min(recent, head)
                types = [event.type for event in status.recent_events]
                # A step's start never stands last; the event being dispatched waits, and the one it has led to.
                if not whole or types[-1:] == ["behavior.started"] or status.queue_depth > 2:
                    torn.append(status)
            except Exception as error:
                torn.append(error)

    threads = [threading.Thread(target=watch, args=(recent,)) for recent in (0, 1, 20, 1000, 1200, 5000, 20, 1500)]
    for thread in threads:
        thread.start()
    runtime.run_until_idle()
    stop.set()
    for thread in threads:
        thread.join()

    assert torn == []
    assert runtime.status(0).events_processed == 1 + 701 * 3 - 1 + 1
    assert runtime.run_id == RUN


def test_the_newest_thousand_events_are_shown_without_a_look_into_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = new([recording("b", [], ["a"])], persist_to=tmp_path / "run.db")
    with runtime.graph.transaction():
        for _ in range(1100):
            emit(runtime, "a")
    store = runtime.graph._log.store
    asked: list[str] = []

    def told_of(method: str) -> Callable[..., Any]:
        read = getattr(store, method)
        return lambda *args: asked.append(method) or read(*args)

    for method in ("iter_range", "iter_events", "tail", "get_event", "iter_raw"):
        monkeypatch.setattr(store, method, told_of(method))

    assert len(runtime.status(1000).recent_events) == 1000
    assert asked == []
    assert len(runtime.status(1001).recent_events) == 1001
    assert asked == ["iter_range"]
