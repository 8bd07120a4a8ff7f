"""Generated programs: behaviors of every kind as plain data, and what a host does with them.

Every invocation that acts first creates an object, and none acts once the graph holds enough of
them, so every program ends. What an invocation does is a function of its event, graph and context.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from hashlib import sha256
from typing import Any

from activegraph.behaviors.base import Behavior, RelationBehavior
from activegraph.core.clock import FrozenClock
from activegraph.core.event import Event
from activegraph.core.graph import Graph
from activegraph.errors import LLMBehaviorError
from activegraph.llm.behavior import LLMBehavior
from activegraph.llm.types import LLMResponse, ToolCall
from activegraph.packs import ObjectType, Pack
from activegraph.packs.declaring import declared
from activegraph.runtime.runtime import Runtime
from activegraph.tools.base import Tool
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict
from support.shared_memory import Disk, SimulatedCrash

__all__ = ["TOOLS", "Host", "Model", "Program", "Rule", "act", "change", "host_step", "programs"]

ENOUGH = 12
"""Number of the object from which on nothing acts any more."""

RUN = "run_1"


@dataclass(frozen=True)
class Rule:
    """One behavior."""

    name: str
    on: tuple[str, ...]
    effects: tuple[str, ...]
    where: tuple[tuple[str, Any], ...] = ()
    relation: str | None = None
    delay: int | None = None
    pattern: str | None = None
    view: tuple[tuple[str, Any], ...] = ()
    turns: int | None = None
    """How often it lets a model ask for tools; None for a behavior that asks no model."""


@dataclass(frozen=True)
class Program:
    """Behaviors, what the graph holds before its first runtime, and the host's script."""

    rules: tuple[Rule, ...]
    setup: tuple[str, ...]
    script: tuple[tuple[str, int], ...]

    def behaviors(self) -> list[Behavior | RelationBehavior]:
        """Fresh behavior objects."""
        return [_declared(rule) for rule in self.rules]

    def pack(self) -> Pack:
        """The same behaviors as a pack's, with a schema for the objects that they make."""
        parts = []
        for place, rule in enumerate(self.rules):
            made = _declared(replace(rule, name=f"{rule.name}_{place}"))
            parts.append(declared(made, {"kind": "behavior", "name": made.name}))
        return Pack("generated", "1.0.0", object_types=[ObjectType("t1", _Numbered)], behaviors=parts)


class _Numbered(BaseModel):
    """Data of a `t1`; what is not named may be there too."""

    model_config = ConfigDict(extra="allow")
    kind: str = "made"


def _number(id: str) -> int:
    return int(id.rsplit("#", 1)[1])


def act(rule: Rule, event: Event, graph: Any, ctx: Any, relation: Any = None, said: str | None = None) -> None:
    if graph.get_object(f"t1#{ENOUGH}") or graph.get_object(f"t2#{ENOUGH}"):
        return
    objects = ctx.view.objects()
    data = {"by": rule.name, "n": len(objects), **({} if said is None else {"said": said})}
    made = graph.add_object("t2" if "t2" in rule.effects else "t1", data)
    for effect in rule.effects:
        _EFFECTS[effect](event, graph, ctx, relation, made)


def _relate(event: Event, graph: Any, ctx: Any, relation: Any, made: Any) -> None:
    others = ctx.view.objects()
    graph.add_relation(made.id, others[-1].id if others else made.id, "r1", {"n": len(others)})


def _relate_again(event: Event, graph: Any, ctx: Any, relation: Any, made: Any) -> None:
    if relation is not None:
        graph.add_relation(relation.source, relation.target, relation.type)
    else:
        graph.add_relation(made.id, made.id, "r2")


def _unrelate(event: Event, graph: Any, ctx: Any, relation: Any, made: Any) -> None:
    found = [relation] if relation is not None else ctx.view.relations()[:1]
    for each in found:
        graph.remove_relation(each.id)


def _unrelate_last(event: Event, graph: Any, ctx: Any, relation: Any, made: Any) -> None:
    for each in ctx.view.relations()[-1:]:
        graph.remove_relation(each.id)


def _patch(event: Event, graph: Any, ctx: Any, relation: Any, made: Any) -> None:
    first = ctx.view.objects()[:1]
    for each in first:
        graph.patch_object(each.id, {"status": made.id, "seen": each.version})


