"""All runs of a database: listed by key, recorded, forked inside the server, and imported with COPY."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import psycopg
import psycopg_pool
import pytest
from activegraph import Event
from activegraph.errors import (
    CorruptedEventPayloadError,
    DuplicateEventError,
    EventNotFoundError,
    IncompatibleRuntimeState,
    InvalidRuntimeConfiguration,
    LogInconsistencyError,
    RunExistsError,
    RunNotFoundError,
)
from activegraph.store import (
    RawEvent,
    RunRecord,
    StoreBackend,
    StoreIdentity,
    list_runs,
    most_recent_run_id,
    open_store,
    parse_store_url,
    sqlite_url,
)
from activegraph.store.base import (
    AtomicAppend,
    EventStore,
    MigrationSource,
    RangeRead,
    RunCatalog,
    RunMetadata,
    Transactional,
)
from activegraph.store.postgres import PostgresEventStore, backend
from support.postgres_events import ask, batch, ids, is_whole
from support.stored_runs import event

NOON = "2026-05-15T12:00:00Z"


def recorded(url: str, run_id: str, *types: str, created_at: str = NOON) -> PostgresEventStore:
    """A run with one event of each type."""
    store = PostgresEventStore(url, run_id)
    store.upsert_run(created_at=created_at)
    if types:
        store.append_many([event(f"evt_{n}", type) for n, type in enumerate(types, 1)])
    return store


def test_the_store_and_its_backend_offer_everything_that_is_optional(postgres_url: str) -> None:
    store = PostgresEventStore(postgres_url, "run_a")
    for capability in (EventStore, AtomicAppend, RangeRead, Transactional, RunMetadata, RunCatalog):
        assert isinstance(store, capability)
    for door in (StoreBackend, StoreIdentity, MigrationSource):
        assert isinstance(backend, door)


@pytest.mark.parametrize(
    ("types", "status"),
    [
        ((), "stopped"),
        (("note.taken",), "stopped"),
        (("goal.created", "runtime.idle"), "idle"),
        (("runtime.idle", "note.taken"), "stopped"),
        (("runtime.idle", "behavior.started", "llm.requested"), "idle"),
        (("runtime.idle", "behavior.started", "object.created"), "stopped"),
        (("runtime.idle", "runtime.budget_exhausted"), "exhausted"),
        (("runtime.budget_exhausted", "note.taken"), "exhausted"),
        (("runtime.budget_exhausted", "tool.in_doubt", "note.taken"), "stopped"),
        (("runtime.budget_exhausted", "runtime.idle"), "idle"),
        (("runtime.idle", "runtime.paused"), "stopped"),
    ],
)
def test_what_is_derived_of_a_run_follows_its_log(postgres_url: str, types: tuple[str, ...], status: str) -> None:
    store = recorded(postgres_url, "run_a", *types)
    record = store.get_run()

    assert record == RunRecord(
        "run_a", None, None, None, NOON, None, None, len(types), f"evt_{len(types)}" if types else None, status
    )
    assert list_runs(postgres_url) == [record]


def test_runs_are_listed_by_time_then_id_and_the_latest_is_the_one_appended_to_last(postgres_url: str) -> None:
    PostgresEventStore(postgres_url, "run_x").close()
    assert most_recent_run_id(postgres_url) is None
    stores = {
        name: recorded(postgres_url, name, created_at=created_at)
        for name, created_at in (
            ("b", NOON),
            ("a", NOON),
            ("c", "2026-05-15T11:00:00+00:00"),
            ("d", "2027-01-01T00:00:00Z"),
        )
    }
    assert [r.run_id for r in list_runs(postgres_url)] == ["c", "a", "b", "d"]
    assert most_recent_run_id(postgres_url) == "d"
    for name in ("b", "c", "a", "b"):
        head = stores[name].append_many([event(f"evt_{stores[name].count() + 1}")])
        assert head
        assert most_recent_run_id(postgres_url) == name


def test_the_run_appended_to_last_is_found_where_its_event_is_not_the_end_of_the_table(postgres_url: str) -> None:
    stores = {name: recorded(postgres_url, name) for name in ("a", "b", "c")}
    for store in stores.values():
        store.append_many(batch(1, 1000))
    assert most_recent_run_id(postgres_url) == "c"

    # A number was given, and nothing was appended with it.
    ask(postgres_url, "SELECT nextval('events_seq_seq')")
    assert most_recent_run_id(postgres_url) == "c"

    # The run that was appended to last was pruned by half.
    stores["b"].append_many(batch(1001, 1002))
    ask(postgres_url, "DELETE FROM runs WHERE run_id = 'b'")
    assert most_recent_run_id(postgres_url) == "c"

    # The event fills a hole at the beginning.
    ask(postgres_url, "DELETE FROM events WHERE run_id = 'b'")
    ask(postgres_url, "VACUUM events")
    stores["a"].append_many(batch(1001, 1001))
    pages = "SELECT (ctid::text::point)[0] FROM events WHERE run_id = 'a' AND position = 1001"
    assert ask(postgres_url, pages) < ask(postgres_url, "SELECT max((ctid::text::point)[0]) - 2 FROM events")
    assert most_recent_run_id(postgres_url) == "a"

    # An event in the middle of a run was put back under a number of today.
    ask(postgres_url, "UPDATE events SET seq = nextval('events_seq_seq') WHERE run_id = 'c' AND position = 500")
    assert most_recent_run_id(postgres_url) == "a"


def test_lists_and_the_latest_run_never_scan_the_events(postgres_url: str) -> None:
    PostgresEventStore(postgres_url, "run_x").close()
    ask(
        postgres_url,
        "INSERT INTO events (run_id, position, id, type, payload_text, timestamp_text, digest)"
        " SELECT 'run_' || r, p, 'evt_' || p, 'note.taken', '{}', '', ''"
        " FROM generate_series(1, 100) AS r, generate_series(1, 100) AS p",
    )
    ask(
        postgres_url,
        "INSERT INTO runs (run_id, created_at) SELECT 'run_' || r, now() FROM generate_series(1, 100) AS r",
    )
    ask(postgres_url, "ANALYZE")
    from activegraph.store.postgres.catalog import SELECT_ALL_RUNS, SELECT_MOST_RECENT

    for sql, params in ((SELECT_ALL_RUNS, (None, None)), (SELECT_MOST_RECENT, None)):
        with psycopg.connect(postgres_url) as connection:
            plan = "\n".join(row[0] for row in connection.execute("EXPLAIN " + sql, params))
        assert "Seq Scan on events" not in plan
        assert "events_pkey" in plan
    assert [r.event_count for r in list_runs(postgres_url)] == [100] * 100


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("2026-05-15T10:32:01Z", "2026-05-15T10:32:01Z"),
        ("2026-05-15T12:32:01.5+02:00", "2026-05-15T10:32:01.500000Z"),
        ("2026-05-15T10:32:01.000001+00:00", "2026-05-15T10:32:01.000001Z"),
        ("2026-05-15", "2026-05-15T00:00:00Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
    ],
)
def test_times_of_creation_come_back_in_one_form(postgres_url: str, given: str, stored: str) -> None:
    store = recorded(postgres_url, "run_a", created_at=given)

    assert store.get_run().created_at == stored  # type: ignore[union-attr]
    store.upsert_run(created_at=stored)
    with pytest.raises(IncompatibleRuntimeState):
        store.upsert_run(created_at="2020-01-01T00:00:00Z")
    with pytest.raises(InvalidRuntimeConfiguration):
        store.upsert_run(created_at="never")


def test_none_never_erases_and_lineage_is_fixed(postgres_url: str) -> None:
    store = PostgresEventStore(postgres_url, "run_b")
    store.upsert_run(created_at=NOON, parent_run_id="run_a", forked_at_event_id="evt_1", label="l\x00", goal="g")
    store.upsert_run(created_at=NOON, frame_id="f", setup_count=3)
    store.upsert_run(created_at=NOON)

    assert store.get_run() == RunRecord("run_b", "run_a", "evt_1", "l\ufffd", NOON, "g", "f", setup_count=3)
    with pytest.raises(IncompatibleRuntimeState):
        store.upsert_run(created_at=NOON, parent_run_id="run_c")


@pytest.fixture(params=["url", "connection", "pool"])
def target(request: pytest.FixtureRequest, postgres_url: str) -> Iterator[object]:
    if request.param == "url":
        yield postgres_url
    elif request.param == "connection":
        with psycopg.connect(postgres_url) as connection:
            yield connection
    else:
        with psycopg_pool.ConnectionPool(postgres_url, min_size=1, max_size=1, open=True) as pool:
            yield pool


def test_a_fork_holds_the_prefix_with_its_digests_and_leaves_the_parent_alone(
    target: object, postgres_url: str
) -> None:
    parent = PostgresEventStore(postgres_url, "run_a")
    parent.append(event("evt_1", "goal.created", {"goal": "g"}))
    parent.append_many(batch(2, 30))
    parent.upsert_run(created_at=parent.get_run().created_at, frame_id="f", setup_count=20)  # type: ignore[union-attr]
    rows = list(parent.iter_raw())
    for at in (1, 12, 30):
        fork = {"parent_run_id": "run_a", "new_run_id": f"run_{at}", "at_event_id": f"evt_{at}"}
        assert PostgresEventStore.fork_run(target, **fork, label="l", created_at=NOON) == at
        made = PostgresEventStore(postgres_url, f"run_{at}")
        assert list(made.iter_raw()) == rows[:at]
        assert made.get_run() == RunRecord(
            f"run_{at}", "run_a", f"evt_{at}", "l", NOON, "g", "f", at, f"evt_{at}", setup_count=min(at, 20)
        )
        assert most_recent_run_id(postgres_url) == f"run_{at}"
    assert list(parent.iter_raw()) == rows
    assert len(PostgresEventStore.list_runs(target)) == 4
    assert PostgresEventStore.most_recent_run_id(target) == "run_30"
    assert is_whole(postgres_url, "run_12")


def test_extra_events_of_a_fork_follow_in_the_same_transaction(postgres_url: str) -> None:
    PostgresEventStore(postgres_url, "run_a").append_many(batch(1, 5))
    fork = {"parent_run_id": "run_a", "at_event_id": "evt_3", "label": None, "created_at": NOON}
    with pytest.raises(DuplicateEventError):
        PostgresEventStore.fork_run(postgres_url, **fork, new_run_id="bad", extra_events=[event("evt_2")])
    assert [r.run_id for r in list_runs(postgres_url)] == ["run_a"]

    PostgresEventStore.fork_run(postgres_url, **fork, new_run_id="good", extra_events=[event("x"), event("y")])
    assert ids(list(open_store(postgres_url, "good").iter_events())) == ["evt_1", "evt_2", "evt_3", "x", "y"]
    assert is_whole(postgres_url, "good")


def test_a_fork_that_cannot_be_leaves_no_trace(postgres_url: str) -> None:
    PostgresEventStore(postgres_url, "run_a").append_many(batch(1, 5))
    before = list_runs(postgres_url)
    for error, changed in (
        (RunNotFoundError, {"parent_run_id": "none"}),
        (EventNotFoundError, {"at_event_id": "none"}),
        (RunExistsError, {"new_run_id": "run_a"}),
        (InvalidRuntimeConfiguration, {"created_at": "never"}),
    ):
        fork = {"parent_run_id": "run_a", "new_run_id": "n", "at_event_id": "evt_1", "label": None, "created_at": NOON}
        with pytest.raises(error) as refusal:
            PostgresEventStore.fork_run(postgres_url, **{**fork, **changed})
        if error is EventNotFoundError:
            assert refusal.value.context["operation"] == "fork"
    assert list_runs(postgres_url) == before
    assert ask(postgres_url, "SELECT count(*) FROM events") == [(5,)]


def import_run(url: str, record: RunRecord, rows: list[RawEvent]) -> tuple[int, int]:
    """Import through the backend's door."""
    result = backend.import_run(parse_store_url(url), record, iter(rows))
    return result.inserted, result.existing


