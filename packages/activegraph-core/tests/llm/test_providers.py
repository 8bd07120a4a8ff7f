"""Both providers through their real SDKs, against a server on this machine that speaks their wire formats."""

from __future__ import annotations

import base64
import builtins
import json
import logging
import pickle
import sys
import traceback
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from activegraph.errors import IncompatibleRuntimeState, LLMBehaviorError, MissingOptionalDependency, MissingProviderSDK
from activegraph.llm import AnthropicProvider, LLMMessage, LLMProvider, OpenAIProvider, ToolCall
from pydantic import BaseModel
from support.model_server import Answer, Call, Cut, ModelServer, Raw, Refusal, Silence

KEY = "sk-test-0123456789abcdef"

pytestmark = pytest.mark.filterwarnings("ignore:The model '.*' is deprecated:DeprecationWarning")
"""The SDK announces the end of models, our default among them; it says so in the name of who calls it."""

Provider = type[AnthropicProvider] | type[OpenAIProvider]
BOTH = pytest.mark.parametrize("provider", [AnthropicProvider, OpenAIProvider], ids=["anthropic", "openai"])


class Causes(BaseModel):
    causes: list[str]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for name in ("ANTHROPIC_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.setenv(name, KEY)
    with ModelServer(KEY) as server:
        yield server


def at(server: ModelServer, provider: Provider, **options: Any) -> AnthropicProvider | OpenAIProvider:
    """A provider of that class whose API is the test's server."""
    url = server.anthropic_url if provider is AnthropicProvider else server.openai_url
    return provider(base_url=url, **options)


def asked(provider: Any, **changed: Any) -> dict[str, Any]:
    known: dict[str, Any] = {
        "system": "Be brief.",
        "messages": [LLMMessage("user", "why?")],
        "model": provider.default_model,
        "max_tokens": 100,
        "temperature": 0.5,
        "top_p": 1.0,
        "output_schema": None,
        "timeout_seconds": 20.0,
        "tools": None,
    }
    return {**known, **changed}


LOOK = {"name": "pack.look", "description": "Look.", "input_schema": {"type": "object", "properties": {}}}
ASK = {"name": "ask", "description": "", "input_schema": {"type": "object", "properties": {}}}

TWO_TURNS = [
    LLMMessage("user", "why?"),
    LLMMessage("assistant", "Let me look.", tool_calls=(ToolCall("1", "pack.look", {"b": 1, "a": 2}),)),
    LLMMessage("tool", '{"n": 1}', tool_use_id="1", tool_name="pack.look"),
    LLMMessage("assistant", "", tool_calls=(ToolCall("2", "ask", {}), ToolCall("3", "pack.look", {}))),
    LLMMessage("tool", "[]", tool_use_id="2", tool_name="ask"),
    LLMMessage("tool", "null", tool_use_id="3", tool_name="pack.look"),
]


class TestAnswers:
    @BOTH
    def test_a_plain_answer(self, server: ModelServer, provider: Provider) -> None:
        server.replies(Answer("Because.", input_tokens=1000, output_tokens=100))
        model = at(server, provider)
        said = model.complete(**asked(model))

        assert (said.raw_text, said.parsed, said.tool_calls) == ("Because.", None, None)
        assert (said.input_tokens, said.output_tokens) == (1000, 100)
        assert said.cost_usd == model.estimate_cost(input_tokens=1000, output_tokens=100, model=model.default_model)
        assert said.model == model.default_model
        assert said.finish_reason == ("end_turn" if provider is AnthropicProvider else "stop")
        assert (said.seed, said.cache_hit) == (None, False)
        assert said.latency_seconds > 0
        assert len(server.requests) == 1

    @BOTH
    @pytest.mark.parametrize("count", [float("inf"), float("nan"), -7, 10**400])
    def test_a_number_of_tokens_that_is_none_loses_no_answer(
        self, server: ModelServer, provider: Provider, count: Any
    ) -> None:
        server.replies(Answer("Because.", input_tokens=count, output_tokens=100))
        said = at(server, provider).complete(**asked(provider))

        assert (said.raw_text, said.input_tokens, said.output_tokens) == ("Because.", 0, 100)

    @BOTH
    def test_the_model_and_the_reason_are_told_as_the_service_reported_them(
        self, server: ModelServer, provider: Provider
    ) -> None:
        server.replies(Answer("x", model="model-of-2031", finish="length"))
        said = at(server, provider).complete(**asked(provider))

        assert (said.model, said.finish_reason) == ("model-of-2031", "length")

    @BOTH
    def test_a_structured_answer_is_an_instance_of_the_schema(self, server: ModelServer, provider: Provider) -> None:
        server.replies(Answer('Here:\n```json\n{"causes": ["disk"]}\n```'))
        said = at(server, provider).complete(**asked(provider, output_schema=Causes))

        assert said.parsed == Causes(causes=["disk"])

    @BOTH
    @pytest.mark.parametrize(
        ("text", "reason", "keys"),
        [
            ("I can't say.", "llm.parse_error", {"raw_text", "underlying"}),
            ('{"causes": 1}', "llm.schema_violation", {"raw_text", "schema", "validation_errors"}),
        ],
    )
    def test_an_answer_of_no_use_tells_what_was_paid_for_it(
        self, server: ModelServer, provider: Provider, text: str, reason: str, keys: set[str]
    ) -> None:
        server.replies(Answer(text, input_tokens=1_000_000, output_tokens=0, finish="length"))
        model = at(server, provider, pricing={"": {"input": "2.50", "output": "1"}})

        with pytest.raises(LLMBehaviorError) as failure:
            model.complete(**asked(provider, output_schema=Causes))

        extras = failure.value.payload_extras
        assert failure.value.reason == reason
        assert extras.keys() == keys | {"input_tokens", "output_tokens", "cost_usd", "finish_reason"}
        assert (extras["raw_text"], extras["input_tokens"], extras["output_tokens"]) == (text, 1_000_000, 0)
        assert Decimal(extras["cost_usd"]) == Decimal("2.5")
        assert extras["finish_reason"] == "length"
        assert json.loads(json.dumps(extras)) == extras

    @BOTH
    def test_calls_come_back_by_their_canonical_names(self, server: ModelServer, provider: Provider) -> None:
        server.replies(Answer("One moment.", (Call("1", "pack__look", {"at": "x"}), Call("2", "ask"))))
        said = at(server, provider).complete(**asked(provider, tools=[LOOK, ASK], output_schema=Causes))

        assert said.tool_calls == [ToolCall("1", "pack.look", {"at": "x"}), ToolCall("2", "ask", {})]
        assert (said.raw_text, said.parsed) == ("One moment.", None)

    @BOTH
    @pytest.mark.parametrize(
        ("sent", "args"),
        [('{"at": "x"}', {"at": "x"}), ("{at: x", {"_raw": "{at: x"}), ("[1]", {"_raw": "[1]"}), ("", {"_raw": ""})],
    )
    def test_arguments_that_are_text_are_decoded_where_they_can_be(
        self, server: ModelServer, provider: Provider, sent: str, args: dict[str, Any]
    ) -> None:
        server.replies(Answer(calls=(Call("1", "ask", sent),)))
        said = at(server, provider).complete(**asked(provider, tools=[ASK]))

        assert said.tool_calls == [ToolCall("1", "ask", args)]

    @BOTH
    def test_a_conversation_with_two_turns_of_tools_is_one_that_the_service_takes(
        self, server: ModelServer, provider: Provider
    ) -> None:
        server.replies(Answer("Done."))
        said = at(server, provider).complete(**asked(provider, messages=TWO_TURNS, tools=[LOOK, ASK]))

        assert said.raw_text == "Done."


class TestAnthropicRequests:
    def sent(self, server: ModelServer, **changed: Any) -> dict[str, Any]:
        server.replies(Answer("x"))
        at(server, AnthropicProvider).complete(**asked(AnthropicProvider, **changed))
        assert server.requests[-1].path == "/v1/messages"
        return server.requests[-1].body

    def test_only_what_is_asked_is_sent(self, server: ModelServer) -> None:
        assert self.sent(server, system="", tools=[]) == {
            "model": "claude-sonnet-4-5",
            "max_tokens": 100,
            "temperature": 0.5,
            "messages": [{"role": "user", "content": "why?"}],
        }

    def test_system_top_p_and_tools_are_sent_where_they_say_something(self, server: ModelServer) -> None:
        body = self.sent(server, top_p=0.9, tools=[LOOK], temperature=1)

        assert (body["system"], body["top_p"], body["temperature"]) == ("Be brief.", 0.9, 1.0)
        assert body["tools"] == [{**LOOK, "name": "pack__look"}]
        assert LOOK["name"] == "pack.look"

    def test_answers_of_one_turns_tools_are_the_blocks_of_one_message(self, server: ModelServer) -> None:
        assert self.sent(server, messages=TWO_TURNS, tools=[LOOK, ASK])["messages"] == [
            {"role": "user", "content": "why?"},
            {
                "role": "assistant",
                "content": [
                    {"type": "text", "text": "Let me look."},
                    {"type": "tool_use", "id": "1", "name": "pack__look", "input": {"b": 1, "a": 2}},
                ],
            },
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": '{"n": 1}'}]},
            {
                "role": "assistant",
                "content": [
                    {"type": "tool_use", "id": "2", "name": "ask", "input": {}},
                    {"type": "tool_use", "id": "3", "name": "pack__look", "input": {}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "2", "content": "[]"},
                    {"type": "tool_result", "tool_use_id": "3", "content": "null"},
                ],
            },
        ]

    def test_tokens_are_counted_by_the_service_over_the_same_messages(self, server: ModelServer) -> None:
        messages = self.sent(server, messages=TWO_TURNS, tools=[LOOK, ASK])["messages"]
        model = at(server, AnthropicProvider)

        assert model.count_tokens(system="Be brief.", messages=TWO_TURNS, model="claude-x") == 42
        assert server.requests[-1].path == "/v1/messages/count_tokens"
        assert server.requests[-1].body == {"model": "claude-x", "system": "Be brief.", "messages": messages}
        model.count_tokens(system="", messages=TWO_TURNS, model="claude-x")
        assert "system" not in server.requests[-1].body

    def test_a_count_that_fails_is_an_error_like_any_other(self, server: ModelServer) -> None:
        server.key = "another"

        with pytest.raises(LLMBehaviorError) as failure:
            at(server, AnthropicProvider).count_tokens(system="", messages=TWO_TURNS, model="claude-x")

        assert failure.value.payload_extras["error_kind"] == "auth"


class TestOpenAIRequests:
    def sent(self, server: ModelServer, provider: Any = None, **changed: Any) -> dict[str, Any]:
        server.replies(Answer("x"))
        model = provider or at(server, OpenAIProvider)
        model.complete(**asked(OpenAIProvider, **changed))
        assert server.requests[-1].path == "/v1/chat/completions"
        return server.requests[-1].body

    def test_only_what_is_asked_is_sent(self, server: ModelServer) -> None:
        assert self.sent(server, system="") == {
            "model": "gpt-4o-mini",
            "max_tokens": 100,
            "temperature": 0.5,
            "messages": [{"role": "user", "content": "why?"}],
        }

    def test_the_system_text_leads_and_top_p_is_sent_below_one(self, server: ModelServer) -> None:
        body = self.sent(server, top_p=0.9)

        assert body["messages"][0] == {"role": "system", "content": "Be brief."}
        assert body["top_p"] == 0.9

    def test_tools_are_functions(self, server: ModelServer) -> None:
        assert self.sent(server, tools=[LOOK])["tools"] == [
            {
                "type": "function",
                "function": {"name": "pack__look", "description": "Look.", "parameters": LOOK["input_schema"]},
            }
        ]

    def test_calls_and_their_answers_are_told_again(self, server: ModelServer) -> None:
        assert self.sent(server, system="", messages=TWO_TURNS, tools=[LOOK, ASK])["messages"] == [
            {"role": "user", "content": "why?"},
            {
                "role": "assistant",
                "content": "Let me look.",
                "tool_calls": [
                    {"id": "1", "type": "function", "function": {"name": "pack__look", "arguments": '{"a": 2, "b": 1}'}}
                ],
            },
            {"role": "tool", "tool_call_id": "1", "content": '{"n": 1}'},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {"id": "2", "type": "function", "function": {"name": "ask", "arguments": "{}"}},
                    {"id": "3", "type": "function", "function": {"name": "pack__look", "arguments": "{}"}},
                ],
            },
            {"role": "tool", "tool_call_id": "2", "content": "[]"},
            {"role": "tool", "tool_call_id": "3", "content": "null"},
        ]

    @pytest.mark.parametrize("model", ["o1", "o3-mini", "o4-mini", "gpt-5", "gpt-5-nano"])
    def test_reasoning_models_get_another_limit_and_no_sampling(self, server: ModelServer, model: str) -> None:
        body = self.sent(server, model=model, top_p=0.5)

        assert body["max_completion_tokens"] == 100
        assert body.keys() & {"max_tokens", "temperature", "top_p"} == set()

    def test_which_models_reason_may_be_said(self, server: ModelServer) -> None:
        model = at(server, OpenAIProvider, reasoning_model_prefixes=["thinker"])

        assert "max_completion_tokens" in self.sent(server, model, model="thinker-1")
        assert "max_tokens" in self.sent(server, model, model="o1")


