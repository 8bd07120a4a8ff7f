"""Reads on PostgreSQL: pages by key that are one snapshot, and nothing held in between."""

from __future__ import annotations

import pytest
from activegraph.errors import CorruptedEventPayloadError, EventNotFoundError, LogInconsistencyError
from activegraph.store.postgres import PostgresEventStore
from support.postgres_events import ask, batch, ids
from support.stored_runs import event


def test_an_iteration_shows_what_was_there_when_it_began(postgres_url: str) -> None:
    store, writer = PostgresEventStore(postgres_url, "run_a"), PostgresEventStore(postgres_url, "run_a")
    writer.append_many(batch(1, 3000))
    seen = store.iter_events()
    first = next(seen)
    writer.append_many(batch(3001, 3500))

    assert [first.id, *ids(list(seen))] == [f"evt_{n}" for n in range(1, 3001)]
    assert store.count() == 3500


def test_nothing_is_held_between_pages(postgres_url: str) -> None:
    store = PostgresEventStore(postgres_url, "run_a")
    store.append_many(batch(1, 1000))
    reading = [store.iter_events(), store.iter_range(5), store.iter_raw(), store.iter_types("note.taken")]
    for iterator in reading:
        next(iterator)

    held = ask(
        postgres_url,
        "SELECT state, backend_xmin IS NULL FROM pg_stat_activity WHERE application_name = 'activegraph'"
        " AND query NOT LIKE '%%pg_stat_activity%%' AND datname = current_database()",
    )
    assert set(held) <= {("idle", True)}
    store.append(event("evt_1001"))
    del reading
    assert store.count() == 1001


def test_boundaries_are_exclusive_and_inclusive_and_may_cross(postgres_url: str) -> None:
    store = PostgresEventStore(postgres_url, "run_a")
    store.append_many(batch(1, 9))

    assert ids(list(store.iter_events(after="evt_3"))) == [f"evt_{n}" for n in range(4, 10)]
    assert ids(list(store.iter_events(until="evt_3"))) == ["evt_1", "evt_2", "evt_3"]
    assert ids(list(store.iter_events("evt_3", "evt_5"))) == ["evt_4", "evt_5"]
    assert list(store.iter_events("evt_5", "evt_3")) == []
    assert list(store.iter_events(after="evt_9")) == []
    for wrong in ({"after": "evt_x"}, {"until": "evt_x"}):
        with pytest.raises(EventNotFoundError) as refusal:
            next(store.iter_events(**wrong))
        assert refusal.value.context["where"] in wrong
        assert refusal.value.context["driver"] == "postgres"


def test_an_iteration_to_the_end_moves_the_known_head(postgres_url: str) -> None:
    store, other = PostgresEventStore(postgres_url, "run_a"), PostgresEventStore(postgres_url, "run_a")
    for first in (1, 7):
        other.append_many(batch(first, first + 2))
        assert list(store.iter_events(after=None if first == 1 else "evt_3"))
        assert store.append_many(batch(first + 3, first + 5)) == first + 5
        list(other.iter_events(after=f"evt_{first + 5}"))


def test_an_iteration_that_ends_after_an_append_does_not_take_the_head_back(postgres_url: str) -> None:
    store = PostgresEventStore(postgres_url, "run_a")
    store.append_many(batch(1, 3))
    reading = store.iter_events()
    next(reading)
    store.append(event("evt_4"))

    assert ids(list(reading)) == ["evt_2", "evt_3"]
    assert store.append_many([event("evt_5")]) == 5


def test_ranges_and_tails_equal_slices_of_the_log(postgres_url: str) -> None:
    store = PostgresEventStore(postgres_url, "run_a")
    log = batch(1, 7)
    store.append_many(log)

    for start in range(1, 10):
        assert list(store.iter_range(start)) == log[start - 1 :]
        for stop in range(10):
            assert list(store.iter_range(start, stop)) == log[start - 1 : stop]
    for n in range(-1, 10):
        assert store.tail(n) == (log[-n:] if n > 0 else [])
    with pytest.raises(ValueError, match="start at 1"):
        store.iter_range(0)


