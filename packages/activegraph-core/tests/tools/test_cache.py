"""The tool cache: which answers it holds, and which of several a call is given."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from activegraph.core.event import Event
from activegraph.tools import ToolCache
from activegraph.tools.cache import CachedToolResponse, recorded_cost


def requested(event_id: str, args_hash: Any = "h") -> Event:
    return Event(event_id, "tool.requested", {"tool": "look", "args_hash": args_hash})


def responded(event_id: str, caused_by: str | None, output: Any, **payload: Any) -> Event:
    payload = {"args_hash": "h", "output": output, "error": None, "cost_usd": "0.002", **payload}
    return Event(event_id, "tool.responded", payload, caused_by=caused_by)


def test_an_empty_cache_knows_nothing() -> None:
    cache = ToolCache()

    assert (len(cache), cache.has("h"), cache.get("h")) == (0, False, None)


def test_an_answer_comes_back_as_a_hit_and_is_a_copy() -> None:
    cache = ToolCache()
    given = CachedToolResponse({"hosts": ["db1"]}, latency_seconds=1.5, cost_usd=Decimal("0.1"), cache_hit=True)
    cache.record("h", given, requesting_event_id="evt_004")
    given.output["hosts"].append("changed")

    first = cache.get("h")
    assert first == CachedToolResponse({"hosts": ["db1"]}, None, 1.5, Decimal("0.1"), True, "evt_004")
    first.output["hosts"].append("changed")
    assert cache.get("h") == CachedToolResponse({"hosts": ["db1"]}, None, 1.5, Decimal("0.1"), True, "evt_004")


def test_a_question_asked_twice_gets_its_answers_in_recorded_order_and_the_last_from_then_on() -> None:
    cache = ToolCache()
    for output in ("before", "after"):
        cache.record("h", CachedToolResponse(output))

    answers = [cache.get("h", earlier=earlier) for earlier in (0, 1, 2, 9, None)]
    assert [answer.output for answer in answers if answer is not None] == ["before", "after", "after", "after", "after"]
    assert len(cache) == 1


class TestFromALog:
    def test_answers_are_found_by_the_request_that_they_are_caused_by(self) -> None:
        events = [requested("evt_1", "a"), requested("evt_2", "b"), responded("evt_3", "evt_2", 2)]
        cache = ToolCache.from_events([*events, responded("evt_4", "evt_1", 1, latency_seconds=0.5)])

        assert len(cache) == 2
        assert cache.get("a") == CachedToolResponse(1, None, 0.5, Decimal("0.002"), True, "evt_1")
        assert cache.get("b", earlier=0) == CachedToolResponse(2, None, 0.0, Decimal("0.002"), True, "evt_2")

    def test_failures_are_no_answers(self) -> None:
        failed = responded("evt_2", "evt_1", None, error={"reason": "tool.timeout", "message": "no"})

        assert not ToolCache.from_events([requested("evt_1"), failed]).has("h")

    @pytest.mark.parametrize(
        "events",
        [
            [responded("evt_2", "evt_1", 1)],
            [responded("evt_2", None, 1)],
            [requested("evt_1"), responded("evt_2", "evt_9", 1)],
            [requested("evt_1", None), responded("evt_2", "evt_1", 1)],
            [requested("evt_1", ""), responded("evt_2", "evt_1", 1)],
            [Event("evt_1", "llm.requested", {"args_hash": "h"}), responded("evt_2", "evt_1", 1)],
        ],
    )
    def test_an_answer_without_a_request_with_a_key_is_skipped(self, events: list[Event]) -> None:
        assert len(ToolCache.from_events(events)) == 0

    def test_an_answer_that_is_null_is_an_answer(self) -> None:
        cache = ToolCache.from_events([requested("evt_1"), responded("evt_2", "evt_1", None)])

        assert cache.get("h") is not None


@pytest.mark.parametrize(
    ("text", "amount"), [("0.002", "0.002"), (None, "0"), ("x", "0"), ("-1", "0"), ("NaN", "0"), (0.5, "0.5")]
)
def test_a_recorded_cost_is_exact_and_never_harms(text: Any, amount: str) -> None:
    assert recorded_cost(text) == Decimal(amount)
