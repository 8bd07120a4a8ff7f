"""Reading pages, from a real server on this machine that behaves in every way that servers do."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from activegraph.errors import ToolError
from activegraph.tools import ToolContext
from activegraph.tools.checking import checked_output, prepare_call
from activegraph.tools.invoker import DirectToolInvoker
from activegraph.tools.web_fetch import WebFetchInput, WebFetchOutput, web_fetch

CONTEXT = ToolContext(behavior_name="plan", event_id="evt_001")
LIMIT = 5 * 1024 * 1024
Answer = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Answers each path as the test says."""

    pages: dict[str, Answer]

    def do_GET(self) -> None:
        self.server.seen.append(self.path)  # type: ignore[attr-defined]
        self.server.pages[self.path](self)  # type: ignore[attr-defined]

    def log_message(self, *args: Any) -> None: ...

    def answer(self, body: bytes, status: int = 200, length: int | None = None, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.pages: dict[str, Answer] = {}
        self.seen: list[str] = []
        self.released = threading.Event()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"

    def handle_error(self, request: Any, client_address: Any) -> None: ...


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.released.set()
        running.shutdown()
        thread.join()


def fetch(url: str, **fields: Any) -> WebFetchOutput:
    found: WebFetchOutput = web_fetch.fn(WebFetchInput(url=url, **fields), CONTEXT)
    return found


def refused(url: str, **fields: Any) -> ToolError:
    with pytest.raises(ToolError) as refusal:
        fetch(url, **fields)
    assert refusal.value.payload_extras == {"url": url}
    return refusal.value


def test_a_page_is_its_text_status_and_address(server: Server) -> None:
    server.pages["/a?q=1"] = lambda page: page.answer(b"hello")

    assert fetch(server.url("/a?q=1#part")) == WebFetchOutput(text="hello", status=200, final_url=server.url("/a?q=1"))


def test_a_call_by_a_model_goes_all_the_way(server: Server) -> None:
    server.pages["/"] = lambda page: page.answer(b"hello")
    call = prepare_call(web_fetch, {"url": server.url("/")})
    response = DirectToolInvoker().invoke(web_fetch, call.args, CONTEXT)

    assert checked_output(web_fetch, response) == {"text": "hello", "status": 200, "final_url": server.url("/")}
    assert str(response.cost_usd) == "0.001"


@pytest.mark.parametrize("status", [204, 400, 401, 404, 429, 500, 503])
def test_any_status_is_a_result(server: Server, status: int) -> None:
    server.pages["/"] = lambda page: page.answer(b"" if status == 204 else b"sorry", status)

    assert fetch(server.url("/")).status == status


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("grün ☃".encode(), "grün ☃"),
        ("grün".encode("latin-1"), "grün"),
        (b"\xff\xfe\x00", "ÿþ\x00"),
        (b"", ""),
        (b"cut \xe2\x98", "cut â\x98"),
    ],
)
def test_text_is_utf8_or_else_latin1(server: Server, body: bytes, text: str) -> None:
    server.pages["/"] = lambda page: page.answer(body)

    assert fetch(server.url("/")).text == text


class TestRedirects:
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_they_are_followed(self, server: Server, status: int) -> None:
        server.pages["/old"] = lambda page: page.answer(b"moved", status, Location="/new?x=1")
        server.pages["/new?x=1"] = lambda page: page.answer(b"here", 404)

        assert fetch(server.url("/old")) == WebFetchOutput(text="here", status=404, final_url=server.url("/new?x=1"))

    @pytest.mark.parametrize(
        "target", ["file:///etc/hostname", "ftp://127.0.0.1/x", "data:text/plain,x", "gopher://h/"]
    )
    def test_no_other_scheme_is_reached_by_one(self, server: Server, target: str) -> None:
        server.pages["/old"] = lambda page: page.answer(b"", 302, Location=target)

        with pytest.raises(ToolError) as refusal:
            fetch(server.url("/old"))
        assert refusal.value.reason == "tool.invalid_input"
        assert refusal.value.payload_extras == {"url": target}

    def test_a_loop_ends(self, server: Server) -> None:
        server.pages["/a"] = lambda page: page.answer(b"", 302, Location="/b")
        server.pages["/b"] = lambda page: page.answer(b"", 302, Location="/a")

        assert refused(server.url("/a")).reason == "tool.network_error"
        assert 2 < len(server.seen) < 30

    def test_one_that_names_no_target_is_a_result(self, server: Server) -> None:
        server.pages["/"] = lambda page: page.answer(b"where?", 302)

        assert fetch(server.url("/")) == WebFetchOutput(text="where?", status=302, final_url=server.url("/"))


