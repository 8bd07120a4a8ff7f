"""Patterns: a small subset of Cypher over the graph, parsed once, and match sets kept by differences.

From text to matches: `lexer` and `parser` (with `refusals`) give the parsed form in `syntax`;
`chain` and `conditions` compile it into slots and plans, and `matcher` holds the result; `search`
runs plans on one graph as it is. `match_set` keeps the matches of a graph that changes, with
`disturbance` (what some changes come to), `kept` (the set itself) and `view` (what behaviors see).
Users import the public names from `activegraph.runtime.patterns`.
"""
