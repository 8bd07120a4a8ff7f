"""Promises of `inspect_run`: what a stored run's status says without loading the run."""

from __future__ import annotations

import random
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from activegraph import Frame, Graph, InvalidRuntimeConfiguration, RunNotFoundError, Runtime, StoreNotFoundError
from activegraph.behaviors.base import Behavior
from activegraph.operations import inspect as inspecting
from activegraph.operations.inspect import behaviors_of_run, event_of_run, inspect_run, inspect_stored_run, packs_of_run
from activegraph.operations.owed import queue_depth
from activegraph.operations.reading import open_run
from activegraph.store import SQLiteEventStore, open_store, sqlite_url
from support.stored_runs import alter, append, event, record_prices, record_run, snapshot_payload


def test_a_finished_run_is_idle_and_owes_nothing(tmp_path: Path) -> None:
    status = inspect_run(record_prices(tmp_path / "run.db"))

    assert (status.run_id, status.state, status.queue_depth, status.events_processed) == ("run_a", "idle", 0, 14)


def test_the_status_is_that_of_a_loaded_runtime(tmp_path: Path) -> None:
    url = record_prices(tmp_path / "run.db", budget={"max_behavior_calls": 1})

    inspected = inspect_run(url)

    with Runtime.load(url, behaviors=[]) as loaded:
        live = loaded.status()
    assert inspected.state == live.state == "exhausted"
    assert inspected.queue_depth == live.queue_depth == 3
    assert inspected.events_processed == live.events_processed
    assert inspected.recent_events == live.recent_events


def test_recent_events_are_the_newest_oldest_first(tmp_path: Path) -> None:
    status = inspect_run(record_prices(tmp_path / "run.db"), recent=2)

    assert [(e.id, e.type) for e in status.recent_events] == [
        ("evt_013", "behavior.completed"),
        ("evt_014", "runtime.idle"),
    ]


@pytest.mark.parametrize(("recent", "shown"), [(0, 0), (1, 1), (14, 14), (1000, 14)])
def test_no_more_recent_events_than_there_are(tmp_path: Path, recent: int, shown: int) -> None:
    assert len(inspect_run(record_prices(tmp_path / "run.db"), recent=recent).recent_events) == shown


@pytest.mark.parametrize("recent", [-1, True, 2.0, "2"])
def test_recent_must_be_a_whole_number(tmp_path: Path, recent: Any) -> None:
    url = record_prices(tmp_path / "run.db")

    with pytest.raises(InvalidRuntimeConfiguration):
        inspect_run(url, recent=recent)


def test_the_budget_is_that_of_the_last_stop(tmp_path: Path) -> None:
    budget = inspect_run(record_prices(tmp_path / "run.db", budget={"max_behavior_calls": 1})).budget

    assert budget.used["max_behavior_calls"] == 1.0
    assert budget.limits["max_behavior_calls"] == 1.0
    assert budget.limits["max_events"] is None
    assert budget.exhausted_by == "max_behavior_calls"
    assert list(budget.used) == list(budget.limits) == list(inspecting.DIMENSIONS)


def test_a_limit_that_was_exhausted_before_the_last_stop_is_not_named(tmp_path: Path) -> None:
    url = record_prices(tmp_path / "run.db", budget={"max_behavior_calls": 1})
    with Runtime.load(url, behaviors=[]) as resumed:
        resumed.run_until_idle()

    assert inspect_run(url).budget.exhausted_by is None


