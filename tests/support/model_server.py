"""A server on this machine that speaks the wire formats of both model providers, so that their real clients run.

It gives the replies that a test has queued, one a request, in the format of the path that was asked, and keeps what
it was sent. What the real services refuse it refuses too: a wrong key, a tool name of other characters, a tool's
answer without its call.

    with ModelServer(key="sk-test") as server:
        server.replies(Answer("hello"), Refusal(429, "slow down", {"retry-after": "2"}))
"""

from __future__ import annotations

import json
import re
import socket
import threading
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

__all__ = ["Answer", "Call", "Cut", "ModelServer", "Raw", "Refusal", "Request", "Silence"]

_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


@dataclass(frozen=True)
class Call:
    """A tool that the model asks for, by its name on the wire. Arguments that are text are sent as they are."""

    id: str
    name: str
    args: dict[str, Any] | str = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """A message of the model."""

    text: str = ""
    calls: tuple[Call, ...] = ()
    input_tokens: int = 10
    output_tokens: int = 5
    model: str | None = None
    finish: str | None = None


@dataclass(frozen=True)
class Refusal:
    """An error of the service."""

    status: int
    message: str = "refused"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Raw:
    """Any body at all."""

    body: bytes
    status: int = 200
    content_type: str = "application/json"


class Silence:
    """No answer until the test is over."""


@dataclass(frozen=True)
class Cut:
    """The connection ends: before anything was said, or in the middle of the body."""

    in_body: bool = False


Reply = Answer | Refusal | Raw | Silence | Cut


@dataclass(frozen=True)
class Request:
    """What a client sent. Names of headers are lower case."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]


class ModelServer:
    """Replies in order; every request beyond them is answered with an error 500 that says so."""

    def __init__(self, key: str | None = None) -> None:
        self.key = key
        self.requests: list[Request] = []
        self.token_count = 42
        """What the counting endpoint answers."""
        self._replies: deque[Reply] = deque()
        self._over = threading.Event()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> ModelServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(10)

    @property
    def anthropic_url(self) -> str:
        """`base_url` for Anthropic's client."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    @property
    def openai_url(self) -> str:
        """`base_url` for OpenAI's client."""
        return f"{self.anthropic_url}/v1"

    def replies(self, *replies: Reply) -> None:
        """Queue what is to be said next."""
        self._replies.extend(replies)

    def reply_to(self, request: Request) -> Reply:
        """What a request gets."""
        self.requests.append(request)
        key = request.headers.get("x-api-key") or request.headers.get("authorization", "").removeprefix("Bearer ")
        if self.key is not None and key != self.key:
            return Refusal(401, f"invalid x-api-key: {key}")
        wrong = _what_is_wrong(request)
        if wrong is not None:
            return Refusal(400, wrong)
        if request.path.endswith("/count_tokens"):
            return Raw(json.dumps({"input_tokens": self.token_count}).encode())
        return self._replies.popleft() if self._replies else Refusal(500, "the test has queued no reply")

    def wait_until_over(self) -> None:
        """Block a handler until the test is done with this server."""
        self._over.wait(60)


