"""The three incidents that come with the pack: recorded from a real PostgreSQL server, with metrics."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path

from activegraph.packs.incident_review.host import IncidentInput
from activegraph.packs.incident_review.metrics_samples import read_metric_signals
from activegraph.packs.incident_review.postgres_log import read_signals

__all__ = ["THREE_INCIDENTS", "Recording", "load_recording", "recordings_sha256"]

THREE_INCIDENTS = ("checkout_deadlocks", "connection_storm", "crash_recovery")
"""Names of the recordings, in the order in which they are reviewed."""

_FOLDER = Path(__file__).parent / "recordings"


@dataclass(frozen=True, slots=True)
class Recording:
    """One recorded incident.

    Attributes:
        title: What went wrong, in a few words.
        provoked: What the script did to provoke it.
        server_version: Of the PostgreSQL server that was recorded.
        log, metrics: Its files.
    """

    name: str
    title: str
    provoked: str
    server_version: str
    log: Path
    metrics: Path

    def incident(self) -> IncidentInput:
        """The incident with all its signals, those of the log first."""
        logged = [replace(signal, incident=1) for signal in read_signals(self.log, quiet_minutes=1440)]
        return IncidentInput(self.name, self.title, [*logged, *read_metric_signals(self.metrics)])


def load_recording(name: str) -> Recording:
    """The recording of that name.

    Raises:
        KeyError: There is none.
    """
    if name not in THREE_INCIDENTS:
        raise KeyError(f"no recording {name!r}; there are {', '.join(THREE_INCIDENTS)}")
    folder = _FOLDER / name
    about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
    return Recording(
        name,
        about["title"],
        about["provoked"],
        about["server_version"],
        folder / "postgres.jsonlog",
        folder / "metrics.jsonl",
    )


def recordings_sha256() -> str:
    """Digest of what the recordings hold, in hex."""
    digest = hashlib.sha256()
    for name in THREE_INCIDENTS:
        recording = load_recording(name)
        for file in (recording.log, recording.metrics):
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()
