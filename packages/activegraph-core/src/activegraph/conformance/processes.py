"""The parent's side of the cases with several processes: start a worker, hear it out, leave none behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import IO, Any

from activegraph.conformance.cases import check
from activegraph.conformance.children import Message

__all__ = ["ask", "options", "running"]

_SECONDS = 150.0


def ask(command: Sequence[str], seconds: float = _SECONDS) -> list[Message]:
    """Everything that a worker tells until it ends."""
    with _started(command) as process:
        try:
            output, errors = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(
                f"the processes were not done after {seconds:.0f} s: {' '.join(command)[:300]}"
            ) from None
    check(
        process.returncode == 0,
        f"the worker ended with {process.returncode}: {errors.decode(errors='replace')[-1500:]}",
    )
    return [json.loads(line) for line in output.splitlines()]


@contextmanager
def running(command: Sequence[str]) -> Iterator[Iterator[Message]]:
    """The messages of a worker while it runs; it is killed at the end of the block."""
    with _started(command) as process:
        assert process.stdout is not None  # noqa: S101 - asked for below
        yield _messages(process.stdout)


def _messages(output: IO[bytes]) -> Iterator[Message]:
    for line in output:
        yield json.loads(line)


@contextmanager
def _started(command: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    # A backend that this process can import is one that the worker can import.
    path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def options(**named: Any) -> str:
    """Options of a command as the worker reads them."""
    return json.dumps(named)
