"""Objects, patches and relations of the types that a loaded pack declares."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from activegraph import Event, behavior
from activegraph.errors import ApprovalNotFoundError, PackError, PackSchemaViolation, RegistrationError
from activegraph.packs import ObjectType, Pack, RelationType
from activegraph.runtime.runtime import Runtime
from pydantic import BaseModel, ConfigDict, Field
from support.runtimes import RUN, loaded, new, types_of


class Volume(BaseModel):
    size_gb: int = Field(ge=1)
    kind: str = "ssd"
    price: Decimal = Decimal("0.10")
    seen: datetime | None = None


class Kind(Enum):
    SSD = "ssd"


class Strict(BaseModel):
    model_config = ConfigDict(strict=True)
    size_gb: int = 1
    kind: Kind | None = None
    seen: datetime | None = None
    folder: Path = Path("/")
    span: tuple[int, int] = (1, 2)
    tags: set[str] = set()
    name: str = Field("x", alias="theName")


class Closed(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    name: str


PACK = Pack(
    name="storage",
    version="1.0.0",
    object_types=[
        ObjectType("volume", Volume),
        ObjectType("closed", Closed),
        ObjectType("open", Open),
        ObjectType("strict", Strict),
    ],
    relation_types=[
        RelationType("mounted_on", ["volume"], ["host", "rack"]),
        RelationType("near"),
        RelationType("owned_by", (), ["person"]),
    ],
)


def with_pack(*behaviors: Any) -> Runtime:
    runtime = new(behaviors)
    runtime.load_pack(PACK)
    return runtime


def test_data_is_stored_as_the_schema_dumps_it() -> None:
    graph = with_pack().graph

    made = graph.add_object("volume", {"size_gb": "10", "seen": datetime(2026, 1, 1, tzinfo=UTC), "unknown": 1})

    assert made.data == {"size_gb": 10, "kind": "ssd", "price": "0.10", "seen": "2026-01-01T00:00:00Z"}
    assert graph.events[-1].payload["object"]["data"] == made.data


def test_extra_fields_follow_the_models_own_setting() -> None:
    graph = with_pack().graph

    assert graph.add_object("open", {"name": "a", "more": [1]}).data == {"name": "a", "more": [1]}
    with pytest.raises(PackSchemaViolation, match="closed"):
        graph.add_object("closed", {"name": "a", "more": 1})


def test_a_violation_says_what_does_not_fit_and_leaves_no_trace() -> None:
    runtime = with_pack()
    before = (runtime.graph.events[:], runtime.graph.all_objects())

    with pytest.raises(PackSchemaViolation, match=r"volume.*storage") as refusal:
        runtime.graph.add_object("volume", {"size_gb": 0})

    assert (runtime.graph.events[:], runtime.graph.all_objects()) == before
    error = refusal.value
    assert isinstance(error, PackError)
    assert isinstance(error, ValueError)
    assert not isinstance(error, RegistrationError)
    assert error.context["object_type"] == "volume"
    assert error.context["pack"] == "storage"
    assert "size_gb" in error.context["validation_error"]
    assert "size_gb" in str(error)
    assert runtime.graph.add_object("volume", {"size_gb": 1}).id == "volume#1"


def test_inside_a_behavior_a_violation_fails_the_behavior() -> None:
    @behavior(on=["goal.created"])
    def careless(event: Any, graph: Any, ctx: Any) -> None:
        graph.add_object("volume", {"size_gb": 2})
        graph.add_object("volume", {"size_gb": "large"})

    runtime = with_pack(careless)
    runtime.run_goal("x")

    (failure,) = runtime.errors
    assert (failure.behavior, failure.exception_type) == ("careless", "PackSchemaViolation")
    assert "size_gb" in failure.message
    assert [item.data["size_gb"] for item in runtime.graph.objects()] == [2]


def test_a_top_level_provenance_is_dropped_before_the_schema_sees_it() -> None:
    assert with_pack().graph.add_object("closed", {"name": "a", "provenance": {}}).data == {"name": "a"}


def test_types_that_no_loaded_pack_declares_are_free() -> None:
    graph = with_pack().graph

    assert graph.add_object("other", {"size_gb": "large"}).data == {"size_gb": "large"}
    assert graph.add_relation("nobody#1", "nobody#2", "other").type == "other"


def test_objects_from_before_the_load_stay_as_they_are() -> None:
    runtime = new()
    old = runtime.graph.add_object("volume", {"size_gb": "large"})

    runtime.load_pack(PACK)

    assert runtime.graph.get_object(old.id).data == {"size_gb": "large"}  # type: ignore[union-attr]


def test_a_patch_may_not_leave_data_that_does_not_fit() -> None:
    graph = with_pack().graph
    volume = graph.add_object("volume", {"size_gb": 5})
    head = len(graph.events)

    with pytest.raises(PackSchemaViolation, match="volume"):
        graph.patch_object(volume.id, {"size_gb": "large"})

    assert len(graph.events) == head
    assert graph.get_object(volume.id).version == 1  # type: ignore[union-attr]
    graph.patch_object(volume.id, {"size_gb": 6})
    assert graph.get_object(volume.id).data["size_gb"] == 6  # type: ignore[union-attr]


def test_a_proposed_patch_is_checked_when_it_is_applied_and_stays_proposed() -> None:
    graph = with_pack().graph
    volume = graph.add_object("volume", {"size_gb": 5})
    bad = graph.propose_patch(volume.id, "replace", {"kind": "hdd"}, proposed_by="anna")

    with pytest.raises(PackSchemaViolation):
        graph.apply_patch(bad.id)

    assert graph.get_patch(bad.id).status == "proposed"  # type: ignore[union-attr]
    good = graph.propose_patch(volume.id, "replace", {"size_gb": 7}, proposed_by="anna")
    graph.apply_patch(good.id)
    assert graph.get_object(volume.id).data == {"size_gb": 7}  # type: ignore[union-attr]


def test_data_that_did_not_fit_before_a_patch_is_let_alone() -> None:
    runtime = new()
    old = runtime.graph.add_object("volume", {"size_gb": "large"})
    runtime.load_pack(PACK)

    runtime.graph.patch_object(old.id, {"kind": 3})

    assert runtime.graph.get_object(old.id).data == {"size_gb": "large", "kind": 3}  # type: ignore[union-attr]


def test_fields_with_an_alias_are_checked_by_patches_under_the_names_that_are_stored() -> None:
    class Host(BaseModel):
        name: str = Field(alias="hostName")

    runtime = new()
    runtime.load_pack(Pack("net", "1", object_types=[ObjectType("host", Host)]))
    host = runtime.graph.add_object("host", {"hostName": "db1"})

    assert host.data == {"name": "db1"}
    with pytest.raises(PackSchemaViolation):
        runtime.graph.patch_object(host.id, {"name": 5})


def test_a_patch_of_a_strict_schema_is_checked_by_what_the_log_holds() -> None:
    graph = with_pack().graph
    made = graph.add_object("strict", {"span": (3, 4), "seen": datetime(2026, 1, 1, tzinfo=UTC), "tags": {"a"}})

    graph.patch_object(made.id, {"size_gb": 2, "span": [5, 6]})
    with pytest.raises(PackSchemaViolation, match="strict"):
        graph.patch_object(made.id, {"size_gb": "3"})

    assert graph.get_object(made.id).data["size_gb"] == 2  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("type", "source", "target", "side"),
    [
        ("mounted_on", "host", "host", "source"),
        ("mounted_on", "volume", "volume", "target"),
        ("mounted_on", None, "host", "source"),
        ("owned_by", "volume", "host", "target"),
        ("owned_by", "volume", None, "target"),
    ],
)
def test_a_relation_joins_only_the_types_that_it_is_declared_for(
    type: str, source: str | None, target: str | None, side: str
) -> None:
    graph = with_pack().graph
    ends = [_made(graph, end) for end in (source, target)]
    head = len(graph.events)

    with pytest.raises(PackSchemaViolation, match=f"{side}.*{type}") as refusal:
        graph.add_relation(*ends, type)

    assert len(graph.events) == head
    context = refusal.value.context
    assert (context["relation_type"], context["side"], context["pack"]) == (type, side, "storage")
    assert context[f"{side}_type"] == (source if side == "source" else target)
    assert context[f"allowed_{side}_types"]


def _made(graph: Any, type: str | None) -> str:
    if type is None:
        return "nobody#9"
    return str(graph.add_object(type, {"size_gb": 1}).id)


def test_ends_that_are_not_restricted_may_be_anything() -> None:
    graph = with_pack().graph
    volume, person = graph.add_object("volume", {"size_gb": 1}), graph.add_object("person", {})

    graph.add_relation("nobody#9", "nobody#8", "near")
    graph.add_relation("nobody#9", person.id, "owned_by")
    graph.add_relation(volume.id, graph.add_object("rack", {}).id, "mounted_on")

    assert [relation.type for relation in graph.all_relations()] == ["near", "owned_by", "mounted_on"]


def test_events_that_the_host_builds_and_logs_that_are_loaded_are_not_checked(tmp_path: Path) -> None:
    runtime = new(persist_to=tmp_path / "run.db")
    runtime.load_pack(PACK)
    payload = {
        "object": {"id": "volume#1", "type": "volume", "data": {}, "version": 1, "provenance": {}},
        "id": "volume#1",
    }
    runtime.graph.emit(Event("evt_900", "object.created", payload))
    runtime.close()

    again = loaded(tmp_path / "run.db", packs=[PACK])

    assert again.graph.get_object("volume#1").data == {}  # type: ignore[union-attr]


def test_a_proposal_is_checked_when_it_is_made_and_again_when_it_is_approved() -> None:
    @behavior(on=["ask"])
    def asks(event: Any, graph: Any, ctx: Any) -> None:
        ctx.propose_object("volume", dict(event.payload))

    runtime = new([asks])
    for size in (3, "large"):
        runtime.graph.emit(Event(runtime.graph.ids.event(), "ask", {"size_gb": size}))
    runtime.run_until_idle()
    assert [pending.data["size_gb"] for pending in runtime.pending_approvals()] == [3, "large"]

    runtime.load_pack(PACK)
    runtime.graph.emit(Event(runtime.graph.ids.event(), "ask", {"size_gb": "huge"}))
    runtime.run_until_idle()

    assert [failure.exception_type for failure in runtime.errors] == ["PackSchemaViolation"]
    with pytest.raises(PackSchemaViolation):
        runtime.approve("approval_002")
    assert [pending.id for pending in runtime.pending_approvals()] == ["approval_001", "approval_002"]
    assert "approval.granted" not in types_of(runtime)
    volume = runtime.approve("approval_001")
    assert runtime.graph.get_object(volume).data["kind"] == "ssd"  # type: ignore[union-attr]
    with pytest.raises(ApprovalNotFoundError):
        runtime.approve("approval_001")


@pytest.mark.parametrize(
    "data",
    [
        {"kind": Kind.SSD},
        {"folder": Path("/data"), "theName": "y"},
        {"seen": datetime(2026, 1, 1, tzinfo=UTC), "span": (3, 4)},
        {"tags": {"b", "a"}, "size_gb": 7},
    ],
    ids=lambda data: next(iter(data)),
)
@pytest.mark.parametrize("again", [False, True], ids=["at-once", "loaded"])
def test_what_can_be_added_can_be_proposed_and_approved(data: dict[str, Any], again: bool, tmp_path: Path) -> None:
    @behavior(on=["ask"])
    def asks(event: Any, graph: Any, ctx: Any) -> None:
        ctx.propose_object("strict", data)

    runtime = new([asks], persist_to=tmp_path / "run.db", packs=[PACK])
    added = runtime.graph.add_object("strict", data)
    runtime.graph.emit(Event(runtime.graph.ids.event(), "ask", {}))
    runtime.run_until_idle()
    assert runtime.errors == []
    if again:
        runtime.close()
        runtime = loaded(tmp_path / "run.db", packs=[PACK])

    approved = runtime.approve("approval_001")

    assert runtime.graph.get_object(approved).data == added.data  # type: ignore[union-attr]


def test_a_validator_that_raises_something_else_is_heard_and_changes_nothing() -> None:
    class Odd(BaseModel):
        value: int

        def model_post_init(self, context: Any, /) -> None:
            raise LookupError("no such shelf")

    runtime = new()
    runtime.load_pack(Pack("odd", "1", object_types=[ObjectType("odd", Odd)]))
    head = len(runtime.graph.events)

    with pytest.raises(LookupError, match="shelf"):
        runtime.graph.add_object("odd", {"value": 1})
    assert len(runtime.graph.events) == head


def test_a_graph_without_its_runtime_is_free_again() -> None:
    runtime = with_pack()
    runtime.close()

    assert runtime.graph.add_object("volume", {}).data == {}


def test_only_the_runtime_that_loaded_a_pack_is_checked() -> None:
    with_pack()
    other = new()

    assert other.graph.add_object("volume", {"size_gb": "large"}).id == "volume#1"
    assert other.run_id == RUN
