"""The topics that the rules know, the gravest first, and which topic a signal belongs to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from activegraph.packs.incident_review.rules.case import Advice, Case, Claim, SignalView, Topic
from activegraph.packs.incident_review.rules.classes import BY_CLASS
from activegraph.packs.incident_review.rules.connections import CONNECTIONS
from activegraph.packs.incident_review.rules.crashes import CRASHES, SHUTDOWNS, STARTS, is_sign_of_crash
from activegraph.packs.incident_review.rules.limits import CANCELED, CHECKPOINTS, DISK, MEMORY
from activegraph.packs.incident_review.rules.locks import DEADLOCKS, LOCK_QUEUES

__all__ = ["READ_THE_LINES", "TOPICS", "UNKNOWN", "URGENCY", "advice_for", "by_topic", "topic_named"]

URGENCY = ("low", "medium", "high", "critical")
"""From the least urgent to the most."""


def _nothing(case: Case) -> list[Claim]:
    return []


UNKNOWN = Topic(
    "unknown",
    "lines that no rule knows",
    "What do the lines mean that no rule knows?",
    "low",
    lambda signal: True,
    _nothing,
    {},
)

READ_THE_LINES = Advice(
    "Read these lines",
    "No rule knows what they mean.",
    "medium",
    "database",
)

TOPICS: tuple[Topic, ...] = (
    CRASHES,
    DISK,
    MEMORY,
    CONNECTIONS,
    DEADLOCKS,
    LOCK_QUEUES,
    CANCELED,
    STARTS,
    SHUTDOWNS,
    *BY_CLASS,
    CHECKPOINTS,
    UNKNOWN,
)

_BY_NAME = {topic.name: topic for topic in TOPICS}
_ADVICE = {rule: advice for topic in TOPICS for rule, advice in topic.advice.items()}


def topic_named(name: str) -> Topic:
    """The topic of this name; that of what no rule knows for any other name."""
    return _BY_NAME.get(name, UNKNOWN)


def by_topic(signals: Iterable[SignalView]) -> list[tuple[Topic, Sequence[SignalView]]]:
    """The log signals of an incident under their topics, in the order of the topics."""
    logged = [signal for signal in signals if signal.source == "log" and signal.kind != "unreadable"]
    has_crashed = any(is_sign_of_crash(signal) for signal in logged)
    topics = [topic for topic in TOPICS if has_crashed or topic is not CRASHES]
    found: dict[str, list[SignalView]] = {}
    for signal in logged:
        topic = next(topic for topic in topics if topic.owns(signal))
        found.setdefault(topic.name, []).append(signal)
    return [(topic, found[topic.name]) for topic in TOPICS if topic.name in found]


def advice_for(rule: str) -> Advice:
    """What to do about a confirmed claim of this rule."""
    return _ADVICE.get(rule, READ_THE_LINES)
