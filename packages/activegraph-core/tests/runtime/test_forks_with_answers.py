"""A fork finds what its ancestors were answered, wherever they are stored, and asks nobody twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from activegraph.runtime.runtime import Runtime
from support.busy_run import busy_behaviors, busy_fork, busy_provider, busy_run


def asked(runtime: Runtime) -> list[tuple[str, bool]]:
    """What was asked of models and tools, and whether it was answered from the record."""
    return [
        (event.type, event.payload["cache_hit"])
        for event in runtime.graph.events
        if event.type in ("llm.requested", "tool.requested")
    ]


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    made: str = f"sqlite:///{tmp_path}/run.db"
    return made if request.param == "sqlite" else request.getfixturevalue("postgres_url")


def test_a_fork_is_served_what_its_parent_was_answered_behind_the_fork_point(url: str) -> None:
    with busy_run(persist_to=url) as parent, busy_fork(parent) as fork:
        assert asked(parent) == [(type, False) for type, _ in asked(parent)]
        # What failed then is not kept, and asked again.
        assert sorted(hit for _, hit in asked(fork)) == [False, False, True, True, True, True]


def test_a_fork_that_is_loaded_is_served_from_its_grandparent_too(url: str) -> None:
    with busy_run(persist_to=url) as parent, parent.fork("evt_001") as fork, fork.fork("evt_001") as grandchild:
        run_id = grandchild.run_id

    provider = busy_provider()
    with Runtime.load(
        url,
        run_id,
        behaviors=busy_behaviors(),
        llm_provider=provider,
        replay_llm_cache=True,
        replay_tool_cache=True,
    ) as loaded:
        loaded.run_until_idle()

    assert {call["model"] for call in provider.calls} == {"m-down"}
