"""Copying runs between stores: whole or not at all, compared with what is there, any store to any store."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from activegraph.core.event import Event
from activegraph.errors import (
    InvalidRuntimeConfiguration,
    InvalidStoreURL,
    SchemaVersionMismatch,
    StoreNotFoundError,
)
from activegraph.operations.migrate import MigrationReport, MigrationRunReport, migrate
from activegraph.store import RunRecord, fork_run, list_runs, open_store, verify_run
from hypothesis import HealthCheck, given, settings
from support.stored_runs import alter
from support.values import examples, payload_dicts

T = "2026-05-15T10:32:01Z"


@pytest.fixture(params=["sqlite-sqlite", "sqlite-postgres", "postgres-sqlite", "postgres-postgres"])
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    """URLs of an empty source and an empty destination."""

    def url(kind: str, name: str) -> str:
        if kind == "postgres":
            make: Callable[[], str] = request.getfixturevalue("new_postgres_url")
            return make()
        return f"sqlite:///{tmp_path}/{name}.db"

    source, destination = request.param.split("-")
    return url(source, "source"), url(destination, "destination")


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    """The same for two SQLite files."""
    return f"sqlite:///{tmp_path}/source.db", f"sqlite:///{tmp_path}/destination.db"


def write(url: str, run_id: str, *payloads: dict[str, Any], created_at: str = T, **record: Any) -> None:
    with open_store(url, run_id) as store:  # type: ignore[attr-defined]
        store.upsert_run(created_at=created_at, **record)  # type: ignore[attr-defined]
        start = store.count()
        events = [
            Event(f"evt_{start + n:03d}", "noted", payload, "anna", None, None, T)
            for n, payload in enumerate(payloads, 1)
        ]
        store.append_many(events)  # type: ignore[attr-defined]


def rows(url: str, run_id: str) -> list[Any]:
    with open_store(url, run_id, read_only=True) as store:  # type: ignore[attr-defined]
        return list(store.iter_raw())  # type: ignore[attr-defined]


def damage(url: str, statement: str, *values: Any) -> None:
    with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
        connection.execute(statement, values)


def only(report: MigrationReport) -> MigrationRunReport:
    (run,) = report.runs
    return run


def test_every_run_arrives_row_for_row_with_its_record_and_digests(stores: tuple[str, str]) -> None:
    source, destination = stores
    write(source, "run_b", {"n": 2.0, "text": "é\u0000"}, {"big": 10**30}, goal="b", label="second", setup_count=1)
    write(source, "run_a", {"n": 1}, created_at="2026-05-14T00:00:00Z", frame_id="frame_001")
    fork_run(source, run_id="run_b", at_event="evt_001", label="child", new_run_id="run_c")

    report = migrate(source, destination)

    assert [(run.run_id, run.status, run.events_migrated) for run in report.runs] == [
        ("run_a", "ok", 1),
        ("run_b", "ok", 2),
        ("run_c", "ok", 1),
    ]
    for run_id in ("run_a", "run_b", "run_c"):
        assert rows(source, run_id) == rows(destination, run_id)
        assert verify_run(destination, run_id).ok
    assert list_runs(source) == list_runs(destination)


@settings(examples(50), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(payload=payload_dicts())
def test_any_payload_arrives_byte_for_byte(tmp_path_factory: pytest.TempPathFactory, payload: dict[str, Any]) -> None:
    folder = tmp_path_factory.mktemp("any")
    source, destination = f"sqlite:///{folder}/a.db", f"sqlite:///{folder}/b.db"
    write(source, "run", payload)

    assert migrate(source, destination).ok

    assert rows(source, "run") == rows(destination, "run")


def test_a_second_call_writes_nothing_and_a_part_is_completed(stores: tuple[str, str]) -> None:
    source, destination = stores
    write(source, "run", {"n": 1}, {"n": 2})
    migrate(source, destination)
    write(source, "run", {"n": 3}, {"n": 4}, {"n": 5})

    assert only(migrate(source, destination)).events_migrated == 3
    again = migrate(source, destination)

    assert (only(again).status, only(again).events_migrated) == ("ok", 0)
    assert rows(source, "run") == rows(destination, "run")


@pytest.mark.parametrize(
    ("column", "value"),
    [("type", "other"), ("payload", '{"n":9}'), ("actor", "bob"), ("caused_by", "evt_000"), ("timestamp", "later")],
)
def test_an_event_with_another_content_fails_its_run_by_name_and_nothing_is_written(
    files: tuple[str, str], column: str, value: str
) -> None:
    source, destination = files
    write(source, "bad", {"n": 1}, {"n": 2})
    write(source, "good", {"n": 1}, created_at="2026-06-01T00:00:00Z")
    write(destination, "bad", {"n": 1}, {"n": 2})
    write(source, "bad", {"n": 3})
    damage(destination, f"UPDATE events SET {column} = ? WHERE position = 2", value)
    before = rows(destination, "bad")

    report = migrate(source, destination)

    failed, went_on = report.runs
    assert (failed.status, failed.events_migrated, report.ok, report.failures) == ("failed", 0, False, (failed,))
    assert failed.error is not None
    assert failed.error.startswith("write failure: LogInconsistencyError:")
    assert "evt_002" in failed.error
    assert column in failed.error
    assert rows(destination, "bad") == before
    assert (went_on.run_id, went_on.status) == ("good", "ok")


def test_a_destination_that_is_longer_or_of_another_origin_fails(files: tuple[str, str]) -> None:
    source, destination = files
    write(source, "longer", {"n": 1})
    write(destination, "longer", {"n": 1}, {"n": 2})
    write(source, "origin", {"n": 1}, created_at="2026-06-01T00:00:00Z")
    write(destination, "origin", {"n": 1}, created_at="2026-07-01T00:00:00Z")

    longer, origin = migrate(source, destination).runs

    assert longer.status == origin.status == "failed"
    assert "created_at" in (origin.error or "")
    assert len(rows(destination, "longer")) == 2


@pytest.mark.parametrize("position", [1, 2, 3])
def test_a_payload_that_cannot_be_read_fails_its_run_or_is_left_out_and_listed(
    files: tuple[str, str], position: int
) -> None:
    source, destination = files
    write(source, "run", {"n": 1}, {"n": 2}, {"n": 3}, setup_count=2)
    damage(source, "UPDATE events SET payload = '{\"n\":' WHERE position = ?", position)

    refused = only(migrate(source, destination))
    assert refused.status == "failed"
    assert (refused.error or "").startswith("read failure: CorruptedEventPayloadError:")
    assert f"evt_{position:03d}" in (refused.error or "")
    assert list_runs(destination) == []
    skipped = only(migrate(source, destination, skip_corrupted=True))
    again = only(migrate(source, destination, skip_corrupted=True))

    assert (skipped.status, skipped.events_migrated, skipped.skipped_events) == ("ok", 2, (f"evt_{position:03d}",))
    assert (again.status, again.events_migrated, again.skipped_events) == ("ok", 0, (f"evt_{position:03d}",))
    assert [row.position for row in rows(destination, "run")] == [1, 2]
    assert verify_run(destination, "run").ok
    assert list_runs(destination)[0].setup_count == (1 if position <= 2 else 2)


def test_a_damage_of_the_source_stays_findable_in_the_copy(files: tuple[str, str]) -> None:
    source, destination = files
    write(source, "run", {"n": 1}, {"n": 2})
    damage(source, "UPDATE events SET payload = '{\"n\":7}' WHERE position = 1")

    assert migrate(source, destination).ok

    assert verify_run(destination, "run").first_bad == "evt_001"


def test_runs_are_chosen_by_id_in_the_order_of_the_source_and_unknown_ones_come_last(files: tuple[str, str]) -> None:
    source, destination = files
    for number, run_id in enumerate(("a", "b", "c")):
        write(source, run_id, {"n": 1}, created_at=f"2026-05-1{number}T00:00:00Z")

    report = migrate(source, destination, only_run_ids=["nobody", "c", "a", "c"])

    assert [(run.run_id, run.status) for run in report.runs] == [("a", "ok"), ("c", "ok"), ("nobody", "failed")]
    assert (report.runs[-1].error or "").startswith("RunNotFoundError: ")
    assert [run.run_id for run in list_runs(destination)] == ["a", "c"]


def test_progress_is_told_run_by_run_and_its_failure_harms_nothing(
    files: tuple[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    source, destination = files
    write(source, "a", {"n": 1})
    write(source, "b", {"n": 1}, created_at="2026-06-01T00:00:00Z")
    told: list[MigrationRunReport] = []

    def tell(report: MigrationRunReport) -> None:
        told.append(report)
        raise OSError("no terminal")

    with caplog.at_level(logging.INFO, logger="activegraph.migration"):
        report = migrate(source, destination, on_progress=tell)

    assert tuple(told) == report.runs
    lines = [record.getMessage() for record in caplog.records if record.levelno == logging.INFO]
    assert lines == ["run migrated: ok 1 events", "run migrated: ok 1 events", "migration finished: 2 ok, 0 failed"]


def test_events_are_counted_over_all_runs_and_a_failed_one_is_done_with(
    files: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("activegraph.operations.migrate._TOLD_EVERY", 2)
    source, destination = files
    write(source, "a", *({"n": n} for n in range(5)))
    write(source, "b", *({"n": n} for n in range(3)), created_at="2026-06-01T00:00:00Z")
    alter(
        Path(source.removeprefix("sqlite:///")), "UPDATE events SET payload = 'x' WHERE run_id = 'a' AND position = 4"
    )
    told: list[tuple[int, int]] = []

    def tell(done: int, total: int) -> None:
        told.append((done, total))
        raise OSError("no terminal")

    report = migrate(source, destination, on_events=tell)

    assert [run.status for run in report.runs] == ["failed", "ok"]
    assert told == [(2, 8), (4, 8), (5, 8), (7, 8), (8, 8)]


def test_a_store_is_not_migrated_onto_itself_however_it_is_spelt(tmp_path: Path) -> None:
    source = f"sqlite:///{tmp_path}/run.db"
    write(source, "run", {"n": 1})
    before = (tmp_path / "run.db").read_bytes()

    with pytest.raises(InvalidRuntimeConfiguration):
        migrate(source, f"sqlite:///{tmp_path}/../{tmp_path.name}/run.db")

    assert (tmp_path / "run.db").read_bytes() == before


def test_what_concerns_the_whole_call_is_raised(files: tuple[str, str], tmp_path: Path) -> None:
    source, destination = files
    with pytest.raises(StoreNotFoundError):
        migrate(source, destination)
    with pytest.raises(InvalidStoreURL):
        migrate("source.db", destination)
    write(source, "run", {"n": 1})
    write(destination, "other", {"n": 1})
    damage(destination, "UPDATE meta SET value = '9' WHERE key = 'schema_version'")
    with pytest.raises(SchemaVersionMismatch):
        migrate(source, destination)

    assert not (tmp_path / "missing.db").exists()


def test_the_layout_before_is_read_as_a_source_and_by_nothing_else(files: tuple[str, str]) -> None:
    source, destination = files
    with sqlite3.connect(source.removeprefix("sqlite:///")) as old:
        old.executescript(
            """
            CREATE TABLE events (seq INTEGER PRIMARY KEY, run_id TEXT, id TEXT, type TEXT, actor TEXT, payload TEXT,
                frame_id TEXT, caused_by TEXT, timestamp TEXT);
            CREATE TABLE runs (run_id TEXT PRIMARY KEY, parent_run_id TEXT, forked_at_event_id TEXT, label TEXT,
                created_at TEXT, goal TEXT, frame_id TEXT);
            CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT);
            INSERT INTO meta VALUES ('schema_version', '1');
            INSERT INTO runs VALUES ('old', NULL, NULL, NULL, '2025-01-01T00:00:00Z', 'g', NULL);
            INSERT INTO events VALUES (7, 'old', 'evt_001', 'goal.created', 'user', '{"goal": "g"}', NULL, NULL, 't');
            INSERT INTO events VALUES (9, 'old', 'evt_002', 'noted', 'user', '{"n": 1.50}', NULL, 'evt_001', 't');
            """
        )
    with pytest.raises(SchemaVersionMismatch):
        open_store(source, "old", read_only=True)

    report = migrate(source, destination)

    assert (only(report).status, only(report).events_migrated) == ("ok", 2)
    assert [row.payload for row in rows(destination, "old")] == ['{"goal":"g"}', '{"n":1.5}']
    assert verify_run(destination, "old").ok
    assert list_runs(destination) == [
        RunRecord("old", None, None, None, "2025-01-01T00:00:00Z", "g", None, 2, "evt_002", "stopped", 0)
    ]


def test_passwords_are_masked_in_the_report(files: tuple[str, str]) -> None:
    source, _ = files
    write(source, "run", {"n": 1})
    report = MigrationReport("a", "b", (MigrationRunReport("run", "ok", 1),))

    assert report.ok
    assert report.failures == ()
