"""`IncidentReviewSettings`: what can be adjusted in a review."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["IncidentReviewSettings", "by_model", "by_rules"]


class IncidentReviewSettings(BaseModel):
    """Settings of a review; all have defaults and bounds."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    llm_model: str | None = Field(
        default=None, min_length=1, description="Name of the model that is asked; the provider's own choice if not set."
    )
    min_inquiries: int = Field(default=4, ge=1, le=20, description="Fewest questions that a model must ask.")
    max_inquiries: int = Field(default=8, ge=1, le=20, description="Most questions that are taken from a model.")
    max_signals_per_inquiry: int = Field(
        default=6, ge=1, le=20, description="Signals that one inquiry may bring in, and quotes of one hypothesis."
    )
    conflict_confidence: float = Field(
        default=0.7,
        ge=0,
        le=1,
        description="What two contradicting hypotheses must both reach to be a conflict; never less than 0.5.",
    )
    auto_approve_memos: bool = Field(default=True, description="Whether memos appear without anybody's approval.")
    auto_approve_actions: bool = Field(default=True, description="Whether actions appear without anybody's approval.")
    investigate_with: Literal["model", "rules"] = Field(
        default="model", description="Who asks, answers, plans and writes: a model, or rules that need none."
    )
    quiet_minutes: float = Field(
        default=10, gt=0, le=1440, description="Quiet time after which another incident begins, in minutes."
    )

    @model_validator(mode="after")
    def _least_below_most(self) -> Self:
        if self.min_inquiries > self.max_inquiries:
            raise ValueError(f"min_inquiries ({self.min_inquiries}) is above max_inquiries ({self.max_inquiries})")
        return self


def by_model(settings: IncidentReviewSettings) -> bool:
    """Whether a model investigates."""
    return settings.investigate_with == "model"


def by_rules(settings: IncidentReviewSettings) -> bool:
    """Whether rules investigate."""
    return settings.investigate_with == "rules"
