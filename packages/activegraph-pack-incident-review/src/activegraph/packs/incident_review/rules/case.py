"""What a rule sees and what it says: signals in, claims with quotes out. Nothing here knows a graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Advice", "Case", "Claim", "Quote", "SignalView", "Topic", "quote", "quotes_of"]


@dataclass(frozen=True, slots=True)
class SignalView:
    """A `signal` object, as rules read it."""

    id: str
    source: str
    kind: str
    title: str
    count: int
    first_at: str
    last_at: str
    lines: Sequence[int]
    severity: str = ""
    sqlstate: str = ""
    message: str = ""
    detail: str = ""
    statement: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, id: str, data: Mapping[str, Any]) -> SignalView:
        """The view of a signal object with that id and data."""
        named = {name: data[name] for name in ("source", "kind", "title", "count", "first_at", "last_at", "lines")}
        texts: dict[str, Any] = {
            name: data.get(name) or "" for name in ("severity", "sqlstate", "message", "detail", "statement")
        }
        return cls(id, **named, **texts, facts=data.get("facts") or {})

    @property
    def line(self) -> int:
        """Number of its first line."""
        return self.lines[0] if self.lines else 1


@dataclass(frozen=True, slots=True)
class Quote:
    """Words of one line that speak for a claim, or against it.

    Attributes:
        weight: How much they count, 0 to 1; half a point confirms.
    """

    signal: SignalView
    text: str
    line: int
    weight: float
    against: bool = False


@dataclass(frozen=True, slots=True)
class Claim:
    """What a rule concludes.

    Attributes:
        rule: Name of the rule; chooses the advice.
        title: A few words.
        statement: Whole sentences, for the memo.
        confidence: 0 to 1, fixed by the rule.
        contradicts: Rule whose claim in the same answer cannot be true beside this one.
    """

    rule: str
    title: str
    statement: str
    confidence: float
    quotes: Sequence[Quote]
    contradicts: str | None = None


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do about a confirmed claim, and who."""

    title: str
    detail: str
    priority: str
    owner_role: str


@dataclass(frozen=True, slots=True)
class Case:
    """The signals of one inquiry, beside all signals of its incident."""

    own: Sequence[SignalView]
    all: Sequence[SignalView]

    def of_kind(self, *kinds: str) -> list[SignalView]:
        """The inquiry's log signals of these kinds."""
        return [signal for signal in self.own if signal.kind in kinds]

    def of_state(self, *states: str) -> list[SignalView]:
        """The inquiry's log signals whose SQLSTATE begins with one of `states`."""
        return [signal for signal in self.own if signal.sqlstate.startswith(states)]

    def metric(self, kind: str) -> SignalView | None:
        """The incident's metric of this name, where samples were given."""
        return next((signal for signal in self.all if signal.source == "metrics" and signal.kind == kind), None)


@dataclass(frozen=True, slots=True)
class Topic:
    """A question that a kind of signals raises, and the rules that answer it.

    Attributes:
        owns: Whether a log signal belongs to the topic; the first topic that says so gets it.
        answer: The claims that follow from the signals; none where the rules know nothing.
        advice: By rule.
    """

    name: str
    title: str
    question: str
    priority: str
    owns: Callable[[SignalView], bool]
    answer: Callable[[Case], list[Claim]]
    advice: Mapping[str, Advice]


def quote(
    signal: SignalView,
    weight: float,
    *,
    text: str | None = None,
    line: int | None = None,
    against: bool = False,
) -> Quote:
    """A quote of a signal: its message in its first line, unless told otherwise."""
    return Quote(signal, text or signal.message or signal.title, signal.line if line is None else line, weight, against)


def quotes_of(signals: Sequence[SignalView], weight: float) -> list[Quote]:
    """One quote of each signal."""
    return [quote(signal, weight) for signal in signals]
