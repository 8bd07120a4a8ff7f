"""Real runs, line by line: every line is a documented one, and every documented one is said at its moment."""

from __future__ import annotations

import io
import json
import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from activegraph.behaviors.base import Behavior
from activegraph.core.clock import FrozenClock
from activegraph.core.graph import Graph
from activegraph.errors import ActiveGraphError, LLMBehaviorError
from activegraph.llm.behavior import LLMBehavior
from activegraph.observability import configure_logging, inspect_run, migrate
from activegraph.observability.logging import set_payload_redactor
from activegraph.packs import Pack
from activegraph.runtime import turns
from activegraph.runtime.runtime import Runtime
from activegraph.store import InMemoryEventStore, open_store, sqlite_url
from activegraph.tools.base import Tool
from support.log_schema import LINES, kind_of
from support.runtimes import RUN, emit, loaded, new
from support.scripted import ScriptedProvider, answer, asking
from support.shared_memory import SimulatedCrash, new_disk

SECRET = "s3cr3t"
"""Stands in every goal, payload, prompt, argument, output and answer of these runs."""

Line = dict[str, Any]


@contextmanager
def logged(level: str = "DEBUG", redactor: Any = None) -> Iterator[list[Line]]:
    """The lines that the block says."""
    logger = logging.getLogger("activegraph")
    before = logger.level, logger.propagate, list(logger.handlers)
    stream, lines = io.StringIO(), list[Line]()
    configure_logging(level, stream=stream, payload_redactor=redactor)
    try:
        yield lines
    finally:
        lines += [json.loads(text) for text in stream.getvalue().splitlines()]
        set_payload_redactor(None)
        logger.handlers[:] = before[2]
        logger.propagate = before[1]
        logger.setLevel(before[0])


def make(event: Any, graph: Any, ctx: Any) -> None:
    ctx.view.objects()
    graph.add_object("note", {"text": SECRET})


def fail(event: Any, graph: Any, ctx: Any) -> None:
    raise ValueError(f"cannot read {SECRET}")


def look(args: Any, ctx: Any) -> Any:
    if args["q"] == "fail":
        raise ValueError(f"cannot find {SECRET}")
    return {"seen": SECRET}


def asker(**fields: Any) -> LLMBehavior:
    handler: Any = lambda event, graph, ctx, out: None  # noqa: E731 - the handler of a behavior that only asks
    return LLMBehavior(**{"name": "asker", "on": ["ask"], "handler": handler, "tools": [Tool("look", look)], **fields})


def a_run_with_behaviors(folder: Path) -> None:
    runtime = new([Behavior("make", make, ["goal.created"]), Behavior("fail", fail, ["a"])], persist_to=folder / "a.db")
    runtime.run_goal(SECRET)
    emit(runtime, "a", {"text": SECRET})
    runtime.run_until_idle()
    runtime.close()
    again = loaded(folder / "a.db", budget={"max_events": 5})
    for _ in range(6):
        emit(again, "b")
    again.run_until_idle()
    again.fork("evt_001").close()
    again.close()
    migrate(sqlite_url(folder / "a.db"), sqlite_url(folder / "copy.db"))


def a_run_that_asks_a_model(folder: Path) -> None:
    found = {"q": SECRET}
    refusal = LLMBehaviorError("llm.rate_limited", f"slower, {SECRET}", payload_extras={"retry_after_seconds": 0})
    provider = ScriptedProvider(refusal, asking(("look", found)), answer(SECRET), asking(("look", {"q": "fail"})))
    runtime = new(
        [asker()],
        llm_provider=provider,
        persist_to=folder / "m.db",
        llm_retry_max_attempts=2,
        budget={"max_cost_usd": 9},
    )
    for _ in range(2):
        emit(runtime, "ask", {"text": SECRET})
        runtime.run_until_idle()
    runtime.close()
    again = loaded(
        folder / "m.db",
        [asker(tools=[Tool("look", look, cost_per_call=Decimal("0.5"))])],
        llm_provider=ScriptedProvider(asking(("look", found)), answer(SECRET)),
        replay_llm_cache=True,
        replay_tool_cache=True,
        budget={"max_cost_usd": "0.6"},
    )
    for text in (SECRET, "other"):
        emit(again, "ask", {"text": text})
    again.run_until_idle()
    again.close()


def a_run_whose_budget_refuses_a_call(folder: Path) -> None:
    runtime = new([asker()], llm_provider=ScriptedProvider(), budget={"max_cost_usd": "0.000001"})
    emit(runtime, "ask")
    runtime.run_until_idle()


def a_run_with_a_pack(folder: Path) -> None:
    runtime = new([])
    runtime.load_pack(Pack("storage", "1.2.0"))


def a_run_with_a_slow_pattern(folder: Path) -> None:
    runtime = new([Behavior("watch", make, ["a"], pattern="(n:note)")])
    emit(runtime, "a")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(turns, "SLOW_SECONDS", -1.0)
        runtime.run_until_idle()


