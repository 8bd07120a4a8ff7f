"""The tables of a SQLite store, how they are made, and the guard that refuses another layout."""

from __future__ import annotations

import logging
import sqlite3

from activegraph.core.clock import Clock
from activegraph.core.log_lines import error_fields, say
from activegraph.errors import SchemaVersionMismatch, StoreNotFoundError
from activegraph.store.refusals import advice_on_layout
from activegraph.store.sqlite.location import Location
from activegraph.store.url import sqlite_url

__all__ = [
    "CODEC_VERSION",
    "SCHEMA_VERSION",
    "check_schema",
    "create_schema",
    "ddl",
    "log_mismatch",
    "mismatch",
    "versions",
]

SCHEMA_VERSION = "2"
CODEC_VERSION = "1"

_logger = logging.getLogger("activegraph.store")

CREATE_EVENTS = """
CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY,
    run_id TEXT NOT NULL,
    position INTEGER NOT NULL,
    id TEXT NOT NULL,
    type TEXT NOT NULL,
    actor TEXT,
    payload TEXT NOT NULL,
    frame_id TEXT,
    caused_by TEXT,
    timestamp TEXT NOT NULL,
    digest BLOB NOT NULL,
    UNIQUE (run_id, position),
    UNIQUE (run_id, id)
)"""

# Written as a chain of ORs: with IN (...) the planner never uses the index, and appends pay for it.
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
    run_id TEXT PRIMARY KEY,
    parent_run_id TEXT,
    forked_at_event_id TEXT,
    label TEXT,
    created_at TEXT NOT NULL,
    goal TEXT,
    frame_id TEXT,
    setup_count INTEGER
)"""

CREATE_RUNS_PARENT = "CREATE INDEX IF NOT EXISTS runs_parent ON runs (parent_run_id)"

CREATE_META = """
CREATE TABLE IF NOT EXISTS meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
)"""

_STATEMENTS = (CREATE_EVENTS, CREATE_RARE_TYPES, CREATE_RUNS, CREATE_RUNS_PARENT, CREATE_META)

SELECT_VERSIONS = """
SELECT
    (SELECT value FROM meta WHERE key = 'schema_version'),
    (SELECT value FROM meta WHERE key = 'codec_version'),
    (SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name IN ('events', 'runs'))"""
SELECT_ANY_TABLE = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' LIMIT 1"
INSERT_META = "INSERT OR IGNORE INTO meta (key, value) VALUES (?, ?)"


def ddl() -> str:
    """The complete, idempotent statements that make the tables."""
    rows = "\n".join(
        f"INSERT OR IGNORE INTO meta (key, value) VALUES ('{key}', '{value}');"  # noqa: S608 - our own versions and the time
        for key, value in _meta_rows()
    )
    return ";\n".join(statement.strip() for statement in _STATEMENTS) + ";\n" + rows + "\n"


def check_schema(connection: sqlite3.Connection, location: Location, *, may_create: bool) -> bool:
    """Whether the tables are there and of this layout; False for an empty database that may be filled.

    Raises:
        SchemaVersionMismatch: Another layout, or somebody else's tables; nothing was touched.
        StoreNotFoundError: No tables, and none may be made.
    """
    if versions(connection) == (SCHEMA_VERSION, CODEC_VERSION, 2):
        return True
    if connection.execute(SELECT_ANY_TABLE).fetchone() is not None:
        # Another process may have made the tables since the first look.
        found = versions(connection)
        if found == (SCHEMA_VERSION, CODEC_VERSION, 2):
            return True
        raise mismatch(location, *found)
    if may_create:
        return False
    raise StoreNotFoundError(
        f"{location.shown} holds no store",
        what_failed=f"Opening {location.shown} for reading.",
        why="A read never creates anything, and this database is empty.",
        how_to_fix="Record a run first, or check the path.",
        context={"path": location.shown, "driver": "sqlite"},
    )


def versions(connection: sqlite3.Connection) -> tuple[object, object, int]:
    """Versions of schema and codec that the database names, None without, and how many of our two tables it has."""
    try:
        found: tuple[object, object, int] = connection.execute(SELECT_VERSIONS).fetchone()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_ERROR:
            raise
        # No `meta` table, or one of another kind.
        return None, None, 0
    return found


def create_schema(connection: sqlite3.Connection, location: Location) -> None:
    """Make the tables; any number of processes may try at the same moment."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        if not check_schema(connection, location, may_create=True):
            for statement in _STATEMENTS:
                connection.execute(statement)
            connection.executemany(INSERT_META, _meta_rows())
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


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
        return version("activegraph-store-sqlite")
    except PackageNotFoundError:
        return "unknown"


def mismatch(location: Location, schema: object, codec: object, tables: int) -> SchemaVersionMismatch:
    """The error for a layout that is not this one; `schema` is None where the database does not say."""
    from activegraph import __version__

    shown, readable = "none" if schema is None else repr(schema), repr(SCHEMA_VERSION)
    is_damaged = schema == SCHEMA_VERSION and tables != 2
    if is_damaged:
        shown += " without its tables"
    elif schema == SCHEMA_VERSION:
        shown, readable = f"{shown} with codec {codec!r}", f"{readable} with codec {CODEC_VERSION!r}"
    return SchemaVersionMismatch(
        f"{location.shown} has schema version {shown}, this version reads {readable}",
        what_failed=f"Opening {location.shown}. Nothing was read or written.",
        why="A log that is not understood must not be added to.",
        how_to_fix="If another program made this database, name another file; if it was a store, restore it from a copy."
        if schema is None or is_damaged
        else advice_on_layout(schema, sqlite_url(location.file)),
        context={
            "found_version": schema,
            "expected_version": SCHEMA_VERSION,
            "activegraph_version": __version__,
            "driver": "sqlite",
        },
    )


def log_mismatch(error: SchemaVersionMismatch) -> None:
    """The CRITICAL line of a refused layout."""
    message, versions = "schema mismatch: found %s, expected %s", error.context
    found, expected = versions["found_version"], versions["expected_version"]
    say(_logger, logging.CRITICAL, message, found, expected, **error_fields(error))
