"""The runbook: each situation provoked, and met as it says."""

from __future__ import annotations

import json
import logging
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from activegraph import (
    ConcurrentWriterError,
    FrozenClock,
    Graph,
    IncompatibleRuntimeState,
    ReplayDivergenceError,
    Runtime,
    SchemaVersionMismatch,
    StoreUnavailableError,
    inspect_run,
    migrate,
)
from activegraph.behaviors.base import AnyBehavior, Behavior
from activegraph.conformance.recording import RecordingMetrics
from activegraph.store import open_store, verify_run
from activegraph.store.postgres import PostgresEventStore
from support.busy_run import RUN as BUSY
from support.busy_run import busy_behaviors, busy_run
from support.cli import Cli
from support.equal_logs import essences
from support.logs import start_python
from support.postgres_server import PostgresServer
from support.stored_runs import alter, files_of, record_prices

RUN = "run_a"


def tasks(count: int) -> list[AnyBehavior]:
    """A planner, and a worker for each of its tasks."""

    def plan(event: Any, graph: Any, ctx: Any) -> None:
        for number in range(count):
            graph.add_object("task", {"number": number})

    def work(event: Any, graph: Any, ctx: Any) -> None:
        graph.patch_object(event.payload["id"], {"guess": ctx.random.randrange(100)})

    return [Behavior("plan", plan, ["goal.created"]), Behavior("work", work, ["object.created"])]


def new(behaviors: list[AnyBehavior], **options: Any) -> Runtime:
    return Runtime(Graph(run_id=RUN, clock=FrozenClock()), behaviors, **options)


def log_of(url: str) -> Any:
    """What two logs of one run have in common, however they came about."""
    with open_store(url, RUN, read_only=True) as store:  # type: ignore[attr-defined]
        return essences(list(store.iter_events()))


def undisturbed(count: int) -> Any:
    """The log of a run of so many tasks that nothing happened to."""
    with new(tasks(count)) as runtime:
        runtime.run_goal("prices")
        return essences(list(runtime.graph.events))


class TestARunIsStuck:
    def test_idle_is_the_normal_end_of_a_run_with_a_goal(self) -> None:
        runtime = new(tasks(2))
        runtime.run_goal("prices")

        status = runtime.status()

        assert (status.state, status.queue_depth, status.budget.exhausted_by) == ("idle", 0, None)

    def test_idle_waits_for_new_input(self) -> None:
        runtime = new(tasks(2))
        runtime.run_goal("prices")

        runtime.run_goal("more prices")

        assert runtime.status().state == "idle"
        assert len(runtime.graph.all_objects()) == 4

    def test_exhausted_shows_which_dimension(self, store_url: str, cli: Cli) -> None:
        with new(tasks(5), budget={"max_behavior_calls": 3}, persist_to=store_url) as runtime:
            runtime.run_goal("prices")
            assert (runtime.status().state, runtime.status().budget.exhausted_by) == ("exhausted", "max_behavior_calls")

        said = cli("inspect", store_url)
        assert "state:            exhausted" in said.lines
        assert "  exhausted_by:        max_behavior_calls" in said.lines

    def test_a_raised_limit_lets_it_go_on(self) -> None:
        runtime = new(tasks(5), budget={"max_behavior_calls": 3})
        runtime.run_goal("prices")

        runtime.budget = {"max_behavior_calls": 100}
        runtime.run_until_idle()

        assert runtime.status().state == "idle"

    def test_running_shows_a_queue_that_gets_shorter(self) -> None:
        depths: list[int] = []

        def note(event: Any, graph: Any, ctx: Any) -> None:
            status = runtime.status()
            assert status.state == "running"
            depths.append(status.queue_depth)

        runtime = new([*tasks(5)[:1], Behavior("note", note, ["object.created"])])
        runtime.run_goal("prices")

        assert depths == sorted(depths, reverse=True)
        assert depths[0] > depths[-1]

    def test_a_queue_that_grows_shows_who_produces_too_much(self) -> None:
        depths: list[int] = []

        def breed(event: Any, graph: Any, ctx: Any) -> None:
            depths.append(runtime.status().queue_depth)
            for _ in range(2):
                graph.add_object("rabbit", {})

        breeding = Behavior("breed", breed, ["goal.created", "object.created"])
        runtime = new([breeding], budget={"max_behavior_calls": 8})
        runtime.run_goal("rabbits")

        assert depths == sorted(depths)
        assert depths[-1] > depths[0]
        started = [line for line in runtime.trace.lines() if line.startswith("[behavior.started]")]
        assert all("breed" in line for line in started)

    def test_stopped_is_loaded_and_not_called(self, store_url: str) -> None:
        with new(tasks(2), persist_to=store_url) as runtime:
            runtime.graph.add_object("task", {"number": 9})

        with Runtime.load(store_url, RUN, behaviors=tasks(2)) as loaded:
            assert loaded.status().state == "stopped"
            loaded.run_until_idle()
            assert loaded.status().state == "idle"

    def test_inspect_answers_from_another_process_while_it_works(self, store_url: str) -> None:
        told: list[dict[str, Any]] = []

        def look(event: Any, graph: Any, ctx: Any) -> None:
            command = [sys.executable, "-m", "activegraph", "inspect", store_url, "--json"]
            told.append(json.loads(subprocess.run(command, capture_output=True, check=True, timeout=60).stdout))

        with new([*tasks(3)[:1], Behavior("look", look, ["object.created"])], persist_to=store_url) as runtime:
            runtime.run_goal("prices")

        assert [status["state"] for status in told] == ["stopped"] * 3
        assert [status["queue_depth"] for status in told] == sorted(
            (status["queue_depth"] for status in told), reverse=True
        )


