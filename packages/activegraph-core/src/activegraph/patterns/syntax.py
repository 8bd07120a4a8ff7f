"""The parsed form of a pattern: one linear chain and an optional condition."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from activegraph.patterns.matcher import PatternMatcher

__all__ = [
    "AndExpr",
    "Comparison",
    "Expression",
    "MatchClause",
    "NodePat",
    "NotExists",
    "NotExpr",
    "Pattern",
    "RelPat",
]


@dataclass
class NodePat:
    """One node of a chain.

    Attributes:
        var: Name that the object is bound to; None binds nothing.
        type: Type that the object must have; None for any.
        properties: Fields of the data and the literals that they must equal; None equals a missing field.
    """

    var: str | None = None
    type: str | None = None
    properties: dict[str, Any] = field(default_factory=dict)


@dataclass
class RelPat:
    """One relationship of a chain, between the node before and the node after it.

    Attributes:
        var: Name that the relation is bound to; None binds nothing.
        type: Type that the relation must have.
        direction: `"right"` if its source is the node before, `"left"` if it is the node after.
    """

    var: str | None
    type: str
    direction: Literal["right", "left"]


@dataclass
class MatchClause:
    """A chain: nodes, and one relationship between each two."""

    nodes: list[NodePat]
    rels: list[RelPat]


@dataclass
class Comparison:
    """A path compared with a literal, or with another path.

    Attributes:
        left_path: A variable and the names after it.
        op: As written: `=`, `<>`, `!=`, `<`, `<=`, `>` or `>=`.
        right_path: The other path; None if the right side is a literal.
        right_value: The literal.
    """

    left_path: list[str]
    op: str
    right_path: list[str] | None = None
    right_value: Any = None


@dataclass
class NotExpr:
    """True where `inner` is not."""

    inner: Expression


@dataclass
class NotExists:
    """True where no assignment of a chain agrees with the bindings on the variables they share."""

    sub_match: MatchClause


@dataclass
class AndExpr:
    """True where all of two or more parts are."""

    parts: list[Expression]


Expression = Comparison | NotExpr | NotExists | AndExpr


@dataclass
class Pattern:
    """A parsed pattern.

    Attributes:
        match: The chain.
        where: The condition, or None.
        source: The text that was parsed.
    """

    match: MatchClause
    where: Expression | None = None
    source: str = ""

    def compile(self) -> PatternMatcher:
        """The pattern made ready to be matched against graphs; one serves any number of them.

        Raises:
            UnsupportedPatternError: A pattern put together by hand is none of the language.
        """
        from activegraph.patterns.matcher import PatternMatcher

        return PatternMatcher(self)


for _public in (AndExpr, Comparison, MatchClause, NodePat, NotExists, NotExpr, Pattern, RelPat):
    _public.__module__ = "activegraph.runtime.patterns"
