"""`activegraph replay`."""

from __future__ import annotations

from typing import Annotated

from activegraph.cli import render
from activegraph.cli.console import Console
from activegraph.cli.errors import UsageError
from activegraph.cli.exit_codes import EXIT_OK
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
    if strict:
        return _strict(url, run_id, modules, console, json=json)
    from activegraph.operations.replay import replay_run

    with console.progress("replay", "events", quiet=json) as tell:
        summary = replay_run(url, run_id, on_progress=tell)
    console.print(render.replay_json(summary) if json else render.replay_text(summary))
    return EXIT_OK


def _strict(url: str, run_id: str, modules: tuple[str, ...], console: Console, *, json: bool) -> int:
    from activegraph.errors import IncompatibleRuntimeState

    raise IncompatibleRuntimeState(
        "strict replay is not part of this version",
        what_failed=f"`replay --strict` of run {run_id!r}. Nothing was run.",
        why="A strict replay needs the recorded answers of models and tools, which are not served yet.",
        how_to_fix=f"activegraph replay {url} --run-id {run_id}",
        context={"run_id": run_id},
    )
