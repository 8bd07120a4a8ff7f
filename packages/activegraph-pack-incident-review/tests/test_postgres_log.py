"""Promises of the log reader: what is a signal, how signals fold, where an incident ends, what is no log."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from activegraph.errors import PackError
from activegraph.packs.incident_review import read_signals
from activegraph.packs.incident_review.postgres_log import PostgresLog
from hypothesis import given
from support.server_logs import at, error, log_files, log_line, write_log
from support.values import examples

WAIT = "process 7 still waiting for ShareLock on transaction 9 after 200.1 ms"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "postgresql.json"


@pytest.mark.parametrize("severity", ["WARNING", "ERROR", "FATAL", "PANIC"])
def test_a_line_of_warning_or_worse_is_a_signal(log: Path, severity: str) -> None:
    (signal,) = read_signals(write_log(log, [error("XX000", "odd", severity=severity)]))

    assert (signal.kind, signal.severity, signal.sqlstate, signal.message) == ("error", severity, "XX000", "odd")


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (WAIT, "lock_wait"),
        ("process 7 acquired ExclusiveLock on tuple (0,1) of relation 5 after 3.0 ms", "lock_acquired"),
        ("process 7 avoided deadlock for ShareLock on transaction 9 by rearranging queue", "deadlock_noticed"),
        ("server process (PID 7) was terminated by signal 9: Killed", "process_killed"),
        ("client backend (PID 7) was terminated by signal 11: Segmentation fault", "process_killed"),
        ("database system was interrupted; last known up at 2026-05-15 09:59:00 UTC", "interrupted"),
        ("database system was not properly shut down; automatic recovery in progress", "recovery_started"),
        ("redo starts at 0/1764BE0", "redo_started"),
        ("redo is not required", "redo_done"),
        ("checkpoints are occurring too frequently (1 second apart)", "checkpoint_frequent"),
        ("terminating any other active server processes", "crash_restart"),
    ],
)
def test_a_log_line_that_operators_look_for_is_a_signal(log: Path, message: str, kind: str) -> None:
    assert [signal.kind for signal in read_signals(write_log(log, [log_line(message)]))] == [kind]


@pytest.mark.parametrize(
    "message",
    [
        "connection received: host=[local]",
        "checkpoint complete: wrote 80 buffers",
        "database system is shut down",
        "process manager started",
        "archive command was terminated by signal 15: Terminated",
        "",
    ],
)
def test_any_other_log_line_is_none(log: Path, message: str) -> None:
    assert list(read_signals(write_log(log, [log_line(message)]))) == []


def test_that_the_server_is_ready_is_a_signal_after_a_crash_and_none_after_an_ordinary_start(log: Path) -> None:
    ready = "database system is ready to accept connections"
    lines = [log_line(ready), log_line("terminating any other active server processes"), log_line(ready, seconds=2)]

    assert [(s.kind, s.lines) for s in read_signals(write_log(log, lines))] == [
        ("crash_restart", (2,)),
        ("ready", (3,)),
    ]


def test_repeats_of_a_message_are_one_signal_with_count_times_and_lines(log: Path) -> None:
    lines = [error("57014", f"canceled after {n} ms", seconds=n) for n in range(3)]

    (signal,) = read_signals(write_log(log, [lines[0], log_line("between"), *lines[1:]]))

    assert (signal.count, signal.lines, signal.first_at, signal.last_at) == (3, (1, 3, 4), at(0), at(2))
    assert signal.message == "canceled after 0 ms"


def test_only_the_first_hundred_line_numbers_are_kept_and_all_lines_counted(log: Path) -> None:
    (signal,) = read_signals(write_log(log, [error("23505", "twice")] * 250))

    assert (signal.count, signal.lines) == (250, tuple(range(1, 101)))


def test_messages_about_different_constraints_are_different_signals(log: Path) -> None:
    lines = [error("23505", f'duplicate key value violates unique constraint "{name}"') for name in "aba"]

    assert [signal.count for signal in read_signals(write_log(log, lines))] == [2, 1]


def test_messages_that_differ_in_what_somebody_typed_are_one_signal(log: Path) -> None:
    lines = [error("22P02", f'invalid input syntax for type integer: "{word}"') for word in ("x", "y", "z")]

    assert [signal.count for signal in read_signals(write_log(log, lines))] == [3]


def test_deadlocks_of_the_same_statements_are_one_signal_whoever_came_first(log: Path) -> None:
    def detail(one: int, other: int) -> str:
        return (
            f"Process {one} waits for ShareLock on transaction {one}1; blocked by process {other}.\n"
            f"Process {other} waits for ShareLock on transaction {other}1; blocked by process {one}.\n"
            f"Process {one}: UPDATE a SET x = {one}\nProcess {other}: UPDATE b SET x = {other}"
        )

    lines = [error("40P01", "deadlock detected", detail=detail(*pair)) for pair in ((5, 6), (8, 7))]

    (signal,) = read_signals(write_log(log, lines))

    assert signal.count == 2
    assert [step["statement"] for step in signal.facts["cycle"]] == ["UPDATE a SET x = 5", "UPDATE b SET x = 6"]


def test_signals_further_apart_than_the_quiet_time_belong_to_different_incidents(log: Path) -> None:
    lines = [error("XX000", "a", seconds=n) for n in (0, 600, 1201, 1202)]

    assert [(s.incident, s.count) for s in read_signals(write_log(log, lines))] == [(1, 2), (2, 2)]
    assert {s.incident for s in read_signals(log, quiet_minutes=11)} == {1}


def test_days_that_stand_in_a_file_in_any_order_are_different_incidents_too(log: Path) -> None:
    lines = [error("XX000", "a", seconds=n) for n in (90_000, 90_030, 0, 30, 90_300)]

    assert [(s.incident, s.count) for s in read_signals(write_log(log, lines))] == [(1, 2), (2, 2), (3, 1)]


@pytest.mark.parametrize("times", [("01:59:59.900 CET", "03:00:01.000 CEST"), ("02:59:59 CEST", "02:00:01 CET")])
def test_a_change_of_the_clock_divides_no_incident(log: Path, times: tuple[str, str]) -> None:
    lines = [error("XX000", "a").replace("10:00:00.000 UTC", time) for time in times]

    assert [(s.incident, s.count) for s in read_signals(write_log(log, lines))] == [(1, 2)]


def test_ordinary_lines_do_not_fill_the_quiet_time(log: Path) -> None:
    lines = [error("XX000", "a"), *[log_line("ordinary", seconds=n) for n in range(60, 700, 60)]]

    assert [s.incident for s in read_signals(write_log(log, [*lines, error("XX000", "a", seconds=700)]))] == [1, 2]


def test_lines_that_are_no_json_are_counted_with_their_numbers_and_harm_nothing(log: Path) -> None:
    timeless = error("XX000", "a").replace("2026", "when")
    lines = [b"plain text", error("XX000", "a"), b'{"timestamp": "cut', b"\x00\xff", b"[]", b"{}", timeless]
    lines.append(b'{"timestamp": ' + b"[" * 99_999 + b"]" * 99_999 + b"}")

    *_, unreadable = read_signals(write_log(log, lines))

    assert (unreadable.kind, unreadable.count, unreadable.lines) == ("unreadable", 7, (1, 3, 4, 5, 6, 7, 8))


def test_a_last_line_that_was_cut_off_is_one_of_them(log: Path) -> None:
    log.write_text(error("XX000", "a") + "\n" + error("XX000", "b")[:40])

    assert [(s.kind, s.lines) for s in read_signals(log)] == [("error", (1,)), ("unreadable", (2,))]


def test_every_unreadable_line_is_told_in_one_incident(log: Path) -> None:
    lines = [b"x", error("XX000", "a"), b"x", b"x", error("XX000", "a", seconds=900), b"x"]

    told = [(s.incident, s.lines) for s in read_signals(write_log(log, lines)) if s.kind == "unreadable"]

    assert told == [(1, (1, 3, 4)), (2, (6,))]


def test_windows_line_ends_empty_lines_and_a_byte_order_mark_are_no_trouble(log: Path) -> None:
    log.write_bytes(b"\xef\xbb\xbf" + error("XX000", "a").encode() + b"\r\n\r\n" + error("XX000", "a").encode())

    assert [(s.kind, s.count) for s in read_signals(log)] == [("error", 2)]


def test_bytes_of_another_encoding_inside_a_line_leave_the_rest_of_it_readable(log: Path) -> None:
    line = error("XX000", "Stra?e").encode().replace(b"?", b"\xdf")

    (signal,) = read_signals(write_log(log, [line]))

    assert signal.message == "Stra\ufffde"


def test_titles_hold_nothing_that_a_terminal_obeys(log: Path) -> None:
    (signal,) = read_signals(write_log(log, [error("XX000", "a\x1b[2J\u202eb\nc")]))

    assert signal.title == "ERROR XX000 a?[2J?b c"


def test_a_log_that_grows_meanwhile_is_read_as_it_was_when_it_was_opened(log: Path) -> None:
    write_log(log, [error("XX000", "a")])

    with PostgresLog(log) as opened:
        digest = hashlib.sha256(log.read_bytes()).hexdigest()
        with log.open("a") as more:
            more.write(error("XX000", "a") + "\n")

        assert opened.sha256() == digest
        assert [incident.signals[0].count for incident in opened.incidents()] == [1]


@pytest.mark.parametrize("content", [b"", b"\n", b"plain text\n", b"\x00\x01\xff" * 50, b"[1]\n{}\n", b'{"a":'])
def test_a_file_without_one_readable_line_is_refused(log: Path, content: bytes) -> None:
    log.write_bytes(content)

    with pytest.raises(PackError) as refusal:
        list(read_signals(log))

    assert refusal.value.context["path"] == str(log)
    assert refusal.value.is_structured()


def test_a_compressed_log_is_refused_with_the_word_that_helps(log: Path) -> None:
    log.write_bytes(gzip.compress(error("XX000", "a").encode()))

    with pytest.raises(PackError, match="compressed by gzip"):
        list(read_signals(log))


def test_a_missing_file_and_a_directory_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(read_signals(tmp_path / "nowhere.json"))
    with pytest.raises(IsADirectoryError):
        list(read_signals(tmp_path))


def test_a_pipe_is_refused_at_once_instead_of_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(PackError, match="no regular file"):
        list(read_signals(tmp_path / "pipe"))


def test_readable_lines_without_a_signal_are_no_error(log: Path) -> None:
    assert list(read_signals(write_log(log, [log_line("all is well")]))) == []


@examples(60)
@given(lines=log_files())
def test_every_line_of_any_log_is_counted_once(tmp_path_factory: pytest.TempPathFactory, lines: list[str]) -> None:
    path = write_log(tmp_path_factory.mktemp("log") / "log.json", lines)
    readable = [n for n, line in enumerate(lines, 1) if _is_record(line)]
    if not readable:
        return

    with PostgresLog(path) as log:
        incidents = list(log.incidents())

    signals = [signal for incident in incidents for signal in incident.signals]
    assert log.lines == len(lines)
    assert log.readable == len(readable)
    assert log.signals == sum(signal.count for signal in signals if signal.kind != "unreadable")
    if signals:
        assert sum(signal.count for signal in signals if signal.kind == "unreadable") == log.unreadable


def _is_record(line: str | bytes) -> bool:
    try:
        fields = json.loads(line)
    except ValueError:
        return False
    return isinstance(fields, dict) and isinstance(fields.get("timestamp"), str)


MEGABYTES = int(os.environ.get("ACTIVEGRAPH_LOG_MEGABYTES", "6"))


def _hostile_log(path: Path) -> Path:
    """A log whose every line is a signal of its own, with megabytes of text and a line without an end."""

    def lines() -> Iterator[str]:
        written, n = 0, 0
        while written < MEGABYTES << 20:
            n += 1
            line = error(
                f"{n % 90_000:05d}",
                f"message {'abcdefghij'[n % 10] * (n % 50)}{_letters(n)}",
                detail=f"Process holding the lock: {n}. Wait queue: {n + 1}.",
                statement="SELECT " + "x" * (200_000 if n % 500 == 0 else 200) + _letters(n),
                application_name=_letters(n),
            )
            written += len(line)
            yield line

    with path.open("w") as file:
        file.writelines(f"{line}\n" for line in lines())
        file.write('{"message": "' + "y" * (MEGABYTES << 18))
    return path


def _letters(n: int) -> str:
    return "".join(chr(ord("a") + n // 26**k % 26) for k in range(5))


def test_memory_is_bounded_whatever_a_log_holds(log: Path) -> None:
    _hostile_log(log)

    tracemalloc.start()
    try:
        signals = list(read_signals(log))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert len(signals) < 400
    assert signals[-1].kind == "unreadable"
    assert peak < 12 << 20
