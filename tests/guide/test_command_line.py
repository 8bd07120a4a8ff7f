"""The section on the command line: its shapes, and that a program can do whatever it does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from activegraph import Runtime, inspect_run, migrate
from activegraph.cli.app import COMMANDS
from activegraph.store import fork_run, list_runs
from support.cli import Cli, process
from support.stored_runs import files_of, record_prices

GUIDE = [
    "inspect URL",
    "inspect URL --run-id run_a --tail 5 --json",
    "inspect URL --event evt_003",
    "inspect URL --behaviors",
    "inspect URL --pack-version",
    "replay URL --run-id run_a",
    "replay URL --run-id run_a --json",
    "fork URL --run-id run_a --at-event evt_003 --label one",
    "fork URL --run-id run_a --at-event evt_003 --label two --to OTHER --record --json",
    "diff URL --run-a run_a --run-b run_a",
    "diff URL --run-a run_a --run-b run_a --json",
    "export-trace URL --run-id run_a",
    "export-trace URL --run-id run_a --format jsonl",
    "export-trace URL --run-id run_a --format text -o trace.txt",
    "migrate --from URL --to OTHER",
    "migrate --from URL --to OTHER --run-id run_a --skip-corrupted --json",
    "pack list",
    "pack new prices",
]
"""Every shape that the guide's synopsis allows, once."""


@pytest.mark.parametrize("line", GUIDE)
def test_every_shape_of_the_synopsis_is_understood(
    run_url: str, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.chdir(tmp_path)
    words = line.replace("URL", run_url).replace("OTHER", f"sqlite:///{tmp_path}/other.db").split(" ")

    said = cli(*words)

    assert said.code == 0, said.err


def test_the_program_is_called_activegraph() -> None:
    from importlib.metadata import entry_points

    (script,) = entry_points(group="console_scripts", name="activegraph")
    assert script.value == "activegraph.cli.main:console"


def test_the_module_is_the_same_program(sqlite_run: str, cli: Cli) -> None:
    assert process("inspect", sqlite_run).out == cli("inspect", sqlite_run).out


def test_the_commands_of_the_guide_are_there() -> None:
    words = {command.split()[0] for command in COMMANDS}

    assert {"inspect", "replay", "fork", "diff", "export-trace", "migrate", "pack", "quickstart"} <= words


@pytest.mark.parametrize(
    "selectors",
    [
        ["--behaviors", "--pack-version"],
        ["--event", "evt_003", "--behaviors"],
        ["--event", "evt_003", "--pack-version"],
    ],
    ids=" ".join,
)
def test_the_selectors_of_inspect_exclude_each_other(run_url: str, cli: Cli, selectors: list[str]) -> None:
    said = cli("inspect", run_url, *selectors)

    assert (said.code, said.out) == (2, "")
    assert "mutually exclusive" in said.err


@pytest.mark.parametrize("selector", [["--behaviors"], ["--pack-version"], ["--event", "evt_003"]], ids=lambda s: s[0])
def test_a_selector_shows_one_section_instead_of_the_snapshot(run_url: str, cli: Cli, selector: list[str]) -> None:
    said = cli("inspect", run_url, *selector)

    assert said.code == 0
    assert "state:" not in said.out
    assert "recent events" not in said.out


class TestAProgramCanDoWhatTheCommandLineDoes:
    def test_inspect(self, run_url: str, cli: Cli) -> None:
        assert json.loads(cli("inspect", run_url, "--json").out) == inspect_run(run_url).to_dict()

    def test_replay(self, run_url: str, cli: Cli) -> None:
        with Runtime.load(run_url, "run_a", behaviors=[]) as runtime:
            graph = runtime.graph
            counted = (len(graph.events), len(graph.all_objects()), len(graph.all_relations()))

        shown = json.loads(cli("replay", run_url, "-r", "run_a", "--json").out)

        assert (shown["events"], shown["objects"], shown["relations"]) == counted

    def test_fork(self, run_url: str, cli: Cli) -> None:
        by_command = json.loads(cli("fork", run_url, "-r", "run_a", "-a", "evt_003", "-l", "x", "--json").out)
        by_library = fork_run(run_url, run_id="run_a", at_event="evt_003", label="x")

        for name in ("parent_run_id", "at_event", "label", "events_copied"):
            assert by_command[name] == getattr(by_library, name)
        assert len(list_runs(run_url)) == 3

    def test_diff(self, run_url: str, cli: Cli) -> None:
        fork = fork_run(run_url, run_id="run_a", at_event="evt_005").new_run_id
        with Runtime.load(run_url, "run_a", behaviors=[]) as parent, Runtime.load(run_url, fork, behaviors=[]) as other:
            found = parent.diff(other)

        shown = json.loads(cli("diff", run_url, "--run-a", "run_a", "--run-b", fork, "--json").out)

        assert shown["shared_events"] == len(found.shared_events)
        assert shown["divergent_objects"] == len(found.divergent_objects)

    def test_export_trace(self, run_url: str, cli: Cli, tmp_path: Path) -> None:
        with Runtime.load(run_url, "run_a", behaviors=[]) as runtime:
            runtime.export_trace(tmp_path / "trace.jsonl")

        assert cli("export-trace", run_url, "-r", "run_a", "-f", "jsonl").out == (tmp_path / "trace.jsonl").read_text()

    def test_migrate(self, run_url: str, cli: Cli, tmp_path: Path) -> None:
        report = migrate(run_url, f"sqlite:///{tmp_path}/one.db")
        shown = json.loads(cli("migrate", "--from", run_url, "--to", f"sqlite:///{tmp_path}/two.db", "--json").out)

        assert [(r["run_id"], r["status"], r["events_migrated"]) for r in shown["runs"]] == [
            (r.run_id, r.status, r.events_migrated) for r in report.runs
        ]

    def test_quickstart(self, cli: Cli, tmp_path: Path) -> None:
        import io

        from activegraph.cli.quickstart import run_fixture_mode

        stream = io.StringIO()
        assert run_fixture_mode(stream, tmp_path / "tour.db") == 0
        assert cli("quickstart", "--db", str(tmp_path / "tour.db")).out == stream.getvalue()


def test_pack_list_shows_the_installed_packs(cli: Cli) -> None:
    assert "incident_review" in [line.split()[0] for line in cli("pack", "list").lines]


def test_pack_new_makes_a_project_of_that_name(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert cli("pack", "new", "prices").code == 0

    (made,) = tmp_path.iterdir()
    assert (made / "pyproject.toml").is_file()


def test_commands_that_look_leave_no_trace(tmp_path: Path, cli: Cli) -> None:
    url = record_prices(tmp_path / "run.db")
    before = files_of(tmp_path)

    for command in (["inspect"], ["replay", "-r", "run_a"], ["diff", "--run-a", "run_a", "--run-b", "run_a"]):
        assert cli(command[0], url, *command[1:]).code == 0

    assert files_of(tmp_path) == before
