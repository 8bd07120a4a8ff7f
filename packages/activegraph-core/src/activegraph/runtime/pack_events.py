"""The log's side of packs: what it knows of one, and the event that says that one was loaded."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from activegraph.core.changes import Stamp
from activegraph.core.codec import decode_canonical
from activegraph.core.event import Event, raw_payload
from activegraph.core.log_lines import say
from activegraph.core.record import EventRecord

if TYPE_CHECKING:
    from activegraph.core.log import RunLog
    from activegraph.packs.loading import RecordedPack
    from activegraph.runtime.engine import Engine

__all__ = [
    "PACK_TYPES",
    "packs_of",
    "record_pack",
    "record_packs",
    "recorded_packs",
    "say_loaded",
    "warn_of_absent_packs",
]

PACK_TYPES = ("pack.loaded", "pack.settings_overridden")
"""Types of the events that say something of a pack."""

_logger = logging.getLogger("activegraph.packs")


def recorded_packs(log: RunLog) -> dict[str, RecordedPack]:
    """What the log says of packs, by name; found by the store's index, where it has one."""
    return packs_of(event for type in PACK_TYPES for event in log.of_type(type))


def packs_of(events: Iterable[Event]) -> dict[str, RecordedPack]:
    """What events say of packs, by name."""
    from activegraph.packs.loading import RecordedPack
    from activegraph.packs.settings import Override

    loads: dict[str, Event] = {}
    overrides: dict[str, list[Override]] = {}
    for event in events:
        if event.actor != "runtime":
            continue  # anybody may emit a `pack.` event; those of the runtime are the ones that count
        if event.type == "pack.loaded":
            loads[str(event.payload.get("name"))] = event
        elif event.type == "pack.settings_overridden":
            fields = _fields(event)
            if isinstance(fields.get("overrides"), dict):
                override = Override(event.id, fields["overrides"])
                overrides.setdefault(str(fields.get("pack")), []).append(override)
    known: dict[str, RecordedPack] = {}
    for name in {**loads, **overrides}:
        load = loads.get(name)
        payload, event_id = (None, None) if load is None else (_fields(load), load.id)
        known[name] = RecordedPack(payload, event_id, tuple(overrides.get(name, ())))
    return known


def _fields(event: Event) -> dict[str, Any]:
    fields: dict[str, Any] = decode_canonical(raw_payload(event))
    return fields


def record_pack(engine: Engine, payload: bytes) -> EventRecord:
    """Emit `pack.loaded`."""
    return _record(engine, _loaded(engine, payload))


def _loaded(engine: Engine, payload: bytes) -> EventRecord:
    return engine.writer.event("pack.loaded", payload, Stamp("runtime", None, engine.frame_id))


def _record(engine: Engine, event: EventRecord) -> EventRecord:
    engine.recorder.record_from_host(event)
    engine.pack_events.append(event.event())
    return event


def record_packs(engine: Engine) -> None:
    """Emit the `pack.loaded` of packs that were given at construction and are new to the log."""
    waiting = engine.unrecorded_packs
    while waiting:
        pack, payload = waiting[0]
        event = _loaded(engine, payload)
        # Only now, since a clock that fails leaves it waiting; and before listeners hear of it, who may change the graph.
        waiting.popleft()
        say_loaded(engine, pack.name, pack.version, _record(engine, event).id)


def warn_of_absent_packs(engine: Engine) -> None:
    """The WARNING of a loaded run that goes on without packs that it had: what it owed to their behaviors is not done."""
    if not engine.pack_events:
        return
    absent = sorted(name for name in packs_of(engine.pack_events) if engine.packs.find(name) is None)
    if absent:
        message = "packs of this run are not attached, so their behaviors hear of nothing: %s; load it with packs=[...]"
        say(_logger, logging.WARNING, message, ", ".join(absent), run_id=engine.run_id)


def say_loaded(engine: Engine, name: str, version: str, event_id: str | None) -> None:
    """The INFO line of a pack that was loaded."""
    say(_logger, logging.INFO, "pack loaded: %s %s", name, version, run_id=engine.run_id, event_id=event_id)
