"""A fork finds what its ancestors were answered, wherever they are stored, and asks nobody twice."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from activegraph.runtime.runtime import Runtime
from activegraph.store import fork_run, list_runs
from support.busy_run import RUN, busy_behaviors, busy_fork, busy_provider, busy_run


def asked(runtime: Runtime) -> list[tuple[str, bool]]:
    """What was asked of models and tools, and whether it was answered from the record."""
    return [
        (event.type, event.payload["cache_hit"])
        for event in runtime.graph.events
        if event.type in ("llm.requested", "tool.requested")
    ]


@pytest.fixture(params=["sqlite", "postgres"])
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], str]:
    """A function that gives the URL of another empty store."""
    if request.param == "postgres":
        make: Callable[[], str] = request.getfixturevalue("new_postgres_url")
        return make
    numbers = iter(range(100))
    return lambda: f"sqlite:///{tmp_path}/{next(numbers)}.db"


@pytest.fixture
def url(new_url: Callable[[], str]) -> str:
    return new_url()


def forget(url: str, run_id: str) -> None:
    """Delete a run by hand, as people do to make room."""
    path = url.removeprefix("sqlite:///")
    if path != url:
        with sqlite3.connect(path) as database:
            for table in ("events", "runs"):
                database.execute(f"DELETE FROM {table} WHERE run_id = ?", (run_id,))
        return
    with psycopg.connect(url) as connection:
        for table in ("events", "runs"):
            connection.execute(f"DELETE FROM {table} WHERE run_id = %s", (run_id,))  # type: ignore[arg-type]


def going_on(url: str, run_id: str) -> tuple[Runtime, list[Any]]:
    """A stored fork, finished with both caches, and the models that were asked."""
    provider = busy_provider()
    loaded = Runtime.load(
        url,
        run_id,
        behaviors=busy_behaviors(),
        llm_provider=provider,
        replay_llm_cache=True,
        replay_tool_cache=True,
    )
    loaded.run_until_idle()
    return loaded, [call["model"] for call in provider.calls]


def test_a_fork_is_served_what_its_parent_was_answered_behind_the_fork_point(url: str) -> None:
    with busy_run(persist_to=url) as parent, busy_fork(parent) as fork:
        assert asked(parent) == [(type, False) for type, _ in asked(parent)]
        # What failed then is not kept, and asked again.
        assert sorted(hit for _, hit in asked(fork)) == [False, False, True, True, True, True]


def test_a_fork_that_is_loaded_is_served_from_its_grandparent_too(url: str) -> None:
    with busy_run(persist_to=url) as parent, parent.fork("evt_001") as fork, fork.fork("evt_001") as grandchild:
        run_id = grandchild.run_id

    loaded, models = going_on(url, run_id)
    loaded.close()

    assert set(models) == {"m-down"}


def test_a_fork_whose_parent_is_gone_asks_again(url: str) -> None:
    busy_run(persist_to=url).close()
    fork = fork_run(url, run_id=RUN, at_event="evt_001").new_run_id
    forget(url, RUN)
    loaded, models = going_on(url, fork)

    assert sorted(set(models)) == ["m-down", "m-good"]
    assert len(asked(loaded)) == 6
    assert not any(hit for _, hit in asked(loaded))
    assert loaded.status().state == "idle"
    loaded.close()
    assert [record.run_id for record in list_runs(url)] == [fork]


def test_a_fork_finds_what_its_parent_was_answered_though_the_grandparent_is_gone(url: str) -> None:
    with busy_run(persist_to=url) as parent, parent.fork("evt_001") as fork:
        fork.run_until_idle()
        middle = fork.run_id
    grandchild = fork_run(url, run_id=middle, at_event="evt_001").new_run_id
    forget(url, RUN)
    loaded, models = going_on(url, grandchild)
    loaded.close()

    assert set(models) == {"m-down"}
    assert {record.run_id for record in list_runs(url)} == {middle, grandchild}


def test_a_fork_in_another_store_asks_again_and_leaves_no_trace_of_its_parent(
    url: str, new_url: Callable[[], str]
) -> None:
    busy_run(persist_to=url).close()
    other = new_url()
    fork = fork_run(url, run_id=RUN, at_event="evt_001", to_url=other).new_run_id
    loaded, models = going_on(other, fork)
    loaded.close()

    assert sorted(set(models)) == ["m-down", "m-good"]
    assert not any(hit for _, hit in asked(loaded))
    assert [record.run_id for record in list_runs(other)] == [fork]
