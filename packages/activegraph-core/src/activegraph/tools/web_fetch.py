"""A tool that reads a page of the web, by HTTP or HTTPS and nothing else.

It is in no registry by itself; a behavior that lists `"web_fetch"` gets it.
"""

from __future__ import annotations

import codecs
import http.client
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urljoin, urlsplit, urlunsplit
from urllib.request import (
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
)

from pydantic import BaseModel, Field

from activegraph.errors import ToolError
from activegraph.tools.base import Tool
from activegraph.tools.context import ToolContext

__all__ = ["WebFetchInput", "WebFetchOutput", "web_fetch"]

_LONGEST_BODY = 5 * 1024 * 1024
"""Bytes that are read of a page."""

_PIECE = 64 * 1024
_REDIRECTS = (301, 302, 303, 307, 308)
_KEPT_IN_PATHS = "/:@!$&'()*+,;=%~?[]"


class WebFetchInput(BaseModel):
    """What to read, and for how long at most."""

    url: str
    timeout_seconds: float = Field(default=10.0, gt=0)


class WebFetchOutput(BaseModel):
    """The page as text, with the status and the address that it came from after all redirects."""

    text: str
    status: int
    final_url: str


def _fetch(args: WebFetchInput, ctx: ToolContext) -> WebFetchOutput:
    deadline = time.monotonic() + min(args.timeout_seconds, ctx.timeout_seconds)
    try:
        request = Request(_checked_url(args.url), headers={"User-Agent": "activegraph"})  # noqa: S310 - checked
        with _opener(deadline).open(request, timeout=_seconds_left(deadline)) as response:
            body, is_whole = _read(response, deadline)
            return WebFetchOutput(text=_text(body, is_whole), status=response.status, final_url=response.url)
    except (http.client.InvalidURL, UnicodeError) as error:
        raise _failure("tool.invalid_input", f"no valid URL: {error}", args.url) from error
    except TimeoutError as error:
        raise _failure("tool.timeout", "no answer in time", args.url) from error
    except URLError as error:
        late = isinstance(error.reason, TimeoutError)
        reason, what = ("tool.timeout", "no answer in time") if late else ("tool.network_error", str(error.reason))
        raise _failure(reason, what, args.url) from error
    except (http.client.HTTPException, OSError) as error:
        raise _failure("tool.network_error", f"{type(error).__name__}: {error}", args.url) from error


def _checked_url(url: str) -> str:
    """`url` in ASCII, as requests carry it."""
    try:
        parts = urlsplit(url.strip())
        host, port, user = parts.hostname, parts.port, parts.username
    except ValueError as error:
        raise _failure("tool.invalid_input", f"no valid URL: {error}", url) from error
    if parts.scheme not in ("http", "https"):
        raise _failure("tool.invalid_input", f"only http and https are read, not {parts.scheme or 'this'!r}", url)
    if not host:
        raise _failure("tool.invalid_input", "the URL names no host", url)
    if user is not None:
        raise _failure("tool.invalid_input", "a URL with a user or a password is not read", url)
    name = host if host.isascii() else host.encode("idna").decode("ascii")
    place = (f"[{name}]" if ":" in name else name) + ("" if port is None else f":{port}")
    return urlunsplit((parts.scheme, place, quote(parts.path, _KEPT_IN_PATHS), quote(parts.query, _KEPT_IN_PATHS), ""))


def _opener(deadline: float) -> OpenerDirector:
    opener = OpenerDirector()
    for handler in (ProxyHandler(), HTTPHandler(), HTTPSHandler(), _AnyStatus(), _Redirects(deadline)):
        opener.add_handler(handler)
    return opener


class _AnyStatus(HTTPErrorProcessor):
    """An answer is a result, whatever its status; only redirects lead on."""

    def http_response(self, request: Request, response: Any) -> Any:
        return super().http_response(request, response) if response.status in _REDIRECTS else response

    https_response = http_response


class _Redirects(HTTPRedirectHandler):
    """Follows redirects within the time that is left, and to the two schemes only."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline

    def _follow(self, req: Request, fp: Any, code: int, msg: str, headers: Any) -> Any:
        target = headers.get("location") or headers.get("uri")
        if target is None:
            return fp
        _checked_url(urljoin(req.full_url, target))
        req.timeout = _seconds_left(self._deadline)
        try:
            return super().http_error_302(req, fp, code, msg, headers)
        except HTTPError as error:
            # Statuses are results here, so this is the handler's own refusal of a loop.
            raise URLError("the redirects lead nowhere") from error

    http_error_301: Callable[..., Any] = _follow
    http_error_302: Callable[..., Any] = _follow
    http_error_303: Callable[..., Any] = _follow
    http_error_307: Callable[..., Any] = _follow
    http_error_308: Callable[..., Any] = _follow


def _read(response: Any, deadline: float) -> tuple[bytes, bool]:
    """The body up to the limit, and whether that is all of it."""
    pieces, left = [], _LONGEST_BODY
    while left and (piece := response.read1(min(left, _PIECE))):
        pieces.append(piece)
        left -= len(piece)
        _seconds_left(deadline)
    body = b"".join(pieces)
    if left and response.length:
        raise http.client.IncompleteRead(body, response.length)
    return body, left > 0


def _text(body: bytes, is_whole: bool) -> str:
    """UTF-8 where it is that, a character that was cut off at the limit left out; else Latin-1."""
    try:
        return codecs.getincrementaldecoder("utf-8")().decode(body, is_whole)
    except UnicodeDecodeError:
        return body.decode("latin-1")


def _seconds_left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _failure(reason: str, what: str, url: str) -> ToolError:
    return ToolError(reason, f"web_fetch: {what}", payload_extras={"url": url})


web_fetch = Tool(
    name="web_fetch",
    fn=_fetch,
    description=(
        "Reads a page by HTTP or HTTPS, following redirects, and gives its text, status and final address. "
        "An error status is an answer too. At most 5 MiB are read."
    ),
    input_schema=WebFetchInput,
    output_schema=WebFetchOutput,
    cost_per_call=Decimal("0.001"),
    timeout_seconds=10.0,
)
"""The tool: 0.001 US dollars a call, ten seconds, not deterministic."""
