"""The integrity check finds every change of a log and names the first event that is not what was written."""

from __future__ import annotations

import os
import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from activegraph import Graph, Runtime
from activegraph.core.event import NO_DIGEST
from activegraph.errors import (
    CorruptedEventPayloadError,
    IncompatibleRuntimeState,
    RunNotFoundError,
    StoreNotFoundError,
)
from activegraph.store import InMemoryEventStore, RawEvent, SQLiteEventStore, VerifyReport, sqlite_url, verify_run
from activegraph.store.serde import decode_payload
from activegraph.store.verify import LogCheck
from support.logs import event, raw

FULL = int(os.environ.get("ACTIVEGRAPH_EXAMPLES", "1"))
FIELDS = ("position", "id", "type", "actor", "payload", "frame_id", "caused_by", "timestamp", "digest")
TEXTS = ("id", "type", "actor", "payload", "frame_id", "caused_by", "timestamp")


def log_of_200() -> list[RawEvent]:
    """A graph's real log, with causes, a frame, patches and removals."""
    store = InMemoryEventStore("run_a")
    graph = Graph(run_id="run_a")
    graph.attach_store(store)
    caused_by = None
    while len(store) < 200:
        n = len(store)
        made = graph.add_object("task", {"title": f"n\u00b0 {n}", "score": n / 4}, actor="planner", caused_by=caused_by)
        caused_by = f"evt_{len(store):03d}"
        if n % 3 == 0:
            graph.patch_object(made.id, {"score": 1e23}, frame_id="frame_001", caused_by=caused_by)
        if n % 7 == 0:
            graph.add_relation(made.id, made.id, "self", {"n": n})
        if n % 11 == 0:
            graph.remove_object(made.id)
    return raw(store)[:200]


LOG = log_of_200()


def changed(row: RawEvent, **fields: Any) -> RawEvent:
    return RawEvent(**({name: getattr(row, name) for name in FIELDS} | fields))


def check(rows: list[RawEvent], expected_head: tuple[int, str] | None = None) -> VerifyReport:
    following = LogCheck("run_a", expected_head)
    for row in rows:
        following.see(row)
    return following.report()


def found(report: VerifyReport) -> tuple[str | None, int | None]:
    assert not report.ok
    assert report.reason in ("gap", "order", "digest", "projection", "corrupted", "conflict")
    return report.first_bad, report.position


def test_an_untouched_log_is_sound_and_tells_its_head() -> None:
    digest = LOG[-1].digest
    assert digest is not None
    assert check(LOG) == VerifyReport("run_a", True, 200, (200, digest.hex()))
    assert check([]) == VerifyReport("run_a", True, 0, (0, NO_DIGEST.hex()))


def one_byte_off(row: RawEvent, name: str) -> Iterator[RawEvent]:
    """The row with each byte of a field changed, one at a time."""
    value = getattr(row, name)
    if value is None:
        yield changed(row, **{name: ""})
        return
    data = value if isinstance(value, bytes) else value.encode("utf-8")
    for place in range(len(data)):
        for flip in (0x01, 0x20):
            other = bytearray(data)
            other[place] ^= flip
            text = bytes(other) if isinstance(value, bytes) else other.decode("utf-8", "surrogateescape")
            yield changed(row, **{name: text})
    if not isinstance(value, bytes):
        yield changed(row, **{name: value + " "})
        yield changed(row, **{name: value[:-1]})
        yield changed(row, **{name: f" {value}"})


def check_behind(index: int) -> LogCheck:
    """A check that has seen the rows before `index`; it starts from what it would know then."""
    following = LogCheck("run_a")
    following._seen = index
    following._due = index + 1
    following._ids = {row.id for row in LOG[:index]}
    following._digest = (LOG[index - 1].digest if index else None) or NO_DIGEST
    following._projection = None  # type: ignore[assignment]  # what is changed is found before it is projected
    return following


