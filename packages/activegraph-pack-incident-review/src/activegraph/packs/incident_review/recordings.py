"""The three incidents that come with the pack: recorded from a real PostgreSQL server, with metrics."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path

from activegraph.packs.incident_review.host import IncidentInput
from activegraph.packs.incident_review.metrics_samples import read_metric_signals
from activegraph.packs.incident_review.postgres_log import read_signals

__all__ = ["THREE_INCIDENTS", "Recording", "fixtures_sha256", "load_recording"]

_NAMES = ("checkout_deadlocks", "crash_recovery", "connection_storm")
_FOLDER = Path(__file__).parent / "recordings"


@dataclass(frozen=True, slots=True)
class Recording:
    """One recorded incident.

    Attributes:
        title: What went wrong, in a few words.
        provoked: What the script did to provoke it.
        server_version: Of the PostgreSQL server that was recorded.
        log, metrics: What was recorded.
        answers: What a model answered about it.
    """

    name: str
    title: str
    provoked: str
    server_version: str
    log: Path
    metrics: Path
    answers: Path

    def incident(self) -> IncidentInput:
        """The incident with all its signals, those of the log first."""
        logged = [replace(signal, incident=1) for signal in read_signals(self.log, quiet_minutes=1440)]
        return IncidentInput(self.name, self.title, [*logged, *read_metric_signals(self.metrics)])


def load_recording(name: str) -> Recording:
    """The recording of that name.

    Raises:
        KeyError: There is none.
    """
    if name not in _NAMES:
        raise KeyError(f"no recording {name!r}; there are {', '.join(_NAMES)}")
    folder = _FOLDER / name
    about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
    return Recording(
        name,
        about["title"],
        about["provoked"],
        about["server_version"],
        folder / "postgres.jsonlog",
        folder / "metrics.jsonl",
        folder / "answers.json",
    )


THREE_INCIDENTS = tuple(load_recording(name) for name in _NAMES)
"""The recordings, in the order in which they are reviewed."""


def fixtures_sha256() -> str:
    """Digest of what a review of the recordings rests on, in hex: the recordings, answers, prompts and runbooks."""
    digest = hashlib.sha256()
    folder = _FOLDER.parent
    for kind in (_FOLDER, folder / "prompts", folder / "runbooks"):
        for file in sorted(each for each in kind.rglob("*") if each.is_file()):
            digest.update(f"{file.relative_to(folder).as_posix()}\0".encode())
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()
