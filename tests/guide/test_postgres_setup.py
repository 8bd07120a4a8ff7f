"""The section on setting up Postgres: a database, the extra, and tables that make themselves."""

from __future__ import annotations

import re
from importlib.metadata import requires
from pathlib import Path

import psycopg
import pytest
from activegraph import Graph, Runtime, SchemaVersionMismatch
from activegraph.store import open_store
from activegraph.store.postgres import SCHEMA_VERSION, PostgresEventStore
from activegraph.store.sqlite import SQLiteEventStore
from support.cli import Cli
from support.stored_runs import alter, record_prices


def tables(url: str) -> dict[str, dict[str, str]]:
    """Columns with their types, by table, of the current schema."""
    with psycopg.connect(url) as connection:
        found: dict[str, dict[str, str]] = {}
        for table, column, kind in connection.execute(
            "SELECT table_name, column_name, data_type FROM information_schema.columns"
            " WHERE table_schema = current_schema() ORDER BY table_name, ordinal_position"
        ):
            found.setdefault(table, {})[column] = kind
        return found


def set_schema_version(url: str, version: str) -> None:
    """Pretend that another version made the store."""
    if url.startswith("sqlite"):
        alter(Path(url.removeprefix("sqlite:///")), "UPDATE meta SET value = ? WHERE key = 'schema_version'", version)
        return
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE meta SET value = %s WHERE key = 'schema_version'", (version,))


def test_a_server_of_version_16_or_newer_is_enough(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        assert connection.info.server_version >= 160000

    record_prices(postgres_url)


def test_the_schema_is_made_at_the_first_connection_and_not_before(postgres_url: str) -> None:
    assert tables(postgres_url) == {}

    with Runtime(Graph(), persist_to=postgres_url):
        assert {"events", "runs", "meta"} == tables(postgres_url).keys()


def test_there_is_no_step_for_the_schema(postgres_url: str, cli: Cli) -> None:
    record_prices(postgres_url)

    assert cli("replay", postgres_url, "--run-id", "run_a").code == 0


def test_the_postgres_extra_brings_psycopg_3() -> None:
    (driver,) = [line for line in requires("activegraph-store-postgres") or [] if re.match(r"psycopg\b(?!-)", line)]
    extras = [line for line in requires("activegraph") or [] if "extra == 'postgres'" in line.replace('"', "'")]

    assert sorted(re.findall(r"[<>=]+[\d.]+", driver)) == ["<4", ">=3.1"]
    assert any(line.startswith("activegraph-store-postgres") for line in extras)


def test_statements_that_make_it_can_be_repeated(postgres_url: str) -> None:
    statements = PostgresEventStore.ddl()
    assert statements.count("CREATE TABLE IF NOT EXISTS") == 3

    with psycopg.connect(postgres_url) as connection:
        connection.execute(statements)
        connection.execute(statements)
    record_prices(postgres_url)

    assert list(tables(postgres_url)) == ["events", "meta", "runs"]


def test_the_types_are_those_of_postgres(postgres_url: str) -> None:
    record_prices(postgres_url)

    events, runs = tables(postgres_url)["events"], tables(postgres_url)["runs"]
    with psycopg.connect(postgres_url) as connection:
        sequence = connection.execute("SELECT pg_get_serial_sequence('events', 'seq')").fetchone()
    assert sequence is not None
    assert sequence[0] is not None
    assert (events["seq"], events["payload"]) == ("bigint", "jsonb")
    assert events["timestamp"] == runs["created_at"] == "timestamp with time zone"


def test_it_mirrors_the_schema_of_sqlite(postgres_url: str) -> None:
    record_prices(postgres_url)

    made = re.findall(r"CREATE TABLE IF NOT EXISTS (\w+) \((.*?)\n\)", SQLiteEventStore.ddl(), re.DOTALL)
    on_sqlite = {table: set(re.findall(r"^\s+([a-z_]+) [A-Z]", columns, re.MULTILINE)) for table, columns in made}
    on_postgres = tables(postgres_url)
    assert on_sqlite.keys() == on_postgres.keys()
    for table, columns in on_sqlite.items():
        assert columns <= on_postgres[table].keys()


def test_the_schema_version_is_stored_in_meta(postgres_url: str) -> None:
    record_prices(postgres_url)

    with psycopg.connect(postgres_url) as connection:
        stored = connection.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchone()
    assert stored == (SCHEMA_VERSION,)


def test_the_schema_version_is_looked_at_on_every_open(run_url: str) -> None:
    open_store(run_url, "run_a").close()
    set_schema_version(run_url, "99")

    for read_only in (False, True):
        with pytest.raises(SchemaVersionMismatch):
            open_store(run_url, "run_a", read_only=read_only)


def test_another_schema_version_is_a_hard_error(run_url: str, cli: Cli) -> None:
    set_schema_version(run_url, "99")

    said = cli("inspect", run_url)

    assert (said.code, said.out) == (4, "")
    assert said.err.startswith("SchemaVersionMismatch: ")


def test_the_runtime_refuses_to_work_on_a_log_that_it_does_not_understand(run_url: str) -> None:
    set_schema_version(run_url, "99")

    with pytest.raises(SchemaVersionMismatch):
        Runtime.load(run_url, "run_a")
    with pytest.raises(SchemaVersionMismatch):
        Runtime(Graph(run_id="run_b"), persist_to=run_url)
    set_schema_version(run_url, SCHEMA_VERSION)
    with Runtime.load(run_url, "run_a", behaviors=[]) as untouched:
        assert untouched.status().events_processed == 14
