"""Limits that were reached: time limits of statements, disk, memory, and the pace of checkpoints."""

from __future__ import annotations

from collections.abc import Sequence

from activegraph.packs.incident_review.rules.case import Advice, Case, Claim, SignalView, Topic, quote, quotes_of
from activegraph.packs.incident_review.wording import between, counted, first_of, most_frequent, sql

__all__ = ["CANCELED", "CHECKPOINTS", "DISK", "MEMORY"]


def _span(signals: Sequence[SignalView]) -> str:
    return between(min(s.first_at for s in signals), max(s.last_at for s in signals))


def _was(count: int) -> str:
    return "was" if count == 1 else "were"


def _canceled(case: Case) -> list[Claim]:
    claims = []
    timed_out = [s for s in case.of_state("57014") if "statement timeout" in s.message]
    if timed_out:
        claims.append(
            _canceled_claim(
                "statement_timeout", "statements ran into a timeout", timed_out, "ran into statement_timeout"
            )
        )
    others = [s for s in case.of_state("57014") if s not in timed_out]
    if others:
        claims.append(_canceled_claim("canceled", "statements were canceled", others, "{was} canceled"))
    if left_open := case.of_state("25P03", "25P04", "57P05"):
        total = sum(signal.count for signal in left_open)
        statement = (
            f"{counted(total, 'session')} stayed idle or in a transaction too long and {_was(total)} ended "
            f"{_span(left_open)}."
        )
        claims.append(Claim("idle_timeout", "idle sessions were ended", statement, 0.9, quotes_of(left_open, 0.6)))
    return claims


def _canceled_claim(rule: str, title: str, signals: Sequence[SignalView], what: str) -> Claim:
    total = sum(signal.count for signal in signals)
    statements = most_frequent(signal.facts.get("statements", {}) for signal in signals)
    applications = most_frequent(signal.facts.get("applications", {}) for signal in signals)
    statement = f"{counted(total, 'statement')}{f' of {first_of(applications)}' if applications else ''} {what.format(was=_was(total))} "
    statement += f"{_span(signals)}{f', most often {sql(statements[0])}' if statements else ''}."
    return Claim(rule, title, statement, 0.9, quotes_of(signals, 0.6))


CANCELED = Topic(
    "canceled",
    "canceled statements",
    "Which statements were canceled, and by which limit?",
    "medium",
    lambda signal: signal.sqlstate in ("57014", "25P03", "25P04", "57P05"),
    _canceled,
    {
        "statement_timeout": Advice(
            "Explain the slow statement",
            "EXPLAIN (ANALYZE, BUFFERS) on a copy; check for missing indexes and old statistics, and whether it "
            "only waited for a lock.",
            "medium",
            "application",
        ),
        "canceled": Advice(
            "Find who cancels statements",
            "A client's own timeout and pg_cancel_backend() look alike in the log; compare the times with the "
            "application's.",
            "low",
            "application",
        ),
        "idle_timeout": Advice(
            "Close transactions that wait",
            "Find the application that leaves transactions open while it waits for something else.",
            "medium",
            "application",
        ),
    },
)


def _disk(case: Case) -> list[Claim]:
    total = sum(signal.count for signal in case.own)
    statement = f"The disk was full, or a limit of it reached, {counted(total, 'time')} {_span(case.own)}: "
    statement += "what wanted to write failed."
    return [Claim("disk_full", "no space left to write", statement, 0.9, quotes_of(case.own, 0.7))]


DISK = Topic(
    "disk",
    "full disk",
    "What filled the disk, and what failed for it?",
    "critical",
    lambda signal: signal.sqlstate in ("53100", "53400"),
    _disk,
    {
        "disk_full": Advice(
            "Make room, find what took it",
            "Look at the size of pg_wal (a replication slot that nobody reads keeps it from shrinking), of "
            "temporary files, and of the largest tables. Never delete files in the data directory by hand.",
            "critical",
            "platform",
        )
    },
)


def _memory(case: Case) -> list[Claim]:
    total = sum(signal.count for signal in case.own)
    statement = f"The server asked for memory in vain {counted(total, 'time')} {_span(case.own)}."
    return [Claim("out_of_memory", "out of memory", statement, 0.9, quotes_of(case.own, 0.7))]


MEMORY = Topic(
    "memory",
    "missing memory",
    "What asked for more memory than there was?",
    "critical",
    lambda signal: signal.sqlstate == "53200",
    _memory,
    {
        "out_of_memory": Advice(
            "Bound what sessions may take",
            'work_mem counts per sort or hash and per process: lower it, or the number of sessions; "out of shared '
            'memory" asks for a higher max_locks_per_transaction instead.',
            "high",
            "database",
        )
    },
)


def _checkpoints(case: Case) -> list[Claim]:
    total = sum(signal.count for signal in case.own)
    closest = min(case.own, key=lambda signal: (signal.facts.get("least_seconds_apart", 1 << 30), signal.line))
    least = closest.facts.get("least_seconds_apart")
    shown = f", {counted(least, 'second')} apart at the closest" if least is not None else ""
    statement = (
        f"The server says {counted(total, 'time')} {_span(case.own)} that its checkpoints come too fast{shown}: more is "
        "written between two of them than max_wal_size has room for."
    )
    return [Claim("checkpoints_too_frequent", "max_wal_size is too small", statement, 0.9, [quote(closest, 0.6)])]


CHECKPOINTS = Topic(
    "checkpoints",
    "frequent checkpoints",
    "Why do checkpoints follow each other so fast?",
    "low",
    lambda signal: signal.kind == "checkpoint_frequent",
    _checkpoints,
    {
        "checkpoints_too_frequent": Advice(
            "Raise max_wal_size",
            "Give it room for what is written in one checkpoint_timeout; the price is disk space and a longer "
            "recovery.",
            "low",
            "database",
        )
    },
)
