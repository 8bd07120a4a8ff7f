"""Recordings: written once, found again by their question, and nothing else ever asked."""

from __future__ import annotations

import json
import logging
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from activegraph import Event, LLMBehavior, View
from activegraph.errors import LLMBehaviorError
from activegraph.llm import (
    AnthropicProvider,
    LLMMessage,
    LLMProvider,
    LLMResponse,
    RecordedLLMProvider,
    RecordingLLMProvider,
    ToolCall,
)
from pydantic import BaseModel


class Causes(BaseModel):
    causes: list[str]


class Other(BaseModel):
    other: str


SYSTEM = 'You are an active-graph behavior named "suggest".\n\nRole: Suggest.'

ASKED: dict[str, Any] = {
    "system": SYSTEM,
    "messages": [LLMMessage("user", "why?")],
    "model": "claude-x",
    "max_tokens": 100,
    "temperature": 0.0,
    "top_p": 1.0,
    "output_schema": Causes,
    "timeout_seconds": 3.0,
    "tools": None,
}


class Inner:
    """A provider that answers what it is told to, and keeps what it was asked."""

    default_model = "inner-1"

    def __init__(self, *answers: LLMResponse | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[dict[str, Any]] = []

    def complete(self, **asked: Any) -> LLMResponse:
        self.asked.append(asked)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def estimate_cost(self, *, input_tokens: int, output_tokens: int, model: str) -> Decimal:
        return Decimal(input_tokens + output_tokens)

    def count_tokens(self, *, system: str, messages: list[LLMMessage], model: str) -> int:
        return 7

    def recognizes_model(self, name: str) -> bool:
        return name == "inner-1"


def answer(**options: Any) -> LLMResponse:
    known = {
        "raw_text": '{"causes": ["disk"]}',
        "parsed": Causes(causes=["disk"]),
        "input_tokens": 3,
        "output_tokens": 4,
        "cost_usd": Decimal("0.001"),
        "latency_seconds": 0.5,
        "model": "claude-x-2026",
        "finish_reason": "end_turn",
    }
    return LLMResponse(**{**known, **options})


def recorded(folder: Path, response: LLMResponse, **changed: Any) -> Path:
    """One recording in `folder`."""
    before = set(folder.glob("*")) if folder.exists() else set()
    RecordingLLMProvider(Inner(response), folder).complete(**{**ASKED, **changed})
    (path,) = set(folder.glob("*")) - before
    return path


class TestRecording:
    def test_the_answer_passes_through_and_stands_in_a_file(self, tmp_path: Path) -> None:
        inner = Inner(answer())
        provider = RecordingLLMProvider(inner, tmp_path / "deep" / "down")
        said = provider.complete(**ASKED)

        assert said.parsed == Causes(causes=["disk"])
        assert inner.asked == [ASKED]
        (path,) = (tmp_path / "deep" / "down").iterdir()
        assert re.fullmatch(r"[0-9a-f]{64}\.json", path.name)

    def test_a_file_is_readable_and_complete(self, tmp_path: Path) -> None:
        path = recorded(tmp_path, answer(), output_schema=None, tools=[{"name": "look"}])
        text = path.read_text()
        moment = json.loads(text)["recorded_at"]

        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", moment)
        assert text.replace(moment, "MOMENT").replace(path.stem, "KEY") == SNAPSHOT

    def test_the_same_question_again_replaces_its_file(self, tmp_path: Path) -> None:
        provider = RecordingLLMProvider(Inner(answer(), answer(raw_text="later", parsed=None)), tmp_path)
        for _ in range(2):
            provider.complete(**ASKED)

        (path,) = tmp_path.iterdir()
        assert json.loads(path.read_text())["response"]["raw_text"] == "later"

    def test_a_failure_is_not_recorded(self, tmp_path: Path) -> None:
        provider = RecordingLLMProvider(Inner(LLMBehaviorError("llm.network_error", "away")), tmp_path)

        with pytest.raises(LLMBehaviorError, match="away"):
            provider.complete(**ASKED)
        assert list(tmp_path.iterdir()) == []

    def test_everything_else_is_the_inner_providers(self, tmp_path: Path) -> None:
        provider = RecordingLLMProvider(Inner(), tmp_path)

        assert isinstance(provider, LLMProvider)
        assert provider.default_model == "inner-1"
        assert provider.estimate_cost(input_tokens=1, output_tokens=2, model="m") == 3
        assert provider.count_tokens(system="", messages=[], model="m") == 7
        assert provider.recognizes_model("inner-1")
        assert not provider.recognizes_model("other")
        assert not provider.accepts_idempotency_key

    def test_an_inner_provider_that_says_little_is_enough(self, tmp_path: Path) -> None:
        provider = RecordingLLMProvider(object(), tmp_path)

        assert provider.default_model == "claude-sonnet-4-5"
        assert provider.recognizes_model("anything")

    def test_an_idempotency_key_goes_to_who_takes_one(self, tmp_path: Path) -> None:
        inner = Inner(answer())
        provider = RecordingLLMProvider(inner, tmp_path)
        provider.complete(**ASKED, idempotency_key="key")

        assert RecordingLLMProvider(AnthropicProvider(), tmp_path).accepts_idempotency_key
        assert inner.asked == [{**ASKED, "idempotency_key": "key"}]

    def test_a_paid_answer_that_cannot_be_written_is_given_all_the_same(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        provider = RecordingLLMProvider(Inner(answer(), answer(parsed=object())), tmp_path / "answers")
        (tmp_path / "answers").rmdir()
        (tmp_path / "answers").write_text("in the way")

        with caplog.at_level(logging.WARNING, "activegraph.llm"):
            given = provider.complete(**ASKED)
        assert given == answer()
        [line] = caplog.records
        assert line.getMessage() == f"answer not recorded in {tmp_path / 'answers'}"
        assert (line.model, line.error_type) == ("claude-x", "FileExistsError")  # type: ignore[attr-defined]

        (tmp_path / "answers").unlink()
        assert provider.complete(**ASKED).cost_usd == Decimal("0.001")
        assert [line.error_type for line in caplog.records[1:]] == ["NonSerializableEventError"]  # type: ignore[attr-defined]
        assert not list(tmp_path.glob("answers/*"))

    def test_what_is_no_response_is_not_the_recorders_to_judge(self, tmp_path: Path) -> None:
        provider = RecordingLLMProvider(Inner("just text"), tmp_path)  # type: ignore[arg-type]

        assert provider.complete(**ASKED) == "just text"
        assert list(tmp_path.iterdir()) == []


SNAPSHOT = """\
{
  "model": "claude-x",
  "prompt": {
    "deterministic": true,
    "max_tokens": 100,
    "messages": [
      {
        "content": "why?",
        "role": "user"
      }
    ],
    "model": "claude-x",
    "output_schema_json": null,
    "output_schema_name": null,
    "system": "You are an active-graph behavior named \\"suggest\\".\\n\\nRole: Suggest.",
    "temperature": 0.0,
    "tools": [
      {
        "name": "look"
      }
    ],
    "top_p": 1.0
  },
  "prompt_hash": "KEY",
  "recorded_at": "MOMENT",
  "response": {
    "cache_hit": false,
    "cost_usd": "0.001",
    "finish_reason": "end_turn",
    "input_tokens": 3,
    "latency_seconds": 0.5,
    "model": "claude-x-2026",
    "output_tokens": 4,
    "parsed": {
      "causes": [
        "disk"
      ]
    },
    "provider_meta": {},
    "raw_text": "{\\"causes\\": [\\"disk\\"]}",
    "seed": null,
    "tool_calls": null
  }
}
"""


class TestRecorded:
    def test_a_recorded_answer_comes_back_whole(self, tmp_path: Path) -> None:
        recorded(tmp_path, answer(seed=3, provider_meta={"a": 1}, cache_hit=True))

        assert RecordedLLMProvider(tmp_path).complete(**ASKED) == answer(seed=3, provider_meta={"a": 1})

    def test_calls_come_back_as_calls(self, tmp_path: Path) -> None:
        calls = [ToolCall("call_1", "pack.look", {"at": "x"})]
        recorded(tmp_path, answer(parsed=None, tool_calls=calls))
        said = RecordedLLMProvider(tmp_path).complete(**ASKED)

        assert (said.parsed, said.tool_calls) == (None, calls)

    def test_without_a_schema_the_recorded_value_is_given_as_it_is(self, tmp_path: Path) -> None:
        recorded(tmp_path, answer(parsed={"a": 1}), output_schema=None)

        assert RecordedLLMProvider(tmp_path).complete(**{**ASKED, "output_schema": None}).parsed == {"a": 1}

    def test_what_a_file_lacks_has_a_default(self, tmp_path: Path) -> None:
        path = recorded(tmp_path, answer())
        path.write_text("{}")

        assert RecordedLLMProvider(tmp_path).complete(**ASKED) == LLMResponse(
            "", None, 0, 0, Decimal("0"), 0.0, "?", "end_turn"
        )

    def test_a_recorded_value_that_does_not_fit_any_more_is_a_violation(self, tmp_path: Path) -> None:
        path = recorded(tmp_path, answer())
        path.write_text(path.read_text().replace('"causes"', '"reasons"'))

        with pytest.raises(LLMBehaviorError) as failure:
            RecordedLLMProvider(tmp_path).complete(**ASKED)

        assert failure.value.reason == "llm.schema_violation"
        assert failure.value.payload_extras["schema"] == "Causes"

    @pytest.mark.parametrize(
        "changed",
        [
            {"system": "Other."},
            {"messages": [LLMMessage("user", "how?")]},
            {"model": "claude-y"},
            {"max_tokens": 101},
            {"temperature": 0.5},
            {"top_p": 0.5},
            {"output_schema": Other},
            {"tools": [{"name": "look"}]},
        ],
        ids=lambda changed: next(iter(changed)),
    )
    def test_another_question_has_no_answer(self, tmp_path: Path, changed: dict[str, Any]) -> None:
        recorded(tmp_path, answer())

        with pytest.raises(LLMBehaviorError) as failure:
            RecordedLLMProvider(tmp_path).complete(**{**ASKED, **changed})

        assert failure.value.reason == "llm.fixture_missing"
        assert failure.value.payload_extras.keys() == {"prompt_hash", "fixtures_dir"}
        assert failure.value.payload_extras["fixtures_dir"] == str(tmp_path)

    def test_a_longer_wait_is_the_same_question(self, tmp_path: Path) -> None:
        recorded(tmp_path, answer())

        assert RecordedLLMProvider(tmp_path).complete(**{**ASKED, "timeout_seconds": 99.0}).input_tokens == 3

    def test_the_nearest_recording_of_the_behavior_is_named_with_what_differs(self, tmp_path: Path) -> None:
        near = recorded(tmp_path, answer())
        recorded(tmp_path, answer(), model="claude-y", max_tokens=9)
        recorded(tmp_path, answer(), system='You are an active-graph behavior named "other".')
        (tmp_path / "broken.json").write_text("{")
        asked = {**ASKED, "messages": [LLMMessage("user", "how?")]}

        with pytest.raises(LLMBehaviorError) as failure:
            RecordedLLMProvider(tmp_path).complete(**asked)

        assert "this prompt of behavior 'suggest'" in failure.value.message
        assert failure.value.message.endswith(f"the nearest recorded prompt is {near.name}, which differs in: messages")
        assert "\n" not in failure.value.message

    def test_an_empty_or_missing_folder_says_that_nothing_is_near(self, tmp_path: Path) -> None:
        for folder in (tmp_path, tmp_path / "gone"):
            with pytest.raises(LLMBehaviorError, match="no prompt of the same behavior is recorded there"):
                RecordedLLMProvider(folder).complete(**ASKED)

    def test_a_file_that_cannot_be_read_is_as_good_as_none(self, tmp_path: Path) -> None:
        path = recorded(tmp_path, answer())
        path.write_text(path.read_text()[:50])

        with pytest.raises(LLMBehaviorError, match=r"llm\.fixture_missing.*cannot be read"):
            RecordedLLMProvider(tmp_path).complete(**ASKED)

    def test_it_is_free_and_knows_every_model(self) -> None:
        provider = RecordedLLMProvider("nowhere")

        assert isinstance(provider, LLMProvider)
        assert provider.default_model == "claude-sonnet-4-5"
        assert provider.recognizes_model("anything")
        assert str(provider.estimate_cost(input_tokens=9, output_tokens=9, model="m")) == "0"
        assert provider.count_tokens(system="12345678", messages=[LLMMessage("user", "1234")], model="m") == 3
        assert provider.count_tokens(system="", messages=[], model="m") == 1


def react(event: Any, graph: Any, ctx: Any, out: Any) -> None: ...


@pytest.mark.parametrize("options", [{"deterministic": True}, {"temperature": 0.3}, {"temperature": 0.0, "top_p": 0.5}])
def test_a_recording_is_named_by_the_hash_of_the_behaviors_prompt(tmp_path: Path, options: dict[str, Any]) -> None:
    asks = LLMBehavior("asks", handler=react, output_schema=Causes, **options)
    prompt = asks.build_prompt(Event("evt_1", "a", {}), View())
    path = recorded(
        tmp_path,
        answer(),
        system=prompt.system,
        messages=prompt.messages,
        model=prompt.model,
        max_tokens=prompt.max_tokens,
        temperature=prompt.temperature,
        top_p=prompt.top_p,
    )

    assert path.stem == prompt.hash()
    assert json.loads(path.read_text())["prompt"] == prompt.to_hashable()
