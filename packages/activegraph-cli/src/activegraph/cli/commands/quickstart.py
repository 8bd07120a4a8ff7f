"""`activegraph quickstart`."""

from __future__ import annotations

from typing import Annotated

from activegraph.cli.errors import UsageError
from activegraph.cli.parameters import Here, option


def quickstart(
    *,
    interactive: Annotated[
        bool, option("--interactive", help="Write a behavior of your own, and watch it fire.")
    ] = False,
    db: Annotated[
        str | None,
        option(
            "--db",
            help="The SQLite file that keeps the run; else one in the temporary directory, with --input incident_review.db.",
        ),
    ] = None,
    input: Annotated[str | None, option("--input", help="Review this Postgres jsonlog instead.")] = None,
    model: Annotated[
        str | None,
        option("--model", help="With --input: this model investigates, not rules; its key is in the environment."),
    ] = None,
    console: Here,
) -> int:
    """Run the reference pack over its incidents, offline: no network, no key. With --input, over your own log."""
    from activegraph.cli import quickstart as tour

    if interactive and input is not None:
        raise UsageError("--interactive and --input exclude each other", "quickstart")
    if interactive and db is not None:
        raise UsageError("--interactive and --db exclude each other", "quickstart")
    if db is not None and "://" in db:
        raise UsageError("--db takes the path of a SQLite file, not a URL", "quickstart")
    if model is not None and input is None:
        raise UsageError("--model goes with --input", "quickstart")
    if interactive:
        return tour.run_interactive_mode()
    if input is not None:
        return tour.review_file(input, db_path=db, model=model, progress=console.progress)
    return tour.run_fixture_mode(db_path=db)
