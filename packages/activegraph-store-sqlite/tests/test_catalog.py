"""The runs of a file: listed by index, forked and imported in one transaction."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from activegraph.core.event import Event
from activegraph.errors import (
    CorruptedEventPayloadError,
    DuplicateEventError,
    EventNotFoundError,
    LogInconsistencyError,
    NonSerializableEventError,
    RunExistsError,
    RunNotFoundError,
    StoreNotFoundError,
)
from activegraph.store import ImportResult, RawEvent, RunRecord, StoreURL, parse_store_url, sqlite_url
from activegraph.store.records import INTERNAL_FAMILIES
from activegraph.store.sqlite import SQLiteEventStore, backend, catalog, reads
from support.logs import event, events, is_whole, raw

CREATED = "2026-05-15T10:32:01Z"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.db"


@pytest.fixture
def url(path: Path) -> StoreURL:
    return parse_store_url(sqlite_url(path))


def record(path: Path, run_id: str, created_at: str, batch: list[Event]) -> None:
    with SQLiteEventStore(path, run_id) as store:
        store.upsert_run(created_at=created_at)
        store.append_many(batch)


def rows_of(path: Path, run_id: str) -> list[RawEvent]:
    with SQLiteEventStore(path, run_id, read_only=True) as store:
        return raw(store)


def test_runs_are_listed_by_time_then_id_with_what_their_logs_tell(path: Path) -> None:
    record(path, "run_c", "2026-05-15T10:00:00Z", events(1, 2))
    record(path, "run_a", "2026-05-15T11:00:00Z", [event("evt_001"), event("evt_002", "runtime.idle")])
    record(path, "run_b", "2026-05-15T11:00:00Z", [])

    found = SQLiteEventStore.list_runs(path)

    assert [(r.run_id, r.event_count, r.last_event_id, r.status) for r in found] == [
        ("run_c", 2, "evt_002", "stopped"),
        ("run_a", 2, "evt_002", "idle"),
        ("run_b", 0, None, "stopped"),
    ]
    with SQLiteEventStore(path, "run_a", read_only=True) as store:
        assert store.get_run() == found[1]


def test_the_most_recent_run_is_the_one_appended_to_last(path: Path) -> None:
    SQLiteEventStore(path, "run_z").close()
    assert SQLiteEventStore.most_recent_run_id(path) is None
    record(path, "run_b", "2026-05-15T12:00:00Z", [])
    record(path, "run_c", "2026-05-15T12:00:00Z", [])
    record(path, "run_d", "2026-05-15T11:00:00Z", [])
    assert SQLiteEventStore.most_recent_run_id(path) == "run_c"
    record(path, "run_a", "2020-01-01T00:00:00Z", events(1, 1))
    assert SQLiteEventStore.most_recent_run_id(path) == "run_a"
    record(path, "run_d", "2026-05-15T11:00:00Z", events(1, 1))
    with SQLiteEventStore(path, "run_a") as store:
        store.append(event("evt_002"))
    assert SQLiteEventStore.most_recent_run_id(path) == "run_a"


def test_events_without_a_record_are_no_run(path: Path) -> None:
    record(path, "run_a", CREATED, events(1, 1))
    record(path, "run_b", CREATED, events(1, 1))
    connection = sqlite3.connect(path)
    connection.execute("DELETE FROM runs WHERE run_id = 'run_b'")
    connection.commit()
    connection.close()

    assert [r.run_id for r in SQLiteEventStore.list_runs(path)] == ["run_a"]
    assert SQLiteEventStore.most_recent_run_id(path) == "run_a"


@pytest.mark.parametrize(
    ("statement", "parameters"),
    [
        (catalog.SELECT_ONE_RUN, ("run_a",)),
        (catalog.SELECT_ALL_RUNS, ()),
        (catalog.SELECT_LAST_STOPS, {"run_id": "run_a"}),
        (catalog.SELECT_LAST_APPENDED, ()),
        (reads.SELECT_HEAD, ("run_a",)),
        (reads.SELECT_PAGE, ("run_a", 1, 9, 9)),
        (reads.SELECT_BY_ID, ("run_a", "evt_001")),
        (reads.SELECT_WAITING, ("run_a", 3)),
        *((statement, ("run_a", 1, 9, 9)) for statement in reads.SELECT_RARE.values()),
    ],
)
def test_no_look_up_scans_the_events(path: Path, statement: str, parameters: Any) -> None:
    record(path, "run_a", CREATED, events(1, 50))
    connection = sqlite3.connect(path)
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)]
    connection.close()

    scans = [step for step in plan if step.startswith("SCAN") and not step.startswith(("SCAN r", "SCAN CONSTANT"))]
    # The last event of all is the last row by the append number: one step backwards.
    assert scans in ([], ["SCAN e"]) if statement == catalog.SELECT_LAST_APPENDED else scans == []
    if statement in reads.SELECT_RARE.values():
        assert any("events_rare_types" in step for step in plan)


def test_the_types_that_wait_in_no_queue_are_the_same_everywhere() -> None:
    from activegraph.runtime import queue

    assert set(INTERNAL_FAMILIES) == set(queue.INTERNAL_FAMILIES)
    assert reads.SELECT_WAITING.count("NOT GLOB") == len(INTERNAL_FAMILIES)
    for family in INTERNAL_FAMILIES:
        assert f"NOT GLOB '{family}*'" in reads.SELECT_WAITING


def fork(path: Path, **arguments: Any) -> int:
    given: dict[str, Any] = {
        "parent_run_id": "run_a",
        "new_run_id": "run_f",
        "at_event_id": "evt_003",
        "label": "cautious",
        "created_at": CREATED,
    }
    return SQLiteEventStore.fork_run(path, **(given | arguments))


@pytest.mark.parametrize("at", [1, 3, 6])
def test_a_fork_begins_with_the_same_bytes(path: Path, at: int) -> None:
    with SQLiteEventStore(path, "run_a") as store:
        store.upsert_run(created_at="2026-05-01T00:00:00Z", goal="win", frame_id="frame_001", setup_count=4)
        store.append_many(events(1, 6))
    parent = rows_of(path, "run_a")

    assert fork(path, at_event_id=f"evt_{at:03d}") == at

    assert rows_of(path, "run_f") == parent[:at]
    assert rows_of(path, "run_a") == parent
    with SQLiteEventStore(path, "run_f") as forked:
        record = forked.get_run()
        assert record == RunRecord(
            "run_f",
            "run_a",
            f"evt_{at:03d}",
            "cautious",
            CREATED,
            "win",
            "frame_001",
            at,
            f"evt_{at:03d}",
            "stopped",
            min(4, at),
        )
        forked.append(event("evt_004" if at == 3 else "evt_007"))
        assert is_whole(raw(forked))
    assert fork(path, parent_run_id="run_f", new_run_id="run_g", at_event_id="evt_001") == 1
    assert SQLiteEventStore.most_recent_run_id(path) == "run_g"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"parent_run_id": "run_x"}, RunNotFoundError),
        ({"parent_run_id": "\ud800"}, RunNotFoundError),
        ({"at_event_id": "evt_009"}, EventNotFoundError),
        ({"at_event_id": "\ud800"}, EventNotFoundError),
        ({"new_run_id": "run_b"}, RunExistsError),
        ({"new_run_id": "run_a"}, RunExistsError),
        ({"new_run_id": "orphan"}, RunExistsError),
        ({"new_run_id": ""}, NonSerializableEventError),
        ({"extra_events": [event("evt_002")]}, DuplicateEventError),
        ({"extra_events": [event("x", payload={"x": object()})]}, NonSerializableEventError),
    ],
)
def test_a_refused_fork_leaves_no_trace(path: Path, arguments: dict[str, Any], error: type[Exception]) -> None:
    record(path, "run_a", CREATED, events(1, 6))
    record(path, "run_b", CREATED, [])
    record(path, "orphan", CREATED, events(1, 1))
    connection = sqlite3.connect(path)
    connection.execute("DELETE FROM runs WHERE run_id = 'orphan'")
    connection.commit()
    before = list(connection.iterdump())

    with pytest.raises(error) as refusal:
        fork(path, **arguments)

    if error is EventNotFoundError:
        assert refusal.value.context["operation"] == "fork"  # type: ignore[attr-defined]
    assert list(connection.iterdump()) == before
    connection.close()


def test_extra_events_are_part_of_the_fork(path: Path) -> None:
    record(path, "run_a", CREATED, events(1, 6))
    extra = [event("evt_004", "pack.settings_overridden"), event("evt_005")]

    assert fork(path, extra_events=extra) == 3

    rows = rows_of(path, "run_f")
    assert [row.id for row in rows] == ["evt_001", "evt_002", "evt_003", "evt_004", "evt_005"]
    assert is_whole(rows)


def test_a_damaged_prefix_is_not_forked(path: Path) -> None:
    record(path, "run_a", CREATED, events(1, 6))
    connection = sqlite3.connect(path)
    connection.execute("DELETE FROM events WHERE position = 2")
    connection.commit()
    connection.close()

    with pytest.raises(LogInconsistencyError) as refusal:
        fork(path)
    assert refusal.value.context["position"] == 2
    assert fork(path, at_event_id="evt_001") == 1


def test_a_fork_makes_no_store(path: Path) -> None:
    with pytest.raises(StoreNotFoundError):
        fork(path)
    assert not path.exists()


def test_a_fork_beside_a_writer_of_the_parent(path: Path) -> None:
    with SQLiteEventStore(path, "run_a") as store:
        store.append_many(events(1, 3))
        assert fork(path) == 3
        store.append_many(events(4, 5))
        assert is_whole(raw(store))
    assert len(rows_of(path, "run_f")) == 3


def without_digests(rows: list[RawEvent]) -> list[RawEvent]:
    fields = ("position", "id", "type", "actor", "payload", "frame_id", "caused_by", "timestamp")
    return [RawEvent(*(getattr(row, name) for name in fields), None) for row in rows]


def changed(row: RawEvent, **fields: Any) -> RawEvent:
    names = ("position", "id", "type", "actor", "payload", "frame_id", "caused_by", "timestamp", "digest")
    return RawEvent(**({name: getattr(row, name) for name in names} | fields))


RECORD = RunRecord(
    "run_a", "run_p", "evt_009", "copied", "2026-05-15T12:32:01+02:00", "win", "frame_001", setup_count=2
)


def source_rows(tmp_path: Path, count: int = 8) -> list[RawEvent]:
    with SQLiteEventStore(tmp_path / "source.db", "run_a") as store:
        store.append_many(events(1, count))
        return raw(store)


def test_an_import_is_the_run_that_was_exported(path: Path, url: StoreURL, tmp_path: Path) -> None:
    rows = source_rows(tmp_path, 2300)

    assert backend.import_run(url, RECORD, iter(rows)) == ImportResult(2300, 0)
    assert backend.import_run(url, RECORD, iter(rows)) == ImportResult(0, 2300)

    assert rows_of(path, "run_a") == rows
    (found,) = SQLiteEventStore.list_runs(path)
    assert (found.created_at, found.parent_run_id, found.label, found.goal) == (CREATED, "run_p", "copied", "win")
    assert (found.frame_id, found.setup_count) == ("frame_001", 2)


def test_the_rest_of_a_prefix_is_written_and_counted(path: Path, url: StoreURL, tmp_path: Path) -> None:
    rows = source_rows(tmp_path, 2300)
    backend.import_run(url, RECORD, rows[:1500])

    assert backend.import_run(url, RECORD, iter(rows)) == ImportResult(800, 1500)
    assert rows_of(path, "run_a") == rows


@pytest.mark.parametrize("held", [0, 1000, 1500, 2300])
def test_missing_digests_go_on_with_the_chain(path: Path, url: StoreURL, tmp_path: Path, held: int) -> None:
    rows = source_rows(tmp_path, 2300)
    if held:
        backend.import_run(url, RECORD, rows[:held])
    backend.import_run(url, RECORD, without_digests(rows))

    assert rows_of(path, "run_a") == rows


def test_a_digest_that_is_made_here_stands_beside_canonical_text(path: Path, url: StoreURL, tmp_path: Path) -> None:
    row = without_digests(source_rows(tmp_path, 1))[0]
    backend.import_run(url, RECORD, [changed(row, payload='{ "text" : "caf\\u00e9", "n": 1.50E1 }')])

    (stored,) = rows_of(path, "run_a")
    assert stored.payload == '{"text":"caf\u00e9","n":15.0}'
    assert is_whole([stored])


def test_a_damaged_digest_is_copied_so_that_the_damage_stays_findable(
    path: Path, url: StoreURL, tmp_path: Path
) -> None:
    rows = source_rows(tmp_path)
    rows[3] = changed(rows[3], payload='{"text":"forged"}')
    backend.import_run(url, RECORD, rows)

    assert rows_of(path, "run_a") == rows


@pytest.mark.parametrize(
    ("position", "fields", "says"),
    [
        (1, {"type": "other"}, "type differs"),
        (3, {"payload": '{"text":"other"}'}, "payload differs"),
        (3, {"actor": "other"}, "actor differs"),
        (3, {"frame_id": ""}, "frame_id differs"),
        (3, {"caused_by": "evt_001"}, "caused_by differs"),
        (6, {"timestamp": ""}, "timestamp differs"),
        (6, {"timestamp": "", "type": "x"}, "type, timestamp differ"),
        (4, {"id": "other"}, "position differs"),
        (7, {"id": "evt_002"}, "position differs"),
    ],
)
def test_other_contents_are_a_conflict_and_nothing_is_written(
    path: Path, url: StoreURL, tmp_path: Path, position: int, fields: dict[str, Any], says: str
) -> None:
    rows = source_rows(tmp_path)
    backend.import_run(url, RECORD, rows[:6])
    other = [changed(row, **fields) if row.position == position else row for row in rows]

    with pytest.raises(LogInconsistencyError) as refusal:
        backend.import_run(url, RECORD, other)

    assert refusal.value.context["reason"] == "conflict"
    assert refusal.value.context["event_id"] == other[position - 1].id
    assert says in refusal.value.summary
    assert rows_of(path, "run_a") == rows[:6]


def test_the_same_value_in_another_spelling_is_no_conflict(path: Path, url: StoreURL, tmp_path: Path) -> None:
    rows = source_rows(tmp_path, 1)
    backend.import_run(url, RECORD, [changed(rows[0], payload='{"text": "evt_\\u00301"}')])
    assert backend.import_run(url, RECORD, [changed(rows[0], payload='{"text":"evt_01"}')]) == ImportResult(0, 1)


def test_a_destination_that_goes_on_behind_the_source_is_a_conflict(path: Path, url: StoreURL, tmp_path: Path) -> None:
    rows = source_rows(tmp_path)
    backend.import_run(url, RECORD, rows)
    for count in (0, 5):
        with pytest.raises(LogInconsistencyError) as refusal:
            backend.import_run(url, RECORD, rows[:count])
        assert refusal.value.context["reason"] == "conflict"
    assert rows_of(path, "run_a") == rows


@pytest.mark.parametrize(
    "fields",
    [{"parent_run_id": None}, {"parent_run_id": "q"}, {"forked_at_event_id": "evt_1"}, {"created_at": "2026-05-15"}],
)
def test_another_origin_is_a_conflict(path: Path, url: StoreURL, tmp_path: Path, fields: dict[str, Any]) -> None:
    rows = source_rows(tmp_path)
    backend.import_run(url, RECORD, rows)
    before = SQLiteEventStore.list_runs(path)
    with pytest.raises(LogInconsistencyError) as refusal:
        backend.import_run(url, RunRecord(**(RECORD.__dict__ | fields)), rows)
    assert refusal.value.context["reason"] == "conflict"
    assert SQLiteEventStore.list_runs(path) == before


def test_what_a_record_lacks_is_filled_in_and_what_it_has_stays(path: Path, url: StoreURL) -> None:
    bare = RunRecord("run_a", None, None, None, CREATED, None, None)
    backend.import_run(url, bare, [])
    backend.import_run(url, RunRecord("run_a", None, None, "a", CREATED, "g", "frame_001", setup_count=3), [])
    backend.import_run(url, RunRecord("run_a", None, None, "b", CREATED, "h", "frame_002", setup_count=4), [])

    (found,) = SQLiteEventStore.list_runs(path)
    assert (found.label, found.goal, found.frame_id, found.setup_count) == ("a", "g", "frame_001", 3)


@pytest.mark.parametrize("fails_at", [1, 2, 7, 1200])
def test_an_import_that_fails_anywhere_leaves_nothing(path: Path, url: StoreURL, tmp_path: Path, fails_at: int) -> None:
    rows = source_rows(tmp_path, 1500)

    def breaking() -> Any:
        for row in rows:
            if row.position == fails_at:
                raise RuntimeError("the source broke")
            yield row

    with pytest.raises(RuntimeError, match="the source broke"):
        backend.import_run(url, RECORD, breaking())
    assert SQLiteEventStore.list_runs(path) == []
    assert rows_of(path, "run_a") == []
    assert backend.import_run(url, RECORD, rows) == ImportResult(1500, 0)


def test_a_payload_that_is_no_text_is_not_imported(path: Path, url: StoreURL, tmp_path: Path) -> None:
    rows = source_rows(tmp_path)
    rows[2] = changed(rows[2], payload='{"text":"\udcff"}')
    with pytest.raises(CorruptedEventPayloadError):
        backend.import_run(url, RECORD, rows)
    assert rows_of(path, "run_a") == []
