"""The mission of a run."""

from __future__ import annotations

from dataclasses import dataclass, field

from activegraph.core.lists import require_lists

__all__ = ["Frame"]


@dataclass
class Frame:
    """What a run is for. Its id goes into every event of the runtime and its behaviors.

    A frame is not stored: pass it again when the run is loaded.

    Attributes:
        goal, constraints: The mission in words, and what must hold; models are told both.
        id: Default: the next `frame_NNN` of the run.
        success_criteria, permissions: For behaviors to look at (`ctx.frame`); nothing enforces them.

    Raises:
        InvalidArgumentType: A bare text where a list belongs.
    """

    goal: str
    id: str | None = None
    constraints: list[str] = field(default_factory=list)
    success_criteria: list[str] = field(default_factory=list)
    permissions: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        require_lists(self, "constraints", "success_criteria", "permissions")
