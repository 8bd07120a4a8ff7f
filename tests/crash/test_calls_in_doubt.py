"""A tool that must not be asked twice, and a process that ended while it was asked: a person decides."""

from __future__ import annotations

import os
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from activegraph.core.event import Event
from activegraph.errors import (
    EventNotFoundError,
    IncompatibleRuntimeState,
    InvalidRuntimeConfiguration,
)
from activegraph.runtime.runtime import Runtime
from activegraph.store import verify_run
from pydantic import BaseModel
from support.equal_logs import essences
from support.killed import KILLED, ended_at_commit, in_a_process, wait_for
from support.paid_program import RUN, log_of, opened, replayed_strictly, to_the_end
from support.scripted import CallBook

PRICE = 5
"""The call of the tool `price` in the first invocation, counted over all calls."""


class Price(BaseModel):
    text: str
    currency: str = "EUR"


def killed_in_its_call(url: str, folder: Path) -> tuple[str, CallBook]:
    """A run that ended inside its call of `price`, which says `retry_safe=False`."""
    book = CallBook(folder / "calls")
    work = partial(to_the_end, url, book, PRICE, after=True, retry_safe=False)
    assert wait_for(in_a_process(work)) == KILLED
    assert book.lines()[-1].startswith("price ")
    return url, book


@pytest.fixture
def killed(tmp_path: Path) -> tuple[str, CallBook]:
    return killed_in_its_call(f"sqlite:///{tmp_path}/run.db", tmp_path)


@pytest.fixture(params=["sqlite", "postgres"])
def killed_anywhere(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, CallBook]:
    """The same on each durable store."""
    if request.param == "postgres":
        return killed_in_its_call(request.getfixturevalue("postgres_url"), tmp_path)
    return killed_in_its_call(f"sqlite:///{tmp_path}/run.db", tmp_path)


def again(killed: tuple[str, CallBook], **fields: Any) -> Runtime:
    return opened(*killed, **{"retry_safe": False, **fields})


def request_of(runtime: Runtime) -> Event:
    return [event for event in runtime.graph.events if event.type == "tool.requested"][-1]


def whole(tmp_path: Path, **fields: Any) -> list[Event]:
    url = f"sqlite:///{tmp_path}/whole.db"
    to_the_end(url, CallBook(tmp_path / "whole.calls"), **fields)
    return log_of(url)


def test_the_run_stops_and_names_the_call(killed: tuple[str, CallBook]) -> None:
    calls = killed[1].lines()
    runtime = again(killed)
    request = request_of(runtime)

    with pytest.raises(IncompatibleRuntimeState) as refusal:
        runtime.run_until_idle()

    key = sha256(f"{RUN}/{request.id}".encode()).hexdigest()
    assert refusal.value.context["requested_event_id"] == request.id
    assert refusal.value.context["idempotency_key"] == key
    assert calls[-1] == f"price {key}"
    assert killed[1].lines() == calls
    doubt = log_of(killed[0])[-1]
    assert (doubt.id, doubt.type, doubt.actor, doubt.caused_by) == ("stop_001", "tool.in_doubt", "reporter", request.id)
    assert doubt.payload == {
        "behavior": "reporter",
        "tool": "price",
        "call_id": request.payload["call_id"],
        "requested_event_id": request.id,
        "idempotency_key": key,
    }
    assert runtime.status().state == "stopped"
    assert "[tool.in_doubt]".ljust(26) + f"{request.id}  reporter  tool=price" in runtime.trace.lines()


def test_the_event_is_written_once_however_often_somebody_runs_or_loads(killed: tuple[str, CallBook]) -> None:
    for _ in range(2):
        runtime = again(killed)
        for _ in range(2):
            with pytest.raises(IncompatibleRuntimeState):
                runtime.run_until_idle()
        runtime.close()

    assert [event.type for event in log_of(killed[0])].count("tool.in_doubt") == 1
    assert again(killed).status().state == "stopped"


