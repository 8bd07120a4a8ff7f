"""`activegraph inspect`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from activegraph.cli import render
from activegraph.cli.console import Console
from activegraph.cli.errors import UsageError
from activegraph.cli.exit_codes import EXIT_CORRUPTION, EXIT_OK
from activegraph.cli.parameters import Here, Json, OptionalRunId, Url, number_option, option

if TYPE_CHECKING:
    from activegraph.operations.inspect import Inspection


def inspect(
    url: Url,
    /,
    *,
    run_id: OptionalRunId = None,
    tail: Annotated[int, number_option("--tail", "-n", help="How many of the newest events to show.")] = 20,
    json: Json = False,
    event: Annotated[str | None, option("--event", "-e", help="Show this event with its payload instead.")] = None,
    behaviors: Annotated[bool, option("--behaviors", help="Show what fired in the whole run instead.")] = False,
    pack_version: Annotated[bool, option("--pack-version", help="Show the loaded packs and prompts instead.")] = False,
    console: Here,
) -> int:
    """Show where a stored run stands: its state, what it owes, its budget, what fired, and its newest events.

    Nothing is loaded and nothing is written, so it may be asked while the run works.
    """
    from activegraph.operations.inspect import behaviors_of_run, event_of_run, inspect_stored_run, packs_of_run

    if (event is not None) + behaviors + pack_version > 1:
        raise UsageError("--event, --behaviors and --pack-version are mutually exclusive", "inspect")
    if tail < 0:
        raise UsageError(f"--tail must be 0 or more, not {tail}", "inspect")
    if event is not None:
        found = event_of_run(url, run_id, event)
        console.print(render.event_json(found) if json else render.event_text(found))
    elif behaviors:
        fired = behaviors_of_run(url, run_id)
        console.print(render.behaviors_json(fired) if json else render.behaviors_text(fired))
    elif pack_version:
        packs = packs_of_run(url, run_id)
        console.print(render.packs_json(packs) if json else render.packs_text(packs))
    else:
        inspection = inspect_stored_run(url, run_id, recent=tail)
        console.print(render.inspection_json(inspection) if json else render.inspection_text(inspection))
        return _noted(inspection, console, json=json)
    return EXIT_OK


def _noted(inspection: Inspection, console: Console, *, json: bool) -> int:
    from activegraph.operations.inspect import BEHAVIOR_WINDOW

    run_id = inspection.status.run_id
    if inspection.behaviors_cut and not json:
        console.note(
            f"note: behaviors are those of the last {BEHAVIOR_WINDOW:,} events; `--behaviors` reads the whole run"
        )
    if inspection.delays_unseen and not json:
        console.note(
            f"note: invocations that were delayed before the last {BEHAVIOR_WINDOW:,} events are not looked for "
            "in so long a run; if some are due now, queue_depth is one more"
        )
    if inspection.status.queue_depth and not json:
        console.note(
            f"note: run {run_id} owes work; its last event is from {_age(inspection.last_timestamp)}. "
            "Make sure that no other process runs it before you resume it."
        )
    if inspection.unknown:
        console.note(
            f"note: {' and '.join(inspection.unknown)} cannot be told: "
            f"the payload of {' and '.join(inspection.damaged)} is damaged"
        )
        return EXIT_CORRUPTION
    return EXIT_OK


def _age(timestamp: str | None) -> str:
    """How long ago, in the largest unit that fits; the time itself where that cannot be told."""
    from datetime import UTC, datetime

    try:
        then = datetime.fromisoformat(timestamp or "")
    except ValueError:
        return timestamp or "an unknown time"
    then = then if then.tzinfo is not None else then.replace(tzinfo=UTC)
    seconds = int((datetime.now(UTC) - then).total_seconds())
    if seconds < 0:
        return f"{timestamp}"
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            count = seconds // length
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return f"{seconds} second{'' if seconds == 1 else 's'} ago"
