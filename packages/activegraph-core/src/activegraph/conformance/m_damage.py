"""Group M: damage is told where it is met and named by its event; what is sound stays readable."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from activegraph.conformance.cases import Lacking, case, check, same
from activegraph.conformance.samples import event, events, ids, same_events
from activegraph.conformance.suite import StoreSuite
from activegraph.core.frozen import thaw
from activegraph.errors import CorruptedEventPayloadError, LogInconsistencyError
from activegraph.store.base import EventStore

__all__ = ["DamageCases"]

_UNREADABLE = (
    '{"n": 3',
    "",
    "not json",
    '{"n": }',
    '{"a": {"$ag.new": 1}}',
    '{"a": {"$ag.int": "x1"}}',
    "[3]",
    '{"a": NaN}',
)


class DamageCases(StoreSuite):
    """Cases M1 and M2."""

    @case(
        "M1",
        "a payload that cannot be read is an error that names its event, and the others stay readable",
        needs=("damaged row",),
    )
    def test_m1_an_unreadable_payload_is_named_and_the_others_are_read(self) -> None:
        made = 0
        for text in _UNREADABLE:
            stored = self._stored(5)
            run_id = stored.run_id
            if not self._damaged(run_id, 3, payload=text):
                continue
            made += 1
            store: Any = self.again(stored)
            found: list[Any] = []
            with pytest.raises(CorruptedEventPayloadError) as refusal:
                for each in store.iter_events():
                    found.append(each)
                    thaw(each.payload)
            same(f"what is read before the payload {text!r}", ids(found), ids(events(2)))
            context = refusal.value.context
            same("event and run of the error", (context.get("event_id"), context.get("run_id")), ("evt_3", run_id))
            check(len(context.get("preview", "")) <= 120, "the preview is longer than 120 characters")
            with pytest.raises(CorruptedEventPayloadError):
                thaw(getattr(store.get_event("evt_3"), "payload", None))
            same_events(
                [each for n in (1, 2, 4, 5) if (each := store.get_event(f"evt_{n}"))], [*events(2), *events(2, start=4)]
            )
            same_events(list(store.iter_events(after="evt_3")), events(2, start=4))
            same("count()", store.count(), 5)
            for name, read in _further_reads(store):
                with pytest.raises(CorruptedEventPayloadError) as refusal:
                    for each in read():
                        thaw(each.payload)
                same(f"event of the error by {name}", refusal.value.context.get("event_id"), "evt_3")
            if hasattr(store, "iter_raw"):
                same("the raw rows", [row.payload for row in store.iter_raw()][2], text)
            self._found_by_the_check(run_id, "evt_3")
        if not made:
            raise Lacking("a payload that cannot be read (the database refuses each)")

    @case("M1", "a missing position is told by every read that passes it", needs=("damaged row",))
    def test_m1_a_missing_position_is_told(self) -> None:
        for missing in (1, 3):
            stored = self._stored(5)
            run_id = stored.run_id
            self.damage(run_id, missing, delete=True)
            store: Any = self.again(stored)
            reads: dict[str, Callable[[], Any]] = {"iter_events()": store.iter_events, **dict(_further_reads(store))}
            reads.pop("iter_types()", None)
            for name, read in reads.items():
                with pytest.raises(LogInconsistencyError) as refusal:
                    list(read())
                context = refusal.value.context
                same(f"run of the error by {name}", context.get("run_id"), run_id)
                check(context.get("reason") in ("gap", "order"), "the error's reason is neither gap nor order")
            check(store.get_event("evt_5") is not None, "an event behind the gap cannot be read")
            self._found_by_the_check(run_id, None)

    @case(
        "M1",
        "changed, swapped and unchained events are found by the integrity check",
        needs=("damaged row", "url", "iter_raw"),
    )
    def test_m1_the_integrity_check_finds_every_change(self) -> None:
        changes: dict[str, list[tuple[int, dict[str, Any]]]] = {
            "another payload": [(3, {"payload": '{"n":4}'})],
            "another type": [(3, {"type": "other.type"})],
            "another actor": [(3, {"actor": "somebody"})],
            "another timestamp": [(3, {"timestamp": "2026-05-15T10:32:02Z"})],
            "another digest": [(3, {"digest": bytes(32)})],
        }
        for name, steps in changes.items():
            stored = self._stored(5)
            run_id = stored.run_id
            for position, columns in steps:
                self.damage(run_id, position, **columns)
            self._found_by_the_check(run_id, None, what=name)
        stored = self._stored(5)
        run_id = stored.run_id
        self._sound(run_id)
        self._swap(stored)
        self._found_by_the_check(run_id, None, what="two events that changed places")

    @case("M2", "a payload that was edited by hand and is valid is read with its new value", needs=("damaged row",))
    def test_m2_an_edited_payload_is_read_with_its_new_value(self) -> None:
        edits: dict[str, dict[str, Any]] = {
            '{ "n" : 30 ,\n "x":[ 1,2 ] }': {"n": 30, "x": [1, 2]},
            '{"n":"\\u00e9\\u0041"}': {"n": "\u00e9A"},
            '{"a":1e2,"b":{"$ag.bytes":"YQ=="}}': {"a": 100.0, "b": b"a"},
        }
        for text, value in edits.items():
            stored = self._stored(4)
            run_id = stored.run_id
            self.damage(run_id, 2, payload=text)
            store = self.again(stored)
            expected = [events(1)[0], event("evt_2", payload=value), *events(2, start=3)]
            same_events(list(store.iter_events()), expected)
            found = store.get_event("evt_2")
            same_events([found] if found else [], expected[1:2])

    def _stored(self, number: int) -> EventStore:
        """A run of events, its handle closed."""
        store = self.filled(number)
        store.close()
        return store

    def _damaged(self, run_id: str, position: int, **columns: Any) -> bool:
        """Whether a row could be damaged in this way; some databases refuse text that is no JSON."""
        try:
            self.damage(run_id, position, **columns)
        except Lacking:
            raise
        except Exception:
            return False
        return True

    def _found_by_the_check(self, run_id: str, first_bad: str | None, *, what: str = "the damage") -> None:
        from activegraph.store.verify import verify_run

        if self._url() is None:
            return
        report = verify_run(self.store_url(), run_id)
        check(not report.ok, f"the integrity check does not find {what}")
        if first_bad is not None:
            same("the event that the integrity check names", report.first_bad, first_bad)

    def _swap(self, stored: EventStore) -> None:
        """Let the third and the fourth event change places, all their columns with them."""
        run_id = stored.run_id
        store: Any = self.again(stored)
        third, fourth = list(store.iter_raw())[2:4]
        store.close()
        names = ("id", "type", "actor", "payload", "frame_id", "caused_by", "timestamp", "digest")
        self.damage(run_id, 3, id="aside")
        self.damage(run_id, 4, **{name: getattr(third, name) for name in names})
        self.damage(run_id, 3, **{name: getattr(fourth, name) for name in names})

    def _sound(self, run_id: str) -> None:
        from activegraph.store.verify import verify_run

        report = verify_run(self.store_url(), run_id)
        check(report.ok, f"the integrity check finds {report.reason} in a sound run")


def _further_reads(store: Any) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Ways of reading a run of five events whole, beside `iter_events`."""
    if hasattr(store, "iter_range"):
        yield "iter_range()", store.iter_range
    if hasattr(store, "tail"):
        yield "tail(5)", lambda: store.tail(5)
    if hasattr(store, "iter_types"):
        yield "iter_types()", lambda: store.iter_types("note.made")
