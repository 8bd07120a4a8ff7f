"""`load_pack`: what a runtime has then, what it says in the log, and how its parts are found."""

from __future__ import annotations

import logging
from typing import Any

import activegraph
import pytest
from activegraph import Event, Graph, Runtime, TickingClock
from activegraph.core.event import canonical_payload
from activegraph.errors import (
    AmbiguousBehaviorError,
    AmbiguousToolError,
    BehaviorNotFoundError,
    IncompatibleRuntimeState,
    InvalidArgumentType,
    MissingToolError,
    PackConflictError,
    PackValidationError,
    PackVersionConflictError,
    ToolNotFoundError,
)
from activegraph.packs import (
    ObjectType,
    Pack,
    PackPolicy,
    PackPrompt,
    RelationType,
    behavior,
    llm_behavior,
    relation_behavior,
    tool,
)
from pydantic import BaseModel
from support.runtimes import RUN, emit, new, types_of
from support.scripted import ScriptedProvider


class Volume(BaseModel):
    size_gb: int = 1


class StorageSettings(BaseModel):
    threshold: float = 0.5
    llm_model: str = "acme-large"


@behavior(on=["goal.created"])
def watch(event: Any, graph: Any, ctx: Any) -> None:
    graph.add_object("volume", {})


@relation_behavior("mounted_on", on=["ping"])
def follow(relation: Any, event: Any, graph: Any, ctx: Any) -> None: ...


@tool(description="Looks.")
def look(args: Any, ctx: Any) -> int:
    return 1


@tool(export_globally=True)
def fetch_page(args: Any, ctx: Any) -> int:
    return 2


@llm_behavior(on=["ask"], description=" Ranks. ", tools=[look, "look", "storage.look"])
def rank(event: Any, graph: Any, ctx: Any, out: Any) -> None: ...


PACK = Pack(
    name="storage",
    version="1.2.0",
    description="Looks after volumes.",
    object_types=[ObjectType("volume", Volume)],
    relation_types=[RelationType("mounted_on", ("volume",))],
    behaviors=[watch, follow, rank],
    tools=[look, fetch_page],
    policies=[PackPolicy("careful", ["memo"])],
    prompts=[PackPrompt.from_body("rank", "2", "Rank {all} causes.\n")],
    settings_schema=StorageSettings,
)


def named(name: str, *parts: Any, **fields: Any) -> Pack:
    return Pack(name, "1.0.0", behaviors=parts, **fields)


def made(name: str, on: str = "goal.created", **options: Any) -> Any:
    return behavior(name=name, on=[on], **options)(lambda event, graph, ctx: None)


def test_a_load_emits_one_event_that_says_all_that_came() -> None:
    runtime = new()

    assert runtime.load_pack(PACK) is True

    (event,) = runtime.graph.events
    assert (event.type, event.actor, event.caused_by) == ("pack.loaded", "runtime", None)
    assert canonical_payload(event).decode() == (
        '{"name":"storage","version":"1.2.0","description":"Looks after volumes.","object_types":["volume"],'
        '"relation_types":["mounted_on"],"behaviors":["storage.watch","storage.follow","storage.rank"],'
        '"tools":["storage.look","storage.fetch_page"],"policies":["storage.careful"],'
        '"prompts":{"rank":{"version":"2","hash":"sha256:6de5741d7c5d5ae8"}},'
        '"settings":{"llm_model":"acme-large","threshold":0.5}}'
    )
    assert runtime.trace.lines()[-1].split("  ", 1)[1].strip().startswith("storage v1.2.0 (1 object_type, 1 rel")
    assert runtime.loaded_packs() == [PACK]
    assert runtime.loaded_packs()[0] is PACK


def test_a_second_load_of_the_same_does_nothing() -> None:
    runtime = new()
    runtime.load_pack(PACK)

    assert runtime.load_pack(PACK) is False
    assert runtime.load_pack(PACK, {"threshold": 0.5}) is False
    assert runtime.load_pack(PACK, StorageSettings()) is False
    assert runtime.load_pack(Pack("storage", "1.2.0")) is False
    assert len(runtime.graph.events) == 1


