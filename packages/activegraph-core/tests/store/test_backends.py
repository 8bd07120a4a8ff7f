"""Backends are found by entry points; one that is broken or bare does no harm to the others."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from activegraph.errors import (
    CorruptedEventPayloadError,
    EventNotFoundError,
    IncompatibleRuntimeState,
    InvalidStoreURL,
    LogInconsistencyError,
    MissingOptionalDependency,
    RunExistsError,
    RunNotFoundError,
)
from activegraph.store import (
    ImportResult,
    RawEvent,
    RunRecord,
    fork_run,
    get_run,
    list_runs,
    most_recent_run_id,
    open_store,
    parse_store_url,
    registry,
    sqlite_url,
    verify_run,
)
from activegraph.store.imports import import_run
from support.acme import install
from support.logs import event, events, is_whole, raw

SCHEMES = {"acme": "support.acme:AcmeBackend", "plain": "support.acme:PlainBackend"}
CREATED = "2026-05-15T10:32:01Z"


@pytest.fixture(autouse=True)
def acme(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install(monkeypatch, tmp_path / "installed", SCHEMES | {"ACME-Alias": "support.acme:AcmeBackend"})


def write(url: str, run_id: str, *batch: Any) -> None:
    store: Any = open_store(url, run_id)
    for one in batch:
        store.append(one)
    store.close()


def test_a_backend_of_others_is_opened_by_its_scheme_in_any_case() -> None:
    write("acme:one", "run_a", *events(1, 3))

    assert parse_store_url("ACME:one").scheme == "acme"
    assert parse_store_url("acme-alias:one").scheme == "acme"
    assert [r.run_id for r in list_runs("acme:one")] == ["run_a"]
    assert most_recent_run_id("acme:one") == "run_a"
    assert get_run("acme:one", "run_a").event_count == 3
    assert {"acme", "plain", "sqlite", "acme-alias"} <= set(registry.installed_schemes())


def test_a_broken_backend_is_skipped_with_one_warning_unless_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "broken"
    install(monkeypatch, folder, {"broken": "acme_broken:Backend", **SCHEMES})
    (folder / "acme_broken.py").write_text("raise RuntimeError('no driver here')\n")

    for _ in range(2):
        with pytest.raises(InvalidStoreURL) as refusal:
            parse_store_url("mysql://h/d")
        assert "acme" in refusal.value.how_to_fix
        assert "broken" not in refusal.value.how_to_fix
    (line,) = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert "broken" in line.getMessage()
    assert line.error_type == "RuntimeError"  # type: ignore[attr-defined]

    with pytest.raises(RuntimeError, match="no driver here"):
        open_store("broken:x", "run_a")


@pytest.mark.parametrize(
    "text",
    [
        "[activegraph.stores]\nsound = acme_sound:Backend\n",
        "[other]\nsound = nowhere:Nothing\n[activegraph.stores]\n# sound = nowhere:Nothing\n\nSOUND=acme_sound:Backend [extra]\n",
        "[ activegraph.stores ]\n  sound  =  acme_sound:Backend  \n[activegraph.packs]\nsound = nowhere:Nothing\n",
    ],
)
def test_a_backend_is_found_however_its_entry_point_is_laid_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str
) -> None:
    about = tmp_path / "acme_sound-1.0.dist-info"
    about.mkdir()
    (about / "entry_points.txt").write_text(text)
    (tmp_path / "acme_sound.py").write_text("from support.acme import PlainBackend as Backend\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(registry, "_loaded", {})

    assert type(registry.backend_for("sound", "sound:x")).__name__ == "PlainBackend"


def test_a_scheme_of_ours_that_is_not_installed_names_its_distribution(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_entry_points", dict)
    monkeypatch.setattr(registry, "announced", lambda group, name: None)

    with pytest.raises(MissingOptionalDependency) as refusal:
        parse_store_url("postgres://host/db")
    assert refusal.value.context["package"] == "activegraph-store-postgres"
    assert "pip install 'activegraph[postgres]'" in refusal.value.how_to_fix
    with pytest.raises(MissingOptionalDependency) as refusal:
        parse_store_url("sqlite:///x.db")
    assert "pip install activegraph-store-sqlite" in refusal.value.how_to_fix
    with pytest.raises(InvalidStoreURL) as unknown:
        parse_store_url("mysql://h/d")
    assert "activegraph-store-postgres" in unknown.value.how_to_fix


@pytest.mark.parametrize("run_id", ["run_x", "", "a\x00b", "\ud800"])
def test_an_unknown_run_is_not_found_and_some_that_exist_are_named(tmp_path: Path, run_id: str) -> None:
    url = sqlite_url(tmp_path / "a.db")
    for n in range(7):
        write(url, f"run_{n}", event("evt_001"))

    with pytest.raises(RunNotFoundError) as refusal:
        get_run(url, run_id)

    assert refusal.value.context == {"run_id": run_id, "url": url}
    assert "run_6" in refusal.value.how_to_fix
    assert "run_0," not in refusal.value.how_to_fix
    assert isinstance(refusal.value, FileNotFoundError)
    assert isinstance(refusal.value, LookupError)
    with pytest.raises(RunNotFoundError):
        fork_run(url, run_id=run_id, at_event="evt_001")


def rows(count: int) -> list[RawEvent]:
    from activegraph.store import InMemoryEventStore

    with InMemoryEventStore("run_a") as store:
        store.append_many(events(1, count))
        return raw(store)


RECORD = RunRecord("run_a", "run_p", "evt_009", "copied", CREATED, "win", None, setup_count=2)


def test_a_store_with_transactions_imports_through_them() -> None:
    url = parse_store_url("acme:one")

    assert import_run(url, RECORD, iter(rows(1200))) == ImportResult(1200, 0)
    assert import_run(url, RECORD, iter(rows(1200))) == ImportResult(0, 1200)
    assert import_run(url, RECORD, iter(rows(1300))) == ImportResult(100, 1200)

    found = get_run("acme:one", "run_a")
    assert (found.parent_run_id, found.label, found.goal, found.setup_count) == ("run_p", "copied", "win", 2)
    assert found.event_count == 1300


def test_a_conflicting_import_through_transactions_leaves_nothing() -> None:
    url = parse_store_url("acme:one")
    import_run(url, RECORD, rows(5))
    other = rows(8)
    other[3] = RawEvent(4, "evt_004", "other", None, "{}", None, None, "", None)

    for attempt, reason in ((other, "conflict"), (rows(3), "conflict")):
        with pytest.raises(LogInconsistencyError) as refusal:
            import_run(url, RECORD, attempt)
        assert refusal.value.context["reason"] == reason
    with pytest.raises(LogInconsistencyError):
        import_run(url, RunRecord("run_a", "run_q", None, None, CREATED, None, None), rows(5))
    assert get_run("acme:one", "run_a").event_count == 5


def test_a_store_that_makes_digests_of_its_own_takes_no_damaged_log() -> None:
    damaged = rows(5)
    row = damaged[2]
    damaged[2] = RawEvent(3, row.id, row.type, None, '{"text":"forged"}', None, None, row.timestamp, row.digest)

    with pytest.raises(LogInconsistencyError) as refusal:
        import_run(parse_store_url("acme:one"), RECORD, damaged)
    assert (refusal.value.context["reason"], refusal.value.context["event_id"]) == ("digest", "evt_003")
    assert list_runs("acme:one") == []


def test_a_store_without_transactions_imports_nothing() -> None:
    with pytest.raises(IncompatibleRuntimeState) as refusal:
        import_run(parse_store_url("plain:one"), RECORD, rows(3))
    assert refusal.value.context["current_store_kind"] == "plain"


def sqlite_run(tmp_path: Path) -> tuple[str, list[RawEvent]]:
    url = sqlite_url(tmp_path / "a.db")
    store: Any = open_store(url, "run_a")
    store.upsert_run(created_at=CREATED, goal="win", frame_id="frame_001", setup_count=4)
    store.append_many(events(1, 8))
    found = raw(store)
    store.close()
    return url, found


def test_a_fork_into_another_store_is_the_same_prefix_with_the_parents_name(tmp_path: Path) -> None:
    url, parent = sqlite_run(tmp_path)
    elsewhere = sqlite_url(tmp_path / "b.db")

    for at in (2, 6):
        result = fork_run(
            url, run_id="run_a", at_event=f"evt_00{at}", label="far", to_url=elsewhere, new_run_id=f"run_{at}"
        )
        assert (result.parent_run_id, result.new_run_id, result.events_copied) == ("run_a", f"run_{at}", at)
        assert (result.at_event, result.label, result.to_url) == (f"evt_00{at}", "far", elsewhere)
        record = get_run(elsewhere, f"run_{at}")
        assert (record.parent_run_id, record.forked_at_event_id, record.label) == ("run_a", f"evt_00{at}", "far")
        assert (record.goal, record.frame_id, record.setup_count) == ("win", "frame_001", min(4, at))
        copy: Any = open_store(elsewhere, f"run_{at}", read_only=True)
        assert raw(copy) == parent[:at]
        copy.close()
        assert verify_run(elsewhere, f"run_{at}").ok
    assert [r.run_id for r in list_runs(url)] == ["run_a"]


def test_the_same_store_in_another_spelling_is_the_same_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url, _ = sqlite_run(tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link.db").symlink_to(tmp_path / "a.db")
    for spelling in ("sqlite:///a.db", "sqlite:///./a.db?busy_timeout=3", "SQLITE:///link.db"):
        result = fork_run(url, run_id="run_a", at_event="evt_003", to_url=spelling)
        assert get_run(url, result.new_run_id).event_count == 3
    assert not list(tmp_path.glob("link.db-*"))


@pytest.mark.parametrize("to", ["sqlite", "acme"])
def test_a_refused_fork_into_another_store_makes_nothing_there(tmp_path: Path, to: str) -> None:
    url, _ = sqlite_run(tmp_path)
    elsewhere = sqlite_url(tmp_path / "b.db") if to == "sqlite" else "acme:b"

    with pytest.raises(EventNotFoundError) as refusal:
        fork_run(url, run_id="run_a", at_event="evt_099", to_url=elsewhere)
    assert refusal.value.context["operation"] == "fork"
    assert not (tmp_path / "b.db").exists()

    write(elsewhere, "run_taken", event("evt_001"))
    with pytest.raises(RunExistsError):
        fork_run(url, run_id="run_a", at_event="evt_003", to_url=elsewhere, new_run_id="run_taken")
    assert [(r.run_id, r.event_count) for r in list_runs(elsewhere)] == [("run_taken", 1)]


def test_a_store_without_a_fork_of_its_own_forks_into_one_that_can_import(tmp_path: Path) -> None:
    url, _ = sqlite_run(tmp_path)
    result = fork_run(url, run_id="run_a", at_event="evt_005", to_url="acme:one", new_run_id="run_f")
    assert result.events_copied == 5
    assert get_run("acme:one", "run_f").parent_run_id == "run_a"

    with pytest.raises(IncompatibleRuntimeState):
        fork_run("acme:one", run_id="run_f", at_event="evt_002", to_url=url)
    with pytest.raises(IncompatibleRuntimeState):
        fork_run(url, run_id="run_a", at_event="evt_005", to_url="plain:one")


def test_a_cross_store_fork_streams(tmp_path: Path) -> None:
    import tracemalloc

    url = sqlite_url(tmp_path / "a.db")
    store: Any = open_store(url, "run_a")
    for first in range(1, 12_001, 3000):
        store.append_many([event(f"evt_{n}", payload={"text": "x" * 1000}) for n in range(first, first + 3000)])
    store.close()
    tracemalloc.start()
    try:
        fork_run(url, run_id="run_a", at_event="evt_12000", to_url=sqlite_url(tmp_path / "b.db"))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # The whole run is twelve million characters; a page of it is two.
    assert peak < 8_000_000


def test_a_fork_of_a_log_with_a_hole_is_refused(tmp_path: Path) -> None:
    import sqlite3

    url, _ = sqlite_run(tmp_path)
    connection = sqlite3.connect(tmp_path / "a.db")
    connection.execute("DELETE FROM events WHERE position = 2")
    connection.commit()
    connection.close()
    with pytest.raises(LogInconsistencyError) as refusal:
        fork_run(url, run_id="run_a", at_event="evt_005", to_url=sqlite_url(tmp_path / "b.db"))
    assert refusal.value.context["reason"] == "gap"
    assert list_runs(sqlite_url(tmp_path / "b.db")) == []


@pytest.mark.parametrize("payload", ["no json", '{"a":{"$ag.new":1}}', "[1]"])
def test_a_fork_into_another_store_refuses_a_past_that_cannot_be_read(tmp_path: Path, payload: str) -> None:
    import sqlite3

    url, elsewhere = sqlite_run(tmp_path)[0], sqlite_url(tmp_path / "b.db")
    connection = sqlite3.connect(tmp_path / "a.db")
    connection.execute("UPDATE events SET payload = ? WHERE id = 'evt_003'", (payload,))
    connection.commit()
    connection.close()

    for at_event in ("evt_003", "evt_005"):
        with pytest.raises(CorruptedEventPayloadError) as refusal:
            fork_run(url, run_id="run_a", at_event=at_event, to_url=elsewhere)
        assert refusal.value.context["event_id"] == "evt_003"
    assert list_runs(elsewhere) == []
    assert fork_run(url, run_id="run_a", at_event="evt_002", to_url=elsewhere).events_copied == 2


def test_rows_of_a_memory_store_are_whole() -> None:
    assert is_whole(rows(20))
