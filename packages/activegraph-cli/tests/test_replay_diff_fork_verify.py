"""Promises of `replay`, `fork`, `diff` and `verify`."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from activegraph import Runtime
from activegraph.store import fork_run, get_run, list_runs, open_store
from support.cli import Said
from support.stored_runs import alter, append, event, record_prices

Cli = Callable[..., Said]


class TestReplay:
    def test_it_says_how_large_the_run_and_its_graph_are(self, cli: Cli, url: str) -> None:
        said = cli("replay", url, "--run-id", "run_a")

        assert said.out == "run_id:    run_a\nevents:    14\nobjects:   3\nrelations: 1\n"
        assert (said.code, said.err) == (0, "")

    def test_json_has_the_same_in_order(self, cli: Cli, url: str) -> None:
        said = cli("replay", url, "-r", "run_a", "-j")

        assert said.out == '{"run_id": "run_a", "events": 14, "objects": 3, "relations": 1}\n'

    def test_a_log_that_cannot_be_projected_is_corruption(self, cli: Cli, database: Path, url: str) -> None:
        alter(database, "UPDATE events SET payload = '{\"object\": {}}' WHERE id = 'evt_003'")

        said = cli("replay", url, "--run-id", "run_a")

        assert (said.code, said.out) == (4, "")
        assert said.err.startswith("LogInconsistencyError: event 'evt_003'")

    def test_a_payload_that_is_no_json_is_corruption(self, cli: Cli, database: Path, url: str) -> None:
        alter(database, "UPDATE events SET payload = 'x' WHERE id = 'evt_003'")

        assert cli("replay", url, "--run-id", "run_a").code == 4

    def test_a_missing_position_is_corruption(self, cli: Cli, database: Path, url: str) -> None:
        alter(database, "DELETE FROM events WHERE position = 4")

        assert cli("replay", url, "--run-id", "run_a").code == 4

    def test_import_without_strict_is_a_usage_error(self, cli: Cli, url: str) -> None:
        said = cli("replay", url, "--run-id", "run_a", "--import", "my_behaviors")

        assert said.code == 2
        assert "--import goes with --strict" in said.err


class TestFork:
    def test_it_copies_the_prefix_and_says_so(self, cli: Cli, url: str) -> None:
        said = cli("fork", url, "--run-id", "run_a", "--at-event", "evt_008", "--label", "what-if")

        (new,) = [run for run in list_runs(url) if run.run_id != "run_a"]
        assert said.out == f"forked run_a at evt_008 -> {new.run_id} (8 events)\n"
        assert said.err == f'to continue: Runtime.load("{url}", run_id="{new.run_id}")\n'
        assert (new.parent_run_id, new.forked_at_event_id, new.label) == ("run_a", "evt_008", "what-if")
        assert new.event_count == 8

    def test_what_it_says_to_do_next_works(self, cli: Cli, url: str) -> None:
        new_run_id = json.loads(cli("fork", url, "-r", "run_a", "-a", "evt_008", "--json").out)["new_run_id"]

        with Runtime.load(url, run_id=new_run_id, behaviors=[]) as runtime:
            runtime.run_until_idle()
            assert runtime.status().state == "idle"

    def test_json_has_its_keys_in_order(self, cli: Cli, url: str) -> None:
        shown = json.loads(cli("fork", url, "-r", "run_a", "-a", "evt_003", "-l", "x", "-j").out)

        assert list(shown) == ["parent_run_id", "new_run_id", "at_event", "label", "events_copied"]
        assert (shown["at_event"], shown["label"], shown["events_copied"]) == ("evt_003", "x", 3)

    def test_without_a_label_there_is_none(self, cli: Cli, url: str) -> None:
        assert json.loads(cli("fork", url, "-r", "run_a", "-a", "evt_003", "-j").out)["label"] is None

    @pytest.mark.parametrize(("options", "label"), [([], "recording"), (["--label", "x"], "x-recording")])
    def test_record_marks_the_label_and_says_how_to_load(
        self, cli: Cli, url: str, options: list[str], label: str
    ) -> None:
        said = cli("fork", url, "-r", "run_a", "-a", "evt_003", "--record", *options)

        (new,) = [run for run in list_runs(url) if run.run_id != "run_a"]
        assert new.label == label
        assert said.lines[1].startswith("  recording fork:")
        assert "replay_strict=True" in said.lines[1]

    def test_record_is_told_in_json(self, cli: Cli, url: str) -> None:
        shown = json.loads(cli("fork", url, "-r", "run_a", "-a", "evt_003", "--record", "--json").out)

        assert shown["recording"] is True
        assert shown["label"] == "recording"

    def test_it_forks_into_another_store(self, cli: Cli, url: str, tmp_path: Path) -> None:
        elsewhere = f"sqlite:///{tmp_path / 'other.db'}"

        said = cli("fork", url, "-r", "run_a", "-a", "evt_008", "--to", elsewhere)

        (new,) = list_runs(elsewhere)
        assert said.out == f"forked run_a at evt_008 -> {new.run_id} (8 events) in {elsewhere}\n"
        assert said.err == f'to continue: Runtime.load("{elsewhere}", run_id="{new.run_id}")\n'
        assert new.parent_run_id == "run_a"
        assert [run.run_id for run in list_runs(url)] == ["run_a"]

    def test_another_store_is_told_in_json(self, cli: Cli, url: str, tmp_path: Path) -> None:
        elsewhere = f"sqlite:///{tmp_path / 'other.db'}"

        shown = json.loads(cli("fork", url, "-r", "run_a", "-a", "evt_008", "--to", elsewhere, "--json").out)

        assert list(shown)[-1] == "to"
        assert shown["to"] == elsewhere

    def test_the_same_store_in_another_spelling_is_the_same(self, cli: Cli, url: str, database: Path) -> None:
        spelled = f"sqlite:///{database.parent}/../{database.parent.name}/{database.name}"

        said = cli("fork", url, "-r", "run_a", "-a", "evt_008", "--to", spelled)

        assert " in sqlite" not in said.out
        assert len(list_runs(url)) == 2

    @pytest.mark.parametrize(("run", "at"), [("nope", "evt_001"), ("run_a", "evt_999")])
    def test_an_unknown_run_or_event_creates_nothing(self, cli: Cli, url: str, run: str, at: str) -> None:
        said = cli("fork", url, "--run-id", run, "--at-event", at)

        assert (said.code, said.out) == (3, "")
        assert (run if run == "nope" else at) in said.err
        assert len(list_runs(url)) == 1

    def test_what_an_unknown_event_advises_can_be_pasted(self, cli: Cli, url: str) -> None:
        said = cli("fork", url, "--run-id", "run_a", "--at-event", "evt_999")

        (advice,) = [line for line in said.err.splitlines() if "activegraph inspect " in line]
        assert cli(*advice[advice.index("inspect ") :].split()).code == 0

    @pytest.mark.parametrize("elsewhere", [False, True])
    @pytest.mark.parametrize(
        ("payload", "error"),
        [("x", "CorruptedEventPayloadError"), ('{"object": {}}', "LogInconsistencyError")],
    )
    def test_a_past_that_cannot_be_read_is_refused_and_not_copied(
        self, cli: Cli, database: Path, url: str, tmp_path: Path, elsewhere: bool, payload: str, error: str
    ) -> None:
        alter(database, "UPDATE events SET payload = ? WHERE id = 'evt_003'", payload)
        to = ["--to", f"sqlite:///{tmp_path}/other.db"] if elsewhere else []

        said = cli("fork", url, "-r", "run_a", "-a", "evt_008", *to)

        assert (said.code, said.out) == (4, "")
        assert said.err.startswith(f"{error}: ")
        assert "evt_003" in said.err
        assert len(list_runs(url)) == 1
        assert not (tmp_path / "other.db").exists()

    def test_damage_behind_the_fork_point_is_no_hindrance(self, cli: Cli, database: Path, url: str) -> None:
        alter(database, "UPDATE events SET payload = 'x' WHERE id = 'evt_009'")

        assert cli("fork", url, "-r", "run_a", "-a", "evt_008").code == 0
        assert cli("fork", url, "-r", "run_a", "-a", "evt_009").code == 4
        assert cli("fork", url, "-r", "run_a", "-a", "evt_999").code == 3

    def test_the_parent_is_not_changed(self, cli: Cli, url: str) -> None:
        before = get_run(url, "run_a")

        cli("fork", url, "-r", "run_a", "-a", "evt_008")

        assert get_run(url, "run_a") == before


class TestDiff:
    @pytest.fixture
    def fork(self, url: str) -> str:
        """A fork that took another way: one event of its own, its second task still blocked."""
        new = fork_run(url, run_id="run_a", at_event="evt_008").new_run_id
        append(url, new, event("evt_009", "note.taken", {"by": "hand"}))
        return new

    def test_it_counts_and_names_what_differs(self, cli: Cli, url: str, fork: str) -> None:
        said = cli("diff", url, "--run-a", "run_a", "--run-b", fork)

        assert said.lines == [
            f"diff run_a vs {fork}:",
            "  shared_events            5",
            "  parent_only_events       2",
            "  fork_only_events         1",
            "  divergent_objects        1",
            "  divergent_relations      0",
            "divergent objects:",
            "  - task#2 differs (parent v2 ↔ fork v1)",
        ]
        assert said.code == 0

    def test_json_has_the_counts(self, cli: Cli, url: str, fork: str) -> None:
        said = cli("diff", url, "--run-a", "run_a", "--run-b", fork, "--json")

        assert json.loads(said.out) == {
            "run_a": "run_a",
            "run_b": fork,
            "shared_events": 5,
            "parent_only_events": 2,
            "fork_only_events": 1,
            "divergent_objects": 1,
            "divergent_relations": 0,
        }

    def test_relations_that_differ_are_named(self, cli: Cli, url: str) -> None:
        short = fork_run(url, run_id="run_a", at_event="evt_004").new_run_id

        said = cli("diff", url, "--run-a", "run_a", "--run-b", short)

        assert "divergent relations:" in said.lines
        assert "  - rel_001 only in parent (task#1 --depends_on--> task#2)" in said.lines

    def test_the_exit_code_tells_a_difference_when_asked(self, cli: Cli, url: str, fork: str) -> None:
        different = cli("diff", url, "--run-a", "run_a", "--run-b", fork, "--exit-code")
        same = cli("diff", url, "--run-a", "run_a", "--run-b", "run_a", "--exit-code")

        assert (different.code, same.code) == (5, 0)
        assert different.lines[0] == f"diff run_a vs {fork}:"

    def test_it_agrees_with_the_library(self, cli: Cli, url: str, fork: str) -> None:
        with (
            Runtime.load(url, run_id="run_a", behaviors=[]) as left,
            Runtime.load(url, run_id=fork, behaviors=[]) as right,
        ):
            found = left.diff(right)

        shown = json.loads(cli("diff", url, "--run-a", "run_a", "--run-b", fork, "--json").out)

        assert shown["shared_events"] == len(found.shared_events)
        assert shown["divergent_objects"] == len(found.divergent_objects)

    def test_an_unknown_run_is_not_found(self, cli: Cli, url: str) -> None:
        assert cli("diff", url, "--run-a", "run_a", "--run-b", "nope").code == 3


class TestVerify:
    def test_every_run_of_a_sound_store_gets_a_line(self, cli: Cli, database: Path, url: str) -> None:
        record_prices(database, run_id="run_b")

        said = cli("verify", url)

        assert said.code == 0
        assert [line.split(" head=")[0] for line in said.lines] == [
            "ok      run_a events=14",
            "ok      run_b events=14",
        ]

    def test_a_changed_event_is_named(self, cli: Cli, database: Path, url: str) -> None:
        record_prices(database, run_id="run_b")
        alter(database, "UPDATE events SET actor = 'mallory' WHERE id = 'evt_007' AND run_id = 'run_b'")

        said = cli("verify", url)

        assert said.code == 4
        assert said.lines[0].startswith("ok      run_a")
        assert said.lines[1] == "broken  run_b events=14 first_bad=evt_007 position=7 reason=digest"

    def test_json_holds_a_report_per_run(self, cli: Cli, url: str) -> None:
        (report,) = json.loads(cli("verify", url, "--run-id", "run_a", "--json").out)

        assert (report["run_id"], report["ok"], report["events"], report["first_bad"]) == ("run_a", True, 14, None)

    def test_a_head_that_was_written_down_finds_a_tail_that_was_cut_off(self, cli: Cli, url: str) -> None:
        head = cli("verify", url, "-r", "run_a").lines[0].split(" head=")[1]
        assert cli("verify", url, "-r", "run_a", "--expect", head).code == 0

        with closing(open_store(url, "run_a")) as store:
            store.truncate_after("evt_010")

        assert cli("verify", url, "-r", "run_a").code == 0
        assert cli("verify", url, "-r", "run_a", "--expect", head).code == 4

    def test_a_head_needs_a_run(self, cli: Cli, url: str) -> None:
        assert cli("verify", url, "--expect", f"14:{'0' * 64}").code == 2

    @pytest.mark.parametrize("head", ["14", "x:00", "14:zz", f"-1:{'0' * 64}"])
    def test_a_head_must_be_one(self, cli: Cli, url: str, head: str) -> None:
        assert cli("verify", url, "-r", "run_a", f"--expect={head}").code == 2
