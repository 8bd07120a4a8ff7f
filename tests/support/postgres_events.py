"""Small logs and looks behind the store's back that the PostgreSQL tests share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import psycopg
from activegraph import Event
from activegraph.errors import StoreUnavailableError
from support.stored_runs import event

__all__ = ["ask", "batch", "end_other_sessions", "ids", "is_whole"]


def batch(first: int, last: int) -> list[Event]:
    """Events `evt_first` to `evt_last`, each with a payload of its own."""
    return [
        event(f"evt_{n}", "note.taken", {"n": n, "text": "Ω" * (n % 7)}, actor="tester") for n in range(first, last + 1)
    ]


def ids(events: Sequence[Event]) -> list[str]:
    """Their ids."""
    return [item.id for item in events]


def ask(url: str, sql: str, *params: object) -> list[tuple[Any, ...]]:
    """Rows of a query, or none for another statement, on a connection of its own."""
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(sql, params or None)
        return cursor.fetchall() if cursor.description else []


def end_other_sessions(url: str, name: str = "activegraph") -> int:
    """End every session of this name, as a rule those that stores opened; returns how many there were."""
    found = ask(
        url,
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE pid <> pg_backend_pid() AND application_name = %s",
        name,
    )
    return len(found)


def as_a_runtime_writes(write: Callable[[], object]) -> None:
    """Write, and repeat a write that the store has found not to be there.

    A session that has just ended is noticed beforehand once the client's system has heard of it;
    a write that is quicker than that is settled by looking, and is its caller's to repeat.
    """
    try:
        write()
    except StoreUnavailableError as error:
        if error.context["committed"] is not False:
            raise
        write()


def is_whole(url: str, run_id: str) -> bool:
    """Whether a run's log passes the integrity check."""
    from activegraph.store import verify_run

    return verify_run(url, run_id).ok
