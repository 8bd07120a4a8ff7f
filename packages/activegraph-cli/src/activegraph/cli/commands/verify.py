"""`activegraph verify`."""

from __future__ import annotations

from typing import Annotated

from activegraph.cli import render
from activegraph.cli.errors import UsageError
from activegraph.cli.exit_codes import EXIT_CORRUPTION, EXIT_OK
from activegraph.cli.parameters import Here, Json, Url, option


def verify(
    url: Url,
    /,
    *,
    run_id: Annotated[str | None, option("--run-id", "-r", help="One run; else all runs of the store.")] = None,
    expect: Annotated[
        str | None, option("--expect", help="With --run-id: a head that was written down before, as it is printed.")
    ] = None,
    json: Json = False,
    console: Here,
) -> int:
    """Check that logs are what was written: positions, payloads, digests, causes, and that they project.

    One line per run; exit 4 if any is broken. A log that was cut off can be told only by --expect.
    """
    from activegraph.store import list_runs, verify_run

    trusted = None if expect is None else _head(expect, run_id)
    chosen = [record.run_id for record in list_runs(url)] if run_id is None else [run_id]
    reports = [verify_run(url, one, expected_head=trusted) for one in chosen]
    if json:
        console.print(render.verify_json(reports))
    else:
        for report in reports:
            console.print(render.verify_text(report))
        if not reports:
            console.note("note: the store holds no runs")
    return EXIT_OK if all(report.ok for report in reports) else EXIT_CORRUPTION


def _head(expect: str, run_id: str | None) -> tuple[int, str]:
    if run_id is None:
        raise UsageError("--expect needs --run-id", "verify")
    count, _, digest = expect.partition(":")
    if not (count.isascii() and count.isdigit()) or len(digest) != 64 or set(digest.lower()) - set("0123456789abcdef"):
        raise UsageError(f"--expect must be COUNT:DIGEST with a digest of 64 hex digits, not '{expect}'", "verify")
    return int(count), digest.lower()
