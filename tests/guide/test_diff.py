"""The section on `diff`: two runs of one store, structurally."""

from __future__ import annotations

import pytest
from activegraph import Runtime
from activegraph.store import fork_run
from support.cli import Cli
from support.stored_runs import append, event


@pytest.fixture
def fork(run_url: str) -> str:
    """A fork with an event of its own, in which the second task is still blocked."""
    made = fork_run(run_url, run_id="run_a", at_event="evt_004").new_run_id
    append(run_url, made, event("evt_005", "note.taken", {"by": "hand"}))
    return made


def test_it_counts_what_is_shared_and_what_is_not(run_url: str, fork: str, cli: Cli) -> None:
    counts = dict(line.split() for line in cli("diff", run_url, "--run-a", "run_a", "--run-b", fork).lines[1:6])

    assert counts == {
        "shared_events": "3",
        "parent_only_events": "4",
        "fork_only_events": "1",
        "divergent_objects": "2",
        "divergent_relations": "1",
    }


def test_it_names_the_objects_that_differ(run_url: str, fork: str, cli: Cli) -> None:
    lines = cli("diff", run_url, "--run-a", "run_a", "--run-b", fork).lines

    start = lines.index("divergent objects:")
    assert lines[start + 1 : start + 3] == [
        "  - note#3 only in parent",
        "  - task#2 differs (parent v2 ↔ fork v1)",
    ]


def test_it_names_the_relations_that_differ(run_url: str, fork: str, cli: Cli) -> None:
    lines = cli("diff", run_url, "--run-a", "run_a", "--run-b", fork).lines

    start = lines.index("divergent relations:")
    assert lines[start + 1 :] == ["  - rel_001 only in parent (task#1 --depends_on--> task#2)"]


def test_the_library_says_the_same_by_diff_of_the_parent(run_url: str, fork: str, cli: Cli) -> None:
    with Runtime.load(run_url, "run_a", behaviors=[]) as parent, Runtime.load(run_url, fork, behaviors=[]) as other:
        found = parent.diff(other)

    lines = cli("diff", run_url, "--run-a", "run_a", "--run-b", fork).lines
    summaries = [each.summary() for each in found.divergent_objects]
    summaries += [each.summary() for each in found.divergent_relations]
    assert [f"  - {summary}" for summary in summaries] == [line for line in lines if line.startswith("  - ")]
