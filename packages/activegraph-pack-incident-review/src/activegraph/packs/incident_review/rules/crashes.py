"""Crashes, starts and shutdowns: what ended the server, how long it was down, what it replayed."""

from __future__ import annotations

from collections.abc import Sequence

from activegraph.packs.incident_review.log_lines import AFTER_A_CRASH
from activegraph.packs.incident_review.rules.case import Advice, Case, Claim, Quote, SignalView, Topic, quote, quotes_of
from activegraph.packs.incident_review.wording import (
    between,
    clock,
    counted,
    duration,
    seconds_between,
    size,
    sql,
)

__all__ = ["CRASHES", "SHUTDOWNS", "STARTS", "is_sign_of_crash"]

_KINDS = AFTER_A_CRASH | {"redo_started", "redo_done", "ready"}


def is_sign_of_crash(signal: SignalView) -> bool:
    """Whether a signal tells of a crash; replaying the log and turning clients away belong to any start."""
    return signal.kind in AFTER_A_CRASH or signal.severity == "PANIC" or signal.sqlstate == "57P02"


_MEANING_OF_SIGNAL = {
    9: "PostgreSQL ends no working session with signal 9: the kernel does when memory runs out, or a person",
    6: "With signal 6 a process ends itself when it finds its own state impossible",
    7: "Signal 7 means that memory could not be reached: huge pages, shared memory or a disk failed",
    11: "Signal 11 is a fault in the program: a bug of the server or of an extension",
}


def _crashes(case: Case) -> list[Claim]:
    claims = []
    killed = case.of_kind("process_killed")
    panics = [signal for signal in case.own if signal.severity == "PANIC"]
    if killed:
        claims.append(_killed(killed))
    if panics:
        claims.append(_panic(panics))
    crash = [signal for signal in case.own if signal.kind in AFTER_A_CRASH or signal.sqlstate == "57P02"]
    if crash:
        claims += _outage(case, crash, killed or panics)
    refused = case.of_state("57P03")
    if refused and not crash:
        claims.append(_not_ready(refused))
    return claims


def _starts(case: Case) -> list[Claim]:
    claims = []
    if refused := case.of_state("57P03"):
        claims.append(_not_ready(refused))
    if recovered := case.of_kind("redo_started", "redo_done", "ready"):
        claims.append(_recovered(recovered))
    return claims


def _recovered(recovered: Sequence[SignalView]) -> Claim:
    when = between(min(s.first_at for s in recovered), max(s.last_at for s in recovered))
    is_done = any(signal.kind != "redo_started" for signal in recovered)
    return Claim(
        "recovered",
        "the server recovered" if is_done else "the server began to recover",
        f"The server {'replayed its log and came back' if is_done else 'began to replay its log'} {when}; "
        "what ended it before is not in this log.",
        0.7,
        quotes_of(recovered, 0.5),
    )


def _killed(killed: Sequence[SignalView]) -> Claim:
    first = killed[0]
    facts, total = first.facts, sum(signal.count for signal in killed)
    number = facts.get("signal", 0)
    name = f" ({facts['name']})" if facts.get("name") else ""
    process = facts.get("process", "server process")
    statement = f"The {process} {facts.get('pid', '')} was ended by signal {number}{name} at {clock(first.first_at)}"
    statement += f" while it ran {sql(facts['statement'])}." if facts.get("statement") else "."
    statement += f" {_MEANING_OF_SIGNAL.get(number, 'A signal from outside or a fault ended it')}."
    if total > 1:
        statement += f" It happened {total:,} times in this incident."
    return Claim(
        "process_killed", f"ended by signal {number}", " ".join(statement.split()), 0.9, quotes_of(killed, 0.7)
    )


def _panic(panics: Sequence[SignalView]) -> Claim:
    statement = f"The server ended itself at {clock(panics[0].first_at)}: {panics[0].message or panics[0].title}."
    return Claim("panic", "the server ended itself", statement, 0.9, quotes_of(panics, 0.7))


