"""Processes that end at a commit, or are killed from outside; what is left is read from the store."""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any

from activegraph.core.event import Event
from activegraph.core.log import RunLog

__all__ = ["KILLED", "commits_of", "ended_at_commit", "in_a_process", "wait_for"]

HANGS_AFTER = 150
"""Seconds after which a forked process is taken to hang."""

KILLED = 9
"""Exit code of a process that ended itself at a commit."""


def in_a_process(work: Callable[[], Any]) -> int:
    """Start `work` in a forked process and return its pid; its exit code is 0 where `work` returned.

    A child that hangs (a lock that a thread of the parent held at the fork, brothers that wait for one
    that died) shows its stacks and ends with an exit code of its own, so that whoever waits for it goes on.
    """
    pid = os.fork()
    if pid:
        return pid
    signal.alarm(HANGS_AFTER + 10)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    try:
        faulthandler.dump_traceback_later(HANGS_AFTER, exit=True, file=sys.__stderr__)
        work()
        os._exit(0)
    except BaseException:  # a child of the test process must never return into it
        import traceback

        traceback.print_exc()
        os._exit(70)


def wait_for(pid: int) -> int:
    """Exit code of a process; minus the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def kill(pid: int) -> None:
    """SIGKILL."""
    os.kill(pid, signal.SIGKILL)


def ended_at_commit(work: Callable[[], Any], commit: int, *, after: bool) -> bool:
    """Carry out `work` in a process that ends itself at its commit number `commit`; whether it came to that.

    Args:
        after: End when the store has acknowledged, else just before it is asked.
    """
    return wait_for(in_a_process(lambda: _with_fuse(work, commit, after=after))) == KILLED


def _with_fuse(work: Callable[[], Any], commit: int, *, after: bool) -> None:
    write = RunLog._write
    done = 0

    def burning(log: RunLog, events: Sequence[Event], sync: bool | None) -> None:
        nonlocal done
        if not events:
            return write(log, events, sync)
        done += 1
        if done == commit and not after:
            os._exit(KILLED)
        write(log, events, sync)
        if done == commit:
            os._exit(KILLED)
        return None

    RunLog._write = burning  # type: ignore[method-assign]  # this process is about to end
    work()


def commits_of(work: Callable[[], Any]) -> int:
    """How many commits `work` takes."""
    write, count = RunLog._write, 0

    def counting(log: RunLog, events: Any, sync: bool | None) -> None:
        nonlocal count
        count += bool(events)
        write(log, events, sync)

    RunLog._write = counting  # type: ignore[method-assign]
    try:
        work()
    finally:
        RunLog._write = write  # type: ignore[method-assign]
    return count
