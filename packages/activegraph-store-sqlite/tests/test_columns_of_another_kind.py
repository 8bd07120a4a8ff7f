"""Columns that something else than a store has written: bytes where text belongs, positions that are no whole numbers."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from activegraph import Behavior, Graph, Runtime
from activegraph.errors import ActiveGraphError, LogInconsistencyError
from activegraph.store import fork_run, list_runs, open_store, replay_into, verify_run

RUN = "run_a"
LAST = 13
NO_UTF8 = b"\xffx"


def echo(event: Any, graph: Any, ctx: Any) -> None:
    graph.emit("seen", {"id": event.id})


BEHAVIORS = [Behavior("echo", echo, on=["object.created"])]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "run.db"
    graph = Graph(run_id=RUN)
    with Runtime(graph, behaviors=BEHAVIORS, persist_to=f"sqlite:///{path}") as runtime:
        for number in range(3):
            graph.add_object("task", {"n": number})
        runtime.run_until_idle()
        assert len(graph.events) == LAST
    return path


def edit(file: Path, column: str, position: int, value: object) -> None:
    with closing(sqlite3.connect(file)) as database, database:
        database.execute(f"UPDATE events SET {column} = ? WHERE position = ?", (value, position))


def load(url: str) -> None:
    with Runtime.load(url, run_id=RUN, behaviors=BEHAVIORS) as runtime:
        runtime.run_until_idle()


def read(url: str) -> None:
    with closing(open_store(url, RUN, read_only=True)) as store:
        for event in store.iter_events():
            event.to_dict()


def replay(url: str) -> None:
    with closing(open_store(url, RUN, read_only=True)) as store:
        replay_into(Graph(), store.iter_events())


def fork(url: str) -> None:
    fork_run(url, run_id=RUN, at_event="evt_006")


TRIALS = [load, read, replay, fork, list_runs]


@pytest.mark.parametrize("trial", TRIALS)
@pytest.mark.parametrize("value", [b"\x00\xff", NO_UTF8, 1.5])
@pytest.mark.parametrize("position", [5, LAST])
@pytest.mark.parametrize("column", ["id", "type", "actor", "payload", "frame_id", "caused_by", "timestamp", "position"])
def test_what_cannot_be_read_is_said_and_what_can_is_read(
    file: Path, column: str, position: int, value: object, trial: Callable[[str], Any]
) -> None:
    edit(file, column, position, value)
    with suppress(ActiveGraphError):  # no other error tells an operator what to do
        trial(f"sqlite:///{file}")


@pytest.mark.parametrize("column", ["id", "type", "actor", "caused_by", "timestamp"])
def test_bytes_in_a_column_of_text_are_found_by_verify(file: Path, column: str) -> None:
    edit(file, column, 5, b"\x00\xff")
    report = verify_run(f"sqlite:///{file}", RUN)
    assert (report.ok, report.position) == (False, 5)


@pytest.mark.parametrize("value", [b"\x05", LAST + 0.5])
def test_a_position_that_is_no_whole_number_is_named(file: Path, value: object) -> None:
    edit(file, "position", LAST, value)
    with pytest.raises(LogInconsistencyError, match=f"of run '{RUN}' is no event: a position") as caught:
        load(f"sqlite:///{file}")
    assert (caught.value.context["run_id"], caught.value.context["reason"]) == (RUN, "malformed")