def test_a_log_without_stops_has_no_use_and_no_limits(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    append(sqlite_url(path), "run_a", event("evt_1"))

    status = inspect_run(sqlite_url(path))

    assert status.state == "stopped"
    assert set(status.budget.used.values()) == {0.0}
    assert set(status.budget.limits.values()) == {None}
    assert status.queue_depth == 1


def test_the_frame_is_the_one_of_the_runs_record(tmp_path: Path) -> None:
    url = record_prices(tmp_path / "run.db", frame=Frame("find out"))

    frame = inspect_run(url).frame

    assert frame is not None
    assert (frame.id, frame.name) == ("frame_001", None)


def test_behaviors_are_those_that_fired_in_order_of_first_appearance(tmp_path: Path) -> None:
    behaviors = inspect_run(record_prices(tmp_path / "run.db")).registered_behaviors

    assert [(b.name, b.kind, b.subscribed_to) for b in behaviors] == [
        ("planner", "function", ("goal.created",)),
        ("worker", "function", ("object.created",)),
        ("unblock", "relation", ("task.completed",)),
    ]


def test_a_delayed_behavior_shows_its_delay(tmp_path: Path) -> None:
    later = Behavior("later", lambda event, graph, ctx: None, ["goal.created"], activate_after=3)

    behaviors = inspect_run(record_run(tmp_path / "run.db", [later])).registered_behaviors

    assert [(b.name, b.activate_after) for b in behaviors] == [("later", 3)]


def test_models_and_patterns_are_told_by_their_own_events(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "run.db")
    started = {"behavior": "writer", "event_id": "evt_1", "triggering_event_type": "note.taken"}
    append(
        url,
        "run_a",
        event("evt_1"),
        event(
            "evt_2", "pattern.matched", {"behavior": "writer", "event_id": "evt_1", "pattern": "(a)"}, actor="runtime"
        ),
        event("evt_3", "behavior.started", started, actor="runtime"),
        event("evt_4", "llm.requested", {"behavior": "writer", "model": "m"}, actor="writer"),
    )

    (writer,) = behaviors_of_run(url)

    assert (writer.kind, writer.pattern, writer.subscribed_to) == ("llm", "(a)", ("note.taken",))


def test_the_status_looks_no_further_back_for_behaviors_than_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspecting, "BEHAVIOR_WINDOW", 4)
    url = record_prices(tmp_path / "run.db")

    inspection = inspect_stored_run(url)

    assert [b.name for b in inspection.status.registered_behaviors] == ["unblock"]
    assert inspection.behaviors_cut
    assert [b.name for b in behaviors_of_run(url)] == ["planner", "worker", "unblock"]


def test_without_a_run_id_the_run_that_was_appended_to_last_is_meant(tmp_path: Path) -> None:
    url = record_prices(tmp_path / "run.db", run_id="run_b")
    record_prices(tmp_path / "run.db", run_id="run_c")
    append(url, "run_b", event("evt_900"))

    assert inspect_run(url).run_id == "run_b"


def test_a_run_with_a_record_and_no_events_is_stopped(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "run.db")
    with closing(open_store(url, "run_a")) as store:
        store.upsert_run(created_at="2026-05-15T10:32:01Z")  # type: ignore[attr-defined]

    status = inspect_run(url)

    assert (status.state, status.events_processed, status.recent_events) == ("stopped", 0, [])


def test_an_unknown_run_a_store_without_runs_and_a_missing_store_are_told_apart(tmp_path: Path) -> None:
    url = record_prices(tmp_path / "run.db")
    SQLiteEventStore(tmp_path / "empty.db", "run_x").close()

    with pytest.raises(RunNotFoundError, match="run_x"):
        inspect_run(url, "run_x")
    with pytest.raises(RunNotFoundError, match="no runs found in"):
        inspect_run(sqlite_url(tmp_path / "empty.db"))
    with pytest.raises(StoreNotFoundError):
        inspect_run(sqlite_url(tmp_path / "missing.db"))
    assert not (tmp_path / "missing.db").exists()


def test_events_that_the_graph_held_before_its_runtime_are_not_owed(tmp_path: Path) -> None:
    graph = Graph(run_id="run_a")
    graph.add_object("seed", {})
    with Runtime(graph, [], persist_to=str(tmp_path / "run.db")):
        graph.add_object("task", {})

    assert inspect_run(sqlite_url(tmp_path / "run.db")).queue_depth == 1


def _chatter(rng: random.Random) -> list[Behavior]:
    """Behaviors that emit, fail and wait in ways that the seed decides."""
    made = []
    for number in range(rng.randint(1, 4)):
        emitted = [rng.choice(["a", "b", "object"]) for _ in range(rng.randint(0, 2))]
        quiet, failing = rng.random() < 0.4, rng.random() < 0.1

        def act(
            event: Any, graph: Any, ctx: Any, emitted: list[str] = emitted, quiet: bool = quiet, failing: bool = failing
        ) -> None:
            for type in [] if quiet and ctx.random.random() < 0.5 else emitted:
                graph.add_object("t", {"n": 1}) if type == "object" else graph.emit(type, {"n": 1})
            if failing:
                raise ValueError("no")

        on = rng.choice([["goal.created"], ["object.created"], ["a"], ["b", "a"], []])
        made.append(Behavior(f"b{number}", act, on, activate_after=rng.choice([None, None, 1, 3])))
    return made


