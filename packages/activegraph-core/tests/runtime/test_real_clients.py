"""Runs that ask models through the official SDKs, over HTTP, on this machine: what is asked, paid, tried again, and logged."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from activegraph import FrozenClock, Graph, LLMBehavior, Runtime, Tool, ToolContext
from activegraph.llm import AnthropicProvider, OpenAIProvider, RecordedLLMProvider, RecordingLLMProvider
from pydantic import BaseModel
from support.model_server import Answer, Call, ModelServer, Raw, Refusal

KEY = "sk-test-0123456789abcdef"

Provider = type[AnthropicProvider] | type[OpenAIProvider]
pytestmark = pytest.mark.parametrize("provider", [AnthropicProvider, OpenAIProvider], ids=["anthropic", "openai"])


class Where(BaseModel):
    host: str


class Causes(BaseModel):
    causes: list[str]


def look(args: Where, ctx: ToolContext) -> dict[str, int]:
    return {"percent": len(args.host)}


LOOK = Tool("disks.look", look, "How full a host's disk is.", input_schema=Where)


def handle(event: Any, graph: Any, ctx: Any, out: Causes) -> None:
    for text in out.causes:
        graph.add_object("cause", {"text": text})


def behavior(**options: Any) -> LLMBehavior:
    known: dict[str, Any] = {
        "handler": handle,
        "on": ["goal.created"],
        "model": "test-model",
        "output_schema": Causes,
        "tools": [LOOK],
        "deterministic": True,
    }
    return LLMBehavior("suggest", **{**known, **options})


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for name in ("ANTHROPIC_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.setenv(name, KEY)
    with ModelServer(KEY) as server:
        yield server


def at(server: ModelServer, provider: Provider) -> AnthropicProvider | OpenAIProvider:
    url = server.anthropic_url if provider is AnthropicProvider else server.openai_url
    return provider(base_url=url, pricing={"test": {"input": "2", "output": "10"}})


def run(model: Any, **options: Any) -> Runtime:
    """A run of one goal."""
    behaviors = [options.pop("behavior", None) or behavior()]
    runtime = Runtime(Graph(clock=FrozenClock(), run_id="run_a"), behaviors, llm_provider=model, **options)
    runtime.run_goal("why is it slow?")
    return runtime


def events(runtime: Runtime, type: str) -> list[dict[str, Any]]:
    return [event.to_dict()["payload"] for event in runtime.graph.events if event.type == type]


CONVERSATION = (
    Answer("Let me look.", (Call("c1", "disks__look", {"host": "db1"}),), 1000, 10),
    Answer("", (Call("c2", "disks__look", {"host": "web01"}), Call("c3", "disks__look", {"host": "a"})), 2000, 20),
    Answer('{"causes": ["db1 is full"]}', (), 3000, 30),
)


def test_two_turns_of_tools_and_then_the_answer(server: ModelServer, provider: Provider) -> None:
    server.replies(*CONVERSATION)
    runtime = run(at(server, provider))

    assert [each.data for each in runtime.graph.objects("cause")] == [{"text": "db1 is full"}]
    assert runtime.errors == []
    assert [payload["output"] for payload in events(runtime, "tool.responded")] == [
        {"percent": 3},
        {"percent": 5},
        {"percent": 1},
    ]
    assert [payload["turn_index"] for payload in events(runtime, "llm.requested")] == [0, 1, 2]
    assert runtime.budget.used["max_cost_usd"] == pytest.approx(0.0126)
    assert sum(Decimal(payload["cost_usd"]) for payload in events(runtime, "llm.responded")) == Decimal("0.0126")
    assert len(server.requests) == 3


def test_names_with_dots_stand_in_the_log_and_never_on_the_wire(server: ModelServer, provider: Provider) -> None:
    server.replies(*CONVERSATION)
    runtime = run(at(server, provider))

    assert {payload["tool"] for payload in events(runtime, "tool.requested")} == {"disks.look"}
    assert "disks__look" not in json.dumps([event.to_dict() for event in runtime.graph.events])
    assert "disks.look" not in json.dumps([request.body for request in server.requests])
    (first, *_) = events(runtime, "llm.requested")
    assert first["prompt"]["tools"] == [LOOK.to_definition()]


def test_a_limit_is_waited_for_and_every_attempt_has_the_same_key(server: ModelServer, provider: Provider) -> None:
    server.replies(Refusal(429, "slow down", {"retry-after": "3"}), Refusal(503), Answer('{"causes": []}'))
    runtime = run(at(server, provider), llm_retry_max_attempts=3)

    assert runtime.errors == []
    failed = [payload["error"] for payload in events(runtime, "llm.responded") if "error" in payload]
    assert [(error["reason"], error["status_code"], error["error_kind"]) for error in failed] == [
        ("llm.rate_limited", 429, "rate_limit"),
        ("llm.network_error", 503, "server"),
    ]
    assert failed[0]["retry_after_seconds"] == 3.0
    first = next(event for event in runtime.graph.events if event.type == "llm.requested")
    key = sha256(f"run_a/{first.id}".encode()).hexdigest()
    assert [request.headers["idempotency-key"] for request in server.requests] == [key] * 3


@pytest.mark.parametrize("status", [400, 401])
def test_what_asking_again_cannot_mend_is_asked_once(server: ModelServer, provider: Provider, status: int) -> None:
    server.replies(Refusal(status))
    runtime = run(at(server, provider), llm_retry_max_attempts=5)

    (failure,) = runtime.errors
    assert failure.reason == "llm.network_error"
    assert len(server.requests) == 1


def test_an_answer_of_no_use_is_paid_for_all_the_same(server: ModelServer, provider: Provider) -> None:
    server.replies(Answer("No idea.", (), 1_000_000, 0))
    runtime = run(at(server, provider))

    (failure,) = runtime.errors
    assert failure.reason == "llm.parse_error"
    (responded,) = events(runtime, "llm.responded")
    assert Decimal(responded["cost_usd"]) == 2
    assert runtime.budget.used["max_cost_usd"] == 2


def test_an_estimate_beyond_the_limit_asks_nothing(server: ModelServer, provider: Provider) -> None:
    runtime = run(at(server, provider), budget={"max_cost_usd": "0.000001"})

    (failure,) = runtime.errors
    assert failure.reason == "budget.cost_exhausted"
    assert [request.path for request in server.requests if not request.path.endswith("count_tokens")] == []
    assert events(runtime, "llm.requested") == []


def test_what_was_recorded_once_answers_offline_with_the_same_log(
    server: ModelServer, provider: Provider, tmp_path: Path
) -> None:
    server.replies(*CONVERSATION)
    live = run(RecordingLLMProvider(at(server, provider), tmp_path))
    again = run(RecordedLLMProvider(tmp_path))

    assert len(list(tmp_path.glob("*.json"))) == 3
    assert len(server.requests) == 3
    assert [event.to_dict() for event in again.graph.events] == [event.to_dict() for event in live.graph.events]


@pytest.mark.parametrize(
    "reply",
    [
        Answer('{"causes": []}'),
        Refusal(401, f"Incorrect API key provided: {KEY}"),
        Refusal(429, f"{KEY} is over its limit"),
        Refusal(500, f"{KEY}: crashed"),
        Raw(f'"{KEY}'.encode()),
        Raw(f"<p>{KEY}</p>".encode(), 200, "text/html"),
    ],
    ids=["answered", "401", "429", "500", "broken json", "html"],
)
def test_the_key_is_in_no_event_no_log_line_and_no_recording(
    server: ModelServer, provider: Provider, reply: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="activegraph")
    server.replies(reply)
    runtime = run(RecordingLLMProvider(at(server, provider), tmp_path / "fixtures"), persist_to=tmp_path / "run.db")
    runtime.close()

    kept = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert [path for path, content in kept.items() if KEY.encode() in content] == []
    assert KEY not in json.dumps([event.to_dict() for event in runtime.graph.events])
    assert KEY not in caplog.text
    assert KEY not in "\n".join(runtime.trace.lines())
    assert KEY not in repr(runtime.errors)
    assert [record for record in caplog.records if KEY in repr(record.__dict__)] == []
