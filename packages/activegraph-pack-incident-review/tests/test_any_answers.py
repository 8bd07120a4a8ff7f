"""Whatever a model answers: memos pass the bar, each review ends, nothing is said twice or moves a cursor."""

from __future__ import annotations

from typing import Any

import pytest
from activegraph import FrozenClock, Graph, Runtime
from activegraph.llm.types import LLMResponse
from activegraph.packs.incident_review import (
    THREE_INCIDENTS,
    IncidentInput,
    RecordedIncidentProvider,
    add_incident,
    pack,
)
from activegraph.packs.incident_review.answers import (
    ActionPlan,
    DraftFinding,
    InquiryPlan,
    Investigation,
    MemoDraft,
    PlannedAction,
    PlannedInquiry,
    Quote,
    SeenSignal,
    Supposition,
)
from activegraph.packs.incident_review.memo_bar import memo_problems
from activegraph.packs.incident_review.memo_text import WIDTH, cite_lines, cite_objects, memo_lines
from hypothesis import given
from hypothesis import strategies as st
from support.values import examples

GIVEN = {recording.name: recording.incident() for recording in THREE_INCIDENTS[:2]}
SPOKEN = [
    (each.source, each.lines[0], each.message) for given in GIVEN.values() for each in given.signals if each.message
]
# Few titles, so that they meet; some of them are the same but for case and white space.
TITLES = st.sampled_from(["the pool", "The  pool", "slow disk", "a\x1b[2Jb", "日本語", "x" * 100, " ", "slow disk "])
WORDS = st.sampled_from(["words", "more words", "\x1b]0;x\x07", "y" * 200, "\n"])


def lists(elements: st.SearchStrategy[Any], most: int, least: int = 0) -> st.SearchStrategy[list[Any]]:
    return st.lists(elements, min_size=least, max_size=most)


@st.composite
def quotes(draw: st.DrawFn) -> Quote:
    source, line, message = draw(st.sampled_from(SPOKEN))
    words = draw(st.sampled_from([message, message[:12], "nobody said so", "   ", "\n\t\n"]))
    return Quote(
        quote=f"{words}   "[:1000],
        source=draw(st.sampled_from([source, "log", "metrics"])),
        line=draw(st.sampled_from([line, 1, 99_999])),
        stance=draw(st.sampled_from(["for", "for", "against"])),
        weight=draw(st.sampled_from([0.0, 0.2, 0.5, 1.0])),
    )


@st.composite
def signals(draw: st.DrawFn) -> SeenSignal:
    source, line, message = draw(st.sampled_from(SPOKEN))
    at = draw(st.sampled_from(["2026-05-15 10:00:00.000 UTC", "", "yesterday"]))
    return SeenSignal(
        source=source, kind="k", title=draw(TITLES), message=message, lines=[line], count=1, first_at=at, last_at=at
    )


HYPOTHESES = st.builds(
    Supposition,
    title=TITLES,
    statement=WORDS,
    confidence=st.sampled_from([0.0, 0.6, 0.7, 1.0]),
    evidence=lists(quotes(), 4),
    contradicts=lists(TITLES, 2),
)
ANSWERS: dict[type, st.SearchStrategy[Any]] = {
    InquiryPlan: st.builds(
        InquiryPlan,
        inquiries=lists(st.builds(PlannedInquiry, topic=st.sampled_from("abcdef"), title=TITLES, question=WORDS), 9, 1),
    ),
    Investigation: st.builds(
        Investigation, signals=lists(signals(), 4), hypotheses=lists(HYPOTHESES, 4), not_found=lists(WORDS, 1)
    ),
    ActionPlan: st.builds(
        ActionPlan,
        actions=lists(st.builds(PlannedAction, title=TITLES, detail=WORDS, addresses=lists(TITLES, 3)), 3, 1),
    ),
    MemoDraft: st.builds(
        MemoDraft, summary=WORDS, findings=lists(st.builds(DraftFinding, hypothesis=TITLES, text=WORDS), 3)
    ),
}


class Drawn(RecordedIncidentProvider):
    """Answers anything that its schema allows; an investigation now and then not at all."""

    def __init__(self, data: st.DataObject) -> None:
        super().__init__()
        self._data = data

    def complete(self, **asked: Any) -> LLMResponse:
        schema = asked["output_schema"]
        if schema is Investigation and self._data.draw(st.integers(0, 9)) == 0:
            raise TimeoutError("no answer")
        answer = self._data.draw(ANSWERS[schema])
        return LLMResponse(
            raw_text="{}",
            parsed=answer,
            input_tokens=1,
            output_tokens=1,
            cost_usd=self.estimate_cost(input_tokens=1, output_tokens=1, model=asked["model"]),
            latency_seconds=0.0,
            model=asked["model"],
            finish_reason="end_turn",
        )


@pytest.mark.parametrize("host_gives_signals", [True, False])
@examples(50)
@given(data=st.data())
def test_every_review_ends_with_a_memo_that_passes_the_bar(host_gives_signals: bool, data: st.DataObject) -> None:
    graph = Graph(clock=FrozenClock(), run_id="run_a")
    runtime = Runtime(graph, [], llm_provider=Drawn(data), packs=[(pack, {"min_inquiries": 1})])

    for name, incident in GIVEN.items():
        add_incident(graph, incident if host_gives_signals else IncidentInput(name, incident.title))
    runtime.run_until_idle()

    assert {failure.behavior for failure in runtime.errors} <= {"incident_review.investigator"}
    assert [incident.data["status"] for incident in graph.objects("incident")] == ["reviewed"] * len(GIVEN)
    memos = graph.objects("memo")
    assert [memo_problems(graph, memo) for memo in memos] == [[]] * len(GIVEN)
    pairs = [frozenset(conflict.data["hypotheses"]) for conflict in graph.objects("conflict")]
    assert len(pairs) == len(set(pairs))
    for memo in memos:
        for line in [*memo_lines(graph, memo, cite=cite_objects), *memo_lines(graph, memo, cite=cite_lines)]:
            assert len(line) <= WIDTH
            assert line.isprintable()
