"""`activegraph export-trace`."""

from __future__ import annotations

from typing import IO, Annotated, Literal, cast

from activegraph.cli.exit_codes import EXIT_OK
from activegraph.cli.parameters import Here, RunId, Url, option


def export_trace(
    url: Url,
    /,
    *,
    run_id: RunId,
    format: Annotated[
        Literal["text", "jsonl"], option("--format", "-f", help="Lines for people, or one JSON event a line.")
    ] = "text",
    output: Annotated[
        str | None, option("--output", "-o", "--out", help="A file that appears when it is whole; - is stdout.")
    ] = None,
    console: Here,
) -> int:
    """Write the events of a run: as the lines that the live run printed, or as canonical JSON lines.

    It streams, so a run may be of any length.
    """
    from activegraph.operations.export import export_run, export_run_to

    if output is None or output == "-":
        export_run(url, run_id, cast("IO[bytes]", console.result), format=format)
        return EXIT_OK
    with console.progress("export-trace", "events") as tell:
        written = export_run_to(output, url, run_id, format=format, on_progress=tell)
    console.note(f"wrote {written} events to {output}")
    return EXIT_OK
