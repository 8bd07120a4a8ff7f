"""The private PostgreSQL server that the tests run against keeps its own promises."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
from support.postgres_server import PostgresServer


def test_a_server_starts_answers_and_leaves_nothing_behind() -> None:
    with PostgresServer() as server:
        base = server.base_directory
        with psycopg.connect(server.url) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)

    assert not base.exists()


def test_an_immediate_stop_and_a_start_keep_committed_rows() -> None:
    with PostgresServer() as server:
        with psycopg.connect(server.url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
        first = server.pid
        server.restart(immediate=True)

        assert server.pid != first
        with psycopg.connect(server.url) as connection:
            assert connection.execute("SELECT n FROM kept").fetchone() == (7,)


def test_settings_reach_the_server() -> None:
    with (
        PostgresServer(settings={"max_connections": "7"}, durable=True) as server,
        psycopg.connect(server.url) as connection,
    ):
        assert connection.execute("SHOW max_connections").fetchone() == ("7",)
        assert connection.execute("SHOW fsync").fetchone() == ("on",)


def test_the_server_dies_with_the_process_that_started_it() -> None:
    script = (
        "import os, signal\n"
        "from support.postgres_server import PostgresServer\n"
        "server = PostgresServer(); server.start()\n"
        "print(server.pid, server.base_directory, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    env = dict(os.environ, PYTHONPATH=str(Path(__file__).parents[1]))
    finished = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=env, check=False)
    pid, base = finished.stdout.split()

    status = Path(base) / "data" / "postmaster.pid"
    wait_for_end = f"import os, time\nwhile os.path.exists({str(status)!r}): time.sleep(0.01)"
    subprocess.run([sys.executable, "-c", wait_for_end], check=True, timeout=30)
    assert not status.exists()
    subprocess.run(["rm", "-rf", base], check=True)
    assert int(pid) > 0


def test_each_schema_url_is_empty_and_private(new_postgres_url: Callable[[], str]) -> None:
    first, second = new_postgres_url(), new_postgres_url()
    with psycopg.connect(first) as connection:
        connection.execute("CREATE TABLE mine ()")
    with psycopg.connect(second) as connection:
        assert connection.execute("SELECT to_regclass('mine')").fetchone() == (None,)
