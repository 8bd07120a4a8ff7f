"""Promises of `activegraph quickstart`: the tour, the review of one's own log, and a behavior of one's own."""

from __future__ import annotations

import contextlib
import io
import os
import re
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from activegraph import FrozenClock, Graph
from activegraph.behaviors.base import Behavior
from activegraph.behaviors.registry import clear_registry, get_registry, register
from activegraph.cli.quickstart import review_file, run_fixture_mode, run_interactive_mode
from activegraph.cli.quickstart.places import fresh_file
from activegraph.cli.quickstart.review import reading_review
from activegraph.core.log import WINDOW
from activegraph.errors import DOCS_BASE_URL
from activegraph.packs.incident_review import (
    THREE_INCIDENTS,
    RecordedIncidentProvider,
    incident_goal,
    load_recording,
    pack,
)
from activegraph.packs.incident_review.host import emit_finished, emit_input
from activegraph.packs.incident_review.memo_bar import memo_problems
from activegraph.runtime.runtime import Runtime
from activegraph.store import list_runs, sqlite_url
from activegraph.tools import get_tool_registry
from support.cli import Said, process
from support.server_logs import error, log_line, write_log
from support.stored_runs import alter

Cli = Callable[..., Said]

SNAPSHOT = Path(__file__).parent / "quickstart_snapshot.txt"
DOCS = Path(__file__).parents[3] / "docs"


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()


def printed(mode: Callable[..., int], *arguments: object, **options: object) -> str:
    stream = io.StringIO()
    assert mode(*arguments, stream=stream, **options) == 0
    return stream.getvalue()


def edit(path: Path, where: str, change: str) -> str:
    """Change the payload of the first event of a kind by hand; returns its id."""
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        (id,) = database.execute(f"SELECT id FROM events WHERE {where} ORDER BY position").fetchone()
        database.execute(f"UPDATE events SET payload = {change} WHERE id = ?", (id,))
    return str(id)


