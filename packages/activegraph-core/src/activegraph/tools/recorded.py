"""Tools that answer from files, and the invoker that writes these files.

A recording is `<folder>/<tool name>/<args_hash>.json`. The folder has one file for each different
call; it can be read, edited and kept in version control.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from activegraph.core.log_lines import error_fields, say
from activegraph.errors import ToolError
from activegraph.tools.base import Tool
from activegraph.tools.cache import CachedToolResponse, canonicalize_args, hash_tool_call, recorded_cost
from activegraph.tools.checking import failure_from_record, failure_record
from activegraph.tools.context import ToolContext
from activegraph.tools.fixtures import read_fixture, recorded_at, write_fixture
from activegraph.tools.invoker import DirectToolInvoker, ToolInvoker

__all__ = ["DirectToolInvoker", "RecordedToolProvider", "RecordingToolProvider"]

_NO_FOLDER_NAME = {"/": "%2F", "\\": "%5C", "\x00": "%00"}


class RecordedToolProvider:
    """An invoker that answers from recordings only; it never calls a tool.

    Args:
        fixtures_dir: Folder with the recordings.
    """

    def __init__(self, fixtures_dir: str | Path) -> None:
        self.fixtures_dir = Path(fixtures_dir)

    def invoke(self, tool: Tool, args: Any, ctx: ToolContext) -> CachedToolResponse:
        """What was recorded for this call: result, latency and cost.

        Raises:
            ToolError: The recorded failure again; `tool.fixture_missing` if nothing was recorded, or
                the file cannot be read.
        """
        key = hash_tool_call(tool_name=tool.name, args=args)
        path = _path(self.fixtures_dir, tool.name, key)
        try:
            recording = read_fixture(path)
        except FileNotFoundError as error:
            raise self._missing(tool, key, "has no recording of this call") from error
        except (OSError, ValueError) as error:
            raise self._missing(tool, key, f"has a recording that cannot be read: {error}") from error
        if isinstance(failure := recording.get("error"), dict):
            raise failure_from_record(failure)
        return CachedToolResponse(
            recording.get("output"),
            latency_seconds=float(recording.get("latency_seconds") or 0.0),
            cost_usd=recorded_cost(recording.get("cost_usd")),
        )

    def _missing(self, tool: Tool, key: str, what: str) -> ToolError:
        return ToolError(
            "tool.fixture_missing",
            f"tool {tool.name!r} {what} ({key})",
            payload_extras={"tool": tool.name, "args_hash": key, "fixtures_dir": str(self.fixtures_dir)},
        )


class RecordingToolProvider:
    """An invoker that lets another one make the call, and records what it gave. A failure is recorded too.

    Args:
        inner: Who makes the call.
        fixtures_dir: Folder for the recordings; made when needed. A call made again replaces its file.
    """

    def __init__(self, inner: ToolInvoker, fixtures_dir: str | Path) -> None:
        self.inner = inner
        self.fixtures_dir = Path(fixtures_dir)

    def invoke(self, tool: Tool, args: Any, ctx: ToolContext) -> CachedToolResponse:
        """What `inner` gave.

        A result that cannot be written is given all the same, since the call was made; a WARNING says so.

        Raises:
            ToolError: As `inner` raised it.
        """
        try:
            response = self.inner.invoke(tool, args, ctx)
        except ToolError as error:
            self._try_to_record(tool, args, CachedToolResponse(None, error=failure_record(error, tool.name)), ctx)
            raise
        self._try_to_record(tool, args, response, ctx)
        return response

    def _try_to_record(self, tool: Tool, args: Any, response: CachedToolResponse, ctx: ToolContext) -> None:
        try:
            self._record(tool, args, response)
        except Exception as error:  # of the disk, or of a response of any class
            told = {"tool": tool.name, "behavior": ctx.behavior_name, **error_fields(error)}
            say(ctx.logger, logging.WARNING, "result not recorded in %s", self.fixtures_dir, **told)

    def _record(self, tool: Tool, args: Any, response: CachedToolResponse) -> None:
        key = hash_tool_call(tool_name=tool.name, args=args)
        write_fixture(
            _path(self.fixtures_dir, tool.name, key),
            {
                "tool": tool.name,
                "args_hash": key,
                "recorded_at": recorded_at(),
                "args": canonicalize_args(args),
                "output": response.output,
                "error": response.error,
                "latency_seconds": response.latency_seconds,
                "cost_usd": str(response.cost_usd),
            },
        )


def _path(fixtures_dir: Path, tool: str, key: str) -> Path:
    """The file of a call. A name that is no name of a folder never leads out of the folder."""
    folder = "".join(_NO_FOLDER_NAME.get(letter, letter) for letter in tool)
    if folder in (".", ".."):
        folder = folder.replace(".", "%2E")
    return fixtures_dir / folder / f"{key}.json"
