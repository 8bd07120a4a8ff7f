"""What only a process of its own shows: closed pipes, full disks, interrupts, terminals, and other locales."""

from __future__ import annotations

import os
import pty
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from activegraph.store import list_runs
from support.cli import process
from support.stored_runs import alter, append, event, files_of, record_prices

COMMAND = [sys.executable, "-m", "activegraph"]


@pytest.fixture
def long_run(tmp_path: Path) -> str:
    """A run whose export does not fit into a pipe."""
    url = f"sqlite:///{tmp_path}/run.db"
    append(url, "run_a", *(event(f"evt_{n}", payload={"text": "x" * 200}) for n in range(2000)))
    return url


def test_the_module_runs_the_same_command(url: str) -> None:
    said = process("inspect", url)

    assert (said.code, said.err) == (0, "")
    assert said.lines[:2] == ["run_id:           run_a", "state:            idle"]


def test_a_reader_that_closes_the_pipe_ends_the_command_silently(long_run: str) -> None:
    command = subprocess.Popen(
        [*COMMAND, "export-trace", long_run, "-r", "run_a"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # Tests that a script starts in the background inherit that interrupts are ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert command.stdout is not None
    assert command.stderr is not None
    command.stdout.readline()
    command.stdout.close()

    assert command.wait(timeout=30) == 0
    assert command.stderr.read() == b""
    command.stderr.close()


def test_a_short_result_into_a_closed_pipe_ends_silently_too(url: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)

    said = process("inspect", url, stdout=writing)

    os.close(writing)
    assert (said.code, said.err) == (0, "")


BUFFERED = {"PYTHONUNBUFFERED": ""}
"""As most shells have it: what is printed may still be on its way when a command ends."""


def test_an_error_keeps_its_exit_code_where_nobody_reads_what_came_before_it(database: Path, url: str) -> None:
    alter(database, "UPDATE events SET payload = 'x' WHERE id = 'evt_009'")
    reading, writing = os.pipe()
    os.close(reading)

    said = process("export-trace", url, "-r", "run_a", stdout=writing, environment=BUFFERED)

    os.close(writing)
    assert said.code == 4
    assert said.err.startswith("CorruptedEventPayloadError: the payload of event 'evt_009'")
    assert "BrokenPipeError" not in said.err


def test_a_full_disk_is_an_error_and_no_traceback(url: str) -> None:
    with open("/dev/full", "wb") as full:
        said = process("inspect", url, stdout=full)

    assert said.code == 1
    assert said.err == "the result cannot be written: No space left on device\n"


def _in_a_shell(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", " ".join([*COMMAND, *words])], capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize("command", ["inspect {}", "quickstart", "help"])
def test_a_result_that_nobody_can_get_is_no_success(url: str, command: str) -> None:
    said = _in_a_shell(command.format(url), ">&-")

    assert (said.returncode, said.stderr) == (1, "the result cannot be written: Bad file descriptor\n")


def test_a_closed_stdout_matters_only_where_there_is_a_result(url: str, tmp_path: Path) -> None:
    said = _in_a_shell("export-trace", url, "-r", "run_a", "-o", str(tmp_path / "out.txt"), ">&-")

    assert (said.returncode, said.stderr) == (0, f"wrote 14 events to {tmp_path}/out.txt\n")


def test_a_closed_stderr_harms_nothing(url: str) -> None:
    said = _in_a_shell("fork", url, "-r", "run_a", "-a", "evt_003", "2>&-")

    assert said.returncode == 0
    assert said.stdout.startswith("forked run_a at evt_003")


def test_a_current_folder_that_was_removed_is_named_as_what_is_missing(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()

    said = subprocess.run(
        ["sh", "-c", 'cd "$0" && rmdir "$0" && exec "$@"', str(gone), *COMMAND, "quickstart", "--db", "run.db"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert (said.returncode, said.stdout) == (3, "")
    assert said.stderr == "No such file or directory: the current folder has been removed\n"


def test_an_error_without_any_stream_has_its_exit_code(url: str) -> None:
    assert _in_a_shell("inspect", url, "-r", "nope", ">&-", "2>&-").returncode == 3


def test_an_interrupt_is_told_and_has_its_exit_code(long_run: str) -> None:
    # Nobody reads on after the first line, so the command waits in the middle of its work.
    command = subprocess.Popen(
        [*COMMAND, "export-trace", long_run, "-r", "run_a"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # Tests that a script starts in the background inherit that interrupts are ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert command.stdout is not None
    command.stdout.readline()

    command.send_signal(signal.SIGINT)
    _, err = command.communicate(timeout=30)

    assert (command.returncode, err) == (130, b"interrupted\n")


def test_an_interrupt_is_told_where_nobody_reads_what_came_before_it(url: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)

    said = _interrupted(
        "export", 9, "export-trace", url, "-r", "run_a", "-f", "jsonl", stdout=writing, environment=BUFFERED
    )

    os.close(writing)
    assert said == (130, "", "interrupted\n")


def test_results_are_utf8_in_every_locale(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/run.db"
    append(url, "run_a", event("evt_1", payload={"text": "zwölf ≠ 12"}))

    said = process("export-trace", url, "-r", "run_a", environment={"LC_ALL": "C", "PYTHONIOENCODING": "latin-1"})

    assert said.out == "[event.emitted]           note.taken text=zwölf ≠ 12\n"


def _on_a_terminal(*arguments: str, **environment: str) -> str:
    """What the command writes to a terminal on stderr."""
    master, slave = pty.openpty()
    finished = subprocess.run(
        [*COMMAND, *arguments],
        stdout=subprocess.DEVNULL,
        stderr=slave,
        env={**os.environ, "TERM": "xterm", **environment},
        check=False,
        timeout=60,
    )
    os.close(slave)
    shown = b""
    try:
        while piece := os.read(master, 65536):
            shown += piece
    except OSError:
        pass
    os.close(master)
    assert finished.returncode != 0
    return shown.decode()


def test_an_error_is_coloured_on_a_terminal_only(url: str) -> None:
    assert "\x1b[31m" in _on_a_terminal("inspect", url, "-r", "nope")
    assert "\x1b[" not in process("inspect", url, "-r", "nope").err


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_colour_is_left_out_where_the_environment_says_so(url: str, environment: dict[str, str]) -> None:
    assert "\x1b[" not in _on_a_terminal("inspect", url, "-r", "nope", **environment)


def test_colour_is_left_out_where_it_is_not_wanted(url: str) -> None:
    assert "\x1b[" not in _on_a_terminal("--no-color", "inspect", url, "-r", "nope")


@pytest.mark.parametrize("option", ["--json", "--json=true", "-j", "-qj"])
def test_colour_is_left_out_beside_json(url: str, option: str) -> None:
    assert "\x1b[" not in _on_a_terminal("inspect", url, "-r", "nope", option)


def _with_small_files() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))


def test_a_disk_that_is_full_takes_nothing_and_loses_nothing(long_run: str, tmp_path: Path) -> None:
    before = files_of(tmp_path)

    other = f"sqlite:///{tmp_path}/other.db"
    said = process("fork", long_run, "-r", "run_a", "-a", "evt_1999", "--to", other, preexec_fn=_with_small_files)

    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("StoreUnavailableError: ")
    after = files_of(tmp_path)
    assert {name: data for name, data in after.items() if not name.startswith("other.db")} == before
    assert process("inspect", other).code == 3


def test_a_place_that_takes_no_files_is_an_error_and_no_traceback(url: str) -> None:
    said = process("fork", url, "-r", "run_a", "-a", "evt_003", "--to", "sqlite:////proc/run.db")

    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("StoreUnavailableError: ")
    assert "Traceback" not in said.err


INTERRUPTED = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from activegraph.cli.main import console
from activegraph.operations import export, migrate
from activegraph.store import forking
def interrupting(rows, at):
    for count, row in enumerate(rows, 1):
        if count == at:
            os.kill(os.getpid(), signal.SIGINT)
        yield row
where, at = sys.argv[1], int(sys.argv[2])
if where == "migrate":
    passing = migrate._EventCount.passing
    migrate._EventCount.passing = lambda self, record, rows: interrupting(
        passing(self, record, rows), at if record.run_id == "run_b" else 0
    )
elif where == "fork":
    followed_by = forking._Prefix.followed_by
    forking._Prefix.followed_by = lambda self, rows, extra: interrupting(followed_by(self, rows, extra), at)
else:
    events = export._events
    export._events = lambda run: interrupting(events(run), at)
sys.argv[1:] = sys.argv[3:]
sys.exit(console())
"""


def _interrupted(
    where: str, at: int, *arguments: str, stdout: int = subprocess.PIPE, environment: dict[str, str] | None = None
) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, where, str(at), *arguments],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(environment or {})},
        check=False,
        timeout=60,
    )
    return done.returncode, done.stdout or "", done.stderr


@pytest.mark.parametrize("at", [1, 7, 14])
def test_an_interrupted_migration_leaves_whole_runs_only(database: Path, url: str, at: int) -> None:
    for run_id in ("run_b", "run_c"):
        record_prices(database, run_id=run_id)
    other = f"sqlite:///{database.parent}/other.db"

    assert _interrupted("migrate", at, "migrate", "--from", url, "--to", other) == (130, "", "interrupted\n")

    assert [(run.run_id, run.event_count) for run in list_runs(other)] == [("run_a", 14)]
    assert process("migrate", "--from", url, "--to", other).lines[-1] == "summary: 3 ok, 0 failed"


@pytest.mark.parametrize("at", [1, 5, 8])
def test_an_interrupted_fork_into_another_store_leaves_none(database: Path, url: str, at: int) -> None:
    other = f"sqlite:///{database.parent}/other.db"
    record_prices(database.parent / "other.db", run_id="run_there")

    said = _interrupted("fork", at, "fork", url, "-r", "run_a", "-a", "evt_008", "--to", other)

    assert said == (130, "", "interrupted\n")
    assert [run.run_id for run in list_runs(other)] == ["run_there"]


def test_an_interrupted_export_leaves_the_old_file_and_no_other(database: Path, url: str) -> None:
    (database.parent / "out").mkdir()
    old = database.parent / "out" / "run.jsonl"
    old.write_text("what was there")

    said = _interrupted("export", 9, "export-trace", url, "-r", "run_a", "-f", "jsonl", "-o", str(old))

    assert said == (130, "", "interrupted\n")
    assert files_of(old.parent) == {"run.jsonl": b"what was there"}
