"""Promises of a review by a model: each question is asked once, and nothing counts that cannot be quoted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from activegraph import FrozenClock, Graph, Runtime
from activegraph.behaviors.registry import get_registry
from activegraph.core.elements import Object
from activegraph.llm.types import LLMResponse
from activegraph.packs.incident_review import (
    THREE_INCIDENTS,
    IncidentInput,
    RecordedIncidentProvider,
    add_incident,
    incident_goal,
    load_recording,
    pack,
)
from activegraph.packs.incident_review.memo_bar import memo_problems
from activegraph.packs.incident_review.memo_text import memo_lines
from activegraph.tools import get_tool_registry

CONFLICTING = load_recording("connection_storm")


def model_runtime(provider: Any = None, *, store: Path | None = None, **settings: Any) -> Runtime:
    graph = Graph(clock=FrozenClock(), run_id="run_a")
    chosen = RecordedIncidentProvider() if provider is None else provider
    return Runtime(graph, [], llm_provider=chosen, packs=[(pack, settings)], persist_to=store)


def reviewed(*incidents: Any, **options: Any) -> Runtime:
    runtime = model_runtime(**options)
    for incident in incidents or THREE_INCIDENTS:
        runtime.run_goal(incident_goal(incident))
    return runtime


class Changed(RecordedIncidentProvider):
    """Answers as recorded, but for what `change` does to an answer before it is given."""

    def __init__(self, change: Callable[[Any], None]) -> None:
        super().__init__()
        self._change = change

    def complete(self, **asked: Any) -> LLMResponse:
        response = super().complete(**asked)
        if response.parsed is not None:
            self._change(response.parsed)
            response.parsed = type(response.parsed).model_validate(response.parsed.model_dump())
        return response


class SilentAbout(Changed):
    """Does not answer inquiries into these topics."""

    def __init__(self, *topics: str, change: Callable[[Any], None] = lambda answer: None) -> None:
        super().__init__(change)
        self._topics = topics

    def complete(self, **asked: Any) -> LLMResponse:
        event = asked["messages"][0].content.partition("## Triggering event")[2]
        if any(f'"topic": "{topic}"' in event for topic in self._topics):
            raise TimeoutError("no answer")
        return super().complete(**asked)


@pytest.fixture(scope="module")
def runtime() -> Runtime:
    return reviewed()


def memo_of(graph: Graph, name: str) -> Object:
    (incident,) = graph.objects("incident", where={"name": name})
    (memo,) = graph.objects("memo", where={"data.incident": incident.id})
    return memo


def test_every_memo_passes_the_bar(runtime: Runtime) -> None:
    graph = runtime.graph

    assert runtime.errors == []
    assert [memo.data["title"] for memo in graph.objects("memo")] == [each.title for each in THREE_INCIDENTS]
    for memo in graph.objects("memo"):
        assert memo_problems(graph, memo) == []
        assert memo.data["findings"]
        assert all(finding["evidence"] for finding in memo.data["findings"])


def test_each_question_is_asked_once(runtime: Runtime) -> None:
    asked = Counter(event.payload["behavior"] for event in runtime.graph.events if event.type == "behavior.started")
    inquiries = len(runtime.graph.objects("inquiry"))

    assert inquiries >= 4 * 3
    assert asked["incident_review.inquiry_planner"] == 3
    assert asked["incident_review.investigator"] == inquiries
    assert asked["incident_review.action_planner"] == asked["incident_review.memo_writer"] == 3


def test_the_investigator_takes_several_turns_and_asks_several_tools(runtime: Runtime) -> None:
    turns: dict[str, int] = {}
    tools: dict[str, set[str]] = {}
    started = ""
    for event in runtime.graph.events:
        if event.type == "behavior.started":
            started = event.id if event.payload["behavior"] == "incident_review.investigator" else ""
        elif started and event.type == "llm.requested":
            turns[started] = event.payload["turn_index"] + 1
        elif started and event.type == "tool.requested":
            tools.setdefault(started, set()).add(event.payload["tool"])

    assert len(turns) == len(runtime.graph.objects("inquiry"))
    assert min(turns.values()) >= 3
    assert min(len(names) for names in tools.values()) >= 2


def test_two_accounts_that_disagree_are_a_conflict_and_a_weak_one_is_none(runtime: Runtime) -> None:
    graph = runtime.graph

    (conflict,) = graph.objects("conflict")
    assert memo_of(graph, "connection_storm").data["open_conflicts"][0]["conflict"] == conflict.id
    for name in ("checkout_deadlocks", "crash_recovery"):
        assert memo_of(graph, name).data["conflicts_note"] == "no conflicts found"
    # The log of the crash contradicts the samples too, but nobody would stand up for what it says.
    assert len(graph.relations(type="contradicts")) == 2
    assert [each.data["title"] for each in graph.objects("hypothesis", where={"data.status": "refuted"})] == [
        "down since 21:57:34"
    ]


def test_an_empty_answer_of_a_tool_is_said_in_the_memo(runtime: Runtime) -> None:
    empty = [
        event
        for event in runtime.graph.events
        if event.type == "tool.responded" and event.payload["output"].get("samples") == 0
    ]

    assert empty
    notes = memo_of(runtime.graph, "crash_recovery").data["timeline"]["notes"]
    assert notes == ["not found: memory_free was not sampled: whether memory ran out is not known"]


def test_signals_are_made_once_however_many_inquiries_see_them(runtime: Runtime) -> None:
    for recording in THREE_INCIDENTS:
        signals = runtime.graph.objects("signal", where={"data.incident": recording.name})
        lines = [(signal.data["source"], signal.data["message"], signal.data["lines"][0]) for signal in signals]
        assert len(lines) == len(set(lines))


def test_a_finding_leads_back_over_its_tools_to_its_goal(runtime: Runtime) -> None:
    hypothesis = memo_of(runtime.graph, "crash_recovery").data["findings"][0]["hypothesis"]

    chain = runtime.trace.causal_chain(hypothesis).splitlines()

    assert any("llm.requested" in line for line in chain)
    assert any("tool=incident_review.fetch_signals" in line for line in chain)
    assert chain[-1].endswith("goal.created")


def test_two_reviews_under_a_standing_clock_are_the_same_byte_for_byte(runtime: Runtime, tmp_path: Path) -> None:
    logs = []
    for name, each in (("one", runtime), ("other", reviewed())):
        each.export_trace(tmp_path / name)
        logs.append((tmp_path / name).read_bytes())

    assert logs[0] == logs[1]


def test_importing_and_loading_the_pack_registers_nothing() -> None:
    before = get_registry(), get_tool_registry()

    model_runtime()

    assert (get_registry(), get_tool_registry()) == before


@pytest.mark.parametrize("provider", [RecordedIncidentProvider(), RecordedIncidentProvider(["next_year"])])
def test_an_incident_that_was_never_recorded_is_not_invented(provider: RecordedIncidentProvider) -> None:
    runtime = reviewed(IncidentInput("next_year", "Something else"), provider=provider)

    (failure,) = runtime.errors
    assert (failure.behavior, failure.reason) == ("incident_review.inquiry_planner", "llm.fixture_missing")
    assert runtime.graph.objects("memo") == []


def test_other_goals_are_left_alone() -> None:
    runtime = model_runtime()

    runtime.run_goal("Write a poem about incidents")

    assert runtime.graph.all_objects() == []


class TestWhatTheHostGivesAlong:
    def test_is_what_counts_and_nothing_that_a_model_says_it_has_seen(self) -> None:
        runtime = model_runtime()
        incident = load_recording("checkout_deadlocks").incident()
        add_incident(runtime.graph, incident)
        runtime.run_until_idle()

        (memo,) = runtime.graph.objects("memo")
        assert memo_problems(runtime.graph, memo) == []
        assert len(runtime.graph.objects("signal")) == len(incident.signals)
        # What the samples show beyond the signals that were given cannot be cited.
        assert [note for note in memo.data["timeline"]["notes"] if "left out" in note]

    def test_is_what_counts_where_it_is_metrics_alone(self) -> None:
        runtime = model_runtime()
        given = [signal for signal in CONFLICTING.incident().signals if signal.source == "metrics"]
        add_incident(runtime.graph, IncidentInput(CONFLICTING.name, CONFLICTING.title, given))
        runtime.run_until_idle()

        graph = runtime.graph
        assert len(graph.objects("signal")) == len(given)
        assert {each.data["source"] for each in graph.objects("evidence")} == {"metrics"}
        assert memo_problems(graph, graph.objects("memo")[0]) == []

    def test_is_quoted_from_the_line_that_holds_the_words(self) -> None:
        def point_elsewhere(answer: Any) -> None:
            for hypothesis in getattr(answer, "hypotheses", ()):
                for quote in hypothesis.evidence:
                    quote.line = 1

        runtime = model_runtime(Changed(point_elsewhere))
        add_incident(runtime.graph, load_recording("crash_recovery").incident())
        runtime.run_until_idle()

        quoted = {each.data["quote"]: each.data["line"] for each in runtime.graph.objects("evidence")}
        assert quoted["client backend (PID 20529) was terminated by signal 9: Killed"] == 32


class TestWhatNothingBearsOut:
    def test_an_invented_quote_is_left_out_and_counted(self) -> None:
        def embellish(answer: Any) -> None:
            for hypothesis in getattr(answer, "hypotheses", ()):
                invented = hypothesis.evidence[0].model_copy(update={"quote": "the intern did it", "weight": 1.0})
                hypothesis.evidence.append(invented)

        runtime = reviewed(CONFLICTING, provider=Changed(embellish))

        (memo,) = runtime.graph.objects("memo")
        assert memo_problems(runtime.graph, memo) == []
        assert not [each for each in runtime.graph.objects("evidence") if "intern" in each.data["quote"]]
        hypotheses = len(runtime.graph.objects("hypothesis"))
        note = f"{hypotheses} claims that nothing in the record bears out were left out"
        assert note in memo.data["timeline"]["notes"]

    def test_a_quote_of_nothing_stands_nowhere(self) -> None:
        def say_nothing(answer: Any) -> None:
            for hypothesis in getattr(answer, "hypotheses", ()):
                for quote in hypothesis.evidence:
                    quote.quote = " \n "

        runtime = reviewed(CONFLICTING, provider=Changed(say_nothing))

        assert runtime.graph.objects("evidence") == runtime.graph.objects("hypothesis") == []

    def test_a_hypothesis_that_nothing_speaks_for_is_left_out(self) -> None:
        def doubt(answer: Any) -> None:
            for hypothesis in getattr(answer, "hypotheses", ()):
                for quote in hypothesis.evidence:
                    quote.stance = "against"

        runtime = reviewed(CONFLICTING, provider=Changed(doubt))

        (memo,) = runtime.graph.objects("memo")
        assert runtime.graph.objects("hypothesis") == []
        assert memo.data["findings"] == []
        assert "no hypothesis was backed by a quote" in memo.data["timeline"]["notes"]
        assert [action["title"] for action in memo.data["actions"]] == ["Read these lines"]
        assert memo_problems(runtime.graph, memo) == []

    def test_references_to_hypotheses_that_are_none_are_left_out_and_counted(self) -> None:
        def misname(answer: Any) -> None:
            for action in getattr(answer, "actions", ()):
                action.addresses.append("sunspots")
            for finding in getattr(answer, "findings", ())[:1]:
                finding.hypothesis = "sunspots"
            for hypothesis in getattr(answer, "hypotheses", ())[:1]:
                hypothesis.contradicts.append("sunspots")

        runtime = reviewed(CONFLICTING, provider=Changed(misname))

        (memo,) = runtime.graph.objects("memo")
        # Four inquiries, three actions, one finding.
        assert "8 claims that nothing in the record bears out were left out" in memo.data["timeline"]["notes"]
        assert memo_problems(runtime.graph, memo) == []

    def test_one_hypothesis_found_by_two_inquiries_answers_both(self) -> None:
        def agree(answer: Any) -> None:
            for hypothesis in getattr(answer, "hypotheses", ())[:1]:
                hypothesis.title, hypothesis.contradicts = "It is  the pool", []

        runtime = reviewed(CONFLICTING, provider=Changed(agree))

        graph = runtime.graph
        (shared,) = [each for each in graph.objects("hypothesis") if each.data["title"] == "It is  the pool"]
        assert len(graph.relations(shared.id, type="answers")) == 4

    def test_what_a_model_repeats_is_one_conflict(self) -> None:
        said: list[Any] = []

        def repeat(answer: Any) -> None:
            hypotheses = list(getattr(answer, "hypotheses", ()))
            for one in hypotheses:
                for other in hypotheses:
                    if other.title in one.contradicts:
                        other.contradicts.append(one.title)
                        one.contradicts.append(other.title.upper())
            if hypotheses:
                said.extend(hypotheses)
                answer.hypotheses.extend([each.model_copy() for each in said])
            for action in getattr(answer, "actions", ()):
                action.addresses += action.addresses

        runtime = reviewed(CONFLICTING, provider=Changed(repeat))

        graph = runtime.graph
        assert len(graph.objects("conflict")) == 1
        addressed = [(each.source, each.target) for each in graph.relations(type="addresses")]
        assert len(addressed) == len(set(addressed))
        (memo,) = graph.objects("memo")
        for answered in memo.data["inquiries_answered"]:
            assert len(answered["hypotheses"]) == len(set(answered["hypotheses"]))
        assert memo_problems(graph, memo) == []

    def test_what_a_model_says_moves_no_cursor(self) -> None:
        def move(answer: Any) -> None:
            for field in ("title", "question", "statement", "detail"):
                for each in [*getattr(answer, "actions", ()), *getattr(answer, "inquiries", ())]:
                    if hasattr(each, field):
                        setattr(each, field, f"{getattr(each, field)}\x1b[2J")
            if hasattr(answer, "summary"):
                answer.summary += "\x1b[2J"

        runtime = reviewed(CONFLICTING, provider=SilentAbout("lock_waits", change=move))

        (memo,) = runtime.graph.objects("memo")
        text = memo_lines(runtime.graph, memo)
        assert any("[2J" in line for line in text)
        assert all(line.isprintable() for line in text)


class TestWhatIsAsked:
    def test_no_more_questions_are_taken_than_the_settings_allow(self) -> None:
        runtime = reviewed(CONFLICTING, min_inquiries=1, max_inquiries=2)

        assert len(runtime.graph.objects("inquiry")) == 2
        assert memo_problems(runtime.graph, runtime.graph.objects("memo")[0]) == []

    def test_a_plan_with_too_few_questions_fails_with_a_reason(self) -> None:
        runtime = reviewed(CONFLICTING, min_inquiries=5)

        (failure,) = runtime.errors
        assert failure.reason == "llm.too_few_inquiries"

    def test_no_more_signals_and_quotes_are_taken_than_the_settings_allow(self) -> None:
        runtime = reviewed(load_recording("checkout_deadlocks"), max_signals_per_inquiry=1)

        graph = runtime.graph
        for hypothesis in graph.objects("hypothesis"):
            assert len(graph.relations(target=hypothesis.id, type="backs")) == 1
        assert memo_problems(graph, graph.objects("memo")[0]) == []

    def test_an_investigation_that_fails_leaves_its_inquiry_unresolved_and_the_review_goes_on(self) -> None:
        runtime = reviewed(CONFLICTING, provider=SilentAbout("lock_waits"))

        (memo,) = runtime.graph.objects("memo")
        (unresolved,) = memo.data["inquiries_unresolved"]
        assert unresolved["question"].startswith("Did sessions pile up")
        assert "not found: the investigation failed: llm.network_error" in memo.data["timeline"]["notes"]
        assert memo_problems(runtime.graph, memo) == []
        (reminder,) = runtime.graph.objects("reminder")
        assert reminder.data["inquiry"] == unresolved["inquiry"]

    def test_that_holds_however_much_happens_before_the_failure_is_taken_up(self) -> None:
        runtime = model_runtime(SilentAbout("refusals", "lock_waits"))
        for _ in range(2):
            for recording in reversed(THREE_INCIDENTS):
                add_incident(runtime.graph, IncidentInput(recording.name, recording.title))
        runtime.run_until_idle()

        graph = runtime.graph
        assert [each.data["status"] for each in graph.objects("incident")] == ["reviewed"] * 6
        unresolved = [each.data["topic"] for each in graph.objects("inquiry", where={"data.status": "unresolved"})]
        assert unresolved == ["refusals", "lock_waits"] * 2
        assert [memo_problems(graph, memo) for memo in graph.objects("memo")] == [[]] * 6

    def test_the_model_of_the_settings_is_asked(self) -> None:
        runtime = reviewed(CONFLICTING, llm_model="some-model")

        assert {e.payload["model"] for e in runtime.graph.events if e.type == "llm.requested"} == {"some-model"}


def contents(graph: Graph) -> Counter[str]:
    """Objects and relations by what they say: ids and the order in which they were made left aside."""
    names = {made.id: f"{made.type} {made.data.get('title')}" for made in graph.all_objects()}

    def told(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: told(each) for key, each in value.items()}
        if isinstance(value, (list, tuple)):
            return [told(each) for each in value]
        return names.get(value, value) if isinstance(value, str) else value

    made = Counter(f"{each.type} {told(each.data)}" for each in graph.all_objects())
    made.update(f"{names[each.source]} --{each.type}--> {names[each.target]}" for each in graph.all_relations())
    return made


class TestApprovals:
    def test_nothing_gated_appears_without_and_everything_with_them(self) -> None:
        runtime = reviewed(CONFLICTING, auto_approve_actions=False, auto_approve_memos=False)
        graph = runtime.graph

        assert graph.objects("action") == graph.objects("memo") == []
        actions = runtime.pending_approvals()
        assert {each.object_type for each in actions} == {"action"}
        for each in actions:
            runtime.approve(each.id, approved_by="the owner")
        runtime.run_until_idle()
        assert len(graph.objects("action")) == len(actions)
        assert graph.objects("memo") == []
        (memo,) = runtime.pending_approvals()
        runtime.approve(memo.id, approved_by="the owner")
        runtime.run_until_idle()

        assert contents(graph) == contents(reviewed(CONFLICTING).graph)
        assert memo_problems(graph, graph.objects("memo")[0]) == []

    def test_what_was_denied_is_in_no_memo(self) -> None:
        runtime = reviewed(CONFLICTING, auto_approve_actions=False)

        refused, *others = runtime.pending_approvals()
        runtime.deny(refused.id, reason="not now")
        for each in others:
            runtime.approve(each.id)
        runtime.run_until_idle()

        (memo,) = runtime.graph.objects("memo")
        assert [action["title"] for action in memo.data["actions"]] == [each.data["title"] for each in others]

    def test_a_policy_says_what_wants_approval(self) -> None:
        runtime = reviewed(CONFLICTING, auto_approve_actions=False)

        assert {each.pack for each in runtime.pending_approvals()} == {"incident_review"}
