"""Records the three incidents that the reference pack reviews, from a real PostgreSQL server.

Each incident gets a server of its own, real clients that provoke it, and a sampler that writes what
the statistics views show while it happens. The result is package data of the reference pack:

    python scripts/record_incidents.py            # all three
    python scripts/record_incidents.py crash_recovery

Schema, names and amounts are those of an invented shop. Rules read a new recording as they read any
log. The answers of a model (`answers.json`) quote lines by number: the pack's tests say which of them
a new recording has made untrue, and those are written anew by hand.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from support.postgres_server import PostgresServer  # noqa: E402 - found through the line above

TARGET = ROOT / "packages/activegraph-pack-incident-review/src/activegraph/packs/incident_review/recordings"
SIZE_LIMIT = 400_000
"""Bytes that all recordings together may take in the wheel."""

SAMPLE_SECONDS = 0.2

SETTINGS = {
    "logging_collector": "on",
    "log_destination": "jsonlog",
    "log_directory": "log",
    "log_filename": "postgres.log",
    "log_lock_waits": "on",
    "deadlock_timeout": "200ms",
    "log_connections": "on",
    "log_disconnections": "on",
    "log_checkpoints": "on",
    "log_timezone": "UTC",
}

SCHEMA = """
CREATE ROLE shop LOGIN;
CREATE TABLE product (id int PRIMARY KEY, name text NOT NULL, stock int NOT NULL);
CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY, product int NOT NULL, placed timestamptz DEFAULT now(),
                     note text);
INSERT INTO product SELECT n, 'Product ' || n, 1000 FROM generate_series(1, 50) n;
INSERT INTO orders (product, note) SELECT n % 50 + 1, 'seed' FROM generate_series(1, 2000) n;
GRANT ALL ON ALL TABLES IN SCHEMA public TO shop;
"""

STOCKTAKING = "DO $$ BEGIN RAISE EXCEPTION 'stocktaking of product 30 is not finished'; END $$"
"""An error of the application's own making, which no rule can know."""

SAMPLE = """
SELECT (SELECT jsonb_object_agg(coalesce(state, 'starting'), n)
        FROM (SELECT state, count(*) n FROM pg_stat_activity
              WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() GROUP BY state) s),
       (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
       (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND wait_event_type = 'Lock'),
       (SELECT count(*) FROM pg_locks WHERE granted),
       (SELECT count(*) FROM pg_locks WHERE NOT granted),
       xact_commit, xact_rollback, deadlocks, current_setting('max_connections')::int
FROM pg_stat_database
WHERE datname = current_database()
"""


@dataclass
class Sampler:
    """Writes a sample of the statistics views every 200 ms, and an error where there is no answer."""

    url: str
    samples: list[dict[str, Any]] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self) -> Iterator[None]:
        thread = threading.Thread(target=self._run, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()

    def _run(self) -> None:
        connection: psycopg.Connection | None = None
        due = time.monotonic()
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            due += SAMPLE_SECONDS
            at = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] + " UTC"
            try:
                if connection is None or connection.closed:
                    connection = connect(self.url, "shop-monitor")
                self.samples.append({"at": at, **self._sample(connection)})
            except psycopg.OperationalError as error:
                self.samples.append({"at": at, "error": one_line(error)})
                connection = None
        if connection is not None:
            connection.close()

    @staticmethod
    def _sample(connection: psycopg.Connection) -> dict[str, Any]:
        row = connection.execute(SAMPLE).fetchone()
        assert row is not None
        names = ["sessions", "backends", "waiting", "locks_granted", "locks_waiting"]
        names += ["xact_commit", "xact_rollback", "deadlocks", "max_connections"]
        sample = dict(zip(names, row, strict=True))
        return sample | {"sessions": sample["sessions"] or {}}


def connect(url: str, application: str, **options: str) -> psycopg.Connection:
    """An autocommit connection; parameters are written into the statement, as the log should show them."""
    settings = " ".join(f"-c {name}={value}" for name, value in options.items())
    return psycopg.connect(
        url, autocommit=True, application_name=application, options=settings, cursor_factory=psycopg.ClientCursor
    )


def one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def in_threads(work: Callable[[int], None], count: int) -> list[threading.Thread]:
    threads = [threading.Thread(target=work, args=(n,), daemon=True) for n in range(count)]
    for thread in threads:
        thread.start()
    return threads


def join(threads: Sequence[threading.Thread]) -> None:
    for thread in threads:
        thread.join(60)


def checkout_deadlocks(server: PostgresServer) -> None:
    """Workers update two rows in opposite order; later a transaction is left open and others queue behind it."""
    url = server.url_for(user="shop")
    take = "UPDATE product SET stock = stock - %s WHERE id = %s"

    meeting = threading.Barrier(2)

    def checkout(worker: int) -> None:
        first, second = (11, 12) if worker % 2 else (12, 11)
        with connect(url, "shop-checkout") as session:
            for _ in range(4):
                with suppress(psycopg.errors.DeadlockDetected), session.transaction():
                    session.execute(take, (1, first))
                    meeting.wait()
                    session.execute(take, (1, second))
                time.sleep(0.3)

    def wait_in_queue(worker: int) -> None:
        time.sleep(0.2 + worker * 0.25)
        with connect(url, "shop-checkout") as session:
            session.execute(take, (2, 30))

    time.sleep(1)
    join(in_threads(checkout, 2))
    with connect(url, "shop-backoffice") as left_open:
        left_open.execute("BEGIN")
        left_open.execute("UPDATE product SET name = %s WHERE id = %s", ("Renamed", 30))
        waiting = in_threads(wait_in_queue, 5)
        time.sleep(4)
        left_open.execute("COMMIT")
        join(waiting)
        with suppress(psycopg.errors.RaiseException):
            left_open.execute(STOCKTAKING)
    time.sleep(1)


