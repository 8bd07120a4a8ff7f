"""`IncidentReviewSettings`: what can be adjusted in a review."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from activegraph.errors import InvalidRuntimeConfiguration

__all__ = ["IncidentReviewSettings"]


def _bounded(default: Any, least: float, most: float, description: str) -> Any:
    return field(default=default, metadata={"least": least, "most": most, "description": description})


@dataclass(frozen=True, kw_only=True)
class IncidentReviewSettings:
    """Settings of a review; each has a default, bounds, and a description in its field's metadata.

    Attributes:
        max_signals_per_inquiry: Quotes that a hypothesis takes along as evidence, 1 to 100.
        conflict_confidence: What two contradicting hypotheses must both reach to be a conflict, 0 to 1.
        quiet_minutes: Signals further apart belong to different incidents, above 0 to 1440 (a day).

    Raises:
        InvalidRuntimeConfiguration: A value out of its bounds.
    """

    max_signals_per_inquiry: int = _bounded(6, 1, 100, "quotes that a hypothesis takes along as evidence")
    conflict_confidence: float = _bounded(0.7, 0.0, 1.0, "what both sides of a conflict must reach")
    quiet_minutes: float = _bounded(10, 0.001, 1440, "quiet time after which another incident begins, in minutes")

    def __post_init__(self) -> None:
        for each in fields(self):
            value, least, most = getattr(self, each.name), each.metadata["least"], each.metadata["most"]
            wanted = (int,) if each.type == "int" else (int, float)
            if isinstance(value, bool) or not isinstance(value, wanted) or not least <= value <= most:
                raise InvalidRuntimeConfiguration(
                    f"setting {each.name!r} is {value!r}, not a number from {least} to {most}",
                    what_failed=f"Making the settings of the incident review with {each.name}={value!r}.",
                    why=f"It is the {each.metadata['description']}.",
                    how_to_fix=f"IncidentReviewSettings({each.name}={each.default!r})",
                    context={"setting": each.name, "value": repr(value)},
                )
