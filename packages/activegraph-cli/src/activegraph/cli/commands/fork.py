"""`activegraph fork`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Annotated

from activegraph.cli import render
from activegraph.cli.exit_codes import EXIT_OK, EXIT_USAGE_ERROR
from activegraph.cli.parameters import Here, Json, RunId, Url, option


def fork(
    url: Url,
    /,
    *,
    run_id: RunId,
    at_event: Annotated[str, option("--at-event", "-a", help="The last event that the new run shares.")],
    label: Annotated[str | None, option("--label", "-l", help="A name for the new run.")] = None,
    to: Annotated[str | None, option("--to", help="Another store to make it in.")] = None,
    set_: Annotated[
        tuple[str, ...], option("--set", help="A pack's setting that the new run is to have; may be repeated.")
    ] = (),
    record: Annotated[bool, option("--record", help="Mark it as a new recording.")] = False,
    json: Json = False,
    console: Here,
) -> int:
    """Begin a new run with another's events up to and including one of them. It is dormant until it is loaded.

    The parent is not changed. A parent with a damaged event up to there is refused. Settings of packs that
    were loaded by then may be overridden: --set incident_review.conflict_confidence=0.9
    """
    from activegraph.errors import InvalidRuntimeConfiguration
    from activegraph.operations.fork import fork_readable_run
    from activegraph.operations.inspect import packs_of_run
    from activegraph.packs.assignments import read_assignments
    from activegraph.store import parse_store_url
    from activegraph.store.forking import same_store

    if record:
        label = f"{label}-recording" if label else "recording"
    elsewhere = to is not None and not same_store(parse_store_url(url), parse_store_url(to))
    try:
        settings = read_assignments(set_)
        with console.foreign_code(), _without_warnings(), console.progress("fork", "events", quiet=json) as tell:
            made = fork_readable_run(
                url,
                run_id=run_id,
                at_event=at_event,
                label=label,
                to_url=to,
                pack_settings=settings,
                on_progress=tell,
            )
    except InvalidRuntimeConfiguration as error:
        console.error(error.summary)
        return EXIT_USAGE_ERROR
    if json:
        console.print(render.fork_json(made, elsewhere=elsewhere, recording=record, overrides=settings))
    else:
        console.print(render.fork_text(made, elsewhere=elsewhere, recording=record))
    console.note(f'to continue: Runtime.load("{made.to_url}", run_id="{made.new_run_id}")')
    packs = sorted({pack.pack for pack in packs_of_run(to or url, made.new_run_id)})
    if packs:
        # Without them its events would be dispatched to nobody, and the work that it owes be gone.
        console.note(f"its packs are code, so give them along, as packs=[...]: {', '.join(packs)}")
    return EXIT_OK


@contextlib.contextmanager
def _without_warnings() -> Iterator[None]:
    """Installed packs that cannot be imported are none of a fork's business, if they are not the one it asks for."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