@pytest.mark.parametrize("part", range(4))
def test_every_single_changed_byte_is_found_where_it_is(part: int) -> None:
    tried = 0
    for index in range(part, 200, 4 * max(1, 4 // FULL)):
        for name in (*TEXTS, "digest"):
            for row in one_byte_off(LOG[index], name):
                following = check_behind(index)
                following.see(row)
                assert found(following.report()) == (row.id, index + 1)
                tried += 1
    assert tried > 5000


def test_a_byte_changed_in_the_database_is_found_by_the_function(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    write(path, LOG)
    url = sqlite_url(path)
    assert verify_run(url).ok
    dice = random.Random(7)
    connection = sqlite3.connect(path)
    for _ in range(25 * FULL):
        row, name = dice.choice(LOG), dice.choice([*TEXTS, "digest"])
        value = getattr(row, name)
        data = bytearray(value if isinstance(value, bytes) else (value or "x").encode())
        data[dice.randrange(len(data))] ^= 1 << dice.randrange(7)
        cast = "?" if name == "digest" else "CAST(? AS TEXT)"
        connection.execute(f"UPDATE events SET {name} = {cast} WHERE position = ?", (bytes(data), row.position))
        connection.commit()

        report = verify_run(url, "run_a")
        assert found(report)[1] == row.position
        assert report.events == 200

        connection.execute(f"UPDATE events SET {name} = ? WHERE position = ?", (value, row.position))
        connection.commit()
    assert verify_run(url).ok
    connection.close()


def write(path: Path, rows: list[RawEvent]) -> None:
    SQLiteEventStore(path, "run_a").close()
    connection = sqlite3.connect(path)
    connection.execute("INSERT INTO runs (run_id, created_at) VALUES ('run_a', '2026-05-15T10:32:01Z')")
    connection.executemany(
        "INSERT INTO events (run_id, position, id, type, actor, payload, frame_id, caused_by, timestamp, digest)"
        " VALUES ('run_a', ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [tuple(getattr(row, name) for name in FIELDS) for row in rows],
    )
    connection.commit()
    connection.close()


def test_every_single_deletion_is_found() -> None:
    for index in range(199):
        rows = LOG[:index] + LOG[index + 1 :]
        report = check(rows)
        assert found(report) == (LOG[index + 1].id, index + 2)
        assert report.reason == "gap"
        closed_up = LOG[:index] + [changed(row, position=row.position - 1) for row in LOG[index + 1 :]]
        assert found(check(closed_up)) == (LOG[index + 1].id, index + 1)


def test_every_swap_of_neighbours_and_many_of_others_are_found() -> None:
    dice = random.Random(3)
    pairs = [(index, index + 1) for index in range(199)]
    pairs += [tuple(sorted(dice.sample(range(200), 2))) for _ in range(300)]  # type: ignore[misc]
    for first, second in pairs:
        rows = list(LOG)
        rows[first] = changed(LOG[second], position=first + 1)
        rows[second] = changed(LOG[first], position=second + 1)
        assert found(check(rows)) == (LOG[second].id, first + 1)
        rows[first], rows[second] = LOG[second], LOG[first]
        assert not check(rows).ok


def test_every_insertion_is_found() -> None:
    for index in range(200):
        forged = changed(LOG[index], id="forged", payload='{"forged":true}', type="note.taken")
        rows = [*LOG[:index], forged, *(changed(row, position=row.position + 1) for row in LOG[index:])]
        assert found(check(rows)) == ("forged", index + 1)
        doubled = [*LOG[: index + 1], changed(LOG[index], position=index + 2)]
        assert found(check(doubled)) == (LOG[index].id, index + 2)


def test_a_tail_that_was_cut_off_shows_against_a_trusted_head() -> None:
    head = check(LOG).head
    for kept in (0, 1, 150, 199):
        assert check(LOG[:kept]).ok
        report = check(LOG[:kept], head)
        assert (report.ok, report.reason, report.first_bad, report.position) == (False, "gap", None, kept + 1)


def test_a_log_may_go_on_behind_its_trusted_head() -> None:
    digest = LOG[149].digest
    assert digest is not None
    assert check(LOG, (150, digest.hex())).ok
    assert check(LOG, (150, digest.hex().upper())).ok
    assert check(LOG, (0, NO_DIGEST.hex())).ok
    report = check(LOG, (150, NO_DIGEST.hex()))
    assert (report.reason, report.position, report.first_bad) == ("digest", 150, LOG[149].id)
    assert check(LOG, (0, digest.hex())).reason == "digest"
    assert check(LOG, (-1, digest.hex())).reason == "gap"


def test_a_forged_chain_shows_against_a_trusted_head(tmp_path: Path) -> None:
    trusted = check(LOG).head
    path = tmp_path / "a.db"
    with SQLiteEventStore(path, "run_a") as store:
        for row in LOG:
            payload = {"forged": True} if row.position == 90 and row.type != "object.created" else None
            store.append(
                event(row.id, row.type, payload=payload or decode_payload(row.payload), timestamp=row.timestamp)
            )
    assert not verify_run(sqlite_url(path), expected_head=trusted).ok


def report_of(*events_: Any) -> VerifyReport:
    with InMemoryEventStore("run_a") as store:
        for one in events_:
            store.append(one)
        return check(raw(store))


def test_a_cause_that_stands_later_is_out_of_order() -> None:
    report = report_of(event("a"), event("b", caused_by="d"), event("c", caused_by="d"), event("d"), event("e"))
    assert (report.reason, report.first_bad, report.position) == ("order", "b", 2)
    assert report_of(event("a", caused_by="a"), event("b", caused_by="elsewhere")).ok


def test_an_event_that_cannot_be_projected_is_named() -> None:
    report = report_of(event("a"), event("b", "object.created", payload={"id": "task#1"}), event("c"))
    assert (report.reason, report.first_bad, report.position) == ("projection", "b", 2)


def test_the_run_appended_to_last_is_meant_where_none_is_named(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "a.db")
    with pytest.raises(StoreNotFoundError):
        verify_run(url)
    SQLiteEventStore(tmp_path / "a.db", "run_a").close()
    with pytest.raises(RunNotFoundError):
        verify_run(url)
    for run_id in ("run_b", "run_a"):
        with SQLiteEventStore(tmp_path / "a.db", run_id) as store:
            store.append(event("evt_001"))
    assert verify_run(url).run_id == "run_a"
    assert verify_run(url, "run_b").run_id == "run_b"
    with pytest.raises(RunNotFoundError):
        verify_run(url, "run_x")


def test_a_respelt_payload_is_found_although_it_loads(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    write(path, LOG)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE events SET payload = replace(payload, ':', ': ') WHERE position = 5")
    connection.commit()
    connection.close()
    report = verify_run(sqlite_url(path))
    assert (report.reason, report.position) == ("digest", 5)


def test_a_store_without_digests_cannot_be_checked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from activegraph.store import open_store
    from support.acme import install

    install(monkeypatch, tmp_path / "installed", {"acme": "support.acme:AcmeBackend"})
    open_store("acme:one", "run_a").append(event("evt_001"))
    with pytest.raises(IncompatibleRuntimeState):
        verify_run("acme:one")


def test_a_load_of_a_damaged_log_writes_one_critical_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "a.db"
    write(path, LOG)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE events SET payload = '{\"secret\": ' WHERE position = 5")
    connection.commit()
    connection.close()

    with pytest.raises(CorruptedEventPayloadError):
        Runtime.load(path, run_id="run_a")

    (line,) = [r for r in caplog.records if r.levelname == "CRITICAL"]
    assert line.getMessage().startswith("event log inconsistency: ")
    assert (line.event_id, line.run_id) == (LOG[4].id, "run_a")  # type: ignore[attr-defined]
    assert "secret" not in line.getMessage()
