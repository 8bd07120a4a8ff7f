"""A difference as the error that tells of it: which event, whose doing, what was recorded and what was done, and why."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from activegraph.core.codec import decode_canonical
from activegraph.core.event import raw_payload
from activegraph.errors import ReplayDivergenceError
from activegraph.errors.advice import option
from activegraph.runtime.log_rows import LogRow
from activegraph.runtime.verification.causes import likely_cause
from activegraph.runtime.verification.comparing import Difference
from activegraph.runtime.verification.differences import Leaf, differing_leaves, readable

__all__ = ["divergence"]


def divergence(
    difference: Difference,
    *,
    run_id: str,
    url: str,
    began_after: LogRow | None,
    is_same_again: bool,
    unregistered: Sequence[str],
    failure: bytes | None,
) -> ReplayDivergenceError:
    """The error.

    Args:
        url: Of the store, as it may be shown.
        began_after: The last event before the invocation that differs.
        is_same_again: Whether a second re-execution came to the same difference.
        unregistered: Behaviors of the record that are not there now.
        failure: Payload of a `behavior.failed` before the difference that the record does not have.
    """
    row = difference.row
    error = ReplayDivergenceError(event_id=row.id, expected=difference.expected, actual=difference.actual)
    leaves = _leaves(difference)
    cause = likely_cause(difference, leaves, is_same_again=is_same_again, unregistered=unregistered, failure=failure)
    who, lines = _behavior(difference), readable(leaves)
    error.what_failed = "\n".join(
        [
            f"Event {row.id!r} ({row.type}), position {row.position} of run {run_id!r}"
            + ("" if who is None else f", behavior {who!r}")
            + ":",
            *(lines or [f"  - {difference.expected}", f"  + {_nothing(difference.actual)}"]),
            f"Likely cause: {cause}.",
        ]
    )
    error.how_to_fix = _ways_on(row.id, run_id, url, began_after)
    error.context.update(run_id=run_id, behavior=who, position=row.position, cause=cause, diff=lines)
    return error


def _ways_on(event_id: str, run_id: str, url: str, began_after: LogRow | None) -> str:
    run = f"{shlex.quote(url)} {option('--run-id', run_id)}"
    ways = [
        f"Look at the event: activegraph inspect {run} {option('--event', event_id)}",
        f"Which behaviors fired: activegraph inspect {run} --behaviors",
        f"Which pack and prompts: activegraph inspect {run} --pack-version",
        "Correct the code, and replay again. Or, if the change is meant, record anew in a fork:",
    ]
    if began_after is not None and began_after.id != event_id:
        ways.append(
            f"    activegraph fork {run} {option('--at-event', began_after.id)} --record   (before the behavior began)"
        )
    ways.append(f"    activegraph fork {run} {option('--at-event', event_id)} --record   (behind what is recorded)")
    return "\n".join(ways)


def _nothing(actual: str | None) -> str:
    return "(nothing more)" if actual is None else actual


def _behavior(difference: Difference) -> str | None:
    """Whose doing it is: the one that acts now, or the one that acted then."""
    event, row = difference.event, difference.row
    now = None if event is None else _actor(event.actor, raw_payload(event))
    return _actor(row.actor, row.payload) if now is None else now


def _actor(actor: str | None, payload: bytes | str) -> str | None:
    """Who acted; the behavior that it tells of, where the runtime did."""
    if actor != "runtime":
        return actor
    name = decode_canonical(payload).get("behavior")
    return name if isinstance(name, str) else None


def _leaves(difference: Difference) -> list[Leaf]:
    """Where recorded and actual payload differ, as far as they are compared."""
    expected, actual = difference.expected, difference.actual or ""
    if expected.startswith("payload=") and actual.startswith("payload="):
        return list(differing_leaves(decode_canonical(expected[8:]), decode_canonical(actual[8:])))
    if expected.startswith("prompt_hash=") and difference.event is not None:
        asked, asks = (
            _prompt(decode_canonical(text)) for text in (difference.row.payload, raw_payload(difference.event))
        )
        return list(differing_leaves(asked, asks))
    return []


def _prompt(payload: dict[str, Any]) -> dict[str, Any]:
    return {key: payload[key] for key in ("prompt", "messages", "model") if key in payload}
