"""The pack as a value: types, behaviors, tools, policies, prompts and settings. Making it registers nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from activegraph.packs import Pack, PackPolicy, load_prompts_from_dir
from activegraph.packs.incident_review.behaviors.actions import action_planner, action_rules
from activegraph.packs.incident_review.behaviors.answering import answering_rules
from activegraph.packs.incident_review.behaviors.conflicts import conflict_detector
from activegraph.packs.incident_review.behaviors.gates import memo_filer, memo_gate, readiness_gate
from activegraph.packs.incident_review.behaviors.intake import intake
from activegraph.packs.incident_review.behaviors.investigating import investigator
from activegraph.packs.incident_review.behaviors.memo import memo_rules, memo_writer
from activegraph.packs.incident_review.behaviors.planning import inquiry_planner, inquiry_rules
from activegraph.packs.incident_review.behaviors.reminders import failed_inquiry, stale_inquiry
from activegraph.packs.incident_review.behaviors.weighing import evidence_weigher
from activegraph.packs.incident_review.object_types import OBJECT_TYPES, RELATION_TYPES
from activegraph.packs.incident_review.settings import IncidentReviewSettings
from activegraph.packs.incident_review.sources import IncidentSource, RecordedSource
from activegraph.packs.incident_review.tools import tools_reading

__all__ = ["pack", "pack_reading"]

pack = Pack(
    name="incident_review",
    version="0.1.0",
    description="The review after an incident, every claim with its evidence.",
    object_types=OBJECT_TYPES,
    relation_types=RELATION_TYPES,
    behaviors=(
        intake,
        inquiry_planner,
        inquiry_rules,
        investigator,
        answering_rules,
        evidence_weigher,
        conflict_detector,
        stale_inquiry,
        failed_inquiry,
        readiness_gate,
        action_planner,
        action_rules,
        memo_gate,
        memo_writer,
        memo_rules,
        memo_filer,
    ),
    tools=tools_reading(RecordedSource()),
    policies=(
        PackPolicy("memo_approval", requires_approval=("memo",)),
        PackPolicy("action_approval", requires_approval=("action",)),
    ),
    prompts=load_prompts_from_dir(Path(__file__).parent / "prompts"),
    settings_schema=IncidentReviewSettings,
)


def pack_reading(source: IncidentSource) -> Pack:
    """The pack with tools that look into incidents of your own instead of the recorded ones."""
    return replace(pack, tools=tools_reading(source))
