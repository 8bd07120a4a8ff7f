"""`fork --set`: other settings from the fork point on, on SQLite and on PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from activegraph import FrozenClock, Runtime
from activegraph.packs import Pack, behavior
from activegraph.store import list_runs, sqlite_url
from pydantic import BaseModel
from support.cli import Said
from support.installed_packs import installed_from, write_pack
from support.stored_runs import alter, record_run

Cli = Callable[..., Said]


class Limits(BaseModel):
    most: int = 3


class Settings(BaseModel):
    threshold: float = 0.5
    limits: Limits = Limits()


@behavior(on=["goal.created"])
def measure(event, graph, ctx):  # type: ignore[no-untyped-def]
    graph.add_object("task", {"threshold": ctx.settings.threshold, "most": ctx.settings.limits.most})


PACK = Pack("storage", "1.0.0", behaviors=[measure], settings_schema=Settings)


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A store with a finished run `run_a`, whose `evt_001` loads the pack and whose `evt_002` is the goal."""
    place = sqlite_url(tmp_path / "run.db") if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    return record_run(str(place), [], packs=[PACK])


def test_the_settings_are_recorded_in_the_new_run_and_act_there(cli: Cli, url: str) -> None:
    said = cli(
        "fork", url, "-r", "run_a", "-a", "evt_002",
        "--set", "storage.threshold=0.9", "--set", "storage.limits.most=5", "--set", "storage.threshold=0.8",
    )  # fmt: skip

    (fork,) = [run.run_id for run in list_runs(url) if run.run_id != "run_a"]
    assert said.code == 0
    assert said.lines == [
        f"forked run_a at evt_002 -> {fork} (2 events)",
        "  settings override recorded: evt_003",
    ]
    assert said.err.splitlines()[1:] == ["its packs are code, so give them along, as packs=[...]: storage"]
    runtime = Runtime.load(url, fork, behaviors=[], clock=FrozenClock(), packs=[PACK])
    assert runtime.graph.events[-1].payload == {
        "pack": "storage",
        "overrides": {"threshold": 0.8, "limits": {"most": 5}},
        "assignments": ["storage.threshold=0.9", "storage.limits.most=5", "storage.threshold=0.8"],
    }
    runtime.run_until_idle()
    assert [task.data for task in runtime.graph.objects("task")] == [{"threshold": 0.8, "most": 5}]
    runtime.close()


def test_json_names_the_overrides_and_their_events(cli: Cli, url: str) -> None:
    said = cli("fork", url, "-r", "run_a", "-a", "evt_002", "--json", "--set", "storage.threshold=0.9")

    shown = json.loads(said.out)
    assert shown["settings_overrides"] == {"storage": {"threshold": 0.9}}
    assert shown["settings_override_events"] == ["evt_003"]
    assert list(shown)[-2:] == ["settings_overrides", "settings_override_events"]
    without = json.loads(cli("fork", url, "-r", "run_a", "-a", "evt_002", "--json").out)
    assert "settings_overrides" not in without


@pytest.mark.parametrize(
    ("assignments", "says"),
    [
        (["threshold=1"], "'threshold=1' is not <pack>.<setting>=<value>"),
        (["storage.threshold"], "is not <pack>.<setting>=<value>"),
        (["storage.limits={}", "storage.limits.most=1"], "storage.limits is set to a value"),
        (["storage.treshold=1"], "did you mean 'threshold'?"),
        (["storage.limits.moost=1"], "did you mean 'limits.most'?"),
        (["audio.threshold=1"], "pack 'audio' was not loaded at or before 'evt_002'"),
        (["storage.threshold=1", "storage.nothing=2"], "no setting 'nothing'"),
    ],
)
def test_a_wrong_setting_is_one_line_and_exit_2_and_leaves_the_store_as_it_was(
    cli: Cli, url: str, assignments: list[str], says: str
) -> None:
    said = cli("fork", url, "-r", "run_a", "-a", "evt_002", *(word for each in assignments for word in ("--set", each)))

    assert (said.code, said.out) == (2, "")
    assert says in said.err
    assert said.err.count("\n") == 1
    assert [run.run_id for run in list_runs(url)] == ["run_a"]


def test_a_value_that_an_installed_pack_refuses_is_shown_in_its_words(cli: Cli, url: str, tmp_path: Path) -> None:
    write_pack(tmp_path, "storage")
    with installed_from(tmp_path):
        said = cli("fork", url, "-r", "run_a", "-a", "evt_002", "--set", "storage.threshold=high")

    assert said.code == 2
    assert "threshold: Input should be a valid number" in said.err
    assert said.err.count("\n") == 1
    assert len(list_runs(url)) == 1


def test_other_packs_that_print_or_cannot_be_imported_are_none_of_its_business(
    cli: Cli, url: str, tmp_path: Path
) -> None:
    write_pack(tmp_path, "loud", source="print('loading')\nraise RuntimeError('out of order')")
    with installed_from(tmp_path):
        refused = cli("fork", url, "-r", "run_a", "-a", "evt_002", "--set", "storage.x=1")
    with installed_from(tmp_path):
        made = cli("fork", url, "-r", "run_a", "-a", "evt_002", "--json", "--set", "storage.threshold=0.9")

    assert (refused.code, refused.out) == (2, "")
    assert refused.err.startswith("loading\nthe fork cannot have these settings")
    assert json.loads(made.out)["settings_override_events"] == ["evt_003"]
    assert "out of order" not in refused.err + made.err


def test_a_refused_setting_leaves_a_file_byte_for_byte(cli: Cli, tmp_path: Path) -> None:
    url = record_run(tmp_path / "run.db", [], packs=[PACK])
    files = {file.name: file.read_bytes() for file in tmp_path.iterdir()}

    assert cli("fork", url, "-r", "run_a", "-a", "evt_002", "--set", "storage.x=1").code == 2

    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == files


@pytest.mark.parametrize(("run", "event"), [("run_b", "evt_002"), ("run_a", "evt_999")])
def test_what_is_not_there_is_exit_3(cli: Cli, url: str, run: str, event: str) -> None:
    said = cli("fork", url, "-r", run, "-a", event, "--set", "storage.threshold=0.9")

    assert (said.code, said.out) == (3, "")
    assert len(list_runs(url)) == 1


def test_the_help_page_tells_of_it(cli: Cli) -> None:
    assert "--set PACK.SETTING=VALUE" in cli("fork", "--help").out


@pytest.mark.parametrize("name", [["storage"], {"a": 1}])
def test_a_pack_whose_name_somebody_spoiled_by_hand_was_not_loaded(cli: Cli, tmp_path: Path, name: object) -> None:
    url = record_run(tmp_path / "run.db", [], packs=[PACK])
    spoil = "UPDATE events SET payload = json_set(payload, '$.name', json(?)) WHERE id = 'evt_001'"
    alter(tmp_path / "run.db", spoil, json.dumps(name))

    said = cli("fork", url, "-r", "run_a", "-a", "evt_002", "--set", "storage.threshold=0.9")

    assert (said.code, said.out) == (2, "")
    assert "pack 'storage' was not loaded at or before 'evt_002'" in said.err
