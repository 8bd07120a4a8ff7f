"""Appends on PostgreSQL: one fenced statement, refused in both directions, waited for as asked."""

from __future__ import annotations

import logging

import psycopg
import pytest
from activegraph import Event
from activegraph.errors import ConcurrentWriterError, DuplicateEventError, NonSerializableEventError, StoreReadOnlyError
from activegraph.store import InMemoryEventStore
from activegraph.store.postgres import PostgresEventStore
from support.postgres_events import ask, batch, ids, is_whole
from support.postgres_proxy import CuttingProxy
from support.postgres_server import PostgresServer
from support.stored_runs import event

DIGESTS = "SELECT position, id, digest FROM events WHERE run_id = %s ORDER BY position"


def test_a_log_is_the_same_rows_and_digests_as_in_memory(postgres_url: str) -> None:
    memory, store = InMemoryEventStore("run_a"), PostgresEventStore(postgres_url, "run_a")
    for part in (batch(1, 1), batch(2, 9), batch(10, 10), batch(11, 300)):
        memory.append_many(part)
        store.append_many(part)

    assert list(store.iter_raw()) == list(memory.iter_raw())
    assert is_whole(postgres_url, "run_a")


def test_control_characters_in_header_fields_are_kept_in_one_batch_with_others(postgres_url: str) -> None:
    store = PostgresEventStore(postgres_url, "run_a")
    odd = [
        event("a\x1fb", "x\x1ey", {"s": "\x1f\x1e\x00"}, actor="\x1e", timestamp=""),
        event("plain", "x", actor="", frame_id="", caused_by=""),
        event("none", "x", actor=None),
        event("late", "x", timestamp="not a time"),
        event("\x1e", "x", frame_id="\x1f\x1f"),
        event("last", "x"),
    ]
    store.append_many(odd)

    assert list(store.iter_events()) == odd
    assert is_whole(postgres_url, "run_a")


@pytest.mark.parametrize("size", [1, 2, 999, 1000, 1001, 40_000])
def test_a_batch_of_any_size_is_stored_whole(postgres_url: str, size: int) -> None:
    store = PostgresEventStore(postgres_url, "run_a")
    assert store.append_many(batch(1, size)) == size

    assert store.count() == size
    assert ids(store.tail(2)) == [f"evt_{n}" for n in range(max(1, size - 1), size + 1)]


def test_payloads_of_many_megabytes_are_split_over_statements_and_stay_one_commit(postgres_url: str) -> None:
    store = PostgresEventStore(postgres_url, "run_a")
    large = [event(f"evt_{n}", payload={"text": f"{n}" * 9_000_000}) for n in range(1, 6)]
    store.append_many(large)

    assert [len(e.payload["text"]) for e in store.iter_events()] == [9_000_000] * 5
    with pytest.raises(DuplicateEventError):
        store.append_many([*(event(f"evt_{n}", payload=large[0].payload) for n in range(6, 10)), event("evt_1")])
    assert store.count() == 5


def test_jsonb_is_for_queries_and_the_text_for_the_run(postgres_url: str) -> None:
    store = PostgresEventStore(postgres_url, "run_a")
    store.append(event("evt_1", "object.created", {"z": 1.0, "object": {"type": "task"}, "a": -0.0}))

    assert ask(postgres_url, "SELECT payload->'object'->>'type', payload_text FROM events") == [
        ("task", '{"z":1.0,"object":{"type":"task"},"a":-0.0}')
    ]


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-05-15T10:32:01Z", "2026-05-15 10:32:01+00:00"),
        ("2026-05-15T12:32:01.25+02:00", "2026-05-15 10:32:01.250000+00:00"),
        ("2026-05-15T10:32:01", "None"),
        ("2026-05-15", "None"),
        ("yesterday", "None"),
        ("9999-12-31T23:59:59-23:00", "None"),
        ("", "None"),
    ],
)
def test_the_timestamp_column_is_the_text_where_it_reads_as_a_time_with_a_zone(
    postgres_url: str, text: str, utc: str
) -> None:
    store = PostgresEventStore(postgres_url, "run_a")
    store.append(event("evt_1", timestamp=text))
    store.append_many([event(f"evt_{n}", timestamp=text) for n in range(2, 5)])

    with psycopg.connect(postgres_url) as connection:
        connection.execute("SET timezone = 'UTC'")
        found = connection.execute("SELECT DISTINCT timestamp_text, timestamp FROM events").fetchall()
    assert [(shown, str(moment)) for shown, moment in found] == [(text, utc)]