def _remove(event: Event, graph: Any, ctx: Any, relation: Any, made: Any) -> None:
    for each in ctx.view.objects():
        if _number(each.id) < 4:
            graph.remove_object(each.id)
            return


def _fail(event: Event, graph: Any, ctx: Any, relation: Any, made: Any) -> None:
    raise ValueError(f"refused {made.id}")


def _look(event: Event, graph: Any, ctx: Any, relation: Any, made: Any) -> None:
    view = ctx.view
    graph.patch_object(
        made.id,
        {
            "objects": [o.id for o in view.objects()],
            "relations": [r.id for r in view.relations()],
            "events": [e.id for e in view.events()][-9:],
            "matches": [m.bindings for m in ctx.matches],
            "new": [m.bindings for m in ctx.new_matches],
        },
    )


def _chance(event: Event, graph: Any, ctx: Any, relation: Any, made: Any) -> None:
    graph.emit("dice", {"id": made.id, "rolled": ctx.random.randrange(1000)})


_EFFECTS: dict[str, Callable[[Event, Any, Any, Any, Any], Any]] = {
    "t2": lambda event, graph, ctx, relation, made: None,
    "relate": _relate,
    "relate again": _relate_again,
    "unrelate": _unrelate,
    "unrelate last": _unrelate_last,
    "patch": _patch,
    "remove": _remove,
    "ping": lambda event, graph, ctx, relation, made: graph.emit("ping", {"id": made.id}),
    "propose": lambda event, graph, ctx, relation, made: ctx.propose_object("t1", {"for": made.id}, reason="ask"),
    "propose patch": lambda event, graph, ctx, relation, made: graph.propose_patch(made.id, "update", {"x": 1}),
    "look": _look,
    "chance": _chance,
    "fail": _fail,
}


def _declared(rule: Rule) -> Behavior | RelationBehavior:
    options: dict[str, Any] = {
        "on": list(rule.on),
        "where": dict(rule.where) or None,
        "view_spec": dict(rule.view) or None,
        "activate_after": rule.delay,
    }
    if rule.pattern is not None:
        from activegraph.runtime.patterns import parse

        options.update(pattern=rule.pattern, pattern_matcher=parse(rule.pattern).compile())
    if rule.turns is not None:
        options["max_tool_turns"] = max(rule.turns, 1)
        tools: list[Any] = ["look", "fail"] if rule.turns else []
        return LLMBehavior(
            rule.name,
            handler=lambda event, graph, ctx, out: act(rule, event, graph, ctx, said=out),
            tools=tools,
            **options,
        )
    if rule.relation is None:
        return Behavior(rule.name, lambda event, graph, ctx: act(rule, event, graph, ctx), **options)
    return RelationBehavior(
        rule.name, lambda relation, event, graph, ctx: act(rule, event, graph, ctx, relation), rule.relation, **options
    )


class Model:
    """Says what follows from what it is asked: an answer, a question back to a tool, or now and then a failure."""

    default_model = "model-1"

    def complete(self, *, system: str, messages: list[Any], tools: Any, **call: Any) -> LLMResponse:
        spoken = "\0".join([system, *(message.content for message in messages)])
        number = int(sha256(spoken.encode("utf-8", "surrogatepass")).hexdigest(), 16)
        if number % 7 == 0:
            raise LLMBehaviorError("llm.rate_limited", f"not now {number % 100}")
        asks = tools and number % 3 and len(messages) < 5
        called = [
            ToolCall(f"c{n}", "fail" if number % 11 == n else "look", {"n": number % 5}) for n in range(number % 2 + 1)
        ]
        return LLMResponse(
            raw_text=f"{number % 1000}",
            parsed=None,
            input_tokens=len(spoken),
            output_tokens=1,
            cost_usd=Decimal(number % 100) / 1000,
            latency_seconds=0.5,
            model="model-1",
            finish_reason="stop",
            tool_calls=called if asks else None,
        )

    def count_tokens(self, **call: Any) -> int:
        return 1

    def estimate_cost(self, **call: Any) -> Decimal:
        return Decimal(0)


def _fail_tool(args: Any, ctx: Any) -> None:
    raise OSError("out of order")


TOOLS = (
    Tool("look", lambda args, ctx: {"seen": args["n"], "key": ctx.idempotency_key[:4]}, cost_per_call=Decimal("0.001")),
    Tool("fail", _fail_tool),
)

