"""A proxy that cuts a connection at a chosen instant: before, during or after a commit.

`with CuttingProxy(server) as proxy:` and connect to `proxy.url`. `proxy.cut_next("during")` arms it
for the next message that a client sends; it also counts round trips.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Literal

from support.postgres_server import PostgresServer
from support.postgres_wire import Listener, messages, read_startup

__all__ = ["CuttingProxy", "Moment"]

Moment = Literal["before", "during", "after"]
"""Before the server gets the message; when it has it; when it has answered and the client does not know."""


class CuttingProxy:
    """Stands between clients and one server, on a socket of its own."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._listener = Listener()
        self._armed: Moment | None = None
        self._skipped = 0
        self._gaps: Iterator[int] | None = None
        self.refusing = False
        """Close new connections at once, as if the server were away."""
        self._lock = threading.Lock()
        self.round_trips = 0
        """Times that a client asked and waited, since the last reset by the test."""
        self.cuts = 0
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> CuttingProxy:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.close()
        self._thread.join(10)

    @property
    def url(self) -> str:
        """URL of the server's database through the proxy."""
        return self.url_for()

    def url_for(self, **params: str) -> str:
        """The same with libpq parameters."""
        return self._server.url_for(**params).replace(str(self._server.socket_directory), str(self._listener.directory))

    def cut_next(self, moment: Moment) -> None:
        """Cut the connection that sends next."""
        self.cut_after(0, moment)

    def cut_after(self, skipped: int, moment: Moment) -> None:
        """Cut the connection that sends next but `skipped`."""
        with self._lock:
            self._armed, self._skipped, self._gaps = moment, skipped, None

    def cut_again(self, gaps: Iterator[int], moment: Moment) -> None:
        """Cut again and again; each number of `gaps` says how many messages pass before the next cut."""
        with self._lock:
            self._gaps = gaps
            self._armed, self._skipped = moment, next(gaps)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.socket.accept()
            except OSError:
                return
            if self.refusing:
                client.close()
                continue
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        server = socket.socket(socket.AF_UNIX)
        try:
            startup = read_startup(client)
            server.connect(str(self._server.socket_directory / ".s.PGSQL.5432"))
            server.sendall(startup)
            link = _Link(self, client, server)
            threading.Thread(target=link.answers, daemon=True).start()
            link.questions()
        except OSError:
            pass
        finally:
            _end(client)
            _end(server)

    def take_cut(self) -> Moment | None:
        """The armed moment if its time has come; it is not armed any more then."""
        with self._lock:
            if self._armed is not None and self._skipped > 0:
                self._skipped -= 1
                return None
            moment = self._armed
            if moment is not None:
                self.cuts += 1
            if self._gaps is None:
                self._armed = None
            else:
                self._skipped = next(self._gaps)
            return moment


class _Link:
    def __init__(self, proxy: CuttingProxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server
        self._cut_after = False

    def questions(self) -> None:
        buffer = bytearray()
        while data := self._client.recv(1 << 20):
            buffer += data
            asked = list(messages(buffer))
            if any(message[:1] in (b"S", b"Q") for message in asked):
                moment = self._proxy.take_cut()
                self._proxy.round_trips += sum(message[:1] in (b"S", b"Q") for message in asked)
                if moment == "before":
                    return
                self._cut_after = moment == "after"
                self._server.sendall(b"".join(asked))
                if moment == "during":
                    return
            else:
                self._server.sendall(b"".join(asked))

    def answers(self) -> None:
        buffer = bytearray()
        try:
            while data := self._server.recv(1 << 20):
                buffer += data
                said = list(messages(buffer))
                if self._cut_after:
                    if any(message[:1] == b"Z" for message in said):
                        break
                    continue
                self._client.sendall(b"".join(said))
        except OSError:
            pass
        _end(self._client)
        _end(self._server)


def _end(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
