"""Payloads of graph events, put together from canonical parts.

A user's value is encoded once, at the place where it will stand in the payload, so that errors
name that path and limits count that depth; everything around it is already canonical text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from activegraph.core.codec import encode_plain
from activegraph.errors import InvalidArgumentType
from activegraph.errors.base import shown

__all__ = [
    "Stamp",
    "encoded_evidence",
    "encoded_remark",
    "object_created",
    "patch_payload",
    "provenance",
    "relation_created",
    "require_fields",
    "require_text",
    "without_provenance",
]

_quote = msgspec.json.Encoder().encode


class Stamp(Struct, frozen=True, gc=False):
    """Who and why: what the fields and the provenance of one event have in common."""

    actor: str | None
    caused_by: str | None
    frame_id: str | None
    llm_request_event_id: str | None = None
    tool_request_event_ids: tuple[str, ...] = ()


def provenance(stamp: Stamp, *, timestamp: str, run_id: str, evidence: bytes, created_by: str | None) -> bytes:
    """The provenance object of an element as canonical text."""
    calls = b""
    if stamp.llm_request_event_id is not None:
        calls = b',"llm_request_event_id":%b' % _quote(stamp.llm_request_event_id)
        if stamp.tool_request_event_ids:
            calls += b',"tool_request_event_ids":%b' % _quote(stamp.tool_request_event_ids)
    return b'{"created_by":%b,"caused_by_event":%b,"frame_id":%b,"timestamp":%b,"evidence":%b,"run_id":%b%b}' % (
        _quote(created_by),
        _quote(stamp.caused_by),
        _quote(stamp.frame_id),
        _quote(timestamp),
        evidence,
        _quote(run_id),
        calls,
    )


def object_created(id: bytes, type: bytes, data: bytes, provenance: bytes) -> bytes:
    """Payload of `object.created`; every argument is canonical text."""
    return b'{"object":{"id":%b,"type":%b,"data":%b,"version":1,"provenance":%b},"id":%b}' % (
        id,
        type,
        data,
        provenance,
        id,
    )


def relation_created(id: bytes, source: bytes, target: bytes, type: bytes, data: bytes, provenance: bytes) -> bytes:
    """Payload of `relation.created`; every argument is canonical text."""
    return (
        b'{"relation":{"id":%b,"source":%b,"target":%b,"type":%b,"data":%b,"provenance":%b},'
        b'"id":%b,"source":%b,"target":%b}' % (id, source, target, type, data, provenance, id, source, target)
    )


def patch_payload(
    *,
    id: str,
    target: bytes,
    op: str,
    value: bytes,
    expected_version: int,
    proposed_by: bytes,
    rationale: bytes,
    evidence: bytes,
    status: str,
    provenance: bytes,
) -> bytes:
    """The `patch` object inside the payloads of patch events; byte arguments are canonical text."""
    return (
        b'{"id":%b,"target":%b,"op":%b,"value":%b,"expected_version":%d,"proposed_by":%b,"rationale":%b,'
        b'"evidence":%b,"status":%b,"rejection_reason":null,"provenance":%b}'
        % (
            _quote(id),
            target,
            _quote(op),
            value,
            expected_version,
            proposed_by,
            rationale,
            evidence,
            _quote(status),
            provenance,
        )
    )


def require_text(name: str, value: object) -> str:
    """`value` as a plain `str` if it is non-empty text, else `InvalidArgumentType` that names the argument."""
    if isinstance(value, str) and value:
        return value if type(value) is str else str.__str__(value)
    raise InvalidArgumentType(
        f"`{name}` must be non-empty text, not {shown(value)}",
        what_failed=f"A graph change with `{name}={shown(value)}`. Nothing was changed.",
        why="Types and ids name things in the log; an empty or non-text name could not be looked up.",
        how_to_fix=f"Pass a non-empty string as `{name}`.",
        context={"argument": name, "type": type(value).__name__},
    )


def encoded_remark(name: str, value: object, path: str, *, optional: bool = False) -> bytes:
    """A rationale or reason, which is text of any length (or None where it is optional), as canonical text."""
    if not isinstance(value, str) and not (optional and value is None):
        raise InvalidArgumentType(
            f"`{name}` must be text, not {type(value).__name__}",
            what_failed=f"A graph change with `{name}={shown(value)}`. Nothing was changed.",
            why="It is read by people, in the log and in the trace.",
            how_to_fix=f"Pass a string as `{name}`, for example `str(...)` of the value.",
            context={"argument": name, "type": type(value).__name__},
        )
    return encode_plain(value, path, 2)


def require_fields(name: str, value: object) -> dict[str, Any]:
    """`value` if it is a dict, else `InvalidArgumentType` that names the argument."""
    if isinstance(value, dict):
        return value
    raise InvalidArgumentType(
        f"`{name}` must be a dict, not {type(value).__name__}",
        what_failed=f"A graph change with `{name}` of type {type(value).__name__}. Nothing was changed.",
        why="An object's data is a set of named fields.",
        how_to_fix=f'Pass a dict as `{name}`, for example {{"title": "..."}}.',
        context={"argument": name, "type": type(value).__name__},
    )


def encoded_evidence(evidence: Sequence[str] | None) -> bytes:
    """Evidence as canonical text; a bare string would be taken apart into letters, so it is refused."""
    if evidence is None:
        return b"[]"
    if (
        isinstance(evidence, (str, bytes))
        or not isinstance(evidence, Sequence)
        or not all(isinstance(item, str) for item in evidence)
    ):
        raise InvalidArgumentType(
            "`evidence` must be a list of strings",
            what_failed=f"A graph change with `evidence={shown(evidence)}`. Nothing was changed.",
            why="Evidence is a list of references; each is kept as one string.",
            how_to_fix='Pass a list, for example `evidence=["line 12 of app.log"]`.',
            context={"argument": "evidence", "type": type(evidence).__name__},
        )
    return encode_plain(list(evidence), "patch.evidence", 3)


def without_provenance(fields: dict[str, Any]) -> dict[str, Any]:
    """`fields` less a top-level `provenance`, which only the graph writes."""
    return {key: value for key, value in fields.items() if key != "provenance"}
