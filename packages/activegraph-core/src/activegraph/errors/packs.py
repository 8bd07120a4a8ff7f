"""Errors about packs: their values, names, versions, settings, prompts and schemas."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

from activegraph.errors.base import PackError, RegistrationError

__all__ = [
    "PackConflictError",
    "PackNotFoundError",
    "PackPromptLoadError",
    "PackSchemaViolation",
    "PackSettingsMissingError",
    "PackValidationError",
    "PackVersionConflictError",
]


class PackNotFoundError(RegistrationError, LookupError):
    """No installed pack has this name."""

    def __init__(self, name: str, *, installed: Iterable[str] = ()) -> None:
        known = tuple(installed)
        super().__init__(
            f"no pack named {name!r} is installed",
            what_failed=f"Looking for a pack whose name is {name!r} among the entry points `activegraph.packs`.",
            why="Packs are found by what the installed distributions announce; a pack's name is not its distribution's.",
            how_to_fix=(
                "Install the distribution that brings it, or pass the pack object itself.\n"
                f"Installed packs (`activegraph pack list`): {', '.join(known) or 'none'}"
            ),
            context={"name": name, "installed": known},
        )
        self.name = name
        self.installed = known


class PackValidationError(RegistrationError, PackError):
    """A pack, or a part of one, that is not made as packs are."""


class PackConflictError(RegistrationError, PackError):
    """A pack brings a name that something else in this runtime has."""


class PackVersionConflictError(RegistrationError, PackError):
    """Another version of the pack is loaded already."""


class PackSettingsMissingError(RegistrationError, PackError):
    """Settings of a pack that are missing or do not fit its schema."""


class PackPromptLoadError(RegistrationError, PackError):
    """A prompt file, or a directory of them, that cannot be read."""


class PackSchemaViolation(PackError, ValueError):
    """Data, or the ends of a relation, that a loaded pack's schema refuses."""

    @classmethod
    def for_object(cls, *, object_type: str, validation_error: object, pack_name: str | None = None) -> Self:
        """For an object's data.

        Args:
            validation_error: What the schema said about it.
        """
        text = str(validation_error)
        return cls(
            f"data of object type {object_type!r} does not fit its schema{_of(pack_name)}",
            what_failed=f"Data for an object of type {object_type!r} was refused. Nothing was changed.\n{text}",
            why="While a pack is loaded, objects of the types that it declares hold what its behaviors count on.",
            how_to_fix=(
                "Give the fields that the schema asks for, of the kinds that it names.\n"
                "See what packs a run has loaded: activegraph inspect <url> --pack-version"
            ),
            context={"object_type": object_type, "pack": pack_name, "validation_error": text},
        )

    @classmethod
    def for_relation_source(
        cls, *, relation_type: str, source_type: str | None, allowed: Iterable[str], pack_name: str | None = None
    ) -> Self:
        """For a relation whose source is of a type that may not be one; None for an id without an object."""
        return cls._for_end("source", relation_type, source_type, allowed, pack_name)

    @classmethod
    def for_relation_target(
        cls, *, relation_type: str, target_type: str | None, allowed: Iterable[str], pack_name: str | None = None
    ) -> Self:
        """For a relation whose target is of a type that may not be one; None for an id without an object."""
        return cls._for_end("target", relation_type, target_type, allowed, pack_name)

    @classmethod
    def _for_end(
        cls, side: str, relation_type: str, end_type: str | None, allowed: Iterable[str], pack_name: str | None
    ) -> Self:
        types = tuple(allowed)
        found = "no object" if end_type is None else f"an object of type {end_type!r}"
        context: dict[str, Any] = {
            "relation_type": relation_type,
            f"{side}_type": end_type,
            f"allowed_{side}_types": types,
            "pack": pack_name,
            "side": side,
        }
        return cls(
            f"the {side} of a {relation_type!r} relation cannot be {found}{_of(pack_name)}",
            what_failed=f"Adding a relation of type {relation_type!r} whose {side} is {found}. Nothing was changed.",
            why="While a pack is loaded, its relation types join the object types that it declares for their ends.",
            how_to_fix=f"Use a {side} of type {' or '.join(map(repr, types))}, or a relation type of your own.",
            context=context,
        )


def _of(pack_name: str | None) -> str:
    return "" if pack_name is None else f" (pack {pack_name!r})"
