"""How the command line is called: global options, usage errors, help, and what it never does."""

from __future__ import annotations

import json
import logging
import shlex
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import activegraph
import pytest
from activegraph import clear_registry, register
from activegraph.cli import exit_codes
from activegraph.cli.app import COMMANDS
from activegraph.cli.help import EXAMPLES
from support.cli import Said
from support.server_logs import error, write_log
from support.stored_runs import append, event, record_prices

Cli = Callable[..., Said]

READS = [
    ["inspect"],
    ["replay", "--run-id", "run_a"],
    ["diff", "--run-a", "run_a", "--run-b", "run_a"],
    ["export-trace", "--run-id", "run_a"],
    ["verify"],
]


def test_the_exit_codes_are_documented_names() -> None:
    assert activegraph_cli().EXIT_CODES == {
        "ok": 0,
        "generic_error": 1,
        "usage_error": 2,
        "not_found": 3,
        "corruption": 4,
        "divergence": 5,
    }


def activegraph_cli() -> object:
    return import_module("activegraph.cli")


def test_main_can_be_called_by_each_of_its_names(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    from activegraph.cli import main as by_package
    from activegraph.cli.main import EXIT_NOT_FOUND, EXIT_OK
    from activegraph.cli.main import main as by_module

    assert by_package(["--version"]) == by_module(["--version"]) == EXIT_OK
    assert activegraph.cli.main(["inspect", url, "-r", "nope"]) == EXIT_NOT_FOUND
    assert capsys.readouterr().out == f"activegraph {activegraph.__version__}\n" * 2


def test_without_arguments_the_help_is_shown(cli: Cli) -> None:
    alone, asked = cli(), cli("--help")

    assert alone == asked
    assert (alone.code, alone.err) == (0, "")
    assert alone.lines[0] == "Usage: activegraph COMMAND [ARGUMENTS] [OPTIONS]"
    assert all(f"\n  {command} " in alone.out for command in COMMANDS)
    assert max(map(len, alone.lines)) <= 80


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_help_page(cli: Cli, command: str) -> None:
    said = cli(*command.split(), "--help")

    assert (said.code, said.err) == (0, "")
    assert said.lines[0].startswith(f"Usage: activegraph {command}")
    assert "  -h, --help" in said.out
    assert max(map(len, said.lines)) <= 80


@pytest.mark.parametrize("command", ["", "fork", "export-trace"])
def test_help_may_be_asked_for_by_a_word(cli: Cli, command: str) -> None:
    assert cli("help", *command.split()) == cli(*command.split(), "--help")


def test_help_for_an_unknown_command_is_answered_with_the_nearest(cli: Cli) -> None:
    said = cli("help", "forl")

    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("unknown command 'forl'. Did you mean 'fork'?")


def test_help_wins_over_missing_arguments(cli: Cli) -> None:
    assert cli("fork", "-h").code == 0


def test_every_page_teaches_by_examples(cli: Cli) -> None:
    assert EXAMPLES.keys() == {"", *COMMANDS}


@pytest.mark.parametrize(
    "line", [line for command in EXAMPLES for _, line in EXAMPLES[command]], ids=lambda line: " ".join(line.split())
)
def test_an_example_of_a_help_page_works(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, line: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])  # a command that imports adds the current folder
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for run_id in ("run_a", "run_b"):
        record_prices(tmp_path / "run.db", run_id=run_id)
    write_log(tmp_path / "postgresql.json", [error("53300", "sorry, too many clients already")])
    (tmp_path / "my_behaviors.py").write_text(
        "from activegraph import register\nfrom support.stored_runs import prices_behaviors\n"
        "for each in prices_behaviors():\n    register(each)\n"
    )
    if "postgres://" in line:
        line = line.replace("postgres://host/db", request.getfixturevalue("postgres_url"))

    program, *arguments = shlex.split(line.replace("\\\n", ""))
    before = clear_registry()
    try:
        said = cli(*arguments)
    finally:
        clear_registry()
        for each in before:
            register(each)
        sys.modules.pop("my_behaviors", None)

    assert program == "activegraph"
    assert said.code == 0, said.err


