"""Writes the log of a stored run: as trace lines for people, or as canonical JSON lines."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Literal

from activegraph.core.event import Event
from activegraph.errors import ActiveGraphError, CorruptedEventPayloadError, InvalidRuntimeConfiguration
from activegraph.operations.reading import StoredRun, open_run
from activegraph.trace.export import event_line
from activegraph.trace.printer import flags_line, live_lines

__all__ = ["TraceFormat", "export_run", "export_run_to"]

TraceFormat = Literal["text", "jsonl"]
"""`text`: the lines that the live run printed. `jsonl`: one event a line, `Event.to_dict()` in canonical JSON."""

_PROGRESS_EVERY = 500


def export_run(
    url: str,
    run_id: str | None,
    file: IO[bytes],
    *,
    format: TraceFormat = "text",
    on_progress: Callable[[int, int], None] | None = None,
) -> int:
    """Write every event of a stored run to `file` as UTF-8; returns how many. Memory does not grow with the run.

    Args:
        run_id: None is the run that was appended to last.
        on_progress: Called now and then with the number of events written and the number in all.

    Raises:
        StoreNotFoundError, RunNotFoundError: There is no such store or run; nothing was written.
        CorruptedEventPayloadError, LogInconsistencyError: At the bad event; those before it were written.
    """
    if format not in ("text", "jsonl"):
        raise InvalidRuntimeConfiguration(
            f"trace format {format!r} is neither text nor jsonl",
            what_failed=f"Exporting run {run_id!r} as {format!r}.",
            why="A trace is written for people or for programs.",
            how_to_fix='format="text" or format="jsonl"',
            context={"format": str(format)},
        )
    with open_run(url, run_id) as run:
        lines = _json_lines if format == "jsonl" else _text_lines
        written = 0
        for line in lines(run):
            file.write(line)
            written += 1
            if on_progress is not None and written % _PROGRESS_EVERY == 0:
                on_progress(written, run.head)
        return written


def export_run_to(
    path: str | os.PathLike[str],
    url: str,
    run_id: str | None,
    *,
    format: TraceFormat = "text",
    on_progress: Callable[[int, int], None] | None = None,
) -> int:
    """`export_run` into a file that appears whole or not at all; an old one stays until then.

    Raises:
        OSError: The file cannot be written there.
    """
    target = os.path.realpath(path)
    if os.path.exists(target):
        if not os.path.isfile(target):
            # A pipe or a device is written to, not replaced.
            with _named(os.fspath(path)), open(target, "wb") as device:
                return export_run(url, run_id, device, format=format, on_progress=on_progress)
        if not os.access(target, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), os.fspath(path))
    partial = f"{target}.{secrets.token_hex(4)}.part"
    with _named(os.fspath(path)):
        file = open(partial, "xb")  # noqa: SIM115 - closed below, where its removal begins to matter
    try:
        with _named(os.fspath(path)), file:
            written = export_run(url, run_id, file, format=format, on_progress=on_progress)
        if os.path.exists(target):
            shutil.copymode(target, partial)
        os.replace(partial, target)
    except BaseException:
        os.unlink(partial)
        raise
    return written


@contextmanager
def _named(path: str) -> Iterator[None]:
    """What the system refuses inside the block names `path`: not nothing, nor a name made up for the time being."""
    try:
        yield
    except ActiveGraphError:
        raise
    except OSError as error:
        raise type(error)(error.errno, error.strerror, path) from error


def _json_lines(run: StoredRun) -> Iterator[bytes]:
    for event in _events(run):
        yield event_line(event) + b"\n"


def _text_lines(run: StoredRun) -> Iterator[bytes]:
    flags = _flags(run)
    before = [] if flags is None else [flags]
    for event in _events(run):
        lines = [*before, *live_lines(event, hide_prompt_normalized=flags is not None)]
        before = []
        yield "".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace")


def _flags(run: StoredRun) -> str | None:
    try:
        return flags_line(event for event in _events(run) if event.type == "llm.requested")
    except CorruptedEventPayloadError:
        # What can be read before the damage is still written.
        return None


def _events(run: StoredRun) -> Iterator[Event]:
    for row in run.sound_rows():
        yield row.event()