class TestTheTour:
    def test_its_output_is_the_same_byte_for_byte_each_time(self) -> None:
        first = printed(run_fixture_mode, db_path="a.db")
        other = printed(run_fixture_mode, db_path="b.db")

        assert first == other.replace("b.db", "a.db")
        # After a new recording or a new rule: write `first` to this file and read what changed.
        assert first == SNAPSHOT.read_text(encoding="utf-8")

    def test_its_trace_is_that_of_the_run(self) -> None:
        text = printed(run_fixture_mode, db_path="a.db")

        # The same review once more, in memory and by hand: what its own runtime prints.
        graph = Graph(clock=FrozenClock("2026-01-01T00:00:00Z"), run_id="quickstart_demo_run")
        with reading_review(sqlite_url("a.db"), graph.run_id) as stored:
            emit_input(graph, stored.events[0].payload)
        limits = {"max_llm_calls": 120, "max_tool_calls": 120, "max_cost_usd": "5.00"}
        runtime = Runtime(graph, [], budget=limits, llm_provider=RecordedIncidentProvider(), packs=[pack])
        for recording in THREE_INCIDENTS:
            runtime.run_goal(incident_goal(recording))
        emit_finished(graph, {"incidents": 3})
        runtime.run_until_idle()
        live = "\n".join(runtime.trace.lines())
        assert f"\n\n{live}\n\n" in text

    def test_the_first_memo_is_shown_with_its_citations_and_the_others_are_named(self) -> None:
        text = printed(run_fixture_mode, db_path="a.db")

        with reading_review(sqlite_url("a.db"), "quickstart_demo_run") as graph:
            memos = graph.objects("memo")
            for finding in memos[0].data["findings"]:
                assert f" (evidence: {', '.join(finding['evidence'])})" in text
            assert ", ".join(memo.id for memo in memos[1:]) in text
            assert [memo_problems(graph, memo) for memo in memos] == [[], [], []]

    def test_prose_stays_within_76_columns(self) -> None:
        text = printed(run_fixture_mode, db_path="a.db")

        wide = [line for line in text.splitlines() if len(line) > 76 and not line.startswith("[")]
        assert wide == []

    def test_only_what_is_to_be_copied_grows_with_the_path_of_the_database(self, tmp_path: Path) -> None:
        folder = tmp_path / ("deep/" * 20)
        folder.mkdir(parents=True)
        url = sqlite_url(folder / "a.db")

        text = printed(run_fixture_mode, db_path=folder / "a.db")

        wide = [line for line in text.splitlines() if len(line) > 76 and not line.startswith("[")]
        assert wide == [f"  {url}", f"  activegraph inspect {url}"]

    def test_its_commands_name_the_run_that_it_made(self, cli: Cli) -> None:
        text = cli("quickstart").out

        (command,) = re.findall(r"^  activegraph (inspect .*)$", text, re.MULTILINE)
        assert cli(*command.split()).lines[0] == "run_id:           quickstart_demo_run"

    @pytest.mark.parametrize(
        ("where", "change"),
        [
            ("type = 'behavior.started'", "json_remove(payload, '$.behavior')"),
            ("type = 'behavior.started'", "json_set(payload, '$.behavior', json('[1]'))"),
            ("json_extract(payload, '$.object.type') = 'memo'", "json_remove(payload, '$.object.data.title')"),
        ],
    )
    def test_a_tour_that_was_edited_into_something_else_is_exit_4_and_names_the_event(
        self, cli: Cli, where: str, change: str
    ) -> None:
        cli("quickstart", "--db", "a.db")
        edited = edit(Path("a.db"), where, change)

        said = cli("quickstart", "--db", "a.db")

        assert (said.code, said.out) == (4, "")
        assert said.err.startswith(f"LogInconsistencyError: event '{edited}' of run 'quickstart_demo_run'")

    def test_a_tour_without_a_memo_is_exit_4(self, cli: Cli) -> None:
        cli("quickstart", "--db", "a.db")
        alter(Path("a.db"), 'UPDATE events SET payload = replace(payload, \'"type":"memo"\', \'"type":"note"\')')

        said = cli("quickstart", "--db", "a.db")

        assert (said.code, said.out) == (4, "")
        assert "there is no memo" in said.err

    def test_its_links_lead_to_pages_that_exist(self) -> None:
        text = printed(run_fixture_mode, db_path="a.db")

        pages = re.findall(rf"{re.escape(DOCS_BASE_URL)}/(\S+)", text)
        assert pages
        for page in pages:
            assert (DOCS / f"{page}.md").is_file() or (DOCS / page / "index.md").is_file()

    def test_the_default_file_is_made_anew_each_time_and_left_alone(self, tmp_path: Path) -> None:
        printed(run_fixture_mode)
        folder = tmp_path / "temporary" / "activegraph_quickstart"
        first = (folder / "quickstart_demo_run.db").stat().st_ino

        printed(run_fixture_mode)

        assert [file.name for file in folder.iterdir()] == ["quickstart_demo_run.db"]
        assert (folder / "quickstart_demo_run.db").stat().st_ino != first

    def test_what_a_killed_tour_left_is_removed_and_what_a_living_one_makes_is_not(self, tmp_path: Path) -> None:
        folder = tmp_path / "temporary" / "activegraph_quickstart"
        (folder / ".making_left").mkdir(parents=True)
        (folder / ".making_left" / "quickstart_demo_run.db-wal").touch()

        with fresh_file("quickstart_demo_run.db") as (living, _):
            printed(run_fixture_mode)

            left = sorted(file.name for file in folder.iterdir())
            assert left == sorted([living.parent.name, "quickstart_demo_run.db"])
        assert [file.name for file in folder.iterdir()] == ["quickstart_demo_run.db"]

    def test_a_folder_of_somebody_else_is_not_used(self, tmp_path: Path) -> None:
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        (tmp_path / "temporary" / "activegraph_quickstart").symlink_to(elsewhere)

        text = printed(run_fixture_mode)

        assert list(elsewhere.iterdir()) == []
        assert re.search(r"temporary/activegraph_quickstart_\w+/quickstart_demo_run\.db", text)

    @pytest.mark.parametrize("url", ["sqlite:///mine.db", "postgres://anna:s3cr3t@host/db"])
    def test_a_url_is_not_taken_for_the_path_of_a_file(self, cli: Cli, url: str) -> None:
        said = cli("quickstart", "--db", url)

        assert (said.code, said.out) == (2, "")
        assert said.err.startswith("--db takes the path of a SQLite file, not a URL")
        assert "s3cr3t" not in said.err

    def test_a_database_of_ones_own_keeps_what_it_holds(self) -> None:
        log = load_recording("crash_recovery").log
        printed(review_file, log, db_path="a.db")

        printed(run_fixture_mode, db_path="a.db")

        assert len(list_runs(sqlite_url("a.db"))) == 2

    def test_a_finished_tour_is_printed_again_without_a_change(self) -> None:
        first = printed(run_fixture_mode, db_path="a.db")
        before = Path("a.db").read_bytes()

        assert printed(run_fixture_mode, db_path="a.db") == first
        assert Path("a.db").read_bytes() == before

    def test_it_needs_no_key_and_no_terminal_encoding(self) -> None:
        said = process("quickstart", "--db", "a.db", environment={"PYTHONIOENCODING": "ascii", "HOME": "/nowhere"})

        assert (said.code, said.err) == (0, "")
        assert said.out == SNAPSHOT.read_text(encoding="utf-8")