def _outage(case: Case, crash: Sequence[SignalView], cause: Sequence[SignalView]) -> list[Claim]:
    returns = case.of_kind("ready")
    last_crash = max(signal.last_at for signal in crash)
    back = [signal for signal in returns if signal.last_at >= last_crash]
    causes = cause or crash
    refused = case.of_state("57P03")
    quotes = quotes_of(crash[:2], 0.4)
    if back:
        statement = _came_back(min(signal.first_at for signal in causes), returns)
        quotes.append(quote(returns[0], 0.4))
    elif returns:
        statement = _stayed_down(max(signal.last_at for signal in causes), returns)
        quotes.append(quote(returns[0], 0.2))
    else:
        went_down = clock(min(signal.first_at for signal in causes))
        statement = f"The server went down at {went_down}; no line of this incident shows that it came back."
    if refused:
        total = sum(signal.count for signal in refused)
        statement += f" Meanwhile it refused {counted(total, 'connection')}."
        quotes += quotes_of(refused[:2], 0.2)
    replayed, replay_quotes = _replayed(case)
    outage = case.metric("outage")
    if outage is not None:
        statement += f" {counted(outage.facts.get('failed', 0), 'sample')} got no answer."
        quotes.append(quote(outage, 0.2))
    claims = [
        Claim(
            "outage",
            "server down and back" if back else "server down",
            statement + replayed,
            0.9,
            [*quotes, *replay_quotes],
        )
    ]
    return claims + _last_known_up(case, cause, outage)


def _came_back(began: str, returns: Sequence[SignalView]) -> str:
    first = min(signal.first_at for signal in returns)
    down = seconds_between(began, first) or 0.0
    text = f"All sessions were cut at {clock(began)}, and the server took connections again at {clock(first)}, "
    text += f"{duration(max(down, 0.0))} later."
    times, last = _times(returns)
    if times > 1:
        text += f" It came back {times:,} times in this incident, {between(first, last)}."
    return text


def _stayed_down(went_down: str, returns: Sequence[SignalView]) -> str:
    times, last = _times(returns)
    when = between(min(signal.first_at for signal in returns), last)
    return (
        f"The server came back {counted(times, 'time')} {when}, went down again, the last time at "
        f"{clock(went_down)}, and no line of this incident shows that it came back from that."
    )


def _times(returns: Sequence[SignalView]) -> tuple[int, str]:
    """How often the server came back, and when it did for the last time."""
    return sum(signal.count for signal in returns), max(signal.last_at for signal in returns)


def _replayed(case: Case) -> tuple[str, list[Quote]]:
    started, done = case.of_kind("redo_started"), case.of_kind("redo_done")
    if not started or not done:
        return "", []
    text = " It replayed its log"
    begin, end = started[-1].facts.get("position"), done[-1].facts.get("position")
    if begin is not None and end is not None and end > begin:
        text = f" It replayed {size(end - begin)} of its log"
    if "elapsed_seconds" in done[-1].facts:
        text += f" in {duration(done[-1].facts['elapsed_seconds'])}"
    return f"{text}.", [quote(started[-1], 0.2), quote(done[-1], 0.3)]


def _last_known_up(case: Case, cause: Sequence[SignalView], outage: SignalView | None) -> list[Claim]:
    """Where no line tells what ended the server, the log's own guess, and what the samples say of it."""
    interrupted = [signal for signal in case.of_kind("interrupted") if signal.facts.get("last_known_up")]
    if cause or not interrupted:
        return []
    up = interrupted[0].facts["last_known_up"]
    guess = Claim(
        "down_since_last_known_up",
        "down since it was last known up",
        f"Nothing in the log tells what ended the server; it was last known up at {up}, its last checkpoint, and may "
        "have been down since.",
        0.7,
        [quote(interrupted[0], 0.5)],
    )
    answered = outage.facts.get("last_answer_before") if outage is not None else None
    if outage is None or answered is None or (seconds_between(up, answered) or 0.0) <= 1:
        return [guess]
    return [
        guess,
        Claim(
            "answered_until_later",
            "it answered until later",
            f"Samples were answered until {clock(answered)}: the server was up after the time that the log gives.",
            0.9,
            [quote(outage, 0.6)],
            contradicts="down_since_last_known_up",
        ),
    ]


