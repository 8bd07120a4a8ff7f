"""A whole review: three recorded incidents, a model's recorded answers, and all that the log is good for afterwards.

    python examples/incident_review.py

It needs no key and no network, writes into the current folder, and ends with exit code 1 if a step
does not come out as it should.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any

from activegraph import FrozenClock, Graph, Runtime
from activegraph.packs.incident_review import THREE_INCIDENTS, RecordedIncidentProvider, incident_goal, pack
from activegraph.packs.incident_review.memo_bar import memo_problems

STORE = Path("incident_review.db")
RUN_ID = "run_review"


def check(holds: object, what: str) -> None:
    """Stop the program if something does not come out as it should."""
    if not holds:
        sys.exit(f"FAILED: {what}")


def section(title: str, **counts: object) -> None:
    """Say what a step has come to."""
    print(f"\n{title}")
    for name, count in counts.items():
        print(f"  {name.replace('_', ' '):<22} {count}")


def counts_of(graph: Graph) -> dict[str, int]:
    return dict(sorted(Counter(made.type for made in graph.all_objects()).items()))


def review(**settings: Any) -> Runtime:
    """A review in memory with other settings."""
    graph = Graph(clock=FrozenClock(), run_id=RUN_ID)
    return Runtime(graph, [], packs=[(pack, settings)], llm_provider=RecordedIncidentProvider())


def run_all() -> Runtime:
    """Review the three incidents, each from its goal."""
    STORE.unlink(missing_ok=True)
    runtime = Runtime(
        Graph(clock=FrozenClock(), run_id=RUN_ID),
        [],
        packs=[pack],
        llm_provider=RecordedIncidentProvider(),
        persist_to=STORE,
        budget={"max_llm_calls": 120, "max_tool_calls": 120, "max_cost_usd": "5.00"},
    )
    for incident in THREE_INCIDENTS:
        runtime.run_goal(incident_goal(incident))
    check(not runtime.errors, f"no behavior fails: {runtime.errors}")
    section("Reviewed", **counts_of(runtime.graph))
    return runtime


def meet_the_bar(runtime: Runtime) -> int:
    """Hold every memo against the bar; the number of claims that were looked up."""
    graph, cited = runtime.graph, 0
    for memo in graph.objects("memo"):
        check(memo_problems(graph, memo) == [], f"{memo.id}: {memo_problems(graph, memo)}")
        cited += sum(len(finding["evidence"]) for finding in memo.data["findings"])
    memos = {memo.data["title"]: memo.data["conflicts_note"] for memo in graph.objects("memo")}
    section("Every memo meets the bar", citations=cited, **memos)
    return len(memos)


def approve_by_hand(automatic: Runtime) -> None:
    """The last incident once more, with a person in between."""
    runtime = review(auto_approve_actions=False, auto_approve_memos=False)
    runtime.run_goal(incident_goal(THREE_INCIDENTS[-1]))
    graph = runtime.graph
    check(not graph.objects("action") and not graph.objects("memo"), "nothing gated appears by itself")
    for proposal in runtime.pending_approvals():
        runtime.approve(proposal.id, approved_by="anna")
    runtime.run_until_idle()
    (memo,) = runtime.pending_approvals()
    check(memo.object_type == "memo", "the memo waits for its approval")
    runtime.approve(memo.id, approved_by="anna")
    runtime.run_until_idle()
    approved, by_itself = graph.objects("memo")[0].data, automatic.graph.objects("memo")[-1].data
    for part in ("title", "summary", "conflicts_note"):
        check(approved[part] == by_itself[part], f"the {part} is that of the automatic run")
    section("Approved by hand", **counts_of(graph))


def ask_what_if(runtime: Runtime) -> None:
    """A fork at the last goal: what if a conflict needed more confidence?"""
    goal = [event.id for event in runtime.graph.events if event.type == "goal.created"][-1]
    with runtime.fork(
        goal,
        label="cautious",
        packs=[pack],
        pack_settings={"incident_review": {"conflict_confidence": 0.95}},
        replay_llm_cache=True,
        replay_tool_cache=True,
    ) as fork:
        fork.run_until_idle()
        asked = Counter(
            event.payload["cache_hit"]
            for event in fork.graph.events
            if event.type == "llm.requested" and event.id not in fork.graph.replayed_ids
        )
        diff = runtime.diff(fork)
        check(not fork.graph.objects("conflict"), "no conflict is left")
        check(asked[True] > asked[False], "most answers come from the cache")
        section(
            "Forked with conflict_confidence=0.95",
            answers_from_the_cache=asked[True],
            asked_again=asked[False],
            shared_events=len(diff.shared_events),
        )
        for divergent in diff.divergent_objects[:6]:
            print(f"  {divergent.summary()}")


def verify_strictly() -> None:
    """Execute the recorded run again, beside the recorded one, with nobody to ask."""
    with Runtime.load(STORE, RUN_ID, behaviors=[], packs=[pack], clock=FrozenClock(), replay_strict=True) as runtime:
        section("Replayed strictly", events_compared=len(runtime.graph.events))


def export(runtime: Runtime) -> None:
    """One event a line, for any log aggregator."""
    runtime.export_trace("incident_review.jsonl")
    lines = Path("incident_review.jsonl").read_text(encoding="utf-8").splitlines()
    check(len(lines) == len(runtime.graph.events), "each event is one line")
    section("Exported", lines=len(lines))


def explain(runtime: Runtime) -> None:
    """Why a finding is there: down to the tool's answer, and to the goal."""
    hypothesis = runtime.graph.objects("memo")[0].data["findings"][0]["hypothesis"]
    chain = runtime.trace.causal_chain(hypothesis).splitlines()
    check(any("tool.requested" in line for line in chain), "the chain names the tools")
    check(chain[-1].endswith("goal.created"), "the chain ends at the goal")
    section("Why that finding")
    for line in chain:
        print(f"  {line[:110]}")


def main() -> None:
    """All steps, in order."""
    with run_all() as runtime:
        memos = meet_the_bar(runtime)
        approve_by_hand(runtime)
        ask_what_if(runtime)
        export(runtime)
        explain(runtime)
    verify_strictly()
    print(f"\nOK: {memos} memos, all claims cited")


if __name__ == "__main__":
    main()