@pytest.fixture
def source(new_postgres_url: Callable[[], str]) -> tuple[RunRecord, list[RawEvent]]:
    store = PostgresEventStore(new_postgres_url(), "run_a")
    odd = [event(f"odd_{n}", actor=a, frame_id=f, timestamp=t) for n, (a, f, t) in enumerate(HEADERS)]
    store.append_many([*batch(1, 4000), *odd])
    store.upsert_run(created_at=store.get_run().created_at, label="l", goal="g", setup_count=2)  # type: ignore[union-attr]
    record = store.get_run()
    assert record is not None
    return record, list(store.iter_raw())


HEADERS = ((None, None, ""), ("", "\\N", "\t\n\\"), ("\\", "\x1f", "2026-05-15T12:32:01+02:00"), ("N", '"', "é"))


def test_an_imported_run_is_the_source_row_for_row_and_again_changes_nothing(
    postgres_url: str, source: tuple[RunRecord, list[RawEvent]]
) -> None:
    record, rows = source
    assert import_run(postgres_url, record, rows) == (4004, 0)
    copy = PostgresEventStore(postgres_url, "run_a")
    assert list(copy.iter_raw()) == rows
    assert copy.get_run() == record
    assert is_whole(postgres_url, "run_a")
    assert ask(postgres_url, "SELECT count(*) FROM events WHERE timestamp IS NOT NULL") == [(4001,)]

    assert import_run(postgres_url, record, rows) == (0, 4004)


