"""Promises of the rules: what each kind of signal means, in whose words, and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest
from activegraph import Graph
from activegraph.packs.incident_review import IncidentInput, Signal, add_incident, read_signals
from activegraph.packs.incident_review.metrics_samples import read_metric_signals
from activegraph.packs.incident_review.object_types import OwnerRole, Urgency
from activegraph.packs.incident_review.rules.topics import TOPICS, advice_for
from support.server_logs import at, error, log_line, review, rules_runtime, write_log


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "postgresql.json"


def found(graph: Graph) -> dict[str, Any]:
    """Statements of the first memo's findings by rule."""
    return {each.data["rule"]: each.data["statement"] for each in graph.objects("hypothesis")}


def with_samples(log: Path, samples: list[str]) -> Graph:
    """The review of a log beside metrics."""
    metrics = write_log(log.with_name("metrics.jsonl"), samples)
    signals: list[Signal] = [*read_signals(log), *read_metric_signals(metrics)]
    runtime = rules_runtime()
    add_incident(runtime.graph, IncidentInput("one", "One", signals))
    runtime.run_until_idle()
    assert runtime.errors == []
    return runtime.graph


def sample(second: int, **values: Any) -> str:
    import json

    counts = {"sessions": {}, "backends": 1, "waiting": 0, "deadlocks": 0, "max_connections": 20}
    return json.dumps({"at": f"2026-05-15 10:00:{second:02d}.000 UTC", **counts, **values})


@pytest.mark.parametrize(
    ("sqlstate", "rule"),
    [
        ("08006", "network"),
        ("22P02", "bad_values"),
        ("23505", "constraints"),
        ("25P02", "transaction_state"),
        ("25P03", "idle_timeout"),
        ("28P01", "authentication"),
        ("40001", "serialization"),
        ("40P01", "opposite_lock_order"),
        ("42P01", "unknown_names"),
        ("53100", "disk_full"),
        ("53200", "out_of_memory"),
        ("53300", "slots_exhausted"),
        ("55P03", "gave_up_waiting"),
        ("57014", "canceled"),
        ("57P01", "ended_by_command"),
        ("57P03", "not_ready"),
        ("58030", "storage"),
        ("XX001", "corruption"),
    ],
)
def test_an_error_is_known_by_its_sqlstate_in_any_language(log: Path, sqlstate: str, rule: str) -> None:
    graph = review(write_log(log, [error(sqlstate, "eine Meldung")] * 3))

    assert list(found(graph)) == [rule]
    (memo,) = graph.objects("memo")
    assert memo.data["findings"][0]["status"] == "confirmed"
    assert memo.data["actions"][0]["title"] == advice_for(rule).title


@pytest.mark.parametrize("sqlstate", ["P0001", "01000", "XX000", "ZZ999", "", "F0000"])
def test_any_other_sqlstate_is_left_unresolved(log: Path, sqlstate: str) -> None:
    graph = review(write_log(log, [error(sqlstate, "unheard of")]))

    assert found(graph) == {}
    assert [inquiry.data["status"] for inquiry in graph.objects("inquiry")] == ["unresolved"]


def test_every_piece_of_advice_is_to_somebody_and_has_an_urgency() -> None:
    for topic in TOPICS:
        for advice in topic.advice.values():
            assert advice.priority in get_args(Urgency)
            assert advice.owner_role in get_args(OwnerRole)
            assert len(advice.title) <= 31


def wait(waiter: int, holder: int, *, seconds: float = 0, queue: str = "") -> str:
    message = f"process {waiter} still waiting for ShareLock on transaction {holder}0 after 200.1 ms"
    detail = f"Process holding the lock: {holder}. Wait queue: {queue or waiter}."
    return log_line(message, seconds=seconds, detail=detail, context='while updating tuple (0,1) in relation "product"')


def test_the_head_of_a_lock_queue_is_who_waits_for_nobody_himself(log: Path) -> None:
    lines = [wait(5, 4), wait(6, 5, queue="6, 7"), wait(7, 6), wait(8, 9)]

    graph = review(write_log(log, lines))

    assert found(graph)["lock_queue"].startswith("Process 4 stood at the head of a lock queue: 3 sessions waited")


def test_sessions_that_only_wait_for_each_other_have_no_head(log: Path) -> None:
    graph = review(write_log(log, [wait(5, 6), wait(6, 5)]))

    assert "no session stood at the head" in found(graph)["lock_waits"]