def test_every_option_of_a_command_stands_on_its_page(cli: Cli) -> None:
    page = cli("inspect", "--help").out

    for shown in ("-r, --run-id ID", "-n, --tail N", "-j, --json", "-e, --event ID", "--behaviors", "--pack-version"):
        assert f"  {shown}" in page
    assert "Default: 20." in page


def test_the_version_is_that_of_the_core(cli: Cli) -> None:
    assert cli("--version").out == f"activegraph {activegraph.__version__}\n"


@pytest.mark.parametrize(
    ("word", "meant"),
    [("inspct", "inspect"), ("exporttrace", "export-trace"), ("replya", "replay")],
)
def test_a_misspelt_command_is_answered_with_the_nearest(cli: Cli, word: str, meant: str) -> None:
    said = cli(word, "sqlite:///run.db")

    assert (said.code, said.out) == (2, "")
    assert said.err == f"unknown command '{word}'. Did you mean '{meant}'?\nTry 'activegraph --help'.\n"


def test_a_command_like_none_is_answered_without_a_guess(cli: Cli) -> None:
    assert cli("xyzzy").err == "unknown command 'xyzzy'.\nTry 'activegraph --help'.\n"


@pytest.mark.parametrize(("word", "meant"), [("--jsn", "--json"), ("--quite", "--quiet"), ("--runid", "--run-id")])
def test_a_misspelt_option_is_answered_with_the_nearest(cli: Cli, url: str, word: str, meant: str) -> None:
    said = cli("inspect", url, word)

    assert said.code == 2
    assert said.err == f"unknown option '{word}'. Did you mean '{meant}'?\nTry 'activegraph inspect --help'.\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["inspect"], "missing argument URL"),
        (["replay", "URL"], "missing option --run-id"),
        (["fork", "URL", "--run-id", "r"], "missing option --at-event"),
        (["diff", "URL", "--run-a", "r"], "missing option --run-b"),
        (["migrate", "--from", "URL"], "missing option --to"),
        (["inspect", "URL", "--tail", "many"], "--tail must be a whole number, not 'many'."),
        (["inspect", "URL", "--tail", "1.5"], "--tail must be a whole number, not '1.5'."),
        (["inspect", "URL", "--tail=0x10"], "--tail must be a whole number, not '0x10'."),
        (["completion", "tcsh"], "SHELL must be one of bash, zsh, fish, not 'tcsh'."),
        (["inspect", "URL", "extra"], "unexpected argument 'extra'"),
        (["inspect", "URL", "--", "--json"], "unexpected argument '--json'"),
        (["inspect", "URL", "-r", "a", "-r", "b"], "option -r was given more than once"),
        (["inspect", "URL", "--run-id="], "--run-id must not be empty"),
        (["inspect", "URL", "--event", ""], "--event must not be empty"),
        (["diff", "URL", "--run-a", "", "--run-b", "b"], "--run-a must not be empty"),
        (["migrate", "--from", "URL", "--to", "URL", "--run-id", ""], "--run-id must not be empty"),
        (["--log-level", "LOUD"], "--log-level takes one of DEBUG, INFO, WARNING, ERROR, CRITICAL, not 'LOUD'"),
    ],
)
def test_wrong_arguments_are_named_and_the_help_page_too(
    cli: Cli, url: str, arguments: list[str], message: str
) -> None:
    said = cli(*[url if word == "URL" else word for word in arguments])

    assert (said.code, said.out) == (2, "")
    command = "" if arguments[0].startswith("--") else arguments[0]
    assert said.err == f"{message}\nTry '{f'activegraph {command}'.strip()} --help'.\n"