class TestFailures:
    @BOTH
    @pytest.mark.parametrize(
        ("status", "kind"),
        [
            (400, "invalid_request"),
            (401, "auth"),
            (403, "auth"),
            (404, "invalid_request"),
            (408, "timeout"),
            (422, "invalid_request"),
            (500, "server"),
            (503, "server"),
            (529, "server"),
        ],
    )
    def test_a_refusal_says_of_what_kind_it_is(
        self, server: ModelServer, provider: Provider, status: int, kind: str
    ) -> None:
        server.replies(Refusal(status, "no, thanks"))

        with pytest.raises(LLMBehaviorError) as failure:
            at(server, provider).complete(**asked(provider))

        extras = failure.value.payload_extras
        assert failure.value.reason == "llm.network_error"
        assert (extras["model"], extras["status_code"], extras["error_kind"]) == (provider.default_model, status, kind)
        assert extras["exception_type"].endswith("Error")
        assert "no, thanks" in extras["message"]
        assert "retry_after_seconds" not in extras
        assert extras["message"] == str(failure.value.__cause__)
        assert len(server.requests) == 1

    @BOTH
    @pytest.mark.parametrize(
        ("headers", "wait"),
        [({"retry-after": "2.5"}, 2.5), ({"retry-after": "7"}, 7.0), ({}, None), ({"retry-after": "tomorrow"}, None)],
    )
    def test_a_limit_says_how_long_to_wait(
        self, server: ModelServer, provider: Provider, headers: dict[str, str], wait: float | None
    ) -> None:
        server.replies(Refusal(429, "slow down", headers))

        with pytest.raises(LLMBehaviorError) as failure:
            at(server, provider).complete(**asked(provider))

        extras = failure.value.payload_extras
        assert failure.value.reason == "llm.rate_limited"
        assert (extras["error_kind"], extras["status_code"]) == ("rate_limit", 429)
        assert extras.get("retry_after_seconds") == wait
        assert len(server.requests) == 1

    @BOTH
    @pytest.mark.parametrize(
        ("reply", "kind"),
        [
            (Silence(), "timeout"),
            (Cut(), "connection"),
            (Cut(in_body=True), "connection"),
            (Raw(b"{not json"), "unknown"),
            (Raw(b"<html>", content_type="text/html"), "unknown"),
            (Raw(b"{}"), "unknown"),
            (Raw(b"null"), "unknown"),
            (Raw(b'{"choices": [], "content": 5}'), "unknown"),
        ],
        ids=["silence", "cut", "cut in the body", "no json", "html", "empty", "null", "nonsense"],
    )
    def test_what_is_no_answer_is_a_network_error(
        self, server: ModelServer, provider: Provider, reply: Any, kind: str
    ) -> None:
        server.replies(reply)

        with pytest.raises(LLMBehaviorError) as failure:
            at(server, provider).complete(**asked(provider, timeout_seconds=0.3 if kind == "timeout" else 20.0))

        extras = failure.value.payload_extras
        assert (failure.value.reason, extras["error_kind"]) == ("llm.network_error", kind)
        assert extras.keys() == {"model", "exception_type", "message", "error_kind"}

    @BOTH
    def test_nobody_there_is_a_connection_error(self, server: ModelServer, provider: Provider) -> None:
        with ModelServer() as gone:
            model = at(gone, provider)

        with pytest.raises(LLMBehaviorError) as failure:
            model.complete(**asked(provider))

        assert failure.value.payload_extras["error_kind"] == "connection"

    @BOTH
    def test_the_sdk_asks_again_only_where_it_is_told_to(self, server: ModelServer, provider: Provider) -> None:
        server.replies(Refusal(500, "again", {"retry-after-ms": "1"}), Answer("second"))
        said = at(server, provider, max_retries=1).complete(**asked(provider))

        assert (said.raw_text, len(server.requests)) == ("second", 2)

    @BOTH
    def test_names_that_collide_are_refused_before_anything_is_sent(
        self, server: ModelServer, provider: Provider
    ) -> None:
        with pytest.raises(ValueError, match="on the wire"):
            at(server, provider).complete(**asked(provider, tools=[LOOK, {**LOOK, "name": "pack__look"}]))

        assert server.requests == []

    @BOTH
    def test_an_interrupt_is_nobodys_failure(self, provider: Provider) -> None:
        class Interrupted:
            def __getattr__(self, name: str) -> Any:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            provider(client=Interrupted()).complete(**asked(provider))


