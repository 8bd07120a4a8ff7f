"""The mission of a run."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Frame"]


@dataclass
class Frame:
    """What a run is for. Its id goes into every event of the runtime and its behaviors."""

    goal: str
    id: str | None = None
    constraints: list[str] = field(default_factory=list)
    success_criteria: list[str] = field(default_factory=list)
    permissions: list[str] = field(default_factory=list)
