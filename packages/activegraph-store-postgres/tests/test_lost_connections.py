"""A connection that is lost: found out before anything is sent where that is possible, else settled by looking."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator

import pytest
from activegraph import Event
from activegraph.errors import ConcurrentWriterError, StoreUnavailableError
from activegraph.store import fork_run
from activegraph.store.postgres import PostgresEventStore
from support.postgres_events import as_a_runtime_writes, ask, batch, end_other_sessions, ids, is_whole
from support.postgres_pooler import TransactionPooler
from support.postgres_proxy import CuttingProxy, Moment
from support.postgres_server import PostgresServer
from support.stored_runs import event


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with PostgresServer() as one:
        yield one


@pytest.fixture
def proxy(server: PostgresServer) -> Iterator[CuttingProxy]:
    end_other_sessions(server.url)  # what a test before has cut may still be at work
    ask(server.url, "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    with CuttingProxy(server) as one:
        yield one


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if record.levelno == logging.WARNING]


def test_a_session_that_ended_between_two_operations_is_replaced_with_one_warning(
    server: PostgresServer, proxy: CuttingProxy, caplog: pytest.LogCaptureFixture
) -> None:
    store = PostgresEventStore(proxy.url, "run_a")
    store.append(event("evt_1"))
    uses: tuple[Callable[[], object], ...] = (
        lambda: as_a_runtime_writes(lambda: store.append(event("evt_2"))),
        store.count,
        lambda: as_a_runtime_writes(lambda: store.append_many(batch(3, 9))),
        store.get_run,
    )
    for n, use in enumerate(uses):
        caplog.clear()
        assert end_other_sessions(server.url) == 1
        use()
        assert warnings_of(caplog) == ["connection lost, reconnecting (attempt 1)"], n
        assert caplog.records[-1].run_id == "run_a"  # type: ignore[attr-defined]
        assert caplog.records[-1].error_type  # type: ignore[attr-defined]
    assert is_whole(server.url, "run_a")


def is_done(write: Callable[[], object]) -> bool:
    """Whether a write that was cut says that it was done; if not, it must say that it was not."""
    try:
        write()
    except StoreUnavailableError as error:
        outcome = (error.context["reason"], error.context["committed"])
    else:
        return True
    assert outcome == ("lost", False)
    return False


@pytest.mark.parametrize("moment", ["before", "during", "after"])
@pytest.mark.parametrize("size", [1, 5])
@pytest.mark.parametrize("recorded", [True, False])
def test_a_cut_commit_is_reported_as_what_the_log_says(
    server: PostgresServer, proxy: CuttingProxy, moment: Moment, size: int, recorded: bool
) -> None:
    store = PostgresEventStore(proxy.url, "run_a")
    if recorded:
        store.append_many(batch(1, 10))
    head = store.count()
    sent = batch(head + 1, head + size)
    proxy.cut_next(moment)
    stored = is_done(lambda: store.append_many(sent))

    assert proxy.cuts == 1
    found = ids(list(PostgresEventStore(server.url, "run_a").iter_events()))
    assert found[head:] == (ids(sent) if stored else [])
    if recorded:
        assert stored is (moment != "before")
    if not stored:
        assert store.append_many(sent) == head + size
    assert store.append(event("evt_next")) is None
    assert is_whole(server.url, "run_a")


def test_a_commit_that_is_still_on_its_way_when_the_line_is_cut_is_waited_for(
    server: PostgresServer, proxy: CuttingProxy
) -> None:
    store = PostgresEventStore(proxy.url, "run_a")
    store.append(event("evt_1"))
    ask(
        server.url,
        "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM pg_sleep(0.3); RETURN NULL; END $$",
    )
    ask(
        server.url,
        "CREATE CONSTRAINT TRIGGER dawdle AFTER INSERT ON events INITIALLY DEFERRED FOR EACH ROW"
        " EXECUTE FUNCTION dawdle()",
    )
    proxy.cut_next("during")

    assert store.append_many([event("evt_2")]) == 2
    assert is_whole(server.url, "run_a")


@pytest.mark.parametrize("moment", ["before", "during", "after"])
def test_reads_and_records_are_repeated_on_another_connection(
    server: PostgresServer, proxy: CuttingProxy, moment: Moment
) -> None:
    store = PostgresEventStore(proxy.url, "run_a")
    store.append_many(batch(1, 500))
    created_at = store.get_run().created_at  # type: ignore[union-attr]
    reading = store.iter_events()
    next(reading)
    uses: tuple[Callable[[], object], ...] = (
        lambda: len(list(reading)),
        store.count,
        lambda: store.get_event("evt_3"),
        lambda: store.append_many([], sync=True),
        lambda: store.upsert_run(created_at=created_at, label="kept"),
    )
    for use in uses:
        proxy.cut_next(moment)
        use()
    assert proxy.cuts == len(uses)
    assert store.get_run().label == "kept"  # type: ignore[union-attr]


@pytest.mark.parametrize("trip", range(6))
@pytest.mark.parametrize("moment", ["before", "during", "after"])
def test_a_cut_transaction_is_all_there_or_not_at_all(
    server: PostgresServer, proxy: CuttingProxy, moment: Moment, trip: int
) -> None:
    store = PostgresEventStore(proxy.url, "run_a")
    store.append(event("evt_1"))

    def write() -> None:
        with store.transaction():
            cut_at(0)
            store.append(event("evt_2"))
            cut_at(1)
            store.append_many(batch(3, 5))
            cut_at(2)

    def cut_at(here: int) -> None:
        if trip // 2 == here and trip % 2 == 0:
            proxy.cut_next(moment)

    if trip % 2:
        proxy.cut_next(moment)
    stored = is_done(write)
    found = PostgresEventStore(server.url, "run_a").count()
    assert found == (5 if stored else 1)
    assert store.append_many([event("evt_6")]) == found + 1
    assert is_whole(server.url, "run_a")


@pytest.mark.parametrize("moment", ["before", "during", "after"])
@pytest.mark.parametrize("skipped", range(8))
def test_a_cut_fork_is_made_whole_or_not_at_all(
    server: PostgresServer, proxy: CuttingProxy, moment: Moment, skipped: int
) -> None:
    PostgresEventStore(server.url, "run_a").append_many(batch(1, 20))
    proxy.cut_after(skipped, moment)
    made = is_done(
        lambda: PostgresEventStore.fork_run(
            proxy.url,
            parent_run_id="run_a",
            new_run_id="run_f",
            at_event_id="evt_9",
            label="l",
            created_at="2026-05-15T10:32:01Z",
            extra_events=[event("extra")],
        )
    )
    fork = PostgresEventStore(server.url, "run_f")
    assert fork.count() == (10 if made else 0)
    assert (fork.get_run() is not None) is made
    if made:
        assert is_whole(server.url, "run_f")


def test_another_writers_events_at_our_positions_are_a_conflict_and_not_a_success(
    server: PostgresServer, proxy: CuttingProxy
) -> None:
    store = PostgresEventStore(proxy.url, "run_a")
    store.append(event("evt_1"))
    proxy.cut_next("before")
    with pytest.raises(StoreUnavailableError):
        store.append_many(batch(2, 4))
    PostgresEventStore(server.url, "run_a").append(event("evt_other"))

    with pytest.raises(ConcurrentWriterError) as refusal:
        store.append_many(batch(2, 4))
    assert refusal.value.actual_count == 2


def test_our_own_batch_that_arrives_late_is_met_as_a_success_and_only_then(
    server: PostgresServer, proxy: CuttingProxy
) -> None:
    sent = batch(2, 4)
    store = PostgresEventStore(proxy.url, "run_a")
    store.append(event("evt_1"))
    proxy.cut_next("before")
    with pytest.raises(StoreUnavailableError):
        store.append_many(sent, expected_count=1)
    # What was on its way reaches the server after all.
    PostgresEventStore(server.url, "run_a").append_many(sent)

    assert store.append_many(sent, expected_count=1) == 4
    assert store.append_many(batch(5, 6)) == 6
    twin = PostgresEventStore(server.url, "run_a")
    store.append(event("evt_7"))
    with pytest.raises(ConcurrentWriterError):
        twin.append(event("evt_7"))
    assert is_whole(server.url, "run_a")


def test_a_server_that_stays_away_leaves_the_outcome_open_and_a_repeat_settles_it() -> None:
    with PostgresServer(durable=True) as own, CuttingProxy(own) as proxy:
        store = PostgresEventStore(proxy.url, "run_a")
        store.append(event("evt_1"))
        proxy.cut_next("after")
        proxy.refusing = True
        with pytest.raises(StoreUnavailableError) as refusal:
            store.append_many(batch(2, 3), sync=True)
        assert refusal.value.context["committed"] is None
        assert refusal.value.context["reason"] == "lost"

        proxy.refusing = False
        assert store.append_many(batch(2, 3)) == 3
        assert store.append_many([event("evt_4")]) == 4


def test_a_stopped_server_is_waited_for_over_three_tries(caplog: pytest.LogCaptureFixture) -> None:
    with PostgresServer() as own:
        store = PostgresEventStore(own.url, "run_a")
        own.stop()
        with pytest.raises(StoreUnavailableError) as refusal:
            store.append(event("evt_1"))
        assert refusal.value.context["reason"] == "connect"
        assert refusal.value.context["committed"] is False
        assert warnings_of(caplog) == [f"connection lost, reconnecting (attempt {k})" for k in (1, 2, 3)]

        own.start()
        store.append(event("evt_1"))
        assert store.count() == 1


def test_a_pooler_in_transaction_mode_is_no_hindrance(server: PostgresServer) -> None:
    ask(server.url, "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    with TransactionPooler(server, sessions=3) as pooler:
        store, other = PostgresEventStore(pooler.url, "run_a"), PostgresEventStore(pooler.url, "run_b")
        for n in range(20):
            store.append_many(batch(10 * n, 10 * n + 9), sync=bool(n % 2))
            other.append(event(f"evt_{n}"))
            assert store.count() == 10 * n + 10
        with other.transaction():
            other.append(event("evt_x"))
        store.append_many([], sync=True)
        assert len(list(store.iter_events())) == 200
        fork_run(pooler.url, run_id="run_a", at_event="evt_50")

        assert ask(server.url, "SELECT count(*) FROM pg_prepared_statements") == [(0,)]
        assert store._handle.connections.direct is False
    assert is_whole(server.url, "run_a")
    assert is_whole(server.url, "run_b")


def test_statements_are_prepared_on_a_direct_connection_unless_the_url_says_no(server: PostgresServer) -> None:
    ask(server.url, "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    for option, prepared in (("", True), ("&prepare=on", True), ("&prepare=off", False)):
        store = PostgresEventStore(server.url + option, f"run_{option}")
        for n in range(10):
            store.append(event(f"evt_{n}"))
        found = store._read(lambda session: session.read("SELECT count(*) FROM pg_prepared_statements").fetchone()[0])
        assert (found > 0) is prepared


def test_a_forked_child_may_not_use_the_handle_and_leaves_the_connection_alone(postgres_url: str) -> None:
    store = PostgresEventStore(postgres_url, "run_a")
    store.append(event("evt_1"))
    reading, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        said = []
        for use in (lambda: store.append(event("evt_2")), store.count, lambda: next(store.iter_events())):
            try:
                use()
                said.append("used")
            except StoreUnavailableError as error:
                said.append(error.context["reason"])
        store.close()
        os.write(write_end, ",".join(said).encode())
        os._exit(0)
    os.close(write_end)
    with os.fdopen(reading, "rb") as answers:
        assert answers.read() == b"forked,forked,forked"
    os.waitpid(child, 0)

    store.append(Event("evt_2", "note.taken"))
    assert store.count() == 2


def test_a_closed_handle_says_so_and_closing_twice_is_fine(postgres_url: str) -> None:
    store = PostgresEventStore(postgres_url, "run_a")
    store.append(event("evt_1"))
    store.close()
    store.close()
    for use in (store.count, lambda: store.append(event("evt_2")), store.iter_events, lambda: store.tail(0)):
        with pytest.raises(StoreUnavailableError) as refusal:
            use()
        assert refusal.value.context["reason"] == "closed"


def test_a_password_appears_in_no_message_line_or_traceback(
    server: PostgresServer, caplog: pytest.LogCaptureFixture
) -> None:
    import traceback

    caplog.set_level(logging.DEBUG, "activegraph")
    with PostgresServer() as own:
        secret = own.url.replace("postgres@", "postgres:s3cr3t@")
        store = PostgresEventStore(secret, "run_a")
        store.append(event("evt_1"))
        shown = repr(store) + store.safe_url
        own.stop()
        for use in (lambda: store.append(event("evt_2")), lambda: PostgresEventStore.list_runs(secret)):
            with pytest.raises(StoreUnavailableError) as refusal:
                use()
            shown += "".join(traceback.format_exception(refusal.value)) + repr(refusal.value.context)
    shown += caplog.text + "".join(str(record.__dict__) for record in caplog.records)
    assert "s3cr3t" not in shown
    assert store.url == secret
