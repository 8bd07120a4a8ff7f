"""`activegraph diff`."""

from __future__ import annotations

from typing import Annotated

from activegraph.cli import render
from activegraph.cli.exit_codes import EXIT_DIVERGENCE, EXIT_OK
from activegraph.cli.parameters import Here, Json, Url, option


def diff(
    url: Url,
    /,
    *,
    run_a: Annotated[str, option("--run-a", help="One run, called parent.")],
    run_b: Annotated[str, option("--run-b", help="The other, called fork.")],
    exit_code: Annotated[bool, option("--exit-code", help="Exit 5 if the runs differ.")] = False,
    json: Json = False,
    console: Here,
) -> int:
    """Compare two runs of one store: the events that they share, then objects and relations that differ."""
    from activegraph.operations.diff import diff_runs

    with console.progress("diff", "events", quiet=json) as tell:
        found = diff_runs(url, run_a, run_b, on_progress=tell)
    console.print(render.diff_json(found) if json else render.diff_text(found))
    return EXIT_DIVERGENCE if exit_code and not found.is_identical else EXIT_OK
