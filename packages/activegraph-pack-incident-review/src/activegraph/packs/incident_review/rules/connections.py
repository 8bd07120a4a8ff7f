"""Connection slots: who was refused, and who held the slots meanwhile."""

from __future__ import annotations

from activegraph.packs.incident_review.rules.case import Advice, Case, Claim, SignalView, Topic, quote, quotes_of
from activegraph.packs.incident_review.wording import between, counted, first_of, most_frequent, sql

__all__ = ["CONNECTIONS"]


_NOT_FOR_TIME = ("user request", "autovacuum task")
"""What is canceled for another reason than that it took too long, where the language tells."""


def _connections(case: Case) -> list[Claim]:
    refused = list(case.own)
    sessions = case.metric("sessions")
    canceled = [signal for signal in case.all if signal.sqlstate == "57014" and signal.source == "log"]
    slow = [signal for signal in canceled if not any(other in signal.message for other in _NOT_FOR_TIME)]
    claims = [_exhausted(refused, sessions)]
    idle = _idle_sessions(sessions)
    if slow:
        claims.append(_slow_statements(slow, idle))
    if idle is not None:
        claims.append(idle)
    elif sessions is not None and (free := _free_slots(sessions)) is not None:
        claims.append(free)
    return claims


def _exhausted(refused: list[SignalView], sessions: SignalView | None) -> Claim:
    total = sum(signal.count for signal in refused)
    users = most_frequent(signal.facts.get("users", {}) for signal in refused)
    first_at, last_at = min(s.first_at for s in refused), max(s.last_at for s in refused)
    statement = f"The server refused {counted(total, 'connection')} {between(first_at, last_at)}"
    statement += f" (of {first_of(users)})" if users else ""
    statement += ": every slot that was open to them was taken."
    quotes = quotes_of(refused, 0.6)
    if sessions is None:
        statement += " The log does not say who held the slots."
    elif sessions.facts.get("max_connections"):
        statement += (
            f" At the peak, {sessions.facts['peak']} of {sessions.facts['max_connections']} slots were in use; "
            "some are kept for superusers."
        )
        if sessions.facts["peak"] * 2 >= sessions.facts["max_connections"]:
            quotes.append(quote(sessions, 0.2))
    return Claim("slots_exhausted", "no connection slot was free", statement, 0.9, quotes)


def _slow_statements(slow: list[SignalView], idle: Claim | None) -> Claim:
    total = sum(signal.count for signal in slow)
    statements = most_frequent(signal.facts.get("statements", {}) for signal in slow)
    quotes = quotes_of(slow, 0.5)
    if idle is not None:
        # The samples show whole sessions, the log only those that were canceled.
        quotes.append(quote(idle.quotes[0].signal, 0.3, against=True))
    shown = f", most often {sql(statements[0])}" if statements else ""
    return Claim(
        "slow_statements_held_slots",
        "slow statements held the slots",
        f"{counted(total, 'statement')} ran so long in this time that they were canceled{shown}: sessions that work "
        "slowly keep their slots.",
        0.7,
        quotes,
        contradicts=None if idle is None else idle.rule,
    )


def _idle_sessions(sessions: SignalView | None) -> Claim | None:
    if sessions is None:
        return None
    states = sessions.facts.get("states", {})
    idle, all_states = states.get("idle", 0), sum(states.values())
    if idle * 2 <= all_states:
        return None
    return Claim(
        "idle_sessions_held_slots",
        "idle sessions held the slots",
        f"At the peak of {sessions.facts['peak']} sessions, {idle} were idle and {states.get('active', 0)} ran a "
        "statement: most slots were held by clients that asked for nothing, as an oversized pool does.",
        0.8,
        [quote(sessions, 0.6)],
    )


def _free_slots(sessions: SignalView) -> Claim | None:
    peak, most = sessions.facts.get("peak", 0), sessions.facts.get("max_connections", 0)
    if not most or peak * 2 >= most:
        return None
    return Claim(
        "slots_were_free",
        "slots were free in every sample",
        f"No sample shows more than {peak} of {most} slots in use: the refusals came from a limit of a role or a "
        "database, or fell between two samples.",
        0.8,
        [quote(sessions, 0.6)],
        contradicts="slots_exhausted",
    )


CONNECTIONS = Topic(
    "connections",
    "refused connections",
    "Why were connections refused, and who held the slots?",
    "high",
    lambda signal: signal.sqlstate == "53300",
    _connections,
    {
        "slots_exhausted": Advice(
            "Put a pool before the server",
            "Let clients share connections through a pool whose size, summed over all instances, stays below "
            "max_connections less the reserved slots; sample pg_stat_activity by application and state to see who "
            "holds them.",
            "high",
            "platform",
        ),
        "slow_statements_held_slots": Advice(
            "Shorten the slow statements",
            "Look at the plan of the quoted statement, and run reports on a replica or under a role with a "
            "connection limit of its own.",
            "medium",
            "application",
        ),
        "idle_sessions_held_slots": Advice(
            "Shrink pools of idle sessions",
            "Lower the minimum size of the pools and let them close idle connections, or set idle_session_timeout "
            "for their role.",
            "high",
            "application",
        ),
        "slots_were_free": Advice(
            "Look for limits of roles",
            "SELECT rolname, rolconnlimit FROM pg_roles WHERE rolconnlimit >= 0, and datconnlimit in pg_database.",
            "medium",
            "database",
        ),
    },
)
