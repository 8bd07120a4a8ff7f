"""The tables of a PostgreSQL store, how they are made, and the guard that refuses another layout.

An opening reads one row. Only where that finds no tables does it look further, and only a handle
that writes makes them, under a lock that lets any number of processes try at the same moment.
"""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from activegraph.core.clock import Clock
from activegraph.core.log_lines import error_fields, say
from activegraph.errors import SchemaVersionMismatch
from activegraph.store.postgres.driver import psycopg
from activegraph.store.postgres.driver_errors import DRIVER, Place, no_schema, not_found, unavailable
from activegraph.store.postgres.session import IDLE, Session
from activegraph.store.refusals import advice_on_layout

__all__ = [
    "CODEC_VERSION",
    "KEEP_TO_INDEXES",
    "SCHEMA_VERSION",
    "ServerFacts",
    "ddl",
    "is_layout_1",
    "open_schema",
]

SCHEMA_VERSION = "2"
CODEC_VERSION = "1"

_logger = logging.getLogger("activegraph.store")

CREATE_EVENTS = """
CREATE TABLE IF NOT EXISTS events (
    seq BIGSERIAL NOT NULL,
    run_id TEXT COLLATE "C" NOT NULL,
    position BIGINT NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    type TEXT COLLATE "C" NOT NULL,
    actor TEXT COLLATE "C",
    payload_text TEXT COLLATE "C" NOT NULL,
    payload JSONB NOT NULL GENERATED ALWAYS AS (payload_text::jsonb) STORED,
    frame_id TEXT COLLATE "C",
    caused_by TEXT COLLATE "C",
    timestamp_text TEXT COLLATE "C" NOT NULL,
    timestamp TIMESTAMPTZ,
    digest BYTEA NOT NULL,
    PRIMARY KEY (run_id, position),
    UNIQUE (run_id, id)
)"""

CREATE_RARE_TYPES = """
CREATE INDEX IF NOT EXISTS events_rare_types ON events (run_id, type, position)
WHERE type = 'approval.denied'
   OR type = 'approval.granted'
   OR type = 'approval.proposed'
   OR type = 'behavior.failed'
   OR type = 'pack.loaded'
   OR type = 'pack.settings_overridden'
   OR type = 'runtime.budget_exhausted'
   OR type = 'runtime.idle'
   OR type = 'runtime.paused'
   OR type = 'tool.in_doubt'"""

CREATE_RUNS = """
CREATE TABLE IF NOT EXISTS runs (
    run_id TEXT COLLATE "C" PRIMARY KEY,
    parent_run_id TEXT COLLATE "C",
    forked_at_event_id TEXT COLLATE "C",
    label TEXT COLLATE "C",
    created_at TIMESTAMPTZ NOT NULL,
    goal TEXT COLLATE "C",
    frame_id TEXT COLLATE "C",
    setup_count BIGINT
)"""

CREATE_RUNS_PARENT = "CREATE INDEX IF NOT EXISTS runs_parent ON runs (parent_run_id)"

CREATE_META = """
CREATE TABLE IF NOT EXISTS meta (
    key TEXT COLLATE "C" PRIMARY KEY,
    value TEXT COLLATE "C" NOT NULL
)"""

_STATEMENTS = (CREATE_EVENTS, CREATE_RARE_TYPES, CREATE_RUNS, CREATE_RUNS_PARENT, CREATE_META)

INSERT_META = """
INSERT INTO meta (key, value)
VALUES (%s, %s)
ON CONFLICT (key) DO NOTHING"""

# The name is looked up along the search path; only the table of the current schema counts.
SELECT_VERSIONS = """
SELECT
    (SELECT value::text FROM meta WHERE key::text = 'schema_version'),
    (SELECT value::text FROM meta WHERE key::text = 'codec_version'),
    to_regclass('meta') = to_regclass(format('%%I.meta', current_schema())),
    pg_backend_pid(),
    current_setting('synchronous_commit'),
    current_setting('fsync'),
    (SELECT set_config('enable_seqscan', 'off', false) || set_config('enable_sort', 'off', false)
     WHERE pg_backend_pid() = %s::integer)"""

# A statement that is prepared while the tables are tiny, or emptied, keeps the plan of a scan, or of the key on ids
# and a sort, when they have grown. Only a session that is ours alone is told to keep to the order of the indexes;
# behind a pooler its number is another one.
KEEP_TO_INDEXES = """
SELECT set_config('enable_seqscan', 'off', false) || set_config('enable_sort', 'off', false)
WHERE pg_backend_pid() = %s::integer"""

SELECT_TABLES = """
SELECT c.relname::text
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = current_schema()
  AND c.relname IN ('events', 'runs', 'meta')"""

SELECT_ENCODING = "SELECT current_setting('server_encoding')"

# The second key keeps the creation of stores in other schemas out of each other's way.
LOCK_CREATION = "SELECT pg_advisory_xact_lock(hashtext('activegraph'), hashtext(current_schema()))"

GRANTS = """
-- A role that reads (inspect, replay, diff, verify, export):
-- GRANT SELECT ON events, runs, meta TO reader;
-- A role that records runs:
-- GRANT SELECT ON events, runs, meta TO writer;
-- GRANT INSERT ON events, runs TO writer;
-- GRANT UPDATE ON runs TO writer;
-- GRANT USAGE ON SEQUENCE events_seq_seq TO writer;
-- Only for truncate_after, which the runtime never calls:
-- GRANT DELETE ON events TO writer;
"""


@dataclass(frozen=True)
class ServerFacts:
    """What an opening learns of the server beside the versions."""

    backend_pid: int
    synchronous_commit: str
    fsync: bool