def test_behaviors_run_under_their_canonical_names() -> None:
    runtime = new(llm_provider=ScriptedProvider())
    runtime.load_pack(PACK)
    runtime.run_goal("x")

    started = next(event for event in runtime.graph.events if event.type == "behavior.started")
    created = next(event for event in runtime.graph.events if event.type == "object.created")
    assert started.payload["behavior"] == "storage.watch"
    assert created.actor == "storage.watch"
    assert "storage.watch" in [info.name for info in runtime.status().registered_behaviors]


def test_behaviors_take_part_in_events_that_wait_already() -> None:
    runtime = new()
    emit(runtime, "waits")
    seen: list[str] = []
    late = behavior(name="late", on=["waits", "pack.loaded"])(lambda event, graph, ctx: seen.append(event.type))

    runtime.load_pack(named("later", late))
    assert seen == []
    runtime.run_until_idle()

    assert seen == ["waits", "pack.loaded"]


def test_behaviors_of_no_pack_come_first_then_packs_in_load_order() -> None:
    order: list[str] = []

    def note(name: str) -> Any:
        return lambda event, graph, ctx: order.append(name)

    first, second = (
        named(pack, *(behavior(name=f"b{n}", on=["go"])(note(f"{pack}.b{n}")) for n in range(2))) for pack in ("z", "a")
    )
    runtime = Runtime(Graph(run_id=RUN))
    runtime.load_pack(first)
    runtime.load_pack(second)
    activegraph.behavior(name="own", on=["go"])(note("own"))
    emit(runtime, "go")
    runtime.run_until_idle()

    assert order == ["own", "z.b0", "z.b1", "a.b0", "a.b1"]


def test_a_pack_is_never_changed_and_serves_two_runtimes_with_two_settings() -> None:
    before = [dict(vars(part)) for part in (*PACK.behaviors, *PACK.tools)]
    one, other = new(llm_provider=ScriptedProvider()), new(llm_provider=ScriptedProvider())
    one.load_pack(PACK, {"threshold": 0.1, "llm_model": "m1"})
    other.load_pack(PACK, {"threshold": 0.9, "llm_model": "m2"})
    one.run_goal("x")

    assert [dict(vars(part)) for part in (*PACK.behaviors, *PACK.tools)] == before
    assert one.get_behavior("rank").model == "m1"  # type: ignore[union-attr]
    assert other.get_behavior("rank").model == "m2"  # type: ignore[union-attr]
    assert rank.model is None


def test_an_llm_behavior_is_told_its_prompt_below_its_description() -> None:
    runtime = new()
    runtime.load_pack(PACK)
    ours: Any = runtime.get_behavior("storage.rank")

    assert ours.description == "Ranks.\n\nRank {all} causes."
    assert ours.prompt_template is None
    assert [each.name for each in ours.tools] == ["storage.look"] * 3
    assert rank.description == " Ranks. "


def test_a_prompt_alone_is_a_description_and_a_description_alone_stays_as_it_is() -> None:
    alone = llm_behavior(name="alone", on=["x"])(lambda e, g, c, o: None)
    other = llm_behavior(name="other", on=["x"], description=" kept ", model="m")(lambda e, g, c, o: None)
    runtime = new()
    runtime.load_pack(named("p", alone, other, prompts=[PackPrompt.from_body("alone", "1", "\nThink.\n")]))

    assert runtime.get_behavior("alone").description == "Think."  # type: ignore[union-attr]
    assert runtime.get_behavior("other").description == " kept "  # type: ignore[union-attr]
    assert runtime.get_behavior("other").model == "m"  # type: ignore[union-attr]
    assert runtime.get_behavior("alone").model is None  # type: ignore[union-attr]


def test_a_model_that_is_pinned_at_the_decorator_stays() -> None:
    pinned = llm_behavior(name="pinned", on=["x"], model="m0")(lambda e, g, c, o: None)
    runtime = new()
    runtime.load_pack(named("p", pinned, settings_schema=StorageSettings))

    assert runtime.get_behavior("pinned").model == "m0"  # type: ignore[union-attr]


