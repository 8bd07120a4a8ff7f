"""A pooler in transaction mode: each transaction of a client goes to another session of the server.

What a store leaves in a session (a prepared statement, a setting, a lock) is gone or belongs to
somebody else by the next transaction, as behind a real pooler.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections import deque
from types import TracebackType

from support.postgres_server import PostgresServer
from support.postgres_wire import Listener, messages, read_startup, startup_done

__all__ = ["TransactionPooler"]


class TransactionPooler:
    """Hands the sessions of one server round: `with TransactionPooler(server) as pooler: connect(pooler.url)`."""

    def __init__(self, server: PostgresServer, *, sessions: int = 2) -> None:
        self._server = server
        self._listener = Listener()
        self._free: deque[socket.socket] = deque()
        self._count = sessions
        self._greeting: list[bytes] = []
        self._changed = threading.Condition()
        self._clients = 0
        self.transactions = 0
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> TransactionPooler:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.close()
        self._thread.join(10)
        for session in self._free:
            session.close()

    @property
    def url(self) -> str:
        """URL of the server's database through the pooler."""
        return self.url_for()

    def url_for(self, **params: str) -> str:
        """The same with libpq parameters."""
        return self._server.url_for(**params).replace(str(self._server.socket_directory), str(self._listener.directory))

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            startup = read_startup(client)
            with self._changed:
                while len(self._greeting) == 0 or self._count > 0:
                    self._count -= 1
                    self._greeting = self._open(startup)
                self._clients += 1
                number = self._clients
            client.sendall(b"".join(_with_own_key(self._greeting, number)))
            self._relay(client)
        except OSError:
            pass
        finally:
            client.close()

    def _open(self, startup: bytes) -> list[bytes]:
        session = socket.socket(socket.AF_UNIX)
        session.connect(str(self._server.socket_directory / ".s.PGSQL.5432"))
        session.sendall(startup)
        greeting = startup_done(session)
        self._free.append(session)
        return greeting

    def _relay(self, client: socket.socket) -> None:
        asked = bytearray()
        while data := client.recv(1 << 20):
            asked += data
            if not _is_whole_question(asked):
                continue
            if asked[:1] == b"X":
                return
            with self._changed:
                while not self._free:
                    self._changed.wait()
                session = self._free.popleft()  # the one that rested longest, so the next one is another
                self.transactions += 1
            if not self._transaction(client, session, asked):
                return
            asked = bytearray()

    def _transaction(self, client: socket.socket, session: socket.socket, asked: bytearray) -> bool:
        while True:
            session.sendall(bytes(asked))
            answer = bytearray()
            while not answer.endswith((b"Z\x00\x00\x00\x05I", b"Z\x00\x00\x00\x05T", b"Z\x00\x00\x00\x05E")):
                data = session.recv(1 << 20)
                if not data:
                    return False
                answer += data
                client.sendall(data)
            if answer.endswith(b"I"):
                with self._changed:
                    self._free.append(session)
                    self._changed.notify()
                return True
            asked = bytearray()
            while not _is_whole_question(asked):
                data = client.recv(1 << 20)
                if not data:
                    session.close()
                    return False
                asked += data


def _is_whole_question(asked: bytearray) -> bool:
    """Whether a client has said all that it waits to have answered."""
    rest = bytearray(asked)
    kinds = [message[:1] for message in messages(rest)]
    return not rest and bool(kinds) and kinds[-1] in (b"S", b"Q", b"X")


def _with_own_key(greeting: list[bytes], number: int) -> list[bytes]:
    """The greeting with a process id that no server knows, as poolers give it out."""
    key = b"K" + struct.pack("!iii", 12, 1_000_000 + number, 4711)
    return [key if message[:1] == b"K" else message for message in greeting]
