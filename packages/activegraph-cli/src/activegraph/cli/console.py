"""The three ways out: results to stdout, everything else to stderr, progress to a terminal.

Nothing else in this distribution writes anywhere. What goes to stderr is masked once more, so that
no password of a URL is shown whatever an error or a parser says of its arguments.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import IO, Any

__all__ = ["Console", "ResultLost", "ResultStream"]

_RED, _DIM, _PLAIN = "\x1b[31m", "\x1b[2m", "\x1b[0m"
_ERASE = "\r\x1b[K"
_SILENT_SECONDS = 0.5
"""How long a command may take before progress is shown."""
_REDRAW_SECONDS = 0.1
_BAR = 24
_COLUMNS = 80
"""Of a terminal that does not say how wide it is."""


class ResultLost(OSError):
    """Stdout takes no more: a full disk, a descriptor that was closed. A closed pipe is no such thing."""


class ResultStream:
    """Stdout as a stream of UTF-8 bytes, whatever stands there: a terminal, a pipe, or a text stream."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._bytes: IO[bytes] | None = getattr(stream, "buffer", None)
        if self._bytes is not None:
            stream.flush()

    def write(self, data: bytes) -> int:
        """Write all of `data`."""
        with _as_lost():
            if self._stream is None:
                # What Python makes of a descriptor that was closed before it started.
                raise OSError(errno.EBADF, os.strerror(errno.EBADF))
            if self._bytes is not None:
                self._bytes.write(data)
            else:
                self._stream.write(data.decode("utf-8"))
        return len(data)

    def flush(self) -> None:
        """Hand everything on."""
        with _as_lost():
            if self._stream is not None:
                self._stream.flush()


@contextlib.contextmanager
def _as_lost() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise ResultLost(error.errno, error.strerror) from error


class Console:
    """Where a command writes."""

    def __init__(self, *, quiet: bool = False, no_color: bool = False) -> None:
        self.quiet = quiet
        self.result = ResultStream(sys.stdout)
        self._stderr = sys.stderr
        on_terminal = self._stderr is not None and self._stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._colored = on_terminal and not no_color and not os.environ.get("NO_COLOR")
        self._animated = on_terminal and not quiet

    def print(self, text: str) -> None:
        """Write result lines."""
        self.result.write(f"{text}\n".encode("utf-8", "backslashreplace"))

    def note(self, text: str) -> None:
        """Say something that is not the result; nothing where `--quiet` was asked for."""
        if not self.quiet:
            self._say(text, _DIM)

    def error(self, text: str) -> None:
        """Say why it failed; the first line stands out on a terminal."""
        first, separator, rest = text.partition("\n")
        self._say(first, _RED)
        if separator:
            self._say(rest, "")

    @contextlib.contextmanager
    def foreign_code(self) -> Iterator[None]:
        """While it runs code of the user's: what that prints goes to stderr, since stdout is the result's."""
        with contextlib.redirect_stdout(self._stderr):
            yield

    def _say(self, text: str, color: str) -> None:
        from activegraph.store.url import safe_url

        shown = "\n".join(safe_url(line) for line in text.split("\n"))
        if color and self._colored:
            shown = f"{color}{shown}{_PLAIN}"
        self._write_error(f"{shown}\n")

    def _write_error(self, text: str) -> None:
        if self._stderr is None:
            return
        # There is nobody left to tell.
        with contextlib.suppress(OSError, ValueError):
            self._stderr.write(text.encode("utf-8", "backslashreplace").decode("utf-8"))
            self._stderr.flush()

    @contextlib.contextmanager
    def progress(self, label: str, unit: str, *, quiet: bool = False) -> Iterator[Callable[[int, int], None] | None]:
        """Something to tell how far work has got (done, in all); None where nobody would see it.

        Shown on a terminal only, after half a second, and gone at the end.
        """
        if quiet or not self._animated:
            yield None
            return
        bar = _Bar(label, unit, self._write_error, _columns(self._stderr))
        try:
            yield bar.tell
        finally:
            bar.erase()


def _columns(terminal: Any) -> int:
    try:
        return os.get_terminal_size(terminal.fileno()).columns or _COLUMNS
    except (OSError, ValueError):
        return _COLUMNS


class _Bar:
    def __init__(self, label: str, unit: str, write: Callable[[str], None], columns: int) -> None:
        # What is wider would go on in the next line, and only that one is erased.
        self._width = columns - 1
        self._label = label
        self._unit = unit
        self._write = write
        self._began = self._drawn = time.monotonic()
        self._shown = False

    def tell(self, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._began < _SILENT_SECONDS or (self._shown and now - self._drawn < _REDRAW_SECONDS):
            return
        self._shown, self._drawn = True, now
        rate = f"{done / (now - self._began):,.0f} {self._unit}/s"
        filled = min(_BAR, _BAR * done // total) if total else 0
        counts = f"{done:,}/{total:,}" if total else f"{done:,}"
        line = f"{self._label} [{'#' * filled}{'.' * (_BAR - filled)}] {counts} {rate}"
        self._write(f"{_ERASE}{line[: self._width]}")

    def erase(self) -> None:
        if self._shown:
            self._write(_ERASE)