def _handler_of(server: ModelServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: a test that fails shows what was sent."""

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply = server.reply_to(Request(self.path, headers, json.loads(body)))
            if isinstance(reply, Silence):
                server.wait_until_over()
                self._hang_up()
            elif isinstance(reply, Cut):
                self._cut(reply)
            elif isinstance(reply, Raw):
                self._send(reply.status, reply.body, {"content-type": reply.content_type})
            else:
                asked = server.requests[-1].body
                status, told = _rendered(reply, self.path, asked)
                further = reply.headers if isinstance(reply, Refusal) else {}
                self._send(status, json.dumps(told).encode(), {"content-type": "application/json", **further})

        def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _cut(self, cut: Cut) -> None:
            if cut.in_body:
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", "1000")
                self.end_headers()
                self.wfile.write(b'{"id": "msg_')
            self._hang_up()

        def _hang_up(self) -> None:
            self.close_connection = True
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)

    return Handler


def _rendered(reply: Answer | Refusal, path: str, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    if path.endswith("/chat/completions"):
        return _openai(reply, asked)
    return _anthropic(reply, asked)


def _anthropic(reply: Answer | Refusal, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    if isinstance(reply, Refusal):
        return reply.status, {"type": "error", "error": {"type": "error", "message": reply.message}}
    content: list[dict[str, Any]] = [{"type": "text", "text": reply.text}] if reply.text else []
    content += [{"type": "tool_use", "id": call.id, "name": call.name, "input": call.args} for call in reply.calls]
    return 200, {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": reply.model or asked["model"],
        "content": content,
        "stop_reason": reply.finish or ("tool_use" if reply.calls else "end_turn"),
        "stop_sequence": None,
        "usage": {"input_tokens": reply.input_tokens, "output_tokens": reply.output_tokens},
    }


def _openai(reply: Answer | Refusal, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    if isinstance(reply, Refusal):
        return reply.status, {"error": {"message": reply.message, "type": "error", "param": None, "code": None}}
    message: dict[str, Any] = {"role": "assistant", "content": reply.text or None}
    if reply.calls:
        message["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {
                    "name": call.name,
                    "arguments": call.args if isinstance(call.args, str) else json.dumps(call.args),
                },
            }
            for call in reply.calls
        ]
    return 200, {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": reply.model or asked["model"],
        "choices": [
            {
                "index": 0,
                "message": message,
                "finish_reason": reply.finish or ("tool_calls" if reply.calls else "stop"),
            }
        ],
        "usage": {
            "prompt_tokens": reply.input_tokens,
            "completion_tokens": reply.output_tokens,
            "total_tokens": reply.input_tokens + reply.output_tokens,
        },
    }


def _what_is_wrong(request: Request) -> str | None:
    """What the real service would refuse; None for a request that it would take."""
    body = request.body
    if request.path.endswith("/chat/completions"):
        names = [tool["function"]["name"] for tool in body.get("tools", ())]
        return _wrong_name(names) or _wrong_in_chat(body["messages"])
    if request.path in ("/v1/messages", "/v1/messages/count_tokens"):
        names = [tool["name"] for tool in body.get("tools", ())]
        return _wrong_name(names) or _wrong_in_messages(body["messages"])
    return f"no such path: {request.path}"


def _wrong_name(names: list[str]) -> str | None:
    return next((f"tool name {name!r} does not match {_TOOL_NAME.pattern}" for name in names if not _fits(name)), None)


def _fits(name: str) -> bool:
    return _TOOL_NAME.fullmatch(name) is not None


def _wrong_in_messages(messages: list[dict[str, Any]]) -> str | None:
    asked: set[str] = set()
    for message in messages:
        if message["role"] not in ("user", "assistant"):
            return f"unexpected role {message['role']!r}"
        blocks = message["content"] if isinstance(message["content"], list) else []
        if asked != {block["tool_use_id"] for block in blocks if block["type"] == "tool_result"}:
            return "`tool_use` ids must be answered by `tool_result` blocks in the next message"
        asked = {block["id"] for block in blocks if block["type"] == "tool_use"}
        wrong = _wrong_name([block["name"] for block in blocks if block["type"] == "tool_use"])
        if wrong is not None:
            return wrong
    return None


def _wrong_in_chat(messages: list[dict[str, Any]]) -> str | None:
    waiting: list[str] = []
    for message in messages:
        if message["role"] == "tool":
            if message["tool_call_id"] not in waiting:
                return f"no call has the id {message['tool_call_id']!r}"
            waiting.remove(message["tool_call_id"])
            continue
        if waiting:
            return f"calls without an answer: {waiting}"
        calls = message.get("tool_calls", ())
        waiting = [call["id"] for call in calls]
        wrong = _wrong_name([call["function"]["name"] for call in calls])
        if wrong is not None:
            return wrong
    return None
