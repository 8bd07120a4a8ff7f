"""Group L: a lost connection loses and doubles nothing, what was lent comes back, and no password is ever told."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Event as Flag
from threading import Thread
from typing import Any
from urllib.parse import unquote

import pytest

from activegraph.conformance.cases import case, check, of_scale, same
from activegraph.conformance.samples import event, events, ids, same_events
from activegraph.conformance.suite import StoreSuite
from activegraph.conformance.workload import log_problem, numbered
from activegraph.errors import ActiveGraphError, DuplicateEventError, EventNotFoundError, StoreUnavailableError
from activegraph.store.base import EventStore
from activegraph.store.runs import list_runs, open_store
from activegraph.store.url import parse_store_url

__all__ = ["ConnectionCases"]

_SECRET = "s3cr3t-Pa55"  # noqa: S105 - a password that must not be seen


class ConnectionCases(StoreSuite):
    """Cases L1 to L5."""

    @case("L1", "after a lost connection nothing is lost or doubled, and the next operations work", needs=("server",))
    def test_l1_a_lost_connection_loses_and_doubles_nothing(self) -> None:
        url, sever = self.hook("severable")(self.store_url())
        store: Any = self.open_at(url, self.new_run())
        store.append_many(events(3))
        for n in range(4, 10):
            sever()
            _append_until_it_is_there(store, n)
        same_events(list(store.iter_events()), events(9))
        sever()
        with suppress(StoreUnavailableError):
            store.count()
        same("count()", store.count(), 9)

    @case(
        "L1",
        "a connection that is lost during a read ends it with an error, or not at all",
        needs=("server", "append_many"),
    )
    def test_l1_a_connection_lost_during_a_read_gives_no_wrong_events(self) -> None:
        url, sever = self.hook("severable")(self.store_url())
        store: Any = self.open_at(url, self.new_run())
        store.append_many(events(6000))
        running = store.iter_events()
        found = [next(running)]
        sever()
        with suppress(StoreUnavailableError):
            found += running
        same("what was read", ids(found), ids(events(len(found))))
        same("events of the next read", sum(1 for _ in store.iter_events()), 6000)

    @case(
        "L2",
        "connections that are cut again and again under a run of appends lose and double nothing",
        needs=("server", "append_many"),
    )
    def test_l2_cuts_under_a_run_of_appends_lose_nothing(self) -> None:
        url, sever = self.hook("severable")(self.store_url())
        store: Any = self.open_at(url, self.new_run())
        done = Flag()

        def cut() -> None:
            while not done.wait(0.02):
                sever()

        cutting = Thread(target=cut, daemon=True)
        cutting.start()
        try:
            for batch in range(of_scale(60, 600)):
                _append_batch_until_it_is_there(store, batch * 3 + 1)
        finally:
            done.set()
            cutting.join()
        with suppress(StoreUnavailableError):
            store.count()
        problem = log_problem(store.iter_events(), size=3, at_least=of_scale(60, 600) * 3)
        check(problem is None, f"{problem}")

    @case(
        "L3",
        "a store on a lent connection lives in its owner's transaction and leaves its settings alone",
        needs=("server", "lent connections"),
    )
    def test_l3_a_lent_connection_stays_its_owners(self) -> None:
        with self.hook("lend")(self.store_url(), "connection", 1) as lent:
            before = lent.settings()
            store: Any = lent.make_store(self.new_run())
            store.append(event("evt_1", payload={"n": 1}))
            same("open transactions after an append", lent.in_use(), 0)
            lent.execute("BEGIN")
            store.append(event("evt_2", payload={"n": "undone"}))
            store.append_many([event("evt_3"), event("evt_4")])
            with pytest.raises(DuplicateEventError):
                store.append_many([event("evt_5"), event("evt_1")])
            same("count() inside the transaction", store.count(), 4)
            lent.execute("ROLLBACK")
            list(store.iter_events())
            same_events(list(store.iter_events()), events(1))
            store.append(event("evt_2", payload={"n": 2}))
            same_events(list(store.iter_events()), events(2))
            same("settings of the connection", lent.settings(), before)
            store.close()
            same("settings of the connection after close()", lent.settings(), before)
            again = lent.make_store(store.run_id)
            same_events(list(again.iter_events()), events(2))
            lent.close()
            with pytest.raises(StoreUnavailableError):
                again.append(event("evt_3"))

    @case("L4", "every connection of a pool goes back to it, whatever happens", needs=("server", "lent connections"))
    def test_l4_every_connection_goes_back_to_its_pool(self) -> None:
        with self.hook("lend")(self.store_url(), "pool", 1) as lent:
            store: Any = lent.make_store(self.new_run())
            store.append_many(events(3000))
            same("connections in use after an append", lent.in_use(), 0)
            with pytest.raises(DuplicateEventError):
                store.append(event("evt_1"))
            with pytest.raises(ActiveGraphError):
                store.append(event("evt_x", payload={"a": object()}))
            same("connections in use after errors", lent.in_use(), 0)
            for _ in range(5):
                running = store.iter_events()
                next(running)
                same("connections in use between pages of an iteration", lent.in_use(), 0)
                del running
            with pytest.raises(RuntimeError), store.transaction():
                store.append(event("evt_y"))
                raise RuntimeError("no")
            same("connections in use after a transaction that failed", lent.in_use(), 0)

            def work(n: int) -> int:
                own: Any = lent.make_store(self.new_run())
                for k in range(10):
                    own.append(event(f"evt_{k}"))
                own.close()
                return n

            with ThreadPoolExecutor(8) as threads:
                same("threads that were done", sorted(threads.map(work, range(8))), list(range(8)))
            same("connections in use in the end", lent.in_use(), 0)
            lent.close()
            with pytest.raises(StoreUnavailableError):
                store.append(event("evt_z"))

    @case("L4", "whatever a store borrows for a call goes back, also after errors and half-read iterations")
    def test_l4_hundreds_of_calls_use_nothing_up(self) -> None:
        run_id = self.new_run()
        store: Any = self.open(run_id)
        for n in range(1, 201):
            store.append(event(f"evt_{n}"))
            with pytest.raises(DuplicateEventError):
                store.append(event(f"evt_{n}"))
            with pytest.raises(EventNotFoundError):
                list(store.iter_events(after="nowhere"))
            next(store.iter_events())
            store.get_event("nowhere")
        same("count()", store.count(), 200)
        for _ in range(50):
            self.open(self.new_run()).close()
        same("count()", store.count(), 200)

    @case("L5", "a password in a URL is told by nothing: no message, repr, log line or traceback", needs=("url",))
    def test_l5_a_password_is_never_told(self) -> None:
        scheme = self.parsed_url().scheme
        secret_urls = [
            f"{scheme}://user:{_SECRET}@127.0.0.1:1/nowhere",
            f"{scheme}://user:{_SECRET}@localhost:1/nowhere?connect_timeout=1&password={_SECRET}",
            f"{scheme}://user:{_SECRET}@[half/nowhere",
        ]
        seen: list[str] = []
        handler = _Keeping(seen)
        logger = logging.getLogger("activegraph")
        level = logger.level
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
        try:
            for url in secret_urls:
                calls: list[Callable[[], object]] = [
                    lambda: parse_store_url(url),  # noqa: B023 - called at once
                    lambda: open_store(url, "run"),  # noqa: B023 - called at once
                    lambda: open_store(url, "run", read_only=True),  # noqa: B023 - called at once
                    lambda: list_runs(url),  # noqa: B023 - called at once
                ]
                seen += [_told(call) for call in calls]
        finally:
            logger.removeHandler(handler)
            logger.setLevel(level)
        for text in seen:
            check(_SECRET not in text, f"the password is told: {text.replace(_SECRET, '<PASSWORD>')[:400]}")

    @case("L5", "neither a store nor its errors tell a password of its URL")
    def test_l5_a_store_does_not_tell_its_password(self) -> None:
        store: Any = self.filled(2)
        calls: list[Callable[[], object]] = [
            lambda: store.append(event("evt_1")),
            lambda: list(store.iter_events(after="nowhere")),
            lambda: store.append(event("evt_3", payload={"a": object()})),
            lambda: store.truncate_after("nowhere"),
        ]
        told = [repr(store), str(store), *map(_told, calls)]
        store.close()
        told += [repr(store), _told(store.count)]
        secrets = _secrets(self._url())
        for text in told:
            check(not any(secret in text for secret in secrets), "a password of the store's URL is told")


class _Keeping(logging.Handler):
    """Keeps the text of every record."""

    def __init__(self, seen: list[str]) -> None:
        super().__init__(logging.DEBUG)
        self._seen = seen

    def emit(self, record: logging.LogRecord) -> None:
        self._seen.append(self.format(record) + repr({k: v for k, v in record.__dict__.items() if k != "args"}))


def _told(call: Callable[[], object]) -> str:
    """What a call shows: the text of its error with traceback and context, or the repr of its result."""
    try:
        result = call()
    except Exception as error:
        text = "".join(traceback.format_exception(error))
        return f"{text}{error!r}{getattr(error, 'context', '')!r}"
    shown = repr(result)
    if hasattr(result, "close"):
        with suppress(Exception):
            result.close()
    return shown


def _secrets(url: str | None) -> list[str]:
    """Passwords in a URL, as written and decoded."""
    from urllib.parse import parse_qsl, urlsplit

    try:
        parts = urlsplit(url or "")
        found = [parts.password or "", unquote(parts.password or "")]
    except ValueError:
        return []
    found += [value for name, value in parse_qsl(parts.query) if "password" in name or name == "passfile"]
    return [secret for secret in found if secret]


def _append_until_it_is_there(store: EventStore, n: int) -> None:
    """Append event `n` as a caller that repeats what was certainly not stored."""
    for _ in range(20):
        try:
            store.append(event(f"evt_{n}", payload={"n": n}))
            return
        except StoreUnavailableError as error:
            check(error.context.get("committed") is not True, "an append that was stored raises StoreUnavailableError")
            _settle(store)
            if store.get_event(f"evt_{n}") is not None:
                return
    raise AssertionError("the store does not come back after a lost connection")


def _append_batch_until_it_is_there(store: Any, start: int) -> None:
    batch = numbered(start, 3)
    for _ in range(200):
        try:
            same("append_many()", store.append_many(batch, expected_count=start - 1), start + 2)
            return
        except StoreUnavailableError:
            _settle(store)
            with suppress(StoreUnavailableError):
                if store.get_event(batch[-1].id) is not None:
                    list(store.iter_events())
                    return
    raise AssertionError("the store does not come back after lost connections")


def _settle(store: EventStore) -> None:
    """Let the handle find out that its connection is lost, and read where the log stands."""
    for _ in range(20):
        with suppress(StoreUnavailableError):
            list(store.iter_events())
            return
