"""A run that was cut off, stopped or forked anywhere goes on as if it had not been."""

from __future__ import annotations

from typing import Any

import pytest
from activegraph.core.clock import FrozenClock
from activegraph.core.event import Event
from activegraph.runtime.runtime import Runtime
from hypothesis import given
from hypothesis import strategies as st
from support.equal_logs import essences
from support.programs import RUN, Host, Program, programs
from support.sampling import generated, some
from support.shared_memory import new_disk


def finished(program: Program, **options: Any) -> tuple[list[Event], int]:
    """The log of a run that was never stopped, and how many commits it took."""
    disk = new_disk()
    host = Host(program, disk, **options)
    disk.crash_at(None)
    return host.finish(), disk.commits


@generated
@given(program=programs(), data=st.data())
def test_a_crash_at_any_commit_changes_nothing_of_the_finished_log(program: Program, data: Any) -> None:
    expected, commits = finished(program)
    for commit in some(data.draw, commits, 6):
        disk = new_disk()
        host = Host(program, disk)
        disk.crash_at(commit, after=data.draw(st.booleans()))
        assert essences(host.finish()) == essences(expected)


SINGLE_EVENTS = ("run", "goal", "object", "relate", "remove", "patch", "until")
"""What a host does in steps of one event each."""


@generated
@given(program=programs(host=SINGLE_EVENTS), data=st.data())
def test_a_crash_inside_a_step_of_a_store_without_batches_changes_nothing_either(program: Program, data: Any) -> None:
    whole = new_disk(atomic=False)
    expected = Host(program, whole).finish()
    for event in some(data.draw, whole.commits, 6):
        disk = new_disk(atomic=False)
        host = Host(program, disk)
        disk.crash_at(event, after=data.draw(st.booleans()))
        host.go_on()
        disk.crash_at(data.draw(st.integers(1, 5)), after=data.draw(st.booleans()))
        assert essences(host.finish()) == essences(expected)


@generated
@given(program=programs(), data=st.data())
def test_a_crash_while_resuming_changes_nothing_either(program: Program, data: Any) -> None:
    expected, commits = finished(program)
    for commit in some(data.draw, commits, 3):
        disk = new_disk()
        host = Host(program, disk)
        disk.crash_at(commit, after=data.draw(st.booleans()))
        host.go_on()
        disk.crash_at(data.draw(st.integers(1, 5)), after=data.draw(st.booleans()))
        assert essences(host.finish()) == essences(expected)


@generated
@given(program=programs())
def test_a_run_that_is_loaded_anew_before_every_call_of_its_host_is_no_other_run(program: Program) -> None:
    expected, _ = finished(program)
    host = Host(program, new_disk(), loads_anew=True)
    assert essences(host.finish()) == essences(expected)


@generated
@given(
    program=programs(),
    data=st.data(),
    dimension=st.sampled_from(("max_behavior_calls", "max_events", "max_patches", "max_depth")),
)
def test_a_budget_stop_at_any_limit_changes_nothing_of_the_finished_log(
    program: Program, data: Any, dimension: str
) -> None:
    expected, _ = finished(program)
    for limit in some(data.draw, 25, 5):
        assert essences(finished(program, budget={dimension: limit})[0]) == essences(expected)


@generated
@given(program=programs(), data=st.data())
def test_a_run_stopped_by_its_budget_and_loaded_goes_on_as_if_it_had_not_been(program: Program, data: Any) -> None:
    expected, _ = finished(program)
    for limit in some(data.draw, 20, 4):
        disk = new_disk()
        host = Host(program, disk, budget={"max_behavior_calls": limit})
        disk.crash_at(None)
        for step, _ in program.script:
            if step in ("run", "goal"):
                break
        assert host.runtime is not None
        host.runtime.run_goal("goal 0")
        host.place = 1
        host.load().run_until_idle()
        assert essences(host.finish()) == essences(expected)


@generated
@given(program=programs(), data=st.data())
def test_a_fork_keeps_its_prefix_and_repeats_nothing_that_was_decided(program: Program, data: Any) -> None:
    expected, _ = finished(program)
    disk = new_disk()
    Host(program, disk).finish()
    parent = Runtime.load(disk.url, RUN, behaviors=program.behaviors(), clock=FrozenClock())
    for position in some(data.draw, len(expected), 6):
        fork = parent.fork(expected[position - 1].id)
        fork.run_until_idle()
        log = list(fork.graph.events)
        assert [e.to_dict() for e in log[:position]] == [e.to_dict() for e in expected[:position]]
        marks = [(e.type, *invocation(e)) for e in log if e.type in ("behavior.started", "relation_behavior.started")]
        assert len(marks) == len(set(marks))


@generated
@given(program=programs(), data=st.data())
def test_a_dormant_fork_that_is_loaded_goes_on_like_one_that_runs_at_once(program: Program, data: Any) -> None:
    disk = new_disk()
    expected = Host(program, disk).finish()
    parent = Runtime.load(disk.url, RUN, behaviors=program.behaviors(), clock=FrozenClock())
    for position in some(data.draw, len(expected), 6):
        live, dormant = parent.fork(expected[position - 1].id), parent.fork(expected[position - 1].id)
        loaded = Runtime.load(disk.url, dormant.run_id, behaviors=program.behaviors(), clock=FrozenClock())
        for fork in (live, loaded):
            fork.run_until_idle()
        assert essences(loaded.graph.events) == essences(live.graph.events)


@generated
@given(program=programs(), data=st.data())
def test_a_fork_at_the_end_of_a_step_goes_on_like_its_parent(program: Program, data: Any) -> None:
    disk = new_disk()
    host = Host(Program(program.rules, program.setup, (("goal", 0),)), disk)
    expected = host.finish()
    parent = Runtime.load(disk.url, RUN, behaviors=program.behaviors(), clock=FrozenClock())
    ends = [e.id for e in expected if e.type in ("behavior.completed", "behavior.failed", "goal.created")]
    for place in some(data.draw, len(ends), 6):
        fork = parent.fork(ends[place - 1])
        fork._engine.seed = 7
        fork.run_until_idle()
        assert essences(fork.graph.events) == essences(expected)


def invocation(started: Event) -> tuple[Any, ...]:
    payload = started.payload
    return payload["behavior"], payload.get("ordinal"), payload["event_id"], payload.get("relation_id")


@generated
@given(program=programs())
def test_the_same_program_writes_the_same_bytes_twice(program: Program) -> None:
    first, second = finished(program)[0], finished(program)[0]
    assert [e.to_dict() for e in first] == [e.to_dict() for e in second]


@generated
@given(program=programs())
def test_live_loaded_and_status_agree_after_every_step_of_the_host(program: Program) -> None:
    disk = new_disk()
    for live in Host(program, disk).steps():
        loaded = Runtime.load(disk.url, RUN, behaviors=program.behaviors(), clock=FrozenClock())
        assert live.graph.all_objects() == loaded.graph.all_objects()
        assert live.graph.all_relations() == loaded.graph.all_relations()
        assert live.pending_approvals() == loaded.pending_approvals()
        seen, stored = live.status(), loaded.status()
        assert (seen.state, seen.queue_depth) == (stored.state, stored.queue_depth)
        assert (seen.events_processed, seen.recent_events) == (stored.events_processed, stored.recent_events)
        assert seen.budget.exhausted_by == stored.budget.exhausted_by


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__]))
