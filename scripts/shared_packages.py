"""Lets griffe see the public names of packages that several distributions share.

`activegraph`, `activegraph.store` and `activegraph.packs` are open to the other distributions,
so griffe takes them for bare namespaces and reads none of their `__init__.py`. The extension
below reads them after all: what they import for type checkers is what they export. And where a
docstring says one thing about two arguments (`frame, policy: ...`), it says it about each.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import griffe

__all__ = ["SharedPackages", "load_library"]

PACKAGES = Path(__file__).resolve().parent.parent / "packages"
CORE = PACKAGES / "activegraph-core" / "src"
SHARED = ("activegraph", "activegraph.store", "activegraph.packs")

_JOINED = re.compile(r"^( +)(\w+(?:, \w+)+)(: .*\n(?:\1 +.*\n)*)", re.MULTILINE)


class SharedPackages(griffe.Extension):  # type: ignore[misc, unused-ignore] # untyped where griffe is not installed
    """Adds the names of the shared `__init__.py` files to what griffe has loaded."""

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        """Called by griffe once a package and its modules are loaded."""
        if pkg.name != "activegraph":
            return
        for path in SHARED:
            module = pkg if path == "activegraph" else pkg[path.removeprefix("activegraph.")]
            file = CORE.joinpath(*path.split("."), "__init__.py")
            read = griffe.visit(path, file, file.read_text(encoding="utf-8"))
            module.docstring = read.docstring
            for name, member in read.members.items():
                if isinstance(member, griffe.Alias) and name not in module.members:
                    module.set_member(name, griffe.Alias(name, member.target_path, parent=module))
        for each in _documented(pkg):
            each.value = _JOINED.sub(_one_by_one, f"{each.value}\n")


def _documented(module: griffe.Object) -> Iterator[griffe.Docstring]:
    for member in module.members.values():
        if not isinstance(member, griffe.Object):
            continue
        if isinstance(member, griffe.Module | griffe.Class):
            yield from _documented(member)
        if member.docstring is not None and isinstance(member, griffe.Class | griffe.Function):
            yield member.docstring


def _one_by_one(joined: re.Match[str]) -> str:
    """`    a, b: text` as `    a: text` and `    b: text`."""
    return "".join(f"{joined[1]}{name}{joined[3]}" for name in joined[2].split(", "))


@cache
def load_library() -> griffe.Module:
    """The import package of all our distributions, from their sources, nothing of it executed."""
    loader = griffe.GriffeLoader(
        search_paths=sorted(PACKAGES.glob("*/src")),
        extensions=griffe.load_extensions(SharedPackages),
        docstring_parser=griffe.Parser.google,
        allow_inspection=False,
    )
    library = loader.load("activegraph", submodules=True)
    loader.resolve_aliases(implicit=True, external=False)
    assert isinstance(library, griffe.Module)
    return library
