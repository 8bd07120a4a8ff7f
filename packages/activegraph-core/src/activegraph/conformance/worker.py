"""The process that the cases with several processes start: `python -m activegraph.conformance.worker`.

    worker TARGET COMMAND '{"argument": …}'

TARGET is a store URL, or `module:function` with the signature of `open(run_id, *, read_only=False)`.
The answer is one JSON object a line on the standard output. Commands that need many processes fork
them here, before any store is open, so that none inherits a handle.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from importlib import import_module
from json import loads
from typing import Any

from activegraph.conformance.children import Child, Message, Say, gather, tell
from activegraph.conformance.workload import append_batch, log_problem, numbered
from activegraph.core.event import Event
from activegraph.errors import ConcurrentWriterError
from activegraph.store.base import EventStore

__all__ = ["Target", "main"]

Hear = Callable[[], str]

_MOST_LOSSES = 2_000
"""Losses of one writer after which it is plain that nobody lets it in."""


class Target:
    """The store under test, as another process reaches it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._open: Any = None
        if "://" not in text:
            module, _, name = text.partition(":")
            self._open = getattr(import_module(module), name)
        else:
            # The driver is imported before the forks, once for all children.
            self.backend_and_url()

    def open(self, run_id: str, *, read_only: bool = False) -> Any:
        """A handle on one run."""
        if self._open is not None:
            return self._open(run_id, read_only=read_only)
        backend, url = self.backend_and_url()
        return backend.open(url, run_id, read_only=read_only)

    def backend_and_url(self) -> tuple[Any, Any]:
        """What serves the target's URL, and the URL's parts."""
        from activegraph.store.registry import backend_of
        from activegraph.store.url import parse_store_url

        url = parse_store_url(self.text)
        return backend_of(url), url


def contend(target: Target, say: Say, *, run: str, processes: int, batches: int, size: int) -> None:
    """Several processes append to one run, each reloading and trying again when it lost."""

    def write(name: int) -> Callable[[Say, Hear], None]:
        def task(say: Say, hear: Hear) -> None:
            store = target.open(run)
            lost = 0
            for batch in range(batches):
                say({"ready": batch})
                hear()
                while True:
                    # What it expected stands in the events, so that a reader of the log can tell who was let in wrongly.
                    at = store.count() if batch % 2 else sum(1 for _ in store.iter_events())
                    payload = {"w": name, "b": batch, "at": at}
                    made = [Event(f"{name}_{batch}_{n}", "work.done", {**payload, "n": n}) for n in range(size)]
                    try:
                        store.append_many(made, expected_count=at)
                        break
                    except ConcurrentWriterError:
                        lost += 1
                        if lost > _MOST_LOSSES:
                            raise
            say({"writer": name, "lost": lost})

        return task

    # Each batch begins in all of them together: a process that is done before the next one begins meets nobody.
    children = [Child(write(n)) for n in range(processes)]
    for _ in range(batches):
        for child in children:
            message = child.next_message()
            if message is not None and "error" in message:
                say(message)
        for child in children:
            child.send()
    for _, message in gather(children):
        say(message)


def race(target: Target, say: Say, *, run: str, processes: int, rounds: int, size: int = 1) -> None:
    """In each round all processes try the same position; tells who won and what the others were told."""

    def write(name: int) -> Callable[[Say, Hear], None]:
        def task(say: Say, hear: Hear) -> None:
            store = target.open(run)
            say({"ready": name})
            while (line := hear()) != "stop":
                made = [Event(f"{line}_{name}_{n}", "work.done", {"w": name}) for n in range(size)]
                try:
                    store.append_many(made, expected_count=int(line))
                    say({"won": name})
                except ConcurrentWriterError as error:
                    say({"lost": name, "expected": error.expected_count, "actual": error.actual_count})
                except Exception as error:
                    say({"error": type(error).__name__, "text": str(error)[:500]})

        return task

    children = [Child(write(n)) for n in range(processes)]
    for child in children:
        child.next_message()
    for round in range(rounds):
        for child in children:
            child.send(str(round * size))
        say({"round": round, "results": [child.next_message() for child in children]})
    for child in children:
        child.send("stop")
        child.wait()


def own(target: Target, say: Say, *, runs: list[str], batches: int, size: int) -> None:
    """Each process writes a run of its own."""

    def write(run: str) -> Callable[[Say, Hear], None]:
        def task(say: Say, hear: Hear) -> None:
            store = target.open(run)
            hear()
            for batch in range(batches):
                append_batch(store, numbered(batch * size + 1, size))
            say({"run": run, "written": batches * size})

        return task

    _together([write(run) for run in runs], say)


