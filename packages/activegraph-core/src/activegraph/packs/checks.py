"""What a pack refuses to be made of: each check raises a `PackValidationError` that names the part."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from activegraph.errors import PackValidationError
from activegraph.errors.base import shown
from activegraph.packs.declaring import is_declared

__all__ = [
    "refused",
    "require_declared",
    "require_name",
    "require_pack_name",
    "require_unique",
    "require_version",
    "tuple_of",
    "tuple_of_texts",
]

_DECORATORS = "from activegraph.packs import behavior, llm_behavior, relation_behavior, tool"
_PACK_NAME = re.compile(r"[a-z][a-z0-9_]*")


def refused(summary: str, *, why: str, how_to_fix: str, **context: Any) -> PackValidationError:
    """The error of a part that is not as it should be."""
    return PackValidationError(
        summary,
        what_failed=f"Making a part of a pack: {summary}.",
        why=why,
        how_to_fix=how_to_fix,
        context=context,
    )


def require_name(kind: str, name: object) -> None:
    """Refuse an element of a pack without a name."""
    if isinstance(name, str) and name:
        return
    raise refused(
        f"{kind}: `name` must be non-empty text, not {shown(name)}",
        why="The name stands in the log and in what refers to it.",
        how_to_fix='name="volume"',
        kind=kind,
    )


def require_pack_name(name: object) -> None:
    """Refuse a pack's name that could not begin a canonical name."""
    if isinstance(name, str) and _PACK_NAME.fullmatch(name):
        return
    raise refused(
        f"pack name {shown(name)} does not match [a-z][a-z0-9_]*",
        why="Behaviors, tools and policies of a pack are called `<pack>.<name>`, and `--set` takes such names apart.",
        how_to_fix='Use lower-case letters, digits and underscores: Pack(name="incident_review", ...)',
        pack=shown(name),
    )


def require_version(pack: str, version: object) -> None:
    """Refuse a version that is no text."""
    if isinstance(version, str) and version:
        return
    raise refused(
        f"pack {pack!r}: `version` must be non-empty text, not {shown(version)}",
        why="The version is recorded when the pack is loaded, and compared when it is loaded again.",
        how_to_fix='version="0.1.0"',
        pack=pack,
    )


def tuple_of(owner: str, field: str, kind: str, items: object, classes: tuple[type, ...]) -> tuple[Any, ...]:
    """`items` as a tuple, each of one of `classes`.

    Args:
        owner: Whose they are, for the message: `pack 'storage'`.
    """
    declared = field in ("behaviors", "tools")
    wanted = " or ".join(cls.__name__ for cls in classes)
    if isinstance(items, (str, bytes)) or not isinstance(items, Iterable):
        raise _not_a_list(owner, field, wanted, items)
    found = tuple(items)
    for item in found:
        if not isinstance(item, classes):
            raise refused(
                f"{owner}: {kind} {shown(item)} is no {wanted}"
                + (", and was not declared via the decorators of packs" if declared else ""),
                why="A pack's parts are read when it is loaded, long after they were written down.",
                how_to_fix=_DECORATORS if declared else f"{field}=[{wanted}(...)]",
                owner=owner,
                field=field,
                type=type(item).__name__,
            )
    return found


def tuple_of_texts(owner: str, field: str, names: object) -> tuple[str, ...]:
    """`names` as a tuple of texts; a bare text is refused, for it would be taken apart into letters."""
    return tuple_of(owner, field, f"`{field}` entry", names, (str,))


def require_unique(pack: str, kind: str, names: Sequence[str]) -> None:
    """Refuse a name that two parts of one kind share."""
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise refused(
            f"pack {pack!r}: duplicate {kind} name {twice[0]!r}",
            why="A name must mean one thing.",
            how_to_fix=f"Give the second {kind} a name of its own.",
            pack=pack,
            kind=kind,
            name=twice[0],
        )


def require_declared(pack: str, kind: str, items: Iterable[Any]) -> None:
    """Refuse behaviors and tools that the global decorators made, or that have no short name."""
    for item in items:
        if not is_declared(item):
            raise refused(
                f"pack {pack!r}: {kind} {item.name!r} was not declared via the decorators of packs",
                why="The global decorators register what they declare, so that importing the pack would change "
                "every runtime of the process.",
                how_to_fix=_DECORATORS,
                pack=pack,
                kind=kind,
                name=item.name,
            )
        if "." in item.name:
            raise refused(
                f"pack {pack!r}: {kind} name {item.name!r} contains a '.'",
                why="The pack's name is put before it with a '.', and taken off again.",
                how_to_fix=f"name={item.name.replace('.', '_')!r}",
                pack=pack,
                kind=kind,
                name=item.name,
            )


def _not_a_list(owner: str, field: str, wanted: str, items: object) -> PackValidationError:
    return refused(
        f"{owner}: `{field}` must be a list of {wanted}, not {shown(items)}",
        why="Each entry is looked at by itself.",
        how_to_fix=f"{field}=[...]",
        owner=owner,
        field=field,
        type=type(items).__name__,
    )
