"""The checks of the house. `uv run nox` runs those that a change must pass; `uv run nox -l` lists all.

Every session gets what uv.lock says, nothing else. Our own distributions are editable where
tests run, and built wheels in one environment where something looks at the whole import
package (one package spread over several `src/` folders is more than most tools can see).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import nox

PYTHONS = ["3.11", "3.12", "3.13"]
ROOT = Path(__file__).parent
PACKAGES = sorted(path.name for path in (ROOT / "packages").iterdir() if (path / "pyproject.toml").is_file())
SOURCES = [f"packages/{name}/src" for name in PACKAGES]
TYPED = ["noxfile.py", "benchmarks", "scripts", "tests/docs", "tests/house", "tests/wheels", "tests/examples"]
"""What else has strict types."""

OWN_SESSIONS = ["docs", "wheels", "examples"]
"""Folders of `tests/` that a session of the same name runs."""

SWEEPS = ["conformance", "crash", "durability"]
"""Folders of `tests/` that start and kill processes by the hundred: on the newest Python only."""

WORKERS = "--numprocesses=3"
"""Processes that share the tests: more than two cores, since a test often waits for a disk, a server or another process."""

STORES = {"memory": "memory:", "sqlite": "sqlite:///{tmp}/c.db", "postgres": "{postgres}"}
METRICS = {
    "noop": ["--metrics=activegraph.metrics:NoOpMetrics"],
    "recording": [
        "--metrics=activegraph.conformance.recording:RecordingMetrics",
        "--metrics-read=activegraph.conformance.recording:read",
    ],
    "prometheus": ["--metrics=support.prometheus:alone", "--metrics-read=support.prometheus:read"],
}
IS_GIVEN = "--" in sys.argv
"""Whether arguments say what is tested. One combination of the matrix is then enough, and has its environments made."""

NO_POSTGRES = 77
"""Exit code of `support.with_postgres` where no server can be had."""


def _show_all_pyenv_versions() -> None:
    """Let `python3.12` be found where pyenv has it but selects another."""
    if shutil.which("pyenv") is None:
        return
    listed = subprocess.run(["pyenv", "versions", "--bare"], capture_output=True, text=True, check=False).stdout.split()
    wanted = [name for name in listed if name.startswith(tuple(f"{python}." for python in PYTHONS))]
    # What is selected now stays first: it is what plain `python` means, here and in pyenv's own wrappers.
    selected = os.environ.get("PYENV_VERSION", "").split(":")
    os.environ["PYENV_VERSION"] = ":".join(dict.fromkeys([name for name in [*selected, *wanted] if name]))


def _newest_python() -> str:
    """The newest of `PYTHONS` that runs here."""
    for python in reversed(PYTHONS):
        program = shutil.which(f"python{python}")
        if program and subprocess.run([program, "--version"], capture_output=True, check=False).returncode == 0:
            return python
    return f"{sys.version_info.major}.{sys.version_info.minor}"


_show_all_pyenv_versions()
# Images for containers often set it, and then each of the hundreds of processes that tests start
# would compile again all that it imports.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv"
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = False
nox.options.reuse_venv = "yes"
NEWEST = _newest_python()
# The tests of the newest Python hold the suites on SQLite and PostgreSQL, one by one and in pairs.
# The whole matrix of stores, metrics backends and interpreters is `nox -s conformance`.
nox.options.sessions = ["lint", "types", "wheels", "docs", "examples", f"conformance-{NEWEST}(memory, noop)", "tests"]


def sync(session: nox.Session, *options: str) -> None:
    """Bring the session's environment to what uv.lock says for `options`."""
    place = session.virtualenv.location
    session.run_install(
        *("uv", "sync", "--quiet", "--locked", "--no-default-groups", f"--python={place}", *options),
        env={"UV_PROJECT_ENVIRONMENT": place},
        external=True,
    )


def install_wheels(session: nox.Session, *groups: str) -> None:
    """Install our distributions from wheels that are built now, beside what `groups` bring."""
    wheels = Path(session.create_tmp()) / "wheels"
    shutil.rmtree(wheels, ignore_errors=True)
    sync(session, "--all-packages", "--all-extras", "--no-install-workspace", *[f"--group={name}" for name in groups])
    session.run_install("uv", "build", "--quiet", "--all-packages", "--wheel", f"--out-dir={wheels}", external=True)
    session.run_install("uv", "pip", "install", "--quiet", "--no-deps", *map(str, wheels.glob("*.whl")), external=True)


