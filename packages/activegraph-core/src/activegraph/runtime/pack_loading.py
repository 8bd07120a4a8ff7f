"""Packs join a runtime: at its construction, or by `load_pack` between two runs.

The checks come first, and are the packs' own. Packs are code, so a load or a fork has to be given
them again; what the log says already is not said twice.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from activegraph.behaviors.base import AnyBehavior
from activegraph.core.codec import encode_payload_bytes
from activegraph.core.event import Event
from activegraph.core.graph import Graph
from activegraph.core.log_lines import say
from activegraph.packs.attachment import Attachment, changes_between
from activegraph.packs.loading import RecordedPack, Surroundings, checked_pack, checked_packs, prepare
from activegraph.packs.settings import merged
from activegraph.runtime.budget import Budget
from activegraph.runtime.lookup import own_tools
from activegraph.runtime.outside import CallOptions
from activegraph.runtime.pack_events import packs_of, record_pack, recorded_packs, say_loaded
from activegraph.runtime.refusals import closed_error, unfinished_error

if TYPE_CHECKING:
    from activegraph.packs.values import Pack
    from activegraph.runtime.engine import Engine

__all__ = ["attach_packs", "check_fork", "load_pack"]

_UNKNOWN = RecordedPack(None, None, ())
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
    joining = _prepare(engine, checked_pack(pack), settings, recorded_packs(engine.log))
    if joining is None:
        return False
    if joining.is_news:
        engine.check_host_call("load_pack")
    before, head, event_id = engine.packs, engine.log.head, joining.recorded.event_id
    engine.use_packs(before.plus(joining.attachment))
    try:
        if joining.is_news:
            event_id = record_pack(engine, joining.payload).id
    except BaseException:
        if engine.log.head == head:
            engine.use_packs(before)
        raise
    _warn(engine, joining)
    say_loaded(engine, joining.attachment.name, joining.attachment.pack.version, event_id)
    return True


def attach_packs(engine: Engine, packs: object) -> None:
    """Attach packs at construction, load or fork; what the log has to say of them waits for the first change or run.

    Raises:
        What `load_pack` raises; the engine is not used then.
    """
    given = checked_packs(packs)
    if not given:
        return
    cut = engine.cut or getattr(engine.recorder.observer, "cut", None)
    known = recorded_packs(engine.log) if engine.owed is None else packs_of(engine.pack_events)
    for pack, settings in given:
        joining = _prepare(engine, pack, settings, known)
        if joining is None:
            continue
        if joining.is_news and cut is not None:
            raise unfinished_error(engine.run_id, cut)
        if joining.is_news:
            engine.unrecorded_packs.append((pack, joining.payload))
            _warn(engine, joining)
        else:
            say_loaded(engine, pack.name, pack.version, joining.recorded.event_id)
        engine.use_packs(engine.packs.plus(joining.attachment))


def check_fork(
    engine: Engine,
    at_event: str,
    packs: object,
    overrides: Sequence[Event],
    *,
    behaviors: tuple[AnyBehavior, ...] | None,
    options: CallOptions,
) -> None:
    """Refuse what a fork of this run could not have, before there is a fork: models of another provider, packs.

    Args:
        overrides: Events that the fork begins with, behind its prefix.
        behaviors, options: Of the fork.

    Raises:
        What `load_pack` raises.
    """
    probe = type(engine)(
        Graph(run_id=engine.run_id),
        behaviors=behaviors,
        frame=None,
        policy=None,
        budget=Budget(),
        seed=0,
        durability="os",
        options=options,
    )
    probe.model_behaviors.settle_models(probe.behaviors_now())
    given = checked_packs(packs)
    if not given:
        return
    known = packs_of(chain(_up_to(engine.log.read(), at_event), overrides))
    for pack, settings in given:
        joining = _prepare(probe, pack, settings, known)
        if joining is not None:
            probe.use_packs(probe.packs.plus(joining.attachment))


def _up_to(events: Iterable[Event], last: str) -> Iterator[Event]:
    for event in events:
        yield event
        if event.id == last:
            return


class _Joining(NamedTuple):
    """A pack that has passed all checks."""

    attachment: Attachment
    payload: bytes
    """Of its `pack.loaded`."""
    recorded: RecordedPack
    is_news: bool
    """Whether the log does not say the same of it yet."""
    surprises: list[str]
    """What differs from the log, in words, less what a recorded override asks for."""


def _prepare(engine: Engine, pack: Pack, given: Any, known: Mapping[str, RecordedPack]) -> _Joining | None:
    """`pack` as it would join the runtime; None where it is attached already."""
    recorded = known.get(pack.name, _UNKNOWN)
    of_packs = set(map(id, engine.packs.behaviors))
    around = Surroundings(
        tuple(behavior.name for behavior in engine.behaviors_now() if id(behavior) not in of_packs),
        own_tools(engine),
    )
    attachment = prepare(pack, given, loaded=engine.packs, recorded=recorded, around=around)
    if attachment is None:
        return None
    engine.model_behaviors.settle_models(attachment.behaviors)
    payload = attachment.payload()
    encoded = encode_payload_bytes(payload)
    if recorded.payload is None:
        return _Joining(attachment, encoded, recorded, is_news=True, surprises=[])
    asked_for = dict(recorded.payload)
    for override in recorded.overrides:
        settings = asked_for.get("settings")
        asked_for["settings"] = merged(settings if isinstance(settings, dict) else {}, override.values)
    is_news = bool(changes_between(recorded.payload, payload))
    return _Joining(attachment, encoded, recorded, is_news, changes_between(asked_for, payload))


def _warn(engine: Engine, joining: _Joining) -> None:
    if joining.surprises:
        message, what = "pack %s differs from what the log recorded: %s", ", ".join(joining.surprises)
        fields = {"run_id": engine.run_id, "event_id": joining.recorded.event_id}
        say(_logger, logging.WARNING, message, joining.attachment.name, what, **fields)
