"""The section on structured logging: the standard library's, and untouched until somebody asks."""

from __future__ import annotations

import ast
import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest
from activegraph import FrozenClock, Graph, Runtime
from support.busy_run import busy_run
from support.configured_logs import json_logs
from support.stored_runs import record_prices

ROOT = Path(__file__).parents[2]


def test_importing_configures_no_logging() -> None:
    code = """
import logging, pkgutil, importlib
before = (list(logging.root.handlers), logging.root.level)
import activegraph
for name in ("activegraph.observability", "activegraph.store", "activegraph.cli", "activegraph.store.postgres"):
    importlib.import_module(name)
logger = logging.getLogger("activegraph")
assert (list(logging.root.handlers), logging.root.level) == before
print(logger.handlers, logger.level, logger.propagate)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "[] 0 True\n"


def test_lines_go_to_the_loggers_of_the_standard_library(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="activegraph"):
        record_prices(tmp_path / "run.db")

    assert caplog.records
    assert all(record.name.startswith("activegraph.") for record in caplog.records)


def test_what_the_operator_has_configured_handles_them(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code = """
import logging, sys
logging.basicConfig(level="INFO", stream=sys.stdout, format="MINE %(name)s %(message)s")
from activegraph import Graph, Runtime
Runtime(Graph(), []).run_goal("prices")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "MINE activegraph.runtime event emitted: goal.created" in done.stdout.splitlines()


def test_nothing_is_written_to_stderr_by_a_run_that_goes_well() -> None:
    code = 'from activegraph import Graph, Runtime; Runtime(Graph(), []).run_goal("prices")'

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert (done.stdout, done.stderr) == ("", "")


def _callers_of(name: str) -> list[str]:
    """Functions of the product that call a function of this name."""
    return sorted(
        around.name
        for source in ROOT.glob("packages/*/src/**/*.py")
        for around in ast.walk(ast.parse(source.read_text()))
        if isinstance(around, (ast.FunctionDef, ast.AsyncFunctionDef))
        for node in ast.walk(around)
        if isinstance(node, ast.Call) and getattr(node.func, "id", None) == name
    )


def test_there_is_no_call_of_print_but_in_what_is_called_for_printing() -> None:
    assert _callers_of("print") == ["print_lines"]
    assert _callers_of("print_lines") == ["print", "print_graph"]


def test_the_trace_printer_prints_to_stdout_whatever_logging_is_set_to(capsys: pytest.CaptureFixture[str]) -> None:
    runtime = Runtime(Graph(run_id="run_a", clock=FrozenClock()), [])
    runtime.run_goal("prices")
    printed = []
    logger = logging.getLogger("activegraph")
    before = logger.level
    try:
        for level in (logging.DEBUG, logging.CRITICAL):
            logger.setLevel(level)
            runtime.print_trace()
            printed.append(capsys.readouterr())
    finally:
        logger.setLevel(before)

    assert printed[0] == printed[1]
    assert printed[0].out.startswith('[goal.created]            user: "prices"\n')
    assert printed[0].err == ""


def test_the_opinionated_setup_makes_every_line_one_json_object() -> None:
    with json_logs("INFO") as lines:
        busy_run()

    written = lines.text.splitlines()
    assert written
    assert all(isinstance(json.loads(line), dict) for line in written)


def test_the_call_of_the_guide_works_as_it_is_written_there() -> None:
    code = """
from activegraph.observability import configure_logging

configure_logging(level="INFO", json_output=True)

from activegraph import Graph, Runtime
Runtime(Graph(run_id="run_a"), []).run_goal("prices")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    first = json.loads(done.stderr.splitlines()[0])
    assert (first["level"], first["logger"], first["run_id"]) == ("INFO", "activegraph.runtime", "run_a")


def test_the_formatter_sits_on_the_hierarchy_of_the_product_and_nowhere_else() -> None:
    with json_logs("INFO") as lines:
        logging.getLogger("activegraph.shop").info("ours")
        logging.getLogger("other").warning("theirs")

    assert [line["logger"] for line in lines.objects] == ["activegraph.shop"]
