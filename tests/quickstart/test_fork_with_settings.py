"""A fork of a review with other settings asks only what they change, and differs in what follows from them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from activegraph import FrozenClock, Graph, Runtime
from activegraph.cli.main import main
from activegraph.core.event import Event
from activegraph.llm.types import LLMResponse
from activegraph.packs.incident_review import THREE_INCIDENTS, RecordedIncidentProvider, incident_goal, pack
from activegraph.packs.incident_review.memo_bar import memo_problems
from activegraph.store import sqlite_url

HIGHER = {"incident_review": {"conflict_confidence": 0.95}}


class Counting(RecordedIncidentProvider):
    """Counts who asks."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: Counter[str] = Counter()

    def complete(self, **asked: Any) -> LLMResponse:
        self.asked[asked["system"].split('"')[1]] += 1
        return super().complete(**asked)


@pytest.fixture
def parent(tmp_path: Path) -> Any:
    """A finished review of two incidents, the one with a conflict last."""
    graph = Graph(clock=FrozenClock(), run_id="run_a")
    # Nobody pulls the plug here: without waiting for the disk the four reviews take a fraction of the time.
    with Runtime(
        graph,
        [],
        llm_provider=RecordedIncidentProvider(),
        packs=[pack],
        persist_to=tmp_path / "run.db",
        durability="os",
    ) as runtime:
        for recording in (THREE_INCIDENTS[0], THREE_INCIDENTS[-1]):
            runtime.run_goal(incident_goal(recording))
        yield runtime


def last_goal(runtime: Runtime) -> str:
    return [event.id for event in runtime.graph.events if event.type == "goal.created"][-1]


def own_events(parent: Runtime, fork: Runtime) -> list[Event]:
    """What the fork did by itself."""
    ids = [event.id for event in fork.graph.events]
    return fork.graph.events[ids.index(last_goal(parent)) + 1 :]


def check(parent: Runtime, fork: Runtime, provider: Counting) -> None:
    """All that the setting does not touch is a hit; what differs is the conflict and what follows from it."""
    graph = fork.graph
    assert fork.errors == []
    assert graph.objects("conflict") == []
    assert [memo_problems(graph, memo) for memo in graph.objects("memo")] == [[], []]
    assert graph.objects("memo")[-1].data["conflicts_note"] == "no conflicts found"
    # Both read of the conflict in the parent; nobody else is asked again.
    assert provider.asked == {"incident_review.action_planner": 1, "incident_review.memo_writer": 2}
    own = own_events(parent, fork)
    missed = next(event for event in own if event.type == "llm.requested" and not event.payload["cache_hit"])
    served = [event for event in own[: own.index(missed)] if event.type in ("llm.requested", "tool.requested")]
    assert len(served) > 20
    assert all(event.payload["cache_hit"] for event in served)

    diff = parent.diff(fork)
    kinds = Counter(each.id.partition("#")[0] for each in diff.divergent_objects)
    assert kinds.keys() == {"conflict", "action", "memo", "incident"}
    assert kinds["conflict"] == kinds["incident"] == 1
    assert {each.in_parent is None for each in diff.divergent_objects if each.id.startswith("conflict")} == {False}


def test_a_fork_by_the_library_makes_no_call_before_the_first_difference(parent: Runtime) -> None:
    provider = Counting()

    with parent.fork(
        last_goal(parent),
        llm_provider=provider,
        replay_llm_cache=True,
        replay_tool_cache=True,
        packs=[pack],
        pack_settings=HIGHER,
    ) as fork:
        fork.run_until_idle()

        check(parent, fork, provider)


def test_a_fork_by_the_command_line_does_the_same(
    parent: Runtime, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = sqlite_url(tmp_path / "run.db")
    setting = ["--set", "incident_review.conflict_confidence=0.95"]
    command = ["fork", url, "--run-id", parent.run_id, "--at-event", last_goal(parent), *setting, "--json"]
    assert main(command) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["settings_overrides"] == HIGHER
    provider = Counting()

    with Runtime.load(
        url,
        made["new_run_id"],
        behaviors=[],
        llm_provider=provider,
        replay_llm_cache=True,
        replay_tool_cache=True,
        clock=FrozenClock(),
        durability="os",
    ) as fork:
        fork.load_pack(pack)
        fork.run_until_idle()

        check(parent, fork, provider)


def test_a_fork_without_another_setting_asks_nothing_and_is_identical(parent: Runtime) -> None:
    provider = Counting()

    with parent.fork(
        last_goal(parent), llm_provider=provider, replay_llm_cache=True, replay_tool_cache=True, packs=[pack]
    ) as fork:
        fork.run_until_idle()

        assert provider.asked == {}
        assert parent.diff(fork).divergent_objects == []


def test_a_setting_out_of_its_bounds_is_refused_before_a_run_is_created(
    parent: Runtime, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = sqlite_url(tmp_path / "run.db")
    command = ["fork", url, "--run-id", parent.run_id, "--at-event", last_goal(parent)]

    assert main([*command, "--set", "incident_review.conflict_confidence=1.5"]) == 2
    assert main([*command, "--set", "incident_review.conflict_confidense=0.5"]) == 2

    assert "conflict_confidence" in capsys.readouterr().err
    assert main(["inspect", url]) == 0
    assert capsys.readouterr().out.splitlines()[0].endswith(parent.run_id)