class TestARunIsOverBudget:
    def test_status_shows_use_and_limits_in_every_dimension(self) -> None:
        limits: dict[str, Any] = {
            "max_events": 1,
            "max_behavior_calls": 2,
            "max_llm_calls": 3,
            "max_tool_calls": 4,
            "max_depth": 5,
            "max_seconds": 6,
            "max_cost_usd": "7.50",
        }
        budget = new([], budget=limits).status().budget

        assert {name: budget.limits[name] for name in limits} == {name: float(limit) for name, limit in limits.items()}
        assert budget.used.keys() == budget.limits.keys() >= limits.keys()
        assert budget.cost_limit_usd == "7.50"

    @pytest.mark.parametrize("dimension", ["max_events", "max_behavior_calls", "max_patches", "max_depth"])
    def test_what_ran_out_is_named_live_after_a_load_and_in_json(
        self, tmp_path: Path, cli: Cli, dimension: str
    ) -> None:
        url = f"sqlite:///{tmp_path}/run.db"
        with new(tasks(5), budget={dimension: 1}, persist_to=url) as runtime:
            runtime.run_goal("prices")
            live = runtime.status()

        stored = inspect_run(url)
        shown = json.loads(cli("inspect", url, "--json").out)

        assert live.state == stored.state == shown["state"] == "exhausted"
        assert live.budget.exhausted_by == stored.budget.exhausted_by == shown["budget"]["exhausted_by"] == dimension

    def test_the_gauge_says_the_same_and_ends_at_zero(self) -> None:
        metrics = RecordingMetrics()
        runtime = new(tasks(5), budget={"max_events": 3}, metrics=metrics)
        runtime.run_goal("prices")

        shown = [
            (tags, value)
            for kind, name, tags, value in metrics.calls
            if (kind, name) == ("gauge", "activegraph_budget_events_remaining")
        ]
        values = [value for _, value in shown]
        assert all(tags == {"run_id": RUN} for tags, _ in shown)
        assert values == sorted(values, reverse=True)
        assert (values[0], values[-1]) == (3.0, 0.0)

    def test_an_alert_on_what_remains_sees_it_before_it_is_exhausted(self) -> None:
        metrics = RecordingMetrics()
        new(tasks(20), budget={"max_events": 10}, metrics=metrics).run_goal("prices")

        values = [v for _, name, _, v in metrics.calls if name == "activegraph_budget_events_remaining"]
        assert {1.0, 2.0} <= set(values)

    def test_it_is_resumed_with_a_higher_limit_and_ends_like_a_run_that_had_it(self, store_url: str) -> None:
        with new(tasks(5), budget={"max_events": 3}, persist_to=store_url) as runtime:
            runtime.run_goal("prices")

        with Runtime.load(
            store_url, run_id=RUN, behaviors=tasks(5), budget={"max_events": 100}, clock=FrozenClock()
        ) as resumed:
            resumed.run_until_idle()
            assert resumed.status().state == "idle"

        assert log_of(store_url) == undisturbed(5)