def ddl() -> str:
    """The complete, idempotent statements that make the tables, and GRANT lines to choose from."""
    rows = "".join(
        f"INSERT INTO meta (key, value) VALUES ('{key}', '{value}') ON CONFLICT (key) DO NOTHING;\n"  # noqa: S608 - values of this build
        for key, value in _meta_rows()
    )
    return ";\n".join(statement.strip() for statement in _STATEMENTS) + ";\n" + rows + GRANTS


def open_schema(session: Session, place: Place, *, read_only: bool, create_schema: bool) -> ServerFacts:
    """Check the tables' layout; make them where they are missing and may be made.

    Raises:
        SchemaVersionMismatch: Another layout, or tables without one; nothing was touched.
        StoreNotFoundError: No tables, and a read makes none.
        StoreUnavailableError: No tables, and this role or handle may not make them (`no_schema`).
    """
    _check_encoding(session, place)
    facts = _read_versions(session, place)
    if facts is not None:
        return facts
    if read_only:
        raise not_found(place, "its current schema holds no tables of a store")
    if not create_schema:
        raise no_schema(place, "the tables are missing, and create_schema is off")
    _create(session, place)
    facts = _read_versions(session, place)
    if facts is None:
        raise no_schema(place, "the tables were made and cannot be seen")
    return facts


def is_layout_1(session: Session) -> bool:
    """Whether the tables are of the layout before this one, which only a migration reads."""
    row = _select_versions(session, None)
    return row is not None and row[0] == "1"


def _check_encoding(session: Session, place: Place) -> None:
    encoding = session.connection.info.encoding
    if encoding != "utf-8":
        raise unavailable(
            place,
            None,
            "connect",
            f"the connection's client_encoding is {encoding}",
            fix="Open the connection with client_encoding=UTF8.",
        )


def _read_versions(session: Session, place: Place) -> ServerFacts | None:
    """The server's facts if the layout is this build's; None where there are no tables."""
    row = _select_versions(session, place)
    if row is None:
        if not session.read(SELECT_TABLES).fetchall():
            return None
        # Another process may have committed its creation between the two looks.
        row = _select_versions(session, place)
        if row is None:
            raise _mismatch(place, None, None)
    schema, codec, _, backend_pid, synchronous_commit, fsync = row[:6]
    if (schema, codec) != (SCHEMA_VERSION, CODEC_VERSION):
        raise _mismatch(place, schema, codec)
    return ServerFacts(backend_pid, synchronous_commit, fsync == "on")


def _select_versions(session: Session, place: Place | None) -> tuple[Any, ...] | None:
    """The row of an opening; None without a `meta` table. Without a place, so for one that is somebody else's."""
    errors = psycopg().errors
    try:
        with _own_scope(session):
            own_pid = session.backend_pid if session.is_ours else 0
            row: tuple[Any, ...] = session.read(SELECT_VERSIONS, (str(own_pid),)).fetchone()
    except errors.UndefinedTable:
        return None
    except errors.UndefinedColumn:
        if place is None:
            return None
        raise _mismatch(place, None, None) from None
    return row if row[2] else None


def _own_scope(session: Session) -> AbstractContextManager[None]:
    # A refused look must not take the caller's transaction with it.
    return nullcontext() if session.status == IDLE else session.transaction()


def _create(session: Session, place: Place) -> None:
    errors = psycopg().errors
    encoding = session.read(SELECT_ENCODING).fetchone()[0]
    if encoding != "UTF8":
        raise no_schema(place, f"the database is encoded in {encoding}; make one with: createdb --encoding=UTF8")
    try:
        with session.transaction():
            session.execute(LOCK_CREATION)
            if session.execute(SELECT_TABLES).fetchall():
                # Another process was first; its layout is looked at like any other.
                return
            for statement in _STATEMENTS:
                session.execute(statement)
            for row in _meta_rows():
                session.execute(INSERT_META, row)
    except (errors.InsufficientPrivilege, errors.InvalidSchemaName, errors.ReadOnlySqlTransaction) as error:
        raise no_schema(place, f"the tables are missing, and this role may not make them: {error}") from error


def _meta_rows() -> list[tuple[str, str]]:
    return [
        ("schema_version", SCHEMA_VERSION),
        ("codec_version", CODEC_VERSION),
        ("created_by", _distribution_version()),
        ("created_at", Clock().now()),
    ]


def _distribution_version() -> str:
    # Asked for when tables are made, and slow to import.
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("activegraph-store-postgres")
    except PackageNotFoundError:
        return "unknown"


def _mismatch(place: Place, schema: str | None, codec: str | None) -> SchemaVersionMismatch:
    from activegraph import __version__

    shown, readable = "none" if schema is None else repr(schema), repr(SCHEMA_VERSION)
    if schema == SCHEMA_VERSION:
        shown, readable = f"{shown} with codec {codec!r}", f"{readable} with codec {CODEC_VERSION!r}"
    error = SchemaVersionMismatch(
        f"{place.safe_url} has schema version {shown}, this version reads {readable}",
        what_failed=f"Opening {place.safe_url}. Nothing was read or written.",
        why="A log that is not understood must not be added to.",
        how_to_fix="If another program made these tables, name another database or schema (search_path); "
        "if they were a store, restore them from a backup."
        if schema is None
        else advice_on_layout(schema, place.safe_url),
        context={
            "found_version": schema,
            "expected_version": SCHEMA_VERSION,
            "activegraph_version": __version__,
            "driver": DRIVER,
        },
    )
    message = "schema mismatch: found %s, expected %s"
    say(_logger, logging.CRITICAL, message, schema, SCHEMA_VERSION, **error_fields(error))
    return error
