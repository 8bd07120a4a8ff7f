"""The tables: made when first needed, guarded at every opening, and enough for roles with few rights."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable, Iterator

import psycopg
import pytest
from activegraph.errors import (
    ConcurrentWriterError,
    LogInconsistencyError,
    SchemaVersionMismatch,
    StoreNotFoundError,
    StoreUnavailableError,
)
from activegraph.store import fork_run, get_run, list_runs, most_recent_run_id, open_store, verify_run
from activegraph.store.postgres import SCHEMA_VERSION, PostgresEventStore
from support.postgres_events import ask, batch, ids
from support.postgres_server import PostgresServer
from support.stored_runs import event

TABLES = "SELECT relname::text FROM pg_class WHERE relnamespace = current_schema()::regnamespace ORDER BY 1"


def test_a_read_of_an_empty_database_makes_nothing(postgres_url: str) -> None:
    for read in (
        lambda: PostgresEventStore(postgres_url, "run_a", read_only=True),
        lambda: list_runs(postgres_url),
        lambda: most_recent_run_id(postgres_url),
        lambda: get_run(postgres_url, "run_a"),
        lambda: verify_run(postgres_url, "run_a"),
        lambda: open_store(postgres_url, "run_a", read_only=True),
        lambda: PostgresEventStore.fork_run(
            postgres_url, parent_run_id="a", new_run_id="b", at_event_id="e", label=None, created_at="2026-05-15"
        ),
    ):
        with pytest.raises((StoreNotFoundError, StoreUnavailableError)) as refusal:
            read()
        assert refusal.value.context["driver"] == "postgres"
    assert ask(postgres_url, TABLES) == []


def test_a_database_that_is_missing_is_not_found(postgres_server_url: str) -> None:
    missing = postgres_server_url.replace("/postgres?", "/no_such_database?")
    for read_only in (True, False):
        with pytest.raises(StoreNotFoundError) as refusal:
            PostgresEventStore(missing, "run_a", read_only=read_only)
        assert set(refusal.value.context) == {"url", "driver"}


def test_opening_for_writing_makes_the_tables_once_and_no_run(postgres_url: str) -> None:
    PostgresEventStore(postgres_url, "run_a").close()
    meta = dict(ask(postgres_url, "SELECT key, value FROM meta"))
    assert meta.pop("created_at").endswith("Z")
    assert meta.pop("created_by")
    assert meta == {"schema_version": SCHEMA_VERSION, "codec_version": "1"}

    PostgresEventStore(postgres_url, "run_b").close()
    assert ask(postgres_url, "SELECT count(*) FROM meta") == [(4,)]
    assert list_runs(postgres_url) == []
    assert most_recent_run_id(postgres_url) is None


@pytest.mark.parametrize(
    "change", ["ALTER TABLE events DROP COLUMN actor", "ALTER TABLE events RENAME COLUMN payload_text TO body"]
)
def test_a_column_that_is_gone_is_damage_and_named(postgres_url: str, change: str) -> None:
    with PostgresEventStore(postgres_url, "run_a") as store:
        store.append_many(batch(1, 2))
    ask(postgres_url, change)

    for use in (
        lambda: PostgresEventStore(postgres_url, "run_a").append_many(batch(3, 3)),
        lambda: list(PostgresEventStore(postgres_url, "run_a", read_only=True).iter_events()),
    ):
        with pytest.raises(LogInconsistencyError, match=r"actor|payload_text") as refusal:
            use()
        assert refusal.value.context == {"run_id": "run_a", "reason": "malformed", "driver": "postgres"}
    assert ask(postgres_url, "SELECT count(*) FROM events") == [(2,)]


def test_create_schema_off_never_makes_tables_and_says_how_to(postgres_url: str) -> None:
    with pytest.raises(StoreUnavailableError) as refusal:
        PostgresEventStore(postgres_url, "run_a", create_schema=False)

    assert refusal.value.context["reason"] == "no_schema"
    assert "python -m activegraph.store.postgres --ddl" in refusal.value.how_to_fix
    assert ask(postgres_url, TABLES) == []


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE meta SET value = '3' WHERE key = 'schema_version'",
        "UPDATE meta SET value = '1' WHERE key = 'schema_version'",
        "UPDATE meta SET value = '' WHERE key = 'schema_version'",
        "UPDATE meta SET value = '9' WHERE key = 'codec_version'",
        "DELETE FROM meta WHERE key = 'schema_version'",
        "DELETE FROM meta WHERE key = 'codec_version'",
        "DELETE FROM meta",
        "DROP TABLE meta",
        "ALTER TABLE meta RENAME COLUMN value TO worth",
        "DROP TABLE meta, runs",
        "DROP TABLE meta; DROP TABLE events; ALTER TABLE runs RENAME TO meta",
    ],
)
def test_another_layout_is_refused_in_every_function_and_nothing_changes(
    postgres_url: str, change: str, caplog: pytest.LogCaptureFixture
) -> None:
    PostgresEventStore(postgres_url, "run_a").append_many(batch(1, 3))
    ask(postgres_url, change)
    before = ask(postgres_url, TABLES)

    for use in (
        lambda: PostgresEventStore(postgres_url, "run_a"),
        lambda: PostgresEventStore(postgres_url, "run_a", read_only=True),
        lambda: list_runs(postgres_url),
        lambda: most_recent_run_id(postgres_url),
        lambda: fork_run(postgres_url, run_id="run_a", at_event="evt_1"),
        lambda: verify_run(postgres_url, "run_a"),
    ):
        caplog.clear()
        with pytest.raises(SchemaVersionMismatch) as refusal:
            use()
        assert set(refusal.value.context) == {
            "found_version",
            "expected_version",
            "activegraph_version",
            "driver",
        }
        found = refusal.value.context["found_version"]
        assert refusal.value.context["expected_version"] == SCHEMA_VERSION
        # Only what this version can copy is said to be copied.
        assert ("activegraph migrate" in refusal.value.how_to_fix) is (found == "1")
        critical = [record for record in caplog.records if record.levelno == logging.CRITICAL]
        assert [record.message.partition(" found")[0] for record in critical] == ["schema mismatch:"]
    assert ask(postgres_url, TABLES) == before


def test_other_tables_beside_the_store_are_nobodys_business(postgres_url: str) -> None:
    ask(postgres_url, "CREATE TABLE orders (id int)")
    store = PostgresEventStore(postgres_url, "run_a")
    store.append(event("evt_1"))

    assert ask(postgres_url, "SELECT count(*) FROM orders") == [(0,)]


def test_only_the_current_schema_counts_whatever_lies_behind_it_on_the_path(
    new_postgres_url: Callable[[], str],
) -> None:
    behind, front = new_postgres_url(), new_postgres_url()
    PostgresEventStore(behind, "run_a").append(event("evt_1"))
    name = ask(behind, "SELECT current_schema()")[0][0]
    both = f"{front}%2C{name}"
    assert ask(both, "SELECT count(*) FROM events") == [(1,)]

    with pytest.raises(StoreNotFoundError):
        list_runs(both)
    PostgresEventStore(both, "run_a").append_many(batch(1, 2))
    assert [r.event_count for r in list_runs(front)] == [2]
    assert [r.event_count for r in list_runs(behind)] == [1]


def test_a_search_path_to_nowhere_says_that_tables_cannot_be_made(postgres_server_url: str) -> None:
    nowhere = f"{postgres_server_url}&options=-csearch_path%3Dno_such_schema"
    with pytest.raises(StoreUnavailableError) as refusal:
        PostgresEventStore(nowhere, "run_a")
    assert refusal.value.context["reason"] == "no_schema"
    with pytest.raises(StoreNotFoundError):
        list_runs(nowhere)


def test_an_existing_store_is_opened_without_ddl_under_anothers_lock(postgres_url: str) -> None:
    PostgresEventStore(postgres_url, "run_a").append(event("evt_1"))
    with psycopg.connect(postgres_url) as holder:
        # All but ACCESS EXCLUSIVE: an attempt at any DDL would wait for ever.
        holder.execute("LOCK TABLE events, runs, meta IN EXCLUSIVE MODE")
        holder.execute("SELECT pg_advisory_xact_lock(hashtext('activegraph'), hashtext(current_schema()))")

        store = PostgresEventStore(postgres_url, "run_b")
        assert (store.count(), len(list_runs(postgres_url))) == (0, 1)


def test_printed_ddl_is_complete_idempotent_and_needs_no_connection(postgres_url: str) -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "activegraph.store.postgres", "--ddl"], capture_output=True, text=True, check=True
    ).stdout
    assert "GRANT SELECT ON events, runs, meta TO reader" in printed

    ask(postgres_url, printed)
    ask(postgres_url, printed)
    store = PostgresEventStore(postgres_url, "run_a", create_schema=False)
    store.append_many(batch(1, 3))
    assert store.count() == 3


def test_made_and_printed_tables_are_the_same(new_postgres_url: Callable[[], str]) -> None:
    made, printed = new_postgres_url(), new_postgres_url()
    PostgresEventStore(made, "run_a").close()
    ask(printed, PostgresEventStore.ddl())
    columns = (
        "SELECT table_name, column_name, data_type, is_nullable, collation_name, is_generated"
        " FROM information_schema.columns WHERE table_schema = current_schema() ORDER BY 1, ordinal_position"
    )
    indexes = (
        "SELECT replace(indexdef, current_schema() || '.', '') FROM pg_indexes"
        " WHERE schemaname = current_schema() ORDER BY 1"
    )

    assert ask(made, columns) == ask(printed, columns)
    assert ask(made, indexes) == ask(printed, indexes)
    assert sum("UNIQUE" in row[0] for row in ask(made, indexes)) == 4
    assert {row[4] for row in ask(made, columns) if row[2] == "text"} == {"C"}


@pytest.fixture(scope="module")
def roles() -> Iterator[PostgresServer]:
    """A server with a reader, a writer and a truncating role on a store that an owner made."""
    with PostgresServer() as server:
        ddl = PostgresEventStore.ddl().replace("-- GRANT", "GRANT")
        ask(server.url, "CREATE ROLE reader LOGIN; CREATE ROLE writer LOGIN; CREATE ROLE stranger LOGIN")
        ask(server.url, "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        ask(server.url, ddl.replace("GRANT DELETE ON events TO writer", "CREATE ROLE cutter LOGIN IN ROLE writer"))
        ask(server.url, "GRANT DELETE ON events TO cutter")
        PostgresEventStore(server.url, "run_a").append_many(batch(1, 30))
        yield server


def test_a_role_with_select_alone_can_read_everything(roles: PostgresServer) -> None:
    url = roles.url_for(user="reader")
    store = PostgresEventStore(url, "run_a", read_only=True)

    assert len(list(store.iter_events())) == store.count() == len(list(store.iter_raw())) >= 30
    assert store.tail(1)
    assert store.get_event("evt_3") is not None
    assert list(store.iter_types("note.taken", "runtime.idle"))
    assert store.get_run() is not None
    assert list_runs(url)
    assert most_recent_run_id(url)
    assert verify_run(url, "run_a").ok


def test_a_role_with_select_alone_is_told_that_it_may_not_write(roles: PostgresServer) -> None:
    store = PostgresEventStore(roles.url_for(user="reader"), "run_a")
    head = store.count()
    for write in (
        lambda: store.append(event("evt_x")),
        lambda: store.upsert_run(created_at="2026-05-15T10:32:01Z"),
        lambda: store.truncate_after("evt_1"),
        lambda: fork_run(roles.url_for(user="reader"), run_id="run_a", at_event="evt_1"),
    ):
        with pytest.raises(StoreUnavailableError) as refusal:
            write()
        assert refusal.value.context["reason"] == "permission"
        assert refusal.value.context["committed"] is False
        assert "GRANT" in refusal.value.how_to_fix
    assert store.count() == head


def test_a_writer_needs_no_more_than_the_printed_rights(roles: PostgresServer) -> None:
    url = roles.url_for(user="writer")
    store = PostgresEventStore(url, "run_w")
    store.append(event("evt_1", "goal.created", {"goal": "g"}))
    store.append_many(batch(2, 20), sync=True)
    store.append_many([], sync=True)
    record = store.get_run()
    assert record is not None
    store.upsert_run(created_at=record.created_at, label="named")
    with store.transaction():
        store.append(event("evt_21"))
    with pytest.raises(ConcurrentWriterError):
        PostgresEventStore(url, "run_w").append_many([event("evt_x")], expected_count=3)
    fork = fork_run(url, run_id="run_w", at_event="evt_9")

    assert fork.events_copied == 9
    assert ids(list(open_store(url, fork.new_run_id).iter_events())) == [f"evt_{n}" for n in range(1, 10)]
    with pytest.raises(StoreUnavailableError, match="permission"):
        store.truncate_after("evt_1")
    cutter = PostgresEventStore(roles.url_for(user="cutter"), "run_w")
    cutter.truncate_after("evt_5")
    assert cutter.count() == 5


def test_a_role_without_rights_on_missing_tables_is_told_of_the_ddl(roles: PostgresServer) -> None:
    ask(roles.url, "CREATE SCHEMA IF NOT EXISTS empty; GRANT USAGE ON SCHEMA empty TO PUBLIC")
    url = roles.url_for(user="stranger", options="-csearch_path=empty")
    with pytest.raises(StoreUnavailableError) as refusal:
        PostgresEventStore(url, "run_a")

    assert refusal.value.context["reason"] == "no_schema"
    assert "--ddl" in refusal.value.how_to_fix


def test_a_role_without_any_right_on_the_tables_is_told_so(roles: PostgresServer) -> None:
    for read_only in (True, False):
        with pytest.raises(StoreUnavailableError) as refusal:
            PostgresEventStore(roles.url_for(user="stranger"), "run_a", read_only=read_only)
        assert refusal.value.context["reason"] == "permission"


def test_a_database_in_another_encoding_is_refused_before_tables_are_made(roles: PostgresServer) -> None:
    ask(roles.url, "CREATE DATABASE latin ENCODING LATIN1 TEMPLATE template0 LOCALE 'C'")
    with pytest.raises(StoreUnavailableError, match="LATIN1") as refusal:
        PostgresEventStore(roles.url_for("latin"), "run_a")

    assert refusal.value.context["reason"] == "no_schema"
    assert ask(roles.url_for("latin"), TABLES) == []
