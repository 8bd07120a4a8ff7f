"""`activegraph replay`."""

from __future__ import annotations

from typing import Annotated

from activegraph.cli import render
from activegraph.cli.errors import UsageError
from activegraph.cli.exit_codes import EXIT_OK
from activegraph.cli.imports import options_of
from activegraph.cli.parameters import Here, Json, RunId, Url, option


def replay(
    url: Url,
    /,
    *,
    run_id: RunId,
    strict: Annotated[bool, option("--strict", help="Run the behaviors again, and compare.")] = False,
    modules: Annotated[
        tuple[str, ...],
        option("--import", help="With --strict: a module that declares behaviors; FUNC gives arguments for the load."),
    ] = (),
    json: Json = False,
    console: Here,
) -> int:
    """Rebuild a run's graph from its log and say how large it is. No behavior fires, nothing is written.

    With --strict, behaviors run again and what they do is compared with the log; exit 5 if it differs.
    """
    if modules and not strict:
        raise UsageError("--import goes with --strict", "replay")
    with console.foreign_code(), console.progress("replay", "events", quiet=json) as tell:
        if strict:
            options = options_of(modules)
            from activegraph.operations.strict_replay import replay_strictly

            summary = replay_strictly(url, run_id, on_progress=tell, **options)
        else:
            from activegraph.operations.replay import replay_run

            summary = replay_run(url, run_id, on_progress=tell)
    shown = render.replay_json if json else render.replay_text
    console.print(shown(summary, strict=strict))
    return EXIT_OK
