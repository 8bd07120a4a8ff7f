"""`activegraph replay --strict`: the exit code of a CI job that guards behaviors against their records."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.cli import Cli, Said, process

URL = "sqlite:///run.db"

PROGRAM = """
import sys
from activegraph import Frame, FrozenClock, Graph, Runtime, behavior

@behavior(on=["goal.created"])
def plan(event, graph, ctx):
    graph.add_object("task", {"title": WORD, "luck": ctx.random.random(), "goal": ctx.frame and ctx.frame.goal})

def options():
    return {"frame": Frame(goal="all"), "seed": 7, "budget": {"max_events": 9}}

if __name__ == "__main__":
    runtime = Runtime(Graph(run_id="run_a"), persist_to=sys.argv[1], **options())
    runtime.run_goal("why")
"""


def write(folder: Path, word: str) -> None:
    (folder / "my_behaviors.py").write_text(PROGRAM.replace("WORD", repr(word)))


def record(here: Path, url: str) -> None:
    subprocess.run([sys.executable, "my_behaviors.py", url], cwd=here, check=True)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the program, and a run of it."""
    folder = tmp_path_factory.mktemp("recorded")
    write(folder, "prices")
    record(folder, URL)
    return folder


@pytest.fixture
def here(recorded: Path, tmp_path: Path) -> Path:
    """A copy of that folder."""
    for name in ("my_behaviors.py", "run.db"):
        shutil.copy(recorded / name, tmp_path)
    return tmp_path


def strictly(here: Path, *options: str, url: str = URL) -> Said:
    return process("replay", url, "--run-id", "run_a", "--strict", *options, cwd=here)


@pytest.fixture
def strictly_here(here: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """The same in this process, for modules that register nothing."""
    monkeypatch.chdir(here)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return lambda *options: cli("replay", URL, "--run-id", "run_a", "--strict", *options)


def test_a_run_that_does_the_same_again_is_ok(here: Path) -> None:
    said = strictly(here, "--import", "my_behaviors:options")

    assert (said.code, said.err) == (0, "")
    assert said.lines == ["run_id:    run_a", "events:    5", "objects:   1", "relations: 0", "strict: ok"]


def test_what_behaviors_and_their_modules_print_is_none_of_the_result(here: Path) -> None:
    program = (here / "my_behaviors.py").read_text()
    loud = (
        program.replace("    graph.add_object(", "    print('planning')\n    graph.add_object(")
        + "\nprint('imported')\n"
    )
    (here / "my_behaviors.py").write_text(loud)

    said = strictly(here, "--import", "my_behaviors:options", "--json")

    assert json.loads(said.out)["strict"] == "ok"
    assert said.err == "imported\nplanning\n"


def test_it_is_ok_for_programs_too(here: Path) -> None:
    said = strictly(here, "--import", "my_behaviors:options", "--json")

    assert json.loads(said.out) == {"run_id": "run_a", "events": 5, "objects": 1, "relations": 0, "strict": "ok"}


def test_a_divergence_is_exit_5_with_the_error_and_no_result(here: Path) -> None:
    write(here, "costs")

    said = strictly(here, "--import", "my_behaviors:options")

    assert (said.code, said.out) == (5, "")
    assert "ReplayDivergenceError: replay diverged at evt_003: event payload mismatch\n" in said.err
    for text in ('- "prices"', '+ "costs"', "Likely cause: changed code", f"fork {URL} --run-id run_a --at-event"):
        assert text in said.err


def test_what_the_log_does_not_hold_has_to_be_given(here: Path) -> None:
    said = strictly(here, "--import", "my_behaviors")

    assert said.code == 5
    assert "object.data.luck:" in said.err
    assert "object.data.goal:" in said.err


def test_without_its_behaviors_a_run_ends_early(here: Path) -> None:
    said = strictly(here)

    assert said.code == 5
    assert "live re-run finished early" in said.err
    assert "the record has work of 'plan', which is not registered now" in said.err


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("no_such_module", "module 'no_such_module' cannot be imported: ModuleNotFoundError"),
        ("broken", "module 'broken' cannot be imported: ZeroDivisionError"),
        ("broken_options:nothing", "`nothing()` of module 'broken_options' gives no arguments: AttributeError"),
        ("broken_options:raises", "`raises()` of module 'broken_options' gives no arguments: KeyError"),
        ("broken_options:five", "a dict of keyword arguments was expected, not int"),
    ],
)
def test_a_module_that_is_of_no_use_is_exit_1(here: Path, strictly_here: Cli, given: str, told: str) -> None:
    (here / "broken.py").write_text("1 / 0\n")
    (here / "broken_options.py").write_text("def five():\n    return 5\ndef raises():\n    return {}[1]\n")

    said = strictly_here("--import", given)

    assert (said.code, said.out) == (1, "")
    assert told in said.err
    assert "please report it" not in said.err


def test_an_argument_that_no_load_takes_is_a_usage_error(here: Path, strictly_here: Cli) -> None:
    (here / "wrong.py").write_text("def options():\n    return {'sead': 7}\n")

    said = strictly_here("--import", "wrong:options")
    assert said.code == 2
    assert "`Runtime.load` has no argument 'sead'" in said.err


def test_a_run_or_store_that_is_not_there_is_exit_3(here: Path, cli: Cli) -> None:
    assert cli("replay", f"sqlite:///{here}/none.db", "--run-id", "run_a", "--strict").code == 3
    assert cli("replay", f"sqlite:///{here}/run.db", "--run-id", "other", "--strict").code == 3


def test_a_file_that_nobody_may_write_to_is_replayed(here: Path) -> None:
    before = (here / "run.db").read_bytes()
    (here / "run.db").chmod(0o444)
    here.chmod(0o555)
    try:
        assert strictly(here, "--import", "my_behaviors:options").code == 0
    finally:
        here.chmod(0o755)
    assert (here / "run.db").read_bytes() == before
    assert sorted(path.name for path in here.glob("run.db*")) == ["run.db"]


def test_a_run_on_postgres_is_replayed(here: Path, postgres_url: str) -> None:
    record(here, postgres_url)
    assert strictly(here, "--import", "my_behaviors:options", url=postgres_url).lines[-1] == "strict: ok"

    write(here, "costs")
    assert strictly(here, "--import", "my_behaviors:options", url=postgres_url).code == 5
