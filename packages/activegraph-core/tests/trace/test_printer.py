"""Promises of the trace: one line per event, in formats that people's eyes and scripts rely on."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from activegraph import Event, FrozenClock, Graph, Runtime, replay_into
from activegraph.behaviors.base import Behavior
from activegraph.store.serde import decode_payload
from activegraph.trace.printer import TAG_COL, format_event
from support.stored_runs import record_prices

LINES: list[tuple[str, dict[str, Any], str]] = [
    ("goal.created", {"goal": "prices"}, '[goal.created]            user: "prices"'),
    (
        "object.created",
        {"object": {"id": "task#1", "data": {"title": "Look", "text": "no", "status": "open"}}},
        '[object.created]          task#1 "Look" (open)',
    ),
    (
        "object.created",
        {"object": {"id": "note#1", "data": {"title": "", "text": "found"}}},
        '[object.created]          note#1 "found"',
    ),
    ("object.created", {"object": {"id": "a#1", "data": {}}}, "[object.created]          a#1"),
    ("object.created", {}, "[object.created]          ?"),
    ("object.removed", {"id": "a#1"}, "[object.removed]          a#1"),
    (
        "relation.created",
        {"relation": {"id": "rel_001", "source": "a#1", "target": "b#2", "type": "near"}},
        "[relation.created]        a#1 --near--> b#2",
    ),
    ("relation.removed", {"id": "rel_001"}, "[relation.removed]        rel_001"),
    (
        "patch.applied",
        {"target": "a#1", "diff": {"n": {"old": None, "new": 1}}},
        "[patch.applied]           a#1 n: None -> 1",
    ),
    (
        "patch.applied",
        {"target": "a#1", "diff": {"n": {"old": 1, "new": 2}, "s": {"old": "x", "new": "y"}}},
        "[patch.applied]           a#1 n: 1 -> 2\n[patch.applied]           a#1 s: x -> y",
    ),
    ("patch.applied", {"target": "a#1", "diff": {}}, "[patch.applied]           a#1 (no change)"),
    (
        "patch.proposed",
        {"patch": {"target": "a#1", "op": "update", "proposed_by": "b"}},
        "[patch.proposed]          a#1 update by b",
    ),
    (
        "patch.rejected",
        {"patch_id": "patch_001", "reason": "target not found: a#1"},
        "[patch.rejected]          patch_001: target not found: a#1",
    ),
    ("behavior.started", {"behavior": "b", "triggering_object_id": None}, "[behavior.started]        b"),
    (
        "behavior.started",
        {"behavior": "b", "triggering_event_type": "object.created", "triggering_object_id": "a#1"},
        "[behavior.started]        b  (matched object.created: a#1)",
    ),
    (
        "relation_behavior.started",
        {"behavior": "b", "triggering_event_type": "x.done", "relation_type": "near"},
        "[relation_behavior.started] b  (matched x.done on near edge)",
    ),
    (
        "behavior.completed",
        {"behavior": "b", "objects_created": 1, "relations_created": 0},
        "[behavior.completed]      b",
    ),
    (
        "behavior.completed",
        {"behavior": "b", "objects_created": 1, "relations_created": 1},
        "[behavior.completed]      b (1 object, 1 relation)",
    ),
    (
        "behavior.completed",
        {"behavior": "b", "objects_created": 2, "relations_created": 0},
        "[behavior.completed]      b (2 objects, 0 relations)",
    ),
    (
        "behavior.failed",
        {"behavior": "b", "exception_type": "ValueError", "message": "first\nsecond"},
        "[behavior.failed]         b: ValueError: first",
    ),
    (
        "behavior.failed",
        {"behavior": "b", "exception_type": "ValueError", "message": ""},
        "[behavior.failed]         b: ValueError: ",
    ),
    (
        "behavior.scheduled",
        {"behavior": "b", "activate_after": 2},
        "[behavior.scheduled]      evt_1  b  activate_after=2_events",
    ),
    (
        "behavior.scheduled",
        {"behavior": "b", "activate_after": 1},
        "[behavior.scheduled]      evt_1  b  activate_after=1_event",
    ),
    ("pattern.matched", {"behavior": "b", "matches_count": 3}, "[pattern.matched]         evt_1  b  matches=3"),
    ("runtime.idle", {}, "[runtime.idle]            queue empty, budget remaining"),
    ("runtime.budget_exhausted", {"exhausted_by": "max_events"}, "[runtime.budget_exhausted] stopped: max_events"),
    ("runtime.paused", {}, "[runtime.paused]          work left, stopped by the caller"),
    (
        "task.completed",
        {"task": "a b", "n": 1, "l": [1], "none": None, "d": {"k": "v"}},
        "[event.emitted]           task.completed task=a b n=1 l=[1] none=None d={'k': 'v'}",
    ),
    ("approval.granted", {"approval_id": "a"}, "[event.emitted]           approval.granted approval_id=a"),
    ("note.taken", {}, "[event.emitted]           note.taken"),
]


@pytest.mark.parametrize(("type", "payload", "line"), LINES, ids=[f"{n} {case[0]}" for n, case in enumerate(LINES)])
def test_an_event_has_its_line(type: str, payload: dict[str, Any], line: str) -> None:
    assert format_event(Event("evt_1", type, payload)) == line


CALLS: list[tuple[str, dict[str, Any], str]] = [
    (
        "llm.requested",
        {"behavior": "w", "model": "m", "cache_hit": False, "turn_index": 0, "prompt_normalized": True},
        "evt_1  w  model=m prompt_normalized=true",
    ),
    (
        "llm.requested",
        {
            "behavior": "w",
            "model": "m",
            "cache_hit": True,
            "turn_index": 2,
            "attempt_index": 1,
            "max_attempts": 3,
            "estimated_input_tokens": 120,
            "budget_remaining_usd": "4.98765",
        },
        "evt_1  w  model=m cache_hit=true turn=2 attempt=2/3 tokens_in~120 budget_remaining=$4.988",
    ),
    (
        "llm.responded",
        {"behavior": "w", "input_tokens": 7, "output_tokens": 8, "cost_usd": "0.0012", "latency_seconds": 1.26},
        "evt_1  w  tokens_in=7 tokens_out=8 cost=$0.001 latency=1.3s",
    ),
    (
        "llm.responded",
        {"behavior": "w", "input_tokens": 7, "output_tokens": 8, "cost_usd": "0.1", "cache_hit": True},
        "evt_1  w  cache_hit=true tokens_in=7 tokens_out=8",
    ),
    ("llm.responded", {"behavior": "w", "error": {"reason": "llm.parse_error"}}, "evt_1  w  error=llm.parse_error"),
    (
        "tool.requested",
        {"behavior": "w", "tool": "disk", "args_hash": "0123456789ab", "cache_hit": True, "deterministic": True},
        "evt_1  w  tool=disk args_hash=01234567 cache_hit=true deterministic=true",
    ),
    (
        "tool.responded",
        {"behavior": "w", "tool": "disk", "error": None, "latency_seconds": 0.04, "cost_usd": "0.002"},
        "evt_1  w  tool=disk latency=0.0s cost=$0.002",
    ),
    (
        "tool.responded",
        {"behavior": "w", "tool": "disk", "error": None, "cache_hit": True, "latency_seconds": 0.0},
        "evt_1  w  tool=disk cache_hit=true",
    ),
    (
        "tool.responded",
        {"behavior": "w", "tool": "disk", "error": {"reason": "tool.timeout"}},
        "evt_1  w  tool=disk error=tool.timeout",
    ),
    ("tool.in_doubt", {"requested_event_id": "evt_9", "behavior": "w", "tool": "pay"}, "evt_9  w  tool=pay"),
    ("pack.loaded", {"name": "p", "version": "1.0.0", "object_types": [], "prompts": {}}, "p v1.0.0"),
    (
        "pack.loaded",
        {"name": "p", "version": "1.0.0", "object_types": ["a", "b"], "behaviors": ["x"], "policies": ["q", "r"]},
        "p v1.0.0 (2 object_types, 1 behavior, 2 policies)",
    ),
]


@pytest.mark.parametrize(("type", "payload", "text"), CALLS, ids=[f"{n} {case[0]}" for n, case in enumerate(CALLS)])
def test_calls_of_models_tools_and_packs_have_their_lines(type: str, payload: dict[str, Any], text: str) -> None:
    assert format_event(Event("evt_1", type, payload)) == f"[{type}]".ljust(TAG_COL) + text


def test_a_flag_that_is_told_once_leaves_the_single_lines() -> None:
    asked = Event("evt_1", "llm.requested", {"behavior": "w", "model": "m", "prompt_normalized": True})

    assert "prompt_normalized" not in format_event(asked, hide_prompt_normalized=True)


@pytest.mark.parametrize("broken", ["a\nb", "a\r\nb", "a\rb"])
def test_a_line_break_inside_a_value_does_not_break_the_line(broken: str) -> None:
    assert format_event(Event("e", "note.taken", {"text": broken})).endswith("text=a\\nb")


@pytest.mark.parametrize(
    "type", ["goal.created", "patch.proposed", "behavior.completed", "llm.responded", "pack.loaded"]
)
def test_an_event_that_lacks_everything_still_has_a_line(type: str) -> None:
    assert "?" in format_event(Event("e", type, {}))


@pytest.mark.parametrize(
    ("type", "payload"),
    [
        ("behavior.completed", '{"objects_created":"many"}'),
        ("llm.requested", '{"attempt_index":"first"}'),
        ("patch.applied", '{"diff":{"n":{"old":{"$ag.int":"1%s"}}}}' % ("0" * 5000)),
    ],
)
def test_a_payload_of_an_unknown_shape_is_shown_as_it_stands(type: str, payload: str) -> None:
    shown = format_event(Event("evt_1", type, decode_payload(payload)))

    assert shown == f"[{type}]".ljust(TAG_COL) + payload


def test_a_number_of_any_length_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    number, digits = 10**5000, "1" + "0" * 5000
    runtime = Runtime(Graph(clock=FrozenClock()), [])
    runtime.graph.add_object("sum", {"title": number, "status": [number]})
    runtime.graph.emit(Event("evt_900", "counted", {"n": number}))

    runtime.print_trace()
    runtime.print_graph()

    created, counted, *_, in_graph = capsys.readouterr().out.splitlines()[:5]
    assert digits in runtime.trace.causal_chain("sum#1")
    assert created.count(digits) == in_graph.count(digits) == 2
    assert counted == f'[event.emitted]           counted {{"n":{{"$ag.int":"{digits}"}}}}'


def _graph_with_behavior(tmp_path: Path) -> str:
    return record_prices(tmp_path / "run.db")


def test_loaded_events_are_short_and_marked_until_the_run_goes_on(tmp_path: Path) -> None:
    with Runtime.load(_graph_with_behavior(tmp_path), behaviors=[], clock=FrozenClock()) as runtime:
        runtime.graph.add_object("late", {"title": "More"})

        lines = runtime.trace.lines()

    assert lines == [
        '[replay.event]            evt_001 goal.created "prices"',
        "[replay.event]            evt_002 behavior.started planner",
        '[replay.event]            evt_003 object.created task#1 "Look up prices"',
        '[replay.event]            evt_004 object.created task#2 "Write it down"',
        "[replay.event]            evt_005 relation.created task#1 --depends_on--> task#2",
        "[replay.event]            evt_006 behavior.completed planner",
        "[replay.event]            evt_007 behavior.started worker",
        '[replay.event]            evt_008 object.created note#3 "found"',
        "[replay.event]            evt_009 task.completed",
        "[replay.event]            evt_010 behavior.completed worker",
        "[replay.event]            evt_011 relation_behavior.started unblock",
        "[replay.event]            evt_012 patch.applied task#2",
        "[replay.event]            evt_013 behavior.completed unblock",
        "[replay.event]            evt_014 runtime.idle",
        "[replay.complete]         14 events replayed, graph reconstructed",
        "[runtime.idle]            ready to resume",
        '[object.created]          late#4 "More"',
    ]


def test_a_loaded_run_that_did_nothing_since_ends_with_the_two_lines(tmp_path: Path) -> None:
    with Runtime.load(_graph_with_behavior(tmp_path), behaviors=[]) as runtime:
        assert runtime.trace.lines()[-2:] == [
            "[replay.complete]         14 events replayed, graph reconstructed",
            "[runtime.idle]            ready to resume",
        ]


def _failing() -> Runtime:
    def fail(event: Any, graph: Any, ctx: Any) -> None:
        raise ValueError("no")

    runtime = Runtime(Graph(clock=FrozenClock()), [Behavior("b", fail, ["goal.created"])])
    runtime.run_goal("zwölf")
    return runtime


def test_printing_writes_the_lines_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    runtime = _failing()

    runtime.print_trace()

    assert capsys.readouterr().out.splitlines() == runtime.trace.lines()


@pytest.mark.parametrize(("encoding", "shown"), [("utf-8", "zwölf \\ud800"), ("ascii", "zw\\xf6lf \\ud800")])
def test_what_an_output_cannot_carry_is_printed_as_its_escape(
    monkeypatch: pytest.MonkeyPatch, encoding: str, shown: str
) -> None:
    written = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(written, encoding=encoding, write_through=True))
    graph = Graph(clock=FrozenClock())
    graph.add_object("note", {"title": "zwölf \ud800"})
    runtime = Runtime(graph, [])

    runtime.print_trace()
    runtime.print_graph()

    lines = written.getvalue().decode(encoding).splitlines()
    assert lines[0] == f'[object.created]          note#1 "{shown}"'
    assert lines[3] == f'    note#1 "{shown}"'


def test_exporting_writes_the_lines_to_a_file(tmp_path: Path) -> None:
    trace = _failing().trace

    trace.export(tmp_path / "trace.txt")

    assert (tmp_path / "trace.txt").read_bytes() == "".join(f"{line}\n" for line in trace.lines()).encode()


def test_events_and_failures_can_be_asked_for() -> None:
    trace = _failing().trace

    assert [event.type for event in trace.events()] == [
        "goal.created",
        "behavior.started",
        "behavior.failed",
        "runtime.idle",
    ]
    assert [event.id for event in trace.failures()] == ["evt_003"]


def _asked(id: str, **payload: Any) -> Event:
    return Event(id, "llm.requested", {"behavior": "w", "model": "m", **payload}, "w")


def test_a_flag_of_every_live_prompt_is_told_before_the_first_live_line() -> None:
    graph = Graph(run_id="run_a")
    replay_into(graph, [_asked("evt_1")])
    for number in (2, 3):
        graph.emit(_asked(f"evt_{number}", prompt_normalized=True))

    assert Runtime(graph, []).trace.lines() == [
        "[replay.event]            evt_1 llm.requested",
        "[replay.complete]         1 events replayed, graph reconstructed",
        "[runtime.idle]            ready to resume",
        "[trace.flags]             prompt_normalized=true (2 llm requests)",
        "[llm.requested]           evt_2  w  model=m",
        "[llm.requested]           evt_3  w  model=m",
    ]


def test_a_flag_of_some_prompts_stays_in_their_lines() -> None:
    graph = Graph(run_id="run_a")
    graph.emit(_asked("evt_1", prompt_normalized=True))
    graph.emit(_asked("evt_2"))

    assert Runtime(graph, []).trace.lines() == [
        "[llm.requested]           evt_1  w  model=m prompt_normalized=true",
        "[llm.requested]           evt_2  w  model=m",
    ]