def test_a_behavior_is_found_by_its_canonical_or_its_short_name() -> None:
    own = activegraph.Behavior("watch", lambda event, graph, ctx: None)
    runtime = new()
    runtime.load_pack(PACK)
    assert runtime.get_behavior("storage.watch") is runtime.get_behavior("watch")
    assert runtime.get_behavior("watch").name == "storage.watch"

    with_own = new([own])
    with_own.load_pack(PACK)
    assert with_own.get_behavior("watch") is own


def test_a_short_name_of_two_packs_is_no_conflict_until_somebody_asks_for_it() -> None:
    runtime = new()
    for pack in ("one", "two"):
        runtime.load_pack(named(pack, made("same"), tools=[tool(name="same")(lambda args, ctx: None)]))

    assert runtime.get_behavior("two.same").name == "two.same"
    with pytest.raises(AmbiguousBehaviorError, match="ambiguous") as clash:
        runtime.get_behavior("same")
    assert clash.value.packs == ("one", "two")
    assert "one.same" in str(clash.value)
    with pytest.raises(AmbiguousToolError):
        runtime.get_tool("same")


def test_what_nobody_brings_is_not_found() -> None:
    runtime = new([activegraph.Behavior("own", print)])
    runtime.load_pack(PACK)

    with pytest.raises(BehaviorNotFoundError, match="'nothing'") as refusal:
        runtime.get_behavior("nothing")
    assert refusal.value.registered == ("own", "storage.watch", "storage.follow", "storage.rank")
    assert refusal.value.context["pack_state"] is True
    with pytest.raises(ToolNotFoundError) as missing:
        runtime.get_tool("nothing")
    assert "storage.look" in missing.value.registered


def test_tools_are_found_before_the_first_run() -> None:
    runtime = new()
    runtime.load_pack(PACK)

    assert runtime.get_tool("look") is runtime.get_tool("storage.look")
    assert runtime.get_tool("fetch_page").name == "storage.fetch_page"
    assert look.name == "look"


def test_a_tool_is_named_exactly_or_within_its_pack_or_by_a_short_name_of_one_pack() -> None:
    other = named("net", tools=[tool(name=name)(lambda args, ctx: None) for name in ("probe", "look")])

    def asks(*tools: str) -> list[str]:
        runtime = new()
        runtime.load_pack(other)
        asking = llm_behavior(name="ask", on=["x"], tools=list(tools))(lambda e, g, c, o: None)
        runtime.load_pack(Pack("storage", "1", behaviors=[asking], tools=[look]))
        return [each.name for each in runtime.get_behavior("ask").tools]  # type: ignore[union-attr]

    assert asks("look", "net.look", "probe", "web_fetch") == ["storage.look", "net.look", "net.probe", "web_fetch"]


def test_a_tool_name_that_nothing_has_is_refused_before_anything_changes() -> None:
    lost = llm_behavior(name="ask", on=["x"], tools=["nowhere"])(lambda e, g, c, o: None)
    runtime = new()

    with pytest.raises(MissingToolError) as refusal:
        runtime.load_pack(named("storage", lost))

    assert (refusal.value.tool_name, refusal.value.behavior_name) == ("nowhere", "storage.ask")
    assert (runtime.loaded_packs(), len(runtime.graph.events)) == ([], 0)


def test_a_tool_name_that_two_other_packs_have_is_refused() -> None:
    runtime = new()
    for pack in ("one", "two"):
        runtime.load_pack(named(pack, tools=[tool(name="probe")(lambda args, ctx: None)]))

    with pytest.raises(AmbiguousToolError):
        runtime.load_pack(named("three", llm_behavior(name="ask", tools=["probe"])(lambda e, g, c, o: None)))


def test_another_version_is_refused() -> None:
    runtime = new()
    runtime.load_pack(PACK)

    with pytest.raises(PackVersionConflictError, match="storage") as refusal:
        runtime.load_pack(Pack("storage", "2.0.0"))
    assert refusal.value.context == {"pack": "storage", "loaded_version": "1.2.0", "attempted_version": "2.0.0"}