def test_types_come_in_order_rare_and_common_ones_alike(postgres_url: str) -> None:
    store = PostgresEventStore(postgres_url, "run_a")
    types = ["runtime.idle", "note.taken", "behavior.failed", "other", "tool.in_doubt"]
    log = [event(f"evt_{n}", types[n % 5]) for n in range(1, 2500)]
    store.append_many(log)

    for wanted in (
        (),
        ("runtime.idle",),
        ("other",),
        ("behavior.failed", "runtime.idle"),
        ("other", "runtime.idle", "none"),
        ("none",),
        ("other", "other"),
    ):
        assert list(store.iter_types(*wanted)) == [e for e in log if e.type in wanted]


def test_a_missing_position_is_named_where_it_should_have_come(postgres_url: str) -> None:
    store = PostgresEventStore(postgres_url, "run_a")
    store.append_many(batch(1, 20))
    ask(postgres_url, "DELETE FROM events WHERE position = 12")
    seen = []

    with pytest.raises(LogInconsistencyError) as refusal:
        seen.extend(store.iter_events())

    assert refusal.value.context["reason"] == "gap"
    assert refusal.value.context["position"] == 12
    with pytest.raises(LogInconsistencyError):
        store.tail(10)
    assert len(store.tail(8)) == 8


def test_a_tag_that_is_edited_wrong_is_named_and_its_neighbours_stay_readable(postgres_url: str) -> None:
    store = PostgresEventStore(postgres_url, "run_a")
    store.append_many(batch(1, 3))
    ask(postgres_url, """UPDATE events SET payload_text = '{"n": {"$ag.no": 1}}' WHERE position = 2""")
    ask(postgres_url, """UPDATE events SET payload_text = '{ "n" : 33 }' WHERE position = 3""")
    reading = store.iter_events()
    assert next(reading).id == "evt_1"

    with pytest.raises(CorruptedEventPayloadError) as refusal:
        next(reading)

    assert refusal.value.context["event_id"] == "evt_2"
    found = store.get_event("evt_3")
    assert found is not None
    assert found.payload == {"n": 33}


def test_long_rows_are_read_a_few_at_a_time(postgres_url: str) -> None:
    store = PostgresEventStore(postgres_url, "run_a")
    store.append_many([event(f"evt_{n}", payload={"s": "x" * 100_000}) for n in range(300)])

    assert [len(e.payload["s"]) for e in store.iter_events()] == [100_000] * 300


def test_ids_that_look_alike_are_different(postgres_url: str) -> None:
    store = PostgresEventStore(postgres_url, "run_a")
    alike = ["a", "A", "á", "a\u0301", "a ", " a", "１", "1", "a%", "a_", "a'"]
    store.append_many([event(id) for id in alike])

    assert [e.id for id in alike if (e := store.get_event(id))] == alike
    for other in ("run_A", "run_a ", "run_", "run%"):
        assert PostgresEventStore(postgres_url, other).count() == 0


def test_statements_that_were_prepared_on_tiny_tables_keep_to_the_indexes(postgres_url: str) -> None:
    with PostgresEventStore(postgres_url, "run_a") as maker:
        maker.append(event("evt_1"))
    ask(postgres_url, "VACUUM ANALYZE events")
    scans = ask(postgres_url, SCANS)
    store = PostgresEventStore(postgres_url, "run_a")
    for n in range(2, 20):
        store.append(event(f"evt_{n}"))
        store.count()
    store.append_many(batch(20, 3000))
    for n in range(3001, 3020):
        store.append(event(f"evt_{n}"))
        assert store.count() == n

    store.close()
    while ask(
        postgres_url, "SELECT 1 FROM pg_stat_activity WHERE application_name = 'activegraph' AND state = 'active'"
    ):
        pass
    assert ask(postgres_url, SCANS) == scans


SCANS = "SELECT pg_stat_force_next_flush(), seq_scan FROM pg_stat_user_tables WHERE relid = 'events'::regclass"
