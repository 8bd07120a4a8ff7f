"""The section on `fork`: a new run with another's past."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from activegraph import Runtime
from activegraph.behaviors.base import Behavior
from activegraph.store import get_run, list_runs, open_store
from support.cli import Cli
from support.stored_runs import record_prices


def ids(url: str, run_id: str) -> list[str]:
    with open_store(url, run_id, read_only=True) as store:  # type: ignore[attr-defined]
        return [event.id for event in store.iter_events()]


def forked(cli: Cli, url: str, *options: str) -> dict[str, Any]:
    said = cli("fork", url, "--run-id", "run_a", "--at-event", "evt_008", *options, "--json")
    assert said.code == 0, said.err
    made: dict[str, Any] = json.loads(said.out)
    return made


def test_it_copies_the_events_up_to_and_including_the_one_that_is_named(run_url: str, cli: Cli) -> None:
    made = forked(cli, run_url)

    assert ids(run_url, made["new_run_id"]) == ids(run_url, "run_a")[:8]


def test_the_source_store_is_where_it_is_made(run_url: str, cli: Cli) -> None:
    made = forked(cli, run_url)

    assert {run.run_id for run in list_runs(run_url)} == {"run_a", made["new_run_id"]}


@pytest.mark.parametrize("way", ["file to server", "server to file"])
def test_another_url_makes_it_in_another_store(tmp_path: Path, postgres_url: str, cli: Cli, way: str) -> None:
    file, server = f"sqlite:///{tmp_path}/run.db", postgres_url
    source, target = (file, server) if way == "file to server" else (server, file)
    record_prices(source)

    made = forked(cli, source, "--to", target)

    assert [run.run_id for run in list_runs(source)] == ["run_a"]
    assert ids(target, made["new_run_id"]) == ids(source, "run_a")[:8]


def test_it_prints_the_new_run_id_and_how_many_events_were_copied(run_url: str, cli: Cli) -> None:
    said = cli("fork", run_url, "--run-id", "run_a", "--at-event", "evt_008", "--label", "another-thesis")

    (new,) = [run.run_id for run in list_runs(run_url) if run.run_id != "run_a"]
    assert said.out == f"forked run_a at evt_008 -> {new} (8 events)\n"


def test_the_label_is_kept(run_url: str, cli: Cli) -> None:
    made = forked(cli, run_url, "--label", "investigate-alternative-thesis")

    assert get_run(run_url, made["new_run_id"]).label == "investigate-alternative-thesis"


def test_nothing_runs_it_until_it_is_loaded(run_url: str, cli: Cli) -> None:
    made = forked(cli, run_url)

    record = get_run(run_url, made["new_run_id"])
    assert (record.event_count, record.status) == (8, "stopped")


def test_it_is_continued_by_loading_it_and_running_until_idle(run_url: str, cli: Cli) -> None:
    made = forked(cli, run_url)
    seen: list[str] = []
    noting = Behavior("noting", lambda event, graph, ctx: seen.append(event.id), ["object.created"])

    with Runtime.load(run_url, run_id=made["new_run_id"], behaviors=[noting]) as runtime:
        runtime.run_until_idle()
        assert runtime.status().state == "idle"

    assert seen
    assert get_run(run_url, made["new_run_id"]).status == "idle"
    assert get_run(run_url, "run_a").event_count == 14


@pytest.mark.parametrize(("label", "recorded"), [(["--label", "thesis"], "thesis-recording"), ([], "recording")])
def test_record_marks_the_label(run_url: str, cli: Cli, label: list[str], recorded: str) -> None:
    made = forked(cli, run_url, "--record", *label)

    assert get_run(run_url, made["new_run_id"]).label == recorded


def test_record_prints_what_comes_next(run_url: str, cli: Cli) -> None:
    said = cli("fork", run_url, "--run-id", "run_a", "--at-event", "evt_008", "--record")

    assert said.lines[1].startswith("  recording fork:")
    assert "without `replay_strict=True`" in said.lines[1]
