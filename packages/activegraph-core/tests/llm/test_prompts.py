"""Prompts as a whole: what goes into the hash, what does not, and that a behavior shows its own."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from activegraph import (
    Event,
    Frame,
    FrozenClock,
    Graph,
    LLMBehavior,
    MissingToolError,
    Runtime,
    View,
    behavior,
    clear_tool_registry,
    llm_behavior,
    tool,
)
from activegraph.llm import AssembledPrompt, LLMMessage, ToolCall, assemble_prompt
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from support.values import examples


class Causes(BaseModel):
    causes: list[str]


class Other(BaseModel):
    causes: list[str]


EVENT = Event("evt_001", "mail.received", {"text": "hello"}, actor="host")

ASKED: dict[str, Any] = {
    "behavior_name": "suggest",
    "description": "Suggest causes.",
    "model": "claude-x",
    "output_schema": Causes,
    "creates": ["hypothesis"],
    "view": View(),
    "event": EVENT,
    "frame": Frame("Find it"),
    "around": None,
    "depth": None,
    "max_tokens": 100,
    "temperature": 0.7,
    "top_p": 0.9,
    "deterministic": False,
    "tools": [{"name": "look", "description": "", "input_schema": {"type": "object"}}],
}


def assembled(**changed: Any) -> AssembledPrompt:
    return assemble_prompt(**{**ASKED, **changed})


class TestAssembling:
    def test_the_parts_are_kept_beside_the_whole(self) -> None:
        prompt = assembled()

        assert list(prompt.sections) == ["system", "view", "event", "instruction", "user"]
        assert prompt.system == prompt.sections["system"]
        assert prompt.messages == [LLMMessage("user", prompt.sections["user"])]
        assert prompt.sections["user"] == (
            f"{prompt.sections['view']}\n\n## Triggering event\n{prompt.sections['event']}"
            f"\n\n## Task\n{prompt.sections['instruction']}"
        )

    def test_what_is_asked_stands_in_it(self) -> None:
        prompt = assembled()

        assert (prompt.model, prompt.max_tokens, prompt.temperature, prompt.top_p) == ("claude-x", 100, 0.7, 0.9)
        assert (prompt.output_schema_name, prompt.output_schema_json) == ("Causes", Causes.model_json_schema())
        assert (prompt.deterministic, prompt.tools) == (False, ASKED["tools"])

    def test_deterministic_forces_the_sampling(self) -> None:
        prompt = assembled(deterministic=True)

        assert (prompt.temperature, prompt.top_p, prompt.deterministic) == (0.0, 1.0, True)

    def test_without_a_schema_there_is_none_in_it(self) -> None:
        prompt = assembled(output_schema=None)

        assert (prompt.output_schema_name, prompt.output_schema_json) == (None, None)
        assert "Schema:" not in prompt.system

    @pytest.mark.parametrize("tools", [None, [], ()])
    def test_no_tools_are_none(self, tools: Any) -> None:
        assert assembled(tools=tools).tools is None

    def test_a_template_replaces_the_message_and_not_the_system_text(self) -> None:
        plain = assembled()
        prompt = assembled(prompt_template="{{{event}}} / {instruction} / {view} / {system}")

        assert prompt.system == plain.system
        parts = plain.sections
        assert prompt.messages[0].content == (
            f"{{{parts['event']}}} / {parts['instruction']} / {parts['view']} / {parts['system']}"
        )
        assert prompt.sections["user"] == prompt.messages[0].content

    def test_braces_in_what_is_shown_are_no_placeholders(self) -> None:
        event = Event("evt_001", "a", {"text": "{goal} {0} {"})

        assert "{goal} {0} {" in assembled(event=event, prompt_template="{event}").messages[0].content

    def test_an_unknown_placeholder_is_refused(self) -> None:
        with pytest.raises(ValueError, match="unknown placeholder"):
            assembled(prompt_template="{goal}")


class TestHash:
    def test_it_is_over_the_canonical_json_of_these_keys(self) -> None:
        prompt = assembled()

        assert list(prompt.to_hashable()) == [
            "model",
            "system",
            "messages",
            "output_schema_name",
            "output_schema_json",
            "max_tokens",
            "temperature",
            "top_p",
            "deterministic",
            "tools",
        ]
        text = json.dumps(prompt.to_hashable(), sort_keys=True, separators=(",", ":"))
        assert prompt.canonical_json() == text
        assert prompt.hash() == hashlib.sha256(text.encode()).hexdigest()

    def test_a_fixed_prompt_has_a_fixed_hash(self) -> None:
        prompt = AssembledPrompt(
            system="You are a clerk.",
            messages=[LLMMessage("user", "Grüße \ud800")],
            model="claude-x",
            max_tokens=10,
            temperature=0.0,
            top_p=1.0,
            output_schema_name=None,
            output_schema_json=None,
            deterministic=True,
        )

        assert prompt.canonical_json() == (
            '{"deterministic":true,"max_tokens":10,"messages":[{"content":"Gr\\u00fc\\u00dfe \\ud800","role":"user"}],'
            '"model":"claude-x","output_schema_json":null,"output_schema_name":null,"system":"You are a clerk.",'
            '"temperature":0.0,"tools":null,"top_p":1.0}'
        )
        assert prompt.hash() == "f4f363d14a7d416a8e61cd01d67eb16ead2656449cf0d9fc62fa9c1e553f645e"

    @pytest.mark.parametrize(
        "changed",
        [
            {"model": "claude-y"},
            {"output_schema": Other},
            {"output_schema": None},
            {"tools": None},
            {"tools": [{"name": "look", "description": "closely", "input_schema": {"type": "object"}}]},
            {"deterministic": True},
            {"max_tokens": 101},
            {"temperature": 0.8},
            {"top_p": 0.8},
            {"description": "Other."},
            {"behavior_name": "other"},
            {"creates": []},
            {"frame": None},
            {"event": Event("evt_001", "mail.received", {"text": "bye"}, actor="host")},
            {"prompt_template": "{event}"},
            {"depth": 1},
        ],
        ids=str,
    )
    def test_what_changes_the_question_changes_the_hash(self, changed: dict[str, Any]) -> None:
        assert assembled(**changed).hash() != assembled().hash()

    @pytest.mark.parametrize(
        "changed",
        [
            {"event": Event("evt_777", "mail.received", {"text": "hello"}, "host", "frame_2", "evt_776", "2030")},
            {"view": View(events=[Event("evt_5", "llm.requested", {}), Event("evt_6", "pack.loaded", {})])},
            {"frame": Frame("Find it", id="frame_9", success_criteria=["soon"])},
            {"temperature": 0.7, "max_tokens": True + 99},
        ],
        ids=["ids and times", "bookkeeping", "frame id", "kinds of numbers"],
    )
    def test_what_is_of_one_run_only_does_not(self, changed: dict[str, Any]) -> None:
        assert assembled(**changed).hash() == assembled().hash()

    def test_a_further_turn_has_a_hash_of_its_own(self) -> None:
        prompt = assembled()
        first = prompt.hash()
        call = ToolCall("call_1", "look", {"at": "x"})
        prompt.messages.append(LLMMessage("assistant", "", tool_calls=(call,)))
        prompt.messages.append(LLMMessage("tool", "{}", tool_use_id="call_1", tool_name="look"))

        assert prompt.hash() != first
        assert json.loads(prompt.canonical_json())["messages"][1:] == [
            {"role": "assistant", "content": "", "tool_calls": [call.to_dict()]},
            {"role": "tool", "content": "{}", "tool_use_id": "call_1", "tool_name": "look"},
        ]

    @given(st.dictionaries(st.text(), st.integers() | st.text() | st.lists(st.text()), max_size=5), st.text())
    @examples(50)
    def test_the_order_of_keys_and_how_often_it_is_asked_make_no_difference(
        self, payload: dict[str, Any], goal: str
    ) -> None:
        turned = dict(reversed(payload.items()))
        one = assembled(event=Event("evt_1", "a", payload), frame=Frame(goal))
        other = assembled(event=Event("evt_2", "a", turned), frame=Frame(goal))

        assert one.canonical_json() == other.canonical_json()
        assert one.hash() == one.hash() == other.hash()


PROGRAM = """
from activegraph import FrozenClock, Graph, LLMBehavior, Frame, Tool
from pydantic import BaseModel

