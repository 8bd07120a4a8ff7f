"""`python -m activegraph.store.postgres --ddl`: the statements that make the tables."""

from __future__ import annotations

import sys

from activegraph.store.postgres.schema import ddl


def main(arguments: list[str]) -> int:
    """Print the DDL without connecting; 2 for anything else."""
    if arguments != ["--ddl"]:
        sys.stderr.write("usage: python -m activegraph.store.postgres --ddl\n")
        return 2
    sys.stdout.write(ddl())
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
