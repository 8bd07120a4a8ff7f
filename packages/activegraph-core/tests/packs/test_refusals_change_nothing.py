"""A `load_pack` that fails leaves runtime, graph, pack and log exactly as they were."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import activegraph
import pytest
from activegraph import Event, InMemoryEventStore, RuntimeStatus
from activegraph.core.event import canonical_payload
from activegraph.errors import ActiveGraphError, IncompatibleRuntimeState
from activegraph.packs import ObjectType, Pack, PackPolicy, RelationType, behavior, llm_behavior, tool
from activegraph.runtime.runtime import Runtime
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from support.runtimes import RUN, new


class Item(BaseModel):
    size: int = 0


class Settings(BaseModel):
    level: int = 1


def acts(name: str, **options: Any) -> Any:
    return behavior(name=name, on=["goal.created"], **options)(lambda event, graph, ctx: None)


def calls(name: str, **options: Any) -> Any:
    return tool(name=name, **options)(lambda args, ctx: None)


def asks(*tools: str) -> Any:
    return llm_behavior(name="asks", on=["x"], tools=list(tools))(lambda event, graph, ctx, out: None)


BASE = Pack(
    "base",
    "1",
    object_types=[ObjectType("item", Item)],
    relation_types=[RelationType("near", ["item"])],
    behaviors=[acts("own")],
    tools=[calls("look"), calls("shared", export_globally=True)],
    policies=[PackPolicy("careful", ["memo"])],
    settings_schema=Settings,
)

SOUND: dict[str, dict[str, list[Any]]] = {
    "a behavior": {"behaviors": [acts("sound")]},
    "an inactive one": {"behaviors": [acts("never", when=lambda chosen: False)]},
    "a type": {"object_types": [ObjectType("sound", Item)]},
    "a relation type": {"relation_types": [RelationType("sound")]},
    "a tool": {"tools": [calls("sound")]},
    "a policy": {"policies": [PackPolicy("sound", ["item"])]},
}

WRONG: dict[str, dict[str, list[Any]]] = {
    "a type of another": {"object_types": [ObjectType("item", Item)]},
    "a relation type of another": {"relation_types": [RelationType("near")]},
    "a behavior's name of nobody's pack": {"behaviors": [acts("taken")]},
    "an exported name": {"tools": [calls("shared", export_globally=True)]},
    "an exported name that is global": {"tools": [calls("known", export_globally=True)]},
    "a tool that is not there": {"behaviors": [asks("sound_or_not", "nowhere")]},
    "a predicate that raises": {"behaviors": [acts("odd", when=lambda chosen: chosen.nothing)]},
}

picked = st.lists(st.sampled_from(sorted(SOUND)), unique=True, max_size=4)


def pack_of(*parts: dict[str, list[Any]], name: str = "fresh", version: str = "1") -> Pack:
    fields: dict[str, list[Any]] = {}
    for part in parts:
        for field, values in part.items():
            fields.setdefault(field, []).extend(values)
    return Pack(name, version, settings_schema=Settings, **fields)  # type: ignore[arg-type]


def everything(runtime: Runtime) -> list[Any]:
    """All that anybody could see of a runtime, and the id sequences, which nobody sees."""
    engine, graph = runtime._engine, runtime.graph
    status: RuntimeStatus = runtime.status()
    return [
        [(event.id, event.type, event.actor, canonical_payload(event)) for event in graph.events],
        [item.to_dict() for item in graph.all_objects()],
        vars(graph.ids).copy(),
        [(pack, id(pack)) for pack in runtime.loaded_packs()],
        [(one.name, id(one)) for one in engine.behaviors_now()],
        {name: id(one) for name, one in {**engine.packs.tools, **engine.packs.exported}.items()},
        (status.state, status.queue_depth, status.registered_behaviors),
        runtime.pending_approvals(),
        id(engine.writer.schemas),
        len(engine.unrecorded_packs),
        activegraph.get_registry(),
        activegraph.get_tool_registry(),
    ]


def prepared(**options: Any) -> Runtime:
    activegraph.clear_tool_registry()
    activegraph.tool(name="known")(lambda args, ctx: None)
    runtime = new([activegraph.Behavior("fresh.taken", lambda event, graph, ctx: None)], **options)
    runtime.load_pack(BASE, {"level": 2})
    runtime.graph.add_object("item", {"size": "3"})
    return runtime


@given(before=picked, wrong=st.sampled_from(sorted(WRONG)), after=picked)
@settings(deadline=None, max_examples=60)
def test_whatever_a_refused_pack_brings_nothing_of_it_stays(before: list[str], wrong: str, after: list[str]) -> None:
    runtime = prepared()
    parts = [*(SOUND[name] for name in before), WRONG[wrong], *(SOUND[name] for name in after if name not in before)]
    pack = pack_of(*parts)
    known, made_of = everything(runtime), [dict(vars(each)) for each in (*pack.behaviors, *pack.tools)]

    with pytest.raises(ActiveGraphError):
        runtime.load_pack(pack)

    assert everything(runtime) == known
    assert [dict(vars(each)) for each in (*pack.behaviors, *pack.tools)] == made_of
    assert runtime.load_pack(pack_of(*(SOUND[name] for name in before))) is True


@pytest.mark.parametrize(
    ("pack", "given_settings"),
    [
        (Pack("base", "2"), None),
        (BASE, {"level": 3}),
        (BASE, {"level": "high"}),
        (pack_of(), {"level": "high"}),
        (pack_of(), "level=1"),
        ("fresh", None),
    ],
)
def test_a_refused_version_or_setting_leaves_nothing_behind(pack: Any, given_settings: Any) -> None:
    runtime = prepared()
    known = everything(runtime)

    with pytest.raises(ActiveGraphError):
        runtime.load_pack(pack, given_settings)

    assert everything(runtime) == known


def test_an_override_of_a_setting_that_is_not_there_leaves_nothing_behind() -> None:
    runtime = prepared()
    payload = {"pack": "fresh", "overrides": {"levels": {"most": 1}}, "assignments": []}
    override = Event("evt_800", "pack.settings_overridden", payload, "runtime")
    runtime.graph.emit(override)
    known = everything(runtime)

    with pytest.raises(activegraph.PackSettingsMissingError, match="'levels'") as refusal:
        runtime.load_pack(pack_of(SOUND["a behavior"]))

    assert refusal.value.context["event_id"] == "evt_800"
    assert everything(runtime) == known


class Failing(InMemoryEventStore):
    """Takes no second pack."""

    def append_many(self, events: Sequence[Event], **options: Any) -> int:
        if self.count() and any(event.type == "pack.loaded" for event in events):
            raise OSError("disk")
        return super().append_many(events, **options)


def test_a_store_that_fails_stops_the_run_and_the_pack_is_not_there() -> None:
    runtime = prepared(store=Failing(RUN))

    with pytest.raises(OSError, match="disk"):
        runtime.load_pack(pack_of(SOUND["a type"]))

    assert runtime.loaded_packs() == [BASE]
    with pytest.raises(IncompatibleRuntimeState, match="stopped"):
        runtime.graph.add_object("item", {})
