"""Finding a behavior or a tool of a runtime by what somebody calls it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from activegraph.behaviors.base import AnyBehavior
from activegraph.errors import AmbiguousBehaviorError, AmbiguousToolError, BehaviorNotFoundError, ToolNotFoundError
from activegraph.tools.base import Tool

if TYPE_CHECKING:
    from activegraph.runtime.engine import Engine

__all__ = ["find_behavior", "find_tool", "own_tools"]


def find_behavior(engine: Engine, name: str) -> AnyBehavior:
    """The behavior of exactly this name, else the one of a pack with this short name.

    Raises:
        BehaviorNotFoundError: There is none.
        AmbiguousBehaviorError: Several packs have one of this short name.
    """
    known = engine.behaviors_now()
    for behavior in known:
        if behavior.name == name:
            return behavior
    short = engine.packs.with_short_name(name)
    if len(short) > 1:
        raise AmbiguousBehaviorError(name, packs=[pack for pack, _ in short])
    if short:
        return short[0][1]
    names = [behavior.name for behavior in known]
    raise BehaviorNotFoundError(name, registered=names, pack_state=bool(engine.packs.attachments))


def own_tools(engine: Engine) -> dict[str, Tool]:
    """The tools of no pack that a behavior of this runtime may name, by name.

    Raises:
        InvalidRuntimeConfiguration: Two different ones have one name.
    """
    of_packs = set(map(id, engine.packs.behaviors))
    return engine.model_behaviors.own_tools(one for one in engine.behaviors_now() if id(one) not in of_packs)


def find_tool(engine: Engine, name: str) -> Tool:
    """The tool of exactly this name, else the one of a pack with this short name.

    Raises:
        ToolNotFoundError: There is none.
        AmbiguousToolError: Several packs have one of this short name.
    """
    packs = engine.packs
    known = {**packs.exported, **packs.tools, **own_tools(engine)}
    if isinstance(name, str) and name in known:
        return known[name]
    short = packs.tools_with_short_name(name)
    if len(short) > 1:
        raise AmbiguousToolError(name, packs=[pack for pack, _ in short])
    if short:
        return short[0][1]
    raise ToolNotFoundError(name, registered=list(known))