def beside_postgres(session: nox.Session, *command: str) -> list[str]:
    """`command` as it runs beside a PostgreSQL server; skips the session by name where none can be had."""
    wrapper = ["python", "-m", "support.with_postgres"]
    refusal = session.run(
        *wrapper, "true", env={"PYTHONPATH": "tests"}, silent=True, success_codes=[0, NO_POSTGRES], log=False
    )
    if str(refusal).strip():
        session.skip(str(refusal).strip())
    return [*wrapper, *command]


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """All tests but those of the other sessions; arguments after -- go to pytest."""
    sync(session, "--all-packages", "--all-extras", "--group=test")
    if session.posargs:
        session.run("pytest", *session.posargs)
        return
    left_out, scale = (OWN_SESSIONS, "usual") if session.python == NEWEST else ([*OWN_SESSIONS, *SWEEPS], "small")
    scale = os.environ.get("ACTIVEGRAPH_TEST_SCALE", scale)
    ignored = [f"--ignore=tests/{name}" for name in left_out]
    session.run("pytest", WORKERS, *ignored, env={"ACTIVEGRAPH_TEST_SCALE": scale})


def is_distribution(path: Path) -> bool:
    """Whether a path is what can be installed: a wheel, or a folder with a project in it."""
    return (path.suffix == ".whl" and path.is_file()) or (path / "pyproject.toml").is_file()


def matrix(choices: dict[str, Any]) -> list[Any]:
    """The values of one side of the conformance matrix; only the first where arguments replace them all."""
    chosen = list(choices.items())[: 1 if IS_GIVEN else None]
    return [nox.param(value, id=name) for name, value in chosen]


@nox.session(python=PYTHONS)
@nox.parametrize("metrics", matrix(METRICS))
@nox.parametrize("store", matrix(STORES))
def conformance(session: nox.Session, store: str, metrics: list[str]) -> None:
    """The shared suites against one store and metrics backend; arguments after -- replace both.

    A wheel or a project's folder among them is installed: `-- ../my_store --store-url mydb://host/db`.
    """
    sync(session, "--all-packages", "--all-extras", "--group=test")
    suite = ["pytest", "--pyargs", "activegraph.conformance"]
    if session.posargs:
        brought = [argument for argument in session.posargs if is_distribution(Path(argument))]
        # The worked example is always there; its own dependencies are ours.
        install = ["uv", "pip", "install", "--quiet"]
        session.run_install(*install, "--no-deps", str(ROOT / "examples" / "third_party_store"), external=True)
        if brought:
            session.run_install(*install, *brought, external=True)
        session.run(*suite, *[argument for argument in session.posargs if argument not in brought])
        return
    suite += [f"--store-url={store}", *metrics, "--require-all"]
    if "{postgres}" in store:
        suite = beside_postgres(session, *suite)
    session.run(*suite, env={"PYTHONPATH": "tests"})


@nox.session
def lint(session: nox.Session) -> None:
    """Rules, format, and the borders between the rooms."""
    install_wheels(session, "lint")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("lint-imports", "--no-cache")


@nox.session
def types(session: nox.Session) -> None:
    """Strict types of every package, and what type checkers make of a user's program."""
    install_wheels(session, "test", "types", "docs")
    if session.posargs:
        session.run("mypy", *session.posargs)
        return
    session.run("mypy", *SOURCES, *TYPED)
    imports = str(Path(session.create_tmp()) / "every_public_name.py")
    session.run("python", "tests/types/write_imports.py", imports)
    for program in ("tests/types/user_program.py", imports):
        session.run("mypy", "--strict", "--config-file=", program)
        session.run("pyright", program)


@nox.session
def docs(session: nox.Session) -> None:
    """The site, without a warning; every command and snippet, run; errors and public names against their pages."""
    # MkDocs counts no warning that `--quiet` would hide. The group `lint` has what writes signatures on several lines.
    sync(session, "--all-packages", "--all-extras", "--group=test", "--group=docs", "--group=lint")
    session.run("mkdocs", "build", "--strict", env={"NO_MKDOCS_2_WARNING": "1"})
    session.run("pytest", WORKERS, "tests/docs", *session.posargs, env={"ACTIVEGRAPH_SITE": "site"})


@nox.session
def wheels(session: nox.Session) -> None:
    """Each distribution built, and installed alone into an empty environment."""
    sync(session, "--all-packages", "--group=test")
    session.run("pytest", "tests/wheels", *session.posargs)


@nox.session
def examples(session: nox.Session) -> None:
    """Every program under `examples/`, in an environment of built wheels."""
    install_wheels(session, "test")
    projects = [str(path.parent) for path in sorted(ROOT.glob("examples/*/pyproject.toml"))]
    if projects:
        session.run_install("uv", "pip", "install", "--quiet", "--no-deps", *projects, external=True)
    session.run("pytest", WORKERS, "tests/examples", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """The benchmarks, against bare drivers in the same run; arguments after -- choose rows."""
    sync(session, "--all-packages", "--all-extras", "--group=test")
    session.run("python", "-m", "benchmarks", *session.posargs)
