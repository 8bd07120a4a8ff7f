"""What became of a batch whose commit nobody heard the end of: found out by looking, never by sending it again."""

from __future__ import annotations

import time
from collections.abc import Sequence
from enum import Enum

from activegraph.store.base import RawEvent
from activegraph.store.postgres import reads
from activegraph.store.postgres.session import Session

__all__ = ["Outcome", "look_for"]

BUSY_SECONDS = 10.0
IDLE_SECONDS = 1.0
"""How long the server's end of the lost session is waited for, while it works and while it does nothing."""

SELECT_BACKEND = "SELECT coalesce(state, '') FROM pg_stat_activity WHERE pid = %s::integer"

# Waits for whoever is about to commit at this position, and then leaves nothing: it is always rolled back.
PROBE = """
INSERT INTO events (run_id, position, id, type, payload_text, timestamp_text, digest)
VALUES (%s::text, %s::bigint, %s::text, %s::text, '{}', '', %b::bytea)
ON CONFLICT DO NOTHING"""


class Outcome(Enum):
    """What stands at the positions that a batch was written to."""

    STORED = "all of it, as sent"
    ABSENT = "nothing"
    OTHER = "something else"


def look_for(session: Session, run_id: str, rows: Sequence[RawEvent], lost_pid: int | None) -> Outcome:
    """What stands at the rows' positions, when the lost session can no longer change it.

    Args:
        session: A new session.
        lost_pid: The server's process of the lost one, as the driver knew it.
    """
    if lost_pid is not None:
        _wait_for_end(session, lost_pid)
    with session.transaction(undone=True):
        session.execute(PROBE, (run_id, str(rows[0].position), rows[0].id, rows[0].type, rows[0].digest))
    found = reads.digests(session, run_id, rows[0].position, rows[-1].position)
    if not found:
        return Outcome.ABSENT
    sent = [(row.position, row.digest) for row in rows]
    return Outcome.STORED if found == sent else Outcome.OTHER


def _wait_for_end(session: Session, pid: int) -> None:
    """Wait until the server's end of a lost session is gone: it may still be committing.

    Behind a pooler the number names nobody, and the probe has to do.
    """
    began = time.monotonic()
    while True:
        row = session.read(SELECT_BACKEND, (str(pid),)).fetchone()
        if row is None:
            return
        limit = IDLE_SECONDS if row[0] == "idle" else BUSY_SECONDS
        if time.monotonic() - began >= limit:
            return
        time.sleep(0.01)
