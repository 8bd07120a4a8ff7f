"""The section on `inspect`: a snapshot, and three selectors."""

from __future__ import annotations

import json
from pathlib import Path

from activegraph import FrozenClock, Graph, Runtime
from activegraph.behaviors.base import Behavior
from support.cli import Cli
from support.diverging import diverging_resume
from support.stored_runs import append, event, record_prices


def test_without_a_run_id_it_shows_the_run_that_was_appended_to_last(run_url: str, cli: Cli) -> None:
    record_prices(run_url, run_id="run_b")
    assert cli("inspect", run_url).lines[0] == "run_id:           run_b"

    append(run_url, "run_a", event("evt_100"))

    assert cli("inspect", run_url).lines[0] == "run_id:           run_a"


def test_run_id_shows_that_run(run_url: str, cli: Cli) -> None:
    record_prices(run_url, run_id="run_b")

    assert cli("inspect", run_url, "--run-id", "run_a").lines[0] == "run_id:           run_a"


def test_the_snapshot_is_for_people(run_url: str, cli: Cli) -> None:
    lines = cli("inspect", run_url).lines

    assert lines[:4] == [
        "run_id:           run_a",
        "state:            idle",
        "queue_depth:      0",
        "events_processed: 14",
    ]
    assert lines[-1].split() == ["evt_014", "runtime.idle"]


def test_json_is_one_object_with_the_fields_of_the_status(run_url: str, cli: Cli) -> None:
    said = cli("inspect", run_url, "--json")

    shown = json.loads(said.out)
    assert list(shown) == [
        "run_id",
        "state",
        "queue_depth",
        "events_processed",
        "budget",
        "frame",
        "registered_behaviors",
        "recent_events",
    ]
    with Runtime.load(run_url, "run_a", behaviors=[]) as loaded:
        live = loaded.status().to_dict()
    assert shown.keys() == live.keys()
    assert shown["recent_events"] == live["recent_events"]


def test_the_second_example_of_the_guide_works(postgres_url: str, cli: Cli) -> None:
    record_prices(postgres_url)

    said = cli("inspect", postgres_url, "--run-id", "run_a", "--tail", "50", "--json")

    assert len(json.loads(said.out)["recent_events"]) == 14


def test_event_shows_the_full_payload_of_one_event(run_url: str, cli: Cli) -> None:
    long = {"text": "x" * 5000, "nested": {"list": [1, 2.5, None]}}
    append(run_url, "run_a", event("evt_100", payload=long))

    said = cli("inspect", run_url, "--event", "evt_100")

    assert json.loads(said.out.partition("payload:\n")[2]) == long


def test_an_error_about_a_divergence_names_the_event_to_look_at(store_url: str, cli: Cli) -> None:
    divergence = diverging_resume(store_url)

    assert divergence.event_id == "evt_003"
    assert "evt_003" in str(divergence)
    said = cli("inspect", store_url, "--event", divergence.event_id)
    assert json.loads(said.out.partition("payload:\n")[2]) == {"n": 1}


def test_behaviors_shows_only_what_fired_in_the_recorded_run(run_url: str, cli: Cli) -> None:
    assert cli("inspect", run_url, "--behaviors").lines == [
        "registered behaviors:",
        "  planner                        function   on=goal.created",
        "  worker                         function   on=object.created",
        "  unblock                        relation   on=task.completed",
    ]


def test_what_fired_can_be_compared_with_what_fires_now(store_url: str, cli: Cli) -> None:
    then = [Behavior(name, lambda event, graph, ctx: None, ["goal.created"]) for name in ("asker", "answerer")]
    with Runtime(Graph(run_id="run_then", clock=FrozenClock()), then, persist_to=store_url) as runtime:
        runtime.run_goal("prices")
    with Runtime(Graph(run_id="run_now", clock=FrozenClock()), then[:1], persist_to=store_url) as runtime:
        runtime.run_goal("prices")

    fired = {
        run_id: [b["name"] for b in json.loads(cli("inspect", store_url, "-r", run_id, "--behaviors", "--json").out)]
        for run_id in ("run_then", "run_now")
    }

    assert fired == {"run_then": ["asker", "answerer"], "run_now": ["asker"]}


def test_pack_version_shows_every_loaded_pack_with_hashes_of_its_prompts(run_url: str, cli: Cli) -> None:
    digest = f"sha256:{'0123456789abcdef' * 4}"
    loaded = {"name": "review", "version": "1.2.0", "prompts": {"judge": {"version": "2", "hash": digest}}}
    append(run_url, "run_a", event("evt_100", "pack.loaded", loaded, actor="runtime"))
    append(run_url, "run_a", event("evt_101", "pack.loaded", {**loaded, "version": "1.3.0"}, actor="runtime"))

    lines = cli("inspect", run_url, "--pack-version").lines

    assert lines[0] == "packs loaded (2):"
    assert [line.split()[1] for line in lines if "(evt_" in line] == ["1.2.0", "1.3.0"]
    assert [line.split()[-1] for line in lines if "prompt judge" in line] == ["hash=0123456789ab"] * 2


def test_the_selectors_do_not_combine(run_url: str, cli: Cli) -> None:
    assert cli("inspect", run_url, "--behaviors", "--event", "evt_003").code == 2


def test_it_changes_nothing_about_a_file(sqlite_run: str, cli: Cli) -> None:
    path = Path(sqlite_run.removeprefix("sqlite:///"))
    before = path.read_bytes()

    cli("inspect", sqlite_run)

    assert path.read_bytes() == before
