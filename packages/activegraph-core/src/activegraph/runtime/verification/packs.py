"""Packs of a re-execution: loaded where the record says so, with the settings that it says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

from activegraph.core.codec import decode_canonical
from activegraph.errors import IncompatibleRuntimeState, PackNotFoundError
from activegraph.packs.attachment import Attachment
from activegraph.packs.loaded import LoadedPacks
from activegraph.packs.loading import RecordedPack, Surroundings, checked_packs, prepare
from activegraph.packs.settings import effective_settings, overridden, without_masks
from activegraph.runtime.lookup import own_tools
from activegraph.runtime.pack_events import recorded_packs

if TYPE_CHECKING:
    from activegraph.packs.values import Pack
    from activegraph.runtime.engine import Engine
    from activegraph.runtime.log_rows import LogRow

__all__ = ["attach_recorded_pack", "latest_loads"]


def latest_loads(rows: Callable[[], Iterable[LogRow]], given: Any) -> frozenset[str]:
    """Ids of the last recorded `pack.loaded` of each pack that was passed with settings.

    Settings that are passed are those that the run would go on with, so they are held against what was in force last.
    """
    names = {pack.name for pack, settings in checked_packs(given) if settings is not None}
    latest: dict[str, str] = {}
    for row in rows() if names else ():
        if row.type == "pack.loaded" and row.actor == "runtime":
            name = decode_canonical(row.payload).get("name")
            if name in names:
                latest[name] = row.id
    return frozenset(latest.values())


def attach_recorded_pack(
    engine: Engine, payload: Mapping[str, Any], event_id: str, given: Any, *, is_latest: bool
) -> Attachment:
    """Attach the pack of a recorded `pack.loaded` in the place of an earlier one of its name.

    It has the settings that are recorded there; where it was loaded last, those that were passed, if any were.

    Args:
        given: The packs that the caller passed.
        is_latest: Whether it was passed with settings, and is loaded for the last time.

    Raises:
        IncompatibleRuntimeState: The pack was not passed, and is not installed.
        PackError: It cannot be loaded with what is recorded.
    """
    pack, settings = _find(str(payload.get("name")), given, engine.run_id, event_id)
    loaded = LoadedPacks(tuple(each for each in engine.packs.attachments if each.name != pack.name))
    of_packs = set(map(id, engine.packs.behaviors))
    around = Surroundings(
        tuple(behavior.name for behavior in engine.behaviors_now() if id(behavior) not in of_packs), own_tools(engine)
    )
    recorded = payload.get("settings")
    if is_latest:
        known = recorded_packs(engine.log).get(pack.name)
        settings = effective_settings(pack, settings, recorded=None, overrides=() if known is None else known.overrides)
    elif settings is not None and isinstance(recorded, Mapping):
        base = effective_settings(pack, settings, recorded=None, overrides=())
        settings = overridden(pack.settings_schema, base, without_masks(recorded))
    load = RecordedPack(payload, event_id, ())
    attachment = prepare(pack, settings, loaded=loaded, recorded=load, around=around)
    # None stands for a pack that `loaded` has already, and this one was taken out of it.
    attached = cast(Attachment, attachment)
    engine.use_packs(engine.packs.with_replaced(attached))
    return attached


def _find(name: str, given: Any, run_id: str, event_id: str) -> tuple[Pack, Any]:
    for pack, settings in checked_packs(given):
        if pack.name == name:
            return pack, settings
    from activegraph.packs import load_by_name

    try:
        return load_by_name(name), None
    except PackNotFoundError as error:
        raise IncompatibleRuntimeState(
            f"run {run_id!r} was recorded with pack {name!r}, which is not here",
            what_failed=f"Replaying run {run_id!r} strictly: event {event_id!r} loads pack {name!r}, which was not passed "
            "and is not installed. Nothing was changed.",
            why="A pack's behaviors are part of what ran; without them nothing can be said of the run.",
            how_to_fix=f"Runtime.load(..., replay_strict=True, packs=[pack]), or install the distribution of {name!r}.",
            context={"run_id": run_id, "pack": name, "event_id": event_id},
        ) from error
