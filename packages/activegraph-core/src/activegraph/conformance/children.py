"""Child processes of a worker: forked before any store is open, heard through pipes, ended by SIGKILL."""

from __future__ import annotations

import json
import os
import selectors
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

__all__ = ["Child", "Message", "Say", "gather", "tell"]

Message = dict[str, Any]
Say = Callable[[Message], None]


def tell(descriptor: int, message: Message) -> None:
    """Write one message as a line, past all buffers, so that a kill loses nothing that was said."""
    text = json.dumps(message).encode("ascii") + b"\n"
    while text:
        text = text[os.write(descriptor, text) :]


class Child:
    """A process that runs `task(say, hear)` and ends; `hear()` waits for the next line of its parent."""

    def __init__(self, task: Callable[[Say, Callable[[], str]], None]) -> None:
        self.messages: list[Message] = []
        self._rest = b""
        heard, self._to_child = os.pipe()
        self.output, spoken = os.pipe()
        self.pid = os.fork()
        if self.pid:
            os.close(heard)
            os.close(spoken)
            return
        os.close(self._to_child)
        os.close(self.output)
        _become(task, heard, spoken)

    def send(self, line: str = "go") -> None:
        """Let the child hear a line."""
        with suppress(BrokenPipeError):
            os.write(self._to_child, f"{line}\n".encode("ascii"))

    def next_message(self) -> Message | None:
        """The next message; None when the child has ended."""
        while b"\n" not in self._rest:
            if not self.listen():
                return None
        return next(self.heard())

    def listen(self) -> bool:
        """Take in what the child has said; False when it has ended."""
        chunk = os.read(self.output, 65536)
        self._rest += chunk
        return bool(chunk)

    def heard(self) -> Iterator[Message]:
        """The whole messages that were taken in."""
        while b"\n" in self._rest:
            line, self._rest = self._rest.split(b"\n", 1)
            message: Message = json.loads(line)
            self.messages.append(message)
            yield message

    def kill(self) -> list[Message]:
        """End the child at once, and give everything that it has said."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        return self.wait()

    def wait(self) -> list[Message]:
        """Everything that the child says until it ends."""
        while self.next_message() is not None:
            pass
        os.close(self.output)
        os.close(self._to_child)
        os.waitpid(self.pid, 0)
        return self.messages


def _become(task: Callable[[Say, Callable[[], str]], None], heard: int, spoken: int) -> None:
    """The life of a child, which ends here whatever happens."""

    def say(message: Message) -> None:
        tell(spoken, message)

    def hear() -> str:
        line = b""
        while not line.endswith(b"\n"):
            chunk = os.read(heard, 1)
            if not chunk:
                os._exit(0)
            line += chunk
        return line.decode("ascii").strip()

    try:
        task(say, hear)
    except BaseException as error:
        say({"error": type(error).__name__, "text": str(error)[:2000]})
    finally:
        os._exit(0)


def gather(children: list[Child]) -> Iterator[tuple[Child, Message]]:
    """The messages of several children as they come, until all have ended."""
    waiting = selectors.DefaultSelector()
    for child in children:
        waiting.register(child.output, selectors.EVENT_READ, child)
    while waiting.get_map():
        for key, _ in waiting.select():
            speaker: Child = key.data
            if not speaker.listen():
                waiting.unregister(speaker.output)
            for message in speaker.heard():
                yield speaker, message
    for child in children:
        child.wait()