_TYPES = (
    "object.created",
    "relation.created",
    "relation.removed",
    "object.removed",
    "patch.applied",
    "ping",
    "dice",
    "goal.created",
)
_INTERNAL = (
    "behavior.completed",
    "behavior.failed",
    "pattern.matched",
    "approval.proposed",
    "approval.granted",
    "approval.denied",
)
_CALLS = ("llm.requested", "llm.responded", "tool.requested", "tool.responded")
_PATTERNS = (
    "(a:t1)",
    "(a:t1)-[:r1]->(b)",
    "(a)<-[e:r1]-(b:t1) WHERE a.n > 1",
    "(a:t1)-[:r1]->(b)-[:r2]->(c)",
    "(a:t1) WHERE NOT EXISTS { (a)-[:r1]->(b) }",
)


def _rules(patterns: bool, models: bool) -> st.SearchStrategy[Rule]:
    subscriptions = st.one_of(
        st.lists(st.sampled_from(_TYPES), min_size=1, max_size=2, unique=True),
        st.just([]),
        st.just(["relation.created", "ping"]),
        st.lists(st.sampled_from((*_INTERNAL, *_CALLS) if models else _INTERNAL), min_size=1, max_size=1),
        st.just(["object.created"]),
    ).map(tuple)
    return st.builds(
        Rule,
        name=st.sampled_from("abc"),
        on=subscriptions,
        effects=st.lists(st.sampled_from(sorted(_EFFECTS)), min_size=1, max_size=3).map(tuple),
        where=st.sampled_from(
            ((), (), (), (("object.type", "t1"),), (("object.data.status", None),), (("actor", "a"),))
        ),
        relation=st.sampled_from((None, None, None, "r1", "r2")),
        delay=st.sampled_from((None, None, None, 1, 2, 4)),
        pattern=st.sampled_from((None, None, *_PATTERNS)) if patterns else st.none(),
        view=st.sampled_from(((), (), (("around", "event.payload.object.id"), ("depth", 2)), (("recent_events", 3),))),
        turns=st.sampled_from((None, None, None, 0, 1, 3)) if models else st.none(),
    ).map(_sound)


_BEFORE_ACTING = frozenset({"pattern.matched", *_CALLS})
"""What an invocation writes whether its behavior acts or not."""


def _sound(rule: Rule) -> Rule:
    """A rule that asks a model is about no relation; one that hears of matches or calls makes none itself.

    Two of those would answer each other for ever.
    """
    if rule.relation is not None:
        rule = replace(rule, turns=None)
    if _BEFORE_ACTING.isdisjoint(rule.on):
        return rule
    return replace(rule, pattern=None) if rule.turns is None else replace(rule, on=("object.created",))


_PLANNER = Rule("a", ("goal.created",), ("relate", "relate again", "ping"))
"""What every program begins with, so that the others have something to react to."""

_ASKER = Rule("m", ("object.created",), ("patch", "chance"), where=(("object.type", "t1"),), turns=3)
"""What every program with models asks one with."""

_HOST = ("run", "goal", "object", "relate", "transaction", "remove", "patch", "approve", "deny", "until", "apply")


def programs(
    *, patterns: bool = True, models: bool = False, host: tuple[str, ...] = _HOST
) -> st.SearchStrategy[Program]:
    """Programs with three to six behaviors.

    Args:
        models: Whether some of them ask a model.
        host: What the host's script is made of.
    """
    return st.builds(
        Program,
        rules=st.lists(_rules(patterns, models), min_size=2, max_size=5).map(
            lambda rules: (_PLANNER, *([_ASKER] if models else []), *rules)
        ),
        setup=st.lists(st.sampled_from(("object", "relate")), max_size=3).map(tuple),
        script=st.lists(st.tuples(st.sampled_from(host), st.integers(0, 9)), max_size=5).map(
            lambda steps: (("goal", 0), *steps, ("run", 0))
        ),
    )


