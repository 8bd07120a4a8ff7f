"""Runs the contestants in turn and prints the table."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from benchmarks.contest import run
from benchmarks.rows import ROWS, Row

README = Path(__file__).with_name("README.md")
MARKS = ("<!-- table -->", "<!-- end of table -->")


class Server:
    """A durable server (fsync on) that is started when a row first needs it; a schema per contestant."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._url: str | None = None

    @contextmanager
    def schema(self) -> Iterator[str]:
        """URL of an empty schema."""
        import psycopg
        from support.postgres_fixtures import with_search_path
        from support.postgres_server import PostgresServer

        if self._url is None:
            self._url = self._stack.enter_context(PostgresServer(durable=True)).url
        name = f"b_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {name}")
            yield with_search_path(self._url, name)
            connection.execute(f"DROP SCHEMA {name} CASCADE")
            connection.execute("CHECKPOINT")


def figure(contestant: str, options: Mapping[str, str], server: Server) -> float:
    """One measurement in a folder, and a schema where one is needed, of its own."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench")))
        if "{postgres}" in options.values():
            url = stack.enter_context(server.schema())
            options = {key: url if value == "{postgres}" else value for key, value in options.items()}
        # What the contestant before has left to be written would be paid for by the syncs of this one.
        os.sync()
        return run(contestant, folder, options)


def measured(row: Row, rounds: int, server: Server) -> str:
    """The row's line of the table."""
    ours: list[float] = []
    floors: list[float] = []
    contestants = [(ours, row.ours, row.options)]
    if row.floor is not None:
        contestants.append((floors, row.floor, row.floor_options))
    for _ in range(rounds):
        contestants.reverse()
        for figures, contestant, options in contestants:
            figures.append(figure(contestant, options, server))
    result = median(ours) / median(floors) if floors else median(ours)
    verdict = "" if row.reach is None else ("yes" if result <= row.reach else "**no**")
    unit = "" if floors else f" {row.unit}"
    reach = "" if row.reach is None else f"{row.reach:g}{unit}"
    return (
        f"| {row.name} | {result:.3g}{unit} | {reach} | {verdict} | {_spread(ours, row.unit)} | "
        f"{_spread(floors, row.unit) if floors else ''} |"
    )


def _spread(figures: list[float], unit: str) -> str:
    return f"{median(figures):.3g} {unit} ({min(figures):.3g} to {max(figures):.3g})"


def main() -> None:
    """Measure the chosen rows."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("words", nargs="*", help="only rows whose name holds one of these")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="put the table into benchmarks/README.md")
    chosen = parser.parse_args()
    rows = [row for row in ROWS if not chosen.words or any(word in row.name for word in chosen.words)]
    lines = ["| row | result | reach | held | ours | floor |", "|---|---|---|---|---|---|"]
    with ExitStack() as stack:
        server = Server(stack)
        for line in lines:
            print(line, flush=True)
        for row in rows:
            lines.append(measured(row, chosen.rounds, server))
            print(lines[-1], flush=True)
    if chosen.write:
        _write(lines)


def _write(lines: list[str]) -> None:
    text = README.read_text(encoding="utf-8")
    head, rest = text.split(MARKS[0])
    tail = rest.split(MARKS[1])[1]
    when = datetime.now(UTC).strftime("%Y-%m-%d")
    about = f"Measured {when} on {platform.machine()}, Python {platform.python_version()}, {_processor()}."
    body = "\n".join([MARKS[0], about, "", *lines, MARKS[1]])
    README.write_text(head + body + tail, encoding="utf-8")


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "an unknown processor"


if __name__ == "__main__":
    main()
