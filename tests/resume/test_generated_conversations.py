"""Runs that ask models and tools, cut off, stopped or forked anywhere, go on as if they had not been."""

from __future__ import annotations

from typing import Any

from activegraph.core.event import Event
from hypothesis import given
from hypothesis import strategies as st
from support.equal_logs import essences
from support.programs import Host, Model, Program, programs
from support.sampling import generated, some
from support.shared_memory import new_disk

SINGLE_EVENTS = ("run", "goal", "object", "relate", "remove", "patch", "until")
"""What a host does in steps of one event each."""


def finished(program: Program, **options: Any) -> tuple[list[Event], int]:
    """The log of a run that was never stopped, and how many commits it took."""
    disk = new_disk()
    host = Host(program, disk, **options)
    disk.crash_at(None)
    return host.finish(), disk.commits


@generated
@given(program=programs(models=True), data=st.data())
def test_a_crash_at_any_commit_and_another_while_resuming_change_nothing(program: Program, data: Any) -> None:
    expected, commits = finished(program)
    for commit in some(data.draw, commits, 6):
        disk = new_disk()
        host = Host(program, disk)
        disk.crash_at(commit, after=data.draw(st.booleans()))
        host.go_on()
        disk.crash_at(data.draw(st.integers(1, 9)), after=data.draw(st.booleans()))
        assert essences(host.finish()) == essences(expected)


@generated
@given(program=programs(models=True, host=SINGLE_EVENTS), data=st.data())
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
@given(program=programs(models=True))
def test_a_run_that_is_loaded_anew_before_every_call_of_its_host_is_no_other_run(program: Program) -> None:
    expected, _ = finished(program)
    assert essences(Host(program, new_disk(), loads_anew=True).finish()) == essences(expected)


@generated
@given(program=programs(models=True), data=st.data())
def test_a_stop_of_the_loop_at_any_limit_changes_nothing_of_the_finished_log(program: Program, data: Any) -> None:
    expected, _ = finished(program)
    for limit in some(data.draw, 25, 4):
        assert essences(finished(program, budget={"max_behavior_calls": limit})[0]) == essences(expected)


class Counted(Model):
    """Counts what it is asked."""

    def __init__(self) -> None:
        self.calls = 0

    def complete(self, **call: Any) -> Any:
        self.calls += 1
        return super().complete(**call)


@generated
@given(program=programs(models=True), data=st.data())
def test_a_fork_at_the_end_of_a_step_repeats_its_parent_from_recorded_answers(program: Program, data: Any) -> None:
    disk = new_disk()
    host = Host(Program(program.rules, program.setup, (("goal", 0),)), disk)
    expected = host.finish()
    parent = host.load()
    ends = [e.id for e in expected if e.type in ("behavior.completed", "behavior.failed", "goal.created")]
    failed = any(e.payload.get("error") for e in expected if e.type in ("llm.responded", "tool.responded"))
    for place in some(data.draw, len(ends), 4):
        model = Counted()
        fork = parent.fork(ends[place - 1], llm_provider=model, replay_llm_cache=True, replay_tool_cache=True)
        fork._engine.seed = 7
        fork.run_until_idle()
        assert essences(less_hits(fork.graph.events)) == essences(less_hits(expected))
        assert failed or model.calls == 0


def less_hits(events: Any) -> list[Event]:
    """The same log as if no answer had been served from a cache; tools tell their key, which names the run."""
    return [
        Event(e.id, e.type, {k: v for k, v in e.payload.items() if k != "cache_hit"}, e.actor, e.frame_id, e.caused_by)
        for e in events
    ]
