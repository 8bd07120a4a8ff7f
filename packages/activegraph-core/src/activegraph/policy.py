"""Declared permissions of a run."""

from __future__ import annotations

from dataclasses import dataclass, field

from activegraph.core.lists import require_lists

__all__ = ["Policy"]


@dataclass
class Policy:
    """What behaviors say they may do; shown to them as `ctx.policy`, recorded, not enforced.

    Attributes:
        behavior: Whom it is about; None for all.
        can_create, can_create_relation: Types of objects and relations.
        can_propose, can_apply: Types of objects whose patches it may propose or apply.
        can_call_tool: Names of tools.
        requires_approval: Types of objects that want `ctx.propose_object`.

    Raises:
        InvalidArgumentType: A bare text where a list belongs.
    """

    behavior: str | None = None
    can_create: list[str] = field(default_factory=list)
    can_create_relation: list[str] = field(default_factory=list)
    can_propose: list[str] = field(default_factory=list)
    can_apply: list[str] = field(default_factory=list)
    can_call_tool: list[str] = field(default_factory=list)
    requires_approval: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        require_lists(self, "can_create", "can_create_relation", "can_propose", "can_apply", "can_call_tool")
        require_lists(self, "requires_approval")
