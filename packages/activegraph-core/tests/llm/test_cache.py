"""Remembered answers: under the hash of their question, in recorded order, and detached."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from activegraph import Event
from activegraph.llm import LLMCache, LLMResponse, ToolCall
from pydantic import BaseModel


class Causes(BaseModel):
    causes: list[str]


def response(text: str = "hi", **options: Any) -> LLMResponse:
    return LLMResponse(text, options.pop("parsed", None), 3, 4, Decimal("0.5"), 1.5, "m", "end_turn", **options)


def asked(id: str, key: Any) -> Event:
    return Event(id, "llm.requested", {} if key is None else {"prompt_hash": key})


def answered(id: str, request: str | None, **payload: Any) -> Event:
    return Event(id, "llm.responded", payload, caused_by=request)


def test_a_recorded_answer_is_a_hit() -> None:
    cache = LLMCache()
    cache.record("a", response(), requesting_event_id="evt_1")

    found = cache.get("a")
    assert found is not None
    assert found.cache_hit
    assert (found.raw_text, found.cost_usd, found.input_tokens) == ("hi", Decimal("0.5"), 3)
    assert cache.has("a")
    assert len(cache) == 1


def test_an_unknown_question_is_a_miss() -> None:
    cache = LLMCache()

    assert cache.get("a") is None
    assert not cache.has("a")
    assert len(cache) == 0


def test_what_is_kept_and_what_is_given_are_copies() -> None:
    cache = LLMCache()
    original = response(
        parsed={"causes": ["disk"]}, provider_meta={"n": [1]}, tool_calls=[ToolCall("1", "t", {"a": [1]})]
    )
    cache.record("a", original)
    original.parsed["causes"].append("x")
    for _ in range(2):
        found = cache.get("a")
        assert found is not None
        assert found.tool_calls is not None
        assert (found.parsed, found.provider_meta) == ({"causes": ["disk"]}, {"n": [1]})
        assert found.tool_calls == [ToolCall("1", "t", {"a": [1]})]
        found.parsed["causes"].append("y")
        found.provider_meta["n"].append(2)
        found.tool_calls[0].args["a"].append(2)


def test_a_hit_that_is_recorded_is_kept_as_an_answer() -> None:
    cache = LLMCache()
    cache.record("a", response(cache_hit=True))
    cache.record("b", response())

    assert not cache._answers.find("a", None).cache_hit  # type: ignore[union-attr]
    assert cache.get("b").cache_hit  # type: ignore[union-attr]


def test_an_answer_of_a_providers_own_class_is_kept_too() -> None:
    class Own:
        raw_text, parsed, input_tokens, output_tokens = "hi", None, 1, 2
        cost_usd, latency_seconds, model, finish_reason = Decimal(0), 0.0, "m", "stop"

    cache = LLMCache()
    cache.record("a", Own())  # type: ignore[arg-type]

    assert cache.get("a") == LLMResponse("hi", None, 1, 2, Decimal(0), 0.0, "m", "stop", cache_hit=True)


def test_the_same_question_asked_again_has_its_answers_in_order() -> None:
    cache = LLMCache()
    for text in ("first", "second"):
        cache.record("a", response(text))

    said = [cache.get("a", earlier=times).raw_text for times in range(4)]  # type: ignore[union-attr]
    assert said == ["first", "second", "second", "second"]
    assert cache.get("a").raw_text == "second"  # type: ignore[union-attr]
    assert len(cache) == 1


class TestFromEvents:
    def test_an_answer_belongs_to_the_request_that_caused_it(self) -> None:
        told = response(
            parsed=Causes(causes=["disk"]),
            tool_calls=[ToolCall("1", "look", {"at": "x"})],
            provider_meta={"n": 1},
            seed=7,
        ).to_dict()
        cache = LLMCache.from_events([asked("evt_1", "a"), asked("evt_2", "b"), answered("evt_3", "evt_1", **told)])

        assert len(cache) == 1
        assert cache.get("a") == response(
            parsed={"causes": ["disk"]},
            tool_calls=[ToolCall("1", "look", {"at": "x"})],
            provider_meta={"n": 1},
            seed=7,
            cache_hit=True,
        )

    @pytest.mark.parametrize(
        "events",
        [
            [answered("evt_2", "evt_1", raw_text="x")],
            [asked("evt_1", "a"), answered("evt_2", None, raw_text="x")],
            [asked("evt_1", None), answered("evt_2", "evt_1", raw_text="x")],
            [asked("evt_1", "a"), answered("evt_2", "evt_1", error={"reason": "llm.network_error"})],
        ],
        ids=["no request", "no cause", "no key", "failed"],
    )
    def test_what_answers_nothing_is_left_out(self, events: list[Event]) -> None:
        assert len(LLMCache.from_events(events)) == 0

    def test_what_a_record_lacks_has_a_default(self) -> None:
        cache = LLMCache.from_events([asked("evt_1", "a"), answered("evt_2", "evt_1", error=None, tool_calls=[])])

        assert cache.get("a") == LLMResponse("", None, 0, 0, Decimal(0), 0.0, "?", "?", cache_hit=True)

    def test_all_answers_of_a_question_are_kept_in_order(self) -> None:
        events = []
        for number in (1, 2):
            events += [asked(f"evt_{number}0", "a"), answered(f"evt_{number}1", f"evt_{number}0", raw_text=str(number))]
        cache = LLMCache.from_events(events)

        assert [cache.get("a", earlier=n).raw_text for n in (0, 1, 2)] == ["1", "2", "2"]  # type: ignore[union-attr]

    def test_a_failed_attempt_leaves_the_place_to_the_one_that_succeeded(self) -> None:
        events = [
            asked("evt_1", "a"),
            answered("evt_2", "evt_1", error={"reason": "llm.rate_limited"}),
            asked("evt_3", "a"),
            answered("evt_4", "evt_3", raw_text="second attempt"),
        ]

        assert LLMCache.from_events(events).get("a", earlier=0).raw_text == "second attempt"  # type: ignore[union-attr]
