"""Operate a run: every command and every library call of the operator's guide, in its order, and checked.

    python examples/operate_a_run.py                              # on SQLite
    python examples/operate_a_run.py postgres://localhost/agdb    # and on a Postgres that is there

`ACTIVEGRAPH_POSTGRES_URL` may name the database too. Files go into the current folder. The program
needs no key and no network, prints what it does, and ends with exit code 1 at the first thing that
does not come out as the guide says.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

from activegraph import Event, Graph, Runtime, behavior, clear_registry, inspect_run, migrate, relation_behavior
from activegraph.cli.main import main as activegraph
from activegraph.errors import ConcurrentWriterError, InvalidStoreURL, ReplayDivergenceError
from activegraph.observability import METRIC_NAMES, NoOpMetrics, PrometheusMetrics, configure_logging
from activegraph.store import list_runs, open_store, safe_url

CHECKS = 0


def check(holds: object, what: str) -> None:
    """Stop the program if something does not come out as the guide says."""
    global CHECKS
    if not holds:
        sys.exit(f"NOT AS THE GUIDE SAYS: {what}")
    CHECKS += 1


def section(title: str) -> None:
    print(f"\n## {title}")


def run(*words: str, expect: int = 0, show: int = 3) -> str:
    """Run one command as a shell would, show what it says, and return what it prints on stdout."""
    print(f"$ activegraph {' '.join(map(safe_url, words))}")
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = activegraph(list(words))
    lines = (out.getvalue() or err.getvalue()).splitlines()
    for line in lines[:show]:
        print(f"  {line[:110]}")
    if len(lines) > show:
        print(f"  ... {len(lines) - show} more lines")
    check(code == expect, f"exit code {code}, not {expect}: {err.getvalue()}")
    return out.getvalue()


# What is operated: a planner makes tasks, a worker prices each, and a finished task unblocks the next.


def declare_behaviors() -> None:
    clear_registry()

    @behavior(name="planner", on=["goal.created"])
    def planner(event, graph, ctx):
        first = graph.add_object("task", {"title": "Ask for prices", "status": "open"})
        second = graph.add_object("task", {"title": "Compare them", "status": "blocked"})
        graph.add_relation(first.id, second.id, "unblocks")

    @behavior(name="worker", on=["object.created"], where={"object.type": "task", "object.data.status": "open"})
    def worker(event, graph, ctx):
        graph.add_object("note", {"text": "three offers", "email": "anna@example.com"})
        graph.emit("task.completed", {"task_id": event.payload["id"]})

    @relation_behavior("unblocks", name="unblocker", on=["task.completed"])
    def unblocker(relation, event, graph, ctx):
        graph.patch_object(relation.target, {"status": "open"})


def new_run(url: str, run_id: str, **options) -> Runtime:
    return Runtime(Graph(run_id=run_id), persist_to=url, **options)


def connection_urls(url: str) -> None:
    section("Connection URLs")
    with new_run(url, "run_prices") as rt:
        rt.run_goal("prices")
    # The runtime, the command line and the library take the same URL.
    run("inspect", url)
    check([r.run_id for r in list_runs(url)] == ["run_prices"], "the library finds the run by its URL")
    run("inspect", "run.db", expect=2)
    try:
        open_store("run.db", "run_prices")
    except InvalidStoreURL as error:
        check("sqlite:///run.db" in str(error), "the message shows the right spelling")


def connection_management(url: str) -> None:
    section("Postgres: schema, and who owns a connection")
    import psycopg
    import psycopg_pool
    from activegraph.store.postgres import PostgresEventStore

    with psycopg.connect(url) as connection:
        version = connection.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchone()
        check(version is not None, "the tables were made at the first connection")
        # A connection is lent: closing the store leaves it open.
        PostgresEventStore(connection, "run_prices").close()
        check(not connection.closed, "a lent connection stays open")
    pool = psycopg_pool.ConnectionPool(conninfo=url, min_size=2, max_size=10)
    with pool:
        store = PostgresEventStore(pool, run_id="run_prices")
        print(f"  {store.count()} events, read through a pool")
        check(pool.get_stats()["pool_available"] == pool.get_stats()["pool_size"], "every connection came back")


def migration(url: str, other: str) -> None:
    section("Migration")
    report = migrate(url, other)
    check(report.ok, "every run went over")
    again = json.loads(run("migrate", "--from", url, "--to", other, "--json"))
    check([r["events_migrated"] for r in again["runs"]] == [0] * len(again["runs"]), "a second call writes nothing")
    run("migrate", "--from", url, "--to", other, "--run-id", "run_prices", "--skip-corrupted")
    exports = [
        run("export-trace", each, "--run-id", "run_prices", "--format", "jsonl", show=1) for each in (url, other)
    ]
    check(exports[0] == exports[1], "both logs are the same, byte for byte")


def structured_logging(url: str) -> None:
    section("Structured logging and redaction")

    def redact(payload: dict) -> dict:
        return {k: ("<redacted>" if k == "email" else v) for k, v in payload.items()}

    written = io.StringIO()
    logger = configure_logging(level="DEBUG", json_output=True, stream=written, payload_redactor=redact)
    with new_run(url, "run_logged") as rt:
        rt.graph.emit(Event(rt.graph.ids.event(), "letter.received", {"email": "anna@example.com"}))
        rt.run_goal("prices")
        kept = [event.payload for event in rt.graph.events if event.type == "letter.received"]
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    print(f"  {lines[0]}"[:112])
    emitted = [line for line in lines if line["message"].startswith("event emitted")]
    check(all(line["run_id"] == "run_logged" for line in emitted), "every line carries its run")
    check(len(emitted) == inspect_run(url, "run_logged").events_processed, "one line for each event")
    received = [line["message"] for line in lines if "letter.received payload" in line["message"]]
    check(received == ['event payload: letter.received payload={"email":"<redacted>"}'], "the log line is redacted")
    check(kept == [{"email": "anna@example.com"}], "the event log keeps the original")
    for handler in [h for h in logger.handlers if getattr(h, "_activegraph", False)]:
        logger.removeHandler(handler)
    logger.setLevel(logging.ERROR)


def metrics(url: str) -> None:
    section("Metrics")
    from prometheus_client import CollectorRegistry, generate_latest

    registry = CollectorRegistry()
    with new_run(url, "run_measured", budget={"max_events": 100}, metrics=PrometheusMetrics(registry)) as rt:
        rt.run_goal("prices")
        text = generate_latest(registry).decode()
    shown = [line for line in text.splitlines() if line.startswith("activegraph_behaviors_invoked_total")]
    print("  " + "\n  ".join(shown))
    check('activegraph_behaviors_invoked_total{behavior="planner"} 1.0' in shown, "the planner was counted")
    check('activegraph_budget_events_remaining{run_id="run_measured"}' in text, "the gauge of the budget is there")
    check(len(METRIC_NAMES) == 20, "the table has twenty metrics")
    check(isinstance(Runtime(Graph()).metrics, NoOpMetrics), "the default measures nothing")

    class Counts:
        """A backend of one's own: three methods."""

        def __init__(self) -> None:
            self.names: set[str] = set()

        def counter(self, name: str, tags: dict[str, str], value: float = 1.0) -> None:
            self.names.add(name)

        def histogram(self, name: str, tags: dict[str, str], value: float) -> None:
            self.names.add(name)

        def gauge(self, name: str, tags: dict[str, str], value: float) -> None:
            self.names.add(name)

    mine = Counts()
    Runtime(Graph(), metrics=mine).run_goal("prices")
    check("activegraph_queue_depth" in mine.names, "a backend of one's own is told too")


