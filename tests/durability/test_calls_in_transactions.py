"""A call to the outside from inside a database transaction of the caller's: refused, since nothing before it is durable."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from activegraph.core.clock import FrozenClock
from activegraph.core.event import Event
from activegraph.core.graph import Graph
from activegraph.errors import IncompatibleRuntimeState
from activegraph.llm.behavior import LLMBehavior
from activegraph.runtime.runtime import Runtime
from activegraph.store import EventStore, SQLiteEventStore
from activegraph.store.postgres import PostgresEventStore
from activegraph.tools.base import Tool
from support.scripted import ScriptedProvider, answer, asking

RUN = "run_1"


@pytest.fixture(params=["sqlite", "postgres", "lent"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[EventStore, AbstractContextManager[Any]]]:
    """A store, and a transaction of its caller's that is not open yet."""
    if request.param == "sqlite":
        own = SQLiteEventStore(tmp_path / "run.db", RUN)
        yield own, own.transaction()
        own.close()
        return
    url = request.getfixturevalue("postgres_url")
    if request.param == "postgres":
        pooled = PostgresEventStore(url, RUN)
        yield pooled, pooled.transaction()
        pooled.close()
        return
    PostgresEventStore(url, RUN).close()
    with psycopg.connect(url, autocommit=True) as connection:
        yield PostgresEventStore(connection, RUN), connection.transaction()


def asker(**fields: Any) -> LLMBehavior:
    def note(event: Event, graph: Any, ctx: Any, out: Any) -> None:
        graph.add_object("note", {"text": out})

    return LLMBehavior("asker", on=["goal.created"], handler=note, **fields)


def test_neither_model_nor_tool_is_asked(store: tuple[EventStore, AbstractContextManager[Any]]) -> None:
    opened, transaction = store
    provider = ScriptedProvider()
    runtime = Runtime(Graph(run_id=RUN, clock=FrozenClock()), [asker()], llm_provider=provider, store=opened)

    with transaction, pytest.raises(IncompatibleRuntimeState) as refusal:
        runtime.run_goal("why")

    assert refusal.value.context == {"run_id": RUN, "call": "the model 'scripted-1'"}
    assert provider.calls == []
    assert [event.type for event in runtime.graph.events] == ["goal.created"]
    assert runtime.status().state == "stopped"


def test_the_same_run_asks_when_the_transaction_is_over(store: tuple[EventStore, AbstractContextManager[Any]]) -> None:
    opened, transaction = store
    provider = ScriptedProvider(asking(("look", {})), answer())
    behavior = asker(tools=[Tool("look", lambda args, ctx: 1)])
    runtime = Runtime(Graph(run_id=RUN, clock=FrozenClock()), [behavior], llm_provider=provider, store=opened)
    with transaction:
        runtime.graph.add_object("order", {})
    runtime.run_goal("why")

    assert runtime.graph.objects("note")


def test_recorded_answers_leave_no_process_and_are_served(
    store: tuple[EventStore, AbstractContextManager[Any]],
) -> None:
    from activegraph.llm.cache import LLMCache

    first = Runtime(Graph(run_id=RUN, clock=FrozenClock()), [asker()], llm_provider=ScriptedProvider())
    first.run_goal("why")
    opened, transaction = store
    provider = ScriptedProvider()
    runtime = Runtime(
        Graph(run_id=RUN, clock=FrozenClock()),
        [asker()],
        llm_provider=provider,
        store=opened,
        replay_llm_cache=True,
        llm_cache=LLMCache.from_events(first.graph.events),
    )

    with transaction:
        runtime.run_goal("why")

    assert provider.calls == []
    assert runtime.graph.objects("note")