class TestReplayDiverges:
    @pytest.fixture
    def recorded(self, store_url: str) -> str:
        """A run whose worker reads from somewhere that gives another value each time."""
        with new(self.pricing(5), persist_to=store_url) as runtime:
            runtime.run_goal("prices")
        return store_url

    @staticmethod
    def pricing(price: int) -> list[AnyBehavior]:
        def ask(event: Any, graph: Any, ctx: Any) -> None:
            graph.add_object("price", {"euros": price})

        return [Behavior("ask", ask, ["goal.created"])]

    def diverged(self, url: str, price: int = 6, **options: Any) -> ReplayDivergenceError:
        with pytest.raises(ReplayDivergenceError) as raised:
            Runtime.load(url, RUN, behaviors=self.pricing(price), replay_strict=True, **options)
        return raised.value

    def test_what_does_the_same_again_passes(self, recorded: str) -> None:
        with Runtime.load(recorded, RUN, behaviors=self.pricing(5), replay_strict=True) as runtime:
            assert runtime.status().state == "idle"

    def test_a_source_that_says_something_else_now_is_found(self, recorded: str) -> None:
        error = self.diverged(recorded)

        assert error.kind == "payload_mismatch"

    def test_the_error_pins_the_event(self, recorded: str) -> None:
        error = self.diverged(recorded)

        assert error.event_id == "evt_003"
        assert "evt_003" in str(error).splitlines()[0]

    def test_the_event_can_be_looked_at(self, recorded: str, cli: Cli) -> None:
        said = cli("inspect", recorded, "--run-id", RUN, "--event", str(self.diverged(recorded).event_id))

        assert said.code == 0
        assert '"euros": 5' in said.out

    def test_it_is_counted_once_and_told_once(self, recorded: str, caplog: pytest.LogCaptureFixture) -> None:
        metrics = RecordingMetrics()
        with caplog.at_level(logging.WARNING, logger="activegraph"):
            self.diverged(recorded, metrics=metrics)

        assert metrics.calls == [
            ("counter", "activegraph_replay_divergence_detected_total", {"reason": "payload_mismatch"}, 1.0)
        ]
        (record,) = [record for record in caplog.records if record.levelno == logging.CRITICAL]
        assert record.getMessage() == "replay divergence: payload_mismatch"

    def test_a_model_that_is_gone_is_no_cause_since_its_answers_are_in_the_log(self, store_url: str) -> None:
        busy_run(persist_to=store_url).close()

        with Runtime.load(store_url, BUSY, behaviors=busy_behaviors(), replay_strict=True) as runtime:
            assert runtime.status().state == "idle"

    def test_a_behavior_that_is_gone_shows_as_a_length_and_in_what_fired(self, recorded: str, cli: Cli) -> None:
        with pytest.raises(ReplayDivergenceError) as raised:
            Runtime.load(recorded, RUN, behaviors=[], replay_strict=True)

        assert raised.value.kind == "length_mismatch"
        assert "ask" in cli("inspect", recorded, "--run-id", RUN, "--behaviors").out

    def test_nothing_of_the_run_is_changed_by_the_attempt(self, recorded: str) -> None:
        before = log_of(recorded)

        self.diverged(recorded)

        assert log_of(recorded) == before

    def test_a_change_that_was_meant_is_recorded_anew_in_a_fork(self, recorded: str, cli: Cli) -> None:
        self.diverged(recorded)
        said = cli("fork", recorded, "--run-id", RUN, "--at-event", "evt_001", "--record", "--json")
        fork = json.loads(said.out)["new_run_id"]

        with Runtime.load(recorded, fork, behaviors=self.pricing(6)) as runtime:
            runtime.run_until_idle()
        with Runtime.load(recorded, fork, behaviors=self.pricing(6), replay_strict=True) as again:
            (price,) = again.graph.all_objects()
            assert price.data["euros"] == 6