def introspection(url: str) -> None:
    section("Runtime introspection")
    with Runtime.load(url, run_id="run_prices") as rt:
        status = rt.status()
        print(f"  {status.run_id} {status.state} {status.queue_depth}")
        for ev in status.recent_events[-3:]:
            print(f"  {ev.id} {ev.type}")
        check([e.type for e in rt.status(recent=1).recent_events] == ["runtime.idle"], "`recent` says how many")
        check(not [e for e in status.recent_events if e.type == "behavior.failed"], "nothing failed")


def commands(url: str, other: str) -> str:
    """Every command of the guide's synopsis; returns the id of a fork."""
    section("inspect")
    shown = json.loads(run("inspect", url, "--run-id", "run_prices", "--tail", "50", "--json", show=0))
    check(shown == inspect_run(url, "run_prices", recent=50).to_dict(), "JSON is the status of the library")
    run("inspect", url, "--run-id", "run_prices", "--event", "evt_001", show=9)
    run("inspect", url, "--run-id", "run_prices", "--behaviors", show=4)
    run("inspect", url, "--run-id", "run_prices", "--pack-version")
    run("inspect", url, "--behaviors", "--pack-version", expect=2, show=1)

    section("replay")
    counted = run("replay", url, "--run-id", "run_prices", show=4)
    check("objects:   3" in counted, "the graph is computed anew")

    section("fork")
    said = run("fork", url, "--run-id", "run_prices", "--at-event", "evt_006", "--label", "another-thesis", "--json")
    fork = json.loads(said)["new_run_id"]
    check(inspect_run(url, fork).state == "stopped", "a fork is dormant")
    with Runtime.load(url, run_id=fork) as rt:
        rt.run_until_idle()
    check(inspect_run(url, fork).state == "idle", "it is continued by loading it")
    run("fork", url, "--run-id", "run_prices", "--at-event", "evt_006", "--to", other)
    recording = run("fork", url, "--run-id", "run_prices", "--at-event", "evt_006", "--label", "thesis", "--record")
    check("recording fork" in recording, "--record says what comes next")

    section("diff")
    run("diff", url, "--run-a", "run_prices", "--run-b", fork, "--json")
    with Runtime.load(url, run_id="run_prices") as parent, Runtime.load(url, run_id=fork) as child:
        print(f"  {parent.diff(child)}"[:112])

    section("export-trace")
    run("export-trace", url, "--run-id", "run_prices")
    run("export-trace", url, "--run-id", "run_prices", "--format", "jsonl", "-o", "prices.jsonl")
    exported = [json.loads(line) for line in Path("prices.jsonl").read_text().splitlines()]
    check(len(exported) == shown["events_processed"], "one line for each event")
    return fork


