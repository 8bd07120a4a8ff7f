"""The graph's calls: the event that each makes, what it returns, and what it refuses."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from enum import Enum
from typing import Any

import pytest
from activegraph.core.clock import FrozenClock, TickingClock
from activegraph.core.event import Event
from activegraph.core.graph import Graph
from activegraph.core.ids import IDGen
from activegraph.errors import InvalidArgumentType, InvalidPatchOperation, NonSerializableEventError

NOW = "2026-05-15T10:32:01Z"


@pytest.fixture
def graph() -> Graph:
    return Graph(clock=FrozenClock(), run_id="run_a")


def provenance(**changed: Any) -> dict[str, Any]:
    return {
        "created_by": "system",
        "caused_by_event": None,
        "frame_id": None,
        "timestamp": NOW,
        "evidence": [],
        "run_id": "run_a",
        **changed,
    }


def last(graph: Graph) -> Event:
    event: Event = graph.events[-1]
    return event


def exact(value: Any) -> Any:
    """A value with its key order, for comparing."""
    if isinstance(value, dict):
        return [(key, exact(item)) for key, item in value.items()]
    return [exact(item) for item in value] if isinstance(value, list) else value


class Kind(str, Enum):  # noqa: UP042 - the older spelling, which formats as its name
    TASK = "task"


class TestConstruction:
    def test_a_graph_makes_what_it_is_not_given(self) -> None:
        graph = Graph()
        assert len(graph.run_id) == 26
        assert isinstance(graph.ids, IDGen)
        assert graph.store is None
        assert list(graph.events) == []
        assert graph.replayed_ids == frozenset()
        assert Graph().run_id != graph.run_id

    def test_a_graph_keeps_what_it_is_given(self) -> None:
        ids, clock = IDGen(), FrozenClock()
        graph = Graph(ids, clock, "run_b")
        assert (graph.ids, graph.clock, graph.run_id) == (ids, clock, "run_b")

    def test_users_may_hang_attributes_of_their_own_on_a_graph(self) -> None:
        graph = Graph()
        graph.note = "mine"  # type: ignore[attr-defined]
        assert graph.note == "mine"  # type: ignore[attr-defined]

    @pytest.mark.parametrize("run_id", ["", "a\x00", "\ud800", 5])
    def test_a_run_id_is_text_that_every_store_carries(self, run_id: Any) -> None:
        with pytest.raises(NonSerializableEventError) as refusal:
            Graph(run_id=run_id)
        assert refusal.value.context["path"] == "run_id"

    def test_anything_that_tells_the_time_is_a_clock(self) -> None:
        class Sundial:
            def now(self) -> str:
                return "noon"

        graph = Graph(clock=Sundial())  # type: ignore[arg-type]
        graph.add_object("task", {})
        assert last(graph).timestamp == "noon"
        with pytest.raises(InvalidArgumentType):
            Graph(clock="noon")  # type: ignore[arg-type]


class TestAddObject:
    def test_the_event_says_everything_in_order(self, graph: Graph) -> None:
        made = graph.add_object(
            "task", {"z": 1, "a": 2}, evidence=["x"], actor="me", caused_by="evt_9", frame_id="frame_001"
        )
        about = provenance(created_by="me", caused_by_event="evt_9", frame_id="frame_001", evidence=["x"])
        element = {"id": "task#1", "type": "task", "data": {"z": 1, "a": 2}, "version": 1, "provenance": about}
        event = last(graph)
        assert exact(event.to_dict()) == exact(
            {
                "id": "evt_001",
                "type": "object.created",
                "payload": {"object": element, "id": "task#1"},
                "actor": "me",
                "frame_id": "frame_001",
                "caused_by": "evt_9",
                "timestamp": NOW,
            }
        )
        assert exact(made.to_dict()) == exact(element)
        assert graph.get_object("task#1") == made

    def test_the_host_is_the_system_unless_it_says_otherwise(self, graph: Graph) -> None:
        graph.add_object("task", {})
        event = last(graph)
        assert (event.actor, event.caused_by, event.frame_id) == ("system", None, None)
        assert event.payload["object"]["provenance"] == provenance()

    def test_provenance_names_model_and_tool_requests_where_given(self, graph: Graph) -> None:
        about = graph.add_object(
            "a", {}, llm_request_event_id="evt_1", tool_request_event_ids=["evt_2", "evt_3"]
        ).provenance
        assert list(about)[-2:] == ["llm_request_event_id", "tool_request_event_ids"]
        assert about["llm_request_event_id"] == "evt_1"
        assert about["tool_request_event_ids"] == ["evt_2", "evt_3"]
        assert "tool_request_event_ids" not in graph.add_object("a", {}, llm_request_event_id="evt_1").provenance

    def test_an_enum_that_is_text_counts_as_its_text(self, graph: Graph) -> None:
        assert graph.add_object(Kind.TASK, {}).id == "task#1"
        assert graph.objects("task")[0].type == "task"

    def test_types_and_values_may_be_any_text(self, graph: Graph) -> None:
        made = graph.add_object("a\x00:b", {"\ud800": "\x00"})
        assert made.id == "a\x00:b#1"
        assert graph.get_object("a\x00:b#1") == made
        assert made.data == {"\ud800": "\x00"}


class TestAddRelation:
    def test_the_event_says_everything_in_order(self, graph: Graph) -> None:
        made = graph.add_relation("a#1", "b#2", "knows", {"since": 1}, actor="me")
        element = {
            "id": "rel_001",
            "source": "a#1",
            "target": "b#2",
            "type": "knows",
            "data": {"since": 1},
            "provenance": provenance(created_by="me"),
        }
        payload = {"relation": element, "id": "rel_001", "source": "a#1", "target": "b#2"}
        assert exact(last(graph).to_dict()["payload"]) == exact(payload)
        assert last(graph).type == "relation.created"
        assert exact(made.to_dict()) == exact(element)

    def test_ends_may_be_unknown_and_data_left_out(self, graph: Graph) -> None:
        assert graph.add_relation("nobody", "nothing", "knows").data == {}
        assert graph.all_objects() == []


class TestRemoving:
    def test_an_object_goes_with_the_relations_that_touch_it_in_one_event(self, graph: Graph) -> None:
        a, b = graph.add_object("a", {}), graph.add_object("b", {})
        kept = graph.add_relation(b.id, b.id, "loop")
        graph.add_relation(a.id, b.id, "out")
        graph.add_relation(b.id, a.id, "in")
        graph.add_relation(a.id, a.id, "loop")
        before = len(graph.events)
        graph.remove_object(a.id, actor="me")
        assert [(e.type, e.payload, e.actor) for e in graph.events[before:]] == [("object.removed", {"id": a.id}, "me")]
        assert graph.all_objects() == [b]
        assert graph.all_relations() == [kept]

    def test_a_relation_goes_alone(self, graph: Graph) -> None:
        made = graph.add_relation("a", "b", "r")
        graph.remove_relation(made.id)
        assert (last(graph).type, last(graph).payload) == ("relation.removed", {"id": "rel_001"})
        assert graph.get_relation(made.id) is None

    def test_an_unknown_id_makes_no_event(self, graph: Graph) -> None:
        graph.remove_object("nobody")
        graph.remove_relation("nothing")
        assert len(graph.events) == 0
        graph.add_object("a", {})
        assert last(graph).id == "evt_001"


class TestProvenanceKey:
    def test_a_top_level_provenance_is_dropped_and_nested_ones_are_kept(self, graph: Graph) -> None:
        data = {"provenance": {"forged": 1}, "inner": {"provenance": "kept"}, "a": 1}
        expected = {"inner": {"provenance": "kept"}, "a": 1}
        made = graph.add_object("a", data)
        assert made.data == expected
        assert made.provenance == provenance()
        assert graph.add_relation("a", "b", "r", data).data == expected
        assert graph.patch_object(made.id, data).value == expected
        assert graph.propose_patch(made.id, "replace", data, proposed_by="me").value == expected
        assert "provenance" in data

    def test_the_drop_is_logged_once_per_behavior(self, graph: Graph, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.WARNING, logger="activegraph"):
            for actor in ("a", "a", "b", "a"):
                graph.add_object("x", {"provenance": 1}, actor=actor)
        assert [(r.levelname, r.behavior) for r in caplog.records] == [("WARNING", "a"), ("WARNING", "b")]


REFUSED: list[tuple[str, Any, type[Exception]]] = [
    ("a type that is empty", lambda g: g.add_object("", {}), InvalidArgumentType),
    ("a type that is no text", lambda g: g.add_object(5, {}), InvalidArgumentType),
    ("a type beyond printing", lambda g: g.add_object(10**5000, {}), InvalidArgumentType),
    ("data that is no dict", lambda g: g.add_object("a", [1]), InvalidArgumentType),
    ("data that is missing", lambda g: g.add_object("a", None), InvalidArgumentType),
    ("data with a value of another type", lambda g: g.add_object("a", {"x": object()}), NonSerializableEventError),
    ("evidence that is a string", lambda g: g.add_object("a", {}, evidence="line 1"), InvalidArgumentType),
    ("evidence of numbers", lambda g: g.add_object("a", {}, evidence=[1]), InvalidArgumentType),
    ("evidence without an order", lambda g: g.add_object("a", {}, evidence={"x"}), InvalidArgumentType),
    ("an actor that is no text", lambda g: g.add_object("a", {}, actor=5), NonSerializableEventError),
    ("a cause with NUL", lambda g: g.add_object("a", {}, caused_by="\x00"), NonSerializableEventError),
    ("a frame that is no text", lambda g: g.add_object("a", {}, frame_id=1), NonSerializableEventError),
    ("a source that is no text", lambda g: g.add_relation(None, "b", "r"), InvalidArgumentType),
    ("an empty target", lambda g: g.add_relation("a", "", "r"), InvalidArgumentType),
    ("an object as an end", lambda g: g.add_relation(g.get_object("t#1"), "b", "r"), InvalidArgumentType),
    ("relation data that is no dict", lambda g: g.add_relation("a", "b", "r", "x"), InvalidArgumentType),
    ("a patch of an unknown object", lambda g: g.patch_object("nobody", {}), KeyError),
    ("updates that are no dict", lambda g: g.patch_object("t#1", None), InvalidArgumentType),
    ("updates that cannot be recorded", lambda g: g.patch_object("t#1", {"x": 1j}), NonSerializableEventError),
    ("a rationale that is no text", lambda g: g.patch_object("t#1", {}, rationale=5), InvalidArgumentType),
    ("another operation", lambda g: g.propose_patch("t#1", "delete", {}, proposed_by="me"), InvalidPatchOperation),
    ("no operation", lambda g: g.propose_patch("t#1", None, {}, proposed_by="me"), InvalidPatchOperation),
    ("nobody proposing", lambda g: g.propose_patch("t#1", "update", {}, proposed_by=None), InvalidArgumentType),
    ("a value that is no dict", lambda g: g.propose_patch("t#1", "update", 5, proposed_by="me"), InvalidArgumentType),
    (
        "a target that is only a prefix",
        lambda g: g.propose_patch("object:", "update", {}, proposed_by="m"),
        InvalidArgumentType,
    ),
    ("applying an unknown patch", lambda g: g.apply_patch("patch_009"), KeyError),
    ("rejecting an unknown patch", lambda g: g.reject_patch("patch_009", "no"), KeyError),
    ("a reason that is no text", lambda g: g.reject_patch("patch_001", None), InvalidArgumentType),
    ("something else than an event", lambda g: g.emit("user.event"), InvalidArgumentType),
]


@pytest.mark.parametrize(("call", "error"), [c[1:] for c in REFUSED], ids=[c[0] for c in REFUSED])
def test_a_refused_call_changes_nothing_and_draws_no_id(call: Any, error: type[Exception]) -> None:
    graph = Graph(clock=TickingClock(), run_id="run_a")
    graph.add_object("t", {"a": 1})
    graph.propose_patch("t#1", "update", {}, proposed_by="me")
    before = [event.to_dict() for event in graph.events]
    with pytest.raises(error):
        call(graph)
    assert [event.to_dict() for event in graph.events] == before
    assert graph.add_object("t", {}).id == "t#2"
    assert (last(graph).id, last(graph).timestamp) == ("evt_003", "2026-05-15T10:32:03Z")
    assert graph.add_relation("a", "b", "r").id == "rel_001"
    assert graph.patch_object("t#1", {}).id == "patch_002"


def test_errors_name_the_place_inside_the_payload(graph: Graph) -> None:
    value = {"items": [0, 1, {"owner": object()}]}
    made = graph.add_object("a", {})
    for path, call in {
        "object.data.items[2].owner": lambda: graph.add_object("a", value),
        "relation.data.items[2].owner": lambda: graph.add_relation("a", "b", "r", value),
        "patch.value.items[2].owner": lambda: graph.patch_object(made.id, value),
    }.items():
        with pytest.raises(NonSerializableEventError) as refusal:
            call()
        assert refusal.value.context == {"path": path, "type": "object"}


def test_the_whole_payload_counts_for_the_limits(graph: Graph) -> None:
    made = graph.add_object("a", {"text": "x" * 30_000_000})
    deep: Any = 1
    for _ in range(197):
        deep = [deep]
    graph.add_object("a", {"deep": deep})
    calls = [
        lambda: graph.add_object("a", {"deep": [deep]}),
        lambda: graph.add_object("a", {"text": "x" * (64 * 1024 * 1024 - 40)}),
        lambda: graph.add_relation("a", "b", "r", {"text": "x" * (64 * 1024 * 1024 - 40)}),
        lambda: graph.patch_object(made.id, {"text": "y" * 30_000_000}),
        lambda: graph.propose_patch(made.id, "replace", {"t": "y" * (64 * 1024 * 1024 - 40)}, proposed_by="me"),
    ]
    before = len(graph.events)
    for call in calls:
        with pytest.raises(NonSerializableEventError):
            call()
    assert len(graph.events) == before
    assert graph.add_object("a", {}).id == "a#3"


def test_nothing_that_was_passed_is_kept_by_reference(graph: Graph) -> None:
    data: dict[str, Any] = {"tags": ["a"], "inner": {"n": 1}}
    evidence = ["x"]
    made = graph.add_object("a", data, evidence=evidence)
    related = graph.add_relation("a", "b", "r", data)
    proposed = graph.propose_patch(made.id, "update", data, proposed_by="me", evidence=evidence)
    applied = graph.patch_object(made.id, data, evidence=evidence)
    emitted = graph.emit(Event("mine", "user.event", data))
    data["tags"].append("changed")
    data["inner"]["n"] = 2
    evidence.append("changed")
    expected = {"tags": ["a"], "inner": {"n": 1}}
    assert made.data == related.data == proposed.value == applied.value == emitted.payload == expected
    assert made.provenance["evidence"] == proposed.evidence == applied.evidence == ["x"]


@pytest.mark.parametrize("told", [7, None, b"noon", datetime(2026, 5, 15, tzinfo=UTC)])
def test_a_clock_that_tells_no_text_records_nothing_and_consumes_no_id(told: Any) -> None:
    class Sundial:
        def now(self) -> Any:
            return told

    graph = Graph(clock=Sundial(), run_id="run_a")  # type: ignore[arg-type]
    graph.ids.reseed_from_events([Event("evt_003", "a")])
    changes: list[Callable[[], Any]] = [
        lambda: graph.add_object("task", {}),
        lambda: graph.add_relation("a", "b", "near"),
        lambda: graph.propose_patch("a", "update", {}, proposed_by="me"),
    ]
    for change in changes:
        with pytest.raises(NonSerializableEventError) as refusal:
            change()
        assert refusal.value.context["path"] == "timestamp"

    assert list(graph.events) == []
    drawn = graph.ids.object("task"), graph.ids.relation(), graph.ids.patch(), graph.ids.event()
    assert drawn == ("task#1", "rel_001", "patch_001", "evt_004")


def test_the_clock_is_read_once_per_event() -> None:
    graph = Graph(clock=TickingClock())
    made = graph.add_object("a", {})
    graph.add_relation("a", "b", "r")
    graph.patch_object(made.id, {"x": 1})
    patch = graph.propose_patch(made.id, "update", {}, proposed_by="me")
    graph.apply_patch(patch.id)
    graph.remove_object(made.id)
    assert [event.timestamp[-3:] for event in graph.events] == ["01Z", "02Z", "03Z", "04Z", "05Z", "06Z"]
    assert graph.events[0].payload["object"]["provenance"]["timestamp"] == graph.events[0].timestamp
    assert graph.events[3].payload["patch"]["provenance"]["timestamp"] == graph.events[3].timestamp
