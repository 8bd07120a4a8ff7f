"""What strict replay finds, and how it tells of it: event, behavior, recorded and actual value, likely cause."""

from __future__ import annotations

import itertools
import logging
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from activegraph.behaviors.base import Behavior, RelationBehavior
from activegraph.core.event import Event
from activegraph.errors import ReplayDivergenceError
from activegraph.metrics import NoOpMetrics
from activegraph.runtime.runtime import Runtime
from support.runtimes import RUN, emit, loaded, new

Body = Callable[[Event, Any, Any], Any]


def behavior(body: Body, name: str = "plan", on: str = "goal.created", **options: Any) -> Behavior:
    return Behavior(name, body, [on], **options)


def adds(type: str, **data: Any) -> Body:
    return lambda event, graph, ctx: graph.add_object(type, data)


def emits(type: str, **payload: Any) -> Body:
    return lambda event, graph, ctx: graph.emit(type, payload)


def both(*bodies: Body) -> Body:
    def run(event: Event, graph: Any, ctx: Any) -> None:
        for body in bodies:
            body(event, graph, ctx)

    return run


def nothing(event: Event, graph: Any, ctx: Any) -> None: ...


def record(path: Path, *behaviors: Any, goals: tuple[str, ...] = ("why",), **options: Any) -> list[Event]:
    with new(behaviors, persist_to=path, **options) as runtime:
        for goal in goals:
            runtime.run_goal(goal)
        return list(runtime.graph.events)


def replay(path: Path, *behaviors: Any, **options: Any) -> Runtime:
    return loaded(path, behaviors, replay_strict=True, **options)


def divergence(path: Path, *behaviors: Any, **options: Any) -> ReplayDivergenceError:
    with pytest.raises(ReplayDivergenceError) as raised:
        replay(path, *behaviors, **options)
    return raised.value


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.db"


