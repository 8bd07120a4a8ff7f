"""What is durable when a call is made, who hears of it, and what a resumed conversation must say again."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from activegraph.behaviors.base import Behavior
from activegraph.core.clock import FrozenClock
from activegraph.core.event import Event
from activegraph.core.graph import Graph
from activegraph.core.log import RunLog
from activegraph.errors import IncompatibleRuntimeState, ReplayDivergenceError
from activegraph.llm.behavior import LLMBehavior
from activegraph.runtime.budget import Budget
from activegraph.runtime.runtime import Runtime
from activegraph.store import InMemoryEventStore, open_store, sqlite_url
from activegraph.tools.base import Tool
from support.runtimes import RUN, loaded, new, types_of
from support.scripted import ScriptedProvider, answer, asking


def note(event: Event, graph: Any, ctx: Any, out: Any) -> None:
    graph.add_object("note", {"text": str(out)})


def asker(handler: Any = note, **fields: Any) -> LLMBehavior:
    return LLMBehavior(**{"name": "asker", "on": ["goal.created"], "handler": handler, **fields})


def look(**fields: Any) -> Tool:
    return Tool("look", lambda args, ctx: "seen", **fields)


def of_type(runtime: Runtime, type: str) -> list[Event]:
    return [event for event in runtime.graph.events if event.type == type]


def stored(path: Path) -> list[str]:
    """Types of the events that another process would find now."""
    with open_store(sqlite_url(path), RUN, read_only=True) as store:  # type: ignore[attr-defined]  # a context manager
        return [event.type for event in store.iter_events()]


def interrupted(path: Path, provider: ScriptedProvider, behavior: LLMBehavior, **options: Any) -> None:
    """A run that an interrupt ended inside a call."""
    runtime = new([behavior], llm_provider=provider, persist_to=path, **options)
    with pytest.raises(KeyboardInterrupt):
        runtime.run_goal("why")
    runtime.close()


def test_a_request_is_stored_before_its_call_and_an_answer_before_its_use(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    seen: list[list[str]] = []
    provider = ScriptedProvider(asking(("look", {})), answer())
    provider.before = lambda: seen.append(stored(path))
    tool = Tool("look", lambda args, ctx: seen.append(stored(path)))

    def handler(event: Event, graph: Any, ctx: Any, out: Any) -> None:
        seen.append(stored(path))

    new([asker(handler, tools=[tool])], llm_provider=provider, persist_to=path).run_goal("why")

    whole = [
        "goal.created",
        "behavior.started",
        "llm.requested",
        "llm.responded",
        "tool.requested",
        "tool.responded",
        "llm.requested",
        "llm.responded",
    ]
    assert seen == [whole[:3], whole[:5], whole[:7], whole]


@pytest.mark.parametrize(("durability", "sync"), [("effect", True), ("every-step", True), ("os", False)])
def test_calls_wait_for_stable_storage_as_the_durability_says(
    durability: str, sync: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits: list[tuple[list[str], bool | None]] = []
    write = RunLog._write

    def noted(log: RunLog, events: Any, sync: bool | None) -> None:
        commits.append(([event.type for event in events], sync))
        write(log, events, sync)

    monkeypatch.setattr(RunLog, "_write", noted)
    runtime = new([asker()], llm_provider=ScriptedProvider(), persist_to=tmp_path / "run.db", durability=durability)
    runtime.run_goal("why")

    assert (["behavior.started", "llm.requested"], sync) in commits
    assert (["llm.responded"], sync) in commits


def test_listeners_hear_of_an_invocation_when_it_is_over_and_in_order(tmp_path: Path) -> None:
    provider = ScriptedProvider(asking(("look", {})), answer())
    runtime = new([asker(tools=[look()])], llm_provider=provider, persist_to=tmp_path / "run.db")
    heard: list[str] = []
    during: list[int] = []
    provider.before = lambda: during.append(len(heard))

    def listen(event: Event) -> None:
        heard.append(event.id)
        if event.type == "llm.requested":
            runtime.graph.add_object("echo", {"of": event.id})

    runtime.graph.add_listener(listen)
    runtime.run_goal("why")

    assert during == [1, 1]
    assert heard == [event.id for event in runtime.graph.events]
    assert types_of(runtime)[1:10].count("object.created") == 1  # the handler's; the echoes come behind the outcome


def test_a_tool_and_a_provider_write_nothing_past_the_run(tmp_path: Path) -> None:
    refused: list[str] = []
    runtime: Runtime

    def meddle() -> None:
        for operation in (
            lambda: runtime.graph.add_object("x", {}),
            lambda: runtime.run_until_idle(),
            lambda: runtime.resolve_tool("evt_001", output=1),
            lambda: runtime.save_state(),
            lambda: runtime.close(),
        ):
            with pytest.raises(IncompatibleRuntimeState):
                operation()
            refused.append("refused")

    provider = ScriptedProvider(asking(("look", {})), answer())
    provider.before = meddle
    tool = Tool("look", lambda args, ctx: meddle())
    runtime = new([asker(tools=[tool])], llm_provider=provider, persist_to=tmp_path / "run.db")
    runtime.run_goal("why")

    assert len(refused) == 15
    assert runtime.errors == []


def test_what_a_provider_does_to_its_messages_does_not_reach_the_log() -> None:
    class Rude(ScriptedProvider):
        def complete(self, **call: Any) -> Any:
            response = super().complete(**{**call, "messages": list(call["messages"])})
            call["messages"].clear()
            for definition in call["tools"]:
                definition.clear()
            return response

    provider = Rude(asking(("look", {"a": [1]})), answer())
    runtime = new([asker(tools=[look()])], llm_provider=provider)
    runtime.run_goal("why")

    assert [message.role for message in provider.calls[1]["messages"]] == ["user", "assistant", "tool"]
    assert provider.calls[1]["tools"] == [{}]
    assert of_type(runtime, "llm.requested")[0].payload["prompt"]["tools"][0]["name"] == "look"


class Failing(InMemoryEventStore):
    """Refuses to store an event of one type."""

    def __init__(self, fatal: str) -> None:
        super().__init__(RUN)
        self.fatal = fatal

    def append_many(self, events: Sequence[Event], **options: Any) -> int:
        if any(event.type == self.fatal for event in events):
            raise OSError("disk")
        return super().append_many(events, **options)


@pytest.mark.parametrize(
    ("fatal", "calls"), [("llm.requested", 0), ("llm.responded", 1), ("tool.requested", 1), ("tool.responded", 2)]
)
def test_a_commit_that_fails_around_a_call_stops_the_run_and_is_no_failure_of_the_behavior(
    fatal: str, calls: int
) -> None:
    made: list[str] = []
    provider = ScriptedProvider(asking(("look", {})), answer())
    provider.before = lambda: made.append("model")
    tool = Tool("look", lambda args, ctx: made.append("tool"))
    runtime = new([asker(tools=[tool])], llm_provider=provider, store=Failing(fatal))

    with pytest.raises(OSError, match="disk"):
        runtime.run_goal("why")

    assert len(made) == calls
    assert runtime.errors == []
    assert runtime.status().state == "stopped"
    assert fatal not in types_of(runtime)


class TestGoingOn:
    def test_an_open_request_is_asked_again_with_its_key_and_no_gate(self, tmp_path: Path) -> None:
        first = ScriptedProvider(KeyboardInterrupt())
        behavior = asker(max_tokens=900)
        interrupted(tmp_path / "run.db", first, behavior, budget={"max_cost_usd": "0.01"})

        second = ScriptedProvider(answer(cost_usd=Decimal("0.002")))
        runtime = loaded(
            tmp_path / "run.db", [behavior], llm_provider=second, budget={"max_cost_usd": "0.005", "max_llm_calls": 1}
        )
        runtime.run_until_idle()

        assert second.calls[0]["idempotency_key"] == first.calls[0]["idempotency_key"]
        assert second.counted == 0
        assert runtime.graph.objects("note")
        assert runtime.budget.cost_used == Decimal("0.002")
        assert runtime.budget.used["max_llm_calls"] == 0
        assert runtime.budget.used["max_behavior_calls"] == 0

    def test_recorded_answers_are_served_without_a_switch_and_cost_nothing(self, tmp_path: Path) -> None:
        behavior = asker(tools=[look(cost_per_call="0.5")])
        interrupted(tmp_path / "run.db", ScriptedProvider(asking(("look", {})), KeyboardInterrupt()), behavior)

        provider = ScriptedProvider(answer("done"))
        runtime = loaded(tmp_path / "run.db", [behavior], llm_provider=provider)
        runtime.run_until_idle()

        assert len(provider.calls) == 1
        assert [message.role for message in provider.calls[0]["messages"]] == ["user", "assistant", "tool"]
        assert runtime.graph.objects("note")[0].data == {"text": "done"}
        assert runtime.budget.cost_used == Decimal("0.01")
        [noted] = runtime.graph.objects("note")
        assert noted.provenance["tool_request_event_ids"] == [of_type(runtime, "tool.requested")[0].id]

    def test_a_budget_that_carries_over_counts_what_earlier_processes_paid(self, tmp_path: Path) -> None:
        behavior = asker(tools=[look(cost_per_call="0.5")])
        interrupted(tmp_path / "run.db", ScriptedProvider(asking(("look", {})), KeyboardInterrupt()), behavior)

        runtime = loaded(
            tmp_path / "run.db",
            [behavior],
            llm_provider=ScriptedProvider(answer()),
            budget=Budget({"max_cost_usd": 9}, carry_over=True),
        )
        runtime.run_until_idle()

        assert runtime.budget.cost_used == Decimal("0.52")
        assert runtime.budget.used["max_llm_calls"] == 2
        assert runtime.budget.used["max_tool_calls"] == 1

    def test_a_behaviors_own_budget_counts_what_its_invocation_used_before_the_crash(self, tmp_path: Path) -> None:
        behavior = asker(tools=[look()], budget={"max_llm_calls": 2})
        script = (asking(("look", {})), KeyboardInterrupt())
        interrupted(tmp_path / "run.db", ScriptedProvider(*script), behavior)

        runtime = loaded(tmp_path / "run.db", [behavior], llm_provider=ScriptedProvider(asking(("look", {"n": 2}))))
        runtime.run_until_idle()

        assert runtime.errors[0].reason == "budget.llm_calls_exhausted"
        assert len(of_type(runtime, "llm.requested")) == 2

    def test_a_changed_prompt_is_told_by_its_hash(self, tmp_path: Path) -> None:
        interrupted(tmp_path / "run.db", ScriptedProvider(KeyboardInterrupt()), asker())
        provider = ScriptedProvider()
        runtime = loaded(tmp_path / "run.db", [asker(description="Another role.")], llm_provider=provider)

        with pytest.raises(ReplayDivergenceError) as divergence:
            runtime.run_until_idle()

        assert divergence.value.kind == "prompt_hash_mismatch"
        assert divergence.value.event_id == "evt_003"
        assert "runtime.fork('evt_001')" in divergence.value.how_to_fix
        assert provider.calls == []

    def test_a_changed_tool_is_found_in_the_prompt_that_shows_it(self, tmp_path: Path) -> None:
        from pydantic import BaseModel

        class Query(BaseModel):
            limit: int = 10

        script = (asking(("look", {})), KeyboardInterrupt())
        interrupted(tmp_path / "run.db", ScriptedProvider(*script), asker(tools=[look()]))
        provider = ScriptedProvider()
        changed = asker(tools=[Tool("look", lambda args, ctx: "seen", input_schema=Query)])
        runtime = loaded(tmp_path / "run.db", [changed], llm_provider=provider)

        with pytest.raises(ReplayDivergenceError) as divergence:
            runtime.run_until_idle()

        assert divergence.value.kind == "prompt_hash_mismatch"
        assert provider.calls == []

    def test_what_is_met_in_the_log_reaches_no_listener_again(self, tmp_path: Path) -> None:
        behavior = asker(tools=[look()])
        interrupted(tmp_path / "run.db", ScriptedProvider(asking(("look", {})), KeyboardInterrupt()), behavior)
        runtime = loaded(tmp_path / "run.db", [behavior], llm_provider=ScriptedProvider(answer()))
        heard: list[str] = []
        runtime.graph.add_listener(lambda event: heard.append(event.type))
        runtime.run_until_idle()

        assert heard == ["llm.responded", "object.created", "behavior.completed", "runtime.idle"]

    def test_subscribers_of_calls_get_each_of_them_once(self, tmp_path: Path) -> None:
        seen: list[str] = []
        watcher = Behavior(
            "watcher", lambda event, graph, ctx: seen.append(event.id), on=["llm.requested", "tool.responded"]
        )
        behavior = asker(tools=[look()])
        runtime = new(
            [behavior, watcher],
            llm_provider=ScriptedProvider(asking(("look", {})), KeyboardInterrupt()),
            persist_to=tmp_path / "run.db",
        )
        with pytest.raises(KeyboardInterrupt):
            runtime.run_goal("why")
        runtime.close()
        again = loaded(tmp_path / "run.db", [behavior, watcher], llm_provider=ScriptedProvider(answer()))
        again.run_until_idle()

        asked = [e.id for e in again.graph.events if e.type in ("llm.requested", "tool.responded")]
        assert seen == asked


class TestApprovals:
    def propose(self, event: Event, graph: Any, ctx: Any, out: Any) -> None:
        ctx.propose_object("memo", {"text": out})

    def plain(self, event: Event, graph: Any, ctx: Any) -> None:
        ctx.propose_object("memo", {"text": "mine"})

    def proposed(self, path: Path) -> tuple[Runtime, dict[str, Any]]:
        options: dict[str, Any] = {
            "behaviors": [
                asker(self.propose, tools=[look()]),
                Behavior("asker", self.plain, on=["goal.created"]),
                Behavior("plain", self.plain, on=["goal.created"]),
            ],
            "llm_provider": ScriptedProvider(asking(("look", {})), answer("paid")),
        }
        runtime = Runtime(Graph(run_id=RUN, clock=FrozenClock()), persist_to=str(path), **options)
        runtime.run_goal("why")
        return runtime, options

    @pytest.mark.parametrize("how", ["live", "loaded", "forked"])
    def test_an_approved_object_names_the_calls_that_its_proposal_stood_on(self, how: str, tmp_path: Path) -> None:
        runtime, options = self.proposed(tmp_path / "run.db")
        if how == "loaded":
            runtime.close()
            runtime = Runtime.load(sqlite_url(tmp_path / "run.db"), RUN, clock=FrozenClock(), **options)
        if how == "forked":
            runtime = runtime.fork(of_type(runtime, "runtime.idle")[-1].id)
        made = [runtime.graph.get_object(runtime.approve(each.id)) for each in runtime.pending_approvals()]

        paid, *others = (each.provenance for each in made if each is not None)
        assert paid["llm_request_event_id"] == of_type(runtime, "llm.requested")[-1].id
        assert paid["tool_request_event_ids"] == [of_type(runtime, "tool.requested")[0].id]
        assert len(others) == 2
        assert not any("llm_request_event_id" in each for each in others)
