"""Whole runs: load, fork, diff, look, list and migrate, ours against the bare driver reading the same rows."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.samples import RUN, event_dict, events_of

SELECT = "SELECT position, id, type, actor, payload, frame_id, caused_by, timestamp FROM events WHERE run_id = {} ORDER BY position"
FORK = """
INSERT INTO events ({columns})
SELECT {new}, {rest}
FROM events WHERE run_id = {old} AND position <= {last}"""


def _url(folder: Path, url: str) -> str:
    return url or f"sqlite:///{folder}/run.db"


def filled(url: str, count: int, run_id: str = RUN) -> None:
    """A run of `count` events, the last of them an idle mark."""
    from activegraph.store import open_store

    with open_store(url, run_id) as store:  # type: ignore[attr-defined]
        store.upsert_run(created_at="2026-05-15T10:32:01Z", goal="look")
        for start in range(1, count + 1, 5000):
            stop = min(start + 5000, count + 1)
            store.append_many(events_of([_field(position, count) for position in range(start, stop)]))


def _field(position: int, count: int) -> dict[str, Any]:
    if position < count:
        return event_dict(position)
    used: dict[str, Any] = {"used": {}, "limits": {}, "cost_used_usd": "0", "cost_limit_usd": None}
    return {
        **event_dict(position),
        "type": "runtime.idle",
        "actor": "runtime",
        "caused_by": None,
        "payload": {"snapshot": used},
    }


def _made(url: str, count: int, by: str) -> None:
    """A run of about so many events, emitted by the host or made by behaviors."""
    if by == "host":
        filled(url, count)
        return
    from activegraph import Graph, Runtime

    from benchmarks.steps import EVENTS_A_STEP, chain

    with Runtime(Graph(run_id=RUN), behaviors=[chain(count // EVENTS_A_STEP)], persist_to=url) as runtime:
        runtime.graph.add_object("task", {"n": 0, "title": "Look up the price of oak"})
        runtime.run_until_idle()


def load_ours(folder: Path, events: str, url: str = "", by: str = "host") -> float:
    """Seconds for `Runtime.load`."""
    from activegraph import Runtime

    _made(_url(folder, url), int(events), by)
    began = perf_counter()
    Runtime.load(_url(folder, url), RUN, behaviors=[])
    return perf_counter() - began


def load_memory(folder: Path, events: str, url: str = "") -> float:
    """Megabytes that a load adds to the peak of the process."""
    import subprocess
    import sys

    filled(_url(folder, url), int(events))
    code = (
        "import resource; from activegraph import Runtime\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        f"run = Runtime.load({_url(folder, url)!r}, {RUN!r}, behaviors=[])\n"
        "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)"
    )
    return float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


def load_bare(folder: Path, events: str, url: str = "", by: str = "host") -> float:
    """Seconds for SELECT all, `json.loads` each."""
    _made(_url(folder, url), int(events), by)
    connection, mark = _bare(folder, url)
    began = perf_counter()
    kept = [(*r[:4], json.loads(r[4]), *r[5:]) for r in _select(connection, mark, url)]
    seconds = perf_counter() - began
    assert len(kept) >= int(events)
    return seconds


def _bare(folder: Path, url: str) -> tuple[Any, str]:
    if not url:
        return sqlite3.connect(folder / "run.db", isolation_level=None), "?"
    import psycopg

    return psycopg.connect(url, autocommit=True), "%s"


def _select(connection: Any, mark: str, url: str) -> Any:
    text = SELECT.format(mark)
    if url:
        text = text.replace("payload", "payload_text").replace("timestamp", "timestamp_text")
    return connection.execute(text, (RUN,)).fetchall()


def fork_ours(folder: Path, events: str, url: str = "") -> float:
    """Seconds for `fork_run` at the last event but one."""
    from activegraph.store import fork_run

    filled(_url(folder, url), int(events))
    began = perf_counter()
    # The floor's id: it stands in every row and every key, and one of another length is another amount of work.
    fork_run(_url(folder, url), run_id=RUN, at_event=f"evt_{int(events) - 1:03d}", new_run_id="fork")
    return perf_counter() - began


def fork_bare(folder: Path, events: str, url: str = "") -> float:
    """Seconds for INSERT ... SELECT in one transaction, synced like a fork."""
    filled(_url(folder, url), int(events))
    connection, mark = _bare(folder, url)
    rest = "position, id, type, actor, payload, frame_id, caused_by, timestamp, digest"
    if url:
        rest = rest.replace("payload", "payload_text").replace("timestamp", "timestamp_text, timestamp")
    else:
        connection.execute("PRAGMA synchronous=full")
    text = FORK.format(columns=f"run_id, {rest}", new=mark, rest=rest, old=mark, last=mark)
    began = perf_counter()
    connection.execute(text, ("fork", RUN, int(events) - 1))
    return perf_counter() - began


def diff_ours(folder: Path, events: str, url: str = "") -> float:
    """Seconds to compare two stored runs."""
    from activegraph.operations.diff import diff_runs
    from activegraph.store import fork_run

    filled(_url(folder, url), int(events))
    fork_run(_url(folder, url), run_id=RUN, at_event=f"evt_{int(events) - 1:03d}", new_run_id="fork")
    began = perf_counter()
    diff_runs(_url(folder, url), RUN, "fork")
    return perf_counter() - began


def diff_bare(folder: Path, events: str, url: str = "") -> float:
    """Seconds to read both runs, decode and compare row by row."""
    from activegraph.store import fork_run

    filled(_url(folder, url), int(events))
    fork_run(_url(folder, url), run_id=RUN, at_event=f"evt_{int(events) - 1:03d}", new_run_id="fork")
    connection, mark = _bare(folder, url)
    text = SELECT.format(mark)
    if url:
        text = text.replace("payload", "payload_text").replace("timestamp", "timestamp_text")
    began = perf_counter()
    one, two = (
        [(*r[:4], json.loads(r[4])) for r in connection.execute(text, (run,)).fetchall()] for run in (RUN, "fork")
    )
    same = sum(a == b for a, b in zip(one, two, strict=False))
    seconds = perf_counter() - began
    assert same
    return seconds


def status_microseconds(folder: Path, events: str) -> float:
    """Microseconds for `status(20)`."""
    from activegraph import Runtime

    filled(_url(folder, ""), int(events))
    runtime = Runtime.load(_url(folder, ""), RUN, behaviors=[])
    began = perf_counter()
    for _ in range(2000):
        runtime.status(20)
    return (perf_counter() - began) / 2000 * 1e6


def _many_runs(folder: Path, url: str, runs: int, each: int) -> None:
    """Runs of one length; all but the first are copied inside the database."""
    from activegraph.store import fork_run

    filled(_url(folder, url), each, "run_0000")
    for number in range(1, runs):
        fork_run(_url(folder, url), run_id="run_0000", at_event=f"evt_{each:03d}", new_run_id=f"run_{number:04d}")


def list_milliseconds(folder: Path, runs: str, each: str, url: str = "") -> float:
    """Milliseconds to list all runs with what is derived of them."""
    from activegraph.store import list_runs

    _many_runs(folder, url, int(runs), int(each))
    list_runs(_url(folder, url))
    began = perf_counter()
    for _ in range(5):
        assert len(list_runs(_url(folder, url))) == int(runs)
    return (perf_counter() - began) / 5 * 1e3


def recent_milliseconds(folder: Path, runs: str, each: str, url: str = "") -> float:
    """Milliseconds to find the run that was appended to last."""
    from activegraph.store import most_recent_run_id

    _many_runs(folder, url, int(runs), int(each))
    most_recent_run_id(_url(folder, url))
    began = perf_counter()
    for _ in range(20):
        most_recent_run_id(_url(folder, url))
    return (perf_counter() - began) / 20 * 1e3


def migrate_ours(folder: Path, events: str, url: str) -> float:
    """Seconds to migrate a SQLite run to PostgreSQL."""
    from activegraph.operations.migrate import migrate

    filled(_url(folder, ""), int(events))
    _warm(url)
    began = perf_counter()
    assert migrate(_url(folder, ""), url).ok
    return perf_counter() - began


def migrate_bare(folder: Path, events: str, url: str) -> float:
    """Seconds to read all rows and COPY them in one transaction."""
    from benchmarks.appends import COPY_POSTGRES, postgres_tables

    filled(_url(folder, ""), int(events))
    source = sqlite3.connect(folder / "run.db")
    target = postgres_tables(url)
    began = perf_counter()
    rows = source.execute(
        "SELECT run_id, position, id, type, actor, payload, frame_id, caused_by, timestamp, digest, timestamp"
        " FROM events"
    )
    with target.transaction(), target.cursor().copy(COPY_POSTGRES) as copy:
        for row in rows:
            copy.write_row(row)
    return perf_counter() - began


def _warm(url: str) -> None:
    from activegraph.store import open_store

    open_store(url, "warm-up").close()


def storage_ours(folder: Path, events: str, url: str = "") -> float:
    """Megabytes of a run with all indexes."""
    filled(_url(folder, url), int(events))
    return _megabytes(folder, url)


def storage_bare(folder: Path, events: str, url: str = "") -> float:
    """Megabytes of the seven fields in a table keyed (run, position)."""
    count = int(events)
    columns = "run_id, position, id, type, actor, payload, frame_id, caused_by, timestamp"
    if url:
        import psycopg

        with psycopg.connect(url, autocommit=True) as connection:
            typed = (
                columns.replace("position", "position bigint").replace(", ", " text, ").replace("bigint text", "bigint")
            )
            connection.execute(f"CREATE TABLE events ({typed} text, PRIMARY KEY (run_id, position))")
            with connection.transaction(), connection.cursor().copy(f"COPY events ({columns}) FROM STDIN") as copy:
                for position in range(1, count + 1):
                    copy.write_row(_bare_row(position, count))
        return _megabytes(folder, url)
    database = sqlite3.connect(folder / "run.db")
    database.execute(f"CREATE TABLE events ({columns}, PRIMARY KEY (run_id, position))")
    marks = ", ".join("?" * 9)
    rows = (_bare_row(position, count) for position in range(1, count + 1))
    database.executemany(f"INSERT INTO events VALUES ({marks})", rows)
    database.commit()
    database.close()
    return _megabytes(folder, url)


def _bare_row(position: int, count: int) -> tuple[Any, ...]:
    from activegraph.store.serde import encode_payload

    fields = _field(position, count)
    payload = encode_payload(fields["payload"])
    rest = (fields["frame_id"], fields["caused_by"], fields["timestamp"])
    return (RUN, position, fields["id"], fields["type"], fields["actor"], payload, *rest)


def _megabytes(folder: Path, url: str) -> float:
    if url:
        import psycopg

        with psycopg.connect(url, autocommit=True) as connection:
            size = connection.execute("SELECT pg_total_relation_size('events')").fetchone()
            assert size is not None
            return float(size[0]) / 2**20
    with sqlite3.connect(folder / "run.db", isolation_level=None) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return (folder / "run.db").stat().st_size / 2**20