class TestTheReviewOfOnesOwnLog:
    def test_incidents_memos_and_the_way_to_the_run_are_printed(self, cli: Cli) -> None:
        lines = [error("23505", f'violates "{name}"', seconds=n) for n, name in ((0, "a"), (1, "b"), (900, "a"))]
        write_log(Path("server.json"), [*lines, "cut off"])

        said = cli("quickstart", "--input", "server.json", "--db", "mine.db")

        assert said.code == 0
        assert said.lines[0] == "server.json: 2 incidents in 4 lines"
        assert "1 line could not be read" in said.lines
        assert said.out.count("\nFindings\n") == 2
        assert "(lines 1, 2)" in said.out
        assert "(line 3)" in said.out
        run_id = list_runs(sqlite_url("mine.db"))[0].run_id
        assert said.lines[-1] == f"  activegraph inspect sqlite:///mine.db --run-id {run_id}"

    def test_a_recording_is_reviewed_like_any_log_and_its_memo_passes_the_bar(self) -> None:
        for recording in THREE_INCIDENTS:
            printed(review_file, recording.log, db_path="mine.db")

        for record in list_runs(sqlite_url("mine.db")):
            with reading_review(sqlite_url("mine.db"), record.run_id) as graph:
                (memo,) = graph.objects("memo")
                assert memo_problems(graph, memo) == []

    def test_a_review_may_be_longer_than_what_is_kept_of_it_in_memory(self) -> None:
        lines = [error("23505", "twice", seconds=1000 * n) for n in range(60)]

        text = printed(review_file, write_log(Path("server.json"), lines))

        (record,) = list_runs(sqlite_url("incident_review.db"))
        with reading_review(sqlite_url("incident_review.db"), record.run_id) as graph:
            assert len(graph.events) == len(list(graph.events)) > WINDOW
            assert graph.events[0].type == "review.input"
        assert text.startswith("server.json: 60 incidents in 60 lines\n")

    def test_the_run_says_first_what_it_reviews(self) -> None:
        log = write_log(Path("server.json"), [error("23505", "twice")])

        printed(review_file, log)

        with Runtime.load("incident_review.db") as runtime:
            first = runtime.graph.events[0]
        assert (first.type, first.actor) == ("review.input", "host")
        assert list(first.payload) == ["name", "sha256", "mode", "model", "quiet_minutes", "reader"]
        assert (first.payload["name"], first.payload["mode"], first.payload["model"]) == ("server.json", "rules", None)

    def test_the_same_content_is_printed_again_and_other_content_is_another_run(self) -> None:
        log = write_log(Path("server.json"), [error("23505", "twice")])
        first = printed(review_file, log)

        assert printed(review_file, log) == first
        write_log(log, [error("23505", "twice")] * 2)
        assert printed(review_file, log) != first
        assert len(list_runs(sqlite_url("incident_review.db"))) == 2

    @pytest.mark.parametrize("line", [error("23505", "x"), log_line("all is well")])
    def test_the_name_of_a_log_moves_no_cursor(self, cli: Cli, line: str) -> None:
        name = "ser\x1b[2Jver.json"
        write_log(Path(name), [line])

        said = cli("quickstart", "--input", name)

        assert said.lines[0].startswith("ser?[2Jver.json: ")
        assert "\x1b" not in said.out

    def test_a_log_without_a_signal_says_so_and_records_nothing(self, cli: Cli) -> None:
        write_log(Path("calm.json"), [log_line("all is well")] * 3)

        said = cli("quickstart", "--input", "calm.json")

        assert (said.code, said.out, said.err) == (0, "calm.json: no signal in 3 lines\n", "")
        assert sorted(os.listdir()) == ["calm.json", "temporary"]

    @pytest.mark.parametrize(
        ("name", "content", "code", "message"),
        [
            ("missing.json", None, 3, "No such file or directory: missing.json"),
            (".", None, 1, "Is a directory: ."),
            ("empty.json", b"", 1, "it is empty"),
            ("text.json", b"plain text\n" * 3, 1, "none of its 3 lines"),
            ("binary.json", bytes(range(256)) * 40, 1, "is no PostgreSQL jsonlog"),
            ("half.json", error("23505", "x").encode()[:-9], 1, "its only line is not one of a jsonlog"),
        ],
    )
    def test_what_is_no_log_is_one_clear_error_and_touches_no_store(
        self, cli: Cli, name: str, content: bytes | None, code: int, message: str
    ) -> None:
        if content is not None:
            Path(name).write_bytes(content)

        said = cli("quickstart", "--input", name, "--db", "mine.db")

        assert (said.code, said.out) == (code, "")
        assert message in said.err
        assert "Traceback" not in said.err
        assert not Path("mine.db").exists()

    def test_a_file_that_may_not_be_read_is_exit_1(self, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
        write_log(Path("secret.json"), [error("23505", "x")]).chmod(0)
        if os.access("secret.json", os.R_OK):
            pytest.skip("this user may read everything")

        assert cli("quickstart", "--input", "secret.json").code == 1

    @pytest.mark.parametrize("damaged", ["evt_001", "evt_003"])
    def test_a_review_whose_log_is_damaged_is_exit_4_and_stays_as_it_is(self, cli: Cli, damaged: str) -> None:
        write_log(Path("server.json"), [error("23505", "x")])
        cli("quickstart", "--input", "server.json", "--db", "mine.db")
        alter(Path("mine.db"), "UPDATE events SET payload = '{' WHERE id = ?", damaged)
        before = Path("mine.db").read_bytes()

        said = cli("quickstart", "--input", "server.json", "--db", "mine.db")

        assert (said.code, said.out) == (4, "")
        assert said.err.startswith(f"CorruptedEventPayloadError: the payload of event '{damaged}'")
        assert Path("mine.db").read_bytes() == before

    @pytest.mark.parametrize(
        ("where", "change"),
        [
            ("type = 'review.finished'", "json_remove(payload, '$.lines')"),
            ("type = 'review.finished'", "json_set(payload, '$.unreadable_lines', 'few')"),
            ("json_extract(payload, '$.object.type') = 'incident'", "json_remove(payload, '$.object.data.severity')"),
            ("json_extract(payload, '$.object.type') = 'evidence'", "json_set(payload, '$.object.data.line', '7')"),
            ("json_extract(payload, '$.object.type') = 'memo'", "json_remove(payload, '$.object.data.findings')"),
            (
                "json_extract(payload, '$.object.type') = 'memo'",
                "json_set(payload, '$.object.data.timeline.entries[0]', 3)",
            ),
        ],
    )
    def test_a_review_that_was_edited_into_something_else_is_exit_4_and_names_the_event(
        self, cli: Cli, where: str, change: str
    ) -> None:
        write_log(Path("server.json"), [error("23505", "x")])
        cli("quickstart", "--input", "server.json", "--db", "mine.db")
        edited = edit(Path("mine.db"), where, change)
        before = Path("mine.db").read_bytes()

        said = cli("quickstart", "--input", "server.json", "--db", "mine.db")

        assert (said.code, said.out) == (4, "")
        assert said.err.startswith(f"LogInconsistencyError: event '{edited}' of run ")
        assert f"activegraph inspect sqlite:///mine.db --run-id {list_runs('sqlite:///mine.db')[0].run_id}" in said.err
        assert Path("mine.db").read_bytes() == before

    def test_the_patch_that_spoiled_an_object_is_named_and_not_its_creation(self, cli: Cli) -> None:
        write_log(Path("server.json"), [error("23505", "x")])
        cli("quickstart", "--input", "server.json", "--db", "mine.db")
        edited = edit(Path("mine.db"), "type = 'patch.applied'", "json_set(payload, '$.patch.value.status', 5)")

        said = cli("quickstart", "--input", "server.json", "--db", "mine.db")

        assert said.code == 4
        assert said.err.startswith(f"LogInconsistencyError: event '{edited}' of run ")

    def test_an_unfinished_review_that_was_edited_is_not_gone_on_with(self, cli: Cli) -> None:
        write_log(Path("server.json"), [error("23505", "x")])
        cli("quickstart", "--input", "server.json", "--db", "mine.db")
        alter(Path("mine.db"), "DELETE FROM events WHERE type IN ('review.finished', 'runtime.idle')")
        edited = edit(
            Path("mine.db"),
            "json_extract(payload, '$.object.type') = 'signal'",
            "json_remove(payload, '$.object.data.count')",
        )
        before = Path("mine.db").read_bytes()

        said = cli("quickstart", "--input", "server.json", "--db", "mine.db")

        assert (said.code, said.out) == (4, "")
        assert said.err.startswith(f"LogInconsistencyError: event '{edited}' of run ")
        assert Path("mine.db").read_bytes() == before

    def test_a_failure_that_does_not_say_of_what_is_exit_4_and_named(self, cli: Cli) -> None:
        write_log(Path("server.json"), [error("23505", "x")])
        cli("quickstart", "--input", "server.json", "--db", "mine.db")
        edited = edit(Path("mine.db"), "type = 'behavior.completed'", "json_remove(payload, '$.behavior')")
        alter(Path("mine.db"), "UPDATE events SET type = 'behavior.failed' WHERE id = ?", edited)

        said = cli("quickstart", "--input", "server.json", "--db", "mine.db")

        assert (said.code, said.out) == (4, "")
        assert said.err.startswith(f"LogInconsistencyError: event '{edited}' of run ")

    def test_what_an_edited_memo_cites_and_is_no_evidence_is_left_out(self, cli: Cli) -> None:
        write_log(Path("server.json"), [error("23505", "x")])
        cli("quickstart", "--input", "server.json", "--db", "mine.db")
        edit(
            Path("mine.db"),
            "json_extract(payload, '$.object.type') = 'memo'",
            "json_set(payload, '$.object.data.findings[0].evidence[0]', 'incident#2')",
        )

        assert cli("quickstart", "--input", "server.json", "--db", "mine.db").code == 0

    def test_a_damaged_review_of_another_log_is_none_of_its_business(self, cli: Cli) -> None:
        write_log(Path("old.json"), [error("23505", "x")])
        write_log(Path("server.json"), [error("23505", "y")])
        cli("quickstart", "--input", "old.json", "--db", "mine.db")
        alter(Path("mine.db"), "UPDATE events SET payload = '{' WHERE id = 'evt_003'")

        assert cli("quickstart", "--input", "server.json", "--db", "mine.db").code == 0

    def test_a_file_that_is_no_database_is_exit_4_and_stays_as_it_is(self, cli: Cli) -> None:
        log = write_log(Path("server.json"), [error("23505", "x")])
        Path("mine.db").write_text("my thesis " * 200)

        said = cli("quickstart", "--input", str(log), "--db", "mine.db")

        assert said.code == 4
        assert said.out == ""
        assert Path("mine.db").read_text() == "my thesis " * 200

    def test_what_a_log_says_moves_no_cursor(self) -> None:
        log = write_log(Path("server.json"), [error("P0001", "a\x1b[2Jb", statement="SELECT '\x1b]0;x\x07'")])

        assert "\x1b" not in printed(review_file, log)

    def test_progress_is_told_in_bytes_of_the_file(self) -> None:
        log = write_log(Path("server.json"), [error("23505", "x" * 1000)] * 3000)
        told: list[tuple[int, int]] = []

        printed(review_file, log, progress=lambda label, unit: contextlib.nullcontext(lambda *done: told.append(done)))

        assert len(told) >= 2
        assert all(0 < done <= total == log.stat().st_size for done, total in told)

    def test_interactive_and_input_exclude_each_other(self, cli: Cli) -> None:
        assert cli("quickstart", "--interactive", "--input", "server.json").code == 2


class Dialog:
    """Answers questions one after the other, and does something in between."""

    def __init__(self, *answers: str | Callable[[], str]) -> None:
        self._answers = iter(answers)
        self.questions: list[tuple[str, str]] = []

    def __call__(self, question: str, *, default: str = "") -> str:
        self.questions.append((question, default))
        answer = next(self._answers)
        return answer() if callable(answer) else answer


def hold(*answers: str | Callable[[], str], code: int = 0) -> str:
    stream = io.StringIO()
    assert run_interactive_mode(stream, prompt_fn=Dialog(*answers)) == code
    return stream.getvalue()


MINE = Path("activegraph_quickstart") / "my_first_behavior.py"


class TestABehaviorOfOnesOwn:
    @pytest.fixture(autouse=True)
    def _registry(self) -> Iterator[None]:
        before = clear_registry()
        yield
        clear_registry()
        for behavior in before:
            register(behavior)

    def test_a_file_is_written_that_fires_as_it_is(self) -> None:
        text = hold("continue", "quit")

        assert f"Created {MINE}." in text
        assert "Step 3 of 4" in text
        assert "your behavior fired 5 time(s)" in text
        assert "Goodbye." in text
        assert str(MINE) in text.splitlines()[-1]
        assert "growth_flagger" in MINE.read_text()
        assert "TODO" in MINE.read_text()

    def test_all_steps_are_numbered_and_c_or_nothing_means_continue(self) -> None:
        text = hold("c", "", "q")

        for step in (1, 2, 3, 4):
            assert f"Step {step} of 4" in text
        assert text.count("your behavior fired") == 2

    def test_the_hint_leads_to_a_behavior_that_finds_the_growth(self) -> None:
        def solve() -> str:
            body = '    import re\n    found = re.search(r"growth of (\\d+)%", statement)\n'
            body += "    if found and int(found[1]) > 25:\n"
            body += '        graph.add_object("flag", {"title": found[0], "hypothesis": hypothesis["id"]})\n'
            MINE.write_text(MINE.read_text() + body)
            return "continue"

        assert "it made flag#" in hold(solve, "quit")

    def test_the_file_is_loaded_afresh_and_counted_whatever_its_behaviors_are_called(self) -> None:
        def rewrite(name: str) -> Callable[[], str]:
            source = f'from activegraph import behavior\n@behavior(name="{name}", on=["goal.created"])\n'
            source += "def f(event, graph, ctx): pass\n"

            def write() -> str:
                MINE.write_text(source)
                return "continue"

            return write

        text = hold("continue", rewrite("mine"), rewrite("intake"), "quit")

        assert re.findall(r"fired (\d+) time", text) == ["5", "1", "1"]

    def test_a_file_that_cannot_be_imported_is_reported_and_the_loop_goes_on(self) -> None:
        def spoil(source: str) -> Callable[[], str]:
            def write() -> str:
                MINE.write_text(source)
                return "continue"

            return write

        text = hold(spoil("def f(:\n"), spoil("import nothing_of_the_kind\n"), spoil("exit(3)\n"), "quit")

        assert text.count("could not be imported") == 3
        assert "SyntaxError" in text
        assert "ModuleNotFoundError: No module named 'nothing_of_the_kind'" in text

    def test_a_behavior_that_fails_is_told_with_its_error(self) -> None:
        def spoil() -> str:
            MINE.write_text(MINE.read_text() + "    raise ValueError('not yet')\n")
            return "continue"

        assert "it failed: ValueError: not yet" in hold(spoil, "quit")

    def test_a_failure_is_told_in_one_line(self) -> None:
        def ask() -> str:
            MINE.write_text(
                "from activegraph import llm_behavior\n"
                '@llm_behavior(on=["object.created"], where={"object.type": "incident"})\n'
                "def asking(event, graph, ctx, answer): pass\n"
            )
            return "continue"

        lines = hold(ask, "quit").splitlines()

        place = lines.index("your behavior fired 0 time(s)")
        assert lines[place + 1].startswith("  it failed: LLMBehaviorError: llm.fixture_missing: ")
        assert lines[place + 2] == ""

    @pytest.mark.parametrize(
        ("source", "says"),
        [
            ('@llm_behavior(on=["goal.created"], tools=["nobodys"])\ndef f(event, graph, ctx, a): pass\n', "'nobodys'"),
            (
                '@behavior(name="incident_review.intake", on=["goal.created"])\ndef f(event, graph, ctx): pass\n',
                "'incident_review.intake'",
            ),
        ],
    )
    def test_a_behavior_that_no_runtime_takes_is_told_and_the_loop_goes_on(self, source: str, says: str) -> None:
        def write() -> str:
            MINE.write_text(f"from activegraph import behavior, llm_behavior\n{source}")
            return "continue"

        text = hold(write, "quit")

        assert "your behavior cannot take part in a run:\n" in text
        assert says in text
        assert text.rstrip().endswith(f"Your behavior is in {MINE}.")

    def test_a_behavior_that_ends_the_program_ends_its_run_only(self) -> None:
        def leave() -> str:
            MINE.write_text(MINE.read_text() + '    raise SystemExit("enough")\n')
            return "continue"

        text = hold(leave, "quit")

        assert "SystemExit: enough" in text
        assert text.rstrip().endswith(f"Your behavior is in {MINE}.")

    def test_what_it_says_stays_within_80_columns(self) -> None:
        assert max(map(len, hold("x", "c", "q").splitlines())) <= 80

    def test_other_answers_are_asked_again(self) -> None:
        assert "(unrecognized: 'maybe'; type `continue` or `quit`)" in hold("maybe", "quit")

    def test_the_registry_is_as_it_was_before(self) -> None:
        mine = register(Behavior("mine", lambda event, graph, ctx: None, ["goal.created"]))

        hold("continue", "quit")

        assert get_registry() == [mine]

    def test_tools_of_the_file_are_declared_anew_each_time_and_forgotten(self) -> None:
        before = get_tool_registry()

        def declare() -> str:
            MINE.write_text(
                "from activegraph import behavior, llm_behavior, tool\n"
                "@tool()\ndef look(args, ctx): return {}\n"
                '@llm_behavior(on=["never.seen"], tools=["look"])\ndef f(event, graph, ctx, answer): pass\n'
                '@behavior(on=["goal.created"])\ndef g(event, graph, ctx): pass\n'
            )
            return "continue"

        assert hold(declare, declare, "quit").count("fired 1 time(s)") == 2
        assert get_tool_registry() == before

    def test_an_existing_folder_keeps_what_is_in_it_unless_told_otherwise(self) -> None:
        MINE.parent.mkdir()
        MINE.write_text("mine")
        (MINE.parent / "my_first_behavior_2.py").write_text("too")

        assert "my_first_behavior_3.py" in hold("s", "quit")
        assert "my_first_behavior_4.py" in hold("", "quit")
        assert MINE.read_text() == "mine"
        assert "Created" in hold("o", "quit")
        assert "growth_flagger" in MINE.read_text()

    def test_quitting_before_anything_is_written_changes_nothing(self) -> None:
        MINE.parent.mkdir()

        text = hold("nonsense", "q", code=1)

        assert "(unrecognized: 'nonsense'; choose o, s, or q)" in text
        assert text.endswith("Goodbye.\n")
        assert list(MINE.parent.iterdir()) == []

    def test_questions_offer_their_defaults(self) -> None:
        MINE.parent.mkdir()
        dialog = Dialog("s", "q")

        run_interactive_mode(io.StringIO(), prompt_fn=dialog)

        assert dialog.questions == [("choose [o/s/q]: ", "s"), ("[continue / quit]: ", "continue")]

    def test_questions_are_asked_beside_the_result(self) -> None:
        said = process("quickstart", "--interactive", input=b"what\nq\n")

        assert said.err == "[continue / quit]: [continue / quit]: "
        assert "continue / quit" not in said.out
        assert "(unrecognized: 'what'; type `continue` or `quit`)" in said.out

    def test_the_end_of_stdin_means_to_quit(self) -> None:
        said = process("quickstart", "--interactive", input=b"")

        assert said.code == 0
        assert "Goodbye." in said.out
