"""One call of the command line: find the command, run it, and turn what goes wrong into text and an exit code."""

from __future__ import annotations

import contextlib
import os
import sys

from activegraph.cli.app import COMMANDS, PROGRAM, command_named, parse
from activegraph.cli.console import Console, ResultLost
from activegraph.cli.errors import UsageError
from activegraph.cli.exit_codes import EXIT_GENERIC_ERROR, EXIT_INTERRUPTED, EXIT_OK, exit_code_of
from activegraph.cli.global_options import GlobalOptions, split_global_options

__all__ = ["run"]


def run(arguments: list[str]) -> int:
    """Run the command that `arguments` name; returns its exit code."""
    options, console = GlobalOptions(), Console()
    try:
        options, tokens = split_global_options(arguments)
        console = Console(quiet=options.quiet, no_color=options.no_color or _wants_json(tokens))
        code = _run(tokens, options, console)
        console.result.flush()
    except BrokenPipeError:
        # Whoever read the result has seen enough.
        _give_up_stdout()
        return EXIT_OK
    except KeyboardInterrupt:
        console.error("interrupted")
        _hand_on(console)
        return EXIT_INTERRUPTED
    except SystemExit as error:
        # Code that a command imported for the user asked for it.
        _hand_on(console)
        return error.code if isinstance(error.code, int) else EXIT_OK if error.code is None else EXIT_GENERIC_ERROR
    except Exception as error:
        return _failed(error, console, options)
    return code


def _wants_json(tokens: list[str]) -> bool:
    """Whether a program reads this: what is said beside its JSON is for a file or a screen that it chooses."""
    words = tokens[: tokens.index("--")] if "--" in tokens else tokens
    return any(word.partition("=")[0] in ("--json", "-j") for word in words)


def _run(tokens: list[str], options: GlobalOptions, console: Console) -> int:
    if options.version:
        from activegraph import __version__

        console.print(f"{PROGRAM} {__version__}")
        return EXIT_OK
    if tokens == ["--install-completion"]:
        tokens = ["completion", "--install"]
    if tokens[:1] == ["help"]:
        # `help fork` is what many a program takes, so `fork --help` is what it means here.
        options.help, tokens = True, tokens[1:]
    command = command_named(tokens)
    if options.help or not command:
        from activegraph.cli.help import help_page

        console.print(help_page(command))
        return EXIT_OK
    if command not in COMMANDS:
        raise UsageError(f"'{command}' needs a command behind it", command)
    call = parse(command, tokens)
    extra = {"console": console} if call.wants_console else {}
    from activegraph.cli.logs import logs_to_stderr

    with logs_to_stderr(options.log_level):
        return call.function(*call.arguments, **call.options, **extra)


def _failed(error: Exception, console: Console, options: GlobalOptions) -> int:
    _hand_on(console)
    if options.debug:
        import traceback

        console.error("".join(traceback.format_exception(error)).rstrip())
    if isinstance(error, ResultLost):
        _give_up_stdout()
        console.error(f"the result cannot be written: {error.strerror}")
        return EXIT_GENERIC_ERROR
    console.error(_text_of(error))
    return exit_code_of(error)


def _text_of(error: Exception) -> str:
    if isinstance(error, UsageError):
        if not error.hint:
            return error.message
        return f"{error.message}\nTry '{' '.join([PROGRAM, *error.command.split()])} --help'."
    from activegraph.errors import GITHUB_NEW_ISSUE_URL, ActiveGraphError

    if isinstance(error, ActiveGraphError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        name = "" if error.filename is None else f": {os.fsdecode(error.filename)}"
        return f"{error.strerror}{name or _of_the_folder(error)}"
    summary = " ".join(str(error).split())
    return f"internal error: {type(error).__name__}: {summary} (please report it: {GITHUB_NEW_ISSUE_URL})"


def _of_the_folder(error: OSError) -> str:
    """Where nothing is named, it may be the current folder that is missed: it can be removed under one's feet."""
    if isinstance(error, FileNotFoundError):
        try:
            os.getcwd()
        except FileNotFoundError:
            return ": the current folder has been removed"
    return ""


def _hand_on(console: Console) -> None:
    """Hand on what there is of a result that ends early; nobody may be there to read it any more."""
    try:
        console.result.flush()
    except OSError:
        _give_up_stdout()


def _give_up_stdout() -> None:
    """Let nothing more be written: what is buffered would fail again when the interpreter ends."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
