"""Cost of one added relation while a two-hop pattern is subscribed, on graphs of growing size.

`python benchmarks/patterns.py` prints it all; the table has the ratio for two hops. Each graph is a long chain of tasks that is left
alone; relations are added between fresh tasks beside it, two hops of the pattern at each, and
after each the match set is brought up to date and a view of it taken. Rounds go from graph to
graph, and only processor time counts, since nothing here waits. Means within a round, so that the
collector's work counts; the median of the rounds is printed. The first row is the same without a
pattern.
"""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import median
from time import process_time

from activegraph.core.graph import Graph
from activegraph.patterns.match_set import MatchSet
from activegraph.patterns.parser import parse

SIZES = (100, 1_000, 10_000, 100_000)
ADDED = 500
ROUNDS = 11
TWO_HOPS = "(a:task)-[:depends_on]->(b:task)-[:depends_on]->(c:task)"
PATTERNS = {
    "no pattern": None,
    "two hops": TWO_HOPS,
    "two hops, WHERE": f"{TWO_HOPS} WHERE a.rank < c.rank AND b.open = TRUE",
    "two hops, NOT EXISTS": f"{TWO_HOPS} WHERE NOT EXISTS {{ (c)-[:depends_on]->() }}",
}


def main() -> None:
    """Print microseconds per added relation, and the ratio of the largest graph to the smallest.

    The ratio is given of the medians and of the fastest rounds; on a busy machine the second says more.
    """
    print(f"python {sys.version.split()[0]}, us per added relation, median of {ROUNDS} means over {ADDED}")
    print(f"{'objects':24}" + "".join(f"{size:>12,}" for size in SIZES) + f"{'ratio':>8}{'fastest':>9}")
    graphs = [chain_of_tasks(size) for size in SIZES]
    for name, text in PATTERNS.items():
        sets = [None if text is None else MatchSet(parse(text).compile(), graph._projection) for graph in graphs]
        rounds = [[added(graph, kept) for graph, kept in zip(graphs, sets, strict=True)] for _ in range(ROUNDS)]
        figures = [median(figures) for figures in zip(*rounds, strict=True)]
        fastest = min(last for *_, last in rounds) / min(first for first, *_ in rounds)
        ratios = f"{figures[-1] / figures[0]:8.2f}{fastest:9.2f}"
        print(f"{name:24}" + "".join(f"{figure:12.2f}" for figure in figures) + ratios)


def flatness(folder: Path, text: str = TWO_HOPS) -> float:
    """Cost on the largest graph over that on the smallest, of the medians."""
    graphs = [chain_of_tasks(size) for size in (SIZES[0], SIZES[-1])]
    sets = [MatchSet(parse(text).compile(), graph._projection) for graph in graphs]
    rounds = [[added(graph, kept) for graph, kept in zip(graphs, sets, strict=True)] for _ in range(ROUNDS)]
    first, last = (median(figures) for figures in zip(*rounds, strict=True))
    return float(last / first)


def chain_of_tasks(size: int) -> Graph:
    """A graph of so many tasks, two of three relations between them of the type of the patterns."""
    graph = Graph()
    ids = [graph.add_object("task", {"rank": rank % 7, "open": rank % 2 == 0}).id for rank in range(size)]
    for place in range(size - 1):
        graph.add_relation(ids[place], ids[place + 1], "depends_on" if place % 3 else "blocks")
    return graph


def added(graph: Graph, kept: MatchSet | None) -> float:
    """Mean microseconds for one relation."""
    ids = [graph.add_object("task", {"rank": rank % 5, "open": True}).id for rank in range(ADDED + 1)]
    if kept is not None:
        kept.view()
    began = process_time()
    for place in range(ADDED):
        graph.add_relation(ids[place], ids[place + 1], "depends_on")
        if kept is not None:
            kept.view()
    return (process_time() - began) / ADDED * 1e6


if __name__ == "__main__":
    main()
