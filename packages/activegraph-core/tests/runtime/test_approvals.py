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
        None,
    )
    event = next(e for e in runtime.graph.events if e.type == "approval.proposed")
    assert (event.actor, event.caused_by) == ("proposer", "evt_001")
    assert event.payload == {
        "approval_id": "approval_001",
        "object_type": "memo",
        "reason": "needs a reader",
        "pack": None,
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
