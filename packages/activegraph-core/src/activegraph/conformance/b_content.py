"""Group B: what comes back is what was appended, to the last bit; what cannot be kept is refused."""

from __future__ import annotations

import enum
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from activegraph.conformance.cases import case, check, full_scale, of_scale, same
from activegraph.conformance.samples import (
    HARD_VALUES,
    ODD_TEXTS,
    difference,
    event,
    events,
    generated,
    ids,
    nested,
    payloads,
    reference,
    same_events,
)
from activegraph.conformance.suite import StoreSuite
from activegraph.conformance.workload import chain_problem
from activegraph.core.codec import encode_payload_bytes
from activegraph.core.event import Event
from activegraph.core.frozen import thaw
from activegraph.errors import NonSerializableEventError
from activegraph.store.base import EventStore

__all__ = ["ContentCases"]

_TIMES = (
    "",
    "2026-05-15T10:32:01Z",
    "2026-05-15T10:32:01.000000Z",
    "2026-05-15T10:32:01.100+02:00",
    "2026-05-15 10:32:01",
    "2026-02-30T25:61:61Z",
    "yesterday",
    " 2026-05-15 ",
    "infinity",
    "\u0662\u0660\u0662\u0666",
)

_MIB = 1024 * 1024


class _Shade(enum.Enum):
    RED = 1