def connection_storm(server: PostgresServer) -> None:
    """A pool keeps idle sessions open, slow reports take the remaining slots, and new clients are refused."""
    url = server.url_for(user="shop")
    report = "SELECT product, count(*), max(pg_sleep(0.002)::text) FROM orders GROUP BY product ORDER BY 2 DESC"

    def run_report(worker: int) -> None:
        options = {"statement_timeout": "1500ms"} if worker < 4 else {}
        with (
            connect(url, "shop-report", **options) as session,
            suppress(psycopg.errors.QueryCanceled),
        ):
            session.execute(report)

    def visit(_: int) -> None:
        for _ in range(4):
            try:
                connect(url, "shop-web").close()
            except psycopg.OperationalError:
                time.sleep(0.4)

    time.sleep(1)
    pool = [connect(url, "shop-web") for _ in range(10)]
    for session in pool:
        session.execute("SELECT count(*) FROM product")
    time.sleep(0.5)
    reports = in_threads(run_report, 6)
    time.sleep(0.4)
    join(in_threads(visit, 12))
    join(reports)
    for session in pool:
        session.close()
    time.sleep(1)


def crash_recovery(server: PostgresServer) -> None:
    """A backend is ended by SIGKILL while it writes: the server cuts all sessions and replays its log."""
    url = server.url_for(user="shop")
    fill = "INSERT INTO orders (product, note) SELECT n %% 50 + 1, repeat('order ', 20) FROM generate_series(1, %s) n"

    def write(_: int) -> None:
        with suppress(psycopg.OperationalError), connect(url, "shop-checkout") as session:
            while True:
                session.execute(fill, (20_000,))

    def come_back(_: int) -> None:
        for _ in range(200):
            try:
                connect(url, "shop-web").close()
                return
            except psycopg.OperationalError:
                time.sleep(0.05)

    with connect(server.url, "shop-admin") as admin:
        admin.execute("CHECKPOINT")
    time.sleep(2)
    writers = in_threads(write, 3)
    time.sleep(4)
    with connect(server.url, "shop-admin") as admin:
        found = admin.execute(
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'shop-checkout' AND state = 'active'"
        ).fetchone()
        assert found is not None, "no writer was busy"
        # The kernel ends the backend that writes, as it does when memory runs out.
        os.kill(found[0], signal.SIGKILL)
    join(writers)
    join(in_threads(come_back, 2))
    time.sleep(1.5)


@dataclass(frozen=True)
class Incident:
    """What to record: a name, a title, and the script that provokes it."""

    title: str
    provoke: Callable[[PostgresServer], None]
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.provoke.__name__


INCIDENTS = [
    Incident("Checkout fails with deadlocks", checkout_deadlocks),
    Incident("Shop cannot connect", connection_storm, {"max_connections": "20"}),
    Incident("Server restarts by itself", crash_recovery, {"max_wal_size": "2GB"}),
]


def record(incident: Incident) -> Path:
    """Provoke `incident` on a fresh server and write its folder."""
    with PostgresServer(settings=SETTINGS | incident.settings, durable=True) as server:
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute(SCHEMA)
            version = connection.execute("SELECT current_setting('server_version')").fetchone()
        sampler = Sampler(server.url)
        with sampler.running():
            incident.provoke(server)
        server.stop()
        log = (server.data_directory / "log" / "postgres.json").read_bytes()
    assert version is not None
    about = {
        "name": incident.name,
        "title": incident.title,
        "provoked": " ".join((incident.provoke.__doc__ or "").split()),
        "server_version": version[0],
        "recorded_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "settings": SETTINGS | incident.settings,
    }
    folder = TARGET / incident.name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "postgres.jsonlog").write_bytes(log)
    (folder / "metrics.jsonl").write_text("".join(json.dumps(sample) + "\n" for sample in sampler.samples))
    (folder / "about.json").write_text(json.dumps(about, indent=2) + "\n")
    return folder


def main(names: Sequence[str]) -> int:
    known = {incident.name: incident for incident in INCIDENTS}
    if unknown := set(names) - set(known):
        print(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(known)}", file=sys.stderr)
        return 2
    for name in names or known:
        folder = record(known[name])
        print(f"{name}: {sum(file.stat().st_size for file in folder.iterdir()):,} bytes in {folder}")
    size = sum(file.stat().st_size for file in TARGET.rglob("*") if file.is_file())
    if size > SIZE_LIMIT:
        print(f"the recordings take {size:,} bytes, more than {SIZE_LIMIT:,}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