def test_other_settings_are_refused_and_not_ignored() -> None:
    runtime = new()
    runtime.load_pack(PACK)

    with pytest.raises(PackConflictError, match="other settings"):
        runtime.load_pack(PACK, {"threshold": 0.9})
    assert runtime.load_pack(PACK, {"threshold": 0.5}) is False


@pytest.mark.parametrize(
    ("first", "second", "kind", "name"),
    [
        (
            Pack("one", "1", object_types=[ObjectType("volume", Volume)]),
            Pack("two", "1", object_types=[ObjectType("volume", Volume)]),
            "object_type",
            "volume",
        ),
        (
            Pack("one", "1", relation_types=[RelationType("near")]),
            Pack("two", "1", relation_types=[RelationType("near")]),
            "relation_type",
            "near",
        ),
        (
            Pack("one", "1", tools=[fetch_page]),
            Pack("two", "1", tools=[fetch_page]),
            "exported_tool",
            "fetch_page",
        ),
    ],
)
def test_what_another_pack_owns_is_refused(first: Pack, second: Pack, kind: str, name: str) -> None:
    runtime = new()
    runtime.load_pack(first)

    with pytest.raises(PackConflictError, match=name) as refusal:
        runtime.load_pack(second)
    assert refusal.value.context == {"kind": kind, "name": name, "owner_pack": "one", "conflicting_pack": "two"}
    assert name in str(refusal.value).splitlines()[0]


def test_what_is_declared_outside_of_packs_is_refused_too() -> None:
    activegraph.tool(name="fetch_page")(lambda args, ctx: None)
    activegraph.tool(name="storage.look")(lambda args, ctx: None)
    runtime = new([activegraph.Behavior("storage.watch", print)])

    for pack, kind, name in (
        (named("storage", watch), "behavior", "storage.watch"),
        (named("storage", tools=[look]), "tool", "storage.look"),
        (named("storage", tools=[fetch_page]), "exported_tool", "fetch_page"),
    ):
        with pytest.raises(PackConflictError) as refusal:
            runtime.load_pack(pack)
        assert refusal.value.context == {"kind": kind, "name": name, "owner_pack": None, "conflicting_pack": "storage"}
    assert runtime.loaded_packs() == []


@pytest.mark.parametrize("value", ["storage", None, {"name": "storage"}, named])
def test_what_is_no_pack_is_refused(value: Any) -> None:
    with pytest.raises(InvalidArgumentType, match="pack"):
        new().load_pack(value)
    with pytest.raises(InvalidArgumentType, match="pack"):
        Runtime(Graph(), packs=[value])


@pytest.mark.parametrize("packs", ["storage", PACK, 3])
def test_packs_are_given_as_a_list(packs: Any) -> None:
    with pytest.raises(InvalidArgumentType, match="list of packs"):
        Runtime(Graph(), packs=packs)


def test_a_predicate_that_raises_is_named() -> None:
    runtime = new()

    with pytest.raises(PackValidationError, match=r"storage.*when.*watch.*AttributeError") as refusal:
        runtime.load_pack(named("storage", made("watch", when=lambda settings: settings.mode)))
    assert isinstance(refusal.value.__cause__, AttributeError)
    assert runtime.loaded_packs() == []


def test_a_pack_is_loaded_between_runs_by_the_host_alone() -> None:
    inside: list[BaseException] = []

    @activegraph.behavior(on=["goal.created"])
    def loads(event: Any, graph: Any, ctx: Any) -> None:
        try:
            runtime.load_pack(PACK)
        except IncompatibleRuntimeState as error:
            inside.append(error)

    runtime = new([loads])
    runtime.run_goal("x")
    assert len(inside) == 1
    with runtime.graph.transaction(), pytest.raises(IncompatibleRuntimeState):
        runtime.load_pack(PACK)
    runtime.close()
    with pytest.raises(IncompatibleRuntimeState, match="closed"):
        runtime.load_pack(PACK)


def test_a_load_is_said_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    runtime = new()
    with caplog.at_level(logging.INFO, "activegraph.packs"):
        runtime.load_pack(PACK)
        runtime.load_pack(PACK)

    (line,) = [record for record in caplog.records if record.name == "activegraph.packs"]
    assert (line.levelname, line.getMessage()) == ("INFO", "pack loaded: storage 1.2.0")
    assert (line.__dict__["run_id"], line.__dict__["event_id"]) == (RUN, "evt_001")