class TestTraceLinesDoNotAppearInTheAggregator:
    def test_the_printed_trace_is_no_log(self, caplog: pytest.LogCaptureFixture, capsys: Any) -> None:
        runtime = new(tasks(2))
        runtime.run_goal("prices")
        with caplog.at_level(logging.DEBUG, logger="activegraph"):
            runtime.print_trace()

        printed = capsys.readouterr()
        assert printed.out.startswith("[goal.created]")
        assert printed.err == ""
        assert caplog.records == []

    def test_export_trace_as_jsonl_has_every_event(self, run_url: str, cli: Cli) -> None:
        lines = cli("export-trace", run_url, "-r", RUN, "--format", "jsonl").out.splitlines()

        assert [json.loads(line)["id"] for line in lines] == [f"evt_{n:03d}" for n in range(1, 15)]

    def test_a_behavior_can_log_what_it_is_told_of(self, caplog: pytest.LogCaptureFixture) -> None:
        def tell(event: Any, graph: Any, ctx: Any) -> None:
            logger = logging.getLogger("activegraph.shop")
            logger.info("task made", extra={"run_id": RUN, "event_id": event.id, "behavior": "tell"})

        with caplog.at_level(logging.INFO, logger="activegraph.shop"):
            new([*tasks(1)[:1], Behavior("tell", tell, ["object.created"])]).run_goal("prices")

        (record,) = [record for record in caplog.records if record.name == "activegraph.shop"]
        fields = record.__dict__
        assert (fields["run_id"], fields["event_id"], fields["behavior"]) == (RUN, "evt_003", "tell")


CRASH = """
import os, signal, sys
sys.path[:0] = sys.argv[3:]
from activegraph import FrozenClock, Graph, Runtime
from guide_tasks import tasks
from activegraph.core.log import RunLog
write, left = RunLog._write, int(sys.argv[2])
def dying(log, events, sync):
    global left
    write(log, events, sync)
    if events:
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
RunLog._write = dying
Runtime(Graph(run_id="run_a", clock=FrozenClock()), tasks(5), persist_to=sys.argv[1]).run_goal("prices")
"""


class TestACrash:
    @pytest.fixture
    def killed(self, store_url: str, tmp_path: Path) -> str:
        """A run that was killed behind its fourth commit."""
        import inspect

        source = "from typing import Any\nfrom activegraph.behaviors.base import AnyBehavior, Behavior\n"
        (tmp_path / "guide_tasks.py").write_text(f"{source}\n\n{inspect.getsource(tasks)}")
        child = start_python(CRASH, store_url, "4", tmp_path)
        child.communicate(timeout=60)
        assert child.returncode == -signal.SIGKILL
        return store_url

    def test_it_can_be_inspected_at_once(self, killed: str, cli: Cli) -> None:
        said = cli("inspect", killed)

        assert said.code == 0
        assert "state:            stopped" in said.lines
        assert "owes work" in said.err

    def test_a_load_goes_on_and_nothing_is_lost_or_done_twice(self, killed: str) -> None:
        with Runtime.load(killed, RUN, behaviors=tasks(5), clock=FrozenClock()) as resumed:
            resumed.run_until_idle()

        assert log_of(killed) == undisturbed(5)


class TestTwoWriters:
    def test_the_second_is_told_at_its_first_commit_and_the_first_goes_on(self, store_url: str) -> None:
        with new(tasks(2), persist_to=store_url) as first:
            first.run_goal("prices")
            with Runtime.load(store_url, RUN, behaviors=tasks(2)) as second:
                first.run_goal("more prices")

                with pytest.raises(ConcurrentWriterError):
                    second.run_goal("the same")

                assert second.status().state == "stopped"
                with pytest.raises(IncompatibleRuntimeState):
                    second.run_until_idle()
            first.run_goal("still more prices")
            assert first.status().state == "idle"

        assert verify_run(store_url, RUN).ok