@pytest.mark.parametrize("held", [1, 500, 2000, 4000, 4003])
def test_a_destination_that_holds_a_prefix_is_completed(
    postgres_url: str, source: tuple[RunRecord, list[RawEvent]], held: int
) -> None:
    record, rows = source
    import_run(postgres_url, replace(record, label=None, goal=None), rows[:held])

    assert import_run(postgres_url, record, rows) == (4004 - held, held)
    copy = PostgresEventStore(postgres_url, "run_a")
    assert list(copy.iter_raw()) == rows
    assert copy.get_run() == record


@pytest.mark.parametrize("position", [1, 2500])
@pytest.mark.parametrize(
    ("field", "value", "names"),
    [
        ("type", "other", "type"),
        ("payload", '{"n":-1}', "payload"),
        ("actor", None, "actor"),
        ("frame_id", "f", "frame_id"),
        ("caused_by", "evt_1", "caused_by"),
        ("timestamp", "", "timestamp"),
        ("id", "someone", "position"),
    ],
)
def test_the_same_event_with_another_content_fails_the_run_and_names_what_differs(
    postgres_url: str, source: tuple[RunRecord, list[RawEvent]], position: int, field: str, value: object, names: str
) -> None:
    record, rows = source
    changed = list(rows)
    changed[position - 1] = type(rows[0])(**{**row_fields(rows[position - 1]), field: value})
    import_run(postgres_url, record, rows[:3000])

    with pytest.raises(LogInconsistencyError) as refusal:
        import_run(postgres_url, record, changed)

    assert refusal.value.context["reason"] == "conflict"
    assert refusal.value.context["event_id"] == changed[position - 1].id
    assert names in refusal.value.summary
    assert list(PostgresEventStore(postgres_url, "run_a").iter_raw()) == rows[:3000]


