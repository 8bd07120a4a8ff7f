"""Clocks and id sequences of a user's own: whatever they fail at, nothing is half written and no id is lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from activegraph.behaviors.base import AnyBehavior, Behavior
from activegraph.core.event import Event
from activegraph.core.graph import Graph
from activegraph.core.ids import IDGen
from activegraph.errors import NonSerializableEventError
from activegraph.frame import Frame
from activegraph.llm.behavior import LLMBehavior
from activegraph.packs import Pack
from activegraph.runtime.runtime import Runtime
from activegraph.store import InMemoryEventStore, SQLiteEventStore, sqlite_url
from activegraph.tools.base import Tool
from support.runtimes import RUN, loaded, new, types_of
from support.scripted import ScriptedProvider, answer, asking

NOON = "2026-05-15T12:00:00Z"


class Failing:
    """A clock that raises at some of its next calls, counted from 1."""

    def __init__(self) -> None:
        self.fails_at: set[int] = set()

    def now(self) -> str:
        now = 1 in self.fails_at
        self.fails_at = {call - 1 for call in self.fails_at if call > 1}
        if now:
            raise OSError("no time")
        return NOON


def proposing(event: Event, graph: Any, ctx: Any) -> None:
    ctx.propose_object("memo", {})


def failing(*behaviors: AnyBehavior, **options: Any) -> tuple[Runtime, Failing]:
    clock = Failing()
    return new(behaviors, Graph(clock=clock, run_id=RUN), **options), clock  # type: ignore[arg-type]


@pytest.mark.parametrize("call", [1, 2])
def test_an_approval_at_which_the_clock_fails_has_granted_nothing(call: int) -> None:
    runtime, clock = failing(Behavior("proposer", proposing, on=["goal.created"]))
    runtime.run_goal("buy")
    before = types_of(runtime)

    clock.fails_at = {call}
    with pytest.raises(OSError, match="no time"):
        runtime.approve("approval_001")

    assert types_of(runtime) == before
    assert runtime.approve("approval_001") == "memo#1"
    assert types_of(runtime, len(before)) == ["approval.granted", "object.created"]


def test_a_proposal_at_which_the_clock_fails_draws_no_id() -> None:
    def stubborn(event: Event, graph: Any, ctx: Any) -> None:
        clock.fails_at = {1}
        with pytest.raises(OSError, match="no time"):
            ctx.propose_object("memo", {})
        ctx.propose_object("memo", {})

    runtime, clock = failing(Behavior("stubborn", stubborn, on=["goal.created"]))
    runtime.run_goal("buy")

    assert [approval.id for approval in runtime.pending_approvals()] == ["approval_001"]


def test_a_goal_at_which_the_clock_fails_is_not_the_runs(tmp_path: Path) -> None:
    runtime, clock = failing(persist_to=tmp_path / "run.db")
    clock.fails_at = {1}
    with pytest.raises(OSError, match="no time"):
        runtime.run_goal("never begun")
    runtime.run_goal("begun")
    runtime.close()

    assert [record.goal for record in SQLiteEventStore.list_runs(tmp_path / "run.db")] == ["begun"]


@pytest.mark.parametrize("call", range(1, 7))
def test_a_call_at_which_the_clock_fails_is_no_failure_of_its_behavior(call: int, tmp_path: Path) -> None:
    def provider() -> ScriptedProvider:
        return ScriptedProvider(lambda **asked: answer() if len(asked["messages"]) > 1 else asking(("look", {})))

    def noting(event: Event, graph: Any, ctx: Any, out: Any) -> None:
        graph.add_object("note", {})

    tool = Tool("look", lambda args, ctx: "seen")
    behavior = LLMBehavior(name="asker", on=["goal.created"], handler=noting, tools=[tool])
    runtime, clock = failing(behavior, persist_to=tmp_path / "run.db", llm_provider=provider())
    clock.fails_at = {2 + call}
    with pytest.raises(OSError, match="no time"):
        runtime.run_goal("why")

    assert runtime.status().state == "stopped"
    assert runtime.errors == []
    runtime.close()
    going_on = loaded(tmp_path / "run.db", [behavior], llm_provider=provider())
    going_on.run_until_idle()
    calls = ["llm.requested", "llm.responded", "tool.requested", "tool.responded", "llm.requested", "llm.responded"]
    assert types_of(going_on)[2:] == [*calls, "object.created", "behavior.completed", "runtime.idle"]


@pytest.mark.parametrize("begin", ["a change", "a run"])
def test_a_pack_at_which_the_clock_fails_is_still_said_before_anything_else(begin: str) -> None:
    runtime, clock = failing(packs=[Pack("first", "1.0.0"), Pack("second", "1.0.0")])

    def change() -> object:
        return runtime.graph.add_object("task", {}) if begin == "a change" else runtime.run_goal("go")

    clock.fails_at = {2}
    with pytest.raises(OSError, match="no time"):
        change()
    change()

    assert [event.payload["name"] for event in runtime.graph.events[:2]] == ["first", "second"]
    assert types_of(runtime).count("pack.loaded") == 2
    assert [event.id for event in runtime.graph.events[:3]] == ["evt_001", "evt_002", "evt_003"]


class Odd(IDGen):
    """Gives one odd id where it is told to."""

    def __init__(self, of: str, id: Any) -> None:
        super().__init__()
        self.of, self.id = of, id

    def event(self) -> str:
        return super().event() if self.of != "event" else self.id  # type: ignore[no-any-return]

    def stop(self) -> str:
        return super().stop() if self.of != "stop" else self.id  # type: ignore[no-any-return]

    def frame(self) -> str:
        return super().frame() if self.of != "frame" else self.id  # type: ignore[no-any-return]


STORES = ["none", "memory", "sqlite"]
ODD_IDS = [7, True, None, b"evt_001", ["evt_001"], "", "a\x00b", "a\ud800"]


def stored(where: str, ids: IDGen, path: Path, **options: Any) -> Runtime:
    graph = Graph(ids=ids, run_id=RUN)
    if where == "sqlite":
        return Runtime(graph, [], persist_to=sqlite_url(path / "run.db"), **options)
    return Runtime(graph, [], store=InMemoryEventStore(RUN) if where == "memory" else None, **options)


@pytest.mark.parametrize("where", STORES)
@pytest.mark.parametrize("id", ODD_IDS)
def test_an_event_id_that_no_log_carries_is_refused_on_every_store(where: str, id: Any, tmp_path: Path) -> None:
    runtime = stored(where, Odd("event", id), tmp_path)
    for change in (lambda: runtime.graph.add_object("task", {}), lambda: runtime.run_goal("go")):
        with pytest.raises(NonSerializableEventError) as refusal:
            change()
        assert refusal.value.context["path"] == "id"

    assert list(runtime.graph.events) == []
    assert runtime.graph.all_objects() == []


@pytest.mark.parametrize("where", STORES)
@pytest.mark.parametrize("id", ODD_IDS)
def test_so_is_the_id_of_a_stop(where: str, id: Any, tmp_path: Path) -> None:
    runtime = stored(where, Odd("stop", id), tmp_path, budget={"max_events": 1})
    with pytest.raises(NonSerializableEventError) as refusal:
        runtime.run_goal("go")

    assert refusal.value.context["path"] == "id"
    assert types_of(runtime) == ["goal.created"]


@pytest.mark.parametrize("where", STORES)
@pytest.mark.parametrize("id", [7, "a\x00b", "a\ud800"])
def test_so_is_the_id_of_a_frame(where: str, id: Any, tmp_path: Path) -> None:
    with pytest.raises(NonSerializableEventError) as refusal:
        stored(where, Odd("frame", id), tmp_path, frame=Frame("buy"))
    assert refusal.value.context["path"] == "frame_id"


class Tagged(str):
    __slots__ = ()


@pytest.mark.parametrize("where", STORES)
def test_an_id_of_a_kind_of_text_is_recorded_as_text(where: str, tmp_path: Path) -> None:
    runtime = stored(where, Odd("event", Tagged("mine")), tmp_path, frame=Frame("buy", id=Tagged("frame_mine")))
    runtime.graph.add_object("task", {}, frame_id=Tagged("frame_mine"))

    (event,) = runtime.graph.events
    assert (type(event.id), event.id, type(event.frame_id), event.frame_id) == (str, "mine", str, "frame_mine")
