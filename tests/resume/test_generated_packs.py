"""Programs whose behaviors are a pack's: cut off anywhere, they go on as if they had not been."""

from __future__ import annotations

from typing import Any

from activegraph.core.clock import FrozenClock
from activegraph.runtime.runtime import Runtime
from hypothesis import given
from hypothesis import strategies as st
from support.equal_logs import essences
from support.programs import RUN, Host, Program, programs
from support.sampling import generated
from support.shared_memory import new_disk


@generated
@given(program=programs(), data=st.data())
def test_a_crash_at_any_commit_changes_nothing_of_the_finished_log(program: Program, data: Any) -> None:
    whole = new_disk()
    host = Host(program, whole, in_pack=True)
    whole.crash_at(None)
    expected = host.finish()
    assert [event.type for event in expected].count("pack.loaded") == 1

    for _ in range(4):
        disk = new_disk()
        host = Host(program, disk, in_pack=True)
        disk.crash_at(data.draw(st.integers(1, whole.commits)), after=data.draw(st.booleans()))
        assert essences(host.finish()) == essences(expected)


@generated
@given(program=programs())
def test_a_run_that_is_given_its_pack_anew_before_every_call_of_its_host_is_no_other_run(program: Program) -> None:
    expected = Host(program, new_disk(), in_pack=True).finish()

    assert essences(Host(program, new_disk(), in_pack=True, loads_anew=True).finish()) == essences(expected)


@generated
@given(program=programs(), data=st.data())
def test_a_fork_that_is_given_the_pack_goes_on_as_a_dormant_one_that_is_loaded_with_it(
    program: Program, data: Any
) -> None:
    disk = new_disk()
    expected = Host(program, disk, in_pack=True).finish()
    packs = [program.pack()]
    parent = Runtime.load(disk.url, RUN, behaviors=[], clock=FrozenClock(), packs=packs)
    at = expected[data.draw(st.integers(0, len(expected) - 1))].id

    live, dormant = parent.fork(at, packs=packs), parent.fork(at)
    loaded = Runtime.load(disk.url, dormant.run_id, behaviors=[], clock=FrozenClock(), packs=packs)
    for fork in (live, loaded):
        fork.run_until_idle()

    assert essences(loaded.graph.events) == essences(live.graph.events)