@pytest.mark.parametrize("option", ["--run-id", "-r"])
@pytest.mark.parametrize("value", ["--json", "-x", "--nothing"])
def test_a_value_that_looks_like_an_option_is_none(cli: Cli, url: str, option: str, value: str) -> None:
    said = cli("inspect", url, option, value)

    assert said.code == 2
    assert said.err.startswith(f"option {option} needs a value; one that begins with a dash is written --run-id=VALUE")


@pytest.mark.parametrize("run_id", ["--json", "-x", "run id", "1", "null", "a=b", "{}", "[]"])
def test_ids_are_taken_literally(cli: Cli, url: str, run_id: str) -> None:
    said = cli("inspect", url, f"--run-id={run_id}")

    assert said.code == 3
    assert f"no run {run_id!r}" in said.err


def test_options_may_be_written_with_an_equals_sign(cli: Cli, url: str) -> None:
    assert cli("inspect", url, "--run-id=run_a", "--tail=1") == cli("inspect", url, "--run-id", "run_a", "--tail", "1")


def test_short_and_long_options_are_the_same(cli: Cli, url: str) -> None:
    assert cli("inspect", url, "-r", "run_a", "-n", "2", "-j") == cli(
        "inspect", url, "--run-id", "run_a", "--tail", "2", "--json"
    )


@pytest.mark.parametrize("option", ["-q", "--quiet", "--no-color", "--debug", "--log-level=INFO"])
def test_global_options_stand_before_or_after_the_command(cli: Cli, url: str, option: str) -> None:
    plain = cli("inspect", url)

    assert cli(option, "inspect", url).out == cli("inspect", url, option).out == plain.out


def test_letters_may_share_a_dash(cli: Cli, url: str) -> None:
    assert cli("inspect", url, "-qj").out == cli("inspect", url, "--json").out