def a_run_whose_foreign_parts_fail(folder: Path) -> None:
    class Broken:
        def counter(self, name: str, tags: dict[str, str], value: float = 1.0) -> None:
            raise OSError("down")

        histogram = gauge = counter

    def listen(event: Any) -> None:
        raise OSError("down")

    class OneByOne:
        """What a store must have, and no more."""

        def __init__(self) -> None:
            self._kept = InMemoryEventStore(RUN)
            self.run_id = RUN

        def __getattr__(self, name: str) -> Any:
            if name in ("append", "iter_events", "get_event", "count", "truncate_after", "close"):
                return getattr(self._kept, name)
            raise AttributeError(name)

    store: Any = OneByOne()
    runtime = new([], store=store, metrics=Broken())
    runtime.graph.add_listener(listen)
    emit(runtime, "a")
    runtime.close()


def two_writers(folder: Path) -> None:
    first = new([], persist_to=folder / "w.db")
    emit(first, "a")
    second = loaded(folder / "w.db")
    emit(first, "b")
    with suppress(ActiveGraphError):
        second.run_goal(SECRET)
    first.close()


def a_store_that_fails(folder: Path) -> None:
    class Failing(InMemoryEventStore):
        def append_many(self, *events: Any, **options: Any) -> int:
            raise OSError("disk")

    runtime = new([], store=Failing(RUN))
    with suppress(OSError):
        emit(runtime, "a")


def a_damaged_store(folder: Path) -> None:
    new([], persist_to=folder / "d.db").run_goal(SECRET)
    for statement in (
        f'UPDATE events SET payload = \'{{"goal": "{SECRET}\' WHERE position = 1',
        f'UPDATE events SET payload = \'{{"goal": {{"$ag.date": "{SECRET}"}}}}\' WHERE position = 1',
        "UPDATE meta SET value = '99' WHERE key = 'schema_version'",
    ):
        with sqlite3.connect(folder / "d.db") as connection:
            connection.execute(statement)
        connection.close()
        with suppress(ActiveGraphError):
            list(open_store(sqlite_url(folder / "d.db"), RUN).iter_events())


def a_run_that_diverges(folder: Path) -> None:
    disk = new_disk(atomic=False)
    runtime = new([Behavior("make", make, ["a"])], persist_to=disk.url)
    disk.crash_at(4)
    with pytest.raises(SimulatedCrash):
        emit(runtime, "a", {"text": SECRET})
        runtime.run_until_idle()
    disk.crash_at(None)
    other = Behavior("make", lambda e, g, c: g.add_relation("a", "b", "t"), ["a"])
    again = Runtime.load(disk.url, RUN, behaviors=[other], clock=FrozenClock())
    with suppress(ActiveGraphError):
        again.run_until_idle()


SCENARIOS: list[Callable[[Path], None]] = [
    a_run_with_behaviors,
    a_run_that_asks_a_model,
    a_run_whose_budget_refuses_a_call,
    a_run_with_a_pack,
    a_run_with_a_slow_pattern,
    a_run_whose_foreign_parts_fail,
    two_writers,
    a_store_that_fails,
    a_damaged_store,
    a_run_that_diverges,
]

ELSEWHERE = {"connection lost", "payload redactor failed"}
"""Kinds of lines that other tests provoke: with a server, and with a redactor."""


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[Line]:
    """What all the scenarios say at DEBUG."""
    with logged() as said:
        for scenario in SCENARIOS:
            scenario(tmp_path_factory.mktemp("scenario"))
    return said


def test_every_line_is_a_documented_one_with_its_level_logger_and_fields(lines: list[Line]) -> None:
    for line in lines:
        kind_of(line)


def test_every_documented_line_is_said(lines: list[Line]) -> None:
    said = {kind_of(line) for line in lines}

    missing = [kind.pattern for kind in LINES if kind not in said]
    assert [pattern for pattern in missing if not pattern.startswith(tuple(ELSEWHERE))] == []


def test_no_goal_payload_prompt_argument_output_or_answer_is_said_above_debug(lines: list[Line]) -> None:
    told = [line for line in lines if line["level"] != "DEBUG"]
    for line in told:
        # The text of somebody else's exception may hold anything: that is what the redactor is for.
        assert SECRET not in json.dumps({name: value for name, value in line.items() if name != "error_message"})
    assert [line["error_message"] for line in told if SECRET in line.get("error_message", "")] != []
    assert {line["logger"] for line in lines if line["level"] == "DEBUG" and SECRET in line["message"]} == {
        "activegraph.runtime",
        "activegraph.llm",
        "activegraph.tools",
    }


