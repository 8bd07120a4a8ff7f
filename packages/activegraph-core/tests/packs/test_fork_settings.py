"""Forks with other settings: checked before a run is created, recorded in the fork, in force from there on."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from activegraph import Event, FrozenClock, Graph, Runtime, list_runs
from activegraph.errors import (
    EventNotFoundError,
    IncompatibleRuntimeState,
    InvalidArgumentType,
    InvalidRuntimeConfiguration,
    PackSettingsMissingError,
    PackVersionConflictError,
)
from activegraph.packs import Pack, behavior
from activegraph.packs.assignments import read_assignments
from activegraph.store import fork_run, sqlite_url
from pydantic import BaseModel, ConfigDict, Field, SecretBytes, SecretStr
from support.installed_packs import installed_from, write_pack
from support.runtimes import RUN, new, types_of


class Limits(BaseModel):
    most: int = Field(default=3, ge=0)


class Guarded(BaseModel):
    most: int = 1
    key: SecretStr | None = None
    below: Guarded | None = None


class Settings(BaseModel):
    threshold: float = Field(default=0.5, le=1)
    limits: Limits | None = Limits()
    modes: dict[str, int] = {}
    nothing: Limits | None = None
    key: SecretStr = SecretStr("")
    other_key: SecretStr | None = None
    guarded: Guarded = Guarded()
    several: list[Guarded] = []
    delay: float = 0.0


@behavior(on=["goal.created"])
def measure(event: Any, graph: Any, ctx: Any) -> None:
    graph.add_object("task", {"threshold": ctx.settings.threshold, "most": ctx.settings.limits.most})


PACK = Pack("storage", "1.0.0", behaviors=[measure], settings_schema=Settings)
OTHER = Pack("audio", "1.0.0", settings_schema=Settings)


def recorded(path: Path) -> str:
    """A run of both packs: `evt_001` sets up, `evt_002` and `evt_003` load, `evt_004` is the goal."""
    graph = Graph(clock=FrozenClock(), run_id=RUN)
    graph.add_object("note", {})
    with new(graph=graph, persist_to=path) as runtime:
        runtime.load_pack(PACK, {"modes": {"a": 1}, "key": "sk-hush"})
        runtime.load_pack(OTHER)
        runtime.run_goal("x")
    return sqlite_url(path)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return recorded(tmp_path / "run.db")


def open_run(url: str, run_id: str = RUN, **options: Any) -> Runtime:
    return Runtime.load(url, run_id, behaviors=[], clock=FrozenClock(), **options)


Fork = Callable[[str, str, Any], str]


def by_url(url: str, at_event: str, pack_settings: Any) -> str:
    return fork_run(url, run_id=RUN, at_event=at_event, pack_settings=pack_settings).new_run_id


def by_runtime(url: str, at_event: str, pack_settings: Any) -> str:
    with open_run(url, packs=[(PACK, {"modes": {"a": 1}, "key": "sk-hush"})]) as parent:
        return parent.fork(at_event, pack_settings=pack_settings).run_id


FORMS = pytest.mark.parametrize("fork", [by_url, by_runtime])


@FORMS
def test_an_override_follows_the_prefix_and_acts_from_there_on(fork: Fork, url: str) -> None:
    run_id = fork(url, "evt_004", {"storage": {"threshold": 0.9, "limits": {"most": 5}}})
    runtime = open_run(url, run_id)

    assert types_of(runtime) == [
        "object.created",
        "pack.loaded",
        "pack.loaded",
        "goal.created",
        "pack.settings_overridden",
    ]
    override = runtime.graph.events[-1]
    assert (override.id, override.actor, override.caused_by) == ("evt_005", "runtime", "evt_004")
    assert override.payload == {
        "pack": "storage",
        "overrides": {"threshold": 0.9, "limits": {"most": 5}},
        "assignments": [],
    }
    runtime.load_pack(PACK, {"key": "sk-hush", "threshold": 0.1, "modes": {"a": 1}})
    runtime.run_until_idle()
    (task,) = runtime.graph.objects("task")
    assert task.data == {"threshold": 0.9, "most": 5}
    assert runtime.graph.events[5].payload["settings"]["threshold"] == 0.9


def test_the_first_event_of_the_fork_that_differs_is_what_the_setting_changed(url: str) -> None:
    parent = open_run(url)
    fork = parent.fork("evt_004", pack_settings={"storage": {"threshold": 0.9}}, packs=[PACK])
    fork.run_until_idle()
    diff = parent.diff(fork)

    assert [
        (each.in_parent["data"]["threshold"], each.in_fork["data"]["threshold"]) for each in diff.divergent_objects
    ] == [  # type: ignore[index]
        (0.5, 0.9)
    ]
    assert [event.id for event in diff.shared_events][-1] == "evt_004"


def test_the_parent_is_not_changed(url: str, tmp_path: Path) -> None:
    before = open_run(url).graph.events[:]

    by_runtime(url, "evt_003", {"storage": {"threshold": 0.9}})

    assert open_run(url).graph.events[:] == before


def test_one_event_for_each_pack_in_the_order_of_first_mention(url: str) -> None:
    texts = ["storage.limits.most=4", "audio.threshold=0.1", "storage.threshold=0.2", "storage.modes.a=2"]

    made = fork_run(url, run_id=RUN, at_event="evt_003", pack_settings=read_assignments(texts))

    assert made.settings_override_events == ("evt_004", "evt_005")
    runtime = open_run(url, made.new_run_id)
    first, second = runtime.graph.events[-2:]
    assert first.payload == {
        "pack": "storage",
        "overrides": {"limits": {"most": 4}, "threshold": 0.2, "modes": {"a": 2}},
        "assignments": [texts[0], texts[2], texts[3]],
    }
    assert (second.payload["pack"], second.payload["assignments"]) == ("audio", [texts[1]])
    assert first.caused_by == second.caused_by == "evt_003"


def test_a_fork_of_such_a_fork_inherits_its_overrides_and_may_add_more(url: str) -> None:
    first = by_url(url, "evt_003", {"storage": {"threshold": 0.9, "limits": {"most": 4}}})
    second = fork_run(url, run_id=first, at_event="evt_004", pack_settings={"storage": {"threshold": 0.8}}).new_run_id

    runtime = open_run(url, second)
    runtime.load_pack(PACK, {"key": "sk-hush", "modes": {}})
    settings = runtime._engine.packs.settings("storage")

    assert (settings.threshold, settings.limits.most, settings.modes) == (0.8, 4, {})
    assert types_of(runtime)[3:] == ["pack.settings_overridden", "pack.settings_overridden", "pack.loaded"]


def test_only_what_no_override_asks_for_is_warned_of(url: str, caplog: pytest.LogCaptureFixture) -> None:
    run_id = by_url(url, "evt_004", {"storage": {"limits": {"most": 9}}})

    with caplog.at_level(logging.WARNING, "activegraph.packs"):
        open_run(url, run_id).load_pack(PACK, {"key": "k", "modes": {"a": 1}})
    assert caplog.records == []
    with caplog.at_level(logging.WARNING, "activegraph.packs"):
        open_run(url, run_id).load_pack(PACK, {"key": "k", "threshold": 0.1, "modes": {"a": 1}})
    assert [line.getMessage().rpartition(": ")[2] for line in caplog.records] == ["settings (threshold)"]


def test_a_finished_fork_is_loaded_again_without_a_new_event(url: str) -> None:
    run_id = by_url(url, "evt_004", {"storage": {"threshold": 0.9}})
    with open_run(url, run_id, packs=[(PACK, {"key": "k"})]) as runtime:
        runtime.run_until_idle()
        head = len(runtime.graph.events)

    again = open_run(url, run_id, packs=[(PACK, {"key": "k"})])
    again.run_until_idle()

    assert len(again.graph.events) == head


def test_a_setting_may_be_turned_off_and_on_again(url: str) -> None:
    off = by_url(url, "evt_003", {"storage": {"limits": None}})
    on = fork_run(url, run_id=off, at_event="evt_004", pack_settings={"storage": {"limits": {"most": 1}}}).new_run_id

    for run_id, limits in ((off, None), (on, Limits(most=1))):
        runtime = open_run(url, run_id, packs=[(PACK, {"key": "k"})])
        assert runtime._engine.packs.settings("storage").limits == limits


REFUSED: dict[str, tuple[str, Any, str]] = {
    "a pack that was not loaded": ("evt_004", {"video": {"threshold": 1}}, "pack 'video' was not loaded at or before"),
    "a pack that was loaded later": ("evt_001", {"storage": {"threshold": 1}}, "'storage' was not loaded at or before"),
    "an unknown setting": ("evt_004", {"storage": {"treshold": 1}}, "'treshold'; did you mean 'threshold'?"),
    "an unknown nested setting": (
        "evt_004",
        {"storage": {"limits": {"moost": 1}}},
        "'limits.moost'; did you mean 'limits.most'?",
    ),
    "a path into a number": ("evt_004", {"storage": {"threshold": {"of": 1}}}, "threshold"),
    "a secret": ("evt_004", {"storage": {"key": "sk-new"}}, "'key' of pack 'storage' is a secret"),
    "a path into a number that is nothing": ("evt_004", {"storage": {"delay": {"of": 1}}}, "delay"),
    "no settings of a pack": ("evt_004", {"storage": {}}, "must be a dict of settings"),
    "settings that are no dict": ("evt_004", {"storage": 3}, "must be a dict of settings"),
    "a list": ("evt_004", ["storage.threshold=1"], "must be a dict of dicts"),
    "a key that is no text": ("evt_004", {"storage": {3: 1}}, "no text"),
    "a value that no log carries": ("evt_004", {"storage": {"threshold": object()}}, "cannot be recorded"),
    "one good and one bad": ("evt_004", {"storage": {"threshold": 1}, "audio": {"x": 1}}, "'audio' has no setting 'x'"),
}


@FORMS
@pytest.mark.parametrize(("at_event", "pack_settings", "says"), REFUSED.values(), ids=REFUSED)
def test_what_does_not_fit_is_refused_before_a_run_is_created(
    fork: Fork, at_event: str, pack_settings: Any, says: str, url: str, tmp_path: Path
) -> None:
    content = (tmp_path / "run.db").read_bytes()

    with pytest.raises(InvalidRuntimeConfiguration) as refusal:
        fork(url, at_event, pack_settings)

    assert says in refusal.value.summary
    assert "\n" not in refusal.value.summary
    assert (tmp_path / "run.db").read_bytes() == content
    assert len(list_runs(url)) == 1


@FORMS
def test_an_unknown_event_is_refused_as_one(fork: Fork, url: str) -> None:
    with pytest.raises(EventNotFoundError):
        fork(url, "evt_999", {"storage": {"threshold": 0.9}})
    assert len(list_runs(url)) == 1


def test_values_are_checked_by_the_schema_of_the_attached_pack(url: str) -> None:
    parent = open_run(url, packs=[(PACK, {"key": "k", "modes": {"a": 1}})])

    for settings, says in (
        ({"threshold": 2}, "threshold: Input should be less than or equal to 1"),
        ({"limits": {"most": -1}}, "limits.most: Input should be greater than or equal to 0"),
        ({"modes": {"new": "x"}}, "modes.new: Input should be a valid integer"),
    ):
        with pytest.raises(InvalidRuntimeConfiguration, match="would not fit Settings") as refusal:
            parent.fork("evt_004", pack_settings={"storage": settings})
        assert says in refusal.value.summary
    assert len(list_runs(url)) == 1
    assert parent.fork("evt_004", pack_settings={"storage": {"modes": {"new": 7}, "nothing": {"most": 1}}}).run_id


SECRETS: dict[str, Any] = {
    "other_key": "sk-new",
    "guarded": {"key": "sk-new"},
    "guarded.below": {"below": {"key": "sk-new"}},
    "several": [{"key": "sk-new"}],
}


@pytest.mark.parametrize("where", SECRETS)
@pytest.mark.parametrize("schema", [Settings, "another field that its mask does not fit"])
def test_what_would_be_a_secret_is_refused_though_the_log_has_none_there_yet(
    where: str, schema: Any, tmp_path: Path
) -> None:
    class Picky(Settings):
        key: SecretStr = Field(SecretStr(""), min_length=20)

    pack = Pack("storage", "1", settings_schema=Settings if schema is Settings else Picky)
    parent = new(persist_to=tmp_path / "run.db", packs=[(pack, {"key": "sk-of-twenty-letters"})])
    parent.run_goal("x")
    name = where.partition(".")[0]

    with pytest.raises(InvalidRuntimeConfiguration, match="is a secret"):
        parent.fork("evt_002", pack_settings={"storage": {name: SECRETS[where]}})

    assert len(list_runs(sqlite_url(tmp_path / "run.db"))) == 1
    assert parent.fork("evt_002", pack_settings={"storage": {"guarded": {"most": 2}}}).run_id


def test_an_override_reaches_a_strict_schema_whose_settings_are_given(tmp_path: Path) -> None:
    class Strict(BaseModel):
        model_config = ConfigDict(strict=True)
        places: tuple[int, ...] = (1,)
        key: SecretBytes = SecretBytes(b"")
        folder: Path = Path("/")

    pack = Pack("storage", "1", settings_schema=Strict)
    with new(persist_to=tmp_path / "run.db", packs=[pack]) as parent:
        parent.run_goal("x")
        fork = parent.fork("evt_002", pack_settings={"storage": {"places": [4, 5]}})
    fork.load_pack(pack, Strict(key=SecretBytes(b"hush"), folder=Path("/data")))

    assert fork._engine.packs.settings("storage") == Strict(
        places=(4, 5), key=SecretBytes(b"hush"), folder=Path("/data")
    )
    fork.close()


def test_an_override_that_somebody_wrote_by_hand_and_that_is_none_is_let_be(url: str) -> None:
    with open_run(url) as runtime:
        for number, overrides in enumerate(("none", [1], None)):
            payload = {"pack": "storage", "overrides": overrides}
            runtime.graph.emit(Event(f"evt_90{number}", "pack.settings_overridden", payload, "runtime"))
        runtime.load_pack(PACK, {"modes": {"a": 1}, "key": "k"})

    assert by_url(url, "evt_902", {"storage": {"threshold": 0.7}})


def test_values_are_checked_by_an_installed_pack_of_the_recorded_version_and_by_no_other(
    url: str, tmp_path: Path
) -> None:
    with installed_from(tmp_path):
        write_pack(tmp_path, "storage", version="1.0.0")
        write_pack(tmp_path, "audio", version="2.0.0")
        with pytest.raises(InvalidRuntimeConfiguration, match="threshold: Input should be a valid number"):
            by_url(url, "evt_004", {"storage": {"threshold": "high"}})
        assert len(list_runs(url)) == 1

        unchecked = by_url(url, "evt_004", {"audio": {"threshold": "high"}})

    with pytest.raises(PackSettingsMissingError, match="audio"):
        open_run(url, unchecked).load_pack(OTHER)


def test_a_setting_that_the_loaded_version_does_not_have_is_named_with_its_event(url: str) -> None:
    class Smaller(BaseModel):
        threshold: float = 0.5

    run_id = by_url(url, "evt_004", {"storage": {"threshold": 1, "limits": {"most": 2}}})
    runtime = open_run(url, run_id)

    with pytest.raises(PackSettingsMissingError, match=r"'limits'.*'evt_005'"):
        runtime.load_pack(Pack("storage", "2.0.0", settings_schema=Smaller))

    class OtherLimits(BaseModel):
        least: int = 0

    class Nested(Smaller):
        limits: OtherLimits = OtherLimits()

    with pytest.raises(PackSettingsMissingError, match=r"'limits\.most'.*'evt_005'"):
        runtime.load_pack(Pack("storage", "2.0.0", settings_schema=Nested))


@pytest.mark.parametrize(
    ("packs", "pack_settings", "error"),
    [
        ([(PACK, {"threshold": "high"})], None, PackSettingsMissingError),
        ([PACK, Pack("storage", "2.0.0")], None, PackVersionConflictError),
        (["storage"], None, InvalidArgumentType),
        ([Pack("storage", "2.0.0", settings_schema=Limits)], {"storage": {"threshold": 0.9}}, PackSettingsMissingError),
    ],
)
def test_packs_that_a_fork_could_not_have_are_refused_before_it_is_created(
    packs: Any, pack_settings: Any, error: type[Exception], url: str
) -> None:
    parent = open_run(url)

    with pytest.raises(error):
        parent.fork("evt_004", packs=packs, pack_settings=pack_settings)

    assert len(list_runs(url)) == 1


def test_a_fork_without_a_store_is_refused_as_one_whatever_its_settings_are() -> None:
    with pytest.raises(IncompatibleRuntimeState, match="no store"):
        new(packs=[PACK]).fork("evt_001", pack_settings={"storage": {"x": 1}})


def test_without_settings_a_fork_is_as_any_other(url: str) -> None:
    assert fork_run(url, run_id=RUN, at_event="evt_004", pack_settings={}).settings_override_events == ()
    assert by_runtime(url, "evt_004", None)


def test_a_fork_into_another_store_carries_its_overrides(url: str, tmp_path: Path) -> None:
    target = sqlite_url(tmp_path / "other.db")

    made = fork_run(url, run_id=RUN, at_event="evt_004", to_url=target, pack_settings={"storage": {"threshold": 0.9}})

    assert made.events_copied == 4
    assert types_of(open_run(target, made.new_run_id))[-1] == "pack.settings_overridden"
    with pytest.raises(InvalidRuntimeConfiguration):
        fork_run(
            url, run_id=RUN, at_event="evt_004", to_url=sqlite_url(tmp_path / "third.db"), pack_settings={"x": {"a": 1}}
        )
    assert not (tmp_path / "third.db").exists()
