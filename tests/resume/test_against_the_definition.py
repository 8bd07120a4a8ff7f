"""What a run does is what the definition of the loop says, event for event."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from activegraph.core.clock import FrozenClock
from activegraph.core.event import Event
from activegraph.core.graph import Graph
from activegraph.runtime.runtime import Runtime
from hypothesis import given
from hypothesis import strategies as st
from support.equal_logs import essence
from support.naive_run import NaiveRun, repeats
from support.programs import RUN, Host, Program, change, programs
from support.sampling import generated, some
from support.shared_memory import new_disk


def told(events: Iterable[Event]) -> list[Any]:
    """All that the definition says of a log; how a load finds its place again is another matter."""
    essences = [essence(event) for event in events]
    return [(*header, {key: value for key, value in payload.items() if key != "next"}) for *header, payload in essences]


@generated
@given(program=programs().filter(repeats))
def test_a_run_does_what_the_definition_says(program: Program) -> None:
    assert told(Host(program, new_disk()).finish()) == told(NaiveRun(program).finish())


@generated
@given(
    program=programs().filter(repeats),
    limits=st.lists(
        st.dictionaries(
            st.sampled_from(["max_events", "max_behavior_calls", "max_patches", "max_depth"]), st.integers(0, 6)
        ),
        min_size=1,
        max_size=5,
    ),
    changes=st.lists(st.sampled_from(["object", "relate", "remove", "patch", "transaction"]), min_size=5, max_size=5),
)
def test_a_run_stops_at_its_limits_and_counts_what_the_definition_says(
    program: Program, limits: list[dict[str, int]], changes: list[str]
) -> None:
    graph = Graph(clock=FrozenClock(), run_id=RUN)
    for step in program.setup:
        change(graph, step, 0)
    runtime, naive = Runtime(graph, program.behaviors(), budget={"max_events": 1}), NaiveRun(program)
    naive.budget = {"max_events": 1}
    runtime.run_goal("goal")
    naive.run_goal("goal")

    for number, limit in enumerate(limits):
        runtime.budget, naive.budget = dict(limit), dict(limit)
        change(graph, changes[number], number)
        change(naive, changes[number], number)
        runtime.run_until_idle()
        naive.run_until_idle()
        assert told(graph.events) == told(naive.events)
        assert {name: runtime.budget.used[name] for name in naive.used} == naive.used


@generated
@given(program=programs().filter(repeats), data=st.data())
def test_a_fork_at_any_event_does_what_the_definition_says(program: Program, data: Any) -> None:
    host = Host(program, new_disk())
    log = host.finish()
    assert host.runtime is not None
    for position in some(data.draw, len(log), 6):
        naive = NaiveRun(program, cut_at=log[position - 1].id)

        with host.runtime.fork(log[position - 1].id) as fork:
            fork.run_until_idle()

            assert told(fork.graph.events) == told(naive.finish())
            assert [approval.id for approval in fork.pending_approvals()] == list(naive.pending)
