"""`activegraph migrate`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from activegraph.cli import render
from activegraph.cli.exit_codes import EXIT_GENERIC_ERROR, EXIT_NOT_FOUND, EXIT_OK
from activegraph.cli.parameters import Here, Json, option

if TYPE_CHECKING:
    from activegraph.operations.migrate import MigrationReport


def migrate(
    *,
    source: Annotated[str, option("--from", help="The store to copy from; it is only read.")],
    destination: Annotated[str, option("--to", help="The store to copy to.")],
    run_id: Annotated[tuple[str, ...], option("--run-id", "-r", help="Only this run; may be repeated.")] = (),
    skip_corrupted: Annotated[
        bool, option("--skip-corrupted", help="Leave out events whose payload cannot be read, and list them.")
    ] = False,
    json: Json = False,
    console: Here,
) -> int:
    """Copy runs into another store, each in one transaction. A second call copies only what is missing.

    A run that fails leaves the destination as it was, and does not stop the others.
    """
    from activegraph.operations.migrate import migrate as copy_runs

    chosen = list(dict.fromkeys(run_id))
    with console.progress("migrate", "events", quiet=json) as tell:
        report = copy_runs(
            source, destination, only_run_ids=chosen or None, skip_corrupted=skip_corrupted, on_events=tell
        )
    console.print(render.migration_json(report) if json else render.migration_text(report))
    if report.ok:
        return EXIT_OK
    return EXIT_NOT_FOUND if len(chosen) == 1 and _is_unknown(report) else EXIT_GENERIC_ERROR


def _is_unknown(report: MigrationReport) -> bool:
    return all((run.error or "").startswith("RunNotFoundError:") for run in report.failures)
