"""A host may write events of any type, those of the runtime included: a load makes of them what the run itself made."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from activegraph import Event, FrozenClock, Graph, Runtime
from activegraph.behaviors.base import Behavior, RelationBehavior
from activegraph.errors import DuplicateEventError
from hypothesis import given
from hypothesis import strategies as st
from support.equal_logs import essences
from support.sampling import generated
from support.shared_memory import Disk, new_disk

LIVE, LOADED = "run_live", "run_loaded"

objects = st.sampled_from(["t#1", "t#2", "t#3", "t#40"])
relations = st.sampled_from(["rel_001", "rel_002", "rel_030"])
patches = st.sampled_from(["patch_001", "patch_002", "patch_030"])
approvals = st.sampled_from(["approval_001", "approval_002", "approval_030"])
GRAPH: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "object.created": st.builds(
        lambda id, text: {"object": {"id": id, "type": "t", "data": {"s": text}, "version": 1, "provenance": {}}},
        objects,
        objects,
    ),
    "object.removed": st.builds(lambda id: {"id": id}, objects),
    "relation.created": st.builds(
        lambda id, source, target: {
            "relation": {"id": id, "source": source, "target": target, "type": "R", "data": {}, "provenance": {}}
        },
        relations,
        objects,
        objects,
    ),
    "relation.removed": st.builds(lambda id: {"id": id}, relations),
    "patch.rejected": st.builds(lambda id: {"patch_id": id, "reason": "no"}, patches),
    **dict.fromkeys(
        ("patch.proposed", "patch.applied"),
        st.builds(
            lambda id, target, op: {"patch": {"id": id, "target": target, "op": op, "value": {"k": 1}}},
            patches,
            objects,
            st.sampled_from(["update", "replace", "create"]),
        ),
    ),
}
OTHERS = dict.fromkeys(
    ("a", "goal.created", "pack.loaded", "llm.requested", "llm.responded", "tool.requested", "tool.in_doubt"),
    st.builds(lambda id: {"of": id, "behavior": "b"}, objects),
)
RUNTIMES = {
    **dict.fromkeys(
        ("approval.proposed", "approval.granted", "approval.denied"),
        st.builds(lambda id: {"approval_id": id, "object_type": "t", "data": {"n": 1}}, approvals),
    ),
    **dict.fromkeys(
        ("behavior.started", "behavior.completed", "behavior.failed", "behavior.scheduled", "pattern.matched"),
        st.builds(
            lambda name, id: {"behavior": name, "event_id": id, "fire_at_tick": 3},
            st.sampled_from(["b", "p"]),
            st.sampled_from(["evt_001", "evt_002"]),
        ),
    ),
    **dict.fromkeys(
        ("runtime.idle", "runtime.budget_exhausted", "runtime.paused"),
        st.just({"snapshot": {}, "exhausted_by": "max_events", "next": None}),
    ),
}
"""What the runtime writes under its own name, which a host does not take."""


@st.composite
def events(draw: Any) -> Event:
    type = draw(st.sampled_from(sorted({**GRAPH, **OTHERS, **RUNTIMES})))
    actors = ["user", None] if type in RUNTIMES else ["user", None, "b", "runtime"]
    return Event(
        draw(st.sampled_from(["", "", "", "stop_003", "evt_004", "evt_090"])),
        type,
        draw({**GRAPH, **OTHERS, **RUNTIMES}[type]),
        draw(st.sampled_from(actors)),
        draw(st.sampled_from([None, "frame_004"])),
        draw(st.sampled_from([None, "evt_001", "evt_002", "nothing"])),
    )


def behaviors() -> list[Behavior | RelationBehavior]:
    def make(event: Event, graph: Any, ctx: Any) -> None:
        if len(ctx.view.objects("made")) < 4:
            graph.add_object("made", {"of": event.id})

    def match(event: Event, graph: Any, ctx: Any) -> None:
        graph.emit("matched", {"new": [match.bindings for match in ctx.new_matches], "all": len(ctx.matches)})

    def relate(relation: Any, event: Event, graph: Any, ctx: Any) -> None:
        graph.emit("related", {"by": relation.id})

    def hear(event: Event, graph: Any, ctx: Any) -> None:
        graph.emit("heard", {"type": event.type})

    internal = ["approval.granted", "approval.proposed", "behavior.failed", "llm.requested"]
    return [
        Behavior("b", make, on=["object.created", "patch.applied", "a"]),
        Behavior("p", match, on=["relation.created", "a"], pattern="(x:t)-[r:R]->(y)"),
        RelationBehavior("r", relate, "R", on=["a", "object.removed"]),
        Behavior("h", hear, on=internal),
        Behavior("later", make, on=["a"], activate_after=2),
    ]


def begun(disk: Disk, run_id: str) -> Runtime:
    return Runtime(Graph(clock=FrozenClock(), run_id=run_id), behaviors(), persist_to=disk.url)


def loaded(disk: Disk, run_id: str) -> Runtime:
    return Runtime.load(disk.url, run_id, behaviors=behaviors(), clock=FrozenClock())


def take(runtime: Runtime, step: Event | str) -> None:
    """One step of the host: a call, or an event with the next id unless it has one."""
    if step == "run":
        runtime.run_until_idle()
    elif step == "pause":
        runtime.run_until(lambda graph: True)
    elif isinstance(step, Event):
        ids = runtime.graph.ids
        with suppress(DuplicateEventError):
            runtime.graph.emit(Event(step.id or ids.event(), *list(step.to_dict().values())[1:]))


def seen(runtime: Runtime) -> Any:
    graph, status = runtime.graph, runtime.status()
    return (
        [{**one.to_dict(), "provenance": None} for one in [*graph.all_objects(), *graph.all_relations()]],
        [graph.get_patch(id) for id in ("patch_001", "patch_002", "patch_030")],
        runtime.pending_approvals(),
        runtime.errors,
        (status.state, status.queue_depth, status.events_processed),
        vars(graph.ids),
    )


programs = st.lists(events() | st.sampled_from(["run", "pause"]), max_size=12)


@generated
@given(program=programs)
def test_what_a_host_writes_by_hand_is_the_same_live_and_loaded_and_leads_to_the_same_log(program: list[Any]) -> None:
    disk = new_disk()
    live = begun(disk, LIVE)
    begun(disk, LOADED)
    for step in [*program, "run"]:
        take(live, step)
        again = loaded(disk, LOADED)
        take(again, step)
        assert seen(loaded(disk, LIVE)) == seen(live)
        assert seen(again) == seen(live)

    assert essences(disk.events(LOADED)) == essences(disk.events(LIVE))
