"""Settings: where they come from, how behaviors get at them, and what stands in the log."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import activegraph
import pytest
from activegraph.errors import PackError, PackSettingsMissingError, RegistrationError
from activegraph.packs import EmptySettings, Pack, behavior, llm_behavior, relation_behavior
from activegraph.runtime.runtime import Runtime
from pydantic import BaseModel, ConfigDict, Field, SecretBytes, SecretStr, computed_field
from support.runtimes import loaded, new


class Limits(BaseModel):
    most: int = 3


class StorageSettings(BaseModel):
    threshold: float = Field(default=0.5, ge=0, le=1)
    limits: Limits = Limits()
    modes: dict[str, int] = {}


class Required(BaseModel):
    limit_gb: int


class Anything(BaseModel):
    value: Any = None


CYCLIC: list[Any] = []
CYCLIC.append(CYCLIC)


class Guarded(BaseModel):
    key: SecretStr
    more: dict[str, SecretBytes] = {}
    level: int = 1


def settings_of(runtime: Runtime, name: str = "storage") -> Any:
    attachment = runtime._engine.packs.find(name)
    return None if attachment is None else attachment.settings


def recorded_of(runtime: Runtime) -> dict[str, Any]:
    found = [event for event in runtime.graph.events if event.type == "pack.loaded"]
    return dict(found[-1].payload["settings"])


def storage(*behaviors: Any, schema: Any = StorageSettings) -> Pack:
    return Pack("storage", "1.0.0", behaviors=behaviors, settings_schema=schema)


@pytest.mark.parametrize(
    ("given", "threshold"),
    [(None, 0.5), ({}, 0.5), ({"threshold": "0.7"}, 0.7), (StorageSettings(threshold=0.9), 0.9)],
)
def test_settings_are_the_defaults_a_dict_or_an_instance(given: Any, threshold: float) -> None:
    runtime = new()
    runtime.load_pack(storage(), settings=given)

    assert settings_of(runtime) == StorageSettings(threshold=threshold)
    assert recorded_of(runtime) == {"limits": {"most": 3}, "modes": {}, "threshold": threshold}


@pytest.mark.parametrize(
    ("schema", "given", "says"),
    [
        (Required, None, "limit_gb: Field required"),
        (Required, {}, "limit_gb: Field required"),
        (StorageSettings, {"threshold": 2}, "threshold: Input should be less than or equal to 1"),
        (StorageSettings, {"limits": {"most": "many"}}, "limits.most: Input should be a valid integer"),
        (StorageSettings, Limits(), "`settings` must be a dict or a StorageSettings, not Limits"),
        (StorageSettings, "key=sk-1", "`settings` must be a dict or a StorageSettings, not str"),
        (StorageSettings, [("key", "sk-1")], "`settings` must be a dict or a StorageSettings, not list"),
        (Anything, {"value": print}, "Unable to serialize unknown type"),
        (Anything, {"value": b"\xff"}, "invalid utf-8"),
        (Anything, {"value": CYCLIC}, "Circular reference"),
    ],
)
def test_settings_that_do_not_fit_are_refused_with_what_the_schema_says(schema: Any, given: Any, says: str) -> None:
    runtime = new()

    with pytest.raises(PackSettingsMissingError, match="storage") as refusal:
        runtime.load_pack(storage(schema=schema), settings=given)

    assert says in str(refusal.value)
    assert "sk-" not in str(refusal.value)
    assert isinstance(refusal.value, RegistrationError)
    assert isinstance(refusal.value, PackError)
    assert (len(runtime.graph.events), runtime.loaded_packs()) == (0, [])


def test_the_environment_is_never_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("THRESHOLD", "STORAGE_THRESHOLD", "ACTIVEGRAPH_STORAGE_THRESHOLD"):
        monkeypatch.setitem(os.environ, name, "0.1")
    runtime = new()
    runtime.load_pack(storage())

    assert settings_of(runtime).threshold == 0.5


def test_a_behavior_gets_at_its_settings_in_three_ways() -> None:
    seen: list[Any] = []

    @behavior(on=["goal.created"])
    def by_annotation(event: Any, graph: Any, ctx: Any, *, chosen: StorageSettings) -> None:
        seen.append(("annotation", chosen.threshold))

    @behavior(on=["goal.created"])
    def by_context(event: Any, graph: Any, ctx: Any) -> None:
        seen.append(("context", ctx.settings.threshold))

    @behavior(on=["goal.created"])
    def by_name(event: Any, graph: Any, ctx: Any) -> None:
        seen.append(("name", ctx.pack_settings("storage").threshold, ctx.pack_settings("audio")))

    @activegraph.behavior(on=["goal.created"])
    def outside(event: Any, graph: Any, ctx: Any) -> None:
        seen.append(("outside", ctx.settings, ctx.pack_settings("storage").threshold))

    runtime = new([outside])
    runtime.load_pack(storage(by_annotation, by_context, by_name), {"threshold": 0.7})
    runtime.run_goal("x")

    assert runtime.errors == []
    assert seen == [("outside", None, 0.7), ("annotation", 0.7), ("context", 0.7), ("name", 0.7, None)]


def test_a_parameter_by_place_and_one_of_a_relation_behavior_get_the_settings_too() -> None:
    seen: list[float] = []

    @behavior(on=["goal.created"])
    def maker(event: Any, graph: Any, ctx: Any, settings: "StorageSettings") -> None:  # noqa: UP037 - text on purpose
        seen.append(settings.threshold)
        one = graph.add_object("task", {})
        graph.add_relation(one.id, one.id, "after")
        graph.emit("ping", {"id": one.id})

    @relation_behavior("after", on=["ping"])
    def follow(relation: Any, event: Any, graph: Any, ctx: Any, *, settings: StorageSettings) -> None:
        seen.append(settings.threshold)

    runtime = new()
    runtime.load_pack(storage(maker, follow))
    runtime.run_goal("x")

    assert (runtime.errors, seen) == ([], [0.5, 0.5])


def test_a_name_that_only_type_checkers_see_is_known_by_its_last_part() -> None:
    def typed(event: Any, graph: Any, ctx: Any, *, settings: Any) -> None:
        graph.emit("seen", {"threshold": settings.threshold})

    typed.__annotations__["settings"] = "elsewhere.StorageSettings"
    runtime = new()
    runtime.load_pack(storage(behavior(on=["goal.created"])(typed)))
    runtime.run_goal("x")

    assert runtime.errors == []


def test_a_parameter_of_another_class_is_not_filled() -> None:
    @behavior(on=["goal.created"])
    def wants_other(event: Any, graph: Any, ctx: Any, *, limits: Limits) -> None: ...

    @behavior(on=["goal.created"])
    def has_default(event: Any, graph: Any, ctx: Any, *, limits: Limits | None = None) -> None:
        graph.emit("seen", {"limits": limits})

    runtime = new()
    runtime.load_pack(storage(wants_other, has_default))
    runtime.run_goal("x")

    assert [(failure.behavior, failure.exception_type) for failure in runtime.errors] == [
        ("storage.wants_other", "TypeError")
    ]
    assert runtime.graph.events[-3].payload == {"limits": None}


def test_a_pack_without_settings_gives_its_behaviors_the_empty_ones() -> None:
    @behavior(on=["goal.created"])
    def plain(event: Any, graph: Any, ctx: Any, *, settings: EmptySettings) -> None:
        graph.emit("seen", {"same": settings is ctx.settings, "kind": type(settings).__name__})

    runtime = new()
    runtime.load_pack(Pack("storage", "1", behaviors=[plain]))
    runtime.run_goal("x")

    assert next(e.payload for e in runtime.graph.events if e.type == "seen") == {"same": True, "kind": "EmptySettings"}


def test_when_decides_by_the_settings_which_behaviors_take_part() -> None:
    def of_mode(threshold: float) -> Any:
        @behavior(name="strict", on=["goal.created"], when=lambda settings: settings.threshold > 0.6)
        def strict(event: Any, graph: Any, ctx: Any) -> None:
            graph.emit("strict.ran", {})

        @llm_behavior(name="ask", on=["goal.created"], tools=["nowhere"], when=lambda settings: False)
        def ask(event: Any, graph: Any, ctx: Any, out: Any) -> None: ...

        runtime = new()
        runtime.load_pack(storage(strict, ask), {"threshold": threshold})
        runtime.run_goal("x")
        payload = next(e.payload for e in runtime.graph.events if e.type == "pack.loaded")
        ran = any(event.type == "strict.ran" for event in runtime.graph.events)
        return payload["behaviors"], payload.get("inactive_behaviors"), ran

    assert of_mode(0.7) == (["storage.strict"], ["storage.ask"], True)
    assert of_mode(0.5) == ([], ["storage.strict", "storage.ask"], False)


def test_a_run_goes_on_with_the_settings_that_it_recorded(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    runtime = new(persist_to=path)
    runtime.load_pack(storage(), {"threshold": 0.9, "modes": {"a": 1}})
    runtime.close()

    again = loaded(path)
    again.load_pack(storage())

    assert settings_of(again) == StorageSettings(threshold=0.9, modes={"a": 1})
    assert len(again.graph.events) == 1


def test_settings_of_a_strict_schema_come_back_from_the_log(tmp_path: Path) -> None:
    class Strict(BaseModel):
        model_config = ConfigDict(strict=True, extra="forbid")
        places: tuple[int, ...] = (1, 2)
        folder: Path = Path("/tmp")
        name: str = Field(default="x", alias="theName")

        @computed_field  # type: ignore[prop-decorator]
        @property
        def count(self) -> int:
            return len(self.places)

    path = tmp_path / "run.db"
    runtime = new(persist_to=path)
    runtime.load_pack(storage(schema=Strict), {"places": (4, 5, 6), "theName": "y"})
    runtime.close()
    assert recorded_of(runtime) == {"folder": "/tmp", "name": "y", "places": [4, 5, 6]}

    again = loaded(path)
    again.load_pack(storage(schema=Strict))

    assert settings_of(again) == Strict(places=(4, 5, 6), theName="y")
    assert len(again.graph.events) == 1


def test_no_secret_reaches_the_log_or_a_message_and_a_resumed_run_is_given_it_again(tmp_path: Path) -> None:
    path = tmp_path / "run.db"
    secrets = {"key": "sk-very-secret", "more": {"b": b"hush-hush", "a": b""}}
    runtime = new(persist_to=path)
    runtime.load_pack(storage(schema=Guarded), secrets)
    runtime.close()

    assert recorded_of(runtime) == {"key": "**********", "level": 1, "more": {"a": "**********", "b": "**********"}}
    assert b"very-secret" not in path.read_bytes()
    assert b"hush" not in path.read_bytes()

    again = loaded(path)
    with pytest.raises(PackSettingsMissingError, match="storage") as missing:
        again.load_pack(storage(schema=Guarded))
    assert "key: Field required" in str(missing.value)
    with pytest.raises(PackSettingsMissingError) as refusal:
        again.load_pack(storage(schema=Guarded), {**secrets, "level": "high"})
    assert "secret" not in str(refusal.value).replace("Secrets are not", "")
    assert "hush" not in repr(refusal.value.context)

    assert again.load_pack(storage(schema=Guarded), secrets) is True
    assert settings_of(again).key.get_secret_value() == "sk-very-secret"
    assert len(again.graph.events) == 1


def test_what_a_validator_keeps_out_of_sight_is_not_shown_when_another_field_is_missing() -> None:
    class Two(BaseModel):
        key: SecretStr
        needed: int

    with pytest.raises(PackSettingsMissingError) as refusal:
        new().load_pack(storage(schema=Two), {"key": "sk-very-secret"})

    assert "needed" in str(refusal.value)
    assert "very-secret" not in str(refusal.value)
    assert refusal.value.__cause__ is None