def _run_a_goal(runtime: Runtime, rng: random.Random) -> None:
    runtime.run_goal("g")


def _change_from_outside(runtime: Runtime, rng: random.Random) -> None:
    for _ in range(rng.randint(1, 8)):
        runtime.graph.add_object("h", {})


def _run_a_few_events(runtime: Runtime, rng: random.Random) -> None:
    steps = iter(range(rng.randint(1, 6)))
    runtime.run_until(lambda graph: next(steps, None) is None)


def _run_on(runtime: Runtime, rng: random.Random) -> None:
    runtime.run_until_idle()


def _recorded_at_random(path: Path, seed: int) -> str:
    rng = random.Random(seed)

    def work(runtime: Runtime) -> None:
        for _ in range(rng.randint(1, 3)):
            rng.choice([_run_a_goal, _change_from_outside, _run_a_few_events, _run_on])(runtime, rng)

    limits = {"max_behavior_calls": rng.choice([1, 3, 10, 30]), "max_events": rng.choice([2, 10, 40])}
    return record_run(path, _chatter(rng), work=work, budget=limits)


@pytest.mark.parametrize("seed", range(6))
def test_every_beginning_of_a_log_owes_what_a_load_of_it_would(tmp_path: Path, seed: int) -> None:
    url = _recorded_at_random(tmp_path / "run.db", seed)
    with closing(open_store(url, "run_a", read_only=True)) as store:
        ids = [e.id for e in store.iter_events()]

    for last in reversed(ids[-25:]):
        with closing(open_store(url, "run_a")) as store:
            store.truncate_after(last)
        with Runtime.load(url, behaviors=[]) as loaded:
            live = loaded.status()
        inspected = inspect_run(url)
        assert (inspected.state, inspected.queue_depth) == (live.state, live.queue_depth), last


@pytest.mark.parametrize("seed", range(6))
def test_what_is_owed_does_not_depend_on_how_much_is_read_at_a_time(tmp_path: Path, seed: int) -> None:
    url = record_run(
        tmp_path / "run.db",
        _chatter(random.Random(seed)),
        budget={"max_behavior_calls": 5},
        work=lambda runtime: (runtime.run_goal("g"), [runtime.graph.add_object("h", {}) for _ in range(20)]),
    )

    def depth(window: int) -> int:
        with open_run(url, "run_a") as run:
            return queue_depth(run, window).events

    assert {depth(window) for window in (1, 2, 7)} == {depth(10_000)}


@pytest.fixture
def due(tmp_path: Path) -> str:
    """A run that was cut off where nothing but an invocation delayed five events ago is owed."""

    def count(event: Any, graph: Any, ctx: Any) -> None:
        if event.payload.get("n", 0) < 5:
            graph.emit("counted", {"n": event.payload.get("n", 0) + 1})

    later = Behavior("later", lambda event, graph, ctx: None, ["goal.created"], activate_after=5)
    url = record_run(tmp_path / "run.db", [Behavior("count", count, ["goal.created", "counted"]), later])
    with closing(open_store(url, "run_a")) as store:
        last_turn = [e for e in store.iter_events() if e.type == "behavior.completed"][-2]
        assert last_turn.payload["behavior"] == "count"
        store.truncate_after(last_turn.id)
    return url


@pytest.mark.parametrize("window", [1, 2, 5, 10_000])
def test_what_was_delayed_long_ago_is_owed(due: str, window: int) -> None:
    with open_run(due, "run_a") as run:
        assert queue_depth(run, window).events == 1


