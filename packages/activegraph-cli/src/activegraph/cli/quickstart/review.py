"""Runs a review in a store: from the beginning, or on from where an earlier one was ended.

What the host adds is a function of the input: `review.input`, then per incident one transaction, then
`review.finished`. So how far a run got can be read from its log, and a run that was ended at any moment
and gone on with has the log of one that was not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

from activegraph.cli.quickstart.methods import Method
from activegraph.cli.quickstart.soundness import check_objects, text_of
from activegraph.cli.quickstart.text import inspect_command
from activegraph.core.clock import Clock
from activegraph.core.event import Event
from activegraph.core.graph import Graph
from activegraph.errors import IncompatibleRuntimeState, RunNotFoundError, StoreNotFoundError
from activegraph.operations.reading import StoredRun, open_run
from activegraph.packs.incident_review.host import (
    FINISHED_EVENT,
    INPUT_EVENT,
    IncidentInput,
    add_incident,
    emit_finished,
    emit_input,
)
from activegraph.runtime.budget import Budget
from activegraph.runtime.loading import load_graph
from activegraph.runtime.runtime import Runtime
from activegraph.store.runs import advice_naming, fork_run, list_runs, open_store
from activegraph.store.url import parse_store_url

__all__ = ["ReviewInput", "StoredReview", "find_review", "go_on", "reading_review", "stored_review"]


class ReviewInput(Protocol):
    """What is reviewed."""

    @property
    def payload(self) -> Mapping[str, Any]:
        """Of `review.input`: equal payloads are equal inputs."""
        ...

    def incidents(self) -> Iterable[IncidentInput]:
        """The incidents in order; the same ones each time."""
        ...

    def totals(self) -> Mapping[str, Any]:
        """Of `review.finished`: counts over the whole input, once all incidents have been given out."""
        ...


@dataclass(frozen=True)
class StoredReview:
    """A review that a store holds.

    Attributes:
        incidents: How many incidents were added.
        complete: Whether these are all of the input.
        finished: Whether they are, and nothing is left to do.
        before_failure: Id of the event before the first step that failed, so that nothing could follow from
            it; None where none did.
    """

    run_id: str
    payload: Mapping[str, Any]
    incidents: int
    complete: bool
    finished: bool
    before_failure: str | None


def stored_review(url: str, run_id: str, payload: Mapping[str, Any] | None = None) -> StoredReview | None:
    """What a store knows of a run; None if there is none, it is empty, or it is no review (of that input).

    Raises:
        CorruptedEventPayloadError, LogInconsistencyError: What it reviews, or how it failed, cannot be read.
    """
    try:
        with open_run(url, run_id) as run:
            first = next(run.sound_rows(), None)
            if first is None or first.type != INPUT_EVENT:
                return None
            reviewed = first.event().payload
            if payload is not None and dict(reviewed) != dict(payload):
                return None
            goals = sum(1 for _ in run.of_types("goal.created"))
            complete = any(True for _ in run.of_types(FINISHED_EVENT))
            finished = complete and run.newest(1)[0].type == "runtime.idle"
            before_failure = _event_before_failure(run)
            return StoredReview(run_id, reviewed, goals, complete, finished, before_failure)
    except (StoreNotFoundError, RunNotFoundError):
        return None


def _event_before_failure(run: StoredRun) -> str | None:
    for failed in run.of_types("behavior.failed"):
        behavior, event_id = _invocation(run.run_id, failed)
        if _is_fatal(behavior, failed.payload.get("reason")):
            break
    else:
        return None
    before = None
    for row in run.sound_rows():
        if row.type == "behavior.started" and _invocation(run.run_id, row.event()) == (behavior, event_id):
            break
        if row.type != "pattern.matched":  # with it the invocation has begun
            before = row.id
    return before


def _invocation(run_id: str, mark: Event) -> tuple[str, str]:
    return text_of(run_id, mark, "behavior"), text_of(run_id, mark, "event_id")


def find_review(url: str, payload: Mapping[str, Any]) -> StoredReview | None:
    """The newest review of this input that a store holds, finished or not; what somebody forked is none."""
    try:
        records = list_runs(url)
    except StoreNotFoundError:
        return None
    for record in reversed(records):
        if record.forked_at_event_id is None or record.label == _AGAIN:
            found = stored_review(url, record.run_id, payload)
            if found is not None:
                return found
    return None


def go_on(
    url: str,
    review: ReviewInput,
    stored: StoredReview | None,
    *,
    clock: Clock,
    method: Method,
    run_id: str | None = None,
    budget: Budget | None = None,
) -> str:
    """Review what is left of an input, and return the id of its run.

    Args:
        stored: The unfinished run to go on with; None for a new one. One that failed stays as it is, and its
            fork from before the failure is gone on with: what was answered until then is not asked again.
        run_id: Of a new run; a fresh one by default.

    Raises:
        IncompatibleRuntimeState: A behavior failed; the message says which and why.
        LogInconsistencyError: What is stored is not as a review wrote it; nothing was changed.
    """
    provider = method.make_provider()
    if stored is not None and stored.before_failure is not None:
        stored = _begun_again(url, stored)
    with _runtime(url, review, stored, provider, clock=clock, method=method, run_id=run_id, budget=budget) as runtime:
        runtime.load_pack(method.make_pack(runtime.graph), method.settings)
        done = 0 if stored is None else stored.incidents
        if done:
            runtime.run_until_idle()
            _refuse_failures(runtime, method, url)
        for incident in islice(review.incidents(), done, None):
            add_incident(runtime.graph, incident)
            runtime.run_until_idle()
            _refuse_failures(runtime, method, url)
        if stored is None or not stored.complete:
            emit_finished(runtime.graph, review.totals())
            runtime.run_until_idle()
        return runtime.run_id


_AGAIN = "begun again before a failure"
"""Label of the forks that go on with a review that failed."""


def _begun_again(url: str, failed: StoredReview) -> StoredReview | None:
    fork = fork_run(url, run_id=failed.run_id, at_event=str(failed.before_failure), label=_AGAIN)
    return stored_review(url, fork.new_run_id)


def _runtime(
    url: str,
    review: ReviewInput,
    stored: StoredReview | None,
    provider: Any,
    *,
    clock: Clock,
    method: Method,
    run_id: str | None,
    budget: Budget | None,
) -> Runtime:
    options: dict[str, Any] = {
        "behaviors": [],
        "budget": budget,
        "llm_provider": provider,
        "llm_retry_max_attempts": method.attempts,
        "durability": method.durability,
    }
    if stored is not None:
        runtime = Runtime.load(url, stored.run_id, clock=clock, **options)
        try:
            with advice_naming(parse_store_url(url)):
                check_objects(runtime.graph)
        except BaseException:
            runtime.close()
            raise
        return runtime
    graph = Graph(clock=clock, run_id=run_id)
    # Written together with the run itself: there is never a run that doesn't say what it reviews.
    emit_input(graph, review.payload)
    return Runtime(graph, persist_to=url, **options)


@contextmanager
def reading_review(url: str, run_id: str) -> Iterator[Graph]:
    """The graph of a stored run, to be read while the block lasts; nothing is written.

    Raises:
        LogInconsistencyError: It is not as a review wrote it.
    """
    with advice_naming(parse_store_url(url)), closing(open_store(url, run_id, read_only=True)) as store:
        graph = load_graph(store)
        check_objects(graph)
        yield graph


_MAY_FAIL = "incident_review.investigator"
"""The inquiry is then left unresolved, and the review goes on; without any other step there is no memo."""


def _is_fatal(behavior: str, reason: object) -> bool:
    return behavior != _MAY_FAIL or not reason


def _refuse_failures(runtime: Runtime, method: Method, url: str) -> None:
    for failure in runtime.errors:
        if not _is_fatal(failure.behavior, failure.reason):
            continue
        reason = failure.reason or failure.exception_type
        fix = (
            "This is a bug of the reference pack; the event holds the traceback."
            if method.model is None
            else "Start again when the cause is gone; what was answered until then is not asked again."
        )
        raise IncompatibleRuntimeState(
            f"behavior {failure.behavior!r} failed in run {runtime.run_id!r}: {reason}",
            what_failed=f"Reviewing: {failure.exception_type}: {failure.message}",
            why="A review that lost one of its steps would look complete and not be.",
            how_to_fix=f"{fix}\nSee it: {inspect_command(url, runtime.run_id)} --event {failure.failed_event_id}",
            context={"run_id": runtime.run_id, "event_id": failure.failed_event_id, "reason": reason},
        )
