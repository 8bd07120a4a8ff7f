"""Which kind of behavior one is, told without importing what makes it.

Whoever has made a behavior of a kind has imported its class; so where that isn't loaded, nothing is one.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TypeGuard

if TYPE_CHECKING:
    from activegraph.behaviors.base import AnyBehavior, RelationBehavior
    from activegraph.llm.behavior import LLMBehavior

__all__ = ["asks_model", "is_about_relations"]


def asks_model(behavior: AnyBehavior) -> TypeGuard[LLMBehavior]:
    """Whether it is an LLM behavior."""
    return _is_made_by(behavior, "activegraph.llm.behavior", "LLMBehavior")


def is_about_relations(behavior: AnyBehavior) -> TypeGuard[RelationBehavior]:
    """Whether it is a relation behavior."""
    return _is_made_by(behavior, "activegraph.behaviors.base", "RelationBehavior")


def _is_made_by(behavior: AnyBehavior, module: str, name: str) -> bool:
    kind = getattr(sys.modules.get(module), name, None)
    return kind is not None and isinstance(behavior, kind)
