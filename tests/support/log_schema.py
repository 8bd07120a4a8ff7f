"""The lines that operators' dashboards are built on: level, logger, how the message reads, and which fields it has."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from activegraph.observability.logging import LOG_FIELDS

__all__ = ["LINES", "LineKind", "kind_of"]


@dataclass(frozen=True)
class LineKind:
    """One kind of line.

    Attributes:
        fields: That every such line has, besides the four that all lines have.
        further: That it may have.
    """

    level: str
    logger: str
    pattern: str
    fields: frozenset[str]
    further: frozenset[str] = frozenset()


def _line(level: str, logger: str, pattern: str, fields: str = "", further: str = "") -> LineKind:
    return LineKind(level, f"activegraph.{logger}", pattern, frozenset(fields.split()), frozenset(further.split()))


_ID = r"[\w.\-]+"
_JSON = r"(\{.*\}|<withheld>)"
_OF_CALL = "run_id event_id behavior"
_FAILED = "reason error_type error_message"

LINES = (
    _line("DEBUG", "runtime", rf"event payload: {_ID} payload={_JSON}", "run_id event_id", "behavior"),
    _line("DEBUG", "runtime", rf"queue (push|pop): {_ID} depth=\d+", "run_id event_id"),
    _line("DEBUG", "runtime", r"view built: \d+ objects, \d+ relations", f"{_OF_CALL} latency_seconds"),
    _line("DEBUG", "llm", rf"prompt assembled: turn=\d+ hash=[0-9a-f]{{12}} payload={_JSON}", f"{_OF_CALL} model"),
    _line("DEBUG", "llm", r"cache lookup: (hit|miss) key=[0-9a-f]{12}", f"{_OF_CALL} model cache_hit"),
    _line("DEBUG", "tools", r"cache lookup: (hit|miss) key=[0-9a-f]{12}", f"{_OF_CALL} tool cache_hit"),
    _line("DEBUG", "llm", rf"llm response payload={_JSON}", f"{_OF_CALL} model cache_hit"),
    _line("DEBUG", "tools", rf"tool input payload={_JSON}", f"{_OF_CALL} tool"),
    _line("DEBUG", "tools", rf"tool output payload={_JSON}", f"{_OF_CALL} tool"),
    _line("DEBUG", "store", r"append: \d+ events at \d+\.\.\d+", "run_id latency_seconds"),
    _line("INFO", "runtime", rf"event emitted: {_ID}", "run_id event_id", "behavior"),
    _line("INFO", "runtime", r"behavior invoked: \S+", _OF_CALL),
    _line("INFO", "runtime", r"behavior completed: \S+", f"{_OF_CALL} latency_seconds"),
    _line("INFO", "llm", rf"llm call: {_ID}", f"{_OF_CALL} model cache_hit latency_seconds", "cost_usd"),
    _line("INFO", "tools", rf"tool call: {_ID}", f"{_OF_CALL} tool cache_hit latency_seconds", "cost_usd"),
    _line("INFO", "runtime", r"run loaded: \d+ events, \d+ owed", "run_id"),
    _line("INFO", "runtime", rf"run forked: {_ID} at {_ID} -> {_ID}", "run_id"),
    _line("INFO", "runtime", r"run idle", "run_id"),
    _line("INFO", "runtime", r"run stopped: budget max_\w+", "run_id"),
    _line("INFO", "packs", rf"pack loaded: {_ID} [\d.]+", "run_id event_id"),
    _line("INFO", "migration", r"run migrated: \w+ \d+ events", "run_id"),
    _line("INFO", "migration", r"migration finished: \d+ ok, \d+ failed"),
    _line("INFO", "observability", r"metrics backend dropped \d+ observations", "run_id"),
    _line("WARNING", "runtime", r"budget at \d+%: max_\w+ \S+ of \S+", "run_id"),
    _line("WARNING", "llm", r"retry \d+ of \d+ in [\d.]+s", f"{_OF_CALL} model {_FAILED}", "doc_url"),
    _line("WARNING", "llm", rf"llm call failed: {_ID}", f"{_OF_CALL} model {_FAILED} latency_seconds"),
    _line("WARNING", "tools", rf"tool call failed: {_ID}", f"{_OF_CALL} tool {_FAILED} latency_seconds"),
    _line("WARNING", "patterns", r"slow pattern: \S+ \d+ matches", f"{_OF_CALL} latency_seconds"),
    _line("WARNING", "runtime", r"behavior failed: \S+ \(reason=budget\.\S+\)", f"{_OF_CALL} {_FAILED} doc_url"),
    _line("WARNING", "observability", rf"metrics backend failed: {_ID}", "run_id error_type error_message", "doc_url"),
    _line("WARNING", "observability", r"listener failed: \S+", "run_id event_id error_type error_message", "doc_url"),
    _line("WARNING", "observability", "payload redactor failed, payloads are withheld", "error_type"),
    _line("WARNING", "store", r"connection lost, reconnecting \(attempt \d+\)", "error_type", "run_id"),
    _line("WARNING", "store", r"store has no atomic append: \w+", "run_id error_type"),
    _line("ERROR", "runtime", r"behavior failed: \S+ \(reason=(?!budget\.)\S+\)", f"{_OF_CALL} {_FAILED} doc_url"),
    _line("ERROR", "store", "append failed, runtime stopped", "run_id error_type error_message", "doc_url"),
    _line("CRITICAL", "store", r"schema mismatch: found \S+, expected \S+", "error_type error_message doc_url"),
    _line("CRITICAL", "store", r"event log inconsistency: .+", "event_id error_type error_message doc_url", "run_id"),
    _line("CRITICAL", "store", r"concurrent writer: expected \d+ events, found \d+", "run_id error_type doc_url"),
    _line("CRITICAL", "runtime", r"replay divergence: \w+", f"run_id event_id {_FAILED} doc_url"),
)
"""Every kind that the documents promise."""

_TYPES: dict[str, type | tuple[type, ...]] = {"cache_hit": bool, "latency_seconds": (int, float)}


def kind_of(line: dict[str, Any]) -> LineKind:
    """Which kind a line is; fails unless it is one, as it should be."""
    for kind in LINES:
        if (kind.level, kind.logger) == (line["level"], line["logger"]) and re.fullmatch(kind.pattern, line["message"]):
            break
    else:
        raise AssertionError(f"no such line is documented: {line}")
    fields = set(line) - set(LOG_FIELDS[:4])
    assert kind.fields <= fields <= kind.fields | kind.further, f"fields of {line}"
    assert list(line) == [name for name in LOG_FIELDS if name in line], f"order of {line}"
    for name, value in line.items():
        assert isinstance(value, _TYPES.get(name, str)), f"type of {name} in {line}"
        assert value != "", f"{name} of {line}"
    return kind