def first(target: Target, say: Say, *, runs: list[str]) -> None:
    """All processes open a place that holds nothing yet at the same moment, and append."""

    def open_and_append(run: str) -> Callable[[Say, Hear], None]:
        def task(say: Say, hear: Hear) -> None:
            hear()
            store = target.open(run)
            append_batch(store, numbered(1, 2))
            store.close()
            say({"run": run})

        return task

    _together([open_and_append(run) for run in runs], say)


def stream(target: Target, say: Say, *, run: str, batches: int, size: int) -> None:
    """One process appends batches, others read over and over; tells what the readers saw that they must not."""

    def write(say: Say, hear: Hear) -> None:
        store = target.open(run)
        hear()
        for batch in range(batches):
            append_batch(store, numbered(batch * size + 1, size))
        say({"written": batches * size})

    def read(read_only: bool) -> Callable[[Say, Hear], None]:
        def task(say: Say, hear: Hear) -> None:
            store = target.open(run, read_only=read_only)
            hear()
            reads = seen = 0
            deadline = time.monotonic() + 60
            while seen < batches * size and time.monotonic() < deadline:
                found = list(store.iter_events())
                problem = log_problem(found, size=size, at_least=seen)
                if problem is not None:
                    say({"error": "torn", "text": problem})
                    return
                seen = len(found)
                reads += 1
            say({"reads": reads, "seen": seen})

        return task

    append_batch(target.open(run), numbered(1, 0))
    _together([write, read(False), read(False)], say)


def write_until(target: Target, say: Say, *, run: str, batches: int, size: int) -> None:
    """Append batches in this process, telling after each; the parent reads meanwhile."""
    store = target.open(run)
    for batch in range(batches):
        append_batch(store, numbered(batch * size + 1, size))
        say({"head": (batch + 1) * size})


def hold(target: Target, say: Say, *, run: str) -> None:
    """Die by SIGKILL with a transaction open, or right after a commit where there are none."""

    def task(say: Say, hear: Hear) -> None:
        store: Any = target.open(run)
        if hasattr(store, "transaction"):
            with store.transaction():
                append_batch(store, numbered(1, 3))
                say({"holding": True})
                hear()
        else:
            append_batch(store, numbered(1, 3))
            say({"holding": False})
            hear()

    child = Child(task)
    said = child.next_message()
    child.kill()
    say(said or {"error": "silent", "text": "the child ended without a word"})


def read_all(target: Target, say: Say, *, run: str, user: int | None = None) -> None:
    """Read a run through a read-only handle, as another user where one is given."""

    def read() -> Message:
        store: EventStore = target.open(run, read_only=True)
        return {"ids": [each.id for each in store.iter_events()], "count": store.count()}

    if user is not None:
        read()  # loads every module while this process may still read the interpreter's files
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)
    try:
        say(read())
    except Exception as error:
        say({"error": type(error).__name__, "text": str(error)[:2000]})


def _together(tasks: list[Callable[[Say, Hear], None]], say: Say) -> None:
    """Fork all, then let them go at the same moment, and pass on what they say."""
    held, holding = os.pipe()

    def waiting(task: Callable[[Say, Hear], None]) -> Callable[[Say, Hear], None]:
        def started(say: Say, hear: Hear) -> None:
            os.close(holding)
            say({"ready": True})
            # Ends for all of them when the parent closes the other side.
            task(say, lambda: os.read(held, 1).decode())

        return started

    children = [Child(waiting(task)) for task in tasks]
    for child in children:
        child.next_message()
    os.close(holding)
    for _, message in gather(children):
        say(message)


def _commands() -> dict[str, Callable[..., None]]:
    from activegraph.conformance import kills

    return {
        "contend": contend,
        "race": race,
        "own": own,
        "first": first,
        "stream": stream,
        "write": write_until,
        "hold": hold,
        "read": read_all,
        "storm": kills.storm,
        "sweep": kills.sweep,
        "kill": kills.kill,
    }


def main(arguments: list[str] | None = None) -> None:
    """Run one command and tell its results on the standard output."""
    target, command, options = sys.argv[1:] if arguments is None else arguments

    def say(message: Message) -> None:
        tell(1, message)

    _commands()[command](Target(target), say, **loads(options))


if __name__ == "__main__":
    main()
