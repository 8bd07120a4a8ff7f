"""`activegraph completion`."""

from __future__ import annotations

from typing import Annotated, Literal

from activegraph.cli.app import GLOBAL_NAMES, PROGRAM, make_app
from activegraph.cli.errors import UsageError
from activegraph.cli.exit_codes import EXIT_OK
from activegraph.cli.parameters import Here, argument, option


def completion(
    shell: Annotated[Literal["bash", "zsh", "fish"] | None, argument("SHELL", "bash, zsh or fish.")] = None,
    /,
    *,
    install: Annotated[bool, option("--install", help="Install it for the shell that runs this.")] = False,
    console: Here,
) -> int:
    """Print a script that completes commands and options; your shell's manual says where it goes."""
    app = make_app()
    # The parser never sees them; to the script they are flags like these.
    app.help_flags = tuple(GLOBAL_NAMES)
    if install:
        from cyclopts.completion.detect import ShellDetectionError

        try:
            place = app.install_completion(shell=shell)
        except (ShellDetectionError, ValueError) as error:
            raise UsageError(
                f"the shell cannot be told ({error}); name it: completion bash|zsh|fish", "completion"
            ) from None
        console.note(f"installed completion at {place}; it works in new shells")
        return EXIT_OK
    if shell is None:
        raise UsageError("missing argument SHELL", "completion")
    script = app.generate_completion(shell=shell).rstrip("\n")
    if shell == "bash":
        # Where the script knows nothing, a file may be meant.
        script = script.replace(f"complete -F _{PROGRAM} {PROGRAM}", f"complete -o default -F _{PROGRAM} {PROGRAM}")
    console.print(script)
    return EXIT_OK
