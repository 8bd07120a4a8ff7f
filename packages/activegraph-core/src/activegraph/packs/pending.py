"""`PendingApproval`: what a behavior proposed and nobody has decided on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["PendingApproval"]


@dataclass(frozen=True)
class PendingApproval:
    """An object that waits for a decision.

    Attributes:
        kind: `"object"`.
        data: What would be created, as the behavior proposed it.
        reason: Why, in the behavior's words.
        pack: The first loaded pack whose policies gate this type of object; empty if none does.
    """

    id: str
    kind: str
    object_type: str
    data: dict[str, Any]
    reason: str
    pack: str


PendingApproval.__module__ = "activegraph.packs"
