"""Strict replay of runs with packs: each is loaded where the log says so, with the settings that it says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from activegraph import Event
from activegraph.errors import IncompatibleRuntimeState, PackSettingsMissingError, ReplayDivergenceError
from activegraph.packs import (
    ObjectType,
    Pack,
    PackPolicy,
    PackPrompt,
    behavior,
    clear_discovery_cache,
    llm_behavior,
    tool,
)
from activegraph.runtime.runtime import Runtime
from pydantic import BaseModel, ConfigDict, Field, SecretStr
from support.installed_packs import installed_from, write_pack
from support.runtimes import emit, loaded, new
from support.scripted import ScriptedProvider, answer, asking


class Volume(BaseModel):
    size_gb: int = 1


class Limits(BaseModel):
    most: int = 3


class Settings(BaseModel):
    threshold: float = 0.5
    limits: Limits = Limits()
    asks: bool = False


@behavior(on=["goal.created", "go"])
def measure(event: Any, graph: Any, ctx: Any) -> None:
    settings = ctx.settings
    volume = graph.add_object("volume", {"size_gb": str(len(ctx.view.objects("volume")) + 1)})
    graph.emit("measured", {"of": volume.id, "threshold": settings.threshold, "luck": ctx.random.random()})
    ctx.propose_object("volume", {"size_gb": settings.limits.most}, reason="more")


@tool()
def look(args: Any, ctx: Any) -> Any:
    return {"percent": 91}


@llm_behavior(on=["measured"], tools=["look"], when=lambda settings: settings.asks)
def rank(event: Any, graph: Any, ctx: Any, out: Any) -> None:
    graph.add_object("note", {"text": out})


def storage(version: str = "1.0.0", prompt: str = "Rank.", **fields: Any) -> Pack:
    parts: dict[str, Any] = {
        "object_types": [ObjectType("volume", Volume)],
        "behaviors": [measure, rank],
        "tools": [look],
        "policies": [PackPolicy("careful", ["volume"])],
        "prompts": [PackPrompt.from_body("rank", "1", prompt)],
        "settings_schema": Settings,
        **fields,
    }
    return Pack("storage", version, **parts)


def replay(path: Path, *packs: Any, run_id: str = "run_1", **options: Any) -> Runtime:
    return loaded(path, [], run_id, packs=packs, replay_strict=True, **options)


def divergence(path: Path, *packs: Any, **options: Any) -> ReplayDivergenceError:
    with pytest.raises(ReplayDivergenceError) as raised:
        replay(path, *packs, **options)
    return raised.value


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.db"


def ran(path: Path, **settings: Any) -> str:
    """A run with the pack; the id of its `pack.loaded`."""
    with new([], persist_to=path) as runtime:
        emit(runtime, "before")
        runtime.run_until_idle()
        runtime.load_pack(storage(), settings or None)
        runtime.run_goal("x")
        [pending] = runtime.pending_approvals()
        runtime.approve(pending.id)
        runtime.run_until_idle()
        return next(event.id for event in runtime.graph.events if event.type == "pack.loaded")


def test_a_pack_is_loaded_again_where_it_was_with_the_settings_that_it_had(path: Path) -> None:
    ran(path, threshold=0.7, limits={"most": 9})

    runtime = replay(path, storage())
    assert [pack.name for pack in runtime.loaded_packs()] == ["storage"]
    assert runtime.get_behavior("measure").name == "storage.measure"


def test_a_pack_that_a_later_process_attached_again_is_the_same(path: Path) -> None:
    ran(path, threshold=0.7)
    with loaded(path, [], packs=[storage()]) as runtime:
        runtime.run_goal("again")

    replay(path, storage())


def test_other_settings_of_a_later_process_hold_from_there_on(path: Path) -> None:
    ran(path, threshold=0.7)
    with loaded(path, [], packs=[(storage(), {"threshold": 0.9})]) as runtime:
        runtime.run_goal("again")
        assert [event.type for event in runtime.graph.events].count("pack.loaded") == 2

    replay(path, storage())


def test_settings_that_are_given_are_held_against_those_that_were_in_force_last(path: Path) -> None:
    pack_loaded = ran(path, threshold=0.7, limits={"most": 9})
    same = {"threshold": 0.7, "limits": {"most": 9}}
    replay(path, (storage(), same))

    error = divergence(path, (storage(), {**same, "threshold": 0.8}))
    assert (error.event_id, error.kind) == (pack_loaded, "payload_mismatch")
    assert error.context["diff"] == ["settings.threshold:", "  - 0.7", "  + 0.8"]
    assert error.context["cause"] == "changed pack: settings"

    with loaded(path, [], packs=[(storage(), {"threshold": 0.9})]) as runtime:
        runtime.run_goal("again")
        later = [event.id for event in runtime.graph.events if event.type == "pack.loaded"][-1]
    replay(path, (storage(), {"threshold": 0.9}))
    assert divergence(path, (storage(), same)).event_id == later


def test_settings_that_are_given_for_a_fork_are_a_base_for_its_overrides(path: Path) -> None:
    pack_loaded = ran(path, threshold=0.7)
    with loaded(path, [], packs=[storage()]) as parent:
        fork = parent.fork(pack_loaded, packs=[storage()], pack_settings={"storage": {"limits": {"most": 5}}})
        fork.run_goal("x")

    replay(path, (storage(), {"threshold": 0.7}), run_id=fork.run_id)
    error = divergence(path, (storage(), {"threshold": 0.6}), run_id=fork.run_id)
    assert error.context["diff"] == ["settings.threshold:", "  - 0.7", "  + 0.6"]


def test_a_pack_that_is_loaded_anew_keeps_its_turn_among_the_others(path: Path) -> None:
    def pack(name: str) -> Pack:
        acts = behavior(name="acts", on=["go"])(lambda event, graph, ctx: graph.emit("acted", {"of": name}))
        return Pack(name, "1", behaviors=[acts], settings_schema=Settings)

    first, other = pack("first"), pack("other")
    with new([], persist_to=path, packs=[first, other]) as runtime:
        emit(runtime, "go")
        runtime.run_until_idle()
    with loaded(path, packs=[(first, {"threshold": 0.9}), other]) as runtime:
        emit(runtime, "go")
        runtime.run_until_idle()
        acted = [event.payload["of"] for event in runtime.graph.events if event.type == "acted"]
        assert acted == ["first", "other"] * 2

    replay(path, first, other)


def test_ids_that_the_host_drew_before_a_load_or_a_decision_stand_where_they_did(path: Path) -> None:
    @behavior(on=["go", "pack.loaded", "object.created"])
    def draws(event: Any, graph: Any, ctx: Any) -> None:
        graph.emit("drawn", {"luck": ctx.random.random(), "for": event.id})
        if event.type == "go":
            ctx.propose_object("memo", {})

    pack = Pack("lottery", "1", behaviors=[draws])
    with new([], persist_to=path, packs=[pack]) as runtime:
        emit(runtime, "go")
        runtime.run_until_idle()
        drawn = runtime.graph.ids.event()
        runtime.approve("approval_001")
        runtime.graph.emit(Event(drawn, "go", {}))
        runtime.run_until_idle()
        ids = [event.id for event in runtime.graph.events]
    assert ids[:2] == ["evt_002", "evt_001"]
    assert ids.index(drawn) > ids.index(f"evt_{int(drawn[4:]) + 2:03d}")

    replay(path, pack)


def test_overrides_of_a_fork_are_applied(path: Path) -> None:
    pack_loaded = ran(path, threshold=0.7)
    parent = loaded(path, [], packs=[storage()])
    fork = parent.fork(pack_loaded, packs=[storage()], pack_settings={"storage": {"limits": {"most": 5}}})
    fork.run_goal("x")
    assert fork.pending_approvals()[0].data == {"size_gb": 5}

    replay(path, storage(), run_id=fork.run_id)


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"prompt": "Rank well."}, "prompts"),
        ({"version": "1.0.1"}, "version"),
        ({"behaviors": [measure]}, "inactive_behaviors"),
        ({"tools": [], "behaviors": [measure]}, "inactive_behaviors, tools"),
        ({"policies": []}, "policies"),
        ({"object_types": []}, "object_types"),
    ],
)
def test_a_changed_pack_is_found_where_it_is_loaded(path: Path, changed: dict[str, Any], what: str) -> None:
    pack_loaded = ran(path)

    error = divergence(path, storage(**changed))
    assert (error.event_id, error.kind) == (pack_loaded, "payload_mismatch")
    assert error.context["cause"] == f"changed pack: {what}"


def test_a_changed_default_of_a_setting_is_none_where_the_recorded_one_is_used(path: Path) -> None:
    class Other(Settings):
        threshold: float = 0.9

    ran(path)

    replay(path, storage(settings_schema=Other))


def test_a_setting_that_is_new_is_found_where_the_pack_is_loaded(path: Path) -> None:
    class More(Settings):
        extra: int = 1

    error = divergence(path, storage(settings_schema=More)) if ran(path) else None
    assert error is not None
    assert error.context["diff"] == ["settings.extra:", "  - (nothing)", "  + 1"]


def test_a_changed_handler_of_a_pack_is_found_at_its_first_event(path: Path) -> None:
    @behavior(name="measure", on=["goal.created", "go"])
    def other(event: Any, graph: Any, ctx: Any) -> None:
        graph.add_object("volume", {"size_gb": 77})

    ran(path)

    error = divergence(path, storage(behaviors=[other, rank]))
    assert error.context["behavior"] == "storage.measure"
    assert error.context["diff"] == ["object.data.size_gb:", "  - 1", "  + 77"]


def test_models_and_tools_of_a_pack_are_served_from_the_log(path: Path) -> None:
    script = (asking(("storage.look", {})), answer("full"))
    with new(
        [], persist_to=path, llm_provider=ScriptedProvider(*script), packs=[(storage(), {"asks": True})]
    ) as runtime:
        runtime.run_goal("x")
        assert [note.data for note in runtime.graph.objects("note")] == [{"text": "full"}]

    replay(path, storage())
    assert divergence(path, storage(prompt="Rank well.")).context["cause"] == "changed pack: prompts"


def test_a_behavior_that_fails_now_and_did_not_then_is_told_of(path: Path) -> None:
    @behavior(name="measure", on=["goal.created", "go"])
    def other(event: Any, graph: Any, ctx: Any) -> None:
        raise LookupError("no such volume")

    ran(path)

    error = divergence(path, storage(behaviors=[other, rank]))
    assert error.kind == "length_mismatch"
    assert error.context["cause"] == "changed code: 'storage.measure' fails now: LookupError: no such volume"


def test_an_approval_that_a_changed_schema_refuses_is_told_of(path: Path) -> None:
    class Small(BaseModel):
        size_gb: int = Field(default=1, lt=3)

    ran(path)

    error = divergence(path, storage(object_types=[ObjectType("volume", Small)]))
    assert error.expected == "approval.proposed"
    assert "PackSchemaViolation" in error.context["cause"]
    with new(
        [], persist_to=path.with_name("host.db"), packs=[Pack("one", "1", object_types=[ObjectType("memo", Volume)])]
    ) as runtime:
        proposed = {
            "approval_id": "approval_001",
            "object_type": "memo",
            "reason": "",
            "kind": "object",
            "data": {"size_gb": 4},
        }
        emit(runtime, "approval.proposed", proposed)
        runtime.approve("approval_001", "anna")

    error = divergence(path.with_name("host.db"), Pack("one", "1", object_types=[ObjectType("memo", Small)]))
    assert error.expected == "approval.granted"
    assert error.context["cause"].startswith("changed code: 'approve' fails now: PackSchemaViolation")


def test_secrets_are_taken_from_what_is_given(path: Path) -> None:
    class Secret(Settings):
        key: SecretStr
        other: int = 1

    @behavior(on=["goal.created"])
    def uses(event: Any, graph: Any, ctx: Any) -> None:
        graph.add_object("note", {"length": len(ctx.settings.key.get_secret_value()), "other": ctx.settings.other})

    pack = Pack("vault", "1", behaviors=[uses], settings_schema=Secret)
    with new([], persist_to=path, packs=[(pack, {"key": "secret", "other": 7})]) as runtime:
        runtime.run_goal("x")

    replay(path, (pack, {"key": "secret", "other": 7}))
    with pytest.raises(PackSettingsMissingError):
        replay(path, pack)


def test_secrets_are_taken_from_what_is_given_at_every_load_of_a_strict_schema(path: Path) -> None:
    class Strict(BaseModel):
        model_config = ConfigDict(strict=True)
        key: SecretStr
        places: tuple[int, ...] = (1,)

    @behavior(on=["goal.created"])
    def uses(event: Any, graph: Any, ctx: Any) -> None:
        graph.add_object("note", {"length": len(ctx.settings.key.get_secret_value()), "of": ctx.settings.places})

    pack = Pack("vault", "1", behaviors=[uses], settings_schema=Strict)
    latest = Strict(key=SecretStr("secret"), places=(4, 5))
    with new([], persist_to=path, packs=[(pack, Strict(key=SecretStr("secret"), places=(2, 3)))]) as runtime:
        runtime.run_goal("x")
    with loaded(path, packs=[(pack, latest)]) as runtime:
        runtime.run_goal("y")

    replay(path, (pack, latest))


def test_an_installed_pack_need_not_be_given(path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "installed"
    folder.mkdir()
    write_pack(folder, "acme")
    with installed_from(folder):
        from activegraph.packs import load_by_name

        with new([], persist_to=path, packs=[load_by_name("acme")]) as runtime:
            runtime.run_goal("x")
        assert loaded(path, [], replay_strict=True).loaded_packs() == []
    clear_discovery_cache()

    with pytest.raises(IncompatibleRuntimeState, match="was recorded with pack 'acme', which is not here") as missing:
        loaded(path, [], replay_strict=True)
    assert missing.value.context["pack"] == "acme"