def exit_codes(url: str, fork: str) -> None:
    section("Exit codes")
    run("inspect", url, show=0)
    run("inspect", "postgres://127.0.0.1:1/nobody", expect=1, show=1)
    run("inspect", url, "--tail", "many", expect=2, show=1)
    run("inspect", url, "--run-id", "run_nobody", expect=3, show=1)
    run("verify", url, "--run-id", "run_prices", "--expect", f"999:{'0' * 64}", expect=4, show=1)
    shorter = json.loads(run("fork", url, "--run-id", fork, "--at-event", "evt_003", "--json", show=0))["new_run_id"]
    run("diff", url, "--run-a", "run_prices", "--run-b", shorter, "--exit-code", expect=5, show=1)


def runbook(url: str) -> None:
    section("Runbook: a run is over budget")
    with new_run(url, "run_short", budget={"max_behavior_calls": 1}) as rt:
        rt.run_goal("prices")
        print(f"  {rt.status().state}: {rt.status().budget.exhausted_by}")
    check(inspect_run(url, "run_short").budget.exhausted_by == "max_behavior_calls", "inspect names the dimension")
    with Runtime.load(url, run_id="run_short", budget={"max_behavior_calls": 100}) as rt:
        rt.run_until_idle()
        check(rt.status().state == "idle", "with a higher limit it goes on")

    section("Runbook: a run has two writers")
    with Runtime.load(url, run_id="run_short") as first, Runtime.load(url, run_id="run_short") as second:
        first.run_goal("more prices")
        try:
            second.run_goal("the same")
        except ConcurrentWriterError as error:
            print(f"  {str(error).splitlines()[0]}"[:112])
        check(second.status().state == "stopped", "the second is told and stopped")
        check(first.status().state == "idle", "the first goes on unharmed")

    section("Runbook: replay diverges")
    Runtime.load(url, run_id="run_prices", replay_strict=True).close()
    # In a shell of its own the command is told where the behaviors are: --strict --import my_behaviors
    run("replay", url, "--run-id", "run_prices", "--strict", show=5)
    try:
        Runtime.load(url, run_id="run_prices", behaviors=[], replay_strict=True)
    except ReplayDivergenceError as error:
        print(f"  {str(error).splitlines()[0]}"[:112])
        run("inspect", url, "--run-id", "run_prices", "--event", str(error.event_id), show=2)
        run("fork", url, "--run-id", "run_prices", "--at-event", str(error.event_id), "--record", show=2)
    else:
        check(False, "behaviors that are gone are a divergence")

    section("Runbook: trace lines do not appear in the aggregator")
    with Runtime.load(url, run_id="run_prices") as rt, contextlib.redirect_stdout(io.StringIO()) as printed:
        rt.print_trace()
    check(printed.getvalue().startswith("[replay.event]"), "the trace goes to stdout, not to the log")


def operate(url: str, other: str) -> None:
    """The whole guide against one store; `other` is where runs are copied to."""
    before = CHECKS
    declare_behaviors()
    connection_urls(url)
    if url.startswith("postgres"):
        connection_management(url)
    migration(url, other)
    structured_logging(url)
    metrics(url)
    introspection(url)
    fork = commands(url, other)
    exit_codes(url, fork)
    runbook(url)
    print(f"\n{CHECKS - before} checks hold on {url.split(':')[0]}")


@contextlib.contextmanager
def own_schema(url: str) -> Iterator[str]:
    """The URL of a new schema in that database, gone at the end: nothing that is there is touched."""
    import psycopg

    name = f"operate_a_run_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}")
        try:
            yield f"{url}{'&' if '?' in url else '?'}options=-csearch_path%3D{name}"
        finally:
            connection.execute(f"DROP SCHEMA {name} CASCADE")


def main() -> None:
    # Warnings of the runs below are about what is provoked here.
    logging.getLogger("activegraph").setLevel(logging.ERROR)
    given = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("ACTIVEGRAPH_POSTGRES_URL")
    for name in ("run.db", "copy.db", "second_copy.db"):
        Path(name).unlink(missing_ok=True)
    print("# On SQLite")
    operate("sqlite:///run.db", "sqlite:///copy.db")
    stores = ["SQLite"]
    if given:
        print("\n# On Postgres")
        with own_schema(given) as url:
            operate(url, "sqlite:///second_copy.db")
        stores.append("Postgres")
    section("pack and quickstart")
    packs = json.loads(run("pack", "list", "--json"))
    check("incident_review" in [pack["name"] for pack in packs], "the reference pack is found")
    run("pack", "new", f"prices-{uuid.uuid4().hex[:6]}", show=1)
    run("quickstart", "--db", "tour.db", show=1)
    print(f"\nOK: {CHECKS} checks on {' and '.join(stores)}")


if __name__ == "__main__":
    main()
