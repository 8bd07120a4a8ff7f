"""Patterns under the path that users import them from; they live in `activegraph.patterns`."""

from activegraph.errors import UnsupportedPatternError
from activegraph.patterns.matcher import Match, PatternMatcher
from activegraph.patterns.parser import parse
from activegraph.patterns.syntax import (
    AndExpr,
    Comparison,
    MatchClause,
    NodePat,
    NotExists,
    NotExpr,
    Pattern,
    RelPat,
)

__all__ = [
    "AndExpr",
    "Comparison",
    "Match",
    "MatchClause",
    "NodePat",
    "NotExists",
    "NotExpr",
    "Pattern",
    "PatternMatcher",
    "RelPat",
    "UnsupportedPatternError",
    "parse",
]
