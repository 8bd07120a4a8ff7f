"""Ids of one run: their shapes, their sequences, and how they go on after a log."""

from __future__ import annotations

import os
import re
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest
from activegraph.core.event import Event
from activegraph.core.ids import IDGen
from hypothesis import given
from hypothesis import strategies as st


def test_every_sequence_starts_at_1_and_is_padded_to_three_digits() -> None:
    ids = IDGen()
    assert [ids.event(), ids.event()] == ["evt_001", "evt_002"]
    assert [ids.relation(), ids.patch(), ids.frame(), ids.stop()] == ["rel_001", "patch_001", "frame_001", "stop_001"]
    assert [ids.approval(), ids.approval()] == ["approval_001", "approval_002"]


def test_objects_of_all_types_share_one_unpadded_sequence() -> None:
    ids = IDGen()
    assert [ids.object("task"), ids.object("task"), ids.object("claim")] == ["task#1", "task#2", "claim#3"]


def test_ids_grow_past_three_digits() -> None:
    ids = IDGen()
    ids.reseed_from_events([Event("evt_999", "x")])
    assert ids.event() == "evt_1000"


def test_two_generators_share_nothing() -> None:
    first, second = IDGen(), IDGen()
    first.event()
    assert second.event() == "evt_001"


def event(id: str, type: str = "x", payload: dict | None = None, frame_id: str | None = None) -> Event:  # type: ignore[type-arg]
    return Event(id, type, payload or {}, frame_id=frame_id)


@pytest.mark.parametrize(
    ("seen", "next_ids"),
    [
        ([event("evt_007")], {"event": "evt_008"}),
        ([event("evt_007"), event("evt_003")], {"event": "evt_008"}),
        ([event("stop_004")], {"stop": "stop_005", "event": "evt_001"}),
        ([event("evt_x"), event("evt_"), event("other"), event("evt_1_2"), event("EVT_9")], {"event": "evt_001"}),
        ([event("evt_\u0665")], {"event": "evt_001"}),
        ([event("e", frame_id="frame_002")], {"frame": "frame_003"}),
        ([event("e", "object.created", {"object": {"id": "task#12"}})], {"object": "t#13"}),
        ([event("e", "object.created", {"object": {"id": "a#b#5"}})], {"object": "t#6"}),
        ([event("e", "object.created", {"object": {"id": "free name"}})], {"object": "t#1"}),
        ([event("e", "object.created", {"id": "task#3"})], {"object": "t#4"}),
        ([event("e", "relation.created", {"relation": {"id": "rel_044"}})], {"relation": "rel_045"}),
        ([event("e", "patch.proposed", {"patch": {"id": "patch_002"}})], {"patch": "patch_003"}),
        ([event("e", "patch.applied", {"patch": {"id": "patch_002"}})], {"patch": "patch_003"}),
        ([event("e", "patch.rejected", {"patch_id": "patch_009"})], {"patch": "patch_010"}),
        ([event("e", "approval.proposed", {"approval_id": "approval_003"})], {"approval": "approval_004"}),
        ([event("e", "user.event", {"object": {"id": "task#12"}, "patch_id": "patch_5"})], {"object": "t#1"}),
        (
            [event("e", "object.created", {"object": 5}), event("f", "patch.rejected", {"patch_id": 5})],
            {"patch": "patch_001"},
        ),
    ],
)
def test_sequences_go_on_after_the_highest_number_of_a_log(seen: list[Event], next_ids: dict[str, str]) -> None:
    ids = IDGen()
    ids.reseed_from_events(seen)
    for sequence, expected in next_ids.items():
        draw = getattr(ids, sequence)
        assert (draw("t") if sequence == "object" else draw()) == expected


def test_reseeding_never_lowers_a_sequence() -> None:
    ids = IDGen()
    for _ in range(5):
        ids.event()
    ids.reseed_from_events([event("evt_002")])
    assert ids.event() == "evt_006"


def test_run_ids_are_ulids_that_increase_within_the_process() -> None:
    before = time.time_ns() // 1_000_000
    drawn = [IDGen().run() for _ in range(2000)]
    after = time.time_ns() // 1_000_000
    assert drawn == sorted(set(drawn))
    assert all(re.fullmatch("[0-9A-HJKMNP-TV-Z]{26}", run) for run in drawn)
    alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    milliseconds = 0
    for character in drawn[0][:10]:
        milliseconds = milliseconds * 32 + alphabet.index(character)
    assert before - 5_000 <= milliseconds <= after


def test_run_ids_of_several_threads_are_all_different() -> None:
    drawn: list[str] = []
    threads = [threading.Thread(target=lambda: drawn.extend(IDGen().run() for _ in range(500))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(drawn)) == 2000


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a process is copied by fork() only on POSIX")
def test_a_forked_process_draws_other_run_ids_than_its_parent() -> None:
    IDGen().run()
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writable, "".join(IDGen().run() for _ in range(50)).encode("ascii"))
        os._exit(0)
    os.close(writable)
    own = {IDGen().run() for _ in range(50)}
    with os.fdopen(readable) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    childs = {text[place : place + 26] for place in range(0, len(text), 26)}
    assert len(childs) == 50
    assert not childs & own


_NUMBERS = st.one_of(
    st.integers(0, 3000).map(str),
    st.integers(0, 3000).map("{:04d}".format),
    st.sampled_from(["x", "5_x", "7_9", "", "٣", "12345678901234567890123"]),
)
_IDS = st.lists(
    st.tuples(st.sampled_from(["task#", "a_b#", "rel_", "patch_", "evt_", "", "zz_", "q#1_"]), _NUMBERS).map("".join),
    max_size=12,
)


@given(objects=_IDS, relations=_IDS, patches=_IDS)
def test_seeing_a_whole_log_moves_the_sequences_as_seeing_each_id_does(
    objects: list[str], relations: list[str], patches: list[str]
) -> None:
    projection: Any = SimpleNamespace(
        objects=dict.fromkeys(objects), relations=dict.fromkeys(relations), patches=dict.fromkeys(patches)
    )
    together, one_by_one = IDGen(), IDGen()

    together.saw_all((), projection, ())

    for id in objects:
        one_by_one.saw_object_id(id)
    for id in relations:
        one_by_one.saw_relation_id(id)
    for id in patches:
        one_by_one.saw_patch_id(id)
    for draw in (lambda ids: ids.object("x"), lambda ids: ids.relation(), lambda ids: ids.patch()):
        assert draw(together) == draw(one_by_one)
