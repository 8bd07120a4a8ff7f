"""Just enough of PostgreSQL's wire protocol for the proxies that tests put between a store and its server."""

from __future__ import annotations

import contextlib
import socket
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path

__all__ = ["SSL_REQUEST", "Listener", "messages", "read_startup", "startup_done"]

SSL_REQUEST = 80877103
GSS_REQUEST = 80877104


class Listener:
    """A socket folder of its own, as libpq's `host=` takes it."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="agpx", dir="/tmp")
        self.directory = Path(self._folder.name)
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(self.directory / ".s.PGSQL.5432"))
        self.socket.listen(64)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self._folder.cleanup()


def read_startup(client: socket.socket) -> bytes:
    """The startup packet of a client; offers of encryption are declined."""
    while True:
        head = _exactly(client, 8)
        length, code = struct.unpack("!ii", head)
        if code in (SSL_REQUEST, GSS_REQUEST):
            client.sendall(b"N")
            continue
        return head + _exactly(client, length - 8)


def messages(buffer: bytearray) -> Iterator[bytes]:
    """Whole messages at the front of `buffer`, taken out of it."""
    while len(buffer) >= 5:
        length = int.from_bytes(buffer[1:5], "big") + 1
        if len(buffer) < length:
            return
        message = bytes(buffer[:length])
        del buffer[:length]
        yield message


def startup_done(server: socket.socket) -> list[bytes]:
    """What the server says until it is ready for the first query."""
    buffer, said = bytearray(), []
    while True:
        data = server.recv(65536)
        if not data:
            raise ConnectionError("the server refused the session")
        buffer += data
        for message in messages(buffer):
            said.append(message)
            if message[:1] == b"Z":
                return said


def _exactly(source: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = source.recv(count - len(data))
        if not more:
            raise ConnectionError("the client went away")
        data += more
    return data
