"""Payloads of the marks around an invocation, written as canonical text without a detour through dicts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from activegraph.core.codec import UNREADABLE, encode_plain
from activegraph.core.event import Event, raw_payload

if TYPE_CHECKING:
    from activegraph.core.elements import Relation
    from activegraph.runtime.subscriptions import Subscriber

__all__ = ["completed", "matched", "quoted", "started"]

quoted = msgspec.json.Encoder().encode
"""A text of the runtime's own (an id, a type) as canonical text."""

_MOST_REMEMBERED = 1024
_triggered_by: dict[str, bytes] = {}
_counted: dict[tuple[int, int, int, int, int], bytes] = {}
"""What most marks have in common, as it was written for earlier ones."""

_join = b"".join


def matched(subscriber: Subscriber, trigger_id: bytes, count: int) -> bytes:
    """Payload of `pattern.matched`; `trigger_id` is canonical text, here and below."""
    found = b',"matches_count":%d,"pattern":' % count
    return _join((subscriber.mark_begin, trigger_id, found, encode_plain(subscriber.pattern), subscriber.mark_end))


def started(subscriber: Subscriber, trigger: Event, trigger_id: bytes, relation: Relation | None) -> bytes:
    """Payload of `behavior.started` or `relation_behavior.started`."""
    type = trigger.type
    if relation is None:
        about = _triggered_by.get(type)
        if about is None:
            about = b',"triggering_event_type":%b,"triggering_object_id":' % quoted(type)
            if len(_triggered_by) < _MOST_REMEMBERED:
                _triggered_by[type] = about
        id = _triggering_object(raw_payload(trigger))
        return _join((subscriber.mark_begin, trigger_id, about, id, subscriber.mark_end))
    about = b',"triggering_event_type":%b,"relation_type":%b,"relation_id":%b' % (
        quoted(type),
        quoted(relation.type),
        quoted(relation.id),
    )
    return _join((subscriber.mark_begin, trigger_id, about, subscriber.mark_end))


def completed(
    subscriber: Subscriber,
    trigger_id: bytes,
    relation: Relation | None,
    counts: tuple[int, int, int, int, int],
    tool_calls: int | None,
) -> bytes:
    """Payload of `behavior.completed`.

    Args:
        counts: Objects and relations created, patches applied and proposed, events emitted.
        tool_calls: Of a behavior that asks a model.
    """
    counted = _counted.get(counts)
    if counted is None:
        counted = (
            b',"objects_created":%d,"relations_created":%d,"patches_applied":%d,"patches_proposed":%d,"events_emitted":%d'
            % counts
        )
        if len(_counted) < _MOST_REMEMBERED:
            _counted[counts] = counted
    if tool_calls is not None:
        counted += b',"tool_calls":%d' % tool_calls
    if relation is not None:
        counted += b',"relation_id":%b' % quoted(relation.id)
    return _join((subscriber.mark_begin, trigger_id, counted, subscriber.mark_end))


class _Identified(Struct, gc=False):
    id: Any = None


class _WithIdentifiedObject(Struct, gc=False):
    object: _Identified | None = None


_decode_identified = msgspec.json.Decoder(_WithIdentifiedObject).decode

_CREATED = b'{"object":{"id":"'
_ID_BEGINS = len(_CREATED) - 1


def _triggering_object(payload: bytes) -> bytes:
    """The id inside the trigger's `payload["object"]` as canonical text, else `null`."""
    if payload.startswith(_CREATED):
        # The way the graph itself writes it: the id stands first, as text that is canonical already.
        id = payload[_ID_BEGINS : payload.find(b'"', _ID_BEGINS + 1) + 1]
        if b"\\" not in id:
            return id
    elif b'"object":' not in payload:
        return b"null"
    try:
        found = _decode_identified(payload).object
    except UNREADABLE:
        return b"null"
    return quoted(found.id) if found is not None and isinstance(found.id, str) else b"null"
