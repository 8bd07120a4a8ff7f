"""Writes a program that imports every public name: `python write_imports.py FILE`. Type checkers must know them all."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

MODULES = ("activegraph", "activegraph.errors", "activegraph.llm", "activegraph.store")


def program() -> str:
    """One import a line; each name under an alias of its own, since modules share names."""
    lines = []
    for module in MODULES:
        prefix = module.replace(".", "_")
        for name in importlib.import_module(module).__all__:
            lines.append(f"from {module} import {name} as {prefix}_{name}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(program())
