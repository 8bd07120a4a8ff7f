"""A new pack as a project of its own: files to begin from, with tests that pass as they are."""

from __future__ import annotations

import keyword
import os
import re
import shutil
import sys
import uuid
from pathlib import Path
from string import Template

from activegraph.packs.scaffold_files import FILES

__all__ = ["normalize_pack_name", "scaffold_pack"]

_NAME = re.compile(r"[a-z][a-z0-9-]*")
_TAKEN = {"activegraph", "pydantic", "pytest", "tests"}
"""Modules that a pack beside its tests would hide."""


def normalize_pack_name(raw: str) -> tuple[str, str]:
    """The names of a pack's distribution and of its module: `my-pack` and `my_pack` for `"My_Pack"`.

    Raises:
        ValueError: It cannot be both; the text says why.
    """
    name = raw.strip().lower().replace("_", "-")
    if not _NAME.fullmatch(name) or name.endswith("-") or "--" in name:
        raise ValueError(
            f"pack name {raw!r} must be letters, digits and single hyphens, with a letter first and no hyphen last"
        )
    module = name.replace("-", "_")
    if keyword.iskeyword(module):
        raise ValueError(f"pack name {raw!r} is a Python keyword")
    if module in sys.stdlib_module_names or module in _TAKEN:
        raise ValueError(f"pack name {raw!r} is the name of another module, which it would hide")
    return name, module


def scaffold_pack(target_dir: str | os.PathLike[str], raw_name: str) -> Path:
    """Write a new pack's project into a directory of its own below `target_dir`; all files appear together.

    Returns:
        The new directory.

    Raises:
        ValueError: The name is none for a pack.
        FileExistsError: The directory exists; nothing was touched.
        FileNotFoundError, NotADirectoryError: `target_dir` is no directory.
    """
    distribution, module = normalize_pack_name(raw_name)
    project = Path(target_dir) / distribution
    if os.path.lexists(project):
        raise FileExistsError(17, "the directory exists already", str(project))
    title = "".join(part.capitalize() for part in module.split("_"))
    names = {"distribution": distribution, "module": module, "settings": f"{title}Settings"}
    draft = Path(target_dir) / f".{distribution}-{uuid.uuid4().hex}"
    try:
        draft.mkdir()
    except OSError as error:
        # Of the draft's name nobody has heard.
        raise type(error)(error.errno, error.strerror, os.fspath(target_dir)) from None
    try:
        for place, text in FILES.items():
            file = draft / Template(place).substitute(names)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(Template(text).substitute(names), encoding="utf-8", newline="\n")
        draft.rename(project)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return project