class TestIdempotency:
    @BOTH
    def test_the_key_of_a_request_is_sent_as_a_header(self, server: ModelServer, provider: Provider) -> None:
        server.replies(Answer("x"), Answer("x"))
        model = at(server, provider)
        model.complete(**asked(provider), idempotency_key="a" * 64)
        model.complete(**asked(provider))

        assert model.accepts_idempotency_key
        assert server.requests[0].headers["idempotency-key"] == "a" * 64
        assert server.requests[1].headers.get("idempotency-key") != "a" * 64
        assert server.requests[0].body == server.requests[1].body


class TestKeys:
    @BOTH
    def test_any_variable_may_hold_it(
        self, server: ModelServer, provider: Provider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        server.key = "sk-from-elsewhere"
        monkeypatch.setenv("MY_KEY", " sk-from-elsewhere\n")
        server.replies(Answer("x"))

        assert at(server, provider, api_key_env="MY_KEY").complete(**asked(provider)).raw_text == "x"

    @BOTH
    @pytest.mark.parametrize("value", [None, "", "  "])
    def test_without_one_the_variable_is_named(
        self, provider: Provider, monkeypatch: pytest.MonkeyPatch, value: str | None
    ) -> None:
        if value is None:
            monkeypatch.delenv("MY_KEY", raising=False)
        else:
            monkeypatch.setenv("MY_KEY", value)

        with pytest.raises(IncompatibleRuntimeState, match="MY_KEY"):
            provider(api_key_env="MY_KEY").complete(**asked(provider))

    @BOTH
    def test_without_the_sdk_what_to_install_is_said_and_the_key_is_missed_first(
        self, provider: Provider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        package = "anthropic" if provider is AnthropicProvider else "openai"
        monkeypatch.setitem(sys.modules, package, None)
        monkeypatch.setenv("MY_KEY", KEY)

        with pytest.raises(MissingProviderSDK) as refusal:
            provider(api_key_env="MY_KEY").complete(**asked(provider))
        assert isinstance(refusal.value, MissingOptionalDependency)
        assert isinstance(refusal.value, RuntimeError)
        assert (refusal.value.package, refusal.value.extras) == (package, "llm")
        monkeypatch.delenv("MY_KEY")
        with pytest.raises(IncompatibleRuntimeState):
            provider(api_key_env="MY_KEY").complete(**asked(provider))

    @BOTH
    def test_building_one_imports_no_sdk(self, provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
        imported: list[str] = []
        real = builtins.__import__

        def spy(name: str, *rest: Any, **options: Any) -> Any:
            imported.append(name)
            return real(name, *rest, **options)

        monkeypatch.setattr(builtins, "__import__", spy)
        model = provider()

        assert isinstance(model, LLMProvider)
        assert [name for name in imported if name in ("anthropic", "openai")] == []

    @BOTH
    @pytest.mark.parametrize(
        "reply",
        [
            Refusal(401, f"Incorrect API key provided: {KEY}"),
            Refusal(400, f"your key {KEY} may not do this"),
            Refusal(429, f"{KEY} is over its limit"),
            Refusal(500, f"{KEY}: crashed, key={KEY}"),
            Raw(f"<p>{KEY}</p>".encode(), 502, "text/html"),
            Raw(f"<p>{KEY}</p>".encode(), 200, "text/html"),
            Raw(f'"{KEY}'.encode()),
            Cut(),
        ],
        ids=["401", "400", "429", "500", "502 html", "200 html", "broken json", "cut"],
    )
    def test_it_is_read_nowhere_in_what_fails(
        self, server: ModelServer, provider: Provider, reply: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        server.replies(reply)
        model = at(server, provider)
        caplog.set_level(logging.DEBUG, logger="activegraph")

        with pytest.raises(LLMBehaviorError) as failure:
            model.complete(**asked(provider))

        error = failure.value
        told = [
            str(error),
            repr(error),
            json.dumps(error.payload_extras),
            json.dumps(error.context),
            "".join(traceback.format_exception(error)),
            repr(error.__cause__),
            repr(error.__context__),
            str(pickle.loads(pickle.dumps(error)).__dict__),
            repr(model),
            caplog.text,
        ]
        assert [text for text in told if KEY in text] == []
        if isinstance(reply, Refusal):
            assert "***" in error.payload_extras["message"]

    @BOTH
    def test_a_key_that_is_no_header_is_not_told_either(
        self, server: ModelServer, provider: Provider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        secret = "sk-broken\nkey"
        monkeypatch.setenv("MY_KEY", secret)

        with pytest.raises(LLMBehaviorError) as failure:
            at(server, provider, api_key_env="MY_KEY").complete(**asked(provider))

        assert "sk-broken" not in "".join(traceback.format_exception(failure.value))


@BOTH
def test_a_password_in_the_address_is_told_in_no_form(server: ModelServer, provider: Provider) -> None:
    url = server.anthropic_url if provider is AnthropicProvider else server.openai_url
    model = provider(base_url=url.replace("://", "://proxy:p%40ss-word@"))
    basic = base64.b64encode(b"proxy:p@ss-word").decode()
    server.key = None
    server.replies(Refusal(407, f"Authorization: Basic {basic}, password p@ss-word or p%40ss-word"))

    with pytest.raises(LLMBehaviorError) as failure:
        model.complete(**asked(provider))

    told = "".join(traceback.format_exception(failure.value))
    assert "Authorization: Basic ***, password *** or ***" in told
    assert [secret for secret in ("p@ss-word", "p%40ss-word", basic) if secret in told] == []


@BOTH
def test_a_key_in_the_query_of_an_address_is_told_in_no_form(server: ModelServer, provider: Provider) -> None:
    url = server.anthropic_url if provider is AnthropicProvider else server.openai_url
    # The server answers that it knows no such path, and quotes it.
    model = provider(base_url=f"{url}?v=1&token=q%2Dsecret-0815")

    with pytest.raises(LLMBehaviorError) as failure:
        model.complete(**asked(provider))

    told = "".join(traceback.format_exception(failure.value)) + repr(failure.value.payload_extras)
    assert "no such path" in told
    assert "v=1" in told
    assert "secret-0815" not in told


class Fake:
    """A client of a test's own: an answer for each call, and the arguments that it was called with."""

    api_key = KEY

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.called: list[dict[str, Any]] = []
        self.messages = self.chat = self.completions = self

    def create(self, **arguments: Any) -> Any:
        self.called.append(arguments)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


class Named:
    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)


class SlowRateLimitBreach(Exception):
    pass


class ReadTimeout(Exception):
    pass


class Odd(Exception):
    pass


class Headers(Exception):
    def __init__(self, value: Any) -> None:
        super().__init__("limited")
        self.response = Named(status_code=429, headers={"retry-after": value})


class Unreadable(Exception):
    def __str__(self) -> str:
        raise ValueError

    __repr__ = __str__


class TestOwnClients:
    def test_a_client_of_ones_own_needs_neither_sdk_nor_key(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
        monkeypatch.setitem(sys.modules, "anthropic", None)
        client = Fake(Named(content=[Named(type="text", text="a"), Named(type="thinking"), Named(type="x", text="b")]))
        said = AnthropicProvider(client=client).complete(**asked(AnthropicProvider, top_p=0.5, timeout_seconds=3.0))

        assert (said.raw_text, said.input_tokens, said.output_tokens, said.cost_usd) == ("ab", 0, 0, 0)
        assert (said.model, said.finish_reason) == ("claude-sonnet-4-5", "end_turn")
        assert client.called == [
            {
                "model": "claude-sonnet-4-5",
                "max_tokens": 100,
                "temperature": 0.5,
                "top_p": 0.5,
                "system": "Be brief.",
                "messages": [{"role": "user", "content": "why?"}],
                "timeout": 3.0,
            }
        ]

    def test_a_chat_client_may_answer_in_blocks_and_leave_out_what_it_likes(self) -> None:
        message = Named(content=[{"text": "a"}, Named(text="b"), {"image": 1}], tool_calls=None)
        client = Fake(Named(choices=[Named(message=message, finish_reason=None)], usage=None, model=None))
        said = OpenAIProvider(client=client).complete(**asked(OpenAIProvider))

        assert (said.raw_text, said.model, said.finish_reason) == ("ab", "gpt-4o-mini", "stop")
        assert (said.input_tokens, said.output_tokens) == (0, 0)

    def test_sampling_is_an_argument_where_the_client_has_one_and_else_goes_into_the_body(self) -> None:
        got: dict[str, Any] = {}

        def old(*, model: Any, max_tokens: Any, messages: Any, timeout: Any, temperature: Any, system: Any) -> Any:
            got.update(temperature=temperature)
            return Named(content=[])

        def new(
            *, model: Any, max_tokens: Any, messages: Any, timeout: Any, system: Any, extra_body: Any = None
        ) -> Any:
            got.update(extra_body=extra_body)
            return Named(content=[])

        for create in (old, new):
            client = Named(messages=Named(create=create))
            AnthropicProvider(client=client).complete(**asked(AnthropicProvider))

        assert got == {"temperature": 0.5, "extra_body": {"temperature": 0.5}}

    @BOTH
    @pytest.mark.parametrize(
        ("error", "reason", "kind"),
        [
            (SlowRateLimitBreach("x"), "llm.rate_limited", "rate_limit"),
            (Odd("the proxy said 429"), "llm.rate_limited", "rate_limit"),
            (ReadTimeout("x"), "llm.network_error", "timeout"),
            (ConnectionResetError("x"), "llm.network_error", "connection"),
            (Odd("x"), "llm.network_error", "unknown"),
            (Unreadable(), "llm.network_error", "unknown"),
        ],
        ids=lambda value: type(value).__name__ if isinstance(value, Exception) else value,
    )
    def test_what_a_client_raises_is_told_by_its_class_and_text(
        self, provider: Provider, error: Exception, reason: str, kind: str
    ) -> None:
        with pytest.raises(LLMBehaviorError) as failure:
            provider(client=Fake(error)).complete(**asked(provider))

        assert (failure.value.reason, failure.value.payload_extras["error_kind"]) == (reason, kind)
        assert failure.value.payload_extras["exception_type"] == type(error).__name__
        assert "status_code" not in failure.value.payload_extras

    @pytest.mark.parametrize(("value", "wait"), [("3", 3.0), (3, 3.0), ("nan", None), ("-1", None), (None, None)])
    def test_a_wait_is_a_number_of_seconds_or_not_told(self, value: Any, wait: float | None) -> None:
        with pytest.raises(LLMBehaviorError) as failure:
            OpenAIProvider(client=Fake(Headers(value))).complete(**asked(OpenAIProvider))

        assert failure.value.payload_extras.get("retry_after_seconds") == wait
        assert failure.value.payload_extras["status_code"] == 429

    @BOTH
    def test_an_error_of_ours_passes_as_it_is(self, provider: Provider) -> None:
        error = LLMBehaviorError("llm.refused", "no")

        with pytest.raises(LLMBehaviorError) as failure:
            provider(client=Fake(error)).complete(**asked(provider))

        assert failure.value is error

    @BOTH
    def test_the_key_of_a_client_of_ones_own_is_masked_too(self, provider: Provider) -> None:
        with pytest.raises(LLMBehaviorError) as failure:
            provider(client=Fake(Odd(f"key {KEY}"))).complete(**asked(provider))

        assert failure.value.payload_extras["message"] == "key ***"
        assert KEY not in "".join(traceback.format_exception(failure.value))

    def test_a_secret_deeper_in_the_chain_takes_the_chain_off(self) -> None:
        outer = Odd("it failed")
        outer.__cause__ = Odd(f"with {KEY}")
        outer.__cause__.__cause__ = outer

        with pytest.raises(LLMBehaviorError) as failure:
            AnthropicProvider(client=Fake(outer)).complete(**asked(AnthropicProvider))

        assert (failure.value.__cause__, failure.value.__context__) == (None, None)


CONVERSATION = [LLMMessage("user", "a b c"), LLMMessage("assistant", "d")]


class Encoding:
    def encode(self, text: str, *, disallowed_special: Any = "all") -> list[str]:
        if "<|end|>" in text and disallowed_special == "all":
            raise ValueError("special token")
        return text.split()


class TestCountingLocally:
    def tiktoken(self, monkeypatch: pytest.MonkeyPatch, known: str = "gpt-4o") -> list[str]:
        """Stands in for the package; gives the list of what was looked up."""
        looked_up: list[str] = []

        def encoding_for_model(name: str) -> Encoding:
            looked_up.append(name)
            if name != known:
                raise KeyError(name)
            return Encoding()

        def get_encoding(name: str) -> Encoding:
            looked_up.append(name)
            return Encoding()

        module = Named(encoding_for_model=encoding_for_model, get_encoding=get_encoding)
        monkeypatch.setitem(sys.modules, "tiktoken", module)
        return looked_up

    def test_tokens_of_every_text_and_four_for_each_message(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.tiktoken(monkeypatch)
        provider = OpenAIProvider()

        assert provider.count_tokens(system="x y", messages=CONVERSATION, model="gpt-4o") == 2 + 3 + 4 + 1 + 4
        assert provider.count_tokens(system="", messages=[], model="gpt-4o") == 1
        assert provider.count_tokens(system="<|end|> x", messages=[], model="gpt-4o") == 2

    def test_an_unknown_model_takes_the_common_encoding(self, monkeypatch: pytest.MonkeyPatch) -> None:
        looked_up = self.tiktoken(monkeypatch)

        assert OpenAIProvider().count_tokens(system="x", messages=[], model="mine") == 1
        assert looked_up == ["mine", "cl100k_base"]

    @pytest.mark.parametrize("how", ["missing", "failing"])
    def test_without_it_four_characters_are_a_token_and_that_is_said_once(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, how: str
    ) -> None:
        def fail(name: str) -> None:
            raise OSError("no tables")

        stand_in = None if how == "missing" else Named(encoding_for_model=fail)
        monkeypatch.setitem(sys.modules, "tiktoken", stand_in)
        caplog.set_level(logging.DEBUG, logger="activegraph.llm.openai")
        provider = OpenAIProvider()

        assert provider.count_tokens(system="12345678", messages=CONVERSATION, model="gpt-4o") == (8 + 5 + 1) // 4
        assert provider.count_tokens(system="", messages=[], model="gpt-4o") == 1
        assert [(record.name, record.levelname) for record in caplog.records] == [("activegraph.llm.openai", "DEBUG")]


@pytest.mark.parametrize(
    ("provider", "known", "unknown"),
    [
        (AnthropicProvider, ["claude-x"], ["gpt-4o", "Claude-x"]),
        (
            OpenAIProvider,
            ["gpt-4o", "o1-mini", "o3-mini", "o4-mini"],
            ["claude-x", "ft:gpt-4o-mini:org::id", "o5-mini"],
        ),
    ],
)
def test_models_are_known_by_how_their_names_begin(provider: Provider, known: list[str], unknown: list[str]) -> None:
    assert [name for name in known + unknown if provider().recognizes_model(name)] == known
