"""Server logs as tests make them: single lines, whole files, and generated ones."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from activegraph import FrozenClock, Graph, Runtime
from activegraph.packs.incident_review import IncidentReviewSettings, pack
from activegraph.packs.incident_review.host import add_incident, logged_incident
from activegraph.packs.incident_review.postgres_log import PostgresLog
from hypothesis import strategies as st

__all__ = ["at", "error", "log_files", "log_line", "review", "rules_runtime", "write_log"]

_START = datetime(2026, 5, 15, 10, 0, 0)


def at(seconds: float) -> str:
    """A log time that many seconds after ten o'clock."""
    return (_START + timedelta(seconds=seconds)).isoformat(" ", "milliseconds") + " UTC"


def log_line(message: str, *, seconds: float = 0, severity: str = "LOG", **fields: Any) -> str:
    """A line of a jsonlog."""
    return json.dumps({"timestamp": at(seconds), "pid": 100, "error_severity": severity, "message": message, **fields})


def error(sqlstate: str, message: str, *, seconds: float = 0, severity: str = "ERROR", **fields: Any) -> str:
    """A line that tells of an error."""
    return log_line(message, seconds=seconds, severity=severity, state_code=sqlstate, **fields)


def write_log(path: Path, lines: Iterable[str | bytes]) -> Path:
    """A file with these lines."""
    path.write_bytes(b"".join((line.encode() if isinstance(line, str) else line) + b"\n" for line in lines))
    return path


def rules_runtime(**settings: Any) -> Runtime:
    """A runtime in memory whose rules review what is added to its graph."""
    graph = Graph(clock=FrozenClock(), run_id="run_a")
    return Runtime(graph, [], packs=[(pack, IncidentReviewSettings(investigate_with="rules", **settings))])


def review(path: Path, **settings: Any) -> Graph:
    """The graph of a finished review of a log by rules, in memory."""
    runtime = rules_runtime(**settings)
    with PostgresLog(path) as log:
        for incident in log.incidents():
            add_incident(runtime.graph, logged_incident(log.name, incident))
            runtime.run_until_idle()
    assert runtime.errors == []
    return runtime.graph


_MESSAGES = st.sampled_from(
    [
        ("LOG", None, "process 7 still waiting for ShareLock on transaction 9 after 200.1 ms"),
        ("LOG", None, "process 7 acquired ShareLock on transaction 9 after 900.1 ms"),
        ("LOG", None, "process 8 detected deadlock while waiting for ShareLock on transaction 9 after 200.1 ms"),
        ("LOG", None, "client backend (PID 7) was terminated by signal 11: Segmentation fault"),
        ("LOG", None, "terminating any other active server processes"),
        ("LOG", None, "all server processes terminated; reinitializing"),
        ("LOG", None, "database system was interrupted; last known up at 2026-05-15 09:59:00 UTC"),
        ("LOG", None, "database system was not properly shut down; automatic recovery in progress"),
        ("LOG", None, "redo starts at 0/1764BE0"),
        ("LOG", None, "redo done at 0/19FFFF38 system usage: CPU: user: 0.70 s, elapsed: 0.98 s"),
        ("LOG", None, "database system is ready to accept connections"),
        ("LOG", None, "checkpoints are occurring too frequently (1 second apart)"),
        ("LOG", None, "connection received: host=[local]"),
        ("PANIC", "XX000", "could not write to log file"),
        ("ERROR", "P0001", "the shop is closed"),
        ("WARNING", "01000", "something of an extension"),
        ("FATAL", "53300", "sorry, too many clients already"),
        *[
            ("ERROR", f"{code}", f'message of {code} about relation "r" and 17')
            for code in [
                "08006",
                "22P02",
                "23505",
                "25P02",
                "28P01",
                "40001",
                "40P01",
                "42P01",
                "53100",
                "53200",
                "55P03",
                "57014",
                "57P01",
                "57P03",
                "58030",
                "XX001",
                "XX000",
                "25P03",
            ]
        ],
    ]
)
_DETAILS = st.sampled_from(
    [
        None,
        "Process holding the lock: 8. Wait queue: 7.",
        "Processes holding the lock: 8, 9. Wait queue: 7, 5.",
        "Process 7 waits for ShareLock on transaction 1; blocked by process 8.\n"
        "Process 8 waits for ShareLock on transaction 2; blocked by process 7.\nProcess 7: UPDATE a\nProcess 8: UPDATE b",
        "Failed process was running: SELECT 1",
        "",
    ]
)


@st.composite
def _lines(draw: st.DrawFn) -> list[str | bytes]:
    lines: list[str | bytes] = []
    seconds = 0.0
    for _ in range(draw(st.integers(1, 30))):
        seconds += draw(st.sampled_from([0.0, 0.2, 30.0, 700.0, -5.0]))
        if draw(st.integers(0, 9)) == 0:
            lines.append(draw(st.sampled_from([b"no json", b"{}", b'{"timestamp": 1}', b"\xff\xfe", b"[1]", b""])))
            continue
        severity, code, message = draw(_MESSAGES)
        fields = {
            "state_code": code,
            "detail": draw(_DETAILS),
            "statement": draw(st.sampled_from([None, "SELECT 1", "UPDATE a SET b = 'x\x07y'"])),
            "application_name": draw(st.sampled_from([None, "web", "report"])),
        }
        given = {name: value for name, value in fields.items() if value is not None}
        lines.append(log_line(message, seconds=seconds, severity=severity, **given))
    return lines


def log_files() -> st.SearchStrategy[list[str | bytes]]:
    """The lines of logs with anything that the review knows, much that it doesn't, and rubbish between."""
    return _lines()