class TestACorruptedRow:
    @pytest.fixture
    def damaged(self, sqlite_run: str) -> str:
        alter(Path(sqlite_run.removeprefix("sqlite:///")), "UPDATE events SET payload = 'x' WHERE id = 'evt_008'")
        return sqlite_run

    def test_every_command_that_needs_it_exits_4_and_names_the_event(self, damaged: str, cli: Cli) -> None:
        for command in (
            ["inspect", damaged, "--event", "evt_008"],
            ["replay", damaged, "-r", RUN],
            ["diff", damaged, "--run-a", RUN, "--run-b", RUN],
            ["export-trace", damaged, "-r", RUN],
            ["fork", damaged, "-r", RUN, "-a", "evt_010"],
        ):
            said = cli(*command)
            assert said.code == 4, command
            assert "evt_008" in said.err
        said = cli("verify", damaged, "-r", RUN)
        assert said.code == 4
        assert "first_bad=evt_008" in said.out

    def test_the_rest_is_recovered_by_a_migration_that_skips_it(self, damaged: str, postgres_url: str) -> None:
        (run,) = migrate(damaged, postgres_url, skip_corrupted=True).runs

        assert (run.status, run.skipped_events) == ("ok", ("evt_008",))
        assert verify_run(postgres_url, RUN).ok


class TestASchemaOfAnotherVersion:
    def test_every_command_exits_4_and_leaves_the_store_as_it_is(
        self, sqlite_run: str, tmp_path: Path, cli: Cli
    ) -> None:
        alter(tmp_path / "prices.db", "UPDATE meta SET value = '99' WHERE key = 'schema_version'")
        before = files_of(tmp_path)

        for command in (
            ["inspect", sqlite_run],
            ["replay", sqlite_run, "-r", RUN],
            ["fork", sqlite_run, "-r", RUN, "-a", "evt_003"],
            ["diff", sqlite_run, "--run-a", RUN, "--run-b", RUN],
            ["export-trace", sqlite_run, "-r", RUN],
            ["verify", sqlite_run],
            ["migrate", "--from", sqlite_run, "--to", f"sqlite:///{tmp_path}/other.db"],
        ):
            said = cli(*command)
            assert (said.code, said.out) == (4, ""), command

        assert files_of(tmp_path) == before

    def test_every_open_is_refused(self, sqlite_run: str, tmp_path: Path) -> None:
        alter(tmp_path / "prices.db", "UPDATE meta SET value = '99' WHERE key = 'schema_version'")

        opens: list[Callable[[], object]] = [
            lambda: open_store(sqlite_run, RUN),
            lambda: open_store(sqlite_run, RUN, read_only=True),
            lambda: Runtime.load(sqlite_run, RUN),
            lambda: new([], persist_to=sqlite_run),
        ]
        for attempt in opens:
            with pytest.raises(SchemaVersionMismatch):
                attempt()


class BrokenMetrics:
    """A backend that is down."""

    def counter(self, name: str, tags: dict[str, str], value: float = 1.0) -> None:
        raise ConnectionError("no route to host")

    def histogram(self, name: str, tags: dict[str, str], value: float) -> None:
        raise ConnectionError("no route to host")

    def gauge(self, name: str, tags: dict[str, str], value: float) -> None:
        raise ConnectionError("no route to host")