def _not_ready(refused: Sequence[SignalView]) -> Claim:
    total = sum(signal.count for signal in refused)
    statement = (
        f"The server refused {counted(total, 'connection')} {between(refused[0].first_at, refused[-1].last_at)} "
        "because it was starting, recovering or shutting down."
    )
    return Claim("not_ready", "the server was not ready", statement, 0.8, quotes_of(refused, 0.6))


CRASHES = Topic(
    "crash",
    "crash and recovery",
    "What ended the server, how long was it down, and what did recovery replay?",
    "critical",
    lambda signal: signal.kind in _KINDS or is_sign_of_crash(signal) or signal.sqlstate == "57P03",
    _crashes,
    {
        "process_killed": Advice(
            "Find who sent the signal",
            "Look into the kernel's log for the out-of-memory killer at that second (dmesg, journalctl -k). If it "
            "was: set vm.overcommit_memory=2, lower work_mem or the number of connections, and bound the memory of "
            "the neighbours. If a person did: pg_terminate_backend() ends one session and spares the others.",
            "critical",
            "platform",
        ),
        "panic": Advice(
            "Read the server's last words",
            "A PANIC names the file or the check that failed. Make sure that the disk is neither full nor failing "
            "before anything else, and keep a copy of the data directory.",
            "critical",
            "database",
        ),
        "outage": Advice(
            "Bound the time of recovery",
            "Recovery replays what was written since the last checkpoint: a shorter checkpoint_timeout or a smaller "
            "max_wal_size shortens it. Let clients wait and try again with growing pauses while the server says "
            "57P03.",
            "medium",
            "database",
        ),
        "down_since_last_known_up": Advice(
            "Find out what ended the server",
            "Look at the machine's own log for a power cut, a restart, or a kill of the whole service.",
            "high",
            "platform",
        ),
        "answered_until_later": Advice(
            "Date the outage by the samples",
            "The log's time is that of the last checkpoint; report the outage from the last answered sample on.",
            "low",
            "database",
        ),
    },
)


STARTS = Topic(
    "start",
    "start of the server",
    "Why did the server start, and whom did it turn away meanwhile?",
    "medium",
    lambda signal: signal.kind in _KINDS or signal.sqlstate == "57P03",
    _starts,
    {
        "not_ready": Advice(
            "Let clients wait for the server",
            "Clients that meet 57P03 should try again with growing pauses; look before this time for the reason of "
            "the start or stop.",
            "low",
            "application",
        ),
        "recovered": Advice(
            "Look for what ended the server",
            "The lines before this file, or the machine's own log, tell what ended the server.",
            "medium",
            "database",
        ),
    },
)
"""What `CRASHES` takes where nothing tells of a crash: an ordinary start, that of a standby, or the end of a story."""


def _shutdowns(case: Case) -> list[Claim]:
    total = sum(signal.count for signal in case.own)
    first_at, last_at = min(s.first_at for s in case.own), max(s.last_at for s in case.own)
    statement = (
        f"{counted(total, 'session')} ended {between(first_at, last_at)} by an administrator's command: a shutdown, "
        "a restart, or pg_terminate_backend()."
    )
    return [Claim("ended_by_command", "sessions ended by command", statement, 0.9, quotes_of(case.own, 0.6))]


SHUTDOWNS = Topic(
    "shutdown",
    "sessions ended by command",
    "Who ended sessions by command, and was it meant?",
    "medium",
    lambda signal: signal.sqlstate == "57P01",
    _shutdowns,
    {
        "ended_by_command": Advice(
            "Match it with a planned change",
            "Compare the time with deployments and maintenance. If nobody meant it, find out who may call "
            "pg_terminate_backend() or stop the service.",
            "medium",
            "platform",
        )
    },
)