def test_what_follows_a_double_dash_is_no_option(cli: Cli) -> None:
    said = cli("inspect", "--", "--version")

    assert said.code == 2
    assert "store URL '--version' has no scheme" in said.err


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ([], ["ERROR activegraph.x: worse"]),
        (["--log-level", "warning"], ["WARNING activegraph.x: bad postgres://u:***@h", "ERROR activegraph.x: worse"]),
        (["--log-level=CRITICAL"], []),
    ],
)
def test_log_lines_go_to_stderr_from_the_chosen_level_on(
    cli: Cli, url: str, monkeypatch: pytest.MonkeyPatch, options: list[str], shown: list[str]
) -> None:
    from activegraph.operations.replay import ReplaySummary

    def replay(*arguments: object, **more: object) -> ReplaySummary:
        logger = logging.getLogger("activegraph.x")
        logger.info("fine")
        logger.warning("bad postgres://u:secret@h")
        logger.error("worse")
        return ReplaySummary("run_a", 0, 0, 0)

    monkeypatch.setattr("activegraph.operations.replay.replay_run", replay)

    assert cli("replay", url, "-r", "run_a", *options).err.splitlines() == shown


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A replay that logs what it fails with, as the library does, and something else before."""

    def replay(*arguments: object, **more: object) -> None:
        logger = logging.getLogger("activegraph.x")
        error = activegraph.LogInconsistencyError("it is damaged", context={})
        logger.error("another", extra={"error_type": "LogInconsistencyError", "error_message": "other damage"})
        logger.critical("damage", extra={"error_type": type(error).__name__, "error_message": error.summary})
        raise error

    monkeypatch.setattr("activegraph.operations.replay.replay_run", replay)


@pytest.mark.usefixtures("failing")
def test_what_a_command_fails_with_is_said_once(cli: Cli, url: str) -> None:
    assert cli("replay", url, "-r", "run_a").err == "ERROR activegraph.x: another\nit is damaged\n"


@pytest.mark.usefixtures("failing")
def test_log_lines_that_were_asked_for_are_all_shown(cli: Cli, url: str) -> None:
    said = cli("replay", url, "-r", "run_a", "--log-level", "ERROR")

    assert said.err.splitlines() == [
        "ERROR activegraph.x: another",
        "CRITICAL activegraph.x: damage",
        "it is damaged",
    ]


@pytest.mark.parametrize(
    "command", [c for c in READS if c[0] in ("replay", "export-trace", "diff")], ids=lambda c: c[0]
)
@pytest.mark.parametrize(
    "text",
    [
        b"x",
        b"[1]",
        b'{"a":"\xff"}',
        b'{"a":1e999}',
        b'{"\\u0024ag.nope":1}',
        b'{"a":' + b"[" * 99999 + b"]" * 99999 + b"}",
    ],
    ids=["no JSON", "no object", "no UTF-8", "no float", "no tag", "no end"],
)
def test_damage_is_told_in_one_text_whatever_the_command(
    cli: Cli, database: Path, url: str, command: list[str], text: bytes
) -> None:
    from support.stored_runs import alter

    alter(database, "UPDATE events SET payload = CAST(? AS TEXT) WHERE id = 'evt_009'", text)

    said, shown = cli(command[0], url, *command[1:]), cli("inspect", url, "--event", "evt_009")

    assert (said.code, shown.code) == (4, 4)
    assert said.err.startswith("CorruptedEventPayloadError: the payload of event 'evt_009'")
    assert said.err.count("the payload of event 'evt_009' of run 'run_a' cannot be read") == 1
    assert said.err.splitlines()[0] == shown.err.splitlines()[0]


def test_a_logger_is_left_as_it_was(cli: Cli, url: str) -> None:
    logger = logging.getLogger("activegraph")
    before = (logger.level, list(logger.handlers))

    cli("inspect", url, "--log-level", "DEBUG")

    assert (logger.level, list(logger.handlers)) == before


def test_an_unexpected_error_is_one_line_and_no_traceback(cli: Cli, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise KeyError("postgres://u:secret@h/db\nsecond line")

    monkeypatch.setattr("activegraph.operations.replay.replay_run", fail)

    said = cli("replay", url, "-r", "run_a")

    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("internal error: KeyError: ")
    assert said.err.count("\n") == 1
    assert "/issues/new" in said.err
    assert "secret" not in said.err


def test_debug_shows_the_traceback_and_then_the_error(cli: Cli, url: str) -> None:
    said = cli("--debug", "inspect", url, "-r", "nope")

    assert said.code == 3
    assert "Traceback (most recent call last)" in said.err
    assert "RunNotFoundError: no run 'nope'" in said.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["inspect", "postgres://user:hunter2@nowhere.invalid/db"],
        ["inspect", "run.db", "postgres://user:hunter2@h/db"],
        ["inspect", "mysql://user:hunter2@h/db"],
        ["inspect", "postgres://user:hunter2@h:port/db"],
        ["inspect", "postgresql+psycopg://user:hunter2@h/db"],
        ["postgres://user:hunter2@h/db"],
        ["inspect", "--run-id", "x", "--event", "y", "postgres://user:hunter2@h/db?password=hunter2#f"],
    ],
)
def test_a_password_is_never_shown(cli: Cli, arguments: list[str]) -> None:
    said = cli(*arguments)

    assert said.code != 0
    assert "hunter2" not in said.out + said.err


def test_a_path_without_a_scheme_is_answered_with_both_spellings(cli: Cli) -> None:
    said = cli("inspect", "run.db")

    assert (said.code, said.out) == (2, "")
    assert "sqlite:///run.db" in said.err
    assert "sqlite:////tmp/run.db" in said.err


@pytest.mark.parametrize("command", READS, ids=lambda command: command[0])
def test_a_missing_store_is_not_found_and_not_made(cli: Cli, tmp_path: Path, command: list[str]) -> None:
    said = cli(command[0], f"sqlite:///{tmp_path}/missing.db", *command[1:])

    assert (said.code, said.out) == (3, "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [c for c in READS if len(c) > 1], ids=lambda command: command[0])
def test_an_unknown_run_is_not_found(cli: Cli, url: str, command: list[str]) -> None:
    said = cli(command[0], url, *[word.replace("run_a", "nope") for word in command[1:]])

    assert (said.code, said.out) == (3, "")
    assert "RunNotFoundError: no run 'nope'" in said.err


@pytest.mark.parametrize("command", [c for c in READS if len(c) > 1], ids=lambda command: command[0])
@pytest.mark.parametrize("place", ["url", "postgres_url"])
def test_a_run_whose_name_is_no_text_is_not_found_either(
    cli: Cli, request: pytest.FixtureRequest, place: str, command: list[str]
) -> None:
    where = request.getfixturevalue(place)
    record_prices(where, run_id="run_b")

    said = cli(command[0], where, *[word.replace("run_a", "run\udcff") for word in command[1:]])

    assert (said.code, said.out) == (3, "")
    assert "RunNotFoundError: no run 'run\\udcff'" in said.err


def test_a_store_without_runs_says_so(cli: Cli, tmp_path: Path) -> None:
    from activegraph.store import SQLiteEventStore

    SQLiteEventStore(tmp_path / "run.db", "run_a").close()

    said = cli("inspect", f"sqlite:///{tmp_path}/run.db")

    assert said.code == 3
    assert f"no runs found in sqlite:///{tmp_path}/run.db" in said.err


def test_an_unknown_event_is_not_found(cli: Cli, url: str) -> None:
    said = cli("inspect", url, "--event", "evt_999")

    assert (said.code, said.out) == (3, "")
    assert "evt_999" in said.err


@pytest.mark.parametrize("run_id", ["run_a", "anna's $HOME", "--json"])
def test_what_an_error_advises_can_be_pasted(cli: Cli, tmp_path: Path, run_id: str) -> None:
    url = f"sqlite:///{tmp_path / 'my (own) runs.db'}".replace(" ", "%20")
    append(url, run_id, event("evt_1"))
    said = cli("inspect", url, f"--run-id={run_id}", "--event", "evt_999")

    (advice,) = [line.strip() for line in said.err.splitlines() if "activegraph inspect " in line]
    command = advice[advice.index("activegraph inspect ") :]
    pasted = cli(*shlex.split(command)[1:])
    assert (pasted.code, pasted.lines[0]) == (0, f"run_id:           {run_id}")


@pytest.mark.parametrize("command", READS, ids=lambda command: command[0])
def test_a_file_that_is_no_database_is_corruption_and_stays_as_it_is(
    cli: Cli, tmp_path: Path, command: list[str]
) -> None:
    (tmp_path / "run.db").write_bytes(b"no database at all" * 100)

    said = cli(command[0], f"sqlite:///{tmp_path}/run.db", *command[1:])

    assert (said.code, said.out) == (4, "")
    assert "Traceback" not in said.err
    assert (tmp_path / "run.db").read_bytes() == b"no database at all" * 100


@pytest.mark.parametrize("command", READS, ids=lambda command: command[0])
def test_a_schema_of_another_version_is_corruption_and_stays_as_it_is(
    cli: Cli, database: Path, url: str, command: list[str]
) -> None:
    from support.stored_runs import alter, files_of

    alter(database, "UPDATE meta SET value = '99' WHERE key = 'schema_version'")
    before = files_of(database.parent)

    said = cli(command[0], url, *command[1:])

    assert (said.code, said.out) == (4, "")
    assert "SchemaVersionMismatch" in said.err
    assert files_of(database.parent) == before


@pytest.mark.parametrize("command", READS, ids=lambda command: command[0])
def test_a_directory_is_no_store(cli: Cli, tmp_path: Path, command: list[str]) -> None:
    said = cli(command[0], f"sqlite:///{tmp_path}", *command[1:])

    assert (said.code, said.out) == (1, "")
    assert "Traceback" not in said.err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("ReplayDivergenceError", 5),
        ("SchemaVersionMismatch", 4),
        ("CorruptedEventPayloadError", 4),
        ("LogInconsistencyError", 4),
        ("StoreNotFoundError", 3),
        ("RunNotFoundError", 3),
        ("EventNotFoundError", 3),
        ("FileNotFoundError", 3),
        ("InvalidStoreURL", 2),
        ("InvalidRuntimeConfiguration", 2),
        ("InvalidArgumentType", 2),
        ("StoreUnavailableError", 1),
        ("StoreReadOnlyError", 1),
        ("ConcurrentWriterError", 1),
        ("RunExistsError", 1),
        ("MissingOptionalDependency", 1),
        ("IncompatibleRuntimeState", 1),
        ("FileExistsError", 1),
        ("PermissionError", 1),
        ("ZeroDivisionError", 1),
    ],
)
def test_the_class_of_an_error_decides_the_exit_code(error: str, code: int) -> None:
    import builtins

    cls = getattr(activegraph, error, None) or getattr(builtins, error)

    assert exit_codes.exit_code_of(cls.__new__(cls)) == code


def test_the_gravest_class_of_an_error_decides() -> None:
    class Both(activegraph.LogInconsistencyError, activegraph.InvalidStoreURL):
        pass

    assert exit_codes.exit_code_of(Both("x")) == 4


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_completion_script_knows_commands_and_options(cli: Cli, shell: str) -> None:
    said = cli("completion", shell)

    assert said.code == 0
    assert "export-trace" in said.out
    assert "run-id" in said.out


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("ex", "export-trace"),
        ("inspect sqlite:///run.db --pack", "--pack-version"),
        ("inspect sqlite:///run.db --qu", "--quiet"),
        ("fork sqlite:///run.db --run-id run_a --at", "--at-event"),
        ("export-trace sqlite:///run.db --format j", "jsonl"),
        ("completion f", "fish"),
    ],
)
def test_bash_completes_what_is_typed(cli: Cli, tmp_path: Path, words: str, offered: str) -> None:
    (tmp_path / "script").write_text(cli("completion", "bash").out)
    typed = f"source ./script; COMP_WORDS=(activegraph {words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))"
    asked = f"{typed}; _activegraph; echo ${{COMPREPLY[*]}}; complete -p activegraph"

    said = subprocess.run(["bash", "-c", asked], cwd=tmp_path, capture_output=True, text=True, check=True)

    assert said.stdout.splitlines() == [offered, "complete -o default -F _activegraph activegraph"]


def test_completion_needs_a_shell_that_it_knows(cli: Cli) -> None:
    assert cli("completion").code == 2
    assert cli("completion", "csh").code == 2


def test_completion_is_installed_for_the_shell_that_is_named(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)

    said = cli("completion", "fish", "--install")

    place = tmp_path / ".config/fish/completions/activegraph.fish"
    assert (said.code, said.out) == (0, "")
    assert said.err == f"installed completion at {place}; it works in new shells\n"
    assert "export-trace" in place.read_text()


def test_completion_for_the_current_shell_is_installed_or_asks_which_it_is(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("cyclopts.completion.detect.detect_shell", lambda: "fish")

    assert cli("--install-completion").code == 0


def test_json_is_one_value_on_one_line(cli: Cli, url: str) -> None:
    for command in READS:
        if command[0] == "export-trace":
            continue
        said = cli(command[0], url, *command[1:], "--json")
        assert said.out.count("\n") == 1, command
        json.loads(said.out)


def test_no_module_of_the_command_line_is_loaded_to_show_help() -> None:
    code = "from activegraph.cli.main import main; main(['--help']); import sys; sys.stderr.write(str('cyclopts' in sys.modules))"
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert finished.stderr == "False"