class TestSize:
    def test_a_page_at_the_limit_is_read_whole(self, server: Server) -> None:
        server.pages["/"] = lambda page: page.answer(b"x" * LIMIT)

        assert len(fetch(server.url("/")).text) == LIMIT

    def test_no_more_than_the_limit_is_read(self, server: Server) -> None:
        def endless(page: Handler) -> None:
            page.send_response(200)
            page.end_headers()
            while not server.released.is_set():
                page.wfile.write(b"x" * 65536)

        server.pages["/"] = endless

        assert fetch(server.url("/")).text == "x" * LIMIT

    def test_a_character_that_the_limit_cuts_off_is_left_out(self, server: Server) -> None:
        server.pages["/"] = lambda page: page.answer(b"x" * (LIMIT - 1) + "ü".encode())

        assert fetch(server.url("/")).text == "x" * (LIMIT - 1)


class TestFailures:
    @pytest.mark.parametrize(
        "url", ["file:///etc/hostname", "ftp://127.0.0.1/", "javascript:1", "127.0.0.1:80", "", "data:,x", "HTTP"]
    )
    def test_other_schemes_are_refused(self, url: str) -> None:
        assert refused(url).reason == "tool.invalid_input"

    @pytest.mark.parametrize("url", ["http://", "http://[::1", "http://h:port/", "http://user:pass@h/", "http://a..b/"])
    def test_a_url_that_is_none_is_refused(self, url: str) -> None:
        assert refused(url).reason == "tool.invalid_input"

    def test_nobody_at_home_is_a_network_error(self) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))  # nothing listens there, and nobody else can
            port = taken.getsockname()[1]
            assert refused(f"http://127.0.0.1:{port}/").reason == "tool.network_error"

    @pytest.mark.parametrize("said", [b"", b"HTTP/1.1 ", b"nonsense\r\n\r\n"])
    def test_an_answer_that_is_no_http_is_a_network_error(self, server: Server, said: bytes) -> None:
        def rude(page: Handler) -> None:
            page.wfile.write(said)
            page.close_connection = True

        server.pages["/"] = rude

        assert refused(server.url("/")).reason == "tool.network_error"

    def test_a_connection_that_is_cut_is_a_network_error_and_no_short_page(self, server: Server) -> None:
        server.pages["/"] = lambda page: page.answer(b"half of", length=100)

        error = refused(server.url("/"))
        assert error.reason == "tool.network_error"
        assert "IncompleteRead" in error.message

    def test_a_chunked_page_that_is_cut_is_a_network_error(self, server: Server) -> None:
        def cut(page: Handler) -> None:
            page.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nff\r\nmore")
            page.close_connection = True

        server.pages["/"] = cut

        assert refused(server.url("/")).reason == "tool.network_error"

    def test_a_chunked_page_is_read(self, server: Server) -> None:
        def chunked(page: Handler) -> None:
            page.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")

        server.pages["/"] = chunked

        assert fetch(server.url("/")).text == "hello"

    def test_a_server_that_says_nothing_is_a_timeout(self, server: Server) -> None:
        server.pages["/"] = lambda page: server.released.wait() and None

        assert refused(server.url("/"), timeout_seconds=0.05).reason == "tool.timeout"

    def test_a_page_that_comes_drop_by_drop_is_a_timeout(self, server: Server) -> None:
        def drip(page: Handler) -> None:
            page.send_response(200)
            page.end_headers()
            while not server.released.wait(0.01):
                page.wfile.write(b"x")

        server.pages["/"] = drip

        assert refused(server.url("/"), timeout_seconds=0.2).reason == "tool.timeout"

    def test_redirects_do_not_stretch_the_time(self, server: Server) -> None:
        def onwards(page: Handler) -> None:
            server.released.wait(0.05)
            page.answer(b"", 302, Location=f"{page.path}x")

        server.pages.update({"/" + "x" * n: onwards for n in range(12)})

        assert refused(server.url("/"), timeout_seconds=0.2).reason == "tool.timeout"

    def test_the_tools_own_limit_goes_before_a_longer_one_that_the_model_asks_for(self, server: Server) -> None:
        server.pages["/"] = lambda page: server.released.wait() and None
        hurried = ToolContext(behavior_name="plan", event_id="evt_001", timeout_seconds=0.05)

        with pytest.raises(ToolError, match=r"tool\.timeout"):
            web_fetch.fn(WebFetchInput(url=server.url("/"), timeout_seconds=600), hurried)


def test_letters_beyond_ascii_are_sent_as_servers_read_them(server: Server) -> None:
    server.pages["/gr%C3%BCn%20?q=%E2%98%83"] = lambda page: page.answer(b"ok")

    assert fetch(server.url("/grün ?q=☃")).text == "ok"


@pytest.mark.parametrize("seconds", [0, -1])
def test_a_time_limit_is_above_zero(seconds: float) -> None:
    refusal = prepare_call(web_fetch, {"url": "http://h/", "timeout_seconds": seconds}).refusal

    assert refusal is not None
    assert refusal.reason == "tool.invalid_input"
