"""Kill a process that pays for calls: at any commit, inside a call, and between a call and its answer."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from activegraph.behaviors.base import Behavior, RelationBehavior
from activegraph.core.clock import FrozenClock
from activegraph.core.event import Event
from activegraph.core.graph import Graph
from activegraph.errors import LLMBehaviorError, RunNotFoundError, StoreNotFoundError
from activegraph.llm.behavior import LLMBehavior
from activegraph.runtime.patterns import parse
from activegraph.runtime.runtime import Runtime
from activegraph.store import open_store, verify_run
from activegraph.tools.base import Tool
from pydantic import BaseModel
from support.equal_logs import essences
from support.killed import KILLED, commits_of, ended_at_commit, in_a_process, wait_for
from support.scripted import CallBook, ScriptedProvider, answer, asking

RUN = "run_1"

FULL = os.environ.get("ACTIVEGRAPH_TEST_SCALE") == "full"


class Query(BaseModel):
    task: str
    depth: int = 1


class Report(BaseModel):
    lines: list[str]


class Killer:
    """Ends the process at its call number `at`, counted over models and tools; 0 for never."""

    def __init__(self, book: CallBook, at: int = 0, *, after: bool = False) -> None:
        self.book = book
        self._at = at
        self._after = after
        self._calls = 0

    def __call__(self, *words: str) -> None:
        self._calls += 1
        if self._calls == self._at and not self._after:
            os._exit(KILLED)
        self.book.note(*words)
        if self._calls == self._at:
            os._exit(KILLED)


class Model(ScriptedProvider):
    """Answers by what it is asked: a reporter asks for two tools first, a second attempt succeeds where the first fails."""

    def __init__(self, killer: Killer, graph: Callable[[], Graph]) -> None:
        super().__init__()
        self._killer = killer
        self._graph = graph

    def complete(self, **call: Any) -> Any:
        self._killer("model", call["idempotency_key"])
        if '"hopeless"' in call["system"]:
            raise LLMBehaviorError("llm.rate_limited", "never")
        if '"flaky"' in call["system"]:
            asked = [event for event in self._graph().events if event.type == "llm.requested"]
            if "retry_of" not in asked[-1].payload:
                raise ConnectionError("try again")
            return answer("at last")
        turn = sum(message.role == "assistant" for message in call["messages"])
        if '"careless"' in call["system"]:
            return asking(("breaks", {}))
        if turn == 0 and '"matcher"' not in call["system"]:
            return asking(("look", {"task": "a"}), ("look", {"task": "b", "depth": 2}), text="looking")
        if turn < 2 and call["messages"][-1].tool_name != "price":
            return asking(("price", {"of": len(call["messages"])}))
        return answer("{}", parsed=Report(lines=[m.content for m in call["messages"] if m.role == "tool"]))


def tools(killer: Killer, **fields: Any) -> list[Tool]:
    def look(args: Query, ctx: Any) -> dict[str, Any]:
        killer("look", ctx.idempotency_key)
        return {"task": args.task, "found": args.depth * [1.5]}

    def price(args: dict[str, Any], ctx: Any) -> str:
        killer("price", ctx.idempotency_key)
        return f"{args['of']} \u20ac"

    def breaks(args: Any, ctx: Any) -> None:
        killer("breaks", ctx.idempotency_key)
        raise OSError("no such host")

    return [
        Tool("look", look, input_schema=Query, cost_per_call="0.001"),
        Tool("price", price, **fields),
        Tool("breaks", breaks),
    ]


def behaviors() -> list[Behavior | RelationBehavior]:
    """Every way in which a model is asked, with something behind each answer."""

    def plan(event: Event, graph: Any, ctx: Any) -> None:
        first, second = graph.add_object("task", {"n": 1}), graph.add_object("task", {"n": 2})
        graph.add_relation(first.id, second.id, "before")

    def report(event: Event, graph: Any, ctx: Any, out: Report) -> None:
        made = graph.add_object("report", {"lines": out.lines, "luck": ctx.random.random()})
        graph.add_relation(made.id, event.payload["id"], "about")
        ctx.propose_object("memo", {"about": made.id}, reason="please")

    def keep(event: Event, graph: Any, ctx: Any, out: str) -> None:
        graph.emit("kept", {"text": out, "by": event.type, "matches": len(ctx.matches)})

    def hear(event: Event, graph: Any, ctx: Any) -> None:
        graph.emit("heard", {"of": event.payload["tool"], "output": event.payload["output"]})

    pattern = "(a:task)-[:before]->(b:task)"
    return [
        Behavior("planner", plan, on=["goal.created"]),
        LLMBehavior(
            "reporter",
            handler=report,
            output_schema=Report,
            tools=["look", "price"],
            on=["object.created"],
            where={"object.type": "task", "object.data.n": 1},
        ),
        LLMBehavior("flaky", handler=keep, on=["relation.created"], where={"relation.type": "before"}),
        LLMBehavior("hopeless", handler=keep, on=["relation.created"], where={"relation.type": "before"}),
        LLMBehavior(
            "careless",
            handler=keep,
            tools=["breaks"],
            activate_after=2,
            on=["object.created"],
            where={"object.type": "task", "object.data.n": 2},
        ),
        LLMBehavior(
            "matcher",
            handler=keep,
            on=["kept"],
            where={"by": "relation.created"},
            pattern=pattern,
            pattern_matcher=parse(pattern).compile(),
            tools=["look", "price"],
        ),
        Behavior("listener", hear, on=["tool.responded"]),
    ]


def to_the_end(url: str, book: CallBook, at: int = 0, *, after: bool = False, **fields: Any) -> Runtime:
    """Begin the run, or go on with it, until it is idle; ends itself at a call where one is given."""
    killer, runtimes = Killer(book, at, after=after), list[Runtime]()
    options: dict[str, Any] = {
        "behaviors": behaviors(),
        "llm_provider": Model(killer, lambda: runtimes[0].graph),
        "tools": tools(killer, **fields),
        "llm_retry_max_attempts": 2,
    }
    try:
        runtimes.append(Runtime.load(url, RUN, clock=FrozenClock(), **options))
    except (StoreNotFoundError, RunNotFoundError):
        runtimes.append(Runtime(Graph(run_id=RUN, clock=FrozenClock()), persist_to=url, **options))
    [runtime] = runtimes
    if runtime.status().events_processed:
        runtime.run_until_idle()
    else:
        runtime.run_goal("report")
    runtime.close()
    return runtime


def log_of(url: str) -> list[Event]:
    with open_store(url, RUN, read_only=True) as store:  # type: ignore[attr-defined]  # stores are context managers
        return list(store.iter_events())


@pytest.fixture(params=["sqlite", "postgres"])
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], str]:
    """A function that gives the URL of another empty store."""
    if request.param == "postgres":
        make: Callable[[], str] = request.getfixturevalue("new_postgres_url")
        return make
    numbers = iter(range(10**6))
    return lambda: f"sqlite:///{tmp_path}/{next(numbers)}.db"


@pytest.fixture
def new_book(tmp_path: Path) -> Callable[[], CallBook]:
    """A function that gives another empty book of calls."""
    numbers = iter(range(10**6))
    return lambda: CallBook(tmp_path / f"{next(numbers)}.calls")


class Whole:
    """The run that nothing has ended: its log, its calls and how many commits it took."""

    def __init__(self, url: str, book: CallBook) -> None:
        self.commits = commits_of(lambda: to_the_end(url, book))
        self.essences = essences(log_of(url))
        self.calls = book.lines()

    def check(self, url: str, book: CallBook, in_flight: int) -> None:
        """The finished log is this one's, and each call was made once, but for those that were in flight."""
        assert essences(log_of(url)) == self.essences
        assert verify_run(url, RUN).ok
        made, expected = Counter(book.lines()), Counter(self.calls)
        assert set(made) == set(expected)
        assert sum((made - expected).values()) <= in_flight


