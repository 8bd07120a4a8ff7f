"""Packs join a runtime: at its construction, or by `load_pack` between two runs.

The checks come first, and are the packs' own. Packs are code, so a load or a fork has to be given
them again; what the log says already is not said twice.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from activegraph.core.codec import encode_payload_bytes
from activegraph.core.log_lines import say
from activegraph.packs.attachment import Attachment, changes_between
from activegraph.packs.loading import RecordedPack, Surroundings, checked_pack, checked_packs, prepare
from activegraph.runtime.lookup import own_tools
from activegraph.runtime.pack_events import record_pack, recorded_pack, say_loaded
from activegraph.runtime.refusals import closed_error, unfinished_error

if TYPE_CHECKING:
    from activegraph.packs.values import Pack
    from activegraph.runtime.engine import Engine

__all__ = ["attach_packs", "load_pack"]

_logger = logging.getLogger("activegraph.packs")


def load_pack(engine: Engine, pack: object, settings: Any) -> bool:
    """Attach a pack and record it, unless the log says the same of it already.

    Returns:
        False where it is attached already.

    Raises:
        PackVersionConflictError, PackConflictError, PackSettingsMissingError: Nothing was changed.
        InvalidRuntimeConfiguration: A model of another provider; nothing was changed.
        IncompatibleRuntimeState: The runtime is closed or at work, or an invocation waits to be
            finished and the log would have to say something new.
    """
    if engine.closed:
        raise closed_error(engine.run_id, "load_pack")
    engine.check_callable("load_pack")
    found = _prepare(engine, checked_pack(pack), settings)
    if found is None:
        return False
    attachment, recorded = found
    payload = attachment.payload()
    changes = _changes(recorded, payload)
    before, event_id = engine.packs, recorded.event_id
    encoded = encode_payload_bytes(payload)
    if changes:
        engine.check_host_call("load_pack")
    head = engine.log.head
    engine.use_packs(before.plus(attachment))
    try:
        if changes:
            event_id = record_pack(engine, encoded).id
    except BaseException:
        if engine.log.head == head:
            engine.use_packs(before)
        raise
    _say(engine, attachment, recorded, changes, event_id)
    return True


def attach_packs(engine: Engine, packs: object) -> None:
    """Attach packs at construction; what the log has to say of them waits for the first change or run.

    Raises:
        What `load_pack` raises; the engine is not used then.
    """
    cut = engine.cut or getattr(engine.recorder.observer, "cut", None)
    for pack, settings in checked_packs(packs):
        found = _prepare(engine, pack, settings)
        if found is None:
            continue
        attachment, recorded = found
        payload = attachment.payload()
        changes = _changes(recorded, payload)
        if changes and cut is not None:
            raise unfinished_error(engine.run_id, cut)
        if changes:
            engine.unrecorded_packs.append((pack, encode_payload_bytes(payload)))
            _warn(engine, attachment, recorded, changes)
        else:
            say_loaded(engine, pack.name, pack.version, recorded.event_id)
        engine.use_packs(engine.packs.plus(attachment))


def _prepare(engine: Engine, pack: Pack, settings: Any) -> tuple[Attachment, RecordedPack] | None:
    recorded = recorded_pack(engine.log, pack.name)
    of_packs = set(map(id, engine.packs.behaviors))
    around = Surroundings(
        tuple(behavior.name for behavior in engine.behaviors_now() if id(behavior) not in of_packs),
        own_tools(engine),
    )
    attachment = prepare(pack, settings, loaded=engine.packs, recorded=recorded, around=around)
    if attachment is None:
        return None
    engine.model_behaviors.settle_models(attachment.behaviors)
    return attachment, recorded


def _changes(recorded: RecordedPack, payload: dict[str, Any]) -> list[str]:
    """What the log does not say yet of the pack; `["new"]` for one that it does not know."""
    return ["new"] if recorded.payload is None else changes_between(recorded.payload, payload)


def _say(
    engine: Engine, attachment: Attachment, recorded: RecordedPack, changes: list[str], event_id: str | None
) -> None:
    _warn(engine, attachment, recorded, changes)
    say_loaded(engine, attachment.name, attachment.pack.version, event_id)


def _warn(engine: Engine, attachment: Attachment, recorded: RecordedPack, changes: list[str]) -> None:
    if recorded.payload is not None and changes:
        message, what = "pack %s differs from what the log recorded: %s", ", ".join(changes)
        fields = {"run_id": engine.run_id, "event_id": recorded.event_id}
        say(_logger, logging.WARNING, message, attachment.name, what, **fields)
