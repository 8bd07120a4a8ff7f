"""The `activegraph` command: arguments in, exit code out.

`main` never raises `SystemExit` and never lets a traceback out; `console` is what the script and
`python -m activegraph` call.
"""

from __future__ import annotations

import sys
from types import ModuleType

from activegraph.cli.exit_codes import (
    EXIT_CODES,
    EXIT_CORRUPTION,
    EXIT_DIVERGENCE,
    EXIT_GENERIC_ERROR,
    EXIT_INTERRUPTED,
    EXIT_NOT_FOUND,
    EXIT_OK,
    EXIT_USAGE_ERROR,
)

__all__ = [
    "EXIT_CODES",
    "EXIT_CORRUPTION",
    "EXIT_DIVERGENCE",
    "EXIT_GENERIC_ERROR",
    "EXIT_NOT_FOUND",
    "EXIT_OK",
    "EXIT_USAGE_ERROR",
    "console",
    "main",
]


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit code.

    Args:
        argv: The words behind the program's name; None for those of this process.
    """
    from activegraph.cli.session import run

    return run(sys.argv[1:] if argv is None else list(argv))


def console() -> int:
    """`main` for a process of its own: an interrupt while it starts is an interrupt too."""
    try:
        return main()
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return EXIT_INTERRUPTED


class _Callable(ModuleType):
    """The package promises a function `main`, and this module has its path: so the module can be called."""

    def __call__(self, argv: list[str] | None = None) -> int:
        return main(argv)


sys.modules[__name__].__class__ = _Callable
