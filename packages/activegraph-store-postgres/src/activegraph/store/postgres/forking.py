"""Forks: a prefix copied inside the server, in one transaction with the row of the new run."""

from __future__ import annotations

from collections.abc import Sequence

from activegraph.core.codec import check_header
from activegraph.core.event import NO_DIGEST, Event
from activegraph.errors import StoreUnavailableError
from activegraph.store.base import RawEvent
from activegraph.store.chain import rows_behind
from activegraph.store.postgres import reads
from activegraph.store.postgres.catalog import select_run
from activegraph.store.postgres.connections import Connections
from activegraph.store.postgres.driver_errors import DRIVER
from activegraph.store.postgres.handle import Handle
from activegraph.store.postgres.session import Session
from activegraph.store.postgres.writes import insert_events, insert_run_once, split
from activegraph.store.records import RunFields, normalized_time, shown_text
from activegraph.store.refusals import duplicate, missing_position, parent_not_found, run_exists, unknown_event

__all__ = ["fork_run", "wait_for_commit"]

COPY_PREFIX = """
INSERT INTO events
    (run_id, position, id, type, actor, payload_text, frame_id, caused_by, timestamp_text, timestamp, digest)
SELECT
    %s::text, position, id, type, actor, payload_text, frame_id, caused_by, timestamp_text, timestamp, digest
FROM events
WHERE run_id = %s::text AND position <= %s::bigint
ORDER BY run_id, position"""

SELECT_ANY_EVENT = "SELECT 1 FROM events WHERE run_id = %s LIMIT 1"

WAIT_FOR_COMMIT = """
SELECT set_config(
    'synchronous_commit',
    CASE current_setting('synchronous_commit')
        WHEN 'off' THEN 'on'
        ELSE current_setting('synchronous_commit')
    END,
    true
)"""


def fork_run(
    connections: Connections,
    *,
    parent_run_id: str,
    new_run_id: str,
    at_event_id: str,
    label: str | None,
    created_at: str,
    extra_events: Sequence[Event] = (),
) -> int:
    """Copy a prefix into a new run; returns its length.

    Raises:
        RunNotFoundError, EventNotFoundError, RunExistsError: Nothing was created.
    """
    check_header("run_id", new_run_id)
    with Handle(connections, new_run_id, read_only=False) as handle:
        handle.open()  # no tables are made: without any there is nothing to fork

        def fork(session: Session) -> int:
            with session.transaction():
                parent = select_run(session, parent_run_id)
                if parent is None:
                    raise parent_not_found(parent_run_id, handle.place.safe_url)
                position = reads.position_of(session, parent_run_id, at_event_id)
                if position is None:
                    raise unknown_event(at_event_id, parent_run_id, "fork", DRIVER)
                setup_count = None if parent.setup_count is None else min(parent.setup_count, position)
                fields = RunFields(
                    new_run_id,
                    parent_run_id,
                    at_event_id,
                    shown_text(label),
                    normalized_time(created_at),
                    parent.goal,
                    parent.frame_id,
                    setup_count,
                )
                if not insert_run_once(session, fields):
                    raise run_exists(new_run_id)
                if session.execute(SELECT_ANY_EVENT, (new_run_id,)).fetchone() is not None:
                    raise run_exists(new_run_id)
                copied = session.execute(COPY_PREFIX, (new_run_id, parent_run_id, str(position))).rowcount
                if copied != position:
                    raise missing_position(parent_run_id, copied + 1, position)
                _append_extra(session, new_run_id, position, extra_events)
                wait_for_commit(session)
            return position

        try:
            return handle.write(fork)
        except StoreUnavailableError as error:
            if error.context.get("committed") is not None or not connections.recovers:
                raise
            position = _made(handle, parent_run_id, new_run_id, at_event_id, normalized_time(created_at))
            if position is None:
                error.context["committed"] = False
                raise
            return position


def _append_extra(session: Session, run_id: str, position: int, events: Sequence[Event]) -> None:
    head, _, digest = reads.head(session, run_id)
    rows = [RawEvent(*row) for row in rows_behind(events, head, digest or NO_DIGEST)]
    seen: set[str] = set()
    for row in rows:
        if row.id in seen or reads.position_of(session, run_id, row.id) is not None:
            raise duplicate(row.id, run_id)
        seen.add(row.id)
    for portion in split(rows) if rows else ():
        insert_events(session, run_id, head, digest or NO_DIGEST, portion, None, alone=False)
        head, digest = portion[-1].position, portion[-1].digest


def _made(handle: Handle, parent: str, new_run_id: str, at_event_id: str, created_at: str) -> int | None:
    """How long the fork's prefix is, if the commit that nobody heard of came through; one transaction made it all."""

    def look(session: Session) -> int | None:
        record = select_run(session, new_run_id)
        if record is None:
            return None
        if (record.parent_run_id, record.forked_at_event_id, record.created_at) != (parent, at_event_id, created_at):
            return None
        return reads.position_of(session, parent, at_event_id)

    return handle.read(look)


def wait_for_commit(session: Session) -> None:
    """Let the open transaction be waited for until it is on stable storage, whatever the server's setting."""
    session.execute(WAIT_FOR_COMMIT)
