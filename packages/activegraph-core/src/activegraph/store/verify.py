"""The integrity check: reads a run once and says whether it is the history that was written."""

from __future__ import annotations

from dataclasses import dataclass

from activegraph.core.event import NO_DIGEST, digest_of
from activegraph.core.projection import MalformedGraphEvent, Projection
from activegraph.errors import CorruptedEventPayloadError
from activegraph.store.base import RawEvent
from activegraph.store.runs import most_recent_run_id, open_store, run_not_found
from activegraph.store.serde import decode_stored_payload
from activegraph.store.url import parse_store_url

__all__ = ["VerifyReport", "verify_run"]


@dataclass(frozen=True)
class VerifyReport:
    """What an integrity check found.

    Attributes:
        events: Events that were read.
        head: Length of the log and digest of its last event in hex: what to write down for the next time.
        first_bad: Id of the first event that is not what was written.
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
    chosen = most_recent_run_id(url) if run_id is None else run_id
    parsed = parse_store_url(url)
    if chosen is None:
        raise run_not_found(parsed, None)
    with open_store(url, chosen, read_only=True) as store:  # type: ignore[attr-defined]  # stores are context managers
        check = _Check(chosen, expected_head)
        for row in store.iter_raw():
            check.see(row)
        if check.seen == 0 and store.get_run() is None:
            raise run_not_found(parsed, chosen)
    return check.report()


class _Check:
    """Follows a log row by row; remembers the first thing that is wrong."""

    def __init__(self, run_id: str, expected_head: tuple[int, str] | None) -> None:
        self.run_id = run_id
        self.seen = 0
        self._expected_head = expected_head
        self._digest = NO_DIGEST
        self._bad: tuple[str | None, int | None, str] | None = None
        self._ids: set[str] = set()
        self._later_causes: dict[str, tuple[str, int]] = {}
        self._projection = Projection()
        self._trusted_seen = expected_head is None or expected_head[0] == 0

    def see(self, row: RawEvent) -> None:
        """Check the next row."""
        self.seen += 1
        reason = self._reason(row)
        if reason is not None and self._bad is None:
            self._bad = (row.id, row.position, reason)

    def _reason(self, row: RawEvent) -> str | None:
        if row.position != self.seen:
            return "gap" if row.position > self.seen else "order"
        if row.id in self._ids:
            return "conflict"
        self._ids.add(row.id)
        waiting = self._later_causes.pop(row.id, None)
        if row.caused_by is not None and row.caused_by not in self._ids:
            self._later_causes.setdefault(row.caused_by, (row.id, row.position))
        payload = row.payload.encode("utf-8", "surrogatepass")
        digest = digest_of(
            self._digest, row.id, row.type, payload, row.actor, row.frame_id, row.caused_by, row.timestamp
        )
        stored = row.digest if row.digest is not None else digest
        self._digest = stored
        if self._expected_head is not None and row.position == self._expected_head[0]:
            self._trusted_seen = True
            if stored.hex() != self._expected_head[1].lower():
                return "digest"
        try:
            decode_stored_payload(payload, event_id=row.id, run_id=self.run_id)
        except CorruptedEventPayloadError:
            return "corrupted"
        if stored != digest:
            return "digest"
        if waiting is not None:
            return "order"
        try:
            self._projection.apply(row.type, payload)
        except MalformedGraphEvent:
            return "projection"
        return None

    def report(self) -> VerifyReport:
        """What was found."""
        bad = self._bad
        if bad is None and not self._trusted_seen and self._expected_head is not None:
            bad = (None, self.seen + 1, "gap")
        head = (self.seen, self._digest.hex())
        if bad is None:
            return VerifyReport(self.run_id, True, self.seen, head)
        return VerifyReport(self.run_id, False, self.seen, head, *bad)
