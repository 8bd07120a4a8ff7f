"""Whether a pack may join a runtime, and as what: all checks of `load_pack`, before anything is changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from activegraph.errors import InvalidArgumentType, PackConflictError, PackVersionConflictError
from activegraph.errors.base import shown
from activegraph.packs.attachment import Attachment, ToolOf, make_attachment
from activegraph.packs.loaded import LoadedPacks
from activegraph.packs.settings import Override, effective_settings
from activegraph.packs.tool_names import find_tool
from activegraph.tools.base import Tool

if TYPE_CHECKING:
    from activegraph.packs.values import Pack

__all__ = ["RecordedPack", "Surroundings", "checked_pack", "checked_packs", "prepare"]


class RecordedPack(Struct, frozen=True):
    """What a log knows of one pack."""

    payload: Mapping[str, Any] | None
    """Of its latest `pack.loaded`; None if it was never loaded."""
    event_id: str | None
    overrides: tuple[Override, ...]


def checked_pack(pack: object) -> Pack:
    """`pack` if it is one, else `InvalidArgumentType`."""
    from activegraph.packs import Pack

    if isinstance(pack, Pack):
        return pack
    raise InvalidArgumentType(
        f"a pack was expected, not {type(pack).__name__}",
        what_failed=f"Loading {shown(pack)} as a pack.",
        why="A pack is a value of its own class; its name, its module or its distribution are others.",
        how_to_fix="from activegraph.packs import load_by_name\n\nruntime.load_pack(load_by_name('incident_review'))",
        context={"argument": "pack", "type": type(pack).__name__},
    )


def checked_packs(packs: object) -> list[tuple[Pack, Any]]:
    """`packs=` as pairs of a pack and its settings.

    Raises:
        InvalidArgumentType: It is no list of packs and `(pack, settings)`.
    """
    if packs is None:
        return []
    if isinstance(packs, (str, bytes)) or not isinstance(packs, Iterable):
        raise InvalidArgumentType(
            f"`packs` is a list of packs, not {type(packs).__name__}",
            what_failed=f"`packs={shown(packs)}`.",
            why="Packs are loaded in the order in which they are given.",
            how_to_fix="packs=[pack], or packs=[(pack, settings)]",
            context={"argument": "packs", "type": type(packs).__name__},
        )
    pairs = [each if isinstance(each, tuple) and len(each) == 2 else (each, None) for each in packs]
    return [(checked_pack(pack), settings) for pack, settings in pairs]


class Surroundings(Struct, frozen=True):
    """What a runtime has already, besides its packs."""

    behaviors: tuple[str, ...]
    """Names of the behaviors of no pack."""
    tools: dict[str, Tool]
    """The tools of no pack, by name."""


def prepare(
    pack: Pack, given: object, *, loaded: LoadedPacks, recorded: RecordedPack, around: Surroundings
) -> Attachment | None:
    """The attachment of a pack; None if it is attached already.

    Args:
        given: The settings as the caller passed them.

    Raises:
        PackVersionConflictError, PackConflictError: Names or versions clash.
        PackSettingsMissingError, PackValidationError: Settings that do not fit, a predicate that raised.
        MissingToolError, AmbiguousToolError: A behavior names a tool that cannot be found.
    """
    present = loaded.find(pack.name)
    if present is not None and present.pack.version != pack.version:
        raise _other_version(present.pack, pack)
    if present is not None and given is None:
        return None
    payload = recorded.payload or {}
    base = payload.get("settings")
    settings = effective_settings(
        pack, given, recorded=base if isinstance(base, Mapping) else None, overrides=recorded.overrides
    )
    if present is not None:
        if settings != present.settings:
            raise _other_settings(pack)
        return None

    def finder(own: Mapping[str, Tool]) -> ToolOf:
        return lambda behavior, one: (
            loaded.copy_of(one)
            if isinstance(one, Tool)
            else find_tool(one, behavior, pack.name, own, loaded, around.tools)
        )

    _require_free_types(pack, loaded)
    attachment = make_attachment(pack, settings, finder)
    _require_free_names(attachment, loaded, around)
    return attachment


def _require_free_types(pack: Pack, loaded: LoadedPacks) -> None:
    for kind, field in (("object_type", "object_types"), ("relation_type", "relation_types")):
        owners = {part.name: each.name for each in loaded.attachments for part in getattr(each.pack, field)}
        for part in getattr(pack, field):
            if part.name in owners:
                raise _conflict(kind, part.name, owners[part.name], pack.name)


def _require_free_names(attachment: Attachment, loaded: LoadedPacks, around: Surroundings) -> None:
    exporters = {name: each.name for each in loaded.attachments for name in each.exported}
    taken: tuple[tuple[str, Iterable[str], Mapping[str, str | None]], ...] = (
        ("behavior", [each.name for each in attachment.behaviors], dict.fromkeys(around.behaviors)),
        ("tool", [each.name for each in attachment.tools], dict.fromkeys(around.tools)),
        ("exported_tool", attachment.exported, {**dict.fromkeys(around.tools), **exporters}),
    )
    for kind, names, owners in taken:
        for name in names:
            if name in owners:
                raise _conflict(kind, name, owners[name], attachment.name)


def _conflict(kind: str, name: str, owner: str | None, conflicting: str) -> PackConflictError:
    who = "this runtime, without a pack" if owner is None else f"pack {owner!r}"
    return PackConflictError(
        f"pack {conflicting!r} brings the {kind.replace('_', ' ')} {name!r}, which {who} has already",
        what_failed=f"Loading pack {conflicting!r}. Nothing was changed.",
        why="In one runtime a name belongs to one owner, so that what the log says of it is said of one thing.",
        how_to_fix=f"Use one of the two in this runtime, or rename {name!r} in one of them.",
        context={"kind": kind, "name": name, "owner_pack": owner, "conflicting_pack": conflicting},
    )


def _other_settings(pack: Pack) -> PackConflictError:
    return PackConflictError(
        f"pack {pack.name!r} is loaded already, with other settings",
        what_failed=f"Loading pack {pack.name!r} {pack.version} again with settings that differ. Nothing was changed.",
        why="Its behaviors have run, or may run, with the settings that are recorded; a run has one answer to what they were.",
        how_to_fix=f"Fork the run with other settings: runtime.fork(event_id, pack_settings={{{pack.name!r}: {{...}}}})",
        context={"kind": "settings", "name": pack.name, "owner_pack": pack.name, "conflicting_pack": pack.name},
    )


def _other_version(present: Pack, pack: Pack) -> PackVersionConflictError:
    return PackVersionConflictError(
        f"pack {pack.name!r} is loaded already, in version {present.version}",
        what_failed=f"Loading pack {pack.name!r} {pack.version} into a runtime that has {present.version}. Nothing was changed.",
        why="A runtime neither unloads nor swaps packs: what ran so far ran with the version that is recorded.",
        how_to_fix="Load the run again, or fork it, and load the other version there.",
        context={"pack": pack.name, "loaded_version": present.version, "attempted_version": pack.version},
    )
