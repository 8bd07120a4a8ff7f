"""Our distributions as wheels, and empty environments to install them into.

Everything of ours is installed by path: another project owns the name `activegraph` on the
public registry, so a requirement by name alone would bring a stranger's code.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email.parser import Parser
from pathlib import Path

from packaging.requirements import Requirement

__all__ = ["ROOT", "Environment", "Wheel", "build_wheels", "is_ours", "pinned_versions", "workspace_names"]

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Wheel:
    """One built wheel of ours."""

    path: Path

    @property
    def name(self) -> str:
        """The distribution's name, with dashes."""
        return self.path.name.split("-", 1)[0].replace("_", "-")

    def files(self) -> list[str]:
        """Paths inside, without the metadata folder."""
        with zipfile.ZipFile(self.path) as archive:
            return [name for name in archive.namelist() if ".dist-info/" not in name]

    def metadata(self, file: str = "METADATA") -> str:
        """A file of the metadata folder, such as `METADATA`, `entry_points.txt`, `licenses/LICENSE`; empty if absent."""
        with zipfile.ZipFile(self.path) as archive:
            for name in archive.namelist():
                if name.split(".dist-info/")[-1] == file and ".dist-info/" in name:
                    return archive.read(name).decode()
        return ""

    @property
    def source(self) -> Path:
        """The source archive that it was built from."""
        return self.path.with_name("-".join(self.path.name.split("-")[:2]) + ".tar.gz")

    def requires(self, extras: Iterable[str] = ()) -> list[Requirement]:
        """Our own distributions that it needs, with the extras that it wants of them."""
        wanted = map(Requirement, Parser().parsestr(self.metadata()).get_all("Requires-Dist") or [])
        chosen = ["", *extras]
        return [
            each
            for each in wanted
            if is_ours(each.name) and (each.marker is None or any(each.marker.evaluate({"extra": e}) for e in chosen))
        ]


def is_ours(name: str) -> bool:
    """Whether a distribution of this name is one of the workspace."""
    return name == "activegraph" or name.startswith("activegraph-")


def workspace_names() -> list[str]:
    """Names of all distributions of the workspace, the metapackage too."""
    projects = [ROOT / "pyproject.toml", *ROOT.glob("packages/*/pyproject.toml")]
    return sorted(tomllib.loads(path.read_text())["project"]["name"] for path in projects)


def build_wheels(folder: Path) -> dict[str, Wheel]:
    """Build every distribution of the workspace into `folder`: a source archive, and the wheel from it, by name."""
    _run("uv", "build", "--quiet", "--all-packages", f"--out-dir={folder}", cwd=ROOT)
    return {wheel.name: wheel for wheel in map(Wheel, sorted(folder.glob("*.whl")))}


def pinned_versions(file: Path) -> Path:
    """Write what uv.lock says about other people's packages to `file`, as constraints."""
    options = ("--all-packages", "--all-extras", "--no-hashes", "--no-emit-workspace", "--no-annotate", "--no-header")
    _run("uv", "export", "--quiet", "--locked", *options, f"--output-file={file}", cwd=ROOT)
    return file


class Environment:
    """A virtual environment that begins empty, at `place`."""

    def __init__(self, place: Path, constraints: Path) -> None:
        self.place = place
        self._constraints = constraints
        _run("uv", "venv", "--quiet", "--no-project", f"--python={sys.executable}", str(place))

    def install(self, wheels: dict[str, Wheel], *requirements: str) -> None:
        """Install what `pip install` with these requirements does: ours by path, others in the versions of uv.lock."""
        wanted, ours, others = [Requirement(text) for text in requirements], dict[str, set[str]](), list[str]()
        while wanted:
            each = wanted.pop()
            if not is_ours(each.name):
                others.append(str(each))
            elif each.name not in ours or not each.extras <= ours[each.name]:
                ours.setdefault(each.name, set()).update(each.extras)
                wanted += wheels[each.name].requires(ours[each.name])
        named = [f"{name}[{','.join(sorted(extras))}] @ {wheels[name].path.as_uri()}" for name, extras in ours.items()]
        self.install_requirements(*(text.replace("[]", "") for text in named), *others)

    def install_requirements(self, *requirements: str) -> None:
        """Install other people's packages, in the versions of uv.lock, or wheels by path."""
        python = f"--python={self.place / 'bin' / 'python'}"
        _run("uv", "pip", "install", "--quiet", python, f"--constraint={self._constraints}", *requirements)

    def run(
        self, *command: str, cwd: Path, check: bool = True, also: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a program of this environment in the folder `cwd`, with an empty home and the variables of `also`."""
        program = str(self.place / "bin" / command[0])
        return _run(program, *command[1:], cwd=cwd, check=check, env={**_bare_environment(cwd), **(also or {})})

    def python(self, code: str, *, cwd: Path) -> str:
        """What `code` prints."""
        return self.run("python", "-c", code, cwd=cwd).stdout

    def installed(self) -> dict[str, str | None]:
        """Name of each installed distribution, and the address that it came from; None for an index."""
        found: dict[str, str | None] = {}
        for folder in self.place.glob("lib/python*/site-packages/*.dist-info"):
            name = str(Parser().parsestr((folder / "METADATA").read_text())["Name"])
            origin = folder / "direct_url.json"
            found[name] = json.loads(origin.read_text())["url"] if origin.is_file() else None
        return found


def _bare_environment(home: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    return {**kept, "HOME": str(home)}


def _run(
    *command: str, cwd: Path | None = None, check: bool = True, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, cwd=cwd, env=env, check=False, capture_output=True, text=True)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done
