"""The texts of a prompt, byte for byte."""

from __future__ import annotations

from typing import Any

import pytest
from activegraph import Event, Frame, Object, Relation, View
from activegraph.llm import serialize_view
from activegraph.llm.prompt import build_instruction, build_system_prompt, build_user_message
from activegraph.llm.prompt_text import event_text

SCHEMA = {
    "title": "Causes",
    "type": "object",
    "properties": {"causes": {"type": "array", "items": {"type": "string"}}},
    "required": ["causes"],
}

SCHEMA_BLOCK = """\
Respond with JSON that matches the `Causes` schema. Return an INSTANCE of it, filled with your answer, NOT the schema itself.

Schema:
{
  "properties": {
    "causes": {
      "items": {
        "type": "string"
      },
      "type": "array"
    }
  },
  "required": [
    "causes"
  ],
  "title": "Causes",
  "type": "object"
}

Example instance (its shape, not its values):
{
  "causes": [
    "<string>"
  ]
}"""


def system(**parts: Any) -> str:
    nothing: dict[str, Any] = {
        "behavior_name": "suggest",
        "description": "",
        "frame": None,
        "output_schema_name": None,
        "output_schema_json": None,
    }
    return build_system_prompt(**{**nothing, **parts})


class TestSystemText:
    def test_it_names_the_behavior_and_nothing_that_was_not_given(self) -> None:
        assert system() == 'You are an active-graph behavior named "suggest".'

    def test_its_blocks_stand_in_order_with_a_blank_line_between(self) -> None:
        assert system(
            description="Suggest causes.",
            frame=Frame("Find it", constraints=["be brief", "be kind"]),
            output_schema_name="Causes",
            output_schema_json=SCHEMA,
        ) == (
            'You are an active-graph behavior named "suggest".\n'
            "\n"
            "Mission: Find it\n"
            "\n"
            "Constraints:\n"
            "- be brief\n"
            "- be kind\n"
            "\n"
            "Role: Suggest causes.\n"
            "\n" + SCHEMA_BLOCK
        )

    @pytest.mark.parametrize(
        ("part", "text"),
        [
            ({"frame": Frame("Find it")}, "Mission: Find it"),
            ({"frame": Frame("", constraints=["be brief"])}, "Constraints:\n- be brief"),
            ({"description": "Suggest causes."}, "Role: Suggest causes."),
            ({"output_schema_name": "Causes", "output_schema_json": SCHEMA}, SCHEMA_BLOCK),
        ],
    )
    def test_each_block_stands_alone(self, part: dict[str, Any], text: str) -> None:
        assert system(**part) == f'You are an active-graph behavior named "suggest".\n\n{text}'

    def test_an_example_is_announced_once(self) -> None:
        assert system(output_schema_name="Causes", output_schema_json=SCHEMA).count("Example instance") == 1


def view(*events: Event) -> View:
    return View(
        [
            Object("document#1", "document", {"title": "T", "body": "B"}, 3, {"created_by": "evt_001"}),
            Object("document#2", "document", {}, 1, {}),
        ],
        [Relation("relation#3", "document#1", "document#2", "refers_to", {}, {})],
        events,
    )


class TestViewText:
    def test_a_view_in_full(self) -> None:
        events = (
            Event("evt_001", "goal.created", {"goal": "Read all"}),
            Event("evt_002", "object.created", {"object": {"id": "document#1"}, "id": "document#1"}),
            Event("evt_003", "relation.created", {"relation": {"source": "a", "target": "b", "type": "r"}}),
            Event("evt_004", "patch.applied", {"patch": {"target": "document#1"}}),
            Event("evt_005", "mail.received", {"text": "hello"}),
        )

        assert serialize_view(view(*events), around="document#1", depth=1) == (
            "## Graph context (depth=1, around=document#1)\n"
            "\n"
            "### Objects\n"
            '- document#1 (document): {"body": "B", "title": "T"}\n'
            "- document#2 (document): {}\n"
            "\n"
            "### Relations\n"
            "- document#1 --refers_to--> document#2\n"
            "\n"
            "### Recent events\n"
            '- goal.created "Read all"\n'
            "- object.created document#1\n"
            "- relation.created a --r--> b\n"
            "- patch.applied document#1\n"
            "- mail.received"
        )

    def test_an_empty_view_says_so_in_each_section(self) -> None:
        assert serialize_view(View()) == (
            "## Graph context\n\n### Objects\n- (none)\n\n### Relations\n- (none)\n\n### Recent events\n- (none)"
        )

    @pytest.mark.parametrize(
        ("options", "heading"),
        [
            ({}, "## Graph context"),
            ({"depth": 0}, "## Graph context (depth=0)"),
            ({"around": "a#1"}, "## Graph context (around=a#1)"),
        ],
    )
    def test_the_heading_says_what_the_view_was_built_with(self, options: dict[str, Any], heading: str) -> None:
        assert serialize_view(View(), **options).splitlines()[0] == heading

    @pytest.mark.parametrize(
        "type",
        [
            "behavior.started",
            "relation_behavior.started",
            "runtime.idle",
            "llm.requested",
            "tool.responded",
            "pattern.matched",
            "approval.granted",
            "pack.loaded",
        ],
    )
    def test_bookkeeping_is_left_out(self, type: str) -> None:
        assert serialize_view(view(Event("evt_9", type, {"id": "x"}))) == serialize_view(view())

    def test_no_event_id_and_no_provenance_is_shown(self) -> None:
        text = serialize_view(view(Event("evt_777", "mail.received", {}, caused_by="evt_776")))

        assert "evt_" not in text

    def test_data_that_is_not_json_is_shown_as_text(self) -> None:
        shown = View([Object("a#1", "a", {"when": {1}}, 1, {})])

        assert '{"when": "{1}"}' in serialize_view(shown)


