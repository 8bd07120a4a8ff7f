"""Answers that a log holds, by what was asked: the ground of the two caches.

A question may have been asked more than once in one run, and answered differently (a query before
and after a change). So all answers of a key are kept, in recorded order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Generic, NamedTuple, TypeVar

from activegraph.core.event import Event

__all__ = ["Answers", "RecordedAnswer", "recorded_answers"]

Answer = TypeVar("Answer")


class Answers(Generic[Answer]):
    """Answers in the order in which they were recorded, under the key of their question."""

    def __init__(self) -> None:
        self._by_key: dict[str, list[Answer]] = {}

    def __len__(self) -> int:
        return len(self._by_key)

    def has(self, key: str) -> bool:
        """Whether there is an answer."""
        return key in self._by_key

    def add(self, key: str, answer: Answer) -> None:
        """Behind the others of its key."""
        self._by_key.setdefault(key, []).append(answer)

    def find(self, key: str, earlier: int | None) -> Answer | None:
        """The answer for one who has asked this `earlier` times before; the last one from then on, and for None."""
        answers = self._by_key.get(key)
        if answers is None:
            return None
        return answers[-1] if earlier is None or earlier >= len(answers) else answers[earlier]


class RecordedAnswer(NamedTuple):
    """A successful answer of a log, with the key and the id of the request that it answers."""

    key: str
    request_id: str
    payload: dict[str, Any]


def recorded_answers(events: Iterable[Event], family: str, key_field: str) -> Iterator[RecordedAnswer]:
    """The successful answers among `events`.

    An answer without its request among them is left out, and so is one whose request has no key.

    Args:
        family: `llm` or `tool`.
        key_field: Where the request's payload has its key.
    """
    requested, responded = f"{family}.requested", f"{family}.responded"
    keys: dict[str, str] = {}
    for event in events:
        if event.type == requested:
            key = event.payload.get(key_field)
            if isinstance(key, str) and key:
                keys[event.id] = key
        elif event.type == responded and event.caused_by in keys:
            key = keys.pop(event.caused_by)
            if event.payload.get("error") is None:
                yield RecordedAnswer(key, event.caused_by, event.payload)
