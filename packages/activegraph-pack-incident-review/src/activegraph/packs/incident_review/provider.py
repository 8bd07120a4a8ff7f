"""`RecordedIncidentProvider`: what a model answered about the recorded incidents, from files.

An answer is found by who asks, about which incident and which inquiry, never by the whole prompt:
a changed setting changes prompts, and still finds its answers. What was never asked is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import cache
from typing import Any, NamedTuple

from activegraph.errors import LLMBehaviorError
from activegraph.llm.types import LLMMessage, LLMResponse, ToolCall
from activegraph.packs.incident_review.host import Named
from activegraph.packs.incident_review.recordings import THREE_INCIDENTS, load_recording

__all__ = ["RecordedIncidentProvider"]

_INPUT_USD, _OUTPUT_USD = Decimal("0.000003"), Decimal("0.000015")


class _Tokens(NamedTuple):
    """What an answer is said to have taken: fixed, so that runs are equal."""

    first_input: int
    more_each_turn: int
    tool_output: int
    final_output: int


_TOKENS = {
    "inquiry_planner": _Tokens(900, 0, 0, 260),
    "investigator": _Tokens(1400, 700, 90, 540),
    "action_planner": _Tokens(2100, 0, 0, 310),
    "memo_writer": _Tokens(2600, 200, 80, 420),
}
_TOOL_SECONDS, _FINAL_SECONDS = 0.8, 2.4
_RECORDED = frozenset(each.name for each in THREE_INCIDENTS)


class _Question(NamedTuple):
    behavior: str
    incident: str
    topic: str | None

    def words(self) -> str:
        about = f"incident {self.incident!r}"
        return (
            f"{self.behavior} about inquiry {self.topic!r} of {about}"
            if self.topic
            else f"{self.behavior} about {about}"
        )


class RecordedIncidentProvider:
    """A provider for the LLM behaviors of this pack; it needs neither key nor network.

    Args:
        incidents: Whose answers it knows, by name or as recordings; all three by default.

    Token counts, costs and latencies of its answers are fixed numbers.
    """

    default_model = "recorded"

    def __init__(self, incidents: Iterable[Named | str] | None = None) -> None:
        given = THREE_INCIDENTS if incidents is None else incidents
        self._names = frozenset(each if isinstance(each, str) else each.name for each in given)

    def complete(
        self,
        *,
        system: str,
        messages: list[LLMMessage],
        model: str,
        max_tokens: int,
        temperature: float,
        top_p: float,
        output_schema: type | None,
        timeout_seconds: float,
        tools: list[dict[str, Any]] | None = None,
    ) -> LLMResponse:
        """The recorded answer, or the tools that were asked for before it.

        Raises:
            LLMBehaviorError: `llm.fixture_missing`, where nothing is recorded.
        """
        question = _asked(system, messages)
        recorded = self._recorded(question)
        turn = sum(message.role == "assistant" for message in messages)
        turns = recorded.get("turns", ())
        tokens = _TOKENS[question.behavior]
        calls = _calls(turns[turn]["calls"], turn, tools) if turn < len(turns) else None
        output_tokens = tokens.final_output if calls is None else tokens.tool_output
        input_tokens = tokens.first_input + turn * tokens.more_each_turn
        text = json.dumps(recorded["answer"], ensure_ascii=False) if calls is None else turns[turn].get("say", "")
        validate: Any = getattr(output_schema, "model_validate", lambda answer: answer)
        return LLMResponse(
            raw_text=text,
            parsed=validate(recorded["answer"]) if calls is None else None,
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            cost_usd=self.estimate_cost(input_tokens=input_tokens, output_tokens=output_tokens, model=model),
            latency_seconds=_FINAL_SECONDS if calls is None else _TOOL_SECONDS,
            model=model,
            finish_reason="end_turn" if calls is None else "tool_use",
            tool_calls=calls,
        )

    def estimate_cost(self, *, input_tokens: int, output_tokens: int, model: str) -> Decimal:
        """What a model of middle size would cost."""
        return input_tokens * _INPUT_USD + output_tokens * _OUTPUT_USD

    def count_tokens(self, *, system: str, messages: list[LLMMessage], model: str) -> int:
        """The number that the answer will say."""
        tokens = _TOKENS[_asked(system, messages).behavior]
        return tokens.first_input + tokens.more_each_turn * sum(message.role == "assistant" for message in messages)

    def recognizes_model(self, name: str) -> bool:
        """Any name: whatever is asked for, the recorded answer is given."""
        return True

    def _recorded(self, question: _Question) -> Mapping[str, Any]:
        known = question.incident in self._names and question.incident in _RECORDED
        answers = _answers(question.incident) if known else {}
        found = answers.get(question.behavior)
        if found is not None and question.topic is not None:
            found = found.get(question.topic)
        if found is None:
            raise _missing(question, f"nothing is recorded for {question.words()}")
        recorded: Mapping[str, Any] = found
        return recorded


_BEHAVIOR = re.compile(r'You are an active-graph behavior named "(?:[a-z_]+\.)?([a-z_]+)"\.')
_EVENT = re.compile(r"## Triggering event\n.*?- payload:\n```\n(.*?)\n```", re.DOTALL)


def _asked(system: str, messages: list[LLMMessage]) -> _Question:
    """Who asks, and about what: from the first line of the system text and the payload of the triggering event."""
    named = _BEHAVIOR.match(system)
    event = _EVENT.search(messages[0].content) if messages else None
    if named is None or event is None or named[1] not in _TOKENS:
        raise _missing(None, "this is no question of the incident review")
    payload = json.loads(event[1])
    about = payload.get("object", {}).get("data", {}) if "object" in payload else payload
    incident = about.get("name") if named[1] == "inquiry_planner" else about.get("incident_name")
    return _Question(named[1], str(incident), about.get("topic") if named[1] == "investigator" else None)


def _calls(asked: Iterable[Mapping[str, Any]], turn: int, tools: list[dict[str, Any]] | None) -> list[ToolCall]:
    canonical = {definition["name"].rpartition(".")[2]: definition["name"] for definition in tools or ()}
    return [
        ToolCall(f"call_{turn}_{place}", canonical.get(call["tool"], call["tool"]), dict(call["args"]))
        for place, call in enumerate(asked)
    ]


@cache
def _answers(name: str) -> Mapping[str, Any]:
    answers: Mapping[str, Any] = json.loads(load_recording(name).answers.read_text(encoding="utf-8"))
    return answers


def _missing(question: _Question | None, message: str) -> LLMBehaviorError:
    known = {} if question is None else question._asdict()
    return LLMBehaviorError("llm.fixture_missing", message, payload_extras={"question": known})
