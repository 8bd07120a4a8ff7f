"""Kept match sets against the naive evaluation, for generated graphs, patterns and orders of change."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest
from activegraph.core import change_log
from activegraph.core.graph import Graph
from activegraph.patterns import kept as kept_matches
from activegraph.patterns import match_set, search
from activegraph.patterns.match_set import MatchSet
from activegraph.patterns.parser import parse
from activegraph.patterns.view import MatchView
from hypothesis import event, given, note, settings
from hypothesis import strategies as st
from support import pattern_programs as programs
from support.naive_patterns import naive_matches
from support.sampling import by_scale

EXAMPLES = by_scale(250, small=60, full=10_000)
PATTERNS = 4
STEPS = 8

random_choices = st.randoms(use_true_random=True)


@pytest.fixture(scope="module", params=["as shipped", "every index and no memory"], autouse=True)
def limits(request: pytest.FixtureRequest) -> Iterator[None]:
    """Small graphs stay under the limits that large ones pass, so every test runs with limits of almost nothing too."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param != "as shipped":
            patch.setattr(search, "_FEW", 0)
            patch.setattr(match_set, "_FEW", 1)
            patch.setattr(match_set, "_JOURNALED", 1)
            patch.setattr(kept_matches, "_FEW", 0)
            patch.setattr(change_log, "_SHORTEST", 2)
        yield


def begun(rng: Random) -> Graph:
    graph = Graph()
    for change in programs.beginning(rng):
        note(str(change))
        programs.apply(graph, change)
    return graph


def changed(graph: Graph, rng: Random) -> None:
    change = programs.change(rng)
    note(str(change))
    programs.apply(graph, change)


@settings(max_examples=EXAMPLES, deadline=None)
@given(rng=random_choices)
def test_kept_match_sets_equal_a_full_evaluation_after_every_change(rng: Random) -> None:
    graph = begun(rng)
    patterns = [parse(programs.pattern(rng)) for _ in range(PATTERNS)]
    sets = [MatchSet(pattern.compile(), graph._projection) for pattern in patterns]
    shown = [naive_matches(pattern, graph) for pattern in patterns]

    for _ in range(STEPS):
        for _ in range(rng.choice([1, 1, 1, 2, 3])):
            changed(graph, rng)
        for number, (pattern, kept) in enumerate(zip(patterns, sets, strict=True)):
            if rng.random() < 0.1:
                continue
            note(pattern.source)
            expected = naive_matches(pattern, graph)
            assert len(kept) == len(expected)
            assert [match.bindings for match in kept.view()] == expected
            for id in (rng.choice(programs.OBJECTS), rng.choice(programs.RELATIONS)):
                touching = [bindings for bindings in expected if id in bindings.values()]
                assert [match.bindings for match in kept.touching(id)] == touching
            event(f"{'another' if expected != shown[number] else 'the same'} set")
            shown[number] = expected


@settings(max_examples=EXAMPLES, deadline=None)
@given(rng=random_choices)
def test_a_full_evaluation_equals_the_naive_one(rng: Random) -> None:
    graph = begun(rng)

    for _ in range(PATTERNS):
        pattern = parse(programs.pattern(rng))
        note(pattern.source)
        matches = pattern.compile().matches(None, graph)
        assert [match.bindings for match in matches] == naive_matches(pattern, graph)


@settings(max_examples=EXAMPLES, deadline=None)
@given(rng=random_choices)
def test_a_view_shows_the_matches_as_of_its_call_whenever_it_is_looked_at(rng: Random) -> None:
    graph = begun(rng)
    pattern = parse(programs.pattern(rng))
    note(pattern.source)
    kept = MatchSet(pattern.compile(), graph._projection)
    views: list[tuple[MatchView, list[dict[str, str]]]] = []

    for _ in range(2 * STEPS):
        if rng.random() < 0.4:
            views.append((kept.view(), naive_matches(pattern, graph)))
        if rng.random() < 0.3:
            len(kept)
        if views and rng.random() < 0.3:
            view, expected = rng.choice(views)
            assert [match.bindings for match in view] == expected
        if views and rng.random() < 0.2:
            del views[rng.randrange(len(views))]
        changed(graph, rng)

    for view, expected in views:
        assert len(view) == len(expected)
        assert [match.bindings for match in view] == expected
        for id in (rng.choice(programs.OBJECTS), rng.choice(programs.RELATIONS)):
            touching = [bindings for bindings in expected if id in bindings.values()]
            assert [match.bindings for match in view.touching(id)] == touching