def test_a_head_that_is_too_low_is_refused_with_both_heads(postgres_url: str) -> None:
    first, second = PostgresEventStore(postgres_url, "run_a"), PostgresEventStore(postgres_url, "run_a")
    first.append_many(batch(1, 3))

    with pytest.raises(ConcurrentWriterError) as refusal:
        second.append(event("evt_x"))

    assert refusal.value.context == {
        "run_id": "run_a",
        "expected_head": None,
        "actual_head": "evt_3",
        "expected_count": 0,
        "actual_count": 3,
        "driver": "postgres",
    }
    assert first.count() == 3
    assert ids(list(second.iter_events())) == ["evt_1", "evt_2", "evt_3"]
    assert second.append_many([event("evt_x")]) == 4


@pytest.mark.parametrize("size", [1, 5])
def test_a_head_that_the_database_lost_is_refused_and_leaves_no_hole(postgres_url: str, size: int) -> None:
    store = PostgresEventStore(postgres_url, "run_a")
    store.append_many(batch(1, 10))
    ask(postgres_url, "DELETE FROM events WHERE position > 7")

    with pytest.raises(ConcurrentWriterError) as refusal:
        store.append_many(batch(11, 10 + size))

    assert (refusal.value.expected_count, refusal.value.actual_count) == (10, 7)
    assert store.count() == 7


def test_a_head_of_the_same_length_with_another_history_is_refused(postgres_url: str) -> None:
    store = PostgresEventStore(postgres_url, "run_a")
    store.append_many(batch(1, 3))
    ask(postgres_url, "DELETE FROM events WHERE position = 3")
    PostgresEventStore(postgres_url, "run_a").append(event("evt_other"))

    with pytest.raises(ConcurrentWriterError):
        store.append(event("evt_4"))
    with pytest.raises(ConcurrentWriterError):
        store.append_many([])
    assert store.count() == 3


@pytest.mark.parametrize("expected", [0, 2, 4, 99])
def test_a_wrong_expected_count_is_refused_and_the_right_one_works(postgres_url: str, expected: int) -> None:
    store = PostgresEventStore(postgres_url, "run_a")
    store.append_many(batch(1, 3))

    for events in ([event("evt_4")], batch(4, 9), []):
        with pytest.raises(ConcurrentWriterError) as refusal:
            store.append_many(events, expected_count=expected)
        assert (refusal.value.expected_count, refusal.value.actual_count) == (expected, 3)
    assert store.append_many([event("evt_4")], expected_count=3) == 4


def test_a_handle_learns_another_head_when_it_is_told_the_right_one(postgres_url: str) -> None:
    first, second = PostgresEventStore(postgres_url, "run_a"), PostgresEventStore(postgres_url, "run_a")
    first.append_many(batch(1, 3))

    assert second.append_many(batch(4, 5), expected_count=3) == 5


def test_an_id_that_is_both_known_and_stale_is_a_duplicate(postgres_url: str) -> None:
    store = PostgresEventStore(postgres_url, "run_a")
    store.append_many(batch(1, 3))
    PostgresEventStore(postgres_url, "run_a").append(event("evt_4"))

    with pytest.raises(DuplicateEventError):
        store.append(event("evt_2"))
    with pytest.raises(ConcurrentWriterError):
        store.append(event("evt_4"))


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_batch_with_one_bad_event_stores_nothing(postgres_url: str, place: int) -> None:
    store = PostgresEventStore(postgres_url, "run_a")
    store.append_many(batch(1, 3))
    for bad, error in (
        (event("evt_2"), DuplicateEventError),
        (event("evt_8", payload={"f": object()}), NonSerializableEventError),
        (event("evt_9", actor="\x00"), NonSerializableEventError),
    ):
        mixed: list[Event] = batch(4, 5)
        mixed.insert(place, bad)
        with pytest.raises(error):
            store.append_many(mixed)
    assert store.append_many(batch(4, 5)) == 5