class Host:
    """Carries out a program's script on a disk; after a crash it loads and goes on where it was.

    Args:
        loads_anew: Whether it loads before each step of the script, crash or not.
        in_pack: Whether the behaviors are those of a pack, which is loaded first of all.
    """

    def __init__(
        self,
        program: Program,
        disk: Disk,
        *,
        budget: dict[str, Any] | None = None,
        loads_anew: bool = False,
        in_pack: bool = False,
    ) -> None:
        self.program = program
        self._loads_anew = loads_anew
        self.disk = disk
        self.place = 0
        self._budget = budget
        graph = Graph(clock=FrozenClock(), run_id=RUN)
        for step in program.setup:
            change(graph, step, 0)
        self._options: dict[str, Any] = {
            "behaviors": program.behaviors(),
            "seed": 7,
            "llm_provider": Model(),
            "tools": TOOLS,
            "llm_retry_max_attempts": 2,
        }
        if in_pack:
            self._options = {"behaviors": [], "packs": [program.pack()], "seed": 7}
        self.runtime: Runtime | None = Runtime(graph, persist_to=disk.url, budget=budget, **self._options)
        if in_pack:
            self.runtime.graph.add_object("t1", {})

    def load(self, run_id: str = RUN, **options: Any) -> Runtime:
        """The run from the disk, with the program's behaviors."""
        self.runtime = Runtime.load(self.disk.url, run_id, clock=FrozenClock(), **self._options, **options)
        return self.runtime

    def go_on(self) -> bool:
        """Carry out the rest of the script; False where a crash ended it."""
        runtime = self.runtime or self.load()
        while self.place < len(self.program.script):
            if self._loads_anew:
                runtime = self.load()
            step, choice = self.program.script[self.place]
            before = len(self.disk.events(RUN))
            try:
                host_step(runtime, step, choice)
            except SimulatedCrash:
                self._note_crash(step, stored=len(self.disk.events(RUN)) > before)
                self.runtime = None
                return False
            self.place += 1
        return True

    def steps(self) -> Iterator[Runtime]:
        """Carry out the script, with a look at the runtime after each of its steps."""
        for step, choice in self.program.script:
            runtime = self.runtime or self.load()
            host_step(runtime, step, choice)
            yield runtime

    def _note_crash(self, step: str, *, stored: bool) -> None:
        """Where the host goes on: with what it cannot know to be in the log, else with the rest of a run."""
        if not stored:
            return
        if step == "goal":
            self.program = Program(
                self.program.rules,
                self.program.setup,
                (*self.program.script[: self.place], ("run", 0), *self.program.script[self.place + 1 :]),
            )
        elif step not in ("run", "until", "approve"):
            self.place += 1

    def finish(self) -> list[Event]:
        """Carry out all that is left, over any number of crashes; returns the finished log."""
        while not self.go_on():
            self.disk.crash_at(None)
        return self.disk.events(RUN)


def host_step(runtime: Any, step: str, choice: int) -> None:
    if step == "run":
        _run_on(runtime)
    elif step == "goal":
        runtime.run_goal(f"goal {choice}")
        _run_on(runtime)
    elif step == "until":
        _run_on(runtime, lambda graph: len(graph.all_objects()) > choice)
    elif step == "approve":
        for approval in runtime.pending_approvals():
            runtime.approve(approval.id, "anna")
    elif step == "deny":
        for approval in runtime.pending_approvals()[:1]:
            runtime.deny(approval.id, "anna", "no")
    else:
        change(runtime.graph, step, choice)


def _run_on(runtime: Runtime, until: Callable[[Graph], bool] = lambda graph: False) -> None:
    """To idle or the predicate, whatever the budget: each time it is used up there is more."""
    runtime.run_until(until)
    while runtime.status().state == "exhausted":
        runtime.budget = {}
        runtime.run_until(until)


def change(graph: Any, step: str, choice: int) -> None:
    objects, relations = graph.all_objects(), graph.all_relations()
    if step == "object":
        graph.add_object("t1", {"n": choice})
    elif step == "relate" and objects:
        graph.add_relation(objects[choice % len(objects)].id, objects[-1].id, "r1" if choice % 2 else "r2")
    elif step == "transaction":
        with graph.transaction():
            made = graph.add_object("t1", {"n": choice})
            graph.add_relation(made.id, made.id, "r2")
    elif step == "remove" and relations:
        graph.remove_relation(relations[choice % len(relations)].id)
    elif step == "patch" and objects:
        graph.patch_object(objects[choice % len(objects)].id, {"n": choice})
    elif step == "apply":
        _apply_first(graph)


def _apply_first(graph: Graph) -> None:
    for event in graph.events:
        if event.type == "patch.proposed":
            patch = graph.get_patch(event.payload["patch"]["id"])
            if patch is not None and patch.status == "proposed":
                graph.apply_patch(patch.id)
                return
