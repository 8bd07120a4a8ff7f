"""Runs on disk that tests of reading use: small ones with known content, and ways to damage them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from activegraph import Event, FrozenClock, Graph, Runtime
from activegraph.behaviors.base import AnyBehavior, Behavior, RelationBehavior
from activegraph.store import open_store, sqlite_url

__all__ = [
    "alter",
    "append",
    "event",
    "files_of",
    "prices_behaviors",
    "record_prices",
    "record_run",
    "snapshot_payload",
]


def record_run(
    place: Path | str,
    behaviors: Sequence[AnyBehavior],
    *,
    run_id: str = "run_a",
    work: Callable[[Runtime], object] = lambda runtime: runtime.run_goal("prices"),
    **options: Any,
) -> str:
    """A run in the SQLite file or the store of the URL `place`, with standing time; returns its URL."""
    url = place if isinstance(place, str) else sqlite_url(place)
    graph = Graph(run_id=run_id, clock=FrozenClock())
    with Runtime(graph, behaviors, persist_to=url, **options) as runtime:
        work(runtime)
    return url


def record_prices(place: Path | str, *, run_id: str = "run_a", **options: Any) -> str:
    """The run of `prices_behaviors` on one goal: fourteen events, three objects, one relation."""
    return record_run(place, prices_behaviors(), run_id=run_id, **options)


def prices_behaviors() -> list[AnyBehavior]:
    """A planner, a worker and a relation behavior."""

    def plan(event: Event, graph: Any, ctx: Any) -> None:
        first = graph.add_object("task", {"title": "Look up " + event.payload["goal"], "status": "open"})
        second = graph.add_object("task", {"title": "Write it down", "status": "blocked"})
        graph.add_relation(first.id, second.id, "depends_on")

    def work(event: Event, graph: Any, ctx: Any) -> None:
        graph.add_object("note", {"text": "found"})
        graph.emit("task.completed", {"task_id": event.payload["id"]})

    def unblock(relation: Any, event: Event, graph: Any, ctx: Any) -> None:
        graph.patch_object(relation.target, {"status": "open"})

    is_open = {"object.type": "task", "object.data.status": "open"}
    return [
        Behavior("planner", plan, ["goal.created"]),
        Behavior("worker", work, ["object.created"], where=is_open),
        RelationBehavior("unblock", unblock, "depends_on", ["task.completed"]),
    ]


def event(id: str, type: str = "note.taken", payload: dict[str, Any] | None = None, **fields: Any) -> Event:
    """An event with the fields that a test is about."""
    return Event(id, type, payload or {}, **{"timestamp": "2026-05-15T10:32:01Z", **fields})


def append(url: str, run_id: str, *events: Event) -> None:
    """Append events behind a run as another program would."""
    with closing(open_store(url, run_id)) as store:
        store.append_many(events)  # type: ignore[attr-defined]


def snapshot_payload(**snapshot: Any) -> dict[str, Any]:
    """What a `runtime.*` event says of the budget."""
    return {"snapshot": {"used": {}, "limits": {}, "cost_used_usd": "0", "cost_limit_usd": None, **snapshot}}


def alter(path: Path, statement: str, *values: object) -> None:
    """Change a SQLite file behind the product's back."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement, values)


def files_of(directory: Path) -> dict[str, bytes]:
    """Every file below `directory` with its content."""
    return {str(file.relative_to(directory)): file.read_bytes() for file in directory.rglob("*") if file.is_file()}