class ContentCases(StoreSuite):
    """Cases B1 to B8."""

    @case("B1", "all seven fields of an event come back exactly, None apart from the empty text")
    def test_b1_all_seven_fields_come_back_exactly(self) -> None:
        store = self.open()
        appended = [
            Event("full", "note.made", {"a": 1}, "user", "frm_1", "evt_0", "2026-05-15T10:32:01Z"),
            Event("bare", "note.made", {}, None, None, None, ""),
            Event("blank", "note.made", {}, "", "", "", ""),
            Event("actor", "note.made", {}, "", None, None, "t"),
            Event("frame", "note.made", {}, None, "", None, "t"),
            Event("cause", "note.made", {}, None, None, "", "t"),
        ]
        for each in appended:
            store.append(each)

        for how, found in _every_way(store):
            check(len(found) == len(appended), f"{how} gives {len(found)} events, not {len(appended)}")
            same_events(found, appended)

    @case("B1", "a timestamp is a text that nobody reformats")
    def test_b1_timestamps_come_back_as_the_same_text(self) -> None:
        store = self.open()
        appended = [event(f"evt_{n}", timestamp=time) for n, time in enumerate(_TIMES)]
        for each in appended:
            store.append(each)

        for how, found in _every_way(store):
            same(f"timestamps by {how}", [each.timestamp for each in found], list(_TIMES))

    @case("B1", "fields and contents are the same through another handle", needs=("second handle",))
    def test_b1_another_handle_reads_the_same_fields(self) -> None:
        store = self.open()
        appended = [Event("a", "t", {"z": 1, "a": -0.0}, "", None, "", ""), Event("b", "t", {}, None, "", None, "?")]
        for each in appended:
            store.append(each)

        for _, found in _every_way(self.beside(store)):
            same_events(found, appended)

    @case("B2", "any payload comes back equal in types, values and order of keys", kind="P")
    def test_b2_any_payload_comes_back_equal(self) -> None:
        store, count = self.open(), 0

        @generated(of_scale(80, 2000))
        @given(payload=payloads())
        def holds(payload: dict[str, Any]) -> None:
            nonlocal count
            count += 1
            store.append(event(f"evt_{count}", payload=payload))
            found = store.get_event(f"evt_{count}")
            check(found is not None, "the event is not found")
            differs = difference(reference(payload), found.payload if found else None)
            check(differs is None, f"{differs}")

        holds()

    @case("B2", "the stored text is the canonical text, byte for byte", needs=("iter_raw",), kind="P")
    def test_b2_the_stored_text_is_the_canonical_one(self) -> None:
        store: Any = self.open()
        expected: list[str] = []

        @generated(of_scale(80, 2000))
        @given(payload=payloads())
        def append(payload: dict[str, Any]) -> None:
            store.append(event(f"evt_{len(expected)}", payload=payload))
            expected.append(encode_payload_bytes(payload).decode("utf-8"))

        append()
        for row, text in zip(store.iter_raw(), expected, strict=True):
            check(row.payload == text, f"the stored text is {row.payload!r:.200}, not {text!r:.200}")

    @case("B2", "the digest of a row is that of its content behind the digest before it", needs=("iter_raw",))
    def test_b2_rows_are_chained_by_their_digests(self) -> None:
        store: Any = self.open()
        for each in (
            event("evt_1"),
            event("evt_2", timestamp="later"),
            Event("evt_3", "t", {"z": -0.0}, "", "", "", ""),
        ):
            store.append(each)
        if hasattr(store, "append_many"):
            store.append_many(events(5, start=4))
        rows = list(store.iter_raw())
        problem = chain_problem(rows)
        check(problem is None, f"the log is no chain: {problem}")
        digests = [row.digest for row in rows if row.digest is not None]
        check(all(type(digest) is bytes and len(digest) == 32 for digest in digests), "a digest is not 32 bytes")

    @case("B3", "the values that drivers and databases change easily come back exactly")
    def test_b3_hard_values_come_back_exactly(self) -> None:
        store = self.open()
        for name, value in HARD_VALUES.items():
            store.append(event(name, payload={"value": value, name: [value]}))

        for how, found in _every_way(store):
            by_id = {each.id: each for each in found}
            for name, value in HARD_VALUES.items():
                check(name in by_id, f"{how} does not give the event with {name}")
                differs = difference(reference({"value": value, name: [value]}), by_id[name].payload)
                check(differs is None, f"{name}, by {how}: {differs}")

    @case("B3", "hard values are stored as the reference encoder writes them", needs=("iter_raw",))
    def test_b3_hard_values_are_stored_canonically(self) -> None:
        store: Any = self.open()
        for name, value in HARD_VALUES.items():
            store.append(event(name, payload={"value": value}))

        for row in store.iter_raw():
            text = encode_payload_bytes({"value": HARD_VALUES[row.id]}).decode("utf-8")
            check(row.payload == text, f"{row.id} is stored as {row.payload!r:.200}, not {text!r:.200}")

    @case("B3", "a payload itself may be hard: keys that need tags, 200 levels")
    def test_b3_hard_payloads_come_back_exactly(self) -> None:
        hard: list[dict[str, Any]] = [
            {},
            {"$ag.int": "12"},
            {"\x00": 1, "a": 2},
            {"\ud800": {"\udfff": ""}},
            {"z": 0, "a": 0, "m": 0},
            {"a": nested(199)},
        ]
        store = self.open()
        for n, payload in enumerate(hard):
            store.append(event(f"evt_{n}", payload=payload))

        for found, payload in zip(store.iter_events(), hard, strict=True):
            differs = difference(reference(payload), found.payload)
            check(differs is None, f"{differs}")

    @case("B4", "a value that cannot be kept is refused with its path and type, and nothing is stored")
    def test_b4_values_that_cannot_be_kept_are_refused(self) -> None:
        store = self.filled(2)
        for payload, path, kind in _refused_payloads():
            with pytest.raises(NonSerializableEventError) as refusal:
                store.append(Event("evt_3", "note.made", payload))
            check(isinstance(refusal.value, TypeError), "the refusal is no TypeError")
            context = refusal.value.context
            same("path and type of the refused value", (context.get("path"), context.get("type")), (path, kind))
            check(path in str(refusal.value), f"the error's text does not name the path {path}")
            same("the log after a refusal", ids(list(store.iter_events())), ids(events(2)))
        store.append(event("evt_3"))
        same("count() after the next append", store.count(), 3)

    @case("B4", "keys that are no text, or become the same text, are refused, and nothing is stored")
    def test_b4_keys_that_cannot_be_kept_are_refused(self) -> None:
        store = self.open()
        wrong: list[Any] = [{"a": {(1, 2): 3}}, {b"a": 1}, {1: "a", "1": "b"}, {True: 1, "true": 2}, {object(): 1}]
        for payload in wrong:
            with pytest.raises(NonSerializableEventError):
                store.append(event("evt_1", payload=payload))
        same("count()", store.count(), 0)

    @case("B4", "an endless or too deep payload is refused like any other, without a RecursionError")
    def test_b4_endless_payloads_are_refused(self) -> None:
        store = self.open()
        circle: dict[str, Any] = {"a": []}
        circle["a"].append(circle)
        deep: list[Any] = nested(5_000)
        for payload in (circle, {"a": deep}, {"a": nested(200)}):
            with pytest.raises(NonSerializableEventError):
                store.append(event("evt_1", payload=payload))
        same("count()", store.count(), 0)

    @case("B5", "changing a payload after its append changes nothing in the store")
    def test_b5_the_store_keeps_no_part_of_what_it_was_given(self) -> None:
        store: Any = self.open()
        inner: dict[str, Any] = {"list": [1, 2], "dict": {"a": 1}}
        given: dict[str, Any] = {"inner": inner}
        store.append(event("evt_1", payload=given))
        batch = [event("evt_2", payload={"inner": inner})]
        if hasattr(store, "append_many"):
            store.append_many(batch)
            batch.clear()
        expected = {"inner": {"list": [1, 2], "dict": {"a": 1}}}
        given["new"] = 1
        inner["list"].append(3)
        inner["dict"]["b"] = 2

        for how, found in _every_way(store):
            for each in found:
                same(f"the payload by {how}", thaw(each.payload), expected)

    @case("B5", "changing what a read returned changes nothing in the store")
    def test_b5_the_store_hands_out_nothing_of_its_own(self) -> None:
        store = self.open()
        store.append(event("evt_1", payload={"inner": {"list": [1, 2]}}))
        for found in [found for _, found in _every_way(store)]:
            for each in found:
                _spoil(each)
            found.clear()
        for how, found in _every_way(store):
            same(f"the payload by {how}", [thaw(each.payload) for each in found], [{"inner": {"list": [1, 2]}}])

    @case("B6", "large payloads come back whole, and their neighbours are not affected")
    def test_b6_large_payloads_come_back_whole(self) -> None:
        store = self.open()
        sizes = [65_535, _MIB - 1, _MIB, _MIB + 1, 16 * _MIB, *([56 * _MIB] if full_scale() else [])]
        for size in sizes:
            store.append(event(f"before {size}"))
            store.append(event(f"large {size}", payload={"text": "0123456\u00e9" * (size // 8), "end": "!"}))
        store.append(event("after"))
        if full_scale():
            with pytest.raises(NonSerializableEventError):
                store.append(event("too large", payload={"text": "x" * (64 * _MIB)}))

        for size in sizes:
            found = store.get_event(f"large {size}")
            text = found.payload["text"] if found else ""
            check(len(text) == 8 * (size // 8), f"a text of {8 * (size // 8)} characters came back with {len(text)}")
            check(text == "0123456\u00e9" * (size // 8), f"a text of {size} characters came back changed")
            same("what follows the large text", found.payload["end"] if found else None, "!")
        neighbours = [each for each in store.iter_events() if not each.id.startswith("large")]
        same("payloads of the neighbours", [thaw(each.payload) for each in neighbours], [{"n": 1}] * (len(sizes) + 1))

    @case("B6", "a payload of very many keys comes back whole and in order")
    def test_b6_a_payload_of_many_keys_comes_back_whole(self) -> None:
        store = self.open()
        payload = {f"key {n * 7919 % 100_000}": n for n in range(100_000)}
        store.append(event("evt_1", payload=payload))

        found = store.get_event("evt_1")
        differs = difference(payload, found.payload if found else None)
        check(differs is None, f"{differs}")

    @case("B7", "odd texts in header fields come back exactly")
    def test_b7_odd_header_texts_come_back_exactly(self) -> None:
        store: Any = self.open()
        appended = [
            Event(text, text, {"n": n}, text, text, text, text) for n, text in enumerate(ODD_TEXTS) if text.strip()
        ]
        for each in appended:
            store.append(each)

        for _, found in _every_way(store):
            same_events(found, appended)
        if hasattr(store, "iter_types"):
            for each in appended:
                same("iter_types() of an odd type", ids(list(store.iter_types(each.type))), [each.id])

    @case("B7", "a header field with a NUL, a lone surrogate, or nothing where a name must be is refused")
    def test_b7_header_texts_that_no_store_can_carry_are_refused(self) -> None:
        store = self.filled(1)
        for field in ("id", "type", "actor", "frame_id", "caused_by", "timestamp"):
            wrong = ["a\x00b", "\ud800", *([""] if field in ("id", "type") else [])]
            for text in wrong:
                header: dict[str, Any] = {"id": "evt_2", "type": "t", field: text}
                with pytest.raises(NonSerializableEventError) as refusal:
                    store.append(Event(**header))
                same("path of the refusal", refusal.value.context.get("path"), field)
        same("count()", store.count(), 1)

    @case("B8", "ids that look alike are different ids")
    def test_b8_ids_that_look_alike_are_different(self) -> None:
        alike = [
            "evt_a",
            "evt_A",
            "evt_a ",
            " evt_a",
            "evt_\u00e1",
            "evt_a\u0301",
            "evt_1",
            "evt_01",
            "evt_\uff11",
            "1",
            "1.0",
        ]
        store = self.open()
        appended = [event(id, payload={"n": n}) for n, id in enumerate(alike)]
        for each in appended:
            store.append(each)

        same_events(list(store.iter_events()), appended)
        for each in appended:
            found = store.get_event(each.id)
            same_events([found] if found else [], [each])
            same("events behind it", ids(list(store.iter_events(after=each.id))), alike[alike.index(each.id) + 1 :])
        check(store.get_event("evt_1 ") is None, "get_event() takes an id with a space for another id")


def _every_way(store: EventStore) -> Iterator[tuple[str, list[Event]]]:
    """All events of a run, by every way of reading that the store has."""
    reads: Any = store
    whole = list(store.iter_events())
    yield "iter_events()", whole
    yield "get_event()", [found for each in whole if (found := store.get_event(each.id)) is not None]
    if hasattr(reads, "iter_range"):
        yield "iter_range()", list(reads.iter_range())
    if hasattr(reads, "tail"):
        yield "tail()", reads.tail(len(whole))
    if hasattr(reads, "iter_types"):
        yield "iter_types()", list(reads.iter_types(*{each.type for each in whole}))


def _refused_payloads() -> list[tuple[Any, str, str]]:
    """Payloads with path and type of the first value that the log cannot carry."""
    return [
        ({"a": object()}, "a", "object"),
        ({"object": {"data": {"items": [1, {"owner": object()}]}}}, "object.data.items[1].owner", "object"),
        ({"a": [1, 2, {3j}]}, "a[2][0]", "complex"),
        ({"a": uuid.UUID(int=1)}, "a", "UUID"),
        ({"a": {"odd key": Path("x")}}, 'a["odd key"]', type(Path("x")).__name__),
        ({"a": _Shade.RED, "b": object()}, "a", "_Shade"),
        ({"a": print}, "a", "builtin_function_or_method"),
        ([1], "<root>", "list"),
        (None, "<root>", "NoneType"),
    ]


def _spoil(each: Event) -> None:
    """Change everything in an event that lets itself be changed."""
    attempts = (
        lambda: each.payload["inner"]["list"].append(3),
        lambda: each.payload["inner"].update(new=1),
        lambda: each.payload.clear(),
    )
    for attempt in attempts:
        try:
            attempt()
        except Exception:  # noqa: S112 - a value that refuses to be changed is as good
            continue
