"""The section on SQLite and Postgres: which store is for what, and that both are one to everything above them."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg
from activegraph import Graph, Runtime
from activegraph.store import EventStore, list_runs, open_store
from support.cli import Cli, process
from support.logs import start_python
from support.stored_runs import files_of, record_prices


def test_sqlite_is_the_default(tmp_path: Path) -> None:
    with Runtime(Graph(run_id="run_a"), persist_to=str(tmp_path / "run.db")) as runtime:
        runtime.run_goal("prices")

    with closing(sqlite3.connect(tmp_path / "run.db")) as database:
        assert database.execute("SELECT count(*) FROM events").fetchone()[0] > 0


def test_the_event_log_of_sqlite_is_one_file(tmp_path: Path) -> None:
    record_prices(tmp_path / "run.db")

    assert list(files_of(tmp_path)) == ["run.db"]


def test_sqlite_runs_in_wal_mode(sqlite_run: str) -> None:
    with closing(sqlite3.connect(sqlite_run.removeprefix("sqlite:///"))) as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_write_survives_the_crash_of_its_process(store_url: str) -> None:
    code = """
import os, signal, sys
from activegraph import Graph, Runtime
runtime = Runtime(Graph(run_id="run_a"), persist_to=sys.argv[1])
runtime.run_goal("prices")
print(runtime.status().events_processed, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    child = start_python(code, store_url)
    told, _ = child.communicate(timeout=60)

    assert child.returncode == -signal.SIGKILL
    with open_store(store_url, "run_a", read_only=True) as store:  # type: ignore[attr-defined]
        assert store.count() == int(told) > 0


def test_sqlite_needs_nothing_that_has_to_be_operated(tmp_path: Path) -> None:
    code = """
import sys
from activegraph import Graph, Runtime
with Runtime(Graph(), persist_to="run.db") as runtime:
    runtime.run_goal("prices")
print([name for name in ("psycopg", "psycopg_pool", "prometheus_client") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"


def test_several_processes_can_inspect_a_run_at_once_while_another_writes_it(store_url: str) -> None:
    with Runtime(Graph(run_id="run_a"), persist_to=store_url) as runtime:
        runtime.run_goal("prices")
        looking = [
            subprocess.Popen(
                [sys.executable, "-m", "activegraph", "inspect", store_url, "--json"], stdout=subprocess.PIPE
            )
            for _ in range(2)
        ]
        runtime.run_goal("more prices")
        told = [json.loads(each.communicate(timeout=60)[0]) for each in looking]

    assert [each.returncode for each in looking] == [0, 0]
    assert {status["run_id"] for status in told} == {"run_a"}


def test_payloads_are_a_jsonb_column_that_sql_can_query(postgres_url: str) -> None:
    record_prices(postgres_url)

    with psycopg.connect(postgres_url) as warehouse:
        found = warehouse.execute(
            "SELECT payload -> 'object' -> 'data' ->> 'title' FROM events"
            " WHERE payload -> 'object' ->> 'type' = 'task' ORDER BY position"
        ).fetchall()

    assert found == [("Look up prices",), ("Write it down",)]


def test_both_stores_conform_to_one_protocol(store_url: str) -> None:
    with closing(open_store(store_url, "run_a")) as store:
        assert isinstance(store, EventStore)


def test_the_runtime_treats_both_alike(tmp_path: Path, postgres_url: str) -> None:
    urls = [record_prices(tmp_path / "run.db"), record_prices(postgres_url)]

    loaded = []
    for url in urls:
        with Runtime.load(url, "run_a", behaviors=[]) as runtime:
            loaded.append((runtime.status(), runtime.trace.lines(), [o.to_dict() for o in runtime.graph.all_objects()]))

    assert loaded[0] == loaded[1]


def test_the_command_line_treats_both_alike(tmp_path: Path, postgres_url: str, cli: Cli) -> None:
    urls = [record_prices(tmp_path / "run.db"), record_prices(postgres_url)]

    for command in (["inspect", "--json"], ["replay", "-r", "run_a"], ["export-trace", "-r", "run_a", "-f", "jsonl"]):
        on_sqlite, on_postgres = (cli(command[0], url, *command[1:]) for url in urls)
        assert on_sqlite == on_postgres


def test_library_functions_treat_both_alike(tmp_path: Path, postgres_url: str) -> None:
    urls = [record_prices(tmp_path / "run.db"), record_prices(postgres_url)]

    on_sqlite, on_postgres = (
        [(r.run_id, r.goal, r.event_count, r.last_event_id, r.status) for r in list_runs(url)] for url in urls
    )

    assert on_sqlite == on_postgres == [("run_a", "prices", 14, "evt_014", "idle")]


def test_nothing_moves_to_another_store_without_being_told_to(sqlite_run: str, postgres_url: str, cli: Cli) -> None:
    record_prices(postgres_url, run_id="run_b")

    assert cli("migrate", "--from", sqlite_run, "--to", postgres_url).code == 0
    record_prices(sqlite_run, run_id="run_c")

    assert [run.run_id for run in list_runs(postgres_url)] == ["run_a", "run_b"]
    assert [run.run_id for run in list_runs(sqlite_run)] == ["run_a", "run_c"]


def test_a_replica_of_the_database_can_be_read_by_a_role_that_may_only_select(
    postgres_url: str, postgres_server_url: str
) -> None:
    record_prices(postgres_url)
    schema = postgres_url.rpartition("search_path%3D")[2]
    role = f"reader_{os.getpid()}"
    with psycopg.connect(postgres_server_url, autocommit=True) as owner:
        owner.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'r'")
        owner.execute(f"GRANT USAGE ON SCHEMA {schema} TO {role}")
        owner.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role}")
        parts = psycopg.conninfo.conninfo_to_dict(postgres_url)
    try:
        where = f"{parts.get('host', '')}"
        reader = f"postgres://{role}:r@/{parts['dbname']}?host={where}&port={parts.get('port', 5432)}"
        said = process("inspect", f"{reader}&options=-csearch_path%3D{schema}")
    finally:
        with psycopg.connect(postgres_server_url, autocommit=True) as owner:
            owner.execute(f"DROP OWNED BY {role}")
            owner.execute(f"DROP ROLE {role}")

    assert (said.code, said.err) == (0, "")
    assert said.lines[0] == "run_id:           run_a"


def test_a_new_schema_is_as_good_as_a_new_database(new_postgres_url: Callable[[], str]) -> None:
    for url in (new_postgres_url(), new_postgres_url()):
        record_prices(url)
        assert len(list_runs(url)) == 1
