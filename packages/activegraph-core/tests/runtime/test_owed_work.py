"""What a log owes, also when the behaviors are no longer those that it was written by."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from activegraph.behaviors.base import Behavior, RelationBehavior
from activegraph.core.clock import FrozenClock
from activegraph.core.event import Event
from activegraph.core.graph import Graph
from activegraph.errors import IncompatibleRuntimeState, NonSerializableEventError, ReplayDivergenceError
from activegraph.operations.inspect import inspect_run
from activegraph.runtime.runtime import Runtime
from support.runtimes import RUN, emit, loaded, new, recording, types_of
from support.shared_memory import Disk, SimulatedCrash, new_disk


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.db"


def named(names: str, seen: list[str], **options: Any) -> list[Behavior]:
    return [recording(name, seen, ["go"], **options) for name in names]


def stopped(path: Path | None, behaviors: Any) -> Runtime:
    """A run that its budget stopped behind its first call."""
    options: dict[str, Any] = {} if path is None else {"persist_to": path}
    runtime = new(behaviors, budget={"max_behavior_calls": 1}, **options)
    emit(runtime, "go")
    runtime.run_until_idle()
    return runtime


def killed(behaviors: Any, commit: int, *, after: bool, atomic: bool = True) -> Disk:
    """The disk of a run that was killed at a commit; the first is that of its event."""
    disk = new_disk(atomic=atomic)
    runtime = new(behaviors, persist_to=disk.url)
    disk.crash_at(commit, after=after)
    with suppress(SimulatedCrash):
        emit(runtime, "go")
        runtime.run_until_idle()
    disk.crash_at(None)
    return disk


def resumed(disk: Disk, behaviors: Any) -> Runtime:
    return Runtime.load(disk.url, RUN, behaviors=behaviors, clock=FrozenClock())


class TestOtherBehaviors:
    """The run was left when `a`, of `a`, `b` and `c`, had had its turn."""

    @pytest.mark.parametrize(
        ("now", "calls"),
        [
            ("abc", "bc"),
            ("bc", "bc"),
            ("ab", "b"),
            ("ac", "c"),
            ("", ""),
            ("abcd", "bcd"),
            ("xabc", "bc"),
            ("bac", "bc"),
            ("cba", "b"),
            ("xyz", "xyz"),
        ],
    )
    def test_a_stop_names_the_next_turn_and_nothing_that_has_a_mark_is_done_again(
        self, path: Path, now: str, calls: str
    ) -> None:
        seen: list[str] = []
        stopped(path, named("abc", [])).close()

        loaded(path, named(now, seen)).run_until_idle()

        assert "".join(line[0] for line in seen) == calls

    @pytest.mark.parametrize(
        ("now", "calls"), [("abc", "bc"), ("bc", "bc"), ("axbc", "xbc"), ("xabc", "bc"), ("bca", ""), ("xyz", "xyz")]
    )
    def test_behind_a_crash_the_last_mark_is_the_point_in_the_order(self, now: str, calls: str) -> None:
        seen: list[str] = []
        disk = killed(named("abc", []), 2, after=True)

        resumed(disk, named(now, seen)).run_until_idle()

        assert "".join(line[0] for line in seen) == calls

    @pytest.mark.parametrize("now", ["abc", "bc", "ab", "ac", "", "abcd", "xabc", "bac", "cba", "xyz"])
    def test_another_list_in_the_same_process_is_like_one_behind_a_load(self, path: Path, now: str) -> None:
        live: list[str] = []
        Runtime(stopped(None, named("abc", [])).graph, named(now, live)).run_until_idle()
        behind: list[str] = []
        stopped(path, named("abc", [])).close()
        loaded(path, named(now, behind)).run_until_idle()

        assert live == behind

    def test_a_behavior_declared_later_does_not_see_events_that_are_done(self, path: Path) -> None:
        seen: list[str] = []
        runtime = new(named("a", []), persist_to=path)
        emit(runtime, "go")
        runtime.run_until_idle()
        runtime.close()

        again = loaded(path, named("ab", seen))
        emit(again, "go")
        again.run_until_idle()

        assert seen == ["a evt_005", "b evt_005"]

    def test_the_relations_that_are_left_go_with_their_behavior(self, path: Path) -> None:
        def run(behaviors: Any, found: list[str]) -> None:
            where = path.with_name(f"{len(behaviors)}.db")
            runtime = new([RelationBehavior("r", visit([]), "knows", ["go"])], persist_to=where)
            for other in "xyz":
                runtime.graph.add_relation("hub", other, "knows")
            emit(runtime, "go", {"id": "hub"})
            runtime.budget = {"max_behavior_calls": 1}
            runtime.run_until_idle()
            runtime.close()
            loaded(where, behaviors).run_until_idle()

        def visit(found: list[str]) -> Any:
            return lambda relation, event, graph, ctx: found.append(relation.target)

        kept: list[str] = []
        run([RelationBehavior("r", visit(kept), "knows", ["go"])], kept)
        gone: list[str] = []
        run([recording("other", gone, ["go"]), recording("more", gone, ["go"])], gone)

        assert kept == ["y", "z"]
        assert gone == ["other evt_004", "more evt_004"]

    def test_a_delayed_entry_of_a_behavior_that_is_gone_is_dropped_and_the_others_fire(self, path: Path) -> None:
        seen: list[str] = []
        runtime = new(named("ab", [], activate_after=1), persist_to=path)
        emit(runtime, "go")
        runtime.run_until_idle()
        runtime.close()

        again = loaded(path, [*named("b", seen, activate_after=5), recording("x", seen, ["tick"])])
        emit(again, "tick")
        again.run_until_idle()

        assert seen == ["x evt_005", "b evt_001"]


class TestHostsOwnEvents:
    TYPES = (
        "behavior.started",
        "relation_behavior.started",
        "behavior.completed",
        "behavior.failed",
        "behavior.scheduled",
        "pattern.matched",
        "runtime.idle",
        "runtime.paused",
        "runtime.budget_exhausted",
        "approval.proposed",
        "approval.granted",
        "approval.denied",
        "llm.requested",
        "tool.responded",
        "tool.in_doubt",
    )
    PAYLOADS: tuple[dict[str, Any], ...] = (
        {},
        {"behavior": "a", "event_id": "evt_001", "fire_at_tick": 1, "relation_id": "rel_001"},
        {"behavior": 7, "event_id": ["evt_001"], "next": 5, "exhausted_by": {}, "approval_id": [1], "data": {}},
    )

    @pytest.mark.parametrize("actor", ["system", "runtime", None])
    @pytest.mark.parametrize("type", TYPES)
    def test_what_a_host_emits_under_a_type_of_the_runtime_decides_nothing(
        self, path: Path, type: str, actor: str | None
    ) -> None:
        seen: list[str] = []
        runtime = new(named("a", seen), persist_to=path)
        emit(runtime, "go")
        for payload in self.PAYLOADS:
            emit(runtime, type, payload, actor=actor)
        live = runtime.status()
        runtime.close()

        again = loaded(path, named("a", seen))

        assert (again.status().queue_depth, again.pending_approvals()) == (1, runtime.pending_approvals())
        assert live.queue_depth == inspect_run(f"sqlite:///{path}", RUN).queue_depth == 1
        again.run_until_idle()
        assert seen == ["a evt_001"]
        assert isinstance(again.errors, list)

    def test_it_reaches_those_who_name_its_type_live_and_after_a_load(self, path: Path) -> None:
        seen: list[str] = []
        behaviors = [recording("f", seen, ["behavior.failed"]), recording("about", seen, ["behavior.failed"])]
        runtime = new(behaviors, persist_to=path)
        emit(runtime, "behavior.failed", {"behavior": "about"}, actor="runtime")
        runtime.close()

        loaded(path, behaviors).run_until_idle()

        assert seen == ["f evt_001"]


class TestCutOff:
    """A store without batches leaves part of an invocation behind."""

    def work(self, event: Event, graph: Any, ctx: Any) -> None:
        graph.add_object("x", {"n": 1})
        graph.add_object("x", {"n": 2})

    def cut(self, behaviors: Any, commit: int = 4) -> Disk:
        return killed(behaviors, commit, after=False, atomic=False)

    def test_it_is_finished_before_a_goal_and_uses_no_call_again(self) -> None:
        behaviors = [Behavior("w", self.work, ["go"])]
        runtime = resumed(self.cut(behaviors), behaviors)
        runtime.budget = {"max_behavior_calls": 1}

        runtime.run_goal("next")

        assert types_of(runtime)[:6] == [
            "go",
            "behavior.started",
            "object.created",
            "object.created",
            "behavior.completed",
            "goal.created",
        ]
        assert runtime.budget.used["max_behavior_calls"] == 0.0

    def test_host_changes_wait_for_it_and_forks_do_not(self) -> None:
        behaviors = [Behavior("w", self.work, ["go"])]
        runtime = resumed(self.cut(behaviors), behaviors)

        for change in (
            lambda: runtime.graph.add_object("y", {}),
            lambda: runtime.graph.transaction().__enter__(),
            lambda: runtime.approve("approval_001"),
        ):
            with pytest.raises(IncompatibleRuntimeState) as refusal:
                change()
            assert refusal.value.context["behavior"] == "w"
        assert types_of(runtime.fork("evt_001")) == ["go"]
        runtime.run_until_idle()
        runtime.graph.add_object("y", {})

    def test_a_difference_names_the_event_and_the_way_on(self, caplog: pytest.LogCaptureFixture) -> None:
        def other(event: Event, graph: Any, ctx: Any) -> None:
            graph.add_object("x", {"n": 7})

        disk = self.cut([Behavior("w", self.work, ["go"])])
        runtime = resumed(disk, [Behavior("w", other, ["go"])])
        with pytest.raises(ReplayDivergenceError) as difference:
            runtime.run_until_idle()

        assert difference.value.event_id == "evt_003"
        assert "Correct the code" in str(difference.value)
        assert "runtime.fork('evt_001')" in str(difference.value)
        assert runtime.status().state == "stopped"
        assert len(disk.events(RUN)) == 3
        (line,) = [record for record in caplog.records if record.levelno == logging.CRITICAL]
        assert line.getMessage() == "replay divergence: payload_mismatch"
        assert (line.event_id, line.reason) == ("evt_003", "payload_mismatch")  # type: ignore[attr-defined]
        fork = runtime.fork("evt_001")
        fork.run_until_idle()
        assert [o.data for o in fork.graph.all_objects()] == [{"n": 7}]

    def test_a_difference_that_the_behavior_swallows_is_one_all_the_same(self) -> None:
        def swallow(event: Event, graph: Any, ctx: Any) -> None:
            with suppress(Exception):
                graph.add_object("other", {})
            graph.add_object("x", {"n": 1})

        runtime = resumed(self.cut([Behavior("w", self.work, ["go"])]), [Behavior("w", swallow, ["go"])])

        with pytest.raises(ReplayDivergenceError):
            runtime.run_until_idle()

    def test_less_than_was_recorded_is_a_difference_too(self) -> None:
        runtime = resumed(self.cut([Behavior("w", self.work, ["go"])]), named("w", []))

        with pytest.raises(ReplayDivergenceError) as difference:
            runtime.run_until_idle()
        assert difference.value.event_id == "evt_003"

    @pytest.mark.parametrize(
        "behaviors",
        [
            [],
            [Behavior("renamed", lambda e, g, c: None)],
            [RelationBehavior("w", lambda r, e, g, c: None, "r", ["go"])],
        ],
    )
    def test_its_behavior_has_to_be_there_as_it_was(self, behaviors: Any) -> None:
        whole = [Behavior("w", self.work, ["go"])]
        disk = self.cut(whole)
        runtime = resumed(disk, behaviors)

        with pytest.raises(IncompatibleRuntimeState) as refusal:
            runtime.run_until_idle()

        assert refusal.value.context["behavior"] == "w"
        assert len(disk.events(RUN)) == 3
        resumed(disk, whole).run_until_idle()
        assert len(disk.events(RUN)) == 6

    def test_it_is_finished_whatever_its_behavior_listens_to_by_now(self) -> None:
        def mourn(on: list[str]) -> list[Behavior]:
            fail = Behavior("fail", lambda e, g, c: 1 / 0, ["go"])
            return [fail, Behavior("mourn", self.work, on)]

        disk = self.cut(mourn(["behavior.failed"]), commit=6)
        assert [e.type for e in disk.events(RUN)][-2:] == ["behavior.started", "object.created"]

        runtime = resumed(disk, mourn(["other"]))
        runtime.run_until_idle()

        assert [o.data for o in runtime.graph.all_objects()] == [{"n": 1}, {"n": 2}]

    def test_an_invocation_without_an_outcome_that_is_not_the_last_counts_as_done(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        seen: list[str] = []
        runtime = new(named("ab", []))
        emit(runtime, "go")
        runtime.run_until_idle()
        log = [event for event in runtime.graph.events if event.id != "evt_003"]
        disk = new_disk()
        disk.open(RUN).append_many([event for event in log if not event.type.startswith("runtime.")])

        again = resumed(disk, named("ab", seen))
        again.run_until_idle()

        assert seen == []
        assert any("no outcome" in record.getMessage() for record in caplog.records)


def test_a_run_without_marks_owes_everything_behind_its_set_up(path: Path) -> None:
    seen: list[str] = []
    graph = Graph(run_id=RUN)
    graph.emit(Event("evt_001", "go", {}))
    runtime = new([], graph, persist_to=path)
    emit(runtime, "go")
    runtime.close()

    loaded(path, named("a", seen)).run_until_idle()

    assert seen == ["a evt_002"]


def test_a_load_counts_internal_events_that_are_subscribed_to_as_owed(path: Path) -> None:
    failing = [Behavior("fail", lambda e, g, c: 1 / 0, ["go"]), *named("x", [])]
    runtime = new(failing, persist_to=path, budget={"max_behavior_calls": 1})
    emit(runtime, "go")
    runtime.run_until_idle()
    runtime.close()

    assert loaded(path, failing).status().queue_depth == 1
    assert loaded(path, [*failing, recording("m", [], ["behavior.failed"])]).status().queue_depth == 2


@pytest.mark.parametrize("id", ["X'FF78'", "'a' || CHAR(0)"])
def test_an_owed_event_whose_id_nothing_can_name_stays_owed(path: Path, id: str) -> None:
    runtime = new([], persist_to=path)
    emit(runtime, "go")
    runtime.close()
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"UPDATE events SET id = {id}")
        database.commit()

    seen: list[str] = []
    runtime = loaded(path, named("a", seen))
    for _ in range(2):
        with pytest.raises(NonSerializableEventError) as refusal:
            runtime.run_until_idle()
        assert refusal.value.context["path"] == "id"
        assert (seen, types_of(runtime)) == ([], ["go"])
    assert runtime.status().queue_depth == 1
