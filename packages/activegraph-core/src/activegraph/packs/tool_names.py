"""Which tool a text means: by its exact name, within the pack that asks, or by a short name that only one pack has."""

from __future__ import annotations

from collections.abc import Mapping

from activegraph.errors import AmbiguousToolError, MissingToolError
from activegraph.packs.loaded import LoadedPacks
from activegraph.tools.base import Tool
from activegraph.tools.built_in import built_in_tool

__all__ = ["find_tool"]


def find_tool(
    name: str, behavior: str, pack: str, own: Mapping[str, Tool], loaded: LoadedPacks, others: Mapping[str, Tool]
) -> Tool:
    """The tool that a behavior of a pack means by `name`.

    Args:
        behavior: The behavior's canonical name.
        pack: The pack that is being loaded, and `own` its tools by canonical name.
        others: Tools of no pack.

    Raises:
        MissingToolError: There is none.
        AmbiguousToolError: Several packs have one of this short name.
    """
    known = {**loaded.exported, **loaded.tools, **own, **others}
    for exact in (name, f"{pack}.{name}"):
        if exact in known:
            return known[exact]
    short = loaded.tools_with_short_name(name)
    if len(short) > 1:
        raise AmbiguousToolError(name, packs=[owner for owner, _ in short])
    if short:
        return short[0][1]
    built_in = built_in_tool(name)
    if built_in is not None:
        return built_in
    raise MissingToolError(name, behavior_name=behavior, registered=sorted(known))
