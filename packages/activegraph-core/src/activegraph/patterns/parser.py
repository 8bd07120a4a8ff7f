"""The parser: text of the pattern language to its parsed form, or an error with a place."""

from __future__ import annotations

from typing import Any, Literal

from activegraph.errors import UnsupportedPatternError
from activegraph.patterns.lexer import Token, tokenize
from activegraph.patterns.refusals import REFUSED_KEYWORDS, Refusals
from activegraph.patterns.syntax import (
    AndExpr,
    Comparison,
    Expression,
    MatchClause,
    NodePat,
    NotExists,
    NotExpr,
    Pattern,
    RelPat,
)

__all__ = ["parse"]

_OPERATORS = frozenset({"=", "<>", "!=", "<", "<=", ">", ">="})
_CONSTANTS: dict[str, Any] = {"TRUE": True, "FALSE": False, "NULL": None}
_DEEPEST = 100

_Kind = Literal["node", "relationship"]


def parse(text: str) -> Pattern:
    """Parse a pattern such as `(a:task)-[:depends_on]->(b:task) WHERE b.status = 'done'`.

    Raises:
        UnsupportedPatternError: It is none of the language; the error names the text and its place.
    """
    if not isinstance(text, str):
        raise UnsupportedPatternError.syntax_error(
            what=f"expected text, got {type(text).__name__}",
            at=repr(text)[:80],
            expected="text",
            got=type(text).__name__,
        )
    return _Parser(text).pattern()


