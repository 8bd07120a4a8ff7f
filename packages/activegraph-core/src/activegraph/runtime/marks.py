"""Payloads of the marks around an invocation, written as canonical text without a detour through dicts."""

from __future__ import annotations

from functools import lru_cache
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

_join = b"".join


def matched(subscriber: Subscriber, trigger_id: bytes, count: int) -> bytes:
    """Payload of `pattern.matched`; `trigger_id` is canonical text, here and below."""
    found = b',"matches_count":%d,"pattern":' % count
    return _join((subscriber.mark_begin, trigger_id, found, encode_plain(subscriber.pattern), subscriber.mark_end))


def started(subscriber: Subscriber, trigger: Event, trigger_id: bytes, relation: Relation | None) -> bytes:
    """Payload of `behavior.started` or `relation_behavior.started`."""
    if relation is None:
        about, key, id = b"", b',"triggering_object_id":', _triggering_object(raw_payload(trigger))
    else:
        about = b',"relation_type":%b' % quoted(relation.type)
        key, id = b',"relation_id":', quoted(relation.id)
    type = quoted(trigger.type)
    return _join(
        (subscriber.mark_begin, trigger_id, b',"triggering_event_type":', type, about, key, id, subscriber.mark_end)
    )


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
    about = b"" if relation is None else b',"relation_id":%b' % quoted(relation.id)
    return _join((subscriber.mark_begin, trigger_id, _counted(counts, tool_calls), about, subscriber.mark_end))


@lru_cache(maxsize=256)
def _counted(counts: tuple[int, int, int, int, int], tool_calls: int | None) -> bytes:
    counted = (
        b',"objects_created":%d,"relations_created":%d,"patches_applied":%d,"patches_proposed":%d,"events_emitted":%d'
        % counts
    )
    return counted if tool_calls is None else b'%b,"tool_calls":%d' % (counted, tool_calls)


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
