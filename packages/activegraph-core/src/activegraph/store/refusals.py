"""What stores refuse, in the same words whichever store it is."""

from __future__ import annotations

import shlex
from collections.abc import Container, Iterable

from activegraph.errors import (
    DuplicateEventError,
    EventNotFoundError,
    InvalidArgumentType,
    LogInconsistencyError,
    RunExistsError,
    RunNotFoundError,
    StoreReadOnlyError,
    StoreUnavailableError,
)
from activegraph.errors.advice import option
from activegraph.errors.base import shown

__all__ = [
    "advice_on_layout",
    "closed",
    "duplicate",
    "first_double",
    "forked_handle",
    "malformed_row",
    "missing_position",
    "no_event",
    "parent_not_found",
    "read_only_handle",
    "run_exists",
    "unknown_event",
]


def first_double(ids: Iterable[str], known: Container[str] = ()) -> str | None:
    """The first id that `known` holds, or that came before among `ids`; None if there is none."""
    seen: set[str] = set()
    for id in ids:
        if id in seen or id in known:
            return id
        seen.add(id)
    return None


def advice_on_layout(schema: object, url: str) -> str:
    """What to do about a store whose layout says of itself that it is another than this version's.

    Args:
        schema: The version that the store names.
        url: Its address, without a password.
    """
    if schema == "1":
        copy = f"activegraph migrate --from {shlex.quote(url)} --to sqlite:///new.db"
        return f"Copy it into a new store, or use the version of activegraph that wrote it:\n    {copy}"
    return "Use the version of activegraph that wrote it, or a later one: this one cannot even copy it."


def closed(driver: str, run_id: str, *, writing: bool = False) -> StoreUnavailableError:
    """The error of every call on a closed store."""
    context: dict[str, object] = {"driver": driver, "reason": "closed"}
    if writing:
        context["committed"] = False
    return StoreUnavailableError(
        f"the store of run {run_id!r} is closed",
        what_failed=f"A call on a {driver} store after `close()`.",
        why="A closed handle has given back what it held.",
        how_to_fix="Open the store again: open_store(url, run_id)",
        context=context,
    )


def duplicate(event_id: str, run_id: str) -> DuplicateEventError:
    """The error for an id that the run holds already."""
    return DuplicateEventError(
        f"event {event_id!r} exists already in run {run_id!r}",
        what_failed=f"Appending event {event_id!r} to run {run_id!r}. Nothing was stored.",
        why="An event id names one event of a run for ever; causes and forks refer to it.",
        how_to_fix="Append it under an id that the run does not hold.",
        context={"event_id": event_id, "run_id": run_id},
    )


def no_event(value: object) -> InvalidArgumentType:
    """The error for something else where events are appended."""
    return InvalidArgumentType(
        f"a log takes events, not {type(value).__name__}",
        what_failed=f"Appending {shown(value)} to a store. Nothing was stored.",
        why="What is appended has to read back as it was, with an id, a type and a payload.",
        how_to_fix='store.append(Event(id="evt_001", type="note.taken", payload={...})), or `append_many` with a list of them.',
        context={"type": type(value).__name__},
    )


def unknown_event(event_id: str, run_id: str, where: str, driver: str) -> EventNotFoundError:
    """The error for an event that the run does not hold."""
    key = "operation" if where in ("fork", "truncate_after") else "where"
    return EventNotFoundError(
        f"run {run_id!r} has no event {event_id!r}",
        what_failed=f"Looking for event {event_id!r} in run {run_id!r} ({where}).",
        why="Positions are named by the events that stand there.",
        how_to_fix=f"See which events there are: activegraph inspect <url> {option('--run-id', run_id)} --tail 50",
        context={"event_id": event_id, "run_id": run_id, key: where, "driver": driver},
    )


def forked_handle(driver: str, run_id: str, where: str, *, writing: bool = True) -> StoreUnavailableError:
    """The error for a handle that a child process took over from its parent."""
    context: dict[str, object] = {"driver": driver, "reason": "forked"}
    if writing:
        context["committed"] = False
    return StoreUnavailableError(
        f"the store of run {run_id!r} was opened by the parent process",
        what_failed=f"Using a handle on {where} in a forked child.",
        why="Database connections and their locks do not survive `fork()`.",
        how_to_fix="Open the store again in the child: open_store(url, run_id)",
        context=context,
    )


def read_only_handle(run_id: str, operation: str, handle: str) -> StoreReadOnlyError:
    """The error for a write through a handle that was opened for reading."""
    return StoreReadOnlyError(
        f"the store of run {run_id!r} was opened read-only",
        what_failed=f"`{operation}` on {handle}. Nothing was changed.",
        why="A handle that was opened for reading changes nothing.",
        how_to_fix="Open it for writing: open_store(url, run_id)",
        context={"run_id": run_id, "operation": operation},
    )


def missing_position(run_id: str, expected: int, found: int | None) -> LogInconsistencyError:
    """The error for positions that are not dense; `found` is None where the log ends too early."""
    came = "the end" if found is None else f"position {found}"
    return LogInconsistencyError(
        f"run {run_id!r} has no event at position {expected}",
        what_failed=f"Reading run {run_id!r}: {came} came where position {expected} was due.",
        why="Positions are dense, so a missing one means that an event was deleted or moved.",
        how_to_fix=f"Run `activegraph verify <url> {option('--run-id', run_id)}`, and restore the run from a copy.",
        context={
            "run_id": run_id,
            "reason": "order" if found is not None and found < expected else "gap",
            "position": expected,
        },
    )


def malformed_row(run_id: str, position: object) -> LogInconsistencyError:
    """The error for a row at a position that is no whole number."""
    where = f"the position {shown(position)} of run {run_id!r}"
    return LogInconsistencyError(
        f"the row at {where} is no event: a position is a whole number",
        what_failed=f"Reading the row at {where}.",
        why="The columns of a row are what an event was stored with; something else has written one of them.",
        how_to_fix=f"Run `activegraph verify <url> {option('--run-id', run_id)}`, and restore the run from a copy.",
        context={"run_id": run_id, "reason": "malformed", "position": None},
    )


def run_exists(run_id: str) -> RunExistsError:
    """The error for the id of a new run that is taken."""
    return RunExistsError(
        f"run {run_id!r} exists already",
        what_failed=f"Forking into run {run_id!r}. Nothing was changed.",
        why="A run id names one history.",
        how_to_fix="Leave the new run's id out, so that a fresh one is drawn.",
        context={"run_id": run_id},
    )


def parent_not_found(run_id: str, safe_url: str) -> RunNotFoundError:
    """The error for a fork of a run that is not there."""
    return RunNotFoundError(
        f"no run {run_id!r} in {safe_url}",
        what_failed=f"Forking run {run_id!r}. Nothing was created.",
        why="A fork begins with another run's events.",
        how_to_fix=f"See which runs there are: activegraph inspect {shlex.quote(safe_url)}",
        context={"run_id": run_id, "url": safe_url},
    )