@pytest.mark.parametrize("has_run", [False, True], ids=["before-it-has-run", "after-it-was-refused"])
@pytest.mark.parametrize("loads_again", [False, True], ids=["same-process", "loaded-again"])
def test_a_call_whose_output_is_known_is_not_made_again(
    killed: tuple[str, CallBook], tmp_path: Path, has_run: bool, loads_again: bool
) -> None:
    calls = len(killed[1].lines())
    runtime = again(killed)
    if has_run:
        with pytest.raises(IncompatibleRuntimeState):
            runtime.run_until_idle()
    runtime.resolve_tool(request_of(runtime).id, output="5 €", cost_usd="0.25", resolved_by="anna")
    if loads_again:
        runtime.close()
        runtime = again(killed)
    runtime.run_until_idle()

    log = log_of(killed[0])
    request = next(event for event in log if event.payload.get("tool") == "price")
    [settled] = [event for event in log if event.caused_by == request.id and event.type == "tool.responded"]
    assert settled.payload["output"] == "5 €"
    assert (settled.payload["resolved_by"], settled.payload["cost_usd"]) == ("anna", "0.25")
    assert [line.split()[0] for line in killed[1].lines()[calls:]] == ["model", *CALLS_BEHIND]
    assert [e.id for e in log if e.type != "tool.in_doubt"] == [e.id for e in whole(tmp_path)]
    assert verify_run(killed[0], RUN).ok
    assert runtime.status().state == "idle"


CALLS_BEHIND = ["model"] * 4 + ["model", "breaks", "model", "price", "model"]
"""What is called behind the reporter's last turn."""


def test_a_call_that_failed_fails_its_behavior(killed: tuple[str, CallBook]) -> None:
    runtime = again(killed)
    runtime.resolve_tool(request_of(runtime).id, error="the bank said no")
    runtime.run_until_idle()

    failed = next(event for event in log_of(killed[0]) if event.type == "behavior.failed")
    assert failed.payload["behavior"] == "reporter"
    assert failed.payload["reason"] == "tool.execution_error"
    assert "the bank said no" in failed.payload["message"]


def test_a_call_that_may_be_repeated_is_made_with_the_same_key(killed: tuple[str, CallBook], tmp_path: Path) -> None:
    runtime = again(killed)
    runtime.resolve_tool(request_of(runtime).id, retry=True)
    runtime.run_until_idle()

    assert killed[1].lines()[4] == killed[1].lines()[5]
    assert essences(log_of(killed[0])) == essences(whole(tmp_path, retry_safe=False))


def test_a_repeated_call_that_ends_the_process_too_is_in_doubt_again(killed: tuple[str, CallBook]) -> None:
    def repeat() -> None:
        runtime = opened(*killed, 1, after=True, retry_safe=False)
        runtime.resolve_tool(request_of(runtime).id, retry=True)
        runtime.run_until_idle()

    assert wait_for(in_a_process(repeat)) == KILLED

    with pytest.raises(IncompatibleRuntimeState):
        again(killed).run_until_idle()


def test_none_is_an_output(killed: tuple[str, CallBook]) -> None:
    runtime = again(killed)
    runtime.resolve_tool(request_of(runtime).id, output=None)
    runtime.run_until_idle()

    report = runtime.graph.objects("report")[0]
    assert report.data["lines"][-1] == "null"


def test_an_output_that_the_tools_schema_refuses_is_not_recorded(killed: tuple[str, CallBook]) -> None:
    runtime = again(killed, output_schema=Price)
    before = len(log_of(killed[0]))

    with pytest.raises(InvalidRuntimeConfiguration):
        runtime.resolve_tool(request_of(runtime).id, output={"text": 7})

    assert len(log_of(killed[0])) == before
    runtime.resolve_tool(request_of(runtime).id, output={"text": "5 €"})
    assert log_of(killed[0])[-1].payload["output"] == {"text": "5 €", "currency": "EUR"}


@pytest.mark.parametrize(
    "ways",
    [
        {},
        {"output": 1, "error": "no"},
        {"output": None, "retry": True},
        {"output": 1, "cost_usd": "free"},
        {"error": None},
        {"retry": False},
    ],
)
def test_a_call_is_settled_in_exactly_one_way(killed: tuple[str, CallBook], ways: dict[str, Any]) -> None:
    runtime = again(killed)
    before = log_of(killed[0])

    with pytest.raises(InvalidRuntimeConfiguration):
        runtime.resolve_tool(request_of(runtime).id, **ways)

    assert log_of(killed[0]) == before


