"""Runs one command beside a temporary PostgreSQL server: `python -m support.with_postgres COMMAND...`.

Each `{postgres}` in the command becomes the server's URL. `ACTIVEGRAPH_TEST_POSTGRES_URL` names
another server to use. Exit code 77 says that there is none, and no program to start one.
"""

from __future__ import annotations

import os
import subprocess
import sys

from support.postgres_server import PostgresServer, ServerDidNotStart

__all__ = ["NO_SERVER", "main"]

NO_SERVER = 77


def main(command: list[str]) -> int:
    """The exit code of `command`, or `NO_SERVER`."""
    if given := os.environ.get("ACTIVEGRAPH_TEST_POSTGRES_URL"):
        return _run(command, given)
    try:
        with PostgresServer() as server:
            return _run(command, server.url)
    except ServerDidNotStart as refusal:
        print(f"no PostgreSQL server: {refusal}", file=sys.stderr)
        return NO_SERVER


def _run(command: list[str], url: str) -> int:
    return subprocess.run([part.replace("{postgres}", url) for part in command], check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
