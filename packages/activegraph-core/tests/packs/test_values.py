"""What a pack is made of, and what it refuses to be made of."""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Callable
from typing import Any

import activegraph
import pytest
from activegraph.errors import PackError, PackValidationError, RegistrationError
from activegraph.packs import (
    DiscoveredPack,
    EmptySettings,
    ObjectType,
    Pack,
    PackPolicy,
    PackPrompt,
    PendingApproval,
    RelationType,
    behavior,
    relation_behavior,
    tool,
)
from pydantic import BaseModel


class Volume(BaseModel):
    size_gb: int


@behavior(on=["goal.created"])
def watch(event: Any, graph: Any, ctx: Any) -> None: ...


@tool()
def look(args: Any, ctx: Any) -> int:
    return 1


def test_a_pack_keeps_what_it_was_made_of_as_tuples() -> None:
    prompt = PackPrompt.from_body("rank", "1", "Rank.")
    pack = Pack(
        name="storage",
        version="1.2.0",
        object_types=[ObjectType("volume", Volume)],
        relation_types=[RelationType("mounted_on", ["volume"], ["host"])],
        behaviors=[watch],
        tools=[look],
        policies=[PackPolicy("careful", ["memo"], ["note"])],
        prompts=[prompt],
    )

    assert pack.behaviors == (watch,)
    assert pack.tools == (look,)
    assert pack.relation_types[0].source_types == ("volume",)
    assert pack.policies == (PackPolicy("careful", ("memo",), ("note",)),)
    assert pack.settings_schema is EmptySettings
    assert pack.prompt_manifest() == {"rank": {"version": "1", "hash": prompt.content_hash}}


def test_values_have_the_fields_and_defaults_that_are_documented() -> None:
    fields = {
        cls.__name__: [field.name for field in dataclasses.fields(cls)]
        for cls in (ObjectType, RelationType, PackPolicy, PackPrompt, Pack, DiscoveredPack, PendingApproval)
    }

    assert fields == {
        "ObjectType": ["name", "schema", "description"],
        "RelationType": ["name", "source_types", "target_types", "description"],
        "PackPolicy": ["name", "requires_approval", "auto_apply"],
        "PackPrompt": ["name", "version", "body", "content_hash"],
        "Pack": [
            "name",
            "version",
            "description",
            "object_types",
            "relation_types",
            "behaviors",
            "tools",
            "policies",
            "prompts",
            "settings_schema",
        ],
        "DiscoveredPack": ["name", "version", "entry_point", "pack"],
        "PendingApproval": ["id", "kind", "object_type", "data", "reason", "pack"],
    }
    assert RelationType("r") == RelationType("r", (), (), "")
    assert EmptySettings.model_fields == {}


def test_a_hash_is_sixteen_hex_digits_of_sha256_over_the_utf8_body() -> None:
    assert PackPrompt.compute_hash("") == "sha256:e3b0c44298fc1c14"
    assert PackPrompt.from_body("p", "1", "é").content_hash == "sha256:4a99557e4033c353"


def test_packs_are_equal_by_name_and_version() -> None:
    one, other = Pack("storage", "1.0.0"), Pack("storage", "1.0.0", description="another", behaviors=[watch])

    assert one == other
    assert hash(one) == hash(other)
    assert one != Pack("storage", "1.0.1")
    assert one != "storage"
    assert len({one, other, Pack("audio", "1.0.0")}) == 2


