"""Recorded answers in loads and forks: nothing is asked before the first real difference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from activegraph.core.clock import FrozenClock
from activegraph.core.event import Event
from activegraph.core.graph import Graph
from activegraph.llm.behavior import LLMBehavior
from activegraph.llm.cache import LLMCache
from activegraph.runtime.runtime import Runtime
from activegraph.store import fork_run, sqlite_url
from activegraph.tools.base import Tool
from activegraph.tools.cache import ToolCache
from pydantic import BaseModel, field_validator
from support.equal_logs import essences
from support.scripted import ScriptedProvider, answer, asking


class Numbered(ScriptedProvider):
    """Says a new thing at each call; asks for a look first."""

    def complete(self, **call: Any) -> Any:
        self.calls.append(call)
        text = f"answer {len(self.calls)}"
        return answer(text) if call["messages"][-1].role == "tool" else asking(("look", {"at": "a"}), text=text)


class Looks:
    """A tool that sees something else each time."""

    def __init__(self, **fields: Any) -> None:
        self.calls = 0
        self.tool = Tool("look", self._look, cost_per_call="0.001", **fields)

    def _look(self, args: Any, ctx: Any) -> dict[str, Any]:
        self.calls += 1
        return {"look": self.calls}


def asker(**fields: Any) -> LLMBehavior:
    def note(event: Event, graph: Any, ctx: Any, out: Any) -> None:
        if len(ctx.view.objects(type="note")) < 6:
            graph.add_object("note", {"text": out, "luck": ctx.random.random()})

    known = {
        "on": ["goal.created"],
        "handler": note,
        "tools": ["look"],
        "view_spec": {"recent_events": 0, "include_types": []},
    }
    return LLMBehavior("asker", **{**known, **fields})


class World:
    """One store, one provider and one tool, and the runs made with them."""

    def __init__(self, path: Path, **tool: Any) -> None:
        self.url = sqlite_url(path / "run.db")
        self.provider = Numbered()
        self.looks = Looks(**tool)
        self.options: dict[str, Any] = {
            "behaviors": [asker()],
            "llm_provider": self.provider,
            "tools": [self.looks.tool],
        }
        self.replay = {"replay_llm_cache": True, "replay_tool_cache": True}

    def asked(self, *goals: str) -> Runtime:
        runtime = Runtime(Graph(run_id="run_1", clock=FrozenClock()), persist_to=self.url, **self.options)
        for goal in goals:
            runtime.run_goal(goal)
        return runtime

    def load(self, run_id: str = "run_1", **options: Any) -> Runtime:
        return Runtime.load(self.url, run_id, clock=FrozenClock(), **{**self.options, **options})

    @property
    def calls(self) -> int:
        return len(self.provider.calls) + self.looks.calls

    def calls_of(self, runtime: Runtime) -> int:
        """How many calls going on to idle makes."""
        before = self.calls
        runtime.run_until_idle()
        return self.calls - before


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def of_type(runtime: Runtime, type: str) -> list[Event]:
    return [event for event in runtime.graph.events if event.type == type]


def notes(runtime: Runtime) -> list[str]:
    return [note.data["text"] for note in runtime.graph.objects("note")]


def less_hits(events: Any) -> list[Any]:
    """What two runs have in common whether their answers were recorded or not."""
    return [(*head, {k: v for k, v in payload.items() if k != "cache_hit"}) for *head, payload in essences(events)]


def test_a_fork_at_any_event_asks_nothing_and_repeats_its_parent(world: World) -> None:
    goals = ("why", "why", "and how")
    parent = world.asked(*goals)
    events = list(parent.graph.events)
    calls = world.calls
    for event in events:
        fork = parent.fork(event.id, **world.replay)
        fork.run_until_idle()
        assert world.calls == calls, event
        if event.type.startswith(("llm.", "tool.", "behavior.started")):
            continue  # the fork cut a conversation away, so from here on it is another run
        for goal in goals[len(of_type(fork, "goal.created")) :]:
            fork.run_goal(goal)
        assert world.calls == calls, event
        if event.type in ("goal.created", "behavior.completed", "runtime.idle"):
            assert less_hits(fork.graph.events) == less_hits(events), event


def test_hits_tell_what_was_paid_once_and_cost_nothing(world: World) -> None:
    parent = world.asked("why")
    fork = parent.fork("evt_001", budget={"max_cost_usd": "0.5"}, **world.replay)
    fork.run_until_idle()

    assert [e.payload["cache_hit"] for e in of_type(fork, "llm.requested")] == [True, True]
    for ours, theirs in zip(of_type(fork, "llm.responded"), of_type(parent, "llm.responded"), strict=True):
        assert ours.payload == {**theirs.payload, "cache_hit": True}
    [tool_answer] = of_type(fork, "tool.responded")
    assert tool_answer.payload == {**of_type(parent, "tool.responded")[0].payload, "cache_hit": True}
    assert fork.budget.cost_used == 0
    assert fork.budget.used["max_llm_calls"] == 2
    assert fork.budget.used["max_tool_calls"] == 1
    assert world.provider.counted == 0
    assert "estimated_cost_usd" not in of_type(fork, "llm.requested")[0].payload
    assert of_type(fork, "llm.requested")[0].payload["budget_remaining_usd"] == "0.5"


def test_without_the_switches_everything_is_asked_again(world: World) -> None:
    parent = world.asked("why")

    assert world.calls_of(parent.fork("evt_001")) == 3
    # The tool sees something new, so the second question is another one.
    assert world.calls_of(parent.fork("evt_001", replay_llm_cache=True)) == 2
    assert world.calls_of(parent.fork("evt_001", replay_tool_cache=True)) == 2


def test_a_question_asked_several_times_gets_its_answers_in_order_and_then_the_last(world: World) -> None:
    parent = world.asked("why", "why", "why")
    assert notes(parent) == ["answer 2", "answer 4", "answer 6"]
    fork = parent.fork("evt_001", **world.replay)
    fork.run_until_idle()
    for _ in range(4):
        fork.run_goal("why")

    assert notes(fork) == ["answer 2", "answer 4", "answer 6", "answer 6", "answer 6"]
    assert len(world.provider.calls) == 6


def test_a_fork_goes_on_with_the_answer_behind_those_that_its_prefix_holds(world: World) -> None:
    parent = world.asked("why", "why", "why")
    second = of_type(parent, "goal.created")[1].id
    fork = parent.fork(second, **world.replay)
    fork.run_until_idle()

    assert notes(fork) == ["answer 2", "answer 4"]


def test_a_loaded_run_finds_its_own_answers_and_gets_the_last_one(world: World) -> None:
    world.asked("why", "why").close()
    loaded = world.load(**world.replay)
    before = world.calls
    loaded.run_goal("why")

    assert world.calls == before
    assert notes(loaded)[-1] == "answer 4"


def test_what_the_run_asks_itself_is_not_looked_up(world: World) -> None:
    runtime = Runtime(Graph(clock=FrozenClock()), **world.options, **world.replay)
    runtime.run_goal("why")
    runtime.run_goal("why")

    assert notes(runtime) == ["answer 2", "answer 4"]


def test_loading_alone_asks_and_emits_nothing(world: World) -> None:
    runtime = world.asked("why")
    log = [e.to_dict() for e in runtime.graph.events]
    runtime.close()
    before = world.calls
    loaded = world.load(**world.replay)

    assert [e.to_dict() for e in loaded.graph.events] == log
    assert world.calls == before


@pytest.mark.parametrize("generations", [1, 2, 3])
def test_a_dormant_fork_of_a_fork_finds_what_its_ancestors_got_behind_the_fork_point(
    world: World, generations: int
) -> None:
    world.asked("why", "and how").close()
    run_id = "run_1"
    for _ in range(generations):
        run_id = fork_run(world.url, run_id=run_id, at_event="evt_001").new_run_id
    before = world.calls
    loaded = world.load(run_id, **world.replay)
    loaded.run_until_idle()
    loaded.run_goal("and how")

    assert world.calls == before
    assert notes(loaded) == ["answer 2", "answer 4"]


def test_the_nearest_ancestors_answers_come_before_those_of_the_farther_ones(world: World) -> None:
    parent = world.asked("why")
    child = parent.fork("evt_001")
    child.run_until_idle()
    assert (notes(parent), notes(child)) == (["answer 2"], ["answer 4"])
    grandchild = child.fork("evt_001", **world.replay)
    grandchild.run_until_idle()
    grandchild.run_goal("why")

    assert notes(grandchild) == ["answer 4", "answer 2"]


def test_a_fork_in_another_store_that_is_called_like_its_parent_is_not_its_own_ancestor(
    world: World, tmp_path: Path
) -> None:
    world.asked("why").close()
    other = sqlite_url(tmp_path / "other.db")
    fork_run(world.url, run_id="run_1", at_event="evt_001", to_url=other, new_run_id="run_1")
    world.url = other
    with world.load() as fork:
        fork.run_until_idle()
        fork.run_goal("why")
        assert notes(fork) == ["answer 4", "answer 6"]

    loaded = world.load(**world.replay)
    loaded.run_goal("why")

    assert notes(loaded)[-1] == "answer 6"


def test_a_stranger_that_is_called_like_the_parent_is_no_ancestor(world: World, tmp_path: Path) -> None:
    world.asked("why").close()
    source, other = world.url, sqlite_url(tmp_path / "other.db")
    world.url = other
    world.asked("why not", "why").close()
    fork = fork_run(source, run_id="run_1", at_event="evt_001", to_url=other).new_run_id
    before = world.calls
    loaded = world.load(fork, **world.replay)
    loaded.run_until_idle()

    assert world.calls == before + 3


def test_a_prompt_that_came_out_different_is_asked(world: World) -> None:
    parent = world.asked("why")
    fork = parent.fork("evt_001", behaviors=[asker(description="Say it in one word.")], **world.replay)

    assert world.calls_of(fork) == 2
    assert [e.payload["cache_hit"] for e in of_type(fork, "tool.requested")] == [True]


def test_deterministic_tools_can_be_called_although_their_answer_is_recorded(tmp_path: Path) -> None:
    world = World(tmp_path, deterministic=True)
    parent = world.asked("why")
    again = parent.fork("evt_001", replay_reinvoke_deterministic=True, **world.replay)

    assert world.calls_of(again) == 2  # the tool, and the model that is told something else
    assert of_type(again, "tool.requested")[0].payload["cache_hit"] is False
    assert of_type(again, "llm.requested")[1].payload["cache_hit"] is False


def test_failed_answers_are_never_looked_up(world: World) -> None:
    world.provider.complete = lambda **call: 1 / 0  # type: ignore[method-assign]
    failed = world.asked("why")
    assert failed.errors
    del world.provider.complete
    fork = failed.fork("evt_001", **world.replay)

    assert world.calls_of(fork) == 3
    assert notes(fork) == ["answer 2"]


def test_a_runtime_can_start_from_a_given_cache(world: World) -> None:
    first = world.asked("why")
    caches: dict[str, Any] = {
        "llm_cache": LLMCache.from_events(first.graph.events),
        "tool_cache": ToolCache.from_events(first.graph.events),
    }
    before = world.calls
    other = Runtime(Graph(run_id="run_2", clock=FrozenClock()), **world.options, **world.replay, **caches)
    other.run_goal("why")

    assert world.calls == before
    assert notes(other) == ["answer 2"]


def answers_with(*, least: int) -> type[BaseModel]:
    """A schema `Why`; its JSON schema does not show how short a text may be."""

    class Why(BaseModel):
        because: str

        @field_validator("because")
        @classmethod
        def long_enough(cls, value: str) -> str:
            assert len(value) >= least
            return value

    return Why


def test_a_cached_answer_of_another_shape_fails_its_behavior_and_says_where_it_came_from(world: World) -> None:
    def explain(event: Event, graph: Any, ctx: Any, out: Any) -> None:
        graph.add_object("reason", {"because": out.because})

    def build(least: int) -> LLMBehavior:
        return asker(output_schema=answers_with(least=least), handler=explain, tools=[])

    world.provider.complete = lambda output_schema, **call: answer(  # type: ignore[method-assign]
        "{}", parsed=output_schema(because="short")
    )
    world.options["behaviors"] = [build(0)]
    parent = world.asked("why")
    assert parent.graph.objects("reason")[0].data == {"because": "short"}
    same, stricter = (parent.fork("evt_001", behaviors=[build(least)], **world.replay) for least in (0, 9))
    for fork in (same, stricter):
        fork.run_until_idle()

    assert same.graph.objects("reason")[0].data == {"because": "short"}
    [failed] = of_type(stricter, "behavior.failed")
    assert failed.payload["reason"] == "llm.schema_violation"
    assert failed.payload["from_cache"] is True
