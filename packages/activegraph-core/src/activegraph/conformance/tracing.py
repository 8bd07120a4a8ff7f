"""Watches this process's calls for stable storage from outside, with `strace` where the machine has it."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from activegraph.conformance.cases import not_on_this_machine

__all__ = ["SyncTrace"]

_SYNCS = "fsync,fdatasync,syncfs,sync,msync,sync_file_range"
_WRITES = "write,writev,pwrite64,pwritev,pwritev2,sendto,sendmsg,sendmmsg,ftruncate"
_SYNC = re.compile(r"\b(?:fsync|fdatasync|syncfs|sync)\(.*= 0|\bmsync\(.*MS_SYNC.*= 0")
_WRITE = re.compile(rf"\b(?:{_WRITES.replace(',', '|')})\(\d+")
_PR_SET_PTRACER = 0x59616D61
_SECONDS = 20.0


class SyncTrace:
    """Counts the calls that force data to stable storage: `with SyncTrace() as trace: trace.count(action)`."""

    def __init__(self) -> None:
        program = shutil.which("strace")
        if program is None:
            not_on_this_machine("has no strace, by which a sync could be seen")
        self._folder = tempfile.TemporaryDirectory(prefix="activegraph-trace-")
        self._output = Path(self._folder.name) / "calls"
        self._marks = 0
        # Lets a child trace its parent where the kernel allows that only to named processes.
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PTRACER, ctypes.c_ulong(-1), 0, 0, 0)
        self._process = subprocess.Popen(
            [
                program or "",
                "-f",
                "-qq",
                "-e",
                f"trace={_SYNCS},{_WRITES},getpriority",
                "-o",
                str(self._output),
                "-p",
                str(os.getpid()),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )

    def __enter__(self) -> SyncTrace:
        deadline = time.monotonic() + _SECONDS
        while self._process.poll() is None and time.monotonic() < deadline:
            if self._reached(self._mark()):
                return self
        self.__exit__()
        not_on_this_machine("does not let a process be traced")
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stderr is not None:
            self._process.stderr.close()
        self._folder.cleanup()

    def syncs(self, action: Callable[[], object]) -> int:
        """Successful calls that force data to stable storage, made by any thread while `action` runs."""
        return sum(1 for line in self._lines_of(action) if _SYNC.search(line))

    def writes(self, action: Callable[[], object]) -> int:
        """Calls that write to a file or send to a server while `action` runs."""
        return sum(1 for line in self._lines_of(action) if _WRITE.search(line))

    def _lines_of(self, action: Callable[[], object]) -> list[str]:
        first = self._mark()
        action()
        last = self._mark()
        deadline = time.monotonic() + _SECONDS
        while not self._reached(last):
            if time.monotonic() > deadline:
                not_on_this_machine("shows no traced calls")
        lines = self._output.read_text(errors="replace").splitlines()
        start = next(n for n, line in enumerate(lines) if first in line)
        stop = next(n for n, line in enumerate(lines) if last in line)
        return lines[start:stop]

    def _mark(self) -> str:
        """Leave a call in the trace that nothing else makes."""
        self._marks += 1
        number = 2_000_000_000 + self._marks
        with suppress(OSError):
            os.getpriority(os.PRIO_PROCESS, number)
        return f"getpriority(PRIO_PROCESS, {number})"

    def _reached(self, mark: str) -> bool:
        time.sleep(0.01)
        return self._output.exists() and mark in self._output.read_text(errors="replace")
