"""Answers of models that were recorded before, under the hash of their question.

Nothing that a running run asks enters its own cache: that goes into the log. So a behavior that asks
the same question twice gets two answers, and a replay gets the two answers that were recorded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any, Self

from activegraph.core.event import Event
from activegraph.core.frozen import thaw
from activegraph.llm.types import LLMResponse, ToolCall
from activegraph.tools.answers import Answers, recorded_answers
from activegraph.tools.cache import recorded_cost

__all__ = ["LLMCache", "response_from_record"]


class LLMCache:
    """Answers by `prompt_hash`, all of one question in the order in which they were recorded."""

    def __init__(self) -> None:
        self._answers: Answers[LLMResponse] = Answers()

    def __len__(self) -> int:
        return len(self._answers)

    def has(self, prompt_hash: str) -> bool:
        """Whether an answer to this question is known."""
        return self._answers.has(prompt_hash)

    def get(self, prompt_hash: str, *, earlier: int | None = None) -> LLMResponse | None:
        """A copy of an answer, marked as a cache hit; None if there is none.

        Args:
            earlier: How often the run has asked this before: its next answer is the next recorded one,
                and the last one from then on. None gives the last one.
        """
        found = self._answers.find(prompt_hash, earlier)
        return None if found is None else _copy(found, cache_hit=True)

    def record(self, prompt_hash: str, response: LLMResponse, *, requesting_event_id: str | None = None) -> None:
        """Keep a copy of `response` behind the answers that this question has already.

        Answers are found by their question alone; `requesting_event_id` is taken as it is for tools.
        """
        self._answers.add(prompt_hash, _copy(response, cache_hit=False))

    @classmethod
    def from_events(cls, events: Iterable[Event]) -> Self:
        """The answers of a log, in its order; failed ones are left out."""
        cache = cls()
        for prompt_hash, _, payload in recorded_answers(events, "llm", "prompt_hash"):
            cache._answers.add(prompt_hash, response_from_record(payload))
        return cache


LLMCache.__module__ = "activegraph.llm"


def response_from_record(payload: Mapping[str, Any], *, finish_reason: str = "?") -> LLMResponse:
    """The answer that `LLMResponse.to_dict()` recorded; `parsed` stays plain data, what is missing gets a default."""
    calls = payload.get("tool_calls")
    return LLMResponse(
        raw_text=payload.get("raw_text") or "",
        parsed=thaw(payload.get("parsed")),
        input_tokens=payload.get("input_tokens") or 0,
        output_tokens=payload.get("output_tokens") or 0,
        cost_usd=recorded_cost(payload.get("cost_usd")),
        latency_seconds=float(payload.get("latency_seconds") or 0.0),
        model=payload.get("model") or "?",
        finish_reason=payload.get("finish_reason") or finish_reason,
        seed=payload.get("seed"),
        provider_meta=thaw(payload.get("provider_meta") or {}),
        tool_calls=[
            ToolCall(str(call.get("id", "")), str(call.get("name", "")), thaw(call.get("args") or {})) for call in calls
        ]
        if calls
        else None,
    )


def _copy(response: LLMResponse, *, cache_hit: bool) -> LLMResponse:
    """A copy that shares nothing with `response` which either could change; a provider may have a class of its own."""
    return LLMResponse(
        raw_text=response.raw_text,
        parsed=deepcopy(response.parsed),
        input_tokens=response.input_tokens,
        output_tokens=response.output_tokens,
        cost_usd=response.cost_usd,
        latency_seconds=response.latency_seconds,
        model=response.model,
        finish_reason=response.finish_reason,
        seed=getattr(response, "seed", None),
        cache_hit=cache_hit,
        provider_meta=deepcopy(getattr(response, "provider_meta", {})),
        tool_calls=deepcopy(getattr(response, "tool_calls", None)),
    )