def test_the_longest_wait_is_quoted_from_the_line_that_tells_it(log: Path) -> None:
    got = [f"process 5 acquired ShareLock on transaction 9 after {ms} ms" for ms in (900.5, 61000.25, 30.0)]

    graph = review(write_log(log, [wait(5, 4), *[log_line(message) for message in got]]))

    assert "lasted 1 min 1 s" in found(graph)["lock_queue"]
    quoted = {each.data["quote"]: each.data["line"] for each in graph.objects("evidence")}
    assert quoted[got[1]] == 3


def test_a_counter_that_knows_other_deadlocks_than_the_log_contradicts_it(log: Path) -> None:
    write_log(log, [error("40P01", "deadlock detected")] * 3)

    graph = with_samples(log, [sample(0, deadlocks=7), sample(1, deadlocks=8)])

    assert "count 1 deadlock in this time, while the log shows 3" in found(graph)["deadlock_counter_differs"]
    assert len(graph.objects("conflict")) == 1


def test_a_counter_that_fell_was_reset_and_counts_from_nothing(log: Path) -> None:
    write_log(log, [error("40P01", "deadlock detected")] * 3)

    graph = with_samples(log, [sample(0, deadlocks=7), sample(1, deadlocks=8), sample(2, deadlocks=2)])

    assert graph.objects("conflict") == []


def test_refusals_while_most_slots_are_free_in_every_sample_are_a_conflict(log: Path) -> None:
    write_log(log, [error("53300", 'too many connections for role "shop"', severity="FATAL")])

    graph = with_samples(log, [sample(0, backends=4, sessions={"active": 4})])

    assert "No sample shows more than 4 of 20 slots in use" in found(graph)["slots_were_free"]
    assert len(graph.objects("conflict")) == 1


def test_without_samples_the_review_says_that_the_log_does_not_tell_who_held_the_slots(log: Path) -> None:
    graph = review(write_log(log, [error("53300", "sorry, too many clients already", severity="FATAL")]))

    assert found(graph)["slots_exhausted"].endswith("The log does not say who held the slots.")


@pytest.mark.parametrize(
    ("reason", "is_slow"),
    [
        ("statement due to statement timeout", True),
        ("statement due to user request", False),
        ("autovacuum task", False),
    ],
)
def test_only_what_was_canceled_for_its_time_is_said_to_have_held_the_slots(
    log: Path, reason: str, is_slow: bool
) -> None:
    refused = error("53300", "sorry, too many clients already", severity="FATAL")

    graph = review(write_log(log, [refused, error("57014", f"canceling {reason}")]))

    assert ("slow_statements_held_slots" in found(graph)) is is_slow


CRASH = [
    log_line(
        "server process (PID 7) was terminated by signal 11: Segmentation fault",
        detail="Failed process was running: SELECT broken()",
    ),
    log_line("terminating any other active server processes"),
    log_line("database system was interrupted; last known up at 2026-05-15 09:59:00 UTC", seconds=1),
    error("57P03", "the database system is in recovery mode", severity="FATAL", seconds=1),
    log_line("redo starts at 0/1000000", seconds=1),
    log_line("redo done at 0/3000000 system usage: CPU: user: 0.70 s, system: 0.24 s, elapsed: 12.50 s", seconds=13),
]
READY = log_line("database system is ready to accept connections", seconds=75)


def test_a_crash_is_told_with_cause_time_down_and_what_was_replayed(log: Path) -> None:
    graph = review(write_log(log, [*CRASH, READY]))

    assert "signal 11 (Segmentation fault)" in found(graph)["process_killed"]
    assert "`SELECT broken()`" in found(graph)["process_killed"]
    assert "1 min 15 s later" in found(graph)["outage"]
    assert "refused 1 connection" in found(graph)["outage"]
    assert "replayed 32 MB of its log in 12 s" in found(graph)["outage"]
    assert graph.objects("incident")[0].data["severity"] == "critical"


def test_a_server_that_did_not_come_back_is_not_said_to_have_come_back(log: Path) -> None:
    graph = review(write_log(log, CRASH))

    assert "no line of this incident shows that it came back" in found(graph)["outage"]


def later(seconds: float, lines: list[str]) -> list[str]:
    """Lines of the crash, that much later; they are at most two minutes long."""
    found = {at(n): at(n + seconds) for n in range(120)}
    return [line.replace(line[15:42], found[line[15:42]], 1) for line in lines]


