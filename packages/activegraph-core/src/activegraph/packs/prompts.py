"""Prompt files: TOML front matter between two `---` lines, then the text for the model.

The text is hashed with `\\n` as line end and without a byte-order mark, so that a checkout on
another system has the same hashes.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import NamedTuple

from activegraph.errors import PackPromptLoadError
from activegraph.packs.values import PackPrompt

__all__ = ["load_prompts_from_dir"]

_EXAMPLE = '---\nversion = "1.0.0"\n---\nText for the model.'


def load_prompts_from_dir(path: str | os.PathLike[str]) -> tuple[PackPrompt, ...]:
    """The prompts of a directory's `*.md` files, in the order of the files' names; what lies below is not looked at.

    Hidden files and symbolic links are skipped.

    Raises:
        PackPromptLoadError: There is no such directory, or a file in it is no prompt; the text names it.
    """
    folder = Path(path)
    by_name: dict[str, Path] = {}
    prompts: list[PackPrompt] = []
    for file in _files(folder):
        prompt = _prompt(file)
        if prompt.name in by_name:
            raise _refused(
                file,
                f"the prompt name {prompt.name!r} is taken by {by_name[prompt.name].name}",
                why="A behavior finds its prompt by name.",
                how_to_fix=f'Give one of the two another name: name = "{prompt.name}_2"',
            )
        by_name[prompt.name] = file
        prompts.append(prompt)
    return tuple(prompts)


def _files(folder: Path) -> list[Path]:
    """The files that are prompts, sorted by name."""
    if not folder.is_dir():
        what = "is not a directory" if folder.exists() else "does not exist"
        raise _refused(
            folder,
            f"the directory {what}",
            why="A pack's prompts are part of what it is, so it is not made without them.",
            how_to_fix='Name a directory beside your module: Path(__file__).parent / "prompts"\n'
            "In a wheel, see that the files are among the package's data.",
        )
    try:
        entries = sorted(folder.iterdir(), key=lambda entry: entry.name)
    except OSError as error:
        raise _unreadable(folder, error) from error
    return [
        entry
        for entry in entries
        if entry.suffix == ".md" and not entry.name.startswith(".") and not entry.is_symlink() and entry.is_file()
    ]


class _Parts(NamedTuple):
    front_matter: str
    body: str


def _prompt(file: Path) -> PackPrompt:
    parts = _parts(file, _text(file))
    try:
        keys = tomllib.loads(parts.front_matter)
    except tomllib.TOMLDecodeError as error:
        raise _refused(
            file,
            f"its front matter is no TOML: {error}",
            why="Version and name of a prompt are read from there.",
            how_to_fix=f"Begin the file with:\n{_EXAMPLE}",
        ) from error
    name = keys.get("name", file.stem)
    if "version" not in keys or not isinstance(name, str) or not name:
        what = "has no `version`" if "version" not in keys else "has a `name` that is no text"
        raise _refused(
            file,
            f"its front matter {what}",
            why="The version stands beside the hash in the log, for people; the name is how a behavior finds it.",
            how_to_fix=f"Begin the file with:\n{_EXAMPLE}",
        )
    return PackPrompt.from_body(name, str(keys["version"]), parts.body)


def _text(file: Path) -> str:
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _refused(
            file,
            f"it is not UTF-8: {error.reason} at byte {error.start}",
            why="A prompt is text, and is hashed as UTF-8.",
            how_to_fix="Save the file as UTF-8.",
        ) from error
    except OSError as error:
        raise _unreadable(file, error) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _parts(file: Path, text: str) -> _Parts:
    lines = text.split("\n")
    closing = next((place for place, line in enumerate(lines[1:], 1) if line.rstrip() == "---"), None)
    if lines[0].rstrip() != "---" or closing is None:
        raise _refused(
            file,
            "it has no frontmatter between two lines `---`",
            why="Version and name of a prompt are read from there.",
            how_to_fix=f"Begin the file with:\n{_EXAMPLE}",
        )
    return _Parts("\n".join(lines[1:closing]), "\n".join(lines[closing + 1 :]))


def _unreadable(path: Path, error: OSError) -> PackPromptLoadError:
    return _refused(
        path,
        f"it cannot be read: {error.strerror}",
        why="A pack's prompts are part of what it is, so it is not made without them.",
        how_to_fix="Let this process read the file.",
    )


def _refused(path: Path, what: str, *, why: str, how_to_fix: str) -> PackPromptLoadError:
    return PackPromptLoadError(
        f"prompts of {path}: {what}",
        what_failed=f"Reading {path}: {what}.",
        why=why,
        how_to_fix=how_to_fix,
        context={"path": str(path)},
    )
