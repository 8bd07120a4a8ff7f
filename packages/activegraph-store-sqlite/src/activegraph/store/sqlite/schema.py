"""The tables of a SQLite store, how they are made, and the guard that refuses another layout."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Set as AbstractSet

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
    "lacking",
    "log_mismatch",
    "mismatch",
    "versions",
]

SCHEMA_VERSION = "2"
CODEC_VERSION = "1"

_OLD_COLUMNS = {
    "events": "seq run_id id type actor payload frame_id caused_by timestamp",
    "runs": "run_id parent_run_id forked_at_event_id label created_at goal frame_id",
}
_NEW_COLUMNS = {"events": "position digest", "runs": "setup_count"}

_OLD = {f"{table}.{name}" for table, names in _OLD_COLUMNS.items() for name in names.split()}
_NEW = {f"{table}.{name}" for table, names in _NEW_COLUMNS.items() for name in names.split()}
_COLUMNS: dict[object, AbstractSet[str]] = {"1": frozenset(_OLD), SCHEMA_VERSION: frozenset(_OLD | _NEW)}
"""By version of the schema: what is read and written, as `table.column`. More may be there."""

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

_AS_MADE = [made.strip().replace("IF NOT EXISTS ", "") for made in (CREATE_EVENTS, CREATE_RUNS)]
"""How the database keeps the statements that made our tables, as long as nobody has altered them."""

SELECT_VERSIONS = """
SELECT
    (SELECT value FROM meta WHERE key = 'schema_version'),
    (SELECT value FROM meta WHERE key = 'codec_version'),
    (SELECT sql FROM sqlite_master WHERE type = 'table' AND name = 'events'),
    (SELECT sql FROM sqlite_master WHERE type = 'table' AND name = 'runs')"""
SELECT_COLUMNS = """
SELECT tables.name || '.' || lower(columns.name)
FROM sqlite_master AS tables, pragma_table_info(tables.name) AS columns
WHERE tables.type = 'table' AND tables.name IN ('events', 'runs')"""
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
    if _are_ours(*versions(connection)):
        return True
    if connection.execute(SELECT_ANY_TABLE).fetchone() is not None:
        # Another process may have made the tables since the first look.
        found = versions(connection)
        if _are_ours(*found):
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


def _are_ours(schema: object, codec: object, columns: AbstractSet[str]) -> bool:
    return (schema, codec) == (SCHEMA_VERSION, CODEC_VERSION) and not lacking(schema, columns)


def lacking(schema: object, columns: AbstractSet[str]) -> AbstractSet[str]:
    """What a database of a version that can be read lacks of its columns; `columns` are those that it has."""
    return _COLUMNS.get(schema, frozenset()) - columns


def versions(connection: sqlite3.Connection) -> tuple[object, object, AbstractSet[str]]:
    """Versions of schema and codec that the database names, None without, and the columns of our tables as `table.column`."""
    try:
        schema, codec, *made = connection.execute(SELECT_VERSIONS).fetchone()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_ERROR:
            raise
        # No `meta` table, or one of another kind.
        return None, None, frozenset()
    if made == _AS_MADE:
        return schema, codec, _COLUMNS[SCHEMA_VERSION]
    return schema, codec, frozenset(column for (column,) in connection.execute(SELECT_COLUMNS))


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


def mismatch(location: Location, schema: object, codec: object, columns: AbstractSet[str]) -> SchemaVersionMismatch:
    """The error for a layout that is not this one; `schema` is None where the database does not say."""
    from activegraph import __version__

    shown, readable = "none" if schema is None else repr(schema), repr(SCHEMA_VERSION)
    is_damaged = bool(missing := sorted(lacking(schema, columns)))
    if is_damaged:
        shown += f" without {_named(missing, columns)}"
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


def _named(missing: list[str], columns: AbstractSet[str]) -> str:
    """The tables that are missing, else the first missing columns."""
    present = {column.partition(".")[0] for column in columns}
    tables = sorted({column.partition(".")[0] for column in missing} - present)
    if tables:
        return f"its table{'s' * (len(tables) > 1)} {' and '.join(tables)}"
    more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
    return f"its column{'s' * (len(missing) > 1)} {', '.join(missing[:3])}{more}"


def log_mismatch(error: SchemaVersionMismatch) -> None:
    """The CRITICAL line of a refused layout."""
    message, versions = "schema mismatch: found %s, expected %s", error.context
    found, expected = versions["found_version"], versions["expected_version"]
    say(_logger, logging.CRITICAL, message, found, expected, **error_fields(error))