def test_a_call_that_nothing_is_unclear_about_cannot_be_settled(killed: tuple[str, CallBook]) -> None:
    with pytest.raises(EventNotFoundError):
        again(killed).resolve_tool("evt_010", output=1)
    with pytest.raises(EventNotFoundError):
        again(killed, retry_safe=True).resolve_tool(request_of(again(killed)).id, output=1)


@pytest.mark.parametrize("has_run", [False, True], ids=["before-it-has-run", "after-it-was-refused"])
@pytest.mark.parametrize("way", [{"output": "5 €", "cost_usd": "0.25"}, {"error": "the bank said no"}], ids=str)
@pytest.mark.parametrize("after", [False, True], ids=["before-the-commit", "after-the-commit"])
def test_a_process_that_ends_while_it_settles_a_call_has_settled_it_or_not(
    killed_anywhere: tuple[str, CallBook], way: dict[str, Any], after: bool, has_run: bool
) -> None:
    url, book = killed_anywhere
    calls = book.lines()
    if has_run:
        with pytest.raises(IncompatibleRuntimeState):
            again(killed_anywhere).run_until_idle()

    def settle() -> None:
        runtime = again(killed_anywhere)
        runtime.resolve_tool(request_of(runtime).id, **way)

    assert ended_at_commit(settle, 1, after=after)
    runtime = again(killed_anywhere)
    request = request_of(runtime).id
    if after:
        with pytest.raises(EventNotFoundError):
            runtime.resolve_tool(request, **way)
    else:
        with pytest.raises(IncompatibleRuntimeState):
            runtime.run_until_idle()
        runtime.resolve_tool(request, **way)
    runtime.run_until_idle()

    log = log_of(url)
    [settled] = [event for event in log if event.caused_by == request and event.type == "tool.responded"]
    assert settled.payload["resolved_by"] == "user"
    assert settled.payload["cost_usd"] == way.get("cost_usd", "0")
    assert book.lines().count(calls[-1]) == 1
    assert verify_run(url, RUN).ok
    assert runtime.status().state == "idle"
    replayed_strictly(url)


def test_a_process_that_ends_once_it_was_told_to_repeat_a_call_has_to_be_told_again(
    killed_anywhere: tuple[str, CallBook],
) -> None:
    url, book = killed_anywhere
    before = log_of(url)

    def settle() -> None:
        runtime = again(killed_anywhere)
        runtime.resolve_tool(request_of(runtime).id, retry=True)
        os._exit(KILLED)

    assert wait_for(in_a_process(settle)) == KILLED
    assert log_of(url) == before
    runtime = again(killed_anywhere)
    with pytest.raises(IncompatibleRuntimeState):
        runtime.run_until_idle()

    runtime.resolve_tool(request_of(runtime).id, retry=True)
    runtime.run_until_idle()
    assert book.lines().count(book.lines()[PRICE - 1]) == 2


def test_a_call_that_was_settled_is_no_longer_in_doubt(killed: tuple[str, CallBook]) -> None:
    runtime = again(killed)
    runtime.resolve_tool(request_of(runtime).id, output=1)

    with pytest.raises(EventNotFoundError):
        runtime.resolve_tool(request_of(runtime).id, output=2)


def test_a_fork_before_the_call_has_nothing_in_doubt_and_another_key(killed: tuple[str, CallBook]) -> None:
    runtime = again(killed)
    trigger = next(event for event in log_of(killed[0]) if event.type == "behavior.started").caused_by
    fork = runtime.fork(str(trigger))
    fork.run_until_idle()

    made = [line for line in killed[1].lines() if line.startswith("price ")]
    assert len(set(made)) == len(made) > 1
    assert not any(event.type == "tool.in_doubt" for event in fork.graph.events)


def test_listeners_hear_of_a_settled_answer_once(killed: tuple[str, CallBook]) -> None:
    runtime, heard = again(killed), list[str]()
    runtime.graph.add_listener(lambda event: heard.append(event.id))
    runtime.resolve_tool(request_of(runtime).id, output=1)
    settled = log_of(killed[0])[-1].id

    runtime.run_until_idle()

    assert heard.count(settled) == 1
    assert heard == sorted(set(heard))