def test_a_proposal_names_the_first_pack_whose_policies_gate_its_type() -> None:
    asks = behavior(name="asks", on=["goal.created"])(
        lambda event, graph, ctx: [ctx.propose_object(type, {}, reason="r") for type in ("memo", "note")]
    )
    runtime = new(llm_provider=ScriptedProvider())
    runtime.load_pack(named("first", asks))
    runtime.load_pack(PACK)
    runtime.load_pack(named("third", policies=[PackPolicy("p", ["memo"])]))
    runtime.run_goal("x")

    assert [(pending.object_type, pending.pack) for pending in runtime.pending_approvals()] == [
        ("memo", "storage"),
        ("note", ""),
    ]
    assert [e.payload["pack"] for e in runtime.graph.events if e.type == "approval.proposed"] == ["storage", ""]


def test_packs_given_at_construction_are_attached_and_say_nothing_until_the_first_change() -> None:
    runtime = Runtime(Graph(clock=TickingClock(), run_id=RUN), [], packs=[(PACK, {"threshold": 0.7}), named("second")])

    assert [pack.name for pack in runtime.loaded_packs()] == ["storage", "second"]
    assert len(runtime.graph.events) == 0
    with pytest.raises(activegraph.PackSchemaViolation):
        runtime.graph.add_object("volume", {"size_gb": "large"})
    runtime.graph.add_object("volume", {"size_gb": "3"})

    assert types_of(runtime) == ["pack.loaded", "pack.loaded", "object.created"]
    assert [event.id for event in runtime.graph.events] == ["evt_001", "evt_002", "evt_003"]
    assert runtime.graph.events[0].payload["settings"]["threshold"] == 0.7
    assert runtime.graph.events[2].payload["object"]["data"] == {"size_gb": 3}


@pytest.mark.parametrize("begin", ["run_goal", "run_until_idle", "transaction", "emit", "listener"])
def test_packs_given_at_construction_are_in_the_log_before_whatever_comes_first(begin: str) -> None:
    runtime = new(packs=[PACK], llm_provider=ScriptedProvider())
    if begin == "run_goal":
        runtime.run_goal("x")
    elif begin == "run_until_idle":
        runtime.run_until_idle()
    elif begin == "transaction":
        with runtime.graph.transaction():
            runtime.graph.add_object("task", {})
    elif begin == "emit":
        runtime.graph.emit(Event("evt_500", "custom", {}))
    else:
        # A listener that answers the first event with a change of its own, in a transaction.
        def answer(event: Event) -> None:
            if event.type == "pack.loaded":
                with runtime.graph.transaction():
                    runtime.graph.add_object("task", {})

        runtime.graph.add_listener(answer)
        with runtime.graph.transaction():
            runtime.graph.add_object("task", {})
    assert types_of(runtime)[0] == "pack.loaded"
    assert types_of(runtime).count("pack.loaded") == 1


def test_a_construction_that_fails_leaves_the_graph_as_it_was() -> None:
    graph = Graph(run_id=RUN)

    with pytest.raises(PackVersionConflictError):
        Runtime(graph, [], packs=[PACK, Pack("storage", "9.9.9")])

    assert len(graph.events) == 0
    assert graph._recorder.observer is None
    assert graph.add_object("volume", {"size_gb": "large"}).id == "volume#1"


def test_a_second_runtime_on_a_graph_has_the_packs_that_it_is_given() -> None:
    first = new(packs=[PACK], llm_provider=ScriptedProvider())
    first.run_until_idle()
    second = Runtime(first.graph, [], llm_provider=ScriptedProvider())

    assert second.loaded_packs() == []
    assert second.graph.add_object("volume", {"size_gb": "large"}).data == {"size_gb": "large"}
    third = Runtime(first.graph, [], packs=[PACK], llm_provider=ScriptedProvider())
    third.run_until_idle()
    assert types_of(third).count("pack.loaded") == 1