def test_a_server_that_came_back_several_times_was_not_down_all_the_time(log: Path) -> None:
    graph = review(write_log(log, [*CRASH, READY, *later(300, [*CRASH, READY]), *later(600, [*CRASH, READY])]))

    assert "again at 10:01:15, 1 min 15 s later" in found(graph)["outage"]
    assert "came back 3 times in this incident, between 10:01:15 and 10:11:15" in found(graph)["outage"]
    assert [each.data["line"] for each in graph.objects("evidence") if "is ready" in each.data["quote"]] == [7]


def test_a_server_that_came_back_and_then_did_not_is_said_to_be_down_since_the_last_time(log: Path) -> None:
    graph = review(write_log(log, [*CRASH, READY, *later(300, CRASH)]))

    assert "came back 1 time at 10:01:15, went down again, the last time at 10:05:00" in found(graph)["outage"]
    assert "server down" in [each.data["title"] for each in graph.objects("hypothesis")]


def test_a_crash_without_a_cause_in_the_log_may_be_as_old_as_the_last_checkpoint(log: Path) -> None:
    graph = review(write_log(log, [CRASH[2], READY]))

    assert "last known up at 2026-05-15 09:59:00 UTC" in found(graph)["down_since_last_known_up"]


def test_samples_that_were_answered_later_than_that_contradict_it(log: Path) -> None:
    write_log(log, [CRASH[2], READY])

    graph = with_samples(log, [sample(0), '{"at": "2026-05-15 10:00:01.000 UTC", "error": "refused"}', sample(9)])

    assert "answered until 10:00:00" in found(graph)["answered_until_later"]
    assert len(graph.objects("conflict")) == 1


def test_an_ordinary_start_is_no_crash(log: Path) -> None:
    refused = error("57P03", "the database system is starting up", severity="FATAL")

    graph = review(write_log(log, [refused, log_line("redo starts at 0/1000000", seconds=1), READY]))

    assert graph.objects("incident")[0].data["severity"] == "medium"
    assert "began to replay its log at 10:00:01; what ended it before" in found(graph)["recovered"]
    assert "refused 1 connection at 10:00:00" in found(graph)["not_ready"]


def test_a_log_that_begins_in_the_middle_of_a_recovery_tells_its_end(log: Path) -> None:
    graph = review(write_log(log, CRASH[4:]))

    assert "came back between 10:00:01 and 10:00:13; what ended it before" in found(graph)["recovered"]


@pytest.mark.parametrize(("count", "said"), [(1, "1 statement was canceled"), (2, "2 statements were canceled")])
def test_one_statement_is_spoken_of_in_the_singular(log: Path, count: int, said: str) -> None:
    graph = review(write_log(log, [error("57014", "canceling statement due to user request")] * count))

    assert found(graph)["canceled"].startswith(said)


def test_a_panic_is_quoted(log: Path) -> None:
    graph = review(write_log(log, [error("53100", "could not write: No space left on device", severity="PANIC")]))

    assert "No space left on device" in found(graph)["panic"]


def test_checkpoints_are_told_with_the_closest_two(log: Path) -> None:
    lines = [log_line(f"checkpoints are occurring too frequently ({n} seconds apart)") for n in (9, 2, 5)]

    graph = review(write_log(log, lines))

    assert "2 seconds apart at the closest" in found(graph)["checkpoints_too_frequent"]


def test_statements_are_counted_without_their_literals(log: Path) -> None:
    lines = [
        error("57014", "canceling statement due to statement timeout", statement=f"SELECT {n}, '{n}'  FROM t")
        for n in range(3)
    ]

    graph = review(write_log(log, lines))

    assert "most often `SELECT ?, ? FROM t`" in found(graph)["statement_timeout"]


def test_one_incident_may_raise_several_inquiries_the_gravest_first(log: Path) -> None:
    graph = review(write_log(log, [error("23505", "twice"), wait(5, 4), error("53100", "full"), error("P0001", "?")]))

    assert [inquiry.data["topic"] for inquiry in graph.objects("inquiry")] == [
        "disk",
        "lock_queue",
        "constraints",
        "unknown",
    ]
    assert [action["priority"] for action in graph.objects("memo")[0].data["actions"]] == ["critical", "medium", "low"]


def test_metrics_without_an_answer_make_no_signal(tmp_path: Path) -> None:
    path = write_log(tmp_path / "metrics.jsonl", ['{"at": "2026-05-15 10:00:01.000 UTC", "error": "x"}', "no json"])

    assert read_metric_signals(path) == []
