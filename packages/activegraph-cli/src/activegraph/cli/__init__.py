"""The `activegraph` command line: `main(argv)` returns the exit code that the command gives its shell."""

from typing import TYPE_CHECKING

from activegraph.cli.exit_codes import EXIT_CODES

if TYPE_CHECKING:
    from activegraph.cli.main import main
else:
    # The module, which can be called: its path and the function's are one.
    import activegraph.cli.main as main

__all__ = ["EXIT_CODES", "main"]
