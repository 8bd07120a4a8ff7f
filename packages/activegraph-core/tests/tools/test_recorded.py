"""Recordings of tool calls: files that are written once, read back exactly, and never half there."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from activegraph.errors import ToolError
from activegraph.tools import RecordedToolProvider, RecordingToolProvider, Tool, ToolContext
from activegraph.tools.cache import CachedToolResponse, hash_tool_call
from activegraph.tools.checking import prepare_call
from activegraph.tools.recorded import DirectToolInvoker
from pydantic import BaseModel

CONTEXT = ToolContext(behavior_name="plan", event_id="evt_001")


class Query(BaseModel):
    host: str
    depth: int = 1


def never(args: Any, ctx: Any) -> Any:
    raise AssertionError("a recorded tool is not called")


def record(folder: Path, tool: Tool, args: Any) -> CachedToolResponse:
    return RecordingToolProvider(DirectToolInvoker(monotonic=lambda: 0.0), folder).invoke(tool, args, CONTEXT)


def replay(folder: Path, name: str, args: Any) -> CachedToolResponse:
    return RecordedToolProvider(folder).invoke(Tool(name, never), args, CONTEXT)


def test_a_recording_is_one_readable_file_for_each_call(tmp_path: Path) -> None:
    tool = Tool("look", lambda args, ctx: {"percent": 91}, input_schema=Query, cost_per_call=Decimal("0.002"))
    args = prepare_call(tool, {"host": "db1"}).args
    given = record(tmp_path / "new", tool, args)

    key = hash_tool_call(tool_name="look", args=args)
    text = (tmp_path / "new" / "look" / f"{key}.json").read_text()
    assert given == CachedToolResponse({"percent": 91}, cost_usd=Decimal("0.002"))
    assert re.sub(r'"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ"', '"<time>"', text) == (
        "{\n"
        '  "args": {\n'
        '    "depth": 1,\n'
        '    "host": "db1"\n'
        "  },\n"
        f'  "args_hash": "{key}",\n'
        '  "cost_usd": "0.002",\n'
        '  "error": null,\n'
        '  "latency_seconds": 0.0,\n'
        '  "output": {\n'
        '    "percent": 91\n'
        "  },\n"
        '  "recorded_at": "<time>",\n'
        '  "tool": "look"\n'
        "}\n"
    )
    assert [path.name for path in (tmp_path / "new" / "look").iterdir()] == [f"{key}.json"]


def test_what_was_recorded_is_answered_again_without_a_call(tmp_path: Path) -> None:
    tool = Tool("look", lambda args, ctx: {"percent": 91}, cost_per_call=Decimal("0.002"))
    given = record(tmp_path, tool, {"host": "db1"})

    assert replay(tmp_path, "look", {"host": "db1"}) == given


@pytest.mark.parametrize("result", [None, "é\x00\ud800", 2**70, float("nan"), b"\xff", [1, {"a": []}], {"$ag.x": 1}])
def test_results_come_back_exactly(tmp_path: Path, result: Any) -> None:
    record(tmp_path, Tool("look", lambda args, ctx: result), {})

    assert repr(replay(tmp_path, "look", {}).output) == repr(result)


def test_a_call_that_was_not_recorded_is_a_failure_and_no_live_call(tmp_path: Path) -> None:
    with pytest.raises(ToolError) as missing:
        replay(tmp_path, "look", {"host": "db2"})

    key = hash_tool_call(tool_name="look", args={"host": "db2"})
    assert missing.value.reason == "tool.fixture_missing"
    assert missing.value.payload_extras == {"tool": "look", "args_hash": key, "fixtures_dir": str(tmp_path)}


def test_a_failure_is_recorded_and_raised_again(tmp_path: Path) -> None:
    def body(args: Any, ctx: Any) -> Any:
        raise ToolError("tool.network_error", "unreachable", payload_extras={"url": "http://db1"})

    with pytest.raises(ToolError):
        record(tmp_path, Tool("look", body), {})
    with pytest.raises(ToolError) as again:
        replay(tmp_path, "look", {})

    assert (again.value.reason, again.value.message) == ("tool.network_error", "unreachable")
    assert again.value.payload_extras["url"] == "http://db1"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"output": {"$ag.bytes": 1}}', "\xff"])
def test_a_damaged_recording_is_named(tmp_path: Path, text: str) -> None:
    record(tmp_path, Tool("look", lambda args, ctx: 1), {})
    next(tmp_path.glob("look/*.json")).write_bytes(text.encode("latin-1"))

    with pytest.raises(ToolError, match=r"tool\.fixture_missing: tool 'look' has a recording that cannot be read"):
        replay(tmp_path, "look", {})


def test_a_recording_that_somebody_wrote_needs_no_more_than_an_output(tmp_path: Path) -> None:
    path = tmp_path / "look" / f"{hash_tool_call(tool_name='look', args={})}.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"output": [1, 2]}))

    assert replay(tmp_path, "look", {}) == CachedToolResponse([1, 2])


def test_a_call_made_again_replaces_its_recording(tmp_path: Path) -> None:
    for result in ("old", "new"):
        record(tmp_path, Tool("look", lambda args, ctx, result=result: result), {})

    assert replay(tmp_path, "look", {}).output == "new"
    assert len(list(tmp_path.glob("look/*"))) == 1


def test_a_result_that_no_log_could_carry_leaves_no_file_and_is_given_to_who_asked(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    result = object()
    assert record(tmp_path, Tool("look", lambda args, ctx: result), {}).output is result

    assert [line.error_type for line in caplog.records] == ["NonSerializableEventError"]  # type: ignore[attr-defined]
    assert list(tmp_path.rglob("*.json")) == []


def test_a_result_that_cannot_be_written_is_given_all_the_same(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "look").write_text("in the way")

    given = record(tmp_path, Tool("look", lambda args, ctx: {"percent": 91}, cost_per_call="0.002"), {})

    assert given == CachedToolResponse({"percent": 91}, cost_usd=Decimal("0.002"))
    [line] = caplog.records
    assert (line.levelname, line.getMessage()) == ("WARNING", f"result not recorded in {tmp_path}")
    assert (line.tool, line.behavior, line.error_type) == ("look", "plan", "FileExistsError")  # type: ignore[attr-defined]


def test_a_failure_that_cannot_be_written_is_raised_as_it_is(tmp_path: Path) -> None:
    def body(args: Any, ctx: Any) -> Any:
        raise ToolError("tool.network_error", "unreachable")

    (tmp_path / "look").write_text("in the way")
    with pytest.raises(ToolError, match="unreachable"):
        record(tmp_path, Tool("look", body), {})


@pytest.mark.parametrize("name", ["../outside", "a/b", "..", ".", "a\\b", "/etc"])
def test_no_name_of_a_tool_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "recordings"
    record(folder, Tool(name, lambda args, ctx: name), {})

    assert replay(folder, name, {}).output == name
    assert [path.parent.parent for path in tmp_path.rglob("*.json")] == [folder]