class TestPassing:
    def test_a_run_that_does_the_same_again_is_loaded_as_ever(self, path: Path) -> None:
        recorded = record(path, behavior(adds("task", n=1)))

        runtime = replay(path, behavior(adds("task", n=1)))

        assert runtime.replay_strict is True
        assert list(runtime.graph.events) == recorded
        assert runtime.graph.replayed_ids == {event.id for event in recorded}
        assert runtime.status().state == "idle"
        runtime.run_goal("more")
        assert len(runtime.graph.objects("task")) == 2

    def test_a_plain_load_looks_at_nothing(self, path: Path) -> None:
        record(path, behavior(adds("task", n=1)))

        assert loaded(path, [behavior(adds("task", n=2))]).replay_strict is False

    def test_by_itself_the_argument_is_an_attribute(self) -> None:
        assert new(replay_strict=True).replay_strict is True

    def test_nothing_is_written_said_or_measured(self, path: Path, caplog: pytest.LogCaptureFixture) -> None:
        def fails(event: Event, graph: Any, ctx: Any) -> None:
            graph.add_object("task", {"provenance": 1})
            raise ValueError("no")

        record(path, behavior(fails))
        seen: list[str] = []
        before = path.read_bytes()

        class Noting(NoOpMetrics):
            def counter(self, name: str, tags: dict[str, str], value: float = 1.0) -> None:
                seen.append(name)

        caplog.clear()
        with caplog.at_level(logging.DEBUG, "activegraph"):
            replay(path, behavior(fails), metrics=Noting())

        assert path.read_bytes() == before
        assert seen == []
        assert [record.getMessage() for record in caplog.records] == ["run loaded: 5 events, 0 owed"]

    def test_what_an_invocation_may_draw_on_is_there_again(self, path: Path) -> None:
        def draws(event: Event, graph: Any, ctx: Any) -> None:
            data = {"dice": ctx.random.random(), "at": event.timestamp, "now": ctx.clock.now(), "seen": event.id}
            graph.add_object("draw", data)

        from activegraph import Clock, Graph

        runtime = Runtime(Graph(clock=Clock(), run_id=RUN), [behavior(draws)], seed=3, persist_to=str(path))
        runtime.run_goal("why")

        assert Runtime.load(str(path), behaviors=[behavior(draws)], seed=3, replay_strict=True).run_id == RUN

    @pytest.mark.parametrize("column", ["actor", "caused_by", "frame_id", "timestamp"])
    def test_a_header_of_the_hosts_that_no_event_could_carry_is_an_input_like_any(
        self, path: Path, column: str
    ) -> None:
        with new([behavior(adds("task"))], persist_to=path) as runtime:
            runtime.run_goal("why")
            runtime.graph.add_object("note", {})
        with closing(sqlite3.connect(path)) as database:
            database.execute(
                f"UPDATE events SET {column} = 'a' || CHAR(0) WHERE type LIKE '%.created' AND actor = 'user'"
            )
            database.commit()
            assert database.total_changes > 0

        assert getattr(replay(path, behavior(adds("task"))).graph.events[0], column) == "a\0"

    def test_behaviors_that_do_nothing_may_come_and_go(self, path: Path) -> None:
        tells = behavior(lambda event, graph, ctx: graph.emit("told", {"about": event.id}), "tell", "object.created")
        record(path, behavior(nothing, "silent"), behavior(adds("task")), tells)

        replay(path, behavior(adds("task")), tells)
        replay(path, behavior(nothing, "new"), behavior(nothing, "newer", "*"), behavior(adds("task")), tells)

    def test_the_set_up_the_host_and_its_own_ids_are_fed_as_recorded(self, path: Path) -> None:
        sees = behavior(lambda event, graph, ctx: graph.emit("seen", {"n": len(ctx.view.objects())}), on="asked")
        from activegraph import FrozenClock, Graph

        graph = Graph(clock=FrozenClock(), run_id=RUN)
        graph.add_object("host", {"name": "db1"})
        with new([sees], graph, persist_to=path) as runtime:
            runtime.graph.emit(Event("my-own-id", "asked", {}, actor="anna"))
            runtime.run_until_idle()
            with runtime.graph.transaction():
                runtime.graph.add_object("host", {"name": "db2"})
                emit(runtime, "asked", {"x": 1}, caused_by="my-own-id")
            runtime.run_until_idle()

        replay(path, sees)

    def test_a_listener_that_answers_in_the_middle_of_a_run_is_part_of_the_record(self, path: Path) -> None:
        sees = behavior(lambda event, graph, ctx: graph.emit("seen", {"n": len(ctx.view.objects())}), "count", "*")
        runtime = new([behavior(adds("task"), on="go"), sees], persist_to=path)

        def answers(event: Event) -> None:
            if event.type == "object.created" and event.actor == "plan":
                runtime.graph.add_object("note", {"about": event.payload["id"]})
            elif event.type == "seen" and event.payload["n"] == 2:
                emit(runtime, "go")

        runtime.graph.add_listener(answers)
        runtime.budget = {"max_events": 12}
        emit(runtime, "go")
        runtime.run_until_idle()
        assert len(runtime.graph.events) > 20
        runtime.close()

        replay(path, behavior(adds("task"), on="go"), sees)


