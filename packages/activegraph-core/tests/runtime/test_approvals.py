"""Approvals: proposed by a behavior, decided by a person, every step of it in the log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from activegraph.behaviors.base import Behavior
from activegraph.core.clock import FrozenClock
from activegraph.core.event import Event
from activegraph.core.graph import Graph
from activegraph.errors import ApprovalNotFoundError, IncompatibleRuntimeState
from activegraph.runtime.runtime import Runtime


def propose(event: Event, graph: Any, ctx: Any) -> None:
    ctx.propose_object("memo", {"text": event.payload["goal"]}, reason="needs a reader")


BEHAVIORS = [Behavior("proposer", propose, on=["goal.created"])]


def proposed(path: Path | None = None, behaviors: Any = BEHAVIORS) -> Runtime:
    runtime = Runtime(
        Graph(clock=FrozenClock(), run_id="run_1"), behaviors=behaviors, persist_to=None if path is None else str(path)
    )
    runtime.run_goal("buy")
    return runtime


def test_a_proposal_waits_with_what_was_shown() -> None:
    runtime = proposed()

    (approval,) = runtime.pending_approvals()
    assert (approval.id, approval.kind, approval.object_type, approval.data, approval.reason, approval.pack) == (
        "approval_001",
        "object",
        "memo",
        {"text": "buy"},
        "needs a reader",
        "",
    )
    event = next(e for e in runtime.graph.events if e.type == "approval.proposed")
    assert (event.actor, event.caused_by) == ("proposer", "evt_001")
    assert event.payload == {
        "approval_id": "approval_001",
        "object_type": "memo",
        "reason": "needs a reader",
        "pack": "",
        "kind": "object",
        "data": {"text": "buy"},
        "behavior": "proposer",
    }
    assert runtime.graph.all_objects() == []


def test_an_approval_makes_the_object_and_says_who_in_one_chain_of_causes() -> None:
    runtime = proposed()

    object_id = runtime.approve("approval_001", approved_by="anna")

    made = runtime.graph.get_object(object_id)
    assert made is not None
    assert made.data == {"text": "buy"}
    assert made.provenance["created_by"] == "anna"
    granted, created = runtime.graph.events[-2:]
    assert (granted.type, granted.actor, granted.payload) == (
        "approval.granted",
        "runtime",
        {"approval_id": "approval_001", "object_type": "memo", "approved_by": "anna", "object_id": object_id},
    )
    assert (created.type, created.actor, created.caused_by) == ("object.created", "anna", granted.id)
    assert "proposer" in runtime.trace.causal_chain(object_id)
    assert runtime.pending_approvals() == []


def test_a_denial_makes_nothing_and_says_why() -> None:
    runtime = proposed()

    runtime.deny("approval_001", denied_by="anna", reason="too dear")

    denied = runtime.graph.events[-1]
    assert (denied.type, denied.actor) == ("approval.denied", "runtime")
    assert denied.payload == {
        "approval_id": "approval_001",
        "object_type": "memo",
        "denied_by": "anna",
        "reason": "too dear",
    }
    assert runtime.graph.all_objects() == []


@pytest.mark.parametrize("first", ["approve", "deny"])
@pytest.mark.parametrize("second", ["approve", "deny"])
def test_a_second_answer_has_no_effect_and_says_so(first: str, second: str) -> None:
    runtime = proposed()
    getattr(runtime, first)("approval_001")
    length = len(runtime.graph.events)

    with pytest.raises(ApprovalNotFoundError) as refusal:
        getattr(runtime, second)("approval_001")

    assert refusal.value.context == {"approval_id": "approval_001", "pending_count": 0}
    assert len(runtime.graph.events) == length


def test_pending_approvals_survive_a_load_and_a_fork(tmp_path: Path) -> None:
    proposed(tmp_path / "run.db").close()

    loaded = Runtime.load(str(tmp_path / "run.db"), behaviors=BEHAVIORS)
    fork = loaded.fork(loaded.graph.events[-1].id)

    assert loaded.pending_approvals() == fork.pending_approvals()
    assert [a.id for a in loaded.pending_approvals()] == ["approval_001"]
    loaded.approve("approval_001")
    assert [a.id for a in fork.pending_approvals()] == ["approval_001"]
    loaded.run_goal("again")
    assert [a.id for a in loaded.pending_approvals()] == ["approval_002"]


def test_a_fork_at_the_grant_leaves_the_approval_pending(tmp_path: Path) -> None:
    runtime = proposed(tmp_path / "run.db")
    runtime.approve("approval_001")
    granted = next(e for e in runtime.graph.events if e.type == "approval.granted")

    fork = runtime.fork(granted.id)

    assert [a.id for a in fork.pending_approvals()] == ["approval_001"]
    fork.approve("approval_001")
    assert [o.type for o in fork.graph.all_objects()] == ["memo"]


def test_the_object_is_handled_by_the_next_run_and_the_grant_by_those_that_name_it() -> None:
    seen: list[str] = []
    behaviors = [
        *BEHAVIORS,
        Behavior("memos", lambda e, g, c: seen.append(e.type), on=["object.created"]),
        Behavior("grants", lambda e, g, c: seen.append(e.type), on=["approval.granted", "approval.denied"]),
    ]
    runtime = proposed(behaviors=behaviors)
    runtime.approve("approval_001")
    assert seen == []
    assert runtime.status().state == "stopped"

    runtime.run_until_idle()

    assert seen == ["approval.granted", "object.created"]


def test_a_decision_is_no_part_of_a_transaction() -> None:
    runtime = proposed()
    with runtime.graph.transaction(), pytest.raises(IncompatibleRuntimeState):
        runtime.approve("approval_001")

    assert [a.id for a in runtime.pending_approvals()] == ["approval_001"]


def test_data_that_cannot_be_recorded_is_a_failure_of_the_behavior_and_draws_no_id() -> None:
    bad = [Behavior("bad", lambda e, g, c: c.propose_object("memo", {"x": object()}), on=["goal.created"]), *BEHAVIORS]
    runtime = proposed(behaviors=bad)

    assert [f.exception_type for f in runtime.errors] == ["NonSerializableEventError"]
    assert [a.id for a in runtime.pending_approvals()] == ["approval_001"]


@pytest.mark.parametrize("levels", [196, 197, 198, 199])
def test_what_is_pending_can_always_be_approved_however_deep_it_is(levels: int) -> None:
    data: dict[str, Any] = {}
    for _ in range(levels):
        data = {"deeper": data}
    runtime = proposed(behaviors=[Behavior("deep", lambda e, g, c: c.propose_object("x", data), on=["goal.created"])])

    pending = runtime.pending_approvals()
    assert bool(pending) != bool(runtime.errors)
    for approval in pending:
        runtime.approve(approval.id)
    assert [event.type for event in runtime.graph.events].count("approval.granted") == len(pending)
    assert len(runtime.graph.all_objects()) == len(pending)


def test_a_recorded_proposal_without_data_only_advances_the_sequence(tmp_path: Path) -> None:
    runtime = Runtime(Graph(run_id="run_1"), behaviors=BEHAVIORS, persist_to=str(tmp_path / "run.db"))
    old = {"approval_id": "approval_007", "object_type": "memo", "reason": "", "pack": None}
    runtime.graph.emit(Event("evt_001", "approval.proposed", old, actor="proposer"))
    runtime.close()

    loaded = Runtime.load(str(tmp_path / "run.db"), behaviors=BEHAVIORS)
    assert loaded.pending_approvals() == []
    loaded.run_goal("buy")
    assert [a.id for a in loaded.pending_approvals()] == ["approval_008"]


def test_a_proposal_that_the_host_records_by_hand_is_pending_like_any_other() -> None:
    runtime = Runtime(Graph(run_id="run_1"), behaviors=[])
    by_hand = {"approval_id": "approval_001", "object_type": "memo", "data": {"n": 1}}
    runtime.graph.emit(Event("evt_001", "approval.proposed", by_hand))

    assert runtime.approve("approval_001", "anna") == "memo#1"
    assert runtime.graph.events[-2].caused_by == "evt_001"


def test_a_grant_that_the_host_records_by_hand_grants_nothing_live_or_loaded(tmp_path: Path) -> None:
    runtime = proposed(tmp_path / "run.db")
    by_hand = runtime.graph.emit(Event("evt_100", "approval.granted", {"approval_id": "approval_001"}))
    runtime.graph.add_object("memo", {"title": "Buy"}, caused_by=by_hand.id)
    live = runtime.pending_approvals()
    runtime.close()

    assert [approval.id for approval in live] == ["approval_001"]
    assert Runtime.load(str(tmp_path / "run.db"), behaviors=[]).pending_approvals() == live


def test_a_closed_runtime_decides_nothing() -> None:
    runtime = proposed()
    runtime.close()

    for decide in (runtime.approve, runtime.deny):
        with pytest.raises(IncompatibleRuntimeState):
            decide("approval_001")
    assert [a.id for a in runtime.pending_approvals()] == ["approval_001"]


@pytest.mark.parametrize("who", ["a\x00b", 7])
def test_a_name_that_cannot_be_recorded_leaves_the_approval_pending(who: Any) -> None:
    runtime = proposed()
    length = len(runtime.graph.events)
    for call in (lambda: runtime.approve("approval_001", who), lambda: runtime.deny("approval_001", who)):
        with pytest.raises(TypeError):
            call()

    assert [a.id for a in runtime.pending_approvals()] == ["approval_001"]
    assert len(runtime.graph.events) == length
    assert runtime.approve("approval_001") == "memo#1"