class _Parser:
    """Recursive descent over the tokens of one text."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._tokens = tokenize(source)
        self._place = 0
        self._refusals = Refusals(source)
        self._kinds: dict[str, _Kind] = {}
        """What each variable of the chain stands for."""
        self._in_where = False
        self._depth = 0

    def pattern(self) -> Pattern:
        match = self._chain(self._kinds)
        where: Expression | None = None
        if self._accept("WHERE"):
            self._in_where = True
            where = self._conjunction()
        end = self._token
        if end.kind != "end":
            self._refuse_known(end)
            what = f"trailing text after the pattern at position {end.position}"
            raise self._refusals.syntax(what, end.position, self._source[end.position :])
        return Pattern(match, where, self._source)

    def _chain(self, kinds: dict[str, _Kind]) -> MatchClause:
        nodes, rels = [self._node(kinds)], []
        while self._token.word in ("-", "<-"):
            rels.append(self._relationship(kinds))
            nodes.append(self._node(kinds))
        return MatchClause(nodes, rels)

    def _node(self, kinds: dict[str, _Kind]) -> NodePat:
        self._expect("(", "a node in parentheses" if self._place == 0 else "'('")
        var = self._variable(kinds, "node")
        type = self._type() if self._accept(":") else None
        properties = self._properties() if self._token.word == "{" else {}
        self._expect(")", "')'" if properties or type else "':' and a type, '{' or ')'" if var else "a node or ')'")
        return NodePat(var, type, properties)

    def _properties(self) -> dict[str, Any]:
        self._expect("{", "'{'")
        properties: dict[str, Any] = {}
        if self._accept("}"):
            return properties
        while True:
            key = self._name("a property's name")
            if key.text in properties:
                what = f"property {key.text!r} given twice, at position {key.position}"
                raise self._refusals.syntax(what, key.position, key.text)
            self._expect(":", "':'")
            properties[key.text] = self._literal("a literal (a number, a string, TRUE, FALSE or NULL)")
            if not self._accept(","):
                self._expect("}", "',' or '}'")
                return properties

    def _relationship(self, kinds: dict[str, _Kind]) -> RelPat:
        start = self._advance()
        bracket = self._expect("[", "'['")
        self._refuse_star(start)
        var = self._variable(kinds, "relationship")
        if self._token.word == "]":
            raise self._type_required(bracket)
        self._expect(":", "':' and a type")
        if self._token.word == "]":
            raise self._type_required(bracket)
        type = self._type()
        self._expect("]", "']'")
        end = self._token
        if end.word not in ("-", "->"):
            raise self._unexpected("'->'" if start.word == "-" else "'-'")
        self._advance()
        if (start.word == "-") == (end.word == "-"):
            raise self._refusals.undirected(start.position, end.position + len(end.text))
        return RelPat(var, type, "right" if end.word == "->" else "left")

    def _refuse_star(self, start: Token) -> None:
        for place in range(self._place, len(self._tokens)):
            token = self._tokens[place]
            if token.word == "]":
                return
            if token.word == "*":
                end = next((t for t in self._tokens[place:] if t.word == "]"), token)
                raise self._refusals.variable_length(start.position, end.position + len(end.text))

    def _type_required(self, bracket: Token) -> UnsupportedPatternError:
        at = self._source[bracket.position : self._token.position + 1]
        return self._refusals.syntax(f"relationship type required at position {bracket.position}", bracket.position, at)

    def _variable(self, kinds: dict[str, _Kind], kind: _Kind) -> str | None:
        token = self._token
        if token.kind != "name":
            return None
        if kinds.setdefault(token.text, kind) != kind:
            what = f"variable {token.text!r} stands for a node and for a relationship, at position {token.position}"
            raise self._refusals.syntax(what, token.position, token.text)
        self._advance()
        return token.text

    def _type(self) -> str:
        if self._token.kind == "quoted":
            quoted: str = self._advance().value
            return quoted
        return self._name("a type").text

    def _conjunction(self) -> Expression:
        parts = [self._unary()]
        while self._accept("AND"):
            parts.append(self._unary())
        if self._token.word == "OR":
            raise self._refusals.either_or(self._token)
        return parts[0] if len(parts) == 1 else AndExpr(parts)

    def _unary(self) -> Expression:
        if self._token.word not in ("NOT", "("):
            return self._comparison()
        self._depth += 1
        if self._depth > _DEEPEST:
            what = f"condition nested more than {_DEEPEST} deep at position {self._token.position}"
            raise self._refusals.syntax(what, self._token.position, self._token.text)
        inner: Expression
        if self._accept("("):
            inner = self._conjunction()
            self._expect(")", "AND or ')'")
        else:
            self._advance()
            inner = self._not_exists() if self._accept("EXISTS") else NotExpr(self._unary())
        self._depth -= 1
        return inner

    def _not_exists(self) -> NotExists:
        self._expect("{", "'{' and a chain")
        chain = self._chain(dict(self._kinds))
        self._expect("}", "a relationship or '}'")
        return NotExists(chain)

    def _comparison(self) -> Comparison:
        left = self._path("a comparison, NOT, NOT EXISTS or '('")
        operator = self._token
        if operator.word not in _OPERATORS:
            raise self._unexpected("a comparison operator (=, <>, !=, <, <=, > or >=)")
        self._advance()
        if self._token.kind == "name":
            return Comparison(left, operator.text, self._path("a literal or a path"), None)
        return Comparison(left, operator.text, None, self._literal("a literal or a path"))

    def _path(self, expected: str) -> list[str]:
        variable = self._token
        if variable.kind != "name":
            raise self._unexpected(expected)
        if variable.text not in self._kinds:
            after = self._tokens[self._place + 1].word
            if after != "." and after not in _OPERATORS:
                self._refuse_known(variable)
            what = f"variable {variable.text!r} at position {variable.position} is not bound by the chain"
            raise self._refusals.syntax(what, variable.position, variable.text)
        path = [self._advance().text]
        while self._accept("."):
            path.append(self._name("a name").text)
        return path

    def _literal(self, expected: str) -> Any:
        token = self._token
        if token.kind == "literal":
            return self._advance().value
        if token.kind == "keyword" and token.word in _CONSTANTS:
            return _CONSTANTS[self._advance().word]
        raise self._unexpected(expected)

    def _name(self, expected: str) -> Token:
        if self._token.kind != "name":
            raise self._unexpected(expected)
        return self._advance()

    @property
    def _token(self) -> Token:
        return self._tokens[self._place]

    def _advance(self) -> Token:
        token = self._tokens[self._place]
        self._place += 1
        return token

    def _accept(self, word: str) -> bool:
        token = self._token
        if token.word != word or token.kind not in ("keyword", "symbol"):
            return False
        self._place += 1
        return True

    def _expect(self, word: str, expected: str) -> Token:
        if self._token.word != word or self._token.kind != "symbol":
            raise self._unexpected(expected)
        return self._advance()

    def _unexpected(self, expected: str) -> UnsupportedPatternError:
        token = self._token
        self._refuse_known(token)
        return self._refusals.expected(expected, token)

    def _refuse_known(self, token: Token) -> None:
        """Raise what says more than that `token` cannot stand here."""
        if token.kind == "malformed":
            raise self._refusals.syntax(token.value, token.position, token.text)
        if token.word == "*":
            raise self._refusals.syntax(
                f"unexpected character at position {token.position}", token.position, token.text
            )
        if token.word == "OR" and self._in_where:
            raise self._refusals.either_or(token)
        if token.kind == "name" and token.text.upper() in REFUSED_KEYWORDS:
            raise self._refusals.keyword(token)