@pytest.fixture
def whole(new_url: Callable[[], str], new_book: Callable[[], CallBook]) -> Whole:
    return Whole(new_url(), new_book())


def some(last: int, *, url: str) -> range:
    """Every place up to the last; on a server, which takes its time, every third."""
    return range(1, last + 1, 1 if FULL or url.startswith("sqlite") else 3)


@pytest.mark.parametrize("after", [False, True], ids=["before-each-commit", "after-each-commit"])
def test_a_process_that_ends_at_any_commit_pays_for_no_answer_twice(
    whole: Whole, new_url: Callable[[], str], new_book: Callable[[], CallBook], after: bool
) -> None:
    assert len(whole.calls) > 12
    for commit in some(whole.commits, url=new_url()):
        url, book = new_url(), new_book()
        assert ended_at_commit(partial(to_the_end, url, book), commit, after=after)
        answered = {event.caused_by for event in log_of(url) if event.type.endswith(".responded")} if after else set()
        requests = (
            [event.id for event in log_of(url) if event.type in ("llm.requested", "tool.requested")] if after else []
        )
        to_the_end(url, book)
        # Behind the commit of an answer nothing is in flight; before it, the one call that it answers was.
        in_flight = 0 if after and set(requests) <= answered else 1
        whole.check(url, book, in_flight)


@pytest.mark.parametrize("after", [False, True], ids=["inside", "between-call-and-return"])
def test_a_process_that_ends_in_a_call_makes_it_again_with_the_same_key(
    whole: Whole, new_url: Callable[[], str], new_book: Callable[[], CallBook], after: bool
) -> None:
    for call in some(len(whole.calls), url=new_url()):
        url, book = new_url(), new_book()
        assert wait_for(in_a_process(partial(to_the_end, url, book, call, after=after))) == KILLED
        killed_in = whole.calls[call - 1]
        to_the_end(url, book)
        assert Counter(book.lines())[killed_in] == Counter(whole.calls)[killed_in] + after
        whole.check(url, book, in_flight=int(after))


def test_a_process_that_ends_in_every_call_pays_for_each_answer_once_all_the_same(
    whole: Whole, new_url: Callable[[], str], new_book: Callable[[], CallBook]
) -> None:
    url, book = new_url(), new_book()
    ends = 0
    # The first call of each process is the one that was in flight; it ends in the one behind it.
    while wait_for(in_a_process(partial(to_the_end, url, book, 2, after=True))) == KILLED:
        ends += 1
    assert ends >= len(whole.calls) // 2
    whole.check(url, book, in_flight=ends)