class TestEventText:
    def test_it_is_type_actor_and_sorted_payload(self) -> None:
        assert event_text(Event("evt_001", "mail.received", {"to": "b", "from": "a"}, actor="planner")) == (
            '- type: mail.received\n- actor: planner\n- payload:\n```\n{\n  "from": "a",\n  "to": "b"\n}\n```'
        )

    def test_an_unknown_actor_is_a_question_mark(self) -> None:
        assert "- actor: ?\n" in event_text(Event("evt_001", "a", {}))

    def test_what_differs_between_runs_is_left_out(self) -> None:
        record = {"id": "a#1", "type": "a", "data": {}, "version": 1, "provenance": {"run_id": "run_1"}}
        text = event_text(Event("evt_001", "object.created", {"object": record, "run_id": "run_1", "timestamp": "t"}))

        assert "run_1" not in text
        assert "provenance" not in text
        assert "timestamp" not in text
        assert "provenance" in record

    @pytest.mark.parametrize(
        ("type", "key", "record"),
        [
            ("object.removed", "object", {"id": "a#1", "provenance": {"x": 1}}),
            ("relation.created", "relation", {"id": "r#1", "provenance": {"x": 1}}),
            ("patch.proposed", "patch", {"id": "p#1", "provenance": {"x": 1}}),
            ("order.checked", "object", {"id": "a", "type": "a", "data": {}, "version": 1, "provenance": {"x": 1}}),
            ("order.checked", "relation", {"source": "a", "target": "b", "type": "r", "provenance": {"x": 1}}),
            ("order.checked", "patch", {"target": "a", "op": "update", "value": {}, "provenance": {"x": 1}}),
        ],
    )
    def test_an_embedded_record_loses_its_provenance(self, type: str, key: str, record: dict[str, Any]) -> None:
        assert "provenance" not in event_text(Event("evt_001", type, {key: record}))

    @pytest.mark.parametrize(
        ("type", "actor", "payload"),
        [
            ("behavior.failed", "runtime", {"behavior": "a", "event_id": "evt_001", "traceback": "line 7"}),
            ("tool.responded", "a", {"behavior": "a", "latency_seconds": 0.25, "cache_hit": True, "resolved_by": "b"}),
            ("llm.requested", "a", {"behavior": "a", "attempt_index": 1, "retry_of": "evt_007", "max_attempts": 3}),
            ("llm.requested", "a", {"behavior": "a", "estimated_cost_usd": "1", "budget_remaining_usd": "2"}),
        ],
    )
    def test_what_the_runtime_says_of_the_circumstances_is_left_out(
        self, type: str, actor: str, payload: dict[str, Any]
    ) -> None:
        text = event_text(Event("evt_009", type, {**payload, "output": 1}, actor=actor))

        assert (
            text == f'- type: {type}\n- actor: {actor}\n- payload:\n```\n{{\n  "behavior": "a",\n  "output": 1\n}}\n```'
        )

    @pytest.mark.parametrize(("type", "actor"), [("tool.responded", "user"), ("call.made", "runtime")])
    def test_what_a_host_says_of_circumstances_is_kept(self, type: str, actor: str) -> None:
        text = event_text(Event("evt_009", type, {"behavior": "a", "latency_seconds": 0.25}, actor=actor))

        assert '"latency_seconds": 0.25' in text

    def test_a_users_data_of_such_names_is_kept(self) -> None:
        payload = {
            "object": {"what": "vase", "provenance": "Florence"},
            "provenance": "Rome",
            "deep": {"timestamp": "then", "run_id": "mine"},
        }
        text = event_text(Event("evt_001", "art.found", payload))

        for kept in ("Florence", "Rome", '"timestamp": "then"', '"run_id": "mine"'):
            assert kept in text


@pytest.mark.parametrize(
    ("creates", "schema", "sentence"),
    [
        ([], None, "Describe what should happen in response to this event."),
        (
            ["b", "a", "b"],
            None,
            "Describe which objects of type a, b should be created in response to this event.",
        ),
        ([], "Causes", "Return a JSON instance of the `Causes` schema, NOT the schema itself."),
        (
            ["b", "a"],
            "Causes",
            "Return a JSON instance of the `Causes` schema, NOT the schema itself; "
            "it will be used to create objects of type a, b.",
        ),
    ],
)
def test_the_instruction_is_one_sentence(creates: list[str], schema: str | None, sentence: str) -> None:
    assert build_instruction(creates=creates, output_schema_name=schema) == sentence


def test_the_user_message_joins_its_three_parts() -> None:
    assert build_user_message(view="VIEW", event="EVENT", instruction="DO") == (
        "VIEW\n\n## Triggering event\nEVENT\n\n## Task\nDO"
    )
