"""Finding a behavior of a runtime by what somebody calls it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from activegraph.behaviors.base import AnyBehavior
from activegraph.errors import AmbiguousBehaviorError, BehaviorNotFoundError

if TYPE_CHECKING:
    from activegraph.runtime.engine import Engine

__all__ = ["find_behavior"]


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
