"""What a pattern that does not parse is told: where it stopped, and what to write instead."""

from __future__ import annotations

from activegraph.errors import UnsupportedPatternError
from activegraph.patterns.lexer import Token

__all__ = ["REFUSED_KEYWORDS", "Refusals"]

_WRITE_THE_CHAIN = 'Begin with the chain itself: "(a:task)-[:depends_on]->(b:task)".'
_CHANGE_IN_THE_BODY = (
    "A pattern only looks. Change the graph in the behavior's body:\n"
    "    for match in ctx.matches:\n"
    '        graph.patch_object(match["a"], {"status": "done"})'
)
_REMOVE_IN_THE_BODY = (
    "A pattern only looks. Remove in the behavior's body:\n"
    "    for match in ctx.matches:\n"
    '        graph.remove_object(match["a"])'
)
_CREATE_IN_THE_BODY = (
    "A pattern only looks. Create in the behavior's body:\n"
    "    for match in ctx.matches:\n"
    '        graph.add_object("review", {"task": match["a"]})'
)
_CHOOSE_IN_THE_BODY = (
    "All matches are in `ctx.matches`, in creation order. Choose among them in the behavior's body:\n"
    "    for match in list(ctx.matches)[:10]: ..."
)
_TWO_BEHAVIORS = "Declare two behaviors, one with each pattern, that call the same function."

REFUSED_KEYWORDS = {
    "RETURN": "Name what you need with variables; every binding is in `ctx.matches`:\n    match['a']",
    "OPTIONAL": "Leave the optional part out of the pattern, and look for it in the body through `ctx.view`.",
    "WITH": "Put all conditions behind one WHERE, joined by AND; aggregate in the behavior's body.",
    "MATCH": _WRITE_THE_CHAIN,
    "UNWIND": "Loop over the list in the behavior's body.",
    "UNION": _TWO_BEHAVIORS,
    "CREATE": _CREATE_IN_THE_BODY,
    "MERGE": "A pattern only looks. Test with NOT EXISTS { ... } and create in the behavior's body.",
    "SET": _CHANGE_IN_THE_BODY,
    "DELETE": _REMOVE_IN_THE_BODY,
    "DETACH": _REMOVE_IN_THE_BODY + "\nRelations of a removed object go with it.",
    "REMOVE": _CHANGE_IN_THE_BODY,
    "FOREACH": "Loop over `ctx.matches` in the behavior's body.",
    "CALL": "Call Python in the behavior's body.",
    "LIMIT": _CHOOSE_IN_THE_BODY,
    "SKIP": _CHOOSE_IN_THE_BODY,
    "ORDER": _CHOOSE_IN_THE_BODY,
}
"""Keywords of Cypher that are refused, and what to do instead."""


class Refusals:
    """Makes the errors of one pattern text, each with its place in the text."""

    def __init__(self, source: str) -> None:
        self._source = source

    def keyword(self, token: Token) -> UnsupportedPatternError:
        """For a keyword of Cypher that stands where a keyword could."""
        word = token.text.upper()
        return self._refused(f"the {word} keyword", REFUSED_KEYWORDS[word], token.position, token.text)

    def either_or(self, token: Token) -> UnsupportedPatternError:
        """For OR in a condition."""
        return self._refused("OR", _TWO_BEHAVIORS, token.position, token.text)

    def variable_length(self, start: int, end: int) -> UnsupportedPatternError:
        """For a relationship with a star."""
        advice = (
            "Write out each length that you need as a pattern of its own:\n"
            '    "(a)-[:part_of]->(b)" and "(a)-[:part_of]->()-[:part_of]->(b)"\n'
            "or follow the relations in the behavior's body through `ctx.view`."
        )
        return self._refused("a variable-length relationship", advice, start, self._source[start:end])

    def undirected(self, start: int, end: int) -> UnsupportedPatternError:
        """For a relationship with no head, or with two."""
        advice = (
            'Give it a direction, "-[:knows]->" or "<-[:knows]-"; for both, declare two behaviors,\n'
            "one with each pattern, that call the same function."
        )
        return self._refused("an undirected relationship", advice, start, self._source[start:end])

    def expected(self, expected: str, token: Token) -> UnsupportedPatternError:
        """For a token that cannot stand where it does."""
        if token.kind == "end":
            got, at = "the end of the pattern", None
        else:
            got, at = f"{token.text!r} at position {token.position}", token.text
        error = UnsupportedPatternError.syntax_error(
            what=f"expected {expected}, got {got}", at=at, expected=expected, got=got
        )
        return self._placed(error, token.position)

    def syntax(self, what: str, position: int, at: str | None) -> UnsupportedPatternError:
        """For text that is no pattern for another reason."""
        return self._placed(UnsupportedPatternError.syntax_error(what=what, at=at), position)

    def _refused(self, feature: str, workaround: str, position: int, at: str) -> UnsupportedPatternError:
        error = UnsupportedPatternError.refused_feature(feature=feature, workaround=workaround, at=at)
        return self._placed(error, position)

    def _placed(self, error: UnsupportedPatternError, position: int) -> UnsupportedPatternError:
        error.context.update(position=position, pattern=self._source)
        marker = self._source[:position].rpartition("\n")[2]
        line = marker + self._source[position:].partition("\n")[0]
        error.what_failed += f"\n{line}\n{' ' * len(marker)}^"
        return error