def test_a_run_too_long_to_look_for_old_delays_says_so(due: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspecting, "BEHAVIOR_WINDOW", 2)
    assert (inspect_stored_run(due).status.queue_depth, inspect_stored_run(due).delays_unseen) == (1, False)

    monkeypatch.setattr("activegraph.operations.owed._LONG_RUN", 10)

    assert (inspect_stored_run(due).status.queue_depth, inspect_stored_run(due).delays_unseen) == (0, True)


def test_a_damaged_payload_elsewhere_does_not_stop_the_status(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    url = record_prices(path)
    alter(path, "UPDATE events SET payload = '{\"object\": ' WHERE id = 'evt_003'")

    inspection = inspect_stored_run(url)

    assert inspection.status.state == "idle"
    assert inspection.status.events_processed == 14
    assert inspection.unknown == inspection.damaged == ()


def test_a_damaged_last_stop_hides_the_budget_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    url = record_prices(path)
    alter(path, "UPDATE events SET payload = 'gone' WHERE type = 'runtime.idle'")

    inspection = inspect_stored_run(url)

    assert (inspection.unknown, inspection.damaged) == (("budget",), ("evt_014",))
    assert (inspection.status.state, inspection.status.queue_depth) == ("idle", 0)


def test_a_damaged_last_mark_hides_what_is_owed(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    url = record_prices(path, budget={"max_behavior_calls": 1})
    alter(path, "UPDATE events SET payload = '{}x' WHERE type = 'runtime.budget_exhausted'")

    inspection = inspect_stored_run(url)

    assert inspection.unknown == ("queue_depth", "budget")
    assert inspection.status.state == "exhausted"


@pytest.fixture
def in_doubt(tmp_path: Path) -> str:
    """A run that stopped because nobody knows whether a tool call happened."""
    url = sqlite_url(tmp_path / "run.db")
    doubt = {"behavior": "payer", "tool": "pay", "call_id": "c", "requested_event_id": "evt_2", "idempotency_key": "k"}
    append(
        url,
        "run_a",
        event("evt_1", "goal.created", {"goal": "g"}),
        event("evt_2", "tool.requested", {"behavior": "payer", "tool": "pay"}, actor="payer"),
        event("stop_1", "tool.in_doubt", doubt, actor="runtime", caused_by="evt_2"),
    )
    return url


def test_a_call_in_doubt_is_shown_and_the_run_is_stopped(in_doubt: str) -> None:
    inspection = inspect_stored_run(in_doubt)

    assert inspection.status.state == "stopped"
    assert inspection.in_doubt is not None
    assert (inspection.in_doubt.requested_event_id, inspection.in_doubt.tool) == ("evt_2", "pay")


def test_an_answer_ends_the_doubt(in_doubt: str) -> None:
    append(in_doubt, "run_a", event("evt_3", "tool.responded", {"tool": "pay"}, actor="payer", caused_by="evt_2"))

    assert inspect_stored_run(in_doubt).in_doubt is None


def test_an_event_is_found_by_its_id(tmp_path: Path) -> None:
    url = record_prices(tmp_path / "run.db")

    assert event_of_run(url, None, "evt_001").payload == {"goal": "prices"}


def test_packs_are_shown_with_their_prompts(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "run.db")
    loaded = {"name": "review", "version": "1.0.0", "prompts": {"judge": {"version": "2", "hash": "sha256:abc"}}}
    append(url, "run_a", event("evt_1", "pack.loaded", loaded, actor="runtime"))

    (pack,) = packs_of_run(url)

    assert (pack.event_id, pack.pack, pack.version) == ("evt_1", "review", "1.0.0")
    assert pack.prompts == {"judge": {"version": "2", "hash": "sha256:abc"}}


def test_the_newest_stop_is_found_however_far_back_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspecting, "BEHAVIOR_WINDOW", 3)
    url = record_prices(tmp_path / "run.db", budget={"max_behavior_calls": 50})
    append(url, "run_a", *(event(f"evt_{n}") for n in range(100, 110)))

    status = inspect_run(url)

    assert (status.state, status.queue_depth) == ("stopped", 10)
    assert status.budget.limits["max_behavior_calls"] == 50.0


def test_a_stop_that_the_host_made_up_is_none(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "run.db")
    append(url, "run_a", event("evt_1"), event("evt_2", "runtime.idle", snapshot_payload(), actor="user"))

    assert inspect_run(url).state == "stopped"