@pytest.mark.parametrize(
    "value",
    [
        Pack("storage", "1.0.0"),
        ObjectType("volume", Volume),
        RelationType("r"),
        PackPolicy("p"),
        PackPrompt.from_body("p", "1", ""),
        DiscoveredPack("storage", "1.0.0", "storage:pack", Pack("storage", "1.0.0")),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_cannot_be_changed(value: Any) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        value.name = "other"


def test_a_pending_approval_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        PendingApproval("approval_001", "object", "memo", {}, "", "").reason = "other"  # type: ignore[misc]


def test_values_survive_pickling_under_the_path_that_users_import_them_from() -> None:
    prompt = PackPrompt.from_body("p", "1", "text")

    pending = PendingApproval("approval_001", "object", "memo", {"text": "x"}, "why", "storage")

    for value in (prompt, pending):
        assert pickle.loads(pickle.dumps(value)) == value
        assert type(value).__module__ == "activegraph.packs"


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "an object type without a name": (lambda: ObjectType("", Volume), "object type"),
    "an object type with a number for a name": (lambda: ObjectType(3, Volume), "object type"),  # type: ignore[arg-type]
    "a schema that is no class": (lambda: ObjectType("volume", {"size": int}), "BaseModel subclass"),  # type: ignore[arg-type]
    "a schema that is no model": (lambda: ObjectType("volume", dict), "BaseModel subclass"),  # type: ignore[arg-type]
    "a relation type without a name": (lambda: RelationType(""), "relation type"),
    "a bare text for types": (lambda: RelationType("r", "volume"), "source_types"),  # type: ignore[arg-type]
    "types that are no texts": (lambda: RelationType("r", (), [Volume]), "target_types"),  # type: ignore[list-item]
    "a policy without a name": (lambda: PackPolicy(""), "policy"),
    "a bare text for what a policy gates": (lambda: PackPolicy("p", "memo"), "requires_approval"),  # type: ignore[arg-type]
    "a name in capitals": (lambda: Pack("Storage", "1"), "Storage"),
    "a name with a dash": (lambda: Pack("my-pack", "1"), "my-pack"),
    "a name that begins with a digit": (lambda: Pack("1up", "1"), "1up"),
    "a name with a line end behind it": (lambda: Pack("storage\n", "1"), "storage"),
    "a name that is no text": (lambda: Pack(None, "1"), "None"),  # type: ignore[arg-type]
    "an empty version": (lambda: Pack("storage", ""), "storage.*version"),
    "a version that is a number": (lambda: Pack("storage", 1.0), "storage.*version"),  # type: ignore[arg-type]
    "settings that are an instance": (
        lambda: Pack("storage", "1", settings_schema=EmptySettings()),  # type: ignore[arg-type]
        "storage.*BaseModel subclass",
    ),
    "a behavior that is a function": (
        lambda: Pack("storage", "1", behaviors=[print]),
        "storage.*behavior.*not declared via",
    ),  # type: ignore[list-item]
    "a behavior of the global decorator": (
        lambda: Pack("storage", "1", behaviors=[activegraph.behavior(name="loose")(lambda event, graph, ctx: None)]),
        "storage.*loose.*not declared via",
    ),
    "a tool of the global decorator": (
        lambda: Pack("storage", "1", tools=[activegraph.tool(name="loose")(lambda args, ctx: None)]),
        "storage.*loose.*not declared via",
    ),
    "a behavior in place of a tool": (lambda: Pack("storage", "1", tools=[watch]), "storage.*tool"),  # type: ignore[list-item]
    "parts that are no list": (lambda: Pack("storage", "1", behaviors=watch), "storage.*behaviors.*list"),  # type: ignore[arg-type]
    "a prompt that is a text": (lambda: Pack("storage", "1", prompts=["Rank."]), "storage.*prompts.*|storage.*prompt"),  # type: ignore[list-item]
    "a name with a dot": (
        lambda: Pack("storage", "1", behaviors=[behavior(name="a.b")(lambda event, graph, ctx: None)]),
        r"storage.*'a\.b'.*'\.'",
    ),
}


@pytest.mark.parametrize(("make", "says"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_part_of_a_pack_is_refused_where_it_is_made(make: Callable[[], Any], says: str) -> None:
    with pytest.raises(PackValidationError, match=says) as refusal:
        make()

    assert isinstance(refusal.value, RegistrationError)
    assert isinstance(refusal.value, PackError)
    assert refusal.value.is_structured()


@pytest.mark.parametrize(
    ("field", "kind", "part"),
    [
        ("object_types", "object type", ObjectType("twice", Volume)),
        ("relation_types", "relation type", RelationType("twice")),
        ("behaviors", "behavior", behavior(name="twice")(lambda event, graph, ctx: None)),
        ("tools", "tool", tool(name="twice")(lambda args, ctx: None)),
        ("policies", "policy", PackPolicy("twice")),
        ("prompts", "prompt", PackPrompt.from_body("twice", "1", "")),
    ],
)
def test_a_name_stands_for_one_part_of_its_kind(field: str, kind: str, part: Any) -> None:
    with pytest.raises(PackValidationError, match=f"pack 'storage'.*duplicate {kind} name 'twice'"):
        Pack("storage", "1", **{field: [part, part]})


def test_one_name_may_stand_for_parts_of_several_kinds() -> None:
    look_too = behavior(name="look")(lambda event, graph, ctx: None)

    assert Pack("storage", "1", behaviors=[look_too], tools=[look]).tools == (look,)


def test_a_message_points_to_the_decorators_of_packs() -> None:
    with pytest.raises(PackValidationError) as refusal:
        Pack("storage", "1", behaviors=[activegraph.behavior()(lambda event, graph, ctx: None)])

    assert "activegraph.packs" in str(refusal.value)


def test_relation_behaviors_are_behaviors_of_a_pack_too() -> None:
    @relation_behavior("mounted_on")
    def follow(relation: Any, event: Any, graph: Any, ctx: Any) -> None: ...

    assert Pack("storage", "1", behaviors=[watch, follow]).behaviors == (watch, follow)
