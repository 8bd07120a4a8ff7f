"""The five primitives by which a run can be inspected, observed and recovered without reading source code."""

from __future__ import annotations

import ast
import inspect
import logging
from pathlib import Path

import pytest
from activegraph import Graph, Runtime
from activegraph.cli.app import COMMANDS
from activegraph.errors import ActiveGraphError
from activegraph.metrics import METRIC_NAMES
from activegraph.observability import Metrics, NoOpMetrics, RuntimeStatus
from activegraph.store import EventStore, InvalidStoreURL, open_store
from activegraph.store.postgres import PostgresEventStore
from activegraph.store.sqlite import SQLiteEventStore
from support.cli import Cli
from support.stored_runs import record_prices

ROOT = Path(__file__).parents[2]


def test_postgres_is_a_second_store_behind_the_protocol_of_sqlite(tmp_path: Path, postgres_url: str) -> None:
    with SQLiteEventStore(tmp_path / "run.db", "run_a") as first, PostgresEventStore(postgres_url, "run_a") as second:
        assert isinstance(first, EventStore)
        assert isinstance(second, EventStore)


def test_both_stores_mean_the_same_by_the_same_calls(tmp_path: Path, postgres_url: str, cli: Cli) -> None:
    urls = [record_prices(tmp_path / "run.db"), record_prices(postgres_url)]

    on_sqlite, on_postgres = (cli("export-trace", url, "-r", "run_a", "-f", "jsonl").out for url in urls)

    assert on_sqlite == on_postgres


def test_each_event_has_one_log_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with (
        caplog.at_level(logging.INFO, logger="activegraph"),
        Runtime(Graph(run_id="run_a"), [], persist_to=str(tmp_path / "run.db")) as runtime,
    ):
        runtime.run_goal("prices")
        log = [(event.id, f"event emitted: {event.type}") for event in runtime.graph.events]

    told = [(r.__dict__["event_id"], r.getMessage()) for r in caplog.records if "event emitted" in r.getMessage()]
    assert told == log


def test_each_line_of_a_run_carries_its_id(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="activegraph"):
        record_prices(tmp_path / "run.db")

    assert {record.__dict__.get("run_id") for record in caplog.records} == {"run_a"}


def test_the_metrics_protocol_has_three_methods() -> None:
    assert [name for name in vars(Metrics) if not name.startswith("_")] == ["counter", "histogram", "gauge"]


def test_the_default_is_to_measure_nothing() -> None:
    assert isinstance(Runtime(Graph()).metrics, NoOpMetrics)


def test_the_set_of_metrics_is_fixed_and_holds_all_three_kinds() -> None:
    assert isinstance(METRIC_NAMES, tuple)
    assert {spec.kind for spec in METRIC_NAMES} == {"counter", "histogram", "gauge"}


def test_a_backend_of_ones_own_has_three_methods_and_is_enough() -> None:
    class Statsd:
        def __init__(self) -> None:
            self.sent: list[str] = []

        def counter(self, name: str, tags: dict[str, str], value: float = 1.0) -> None:
            self.sent.append(f"{name}:{value}|c")

        def histogram(self, name: str, tags: dict[str, str], value: float) -> None:
            self.sent.append(f"{name}:{value}|h")

        def gauge(self, name: str, tags: dict[str, str], value: float) -> None:
            self.sent.append(f"{name}:{value}|g")

    backend = Statsd()
    assert isinstance(backend, Metrics)

    Runtime(Graph(), [], metrics=backend).run_goal("prices")

    assert "activegraph_events_emitted_total:1.0|c" in backend.sent


def test_status_is_a_snapshot_of_the_runtime() -> None:
    signature = inspect.signature(Runtime.status)

    assert signature.parameters["recent"].default == 20
    assert isinstance(Runtime(Graph()).status(recent=5), RuntimeStatus)


def test_every_error_message_links_to_its_page() -> None:
    with pytest.raises(InvalidStoreURL) as refusal:
        open_store("run.db", "run_a")

    error = refusal.value
    assert str(error).splitlines()[-1].strip() == error.doc_url
    assert (ROOT / "docs" / "reference" / "errors" / f"{error.doc_url.rpartition('/')[2]}.md").is_file()


def test_every_class_of_error_has_a_page() -> None:
    def all_of(cls: type[ActiveGraphError]) -> set[type[ActiveGraphError]]:
        return {cls}.union(*(all_of(sub) for sub in cls.__subclasses__() if sub.__module__.startswith("activegraph")))

    pages = {page.stem for page in (ROOT / "docs" / "reference" / "errors").glob("*.md")}
    assert {cls._doc_slug for cls in all_of(ActiveGraphError) if not cls.__name__.startswith("_")} <= pages


@pytest.mark.parametrize(
    ("command", "flag"),
    [
        ("inspect", "--event"),
        ("inspect", "--behaviors"),
        ("inspect", "--pack-version"),
        ("migrate", "--skip-corrupted"),
        ("fork", "--record"),
    ],
)
def test_the_flags_for_triage_are_there(cli: Cli, command: str, flag: str) -> None:
    assert f"  {flag}" in cli(command, "--help").out.replace("-e, ", "  ")


def test_there_is_no_server_and_no_web_interface() -> None:
    serving = {"http.server", "socketserver", "wsgiref", "aiohttp", "flask", "fastapi", "starlette", "uvicorn", "grpc"}
    imported = {
        name
        for source in ROOT.glob("packages/*/src/**/*.py")
        for node in ast.walk(ast.parse(source.read_text()))
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in [getattr(node, "module", None) or "", *(alias.name for alias in node.names)]
    }

    assert imported & serving == set()
    assert not {"serve", "server", "web", "ui"} & COMMANDS.keys()
