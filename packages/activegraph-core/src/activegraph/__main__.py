"""`python -m activegraph`: the command line, which is a distribution of its own."""

from __future__ import annotations

import sys
from importlib import import_module


def main() -> int:
    """Run the command line; 1 where it is not installed."""
    try:
        cli = import_module("activegraph.cli.main")
    except ModuleNotFoundError as error:
        if error.name not in ("activegraph.cli", "activegraph.cli.main"):
            raise
        from activegraph.errors import MissingOptionalDependency

        missing = MissingOptionalDependency(package="activegraph-cli", feature="python -m activegraph")
        sys.stderr.write(f"{missing}\n")
        return 1
    code: int = cli.console()
    return code


if __name__ == "__main__":
    raise SystemExit(main())