def test_a_failure_is_told_with_its_summary_its_reason_and_its_page(lines: list[Line]) -> None:
    told = {line["reason"]: line for line in lines if line["message"].startswith("behavior failed: ")}

    assert sorted(told) == ["budget.cost_exhausted", "exception.ValueError", "tool.execution_error"]
    assert told["exception.ValueError"]["error_message"] == f"cannot read {SECRET}"
    assert told["exception.ValueError"]["doc_url"].endswith("/errors/execution-error")
    assert told["tool.execution_error"]["doc_url"].endswith("/errors/tool-error")
    assert told["budget.cost_exhausted"]["doc_url"].endswith("/errors/budget-exhausted")
    assert told["budget.cost_exhausted"]["level"] == "WARNING"


def test_a_line_leads_to_its_run_and_event(tmp_path: Path) -> None:
    with logged("INFO") as said:
        a_run_that_asks_a_model(tmp_path)
    with open_store(sqlite_url(tmp_path / "m.db"), RUN, read_only=True) as store:  # type: ignore[attr-defined]  # ours can
        events = {event.id: event for event in store.iter_events()}

    assert {line["run_id"] for line in said} == {RUN}
    for line in said:
        if "event_id" in line:
            event = events[line["event_id"]]
            if line["message"].startswith("event emitted: "):
                assert line["message"] == f"event emitted: {event.type}"
            elif line["message"].startswith("llm call"):
                assert (event.type, event.payload["model"]) == ("llm.responded", line["model"])
            elif line["message"].startswith("tool call"):
                assert (event.type, event.payload["tool"]) == ("tool.responded", line["tool"])
    emitted = [line["event_id"] for line in said if line["message"].startswith("event emitted: ")]
    assert emitted == list(events)


def test_what_a_call_cost_is_told_only_where_it_cost(tmp_path: Path) -> None:
    with logged("INFO") as said:
        a_run_that_asks_a_model(tmp_path)

    calls = [line for line in said if line["message"].startswith(("llm call: ", "tool call: "))]
    assert {line.get("cost_usd") for line in calls if line["cache_hit"]} == {None}
    assert {line.get("cost_usd") for line in calls if "model" in line and not line["cache_hit"]} == {"0.01", None}
    assert any(line["cache_hit"] for line in calls)


def test_a_redactor_sees_all_that_a_line_would_show(tmp_path: Path) -> None:
    met: list[dict[str, Any]] = []

    def redact(payload: dict[str, Any]) -> dict[str, Any]:
        met.append(payload)
        cleared: dict[str, Any] = json.loads(json.dumps(payload).replace(SECRET, "***"))
        return cleared

    with logged(redactor=redact) as said:
        for number, scenario in enumerate(SCENARIOS):
            (tmp_path / str(number)).mkdir()
            scenario(tmp_path / str(number))

    assert SECRET not in json.dumps(said)
    assert "***" in json.dumps(said)
    shapes = {tuple(payload) for payload in met}
    assert {("system", "messages", "tools"), ("args",), ("output",), ("error_message",), ("goal",)} <= shapes
    for line in said:
        kind_of(line)


def test_a_redactor_that_fails_shows_nothing(tmp_path: Path) -> None:
    with logged(redactor=lambda payload: 1 / 0) as said:
        for number, scenario in enumerate(SCENARIOS):
            (tmp_path / str(number)).mkdir()
            scenario(tmp_path / str(number))

    assert SECRET not in json.dumps(said)
    assert sum(line["message"] == "payload redactor failed, payloads are withheld" for line in said) == 1
    for line in said:
        kind_of(line)


def test_a_level_that_is_off_calls_no_redactor(tmp_path: Path) -> None:
    met: list[Any] = []
    with logged("WARNING", redactor=lambda payload: met.append(payload) or payload) as said:
        new([Behavior("make", make, ["goal.created"])], persist_to=tmp_path / "a.db").run_goal(SECRET)

    assert (said, met) == ([], [])


def test_reading_a_stored_run_says_nothing(tmp_path: Path) -> None:
    new([], persist_to=tmp_path / "a.db").run_goal(SECRET)
    with logged("INFO") as said:
        inspect_run(sqlite_url(tmp_path / "a.db"), RUN)

    assert said == []


def test_lines_of_a_tools_body_say_their_run_event_and_tool(tmp_path: Path) -> None:
    def body(args: Any, ctx: Any) -> int:
        ctx.logger.warning("here", extra={"reason": "r", "tool": "own"})
        ctx.logger.getChild("part").warning("below")
        ctx.logger.debug("not here")
        return 1

    provider = ScriptedProvider(asking(("look", {})), answer())
    with logged("WARNING") as said:
        graph = Graph(clock=FrozenClock(), run_id=RUN)
        runtime = new([asker(tools=[Tool("look", body)])], graph=graph, llm_provider=provider)
        emit(runtime, "ask")
        runtime.run_until_idle()

    (line, below) = said
    assert line["logger"] == "activegraph.tools.look"
    assert (line["run_id"], line["event_id"], line["tool"], line["reason"]) == (RUN, "evt_001", "own", "r")
    assert below["logger"] == "activegraph.tools.look.part"
