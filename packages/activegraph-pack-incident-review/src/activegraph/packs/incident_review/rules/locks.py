"""Deadlocks and lock queues: who waited for whom, in which statements, and who stood at the head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from activegraph.packs.incident_review.rules.case import Advice, Case, Claim, Quote, SignalView, Topic, quote, quotes_of
from activegraph.packs.incident_review.wording import between, counted, duration, first_of, most_frequent, sql

__all__ = ["DEADLOCKS", "LOCK_QUEUES"]


def _deadlocks(case: Case) -> list[Claim]:
    errors = case.of_state("40P01")
    noticed = quotes_of(case.of_kind("deadlock_noticed"), 0.2)
    if not errors:
        return [_without_victims(case, noticed)]
    total = sum(signal.count for signal in errors)
    quotes = [*quotes_of(errors, 0.6), *noticed]
    counter = case.metric("deadlock_counter")
    claims = []
    if counter is not None and counter.facts.get("counted") == total:
        quotes.append(quote(counter, 0.3))
    elif counter is not None:
        claims.append(
            Claim(
                "deadlock_counter_differs",
                "the counter knows other deadlocks",
                f"The samples count {counted(counter.facts.get('counted', 0), 'deadlock')} in this time, while the "
                f"log shows {total}; one of them covers another time or another database.",
                0.8,
                [quote(counter, 0.6)],
                contradicts="opposite_lock_order",
            )
        )
    tables = most_frequent(signal.facts.get("relations", {}) for signal in errors)
    first_at, last_at = min(s.first_at for s in errors), max(s.last_at for s in errors)
    statement = f"The deadlock detector ended {counted(total, 'transaction')} {between(first_at, last_at)}. "
    statement += _cycle(errors[0].facts.get("cycle", []), first_of(tables))
    title = "opposite lock order" + (f" on {tables[0]}" if tables else "")
    return [Claim("opposite_lock_order", title[:40], statement, 0.9, quotes), *claims]


def _without_victims(case: Case, noticed: Sequence[Quote]) -> Claim:
    total = sum(signal.count for signal in case.own)
    return Claim(
        "deadlocks_noticed",
        "sessions waited in a ring",
        f"{counted(total, 'session')} found themselves in a ring of waiting sessions; no line of this time shows "
        "which transaction was ended to break it.",
        0.6,
        [Quote(each.signal, each.text, each.line, 0.5) for each in noticed],
    )


def _cycle(cycle: Sequence[Mapping[str, Any]], tables: str) -> str:
    rows = f" rows of {tables}" if tables else " their locks"
    if not cycle:
        return f"The sessions took{rows} in different orders."
    if len(cycle) != 2:
        return f"{len(cycle)} sessions stood in a ring, each waiting for the next; they take{rows} in different orders."
    first, second = cycle
    if not first.get("statement") or not second.get("statement"):
        return f"Two sessions each held what the other waited for: they take{rows} in opposite order."
    return (
        f"Two sessions each held what the other waited for: process {first['process']} waited for "
        f"{first['blocked_by']} in {sql(first['statement'])}, process {second['process']} for {second['blocked_by']} "
        f"in {sql(second['statement'])}. They take{rows} in opposite order."
    )


DEADLOCKS = Topic(
    "deadlocks",
    "deadlocks",
    "Which statements ran into deadlocks, and in which order did they take their locks?",
    "high",
    lambda signal: signal.sqlstate == "40P01" or signal.kind == "deadlock_noticed",
    _deadlocks,
    {
        "opposite_lock_order": Advice(
            "Take row locks in one order",
            "Let every transaction that changes several rows take them in the same order (sorted by key, or one "
            "SELECT ... ORDER BY ... FOR UPDATE first), and let the application repeat a transaction that fails "
            "with SQLSTATE 40P01.",
            "high",
            "application",
        ),
        "deadlock_counter_differs": Advice(
            "Compare log and counter",
            "Look at the same time and the same database in both: the counter is kept per database, and a crash "
            "sets it back.",
            "low",
            "database",
        ),
        "deadlocks_noticed": Advice(
            "Find both sides of a deadlock",
            "Read the lines around the quoted ones, and keep log_min_messages at WARNING or lower, so that the "
            "statements of both sides are logged.",
            "medium",
            "database",
        ),
    },
)


def _lock_queues(case: Case) -> list[Claim]:
    waits, got = case.of_kind("lock_wait"), case.of_kind("lock_acquired")
    claims = []
    if waits or got:
        claims.append(_queue(case, waits, got))
        if (held := _idle_holder(case)) is not None:
            claims.append(held)
    if refused := case.of_state("55P03"):
        total = sum(signal.count for signal in refused)
        claims.append(
            Claim(
                "gave_up_waiting",
                "statements gave up on a lock",
                f"{counted(total, 'statement')} gave up waiting for a lock instead of standing in a queue.",
                0.8,
                quotes_of(refused, 0.6),
            )
        )
    return claims


def _queue(case: Case, waits: Sequence[SignalView], got: Sequence[SignalView]) -> Claim:
    both = [*waits, *got]
    longest = max(both, key=lambda signal: (signal.facts.get("longest_ms", 0.0), -signal.line))
    seconds = longest.facts.get("longest_ms", 0.0) / 1000
    quotes = [_quote_of_longest(longest)]
    wanted = first_of(most_frequent(signal.facts.get("relations", {}) for signal in both))
    statements = most_frequent(signal.facts.get("statements", {}) for signal in both)
    tail = f" They wanted rows of {wanted}." if wanted else ""
    tail += f" The waiting statement seen most is {sql(statements[0])}." if statements else ""
    head, behind = _head(waits)
    if head is None:
        total = sum(signal.count for signal in both)
        first_at, last_at = min(s.first_at for s in both), max(s.last_at for s in both)
        statement = (
            f"Sessions waited for locks {between(first_at, last_at)} ({counted(total, 'line')}), the longest "
            f"{duration(seconds)}; no session stood at the head all the time.{tail}"
        )
        return Claim("lock_waits", "sessions waited for locks", statement, 0.7, [*quotes, *quotes_of(waits[:1], 0.3)])
    peak = max(waits, key=lambda signal: (signal.facts.get("queue_peak", 0), -signal.line))
    showing = next((signal for signal in waits if head in signal.facts.get("holders", {})), None)
    shown_line = None
    if showing is not None:
        told = showing.facts["holders"][head]
        shown_line = told["line"]
        quotes.append(quote(showing, 0.4, text=told["detail"], line=shown_line))
    if peak.facts.get("queue_peak") and peak.facts["queue_line"] != shown_line:
        quotes.append(quote(peak, 0.2, text=peak.facts["queue_detail"], line=peak.facts["queue_line"]))
    statement = (
        f"Process {head} stood at the head of a lock queue: {counted(behind, 'session')} waited for it, directly or "
        f"behind one another. The longest wait that the log shows lasted {duration(seconds)}.{tail}"
    )
    return Claim("lock_queue", f"lock queue behind process {head}"[:40], statement, 0.8, quotes)


def _quote_of_longest(signal: SignalView) -> Quote:
    facts = signal.facts
    return quote(signal, 0.5, text=facts.get("longest_message"), line=facts.get("longest_line"))


def _head(waits: Sequence[SignalView]) -> tuple[str | None, int]:
    """The process that others wait for and that waits for none, and how many wait for it; (None, 0) if there is none."""
    waits_for: dict[str, set[str]] = {}
    for signal in waits:
        for waiter, holders in signal.facts.get("waits_for", {}).items():
            waits_for.setdefault(waiter, set()).update(holders)
    behind: dict[str, int] = {}
    for waiter in waits_for:
        reached, open_ends = {waiter}, [waiter]
        while open_ends:
            for holder in waits_for.get(open_ends.pop(), ()):
                if holder not in reached:
                    reached.add(holder)
                    open_ends.append(holder)
        for process in reached - waits_for.keys():
            behind[process] = behind.get(process, 0) + 1
    if not behind:
        return None, 0
    head = min(behind, key=lambda process: (-behind[process], len(process), process))
    return head, behind[head]


def _idle_holder(case: Case) -> Claim | None:
    waiters = case.metric("lock_waiters")
    if waiters is None or not waiters.facts.get("samples_with_an_idle_transaction"):
        return None
    facts = waiters.facts
    grown = f"grew from {facts['grew_from']} to {facts['peak']}"
    if facts["peak"] > facts["grew_from"] > 0:
        grown += f" (a growth of {round(100 * (facts['peak'] / facts['grew_from'] - 1))}%)"
    statement = (
        f"While the number of waiting sessions {grown}, {facts['samples_with_an_idle_transaction']} of "
        f"{facts['samples']} samples show a session idle in a transaction: the head of the queue was not working, "
        "its transaction had been left open."
    )
    return Claim("transaction_left_open", "a transaction was left open", statement, 0.8, [quote(waiters, 0.6)])


LOCK_QUEUES = Topic(
    "lock_queue",
    "lock queue",
    "Who stood at the head of the lock queue, and for how long did the others wait?",
    "medium",
    lambda signal: signal.kind in ("lock_wait", "lock_acquired") or signal.sqlstate == "55P03",
    _lock_queues,
    {
        "lock_queue": Advice(
            "Look at the head of the queue",
            "Look up the named process in the lines before (its connection line names application and user), and "
            "shorten the transaction in which it holds its locks. Set lock_timeout where waiting is worse than "
            "failing.",
            "medium",
            "application",
        ),
        "transaction_left_open": Advice(
            "Bound open transactions",
            "Set idle_in_transaction_session_timeout, at least for interactive users, and let no transaction wait "
            "for a person or another service.",
            "high",
            "database",
        ),
        "lock_waits": Advice(
            "Watch the lock waits",
            "Sample pg_stat_activity with pg_blocking_pids() when this happens again, to see who holds what the "
            "others wait for.",
            "low",
            "database",
        ),
        "gave_up_waiting": Advice(
            "Decide what a missed lock means",
            "Let the application repeat what failed with SQLSTATE 55P03, or report it; find the long transaction "
            "that holds the lock.",
            "medium",
            "application",
        ),
    },
)
