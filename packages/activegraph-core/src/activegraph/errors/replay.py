"""Errors about replay, resume and fork."""

from __future__ import annotations

from activegraph.errors.advice import option
from activegraph.errors.base import ReplayError

__all__ = ["ReplayDivergenceError"]

_SUMMARIES = {
    "prompt_hash_mismatch": "LLM prompt hash mismatch",
    "type_mismatch": "event type mismatch",
    "length_mismatch": "live re-run finished early",
    "payload_mismatch": "event payload mismatch",
}


class ReplayDivergenceError(ReplayError):
    """A re-execution did something else than the log says. `kind` follows from the arguments."""

    def __init__(self, *, event_id: str, expected: str | None, actual: str | None) -> None:
        kind = _kind(expected, actual)
        what = _SUMMARIES[kind]
        if kind == "length_mismatch" and actual is not None:
            what = "live re-run produced an unrecorded event"
        super().__init__(
            f"replay diverged at {event_id}: {what}",
            what_failed=f"At event {event_id!r} the log says {expected!r}, the re-execution did {actual!r}.",
            why="A run is the function of its log; a behavior that does something else on the same input reads "
            "a clock, random numbers, the network or changed code.",
            how_to_fix=(
                f"Look at the event: activegraph inspect <store> --run-id <run> {option('--event', event_id)}\n"
                "Which behaviors fired: activegraph inspect <store> --run-id <run> --behaviors\n"
                "Which pack and prompts: activegraph inspect <store> --run-id <run> --pack-version\n"
                "Correct the code; or, if the change is meant, go on from a fork at the last event before it:\n"
                f"    activegraph fork <store> --run-id <run> {option('--at-event', event_id)} --record"
            ),
            context={"event_id": event_id, "expected": expected, "actual": actual, "kind": kind},
        )
        self.event_id = event_id
        self.expected = expected
        self.actual = actual
        self.kind = kind


def _kind(expected: str | None, actual: str | None) -> str:
    text = expected or ""
    if text.startswith("prompt_hash="):
        return "prompt_hash_mismatch"
    if text.startswith("payload="):
        return "payload_mismatch"
    if expected == "<no recorded event>" or actual is None:
        return "length_mismatch"
    return "type_mismatch"