def test_a_key_that_is_too_long_for_an_index_is_refused_like_any_other_bad_event(postgres_url: str) -> None:
    store = PostgresEventStore(postgres_url, "run_a")
    noise = "".join(chr(0x4E00 + (n * 7919) % 20_000) for n in range(10_000))

    with pytest.raises(NonSerializableEventError) as refusal:
        store.append(event(noise))

    assert refusal.value.context["path"] == "id"
    assert store.append_many([event("x" * 10_000)]) == 1


def test_the_first_event_records_the_run_with_its_goal_and_a_refused_one_does_not(postgres_url: str) -> None:
    store = PostgresEventStore(postgres_url, "run_a")
    with pytest.raises(NonSerializableEventError):
        store.append(event("evt_1", payload={"f": object()}))
    assert store.get_run() is None

    store.append(event("evt_1", "goal.created", {"goal": "be\x00gin"}))
    record = store.get_run()
    assert record is not None
    assert (record.goal, record.event_count, record.setup_count) == ("be\ufffdgin", 1, None)


def test_an_append_is_one_round_trip_once_the_run_is_recorded() -> None:
    with PostgresServer() as server, CuttingProxy(server) as proxy:
        store = PostgresEventStore(proxy.url, "run_a")
        # Statements are prepared when they have been used a few times; each costs one more trip then.
        for n in range(1, 30):
            if n == 20:
                proxy.round_trips = 0
            store.append(event(f"evt_{10 * n}"))
            store.append_many(batch(10 * n + 1, 10 * n + 5), sync=True)
            store.append_many(batch(10 * n + 6, 10 * n + 9), sync=False)

        assert proxy.round_trips == 30


def test_a_commit_that_need_not_wait_does_not_and_leaves_the_session_as_it_was() -> None:
    with PostgresServer(settings={"synchronous_commit": "on"}, durable=True) as server:
        url = server.url
        store = PostgresEventStore(url, "run_a")
        store.append(event("evt_0"))
        ask(url, "CREATE TABLE seen (setting text)")
        ask(
            url,
            "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN INSERT INTO seen VALUES (current_setting('synchronous_commit')); RETURN NULL; END $$",
        )
        ask(
            url,
            "CREATE CONSTRAINT TRIGGER note AFTER INSERT ON events INITIALLY DEFERRED FOR EACH ROW"
            " EXECUTE FUNCTION note()",
        )
        for n, sync in enumerate((None, True, False, None), 1):
            store.append_many([event(f"evt_{n}")], sync=sync)
        assert [row[0] for row in ask(url, "SELECT setting FROM seen")] == ["on", "on", "off", "on"]

        server.settings["synchronous_commit"] = "off"
        server.restart()
        ask(url, "DELETE FROM seen")
        for n, sync in enumerate((None, True, False), 10):
            store.append_many([event(f"evt_{n}")], sync=sync)
        full = PostgresEventStore(f"{url}&synchronous=full", "run_b")
        for n, sync in enumerate((None, True, False)):
            full.append_many([event(f"evt_{n}")], sync=sync)
        with full.transaction():
            full.append_many([event("evt_9")], sync=False)
        assert [row[0] for row in ask(url, "SELECT setting FROM seen")] == ["off", "on", "off", *["on"] * 4]