class Causes(BaseModel):
    causes: set[str]
    words: dict[str, int]

look = Tool("look", lambda args, ctx: None, input_schema=Causes)
asks = LLMBehavior("asks", handler=print, output_schema=Causes, creates=["b", "a"], tools=[look], deterministic=True)
graph = Graph(clock=FrozenClock(), run_id="run_a")
graph.add_object("task", {"b": 1, "a": {"z": [1], "y": None}})
print(asks.build_prompt(graph.events[0], graph, frame=Frame("go")).hash())
"""


def test_every_process_finds_the_same_hash() -> None:
    found = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }

    assert len(found) == 1


def suggest(event: Any, graph: Any, ctx: Any, out: Any) -> None: ...


def tasks(count: int = 1, **options: Any) -> Graph:
    graph = Graph(clock=options.pop("clock", FrozenClock()), **options)
    for number in range(count):
        graph.add_object("task", {"number": number})
    return graph


class TestBehaviorsShowTheirPrompt:
    def test_it_needs_only_the_graph_and_the_event(self) -> None:
        asks = llm_behavior(
            output_schema=Causes,
            description="Suggest.",
            view={"around": "event.payload.object.id", "depth": 2},
            creates=["hypothesis"],
            deterministic=True,
        )(suggest)
        graph = tasks()
        prompt = asks.build_prompt(graph.events[0], graph, frame=Frame("Find it"))

        assert prompt.model == "claude-sonnet-4-5"
        assert prompt.tools is None
        assert "Mission: Find it" in prompt.system
        assert prompt.sections["view"].startswith("## Graph context (depth=2, around=task#1)\n")
        assert (
            prompt.hash()
            == assemble_prompt(
                behavior_name="suggest",
                description="Suggest.",
                model="claude-sonnet-4-5",
                output_schema=Causes,
                creates=["hypothesis"],
                view=View(graph.all_objects(), [], graph.events),
                event=graph.events[0],
                frame=Frame("Find it"),
                around="task#1",
                depth=2,
                max_tokens=4096,
                temperature=0.7,
                top_p=1.0,
                deterministic=True,
            ).hash()
        )

    def test_several_centres_are_named_and_one_that_is_none_is_not(self) -> None:
        graph = tasks(2)
        event = graph.events[0]

        def heading(around: Any) -> str:
            asks = LLMBehavior("asks", handler=suggest, view_spec={"around": around})
            return asks.build_prompt(event, graph).sections["view"].splitlines()[0]

        assert heading(["task#1", "task#2"]) == "## Graph context (around=task#1, task#2)"
        assert heading("event.payload.nothing") == "## Graph context"

    def test_recent_events_are_counted_without_bookkeeping(self) -> None:
        @behavior(name="noisy", on=["object.created"])
        def noisy(event: Any, graph: Any, ctx: Any) -> None: ...

        graph = tasks(3)
        Runtime(graph, [noisy]).run_until_idle()
        asks = LLMBehavior("asks", handler=suggest, view_spec={"recent_events": 2})
        text = asks.build_prompt(graph.events[0], graph).sections["view"]

        assert [event.type for event in graph.events[-2:]] != ["object.created", "object.created"]
        assert text.split("### Recent events\n")[1] == "- object.created task#2\n- object.created task#3"

    def test_fifty_recent_events_are_shown_by_default(self) -> None:
        graph = tasks(60)
        asks = LLMBehavior("asks", handler=suggest)

        assert asks.build_prompt(graph.events[0], graph).sections["view"].count("- object.created") == 50

    def test_another_run_at_another_time_asks_the_same(self) -> None:
        asks = LLMBehavior("asks", handler=suggest)
        one = tasks(2, run_id="run_a")
        other = tasks(2, run_id="run_b", clock=FrozenClock("2031-01-01T00:00:00Z"))

        assert asks.build_prompt(one.events[1], one).hash() == asks.build_prompt(other.events[1], other).hash()

    def test_a_loaded_run_and_a_fork_ask_the_same(self, tmp_path: Path) -> None:
        asks = LLMBehavior("asks", handler=suggest)
        runtime = Runtime(tasks(2), [], persist_to=tmp_path / "run.db")
        runtime.run_goal("go")
        event = runtime.graph.events[1]
        asked = asks.build_prompt(event, runtime.graph).hash()
        fork = runtime.fork(runtime.graph.events[-1].id)
        run_id = runtime.run_id
        runtime.close()
        loaded = Runtime.load(tmp_path / "run.db", run_id, behaviors=[])

        assert asks.build_prompt(event, fork.graph).hash() == asked
        assert asks.build_prompt(event, loaded.graph).hash() == asked

    def test_a_view_may_stand_in_for_the_graph(self) -> None:
        asks = LLMBehavior("asks", handler=suggest)

        assert "- (none)" in asks.build_prompt(EVENT, View()).sections["view"]

    def test_a_timeout_or_a_number_of_turns_is_no_part_of_the_question(self) -> None:
        one = LLMBehavior("asks", handler=suggest)
        other = LLMBehavior("asks", handler=suggest, timeout_seconds=1.0, max_tool_turns=2, budget={"max_llm_calls": 1})

        assert one.build_prompt(EVENT, View()).hash() == other.build_prompt(EVENT, View()).hash()


class TestToolsInPrompts:
    @pytest.fixture(autouse=True)
    def _own_tools(self) -> Any:
        kept = clear_tool_registry()
        yield
        clear_tool_registry()
        from activegraph.tools.registry import register_tool

        for one in kept:
            register_tool(one)

    def test_they_are_defined_once_each_in_declared_order(self) -> None:
        @tool(description="Look closely.", input_schema=Causes)
        def look(args: Any, ctx: Any) -> None: ...

        @tool()
        def ask(args: Any, ctx: Any) -> None: ...

        asks = LLMBehavior("asks", handler=suggest, tools=[look, "ask", "look"])

        assert asks.build_prompt(EVENT, View()).tools == [
            {"name": "look", "description": "Look closely.", "input_schema": Causes.model_json_schema()},
            {"name": "ask", "description": "", "input_schema": {"type": "object", "properties": {}}},
        ]

    def test_the_built_in_tool_is_found_by_its_name(self) -> None:
        prompt = LLMBehavior("asks", handler=suggest, tools=["web_fetch"]).build_prompt(EVENT, View())

        assert [definition["name"] for definition in prompt.tools or ()] == ["web_fetch"]

    def test_a_name_that_nobody_has_is_refused(self) -> None:
        with pytest.raises(MissingToolError) as refusal:
            LLMBehavior("asks", handler=suggest, tools=["gone"]).build_prompt(EVENT, View())

        assert refusal.value.context["behavior_name"] == "asks"


class TestTokenBudget:
    def text(self, tokens: int | None) -> str:
        graph = tasks(3)
        graph.add_relation("task#1", "task#2", "blocks")
        asks = LLMBehavior("asks", handler=suggest, view_spec={"token_budget": tokens})
        return asks.build_prompt(graph.events[0], graph).sections["view"]

    def test_what_has_room_is_shown_whole(self) -> None:
        assert self.text(10_000) == self.text(None)

    @pytest.mark.parametrize("tokens", range(25, 90, 5))
    def test_the_text_keeps_to_it(self, tokens: int) -> None:
        assert len(self.text(tokens)) <= 4 * tokens

    def test_the_oldest_events_go_first_then_relations_then_objects(self) -> None:
        lines = [
            "- object.created task#1",
            "- object.created task#2",
            "- object.created task#3",
            "- relation.created task#1 --blocks--> task#2",
            "- task#1 --blocks--> task#2",
            '- task#1 (task): {"number": 0}',
            '- task#2 (task): {"number": 1}',
            '- task#3 (task): {"number": 2}',
        ]
        for tokens in range(25, 100):
            left = self.text(tokens).splitlines()
            gone = [line for line in lines if line not in left]
            assert gone == lines[: len(gone)]

    def test_no_room_at_all_leaves_the_headings(self) -> None:
        assert self.text(0).count("- (none)") == 3
