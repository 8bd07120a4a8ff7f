"""Errors about patterns."""

from __future__ import annotations

from typing import Any

from activegraph.errors.base import PatternError

__all__ = ["UnsupportedPatternError"]

_WHY = (
    "Patterns are a small subset of Cypher whose cost follows what changed; the rest is refused where it is declared."
)


class UnsupportedPatternError(PatternError, SyntaxError):
    """A pattern outside the language. `at` is the offending text."""

    def __init__(
        self,
        summary: str,
        *,
        what_failed: str,
        why: str,
        how_to_fix: str,
        at: str | None = None,
        context: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(
            summary,
            what_failed=what_failed,
            why=why,
            how_to_fix=how_to_fix,
            context={**(context or {}), "at": at},
        )
        self.at = at

    @property
    def msg(self) -> str:  # type: ignore[override]  # tracebacks of a SyntaxError print this instead of str()
        """The whole text."""
        return str(self)

    @classmethod
    def refused_feature(
        cls, *, feature: str, workaround: str, at: str | None = None, why: str | None = None
    ) -> UnsupportedPatternError:
        """For what Cypher has and patterns do not."""
        return cls(
            f"{feature} is not supported in patterns",
            what_failed=f"A pattern uses {feature}{'' if at is None else f' at {at!r}'}.",
            why=why or _WHY,
            how_to_fix=workaround,
            at=at,
        )

    @classmethod
    def syntax_error(
        cls, *, what: str, at: str | None = None, expected: str | None = None, got: str | None = None
    ) -> UnsupportedPatternError:
        """For text that is no pattern."""
        detail = f"expected {expected}, got {got}" if expected is not None and got is not None else what
        return cls(
            f"the pattern does not parse: {detail}",
            what_failed=f"Parsing a pattern: {what}{'' if at is None else f', at {at!r}'}.",
            why=_WHY,
            how_to_fix="Write a chain such as \"(a:task)-[:depends_on]->(b:task) WHERE a.status = 'open'\".",
            at=at,
        )