def test_an_empty_append_with_sync_flushes_what_was_not_waited_for() -> None:
    with PostgresServer(settings={"synchronous_commit": "off", "wal_writer_delay": "10s"}, durable=True) as server:
        store = PostgresEventStore(server.url, "run_a")
        store.append_many(batch(1, 50))
        assert _unflushed(server.url) > 0
        store.append_many([], sync=True)
        # Only what the question itself writes is left.
        assert _unflushed(server.url) == 0
        server.restart(immediate=True)

        assert store.count() == 50
        store.append_many(batch(51, 60), sync=True)
        server.restart(immediate=True)
        assert store.count() == 60


def _unflushed(url: str) -> int:
    return int(ask(url, "SELECT pg_current_wal_insert_lsn() - pg_current_wal_flush_lsn()")[0][0])


def test_a_server_without_fsync_is_warned_of_once_per_handle(
    postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    if ask(postgres_url, "SHOW fsync") != [("off",)]:
        pytest.skip("the server that was given has fsync on")
    store = PostgresEventStore(postgres_url, "run_a")
    with caplog.at_level(logging.WARNING, "activegraph.store"):
        store.append(event("evt_1"))
        assert caplog.records == []
        for n in range(2, 5):
            store.append_many([event(f"evt_{n}")], sync=True)

    assert ["fsync off" in record.message for record in caplog.records] == [True]


def test_a_committed_batch_is_one_debug_line(postgres_url: str, caplog: pytest.LogCaptureFixture) -> None:
    store = PostgresEventStore(postgres_url, "run_a")
    with caplog.at_level(logging.DEBUG, "activegraph.store"):
        store.append_many(batch(1, 3))
        store.append_many([])

    assert [record.message for record in caplog.records] == ["append: 3 events at 1..3"]
    assert caplog.records[0].run_id == "run_a"  # type: ignore[attr-defined]
    assert caplog.records[0].latency_seconds >= 0  # type: ignore[attr-defined]


def test_a_transaction_is_all_or_nothing_and_a_refusal_inside_does_not_end_it(postgres_url: str) -> None:
    store, reader = PostgresEventStore(postgres_url, "run_a"), PostgresEventStore(postgres_url, "run_a", read_only=True)
    store.append(event("evt_1"))
    with store.transaction():
        store.append_many(batch(2, 3))
        with store.transaction():
            store.append(event("evt_4"))
        with pytest.raises(DuplicateEventError):
            store.append(event("evt_1"))
        store.append(event("evt_5"))
        assert (store.count(), reader.count()) == (5, 1)
    assert reader.count() == 5

    def fail_half_way() -> None:
        with store.transaction():
            store.append_many(batch(6, 9))
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        fail_half_way()
    assert store.append_many([event("evt_6")]) == 6
    assert is_whole(postgres_url, "run_a")


def test_truncation_is_dense_afterwards_and_refused_when_the_run_grew(postgres_url: str) -> None:
    store, other = PostgresEventStore(postgres_url, "run_a"), PostgresEventStore(postgres_url, "run_b")
    store.append_many(batch(1, 10))
    other.append_many(batch(1, 10))
    store.truncate_after("evt_6")
    store.truncate_after("evt_6")

    assert store.append_many([event("evt_7")]) == 7
    with pytest.raises(KeyError):
        store.truncate_after("evt_8")
    PostgresEventStore(postgres_url, "run_a").append(event("evt_8"))
    with pytest.raises(ConcurrentWriterError):
        store.truncate_after("evt_2")
    assert (store.count(), other.count()) == (8, 10)
    assert is_whole(postgres_url, "run_a")


def test_every_write_of_a_read_only_handle_is_refused(postgres_url: str) -> None:
    PostgresEventStore(postgres_url, "run_a").append(event("evt_1"))
    store = PostgresEventStore(postgres_url, "run_a", read_only=True)
    for operation, write in {
        "append": lambda: store.append_many([]),
        "truncate_after": lambda: store.truncate_after("evt_1"),
        "upsert_run": lambda: store.upsert_run(created_at="2026-05-15T10:32:01Z"),
        "transaction": lambda: store.transaction().__enter__(),
    }.items():
        with pytest.raises(StoreReadOnlyError) as refusal:
            write()
        assert refusal.value.context == {"run_id": "run_a", "operation": operation}
