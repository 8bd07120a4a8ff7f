"""The steps of an operation at which something outside can have changed, and a look at each of them.

A step is the return from a function written in C that is more than arithmetic. A profile hook sees
them, exactly and in every run alike, where a timer would miss.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from threading import Event, Thread
from types import ModuleType
from typing import Any

__all__ = ["is_step", "watched"]

_PURE = {"_hashlib", "_struct", "base64", "binascii", "itertools", "math", "msgspec", "msgspec.json", "re", "time"}
_PURE_TYPES = (bool, bytes, bytearray, dict, float, frozenset, int, list, set, str, tuple, type, type(None))
_ACTING = {"__import__", "compile", "eval", "exec", "open", "print"}
"""Of the functions in `builtins`, those that may change something outside."""

_PATIENCE_SECONDS = 0.1
_PATIENCE_TIMES = 40


def is_step(event: str, function: Any) -> bool:
    """Whether an event of a profile hook is a step."""
    return event == "c_return" and not _is_pure(function)


def _is_pure(function: Any) -> bool:
    """Whether a C function computes and does nothing else."""
    owner = getattr(function, "__self__", None)
    if isinstance(owner, ModuleType):
        return owner.__name__ in _PURE or (owner.__name__ == "builtins" and function.__name__ not in _ACTING)
    return isinstance(owner, _PURE_TYPES) or type(owner).__module__ in _PURE


def watched(action: Callable[[], object], look: Callable[[], object]) -> list[object]:
    """Run `action`, and have another thread call `look` after each of its steps; gives what it saw.

    A look that has to wait for the action is given up after a moment, and after some of these
    nobody looks any more: waiting is allowed, seeing half of an action is not.
    """
    watcher = _Watcher(look)
    before = sys.getprofile()
    sys.setprofile(watcher.hook)
    try:
        action()
    finally:
        sys.setprofile(before)
        watcher.end()
    return watcher.seen


class _Watcher:
    """A thread that looks when it is asked to."""

    def __init__(self, look: Callable[[], object]) -> None:
        self.seen: list[object] = []
        self._look = look
        self._asked, self._answered = Event(), Event()
        self._patience = _PATIENCE_TIMES
        self._number = 0
        self._done = False
        self._thread = Thread(target=self._watch, daemon=True)
        self._thread.start()

    def hook(self, frame: object, event: str, function: Any) -> None:
        """Ask for a look, and wait for it as long as there is patience."""
        if self._patience and is_step(event, function):
            self._number += 1
            self._answered.clear()
            self._asked.set()
            if not self._answered.wait(_PATIENCE_SECONDS):
                self._number += 1  # what this look sees from now on belongs to no one instant
                self._patience -= 1

    def end(self) -> None:
        """Look no more."""
        self._done = True
        self._asked.set()
        self._thread.join(10)

    def _watch(self) -> None:
        while True:
            self._asked.wait()
            self._asked.clear()
            if self._done:
                return
            number = self._number
            try:
                saw = self._look()
            except Exception:  # a reader that is turned away has seen nothing
                saw = None
            if number == self._number and saw is not None:
                self.seen.append(saw)
            self._answered.set()
