"""The section on `export-trace`: the log as lines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from activegraph import FrozenClock, Graph, Runtime
from activegraph.store import open_store
from support.cli import Cli
from support.stored_runs import append, event


@pytest.mark.parametrize("format", ["text", "jsonl"])
def test_it_goes_to_stdout_or_into_a_file(run_url: str, cli: Cli, tmp_path: Path, format: str) -> None:
    printed = cli("export-trace", run_url, "--run-id", "run_a", "--format", format)
    filed = cli("export-trace", run_url, "--run-id", "run_a", "--format", format, "-o", str(tmp_path / "trace"))

    assert (filed.code, filed.out) == (0, "")
    assert (tmp_path / "trace").read_text() == printed.out
    assert printed.out.count("\n") == 14


def test_text_is_the_default(run_url: str, cli: Cli) -> None:
    said = cli("export-trace", run_url, "--run-id", "run_a")

    assert said == cli("export-trace", run_url, "--run-id", "run_a", "--format", "text")


def test_text_is_what_the_trace_printer_prints(store_url: str, cli: Cli, capsys: pytest.CaptureFixture[str]) -> None:
    with Runtime(Graph(run_id="run_a", clock=FrozenClock()), persist_to=store_url) as runtime:
        runtime.run_goal("prices")
        runtime.print_trace()
    live = capsys.readouterr().out

    assert cli("export-trace", store_url, "--run-id", "run_a").out == live


def test_jsonl_is_one_event_a_line(run_url: str, cli: Cli) -> None:
    append(run_url, "run_a", event("evt_100", payload={"text": "two\nlines\u2028and a third"}))

    lines = cli("export-trace", run_url, "--run-id", "run_a", "--format", "jsonl").out.split("\n")

    assert lines.pop() == ""
    with open_store(run_url, "run_a", read_only=True) as store:  # type: ignore[attr-defined]
        assert [json.loads(line) for line in lines] == [each.to_dict() for each in store.iter_events()]