class TestKinds:
    def test_another_payload(self, path: Path) -> None:
        recorded = record(path, behavior(adds("task", n=1, kept=True)))
        error = divergence(path, behavior(adds("task", n=2, kept=True)))

        assert (error.event_id, error.kind) == (recorded[2].id, "payload_mismatch")
        assert (
            error.expected == 'payload={"object":{"id":"task#1","type":"task","data":{"n":1,"kept":true},"version":1}}'
        )
        assert error.actual == 'payload={"object":{"id":"task#1","type":"task","data":{"n":2,"kept":true},"version":1}}'
        assert str(error).startswith(
            f"ReplayDivergenceError: replay diverged at {recorded[2].id}: event payload mismatch\n"
        )
        assert error.context["diff"] == ["object.data.n:", "  - 1", "  + 2"]
        assert error.context["behavior"] == "plan"
        assert error.context["position"] == 3

    def test_another_type(self, path: Path) -> None:
        recorded = record(path, behavior(both(adds("task"), emits("told"))))
        error = divergence(path, behavior(both(adds("task"), emits("said"))))

        assert (error.event_id, error.kind) == (recorded[3].id, "type_mismatch")
        assert (error.expected, error.actual) == ("told", "said")
        assert f"replay diverged at {recorded[3].id}: event type mismatch" in str(error)

    def test_less(self, path: Path) -> None:
        recorded = record(path, behavior(both(adds("task"), emits("told"))))
        error = divergence(path, behavior(adds("task")))

        assert (error.event_id, error.kind, error.expected, error.actual) == (
            recorded[3].id,
            "length_mismatch",
            "told",
            None,
        )
        assert f"replay diverged at {recorded[3].id}: live re-run finished early" in str(error)
        assert error.context["behavior"] == "plan"

    def test_more(self, path: Path) -> None:
        recorded = record(path, behavior(adds("task")))
        error = divergence(path, behavior(both(adds("task"), emits("told"))))

        assert (error.event_id, error.kind) == (recorded[2].id, "length_mismatch")
        assert (error.expected, error.actual) == ("<no recorded event>", "told")
        assert f"replay diverged at {recorded[2].id}: live re-run produced an unrecorded event" in str(error)

    def test_more_where_nothing_was_done_at_all(self, path: Path) -> None:
        recorded = record(path)

        assert divergence(path, behavior(adds("task"))).event_id == recorded[0].id

    def test_more_before_the_host_came_in_again_is_pinned_there(self, path: Path) -> None:
        recorded = record(path, behavior(adds("task")), goals=("one", "two"))
        first = next(event for event in recorded if event.type == "object.created")

        def more_at_first(event: Event, graph: Any, ctx: Any) -> None:
            graph.add_object("task", {})
            if event.payload["goal"] == "one":
                graph.emit("goal.created", {"goal": "two"})

        error = divergence(path, behavior(more_at_first))
        assert (error.event_id, error.expected, error.actual) == (first.id, "<no recorded event>", "goal.created")

    def test_less_before_the_host_came_in_again_is_pinned_there(self, path: Path) -> None:
        recorded = record(path, behavior(adds("task")), goals=("one", "two"))
        first = next(event for event in recorded if event.type == "object.created")

        error = divergence(path, behavior(nothing))
        assert (error.event_id, error.expected, error.actual) == (first.id, "object.created", None)

    def test_what_a_run_that_did_not_end_idle_would_do_further_is_no_difference(self, path: Path) -> None:
        with new([behavior(adds("task"))], persist_to=path, budget={"max_behavior_calls": 1}) as runtime:
            runtime.run_goal("one")

        replay(path, behavior(both(adds("task"), adds("more"))))
        assert divergence(path, behavior(adds("more"))).kind == "payload_mismatch"

    def test_a_difference_of_a_relation_behavior_names_it(self, path: Path) -> None:
        def relates(event: Event, graph: Any, ctx: Any) -> None:
            one, two = (graph.add_object("task", {"n": n}) for n in (1, 2))
            graph.add_relation(one.id, two.id, "needs")

        def watcher(word: str) -> RelationBehavior:
            return RelationBehavior(
                "watch", lambda r, event, graph, ctx: graph.emit("met", {"word": word}), "needs", ["relation.created"]
            )

        record(path, behavior(relates), watcher("a"))
        error = divergence(path, behavior(relates), watcher("b"))
        assert error.context["behavior"] == "watch"
        assert error.context["diff"] == ["word:", '  - "a"', '  + "b"']

    def test_data_counts_whatever_its_keys_are_called(self, path: Path) -> None:
        record(path, behavior(adds("task", timestamp="then", run_id="a", provenance_of="x")))

        error = divergence(path, behavior(adds("task", timestamp="now", run_id="b", provenance_of="x")))
        assert error.context["diff"][0] == "object.data.timestamp:"

    @pytest.mark.parametrize("keeping", [Exception, BaseException])
    def test_no_behavior_keeps_a_difference_to_itself(self, path: Path, keeping: type[BaseException]) -> None:
        def body(word: str) -> Body:
            def run(event: Event, graph: Any, ctx: Any) -> None:
                for _ in range(2):
                    try:
                        graph.emit("told", {"word": word})
                    except keeping:
                        graph = graph

            return run

        recorded = record(path, behavior(body("a")))
        assert divergence(path, behavior(body("b"))).event_id == recorded[2].id