def row_fields(row: RawEvent) -> dict[str, object]:
    """A row by column."""
    return {name: getattr(row, name) for name in RawEvent.__struct_fields__}


def test_the_times_of_an_imported_run_are_those_of_an_appended_one(
    postgres_url: str, new_postgres_url: Callable[[], str]
) -> None:
    times = (
        "2026-05-15T12:32:01+02:00",
        "1999-12-31T23:59:59.999999Z",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999999Z",
        "2026-05-15T10:32:01",
        "noon",
    )
    source_url = new_postgres_url()
    store = PostgresEventStore(source_url, "run_a")
    store.append_many([event(f"evt_{n}", timestamp=time) for n, time in enumerate(times)])
    record = store.get_run()
    assert record is not None
    import_run(postgres_url, record, list(store.iter_raw()))

    columns = "SELECT timestamp_text, timestamp::text FROM events ORDER BY position"
    assert ask(postgres_url, columns) == ask(source_url, columns)


@pytest.mark.parametrize("rows_of_copy", [1000, 50_000])
def test_an_id_that_stands_elsewhere_fails_the_run_by_its_name(
    postgres_url: str,
    source: tuple[RunRecord, list[RawEvent]],
    rows_of_copy: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("activegraph.store.postgres.importing._ROWS_OF_COPY", rows_of_copy)
    record, rows = source
    import_run(postgres_url, record, rows[:100])
    for bad in ("evt_7", "evt_300"):
        twice = type(rows[0])(**{**row_fields(rows[2500]), "id": bad})
        with pytest.raises(LogInconsistencyError) as refusal:
            import_run(postgres_url, record, [*rows[:2500], twice, *rows[2501:]])
        assert (refusal.value.context["reason"], refusal.value.context["event_id"]) == ("conflict", bad)
    assert PostgresEventStore(postgres_url, "run_a").count() == 100


def test_a_destination_that_is_longer_or_of_another_origin_fails(
    postgres_url: str, source: tuple[RunRecord, list[RawEvent]]
) -> None:
    record, rows = source
    import_run(postgres_url, record, rows)
    for changed, cut in (
        (record, rows[:3999]),
        (record, []),
        (replace(record, parent_run_id="p"), rows),
        (replace(record, created_at="2020-01-01T00:00:00Z"), rows),
    ):
        with pytest.raises(LogInconsistencyError) as refusal:
            import_run(postgres_url, changed, cut)
        assert refusal.value.context["reason"] == "conflict"


@pytest.mark.parametrize("position", [1, 1000, 2000, 2001, 4004])
def test_a_source_that_fails_half_way_leaves_nothing_of_the_run(
    postgres_url: str, source: tuple[RunRecord, list[RawEvent]], position: int
) -> None:
    record, rows = source

    def failing() -> Iterator[RawEvent]:
        yield from rows[: position - 1]
        raise OSError("the disk of the source")

    with pytest.raises(Exception, match="the disk of the source"):
        backend.import_run(parse_store_url(postgres_url), record, failing())
    assert list_runs(postgres_url) == []
    assert ask(postgres_url, "SELECT count(*) FROM events") == [(0,)]


@pytest.mark.parametrize("payload", ["{", '{"s":"\\u0000"}', "nothing"])
def test_a_payload_that_no_jsonb_can_hold_fails_the_run(
    postgres_url: str, source: tuple[RunRecord, list[RawEvent]], payload: str
) -> None:
    record, rows = source
    bad = type(rows[0])(**{**row_fields(rows[1]), "payload": payload})
    with pytest.raises(LogInconsistencyError) as refusal:
        import_run(postgres_url, record, [rows[0], bad, *rows[2:]])

    assert refusal.value.context["reason"] == "malformed"
    assert list_runs(postgres_url) == []


@pytest.mark.parametrize("digest", [None, bytes(32)], ids=["without a digest", "with its digest"])
def test_a_payload_that_no_column_can_hold_is_named_by_its_event(
    postgres_url: str, source: tuple[RunRecord, list[RawEvent]], digest: bytes | None
) -> None:
    record, rows = source
    bad = RawEvent(**{**row_fields(rows[1]), "payload": '{"a":"\ud800"}', "digest": digest})

    with pytest.raises(CorruptedEventPayloadError) as refusal:
        import_run(postgres_url, record, [rows[0], bad, *rows[2:]])

    assert refusal.value.context["event_id"] == bad.id
    assert PostgresEventStore(postgres_url, record.run_id).count() == 0


def test_rows_without_digests_get_the_chains(postgres_url: str, source: tuple[RunRecord, list[RawEvent]]) -> None:
    record, rows = source
    bare = [type(row)(**{**row_fields(row), "digest": None}) for row in rows]
    import_run(postgres_url, record, bare[:10])
    import_run(postgres_url, record, bare)

    assert list(PostgresEventStore(postgres_url, "run_a").iter_raw()) == rows


def test_all_spellings_of_one_database_are_one_store(new_postgres_url: Callable[[], str], tmp_path: object) -> None:
    one, other = new_postgres_url(), new_postgres_url()
    respelt = one.replace("postgresql://", "POSTGRES://") + "&application_name=x&synchronous=full"

    assert backend.identity(parse_store_url(one)) == backend.identity(parse_store_url(respelt))
    assert backend.identity(parse_store_url(one)) != backend.identity(parse_store_url(other))
    assert backend.identity(parse_store_url("postgres:///x?host=/nowhere")) is None
    assert ask(one, "SELECT to_regclass('meta')") == [(None,)]


def test_a_run_goes_to_sqlite_and_back_byte_for_byte(
    postgres_url: str, source: tuple[RunRecord, list[RawEvent]], tmp_path: object
) -> None:
    from activegraph.store.imports import import_run as import_into

    record, rows = source
    sqlite = sqlite_url(f"{tmp_path}/copy.db")
    import_into(parse_store_url(sqlite), record, rows)
    there = list(open_store(sqlite, "run_a", read_only=True).iter_raw())  # type: ignore[attr-defined]
    import_run(postgres_url, record, there)

    assert list(PostgresEventStore(postgres_url, "run_a").iter_raw()) == there == rows


LAYOUT_1 = """
CREATE TABLE events (
    seq BIGSERIAL PRIMARY KEY, id TEXT NOT NULL, run_id TEXT NOT NULL, type TEXT NOT NULL, actor TEXT,
    payload JSONB NOT NULL, frame_id TEXT, caused_by TEXT, timestamp TIMESTAMPTZ NOT NULL, UNIQUE (id, run_id)
);
CREATE TABLE runs (
    run_id TEXT PRIMARY KEY, parent_run_id TEXT, forked_at_event_id TEXT, label TEXT, created_at TIMESTAMPTZ NOT NULL,
    goal TEXT, frame_id TEXT
);
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
INSERT INTO meta VALUES ('schema_version', '1');
INSERT INTO runs (run_id, created_at, goal) VALUES ('run_b', '2026-05-15T12:00:00Z', 'g'), ('run_a', '2026-05-14Z', NULL);
INSERT INTO events (id, run_id, type, payload, timestamp)
SELECT 'evt_' || n, CASE n % 3 WHEN 0 THEN 'run_a' ELSE 'run_b' END, 'note.taken',
       jsonb_build_object('n', n, 'x', 1.50), '2026-05-15T12:00:00Z'::timestamptz + n * interval '0.5 s'
FROM generate_series(1, 6000) AS n;
"""


def test_the_layout_before_is_a_source_of_migration_and_nothing_else(new_postgres_url: Callable[[], str]) -> None:
    old, new = new_postgres_url(), new_postgres_url()
    ask(old, LAYOUT_1)
    runs = backend.open_source(parse_store_url(old))
    records = runs.list_runs()
    rows = list(runs.iter_raw("run_b"))
    runs.close()

    assert [(r.run_id, r.created_at, r.goal, r.setup_count) for r in records] == [
        ("run_a", "2026-05-14T00:00:00Z", None, 0),
        ("run_b", NOON, "g", 0),
    ]
    assert [row.position for row in rows] == list(range(1, 4001))
    assert rows[1] == RawEvent(
        2, "evt_2", "note.taken", None, '{"n":2,"x":1.5}', None, None, "2026-05-15T12:00:01Z", None
    )
    assert rows[0].timestamp == "2026-05-15T12:00:00.500000Z"
    import_run(new, records[1], rows)
    assert is_whole(new, "run_b")
    with pytest.raises(Exception, match="schema version"):
        list_runs(old)


def test_this_layout_is_a_source_too_and_a_missing_store_is_none(postgres_url: str) -> None:
    with pytest.raises(FileNotFoundError):
        backend.open_source(parse_store_url(postgres_url))
    store = PostgresEventStore(postgres_url, "run_a")
    store.append_many(batch(1, 500))
    runs = backend.open_source(parse_store_url(postgres_url))

    assert runs.list_runs() == list_runs(postgres_url)
    assert list(runs.iter_raw("run_a")) == list(store.iter_raw())
    runs.close()


def test_a_runtime_records_resumes_and_forks_on_postgres(postgres_url: str) -> None:
    from activegraph import Graph, Runtime
    from activegraph.behaviors.base import Behavior

    def work(event: Event, graph: object, ctx: object) -> None:
        graph.add_object("task", {"title": event.payload["goal"]})  # type: ignore[attr-defined]

    behaviors = [Behavior("worker", work, ["goal.created"])]
    with Runtime(Graph(run_id="run_a"), behaviors, persist_to=postgres_url) as runtime:
        runtime.run_goal("write")
        at = runtime.graph.events[2].id
        with runtime.fork(at_event=at) as fork:
            fork_id = fork.run_id
            fork.run_until_idle()
    with Runtime.load(postgres_url, "run_a", behaviors=behaviors) as loaded:
        assert [o.data["title"] for o in loaded.graph.objects()] == ["write"]
        assert loaded.save_state() == postgres_url
    assert {r.run_id for r in list_runs(postgres_url)} == {"run_a", fork_id}
    assert all(r.status == "idle" for r in list_runs(postgres_url))
    assert is_whole(postgres_url, "run_a")
    assert is_whole(postgres_url, fork_id)
