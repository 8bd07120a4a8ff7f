"""Recorded answers that stand in for calls: which of them is the next one for a question.

A question may have been answered several times. The run's own log says how often it has had an answer
already, so it gets the next one, and the last one from then on. What the run asks itself is added
to its log, not to what is looked up here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING, Any

from activegraph.core.event import Event
from activegraph.core.frozen import thaw
from activegraph.core.log import RunLog
from activegraph.llm.cache import LLMCache, response_from_record
from activegraph.runtime.answers import ModelAnswer, answered_from_cache
from activegraph.tools.answers import recorded_answers
from activegraph.tools.cache import CachedToolResponse, ToolCache, recorded_cost

if TYPE_CHECKING:
    from activegraph.store.base import RunRecord

__all__ = ["ReplayedAnswers", "replayed_from"]

_CALL_TYPES = frozenset({"llm.requested", "llm.responded", "tool.requested", "tool.responded"})


class ReplayedAnswers:
    """Both caches of one run, and how many answers it has had to each question.

    Args:
        models, tools: None where that cache is not looked at.
        log: The run's own.
    """

    def __init__(self, models: LLMCache | None, tools: ToolCache | None, log: RunLog) -> None:
        self._models = models
        self._tools = tools
        self._answers = _counted(log, "llm.responded", "prompt_hash") if models is not None else Counter[str]()
        self._outputs = _counted(log, "tool.responded", "args_hash") if tools is not None else Counter[str]()

    def answer(self, prompt_hash: str) -> ModelAnswer | None:
        """The recorded answer that is next for this question."""
        if self._models is None:
            return None
        found = self._models.get(prompt_hash, earlier=self._answers[prompt_hash])
        return None if found is None else answered_from_cache(found)

    def output(self, args_hash: str) -> CachedToolResponse | None:
        """The recorded answer that is next for this call."""
        return None if self._tools is None else self._tools.get(args_hash, earlier=self._outputs[args_hash])

    def saw_answer(self, prompt_hash: str) -> None:
        """The run has had one answer more to this question."""
        self._answers[prompt_hash] += 1

    def saw_output(self, args_hash: str) -> None:
        """The run has had one answer more to this call."""
        self._outputs[args_hash] += 1


def _counted(log: RunLog, type: str, key: str) -> Counter[str]:
    counts: Counter[str] = Counter()
    for event in log.of_type(type):
        if event.payload.get("error") is None and isinstance(event.payload.get(key), str):
            counts[event.payload[key]] += 1
    return counts


def replayed_from(log: RunLog, url: str | None, *, models: bool, tools: bool) -> ReplayedAnswers:
    """What a loaded or forked run may look up: its own answers, then what its ancestors got after the fork point.

    Args:
        url: Where its store was opened, if that is known.
    """
    answers, outputs = LLMCache(), ToolCache()
    # One after the other: an ancestor's store is open only until the next one is asked for.
    for events in chain([log.read()], _later_events_of_ancestors(log.store, url)):
        _harvest(events, answers if models else None, outputs if tools else None)
    return ReplayedAnswers(answers if models else None, outputs if tools else None, log)


def _harvest(events: Iterable[Event], answers: LLMCache | None, outputs: ToolCache | None) -> None:
    # An answer whose request stands before `events` belongs to an invocation that the fork cut: nobody asks for it.
    asked = [event for event in events if event.type in _CALL_TYPES]
    if answers is not None:
        for prompt_hash, request_id, payload in recorded_answers(asked, "llm", "prompt_hash"):
            answers.record(prompt_hash, response_from_record(payload), requesting_event_id=request_id)
    if outputs is not None:
        for args_hash, request_id, payload in recorded_answers(asked, "tool", "args_hash"):
            response = CachedToolResponse(
                thaw(payload.get("output")),
                latency_seconds=float(payload.get("latency_seconds") or 0.0),
                cost_usd=recorded_cost(payload.get("cost_usd")),
                is_dump=True,
            )
            outputs.record(args_hash, response, requesting_event_id=request_id)


def _later_events_of_ancestors(store: Any, url: str | None) -> Iterator[Iterator[Event]]:
    """Of each ancestor in the same store, the nearest first, what stands behind the event that it was forked at."""
    record, met = _record_of(store), {store.run_id}
    forked_at = _fork_point(store, record)
    while record is not None and record.parent_run_id is not None and record.parent_run_id not in met:
        met.add(record.parent_run_id)
        with _opened(store, record.parent_run_id, url) as parent:
            # Another run may have the name of a parent that is gone, or that was left in another store.
            if parent is None or forked_at is None or parent.get_event(forked_at.id) != forked_at:
                return
            yield parent.iter_events(after=forked_at.id)
            record = _record_of(parent)
            forked_at = _fork_point(parent, record)


def _fork_point(store: Any, record: RunRecord | None) -> Event | None:
    """The last event that a run has in common with its parent."""
    at = None if record is None else record.forked_at_event_id
    found: Event | None = None if at is None else store.get_event(at)
    return found


def _record_of(store: Any) -> RunRecord | None:
    get_run: Callable[[], RunRecord | None] | None = getattr(store, "get_run", None)
    return None if get_run is None else get_run()


@contextmanager
def _opened(store: Any, run_id: str, url: str | None) -> Iterator[Any]:
    """Another run of the same store, for reading; None where there is no way to it."""
    sibling: Callable[[str], Any] | None = getattr(store, "open_sibling", None)
    if sibling is not None:
        opened = sibling(run_id)
    elif url is not None:
        from activegraph.store.runs import open_store

        opened = open_store(url, run_id, read_only=True)
    else:
        yield None
        return
    try:
        yield opened
    finally:
        opened.close()
