"""The integrity check: reads a run once and says whether it is the history that was written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass

from activegraph.core.event import NO_DIGEST, digest_of
from activegraph.core.projection import MalformedGraphEvent, Projection
from activegraph.errors import CorruptedEventPayloadError, IncompatibleRuntimeState
from activegraph.store.base import RawEvent
from activegraph.store.runs import get_run, most_recent_run_id, open_store, run_not_found
from activegraph.store.serde import decode_stored_payload
from activegraph.store.url import StoreURL, parse_store_url

__all__ = ["LogCheck", "VerifyReport", "verify_run"]


@dataclass(frozen=True)
class VerifyReport:
    """What an integrity check found.

    Attributes:
        events: Events that were read.
        head: Length of the log and digest of its last event in hex: what to write down for the next time.
        first_bad: Id of the first event that is not what was written.
        position: Where it stands; of a log that was cut off, the first position that is missing.
        reason: `gap`, `order`, `digest`, `projection`, `corrupted` or `conflict`.
    """

    run_id: str
    ok: bool
    events: int
    head: tuple[int, str]
    first_bad: str | None = None
    position: int | None = None
    reason: str | None = None


def verify_run(url: str, run_id: str | None = None, *, expected_head: tuple[int, str] | None = None) -> VerifyReport:
    """Check one run's log: dense positions, payloads, digest chain, unique ids, causes, projection.

    Args:
        run_id: Default: the run that was appended to last.
        expected_head: Length and digest that are trusted; a log that was cut off cannot be told from inside.

    Raises:
        RunNotFoundError: There is no such run.
    """
    parsed = parse_store_url(url)
    chosen = most_recent_run_id(url) if run_id is None else get_run(url, run_id).run_id
    if chosen is None:
        raise run_not_found(parsed, None)
    with closing(open_store(url, chosen, read_only=True)) as store:
        iter_raw: Callable[[], Iterator[RawEvent]] | None = getattr(store, "iter_raw", None)
        if iter_raw is None:
            raise _no_digests(parsed)
        check = LogCheck(chosen, expected_head)
        for row in iter_raw():
            check.see(row)
    return check.report()


class LogCheck:
    """Follows a log row by row, and remembers the first event that is not what was written."""

    def __init__(self, run_id: str, expected_head: tuple[int, str] | None = None) -> None:
        self.run_id = run_id
        self._trusted = expected_head
        self._trusted_seen = expected_head is None or expected_head == (0, NO_DIGEST.hex())
        self._seen = 0
        self._due = 1
        self._digest = NO_DIGEST
        self._bad: tuple[str | None, int, str] | None = None
        self._ids: set[str] = set()
        self._later_causes: dict[str, tuple[str, int]] = {}
        self._projection = Projection()

    def see(self, row: RawEvent) -> None:
        """Check the next row."""
        self._seen += 1
        reason = self._reason(row)
        if reason is not None and self._bad is None:
            self._bad = (row.id, row.position, reason)
        self._due = row.position + 1
        effect = self._later_causes.pop(row.id, None)
        if effect is not None and (self._bad is None or effect[1] < self._bad[1]):
            # The event at fault is the earlier one, which names a cause that came after it.
            self._bad = (*effect, "order")

    def _reason(self, row: RawEvent) -> str | None:
        payload = row.payload.encode("utf-8", "surrogatepass") if isinstance(row.payload, str) else b""
        try:
            digest = digest_of(
                self._digest, row.id, row.type, payload, row.actor, row.frame_id, row.caused_by, row.timestamp
            )
        except (UnicodeEncodeError, TypeError):
            # A field that is no text any more.
            digest = b""
        stored = row.digest if isinstance(row.digest, bytes) else b""
        self._digest = stored
        if row.position != self._due:
            return "gap" if row.position > self._due else "order"
        if row.id in self._ids:
            return "conflict"
        self._ids.add(row.id)
        if row.caused_by is not None and row.caused_by not in self._ids:
            self._later_causes.setdefault(row.caused_by, (row.id, row.position))
        if self._trusted is not None and row.position == self._trusted[0]:
            self._trusted_seen = True
            if stored.hex() != self._trusted[1].lower():
                return "digest"
        try:
            decode_stored_payload(payload, event_id=row.id, run_id=self.run_id)
        except CorruptedEventPayloadError:
            return "corrupted"
        if stored != digest:
            return "digest"
        if self._bad is None:
            try:
                self._projection.apply(row.type, payload)
            except MalformedGraphEvent:
                return "projection"
        return None

    def report(self) -> VerifyReport:
        """What was found."""
        bad: tuple[str | None, int | None, str] | None = self._bad
        if bad is None and not self._trusted_seen:
            at_start = self._trusted is not None and self._trusted[0] == 0
            bad = (None, 0, "digest") if at_start else (None, self._seen + 1, "gap")
        head = (self._seen, self._digest.hex())
        if bad is None:
            return VerifyReport(self.run_id, True, self._seen, head)
        return VerifyReport(self.run_id, False, self._seen, head, *bad)


def _no_digests(url: StoreURL) -> IncompatibleRuntimeState:
    return IncompatibleRuntimeState(
        f"the {url.scheme} store keeps no digests that could be checked",
        what_failed=f"Checking a run of {url.safe}.",
        why="The check compares every stored row with the digest that was made when it was written.",
        how_to_fix="Use a SQLite or PostgreSQL store, or give the store `iter_raw()`.",
        context={"current_store_kind": url.scheme, "operation": "verify_run"},
    )
