"""Errors that their SQLSTATE class explains: what clients sent, who they are, and broken storage."""

from __future__ import annotations

from dataclasses import dataclass

from activegraph.packs.incident_review.rules.case import Advice, Case, Claim, SignalView, Topic, quotes_of
from activegraph.packs.incident_review.wording import between, counted, first_of, most_frequent, sql

__all__ = ["BY_CLASS"]


@dataclass(frozen=True)
class _Class:
    """One family of SQLSTATEs: its name, question, what its errors mean, and what to do."""

    name: str
    states: tuple[str, ...]
    title: str
    question: str
    priority: str
    meaning: str
    confidence: float
    advice: Advice

    def owns(self, signal: SignalView) -> bool:
        return signal.sqlstate.startswith(self.states)

    def answer(self, case: Case) -> list[Claim]:
        signals = list(case.own)
        total = sum(signal.count for signal in signals)
        applications = most_frequent(signal.facts.get("applications", {}) for signal in signals)
        statements = most_frequent(signal.facts.get("statements", {}) for signal in signals)
        worst = max(signals, key=lambda signal: (signal.count, -signal.line))
        span = between(min(s.first_at for s in signals), max(s.last_at for s in signals))
        text = f"{counted(total, 'time')} {span}, {self.meaning}. Most often ({worst.count:,}): "
        text += f'"{worst.message or worst.title}"'
        text += f", in {sql(statements[0])}" if statements else ""
        text += f"; from {first_of(applications)}." if applications else "."
        ranked = sorted(signals, key=lambda signal: (-signal.count, signal.line))
        return [Claim(self.name, self.title, text, self.confidence, quotes_of(ranked, 0.6))]

    def topic(self) -> Topic:
        return Topic(
            self.name, self.title, self.question, self.priority, self.owns, self.answer, {self.name: self.advice}
        )


_CLASSES = (
    _Class(
        "corruption",
        ("XX001", "XX002"),
        "damaged data",
        "Which data is damaged?",
        "critical",
        "the server read pages or indexes that cannot be right",
        0.9,
        Advice(
            "Save the data directory first",
            "Stop writing, copy the whole data directory, check the disk, and restore from a backup; amcheck and "
            "pg_amcheck tell how far the damage goes. REINDEX helps only where an index alone is damaged.",
            "critical",
            "database",
        ),
    ),
    _Class(
        "storage",
        ("58",),
        "the system refused the server",
        "What could the server not read or write?",
        "high",
        "the operating system refused the server a file or another service",
        0.8,
        Advice(
            "Check the disk and that file",
            "Look at the machine's own log for failing disks and mounts, and at the permissions of the named file.",
            "high",
            "platform",
        ),
    ),
    _Class(
        "serialization",
        ("40",),
        "transactions had to be repeated",
        "Which transactions collide?",
        "medium",
        "the server ended a transaction that collided with another, or with recovery on a standby",
        0.8,
        Advice(
            "Repeat what ends with class 40",
            "Let the application run a transaction again that ends with an SQLSTATE of class 40; on a standby, see "
            "max_standby_streaming_delay and hot_standby_feedback.",
            "medium",
            "application",
        ),
    ),
    _Class(
        "authentication",
        ("28",),
        "sign-ins were refused",
        "Who could not sign in?",
        "medium",
        "the server turned a client away that could not prove who it is",
        0.8,
        Advice(
            "Find who has a wrong password",
            "A changed password that one client missed looks like this, and so does somebody who guesses: compare "
            "users and addresses with the ones you know, and let only known addresses in (pg_hba.conf).",
            "medium",
            "platform",
        ),
    ),
    _Class(
        "network",
        ("08",),
        "connections broke",
        "Why did connections break?",
        "medium",
        "a connection broke, or what came over it made no sense",
        0.7,
        Advice(
            "Look at the network between",
            "Balancers and firewalls drop connections that are idle for long; clients that are killed leave such "
            "lines too.",
            "low",
            "platform",
        ),
    ),
    _Class(
        "constraints",
        ("23",),
        "changes broke a constraint",
        "Which changes did the schema refuse?",
        "low",
        "a change was refused by a constraint of the schema",
        0.8,
        Advice(
            "Decide what a refusal means",
            "The data is safe, the request is lost: let the application answer it (INSERT ... ON CONFLICT, or a "
            "message), so that it is no error in the log.",
            "low",
            "application",
        ),
    ),
    _Class(
        "unknown_names",
        ("42", "3D", "3F", "0A"),
        "statements do not fit the schema",
        "Which statements do not fit the schema?",
        "medium",
        "a statement was refused: a name, a right or a piece of syntax is not as its author thought",
        0.8,
        Advice(
            "Compare the versions deployed",
            "After a deployment, one of them is usually older than the other thinks. Missing rights (42501) want "
            "a GRANT.",
            "medium",
            "application",
        ),
    ),
    _Class(
        "bad_values",
        ("22",),
        "values do not fit their type",
        "Which values does the schema refuse?",
        "low",
        "a value did not fit its type or its range",
        0.8,
        Advice(
            "Check values before sending",
            "Validate what people type before it reaches SQL, and pass it as a parameter.",
            "low",
            "application",
        ),
    ),
    _Class(
        "transaction_state",
        ("25", "0B", "2D", "3B"),
        "transactions used wrongly",
        "Which client loses track of its transactions?",
        "low",
        "a client sent what its transaction's state does not allow",
        0.8,
        Advice(
            "End failed transactions at once",
            "After the first error of a transaction, roll back; what is sent meanwhile is refused. A pool must give "
            "out sessions without an open transaction.",
            "low",
            "application",
        ),
    ),
)

BY_CLASS = tuple(each.topic() for each in _CLASSES)