class TestCauses:
    def test_changed_code(self, path: Path) -> None:
        record(path, behavior(adds("task", n=1)))

        assert divergence(path, behavior(adds("task", n=2))).context["cause"].startswith("changed code")

    def test_a_behavior_that_is_not_there_any_more_is_named(self, path: Path) -> None:
        record(path, behavior(adds("task")), behavior(adds("note"), "noter"))

        error = divergence(path, behavior(adds("task")))
        assert "work of 'noter', which is not registered" in error.context["cause"]

    @pytest.mark.parametrize("read", [time.time, lambda: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())])
    def test_a_clock(self, path: Path, read: Callable[[], Any]) -> None:
        moments = itertools.count()

        def reads(event: Event, graph: Any, ctx: Any) -> None:
            value = read()
            # A later moment, whatever the resolution of this clock.
            later = value + next(moments) if isinstance(value, float) else f"{value[:-2]}{next(moments)}Z"
            graph.add_object("task", {"at": later})

        record(path, behavior(reads))
        assert divergence(path, behavior(reads)).context["cause"].startswith("clock")

    def test_random_numbers_of_its_own(self, path: Path) -> None:
        drawn = itertools.count()
        draws = behavior(lambda event, graph, ctx: graph.add_object("task", {"n": next(drawn)}))

        record(path, draws)
        assert divergence(path, draws).context["cause"].startswith("random")

    def test_the_cause_stands_in_the_text(self, path: Path) -> None:
        record(path, behavior(adds("task", n=1)))

        assert "Likely cause: changed code" in str(divergence(path, behavior(adds("task", n=2))))


class TestTelling:
    def test_the_way_on_is_written_out_for_this_store_and_run(self, path: Path) -> None:
        recorded = record(path, behavior(nothing, "first"), behavior(adds("task", n=1)))
        error = divergence(path, behavior(nothing, "first"), behavior(adds("task", n=2)))

        began_after = next(e for e in recorded if e.type == "behavior.completed" and e.payload["behavior"] == "first")
        run = f"sqlite:///{path} --run-id {RUN}"
        for command in (
            f"activegraph inspect {run} --event {error.event_id}",
            f"activegraph inspect {run} --behaviors",
            f"activegraph inspect {run} --pack-version",
            f"activegraph fork {run} --at-event {began_after.id} --record",
            f"activegraph fork {run} --at-event {error.event_id} --record",
        ):
            assert command in error.how_to_fix
        assert error.event_id in error.what_failed
        assert error.context["run_id"] == RUN

    def test_a_divergence_is_counted_and_said_once(self, path: Path, caplog: pytest.LogCaptureFixture) -> None:
        record(path, behavior(adds("task", n=1)))
        counted: list[tuple[str, dict[str, str]]] = []

        class Counting(NoOpMetrics):
            def counter(self, name: str, tags: dict[str, str], value: float = 1.0) -> None:
                counted.append((name, tags))

        with caplog.at_level(logging.DEBUG, "activegraph"):
            error = divergence(path, behavior(adds("task", n=2)), metrics=Counting())

        assert counted == [("activegraph_replay_divergence_detected_total", {"reason": "payload_mismatch"})]
        [line] = caplog.records
        assert (line.levelname, line.getMessage()) == ("CRITICAL", "replay divergence: payload_mismatch")
        assert line.event_id == error.event_id

    def test_longer_texts_are_shown_line_by_line_and_not_without_end(self, path: Path) -> None:
        text = "\n".join(f"line {n}" for n in range(50))
        record(path, behavior(adds("task", text=text)))

        changed = text.replace("line 7", "another line")
        error = divergence(path, behavior(adds("task", text=changed)))
        assert error.context["diff"] == [
            "object.data.text:",
            "  @@ -7,3 +7,3 @@",
            "   line 6",
            "  -line 7",
            "  +another line",
            "   line 8",
        ]
        many = divergence(path, behavior(adds("task", **{f"key{n}": n for n in range(50)})))
        assert len(many.context["diff"]) == 25
        assert "lines more" in many.context["diff"][-1]

    def test_a_diverged_run_can_still_be_loaded_plainly(self, path: Path) -> None:
        recorded = record(path, behavior(adds("task", n=1)))
        divergence(path, behavior(adds("task", n=2)))

        runtime = loaded(path, [behavior(adds("task", n=2))])
        runtime.run_goal("more")
        assert len(runtime.graph.events) > len(recorded)
