"""A recorded review verifies: executed again with nobody to ask it does the same, and a change is found where it is."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from activegraph import FrozenClock, Graph, ReplayDivergenceError, Runtime
from activegraph.cli.quickstart import run_fixture_mode
from activegraph.packs import Pack, PackPrompt, behavior
from activegraph.packs.incident_review import RecordedIncidentProvider, incident_goal, load_recording, pack
from activegraph.packs.incident_review.host import add_incident


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """The finished review of one incident, in a store."""
    path = tmp_path / "run.db"
    graph = Graph(clock=FrozenClock(), run_id="run_a")
    provider = RecordedIncidentProvider()
    with Runtime(graph, [], llm_provider=provider, packs=[pack], persist_to=path, durability="os") as runtime:
        runtime.run_goal(incident_goal(load_recording("connection_storm")))
    return path


def verified(path: Path, used: Pack = pack) -> Runtime:
    return Runtime.load(path, behaviors=[], packs=[used], clock=FrozenClock(), replay_strict=True)


def test_a_finished_review_passes_without_a_provider(stored: Path) -> None:
    with verified(stored) as runtime:
        assert len(runtime.graph.objects("memo")) == 1


def test_the_tour_passes(tmp_path: Path) -> None:
    run_fixture_mode(io.StringIO(), tmp_path / "tour.db")

    with verified(tmp_path / "tour.db") as runtime:
        assert len(runtime.graph.objects("memo")) == 3


@pytest.mark.parametrize("approvals", [True, False])
def test_a_review_by_rules_passes(tmp_path: Path, approvals: bool) -> None:
    path = tmp_path / "run.db"
    settings = {"investigate_with": "rules", "auto_approve_actions": approvals}
    graph = Graph(clock=FrozenClock(), run_id="run_a")
    with Runtime(graph, [], packs=[(pack, settings)], persist_to=path, durability="os") as runtime:
        add_incident(graph, load_recording("crash_recovery").incident())
        runtime.run_until_idle()
        for each in runtime.pending_approvals():
            runtime.approve(each.id)
        runtime.run_until_idle()

    with verified(path) as runtime:
        assert len(runtime.graph.objects("memo")) == 1


@pytest.mark.parametrize("name", sorted(prompt.name for prompt in pack.prompts))
def test_an_edited_prompt_is_found_where_the_pack_was_loaded_and_named(stored: Path, name: str) -> None:
    def edited(prompt: PackPrompt) -> PackPrompt:
        same = prompt.name != name
        return prompt if same else PackPrompt.from_body(name, prompt.version, f"{prompt.body}\nBe brief.")

    with pytest.raises(ReplayDivergenceError) as divergence:
        verified(stored, replace(pack, prompts=tuple(map(edited, pack.prompts))))

    with Runtime.load(stored, behaviors=[]) as runtime:
        (loaded,) = [event for event in runtime.graph.events if event.type == "pack.loaded"]
    assert (divergence.value.event_id, divergence.value.kind) == (loaded.id, "payload_mismatch")
    assert name in str(divergence.value)


def test_a_changed_handler_is_found_at_the_first_event_that_it_makes_otherwise(stored: Path) -> None:
    @behavior(name="memo_filer", on=["object.created"], where={"object.type": "memo"}, view={"recent_events": 0})
    def files_elsewhere(event: Any, graph: Any, ctx: Any) -> None:
        graph.patch_object(event.payload["object"]["data"]["incident"], {"status": "reviewed"})

    changed = tuple(files_elsewhere if each.name == "memo_filer" else each for each in pack.behaviors)

    with pytest.raises(ReplayDivergenceError) as divergence:
        verified(stored, replace(pack, behaviors=changed))

    with Runtime.load(stored, behaviors=[]) as runtime:
        recorded = next(event for event in runtime.graph.events if event.id == divergence.value.event_id)
    assert (recorded.type, recorded.actor) == ("relation.created", "incident_review.memo_filer")