class TestAMetricsOrLogBackendIsDown:
    def test_the_events_are_those_of_a_run_without_metrics(self, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.WARNING, logger="activegraph"):
            runtime = new(tasks(5), metrics=BrokenMetrics())
            runtime.run_goal("prices")

        assert essences(list(runtime.graph.events)) == undisturbed(5)

    def test_one_warning_a_metric_says_so(self, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.WARNING, logger="activegraph"):
            new(tasks(5), metrics=BrokenMetrics()).run_goal("prices")

        told = [r.getMessage() for r in caplog.records if r.getMessage().startswith("metrics backend failed")]
        assert told
        assert len(told) == len(set(told))

    def test_a_log_handler_that_raises_harms_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Down(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                raise ConnectionError("no route to host")

        monkeypatch.setattr(logging, "raiseExceptions", False)
        logger, handler = logging.getLogger("activegraph"), Down()
        before = logger.level
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
        try:
            runtime = new(tasks(5))
            runtime.run_goal("prices")
        finally:
            logger.removeHandler(handler)
            logger.setLevel(before)

        assert essences(list(runtime.graph.events)) == undisturbed(5)


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A server that this module may stop."""
    with PostgresServer() as one:
        yield one


class TestTheDatabaseRestarts:
    def test_a_run_opened_by_url_goes_on(self, server: PostgresServer) -> None:
        with new(tasks(3), persist_to=server.url) as runtime:
            runtime.run_goal("prices")
            server.restart(immediate=True)
            try:
                runtime.run_goal("more prices")
            except StoreUnavailableError as error:
                assert error.context["reason"] in ("lost", "connect")  # noqa: PT017 - as it may be settled
        with Runtime.load(server.url, RUN, behaviors=tasks(3), clock=FrozenClock()) as resumed:
            resumed.run_until_idle()
            assert resumed.status().state == "idle"
        assert verify_run(server.url, RUN).ok

    def test_a_lent_connection_that_broke_is_a_clear_error(self, server: PostgresServer) -> None:
        import psycopg

        with psycopg.connect(server.url, autocommit=True) as connection:
            store = PostgresEventStore(connection, "run_lent")
            server.restart(immediate=True)
            with pytest.raises(StoreUnavailableError) as refusal:
                store.count()
        assert "connection" in str(refusal.value)


class TestTheDiskIsFull:
    def test_a_commit_fails_as_a_whole_and_the_run_can_be_resumed_when_there_is_space(self, tmp_path: Path) -> None:
        url = f"sqlite:///{tmp_path}/run.db"

        def write(event: Any, graph: Any, ctx: Any) -> None:
            for n in range(3):
                graph.add_object("page", {"text": str(n) * 20_000})

        behaviors: list[AnyBehavior] = [Behavior("write", write, ["goal.created"])]
        with new(behaviors, persist_to=url) as runtime:
            store: Any = runtime.graph.store
            database: sqlite3.Connection = store._connection
            pages = database.execute("PRAGMA page_count").fetchone()[0]
            database.execute(f"PRAGMA max_page_count={pages + 2}")
            with pytest.raises(StoreUnavailableError) as refusal:
                runtime.run_goal("a book")
            assert refusal.value.context["reason"] == "full"
        with closing(open_store(url, RUN, read_only=True)) as kept:
            assert [e.type for e in kept.iter_events()] == ["goal.created"]

        with Runtime.load(url, RUN, behaviors=behaviors, clock=FrozenClock()) as resumed:
            resumed.run_until_idle()
            assert (resumed.status().state, len(resumed.graph.all_objects())) == ("idle", 3)


class TestConnectionsAreSaturated:
    def test_a_pool_is_the_way_out(self, postgres_url: str) -> None:
        import psycopg_pool

        with psycopg_pool.ConnectionPool(conninfo=postgres_url, min_size=1, max_size=2, open=True) as pool:
            stores = [PostgresEventStore(pool, f"run_{n}") for n in range(10)]
            for number, store in enumerate(stores):
                with Runtime(Graph(run_id=f"run_{number}"), tasks(2), store=store) as runtime:
                    runtime.run_goal("prices")
            assert pool.get_stats()["pool_size"] <= 2
            assert pool.get_stats()["pool_available"] == pool.get_stats()["pool_size"]

    def test_connections_come_back_after_errors_too(self, postgres_url: str) -> None:
        import psycopg_pool

        with psycopg_pool.ConnectionPool(conninfo=postgres_url, min_size=1, max_size=1, open=True) as pool:
            record_prices(postgres_url)
            store = PostgresEventStore(pool, "run_a")
            for _ in range(5):
                with pytest.raises(KeyError):
                    list(store.iter_events(after="evt_999"))
                reading = store.iter_events()
                next(reading)
                del reading
            assert store.count() == 14
