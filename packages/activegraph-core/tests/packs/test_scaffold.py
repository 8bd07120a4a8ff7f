"""A new pack's project: its names, its files, all of them or none, and that its own tests pass."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from activegraph.packs.scaffold import normalize_pack_name, scaffold_pack
from activegraph.packs.scaffold_files import FILES


@pytest.mark.parametrize(
    ("raw", "names"),
    [
        ("my-pack", ("my-pack", "my_pack")),
        (" My_Pack\n", ("my-pack", "my_pack")),
        ("a", ("a", "a")),
        ("pack2-v3", ("pack2-v3", "pack2_v3")),
    ],
)
def test_a_name_is_one_for_the_distribution_and_one_for_the_module(raw: str, names: tuple[str, str]) -> None:
    assert normalize_pack_name(raw) == names


@pytest.mark.parametrize(
    "raw",
    [
        *(
            "",
            "  ",
            "2pack",
            "-pack",
            "pack-",
            "my--pack",
            "my_-pack",
            "my pack",
            "päck",
            "my.pack",
            "a/b",
            "..",
            "p\0",
        ),
        *("class", "lambda", "json", "collections", "activegraph", "ActiveGraph", "tests", "pydantic"),
    ],
)
def test_what_cannot_be_both_is_refused(raw: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="pack name"):
        normalize_pack_name(raw)
    with pytest.raises(ValueError, match="pack name"):
        scaffold_pack(tmp_path, raw)
    assert list(tmp_path.iterdir()) == []


def test_the_project_has_the_files_that_a_pack_begins_with(tmp_path: Path) -> None:
    project = scaffold_pack(tmp_path, "My_Pack")

    assert project == tmp_path / "my-pack"
    assert sorted(str(file.relative_to(project)) for file in project.rglob("*") if file.is_file()) == [
        "README.md",
        "my_pack/__init__.py",
        "my_pack/behaviors.py",
        "my_pack/object_types.py",
        "my_pack/prompts/example_prompt.md",
        "my_pack/settings.py",
        "my_pack/tools.py",
        "pyproject.toml",
        "tests/test_pack_loads.py",
    ]
    assert [entry.name for entry in tmp_path.iterdir()] == ["my-pack"]
    assert not any("$" in file.read_text() for file in project.rglob("*") if file.is_file())
    assert stat.S_IMODE(project.stat().st_mode) == 0o777 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_the_project_says_what_it_needs_and_announces_its_pack(tmp_path: Path) -> None:
    said = tomllib.loads((scaffold_pack(tmp_path, "my-pack") / "pyproject.toml").read_text())

    project = said["project"]
    assert (project["name"], project["version"], project["requires-python"]) == ("my-pack", "0.1.0", ">=3.11")
    assert project["dependencies"] == ["activegraph", "pydantic>=2"]
    assert project["entry-points"] == {"activegraph.packs": {"my_pack": "my_pack:pack"}}
    assert said["tool"]["setuptools"]["package-data"] == {"my_pack": ["prompts/*.md"]}


def test_its_own_tests_pass_as_they_are(tmp_path: Path) -> None:
    project = scaffold_pack(tmp_path, "two-word-pack")

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout


def test_its_pack_is_what_its_files_say(tmp_path: Path) -> None:
    project = scaffold_pack(tmp_path, "my-pack")
    code = (
        "from my_pack import MyPackSettings, pack\n"
        "print(pack.name, pack.version, [t.name for t in pack.object_types], [b.name for b in pack.behaviors])\n"
        "print([p.name for p in pack.prompts], pack.tools, pack.relation_types, MyPackSettings().threshold)\n"
    )

    printed = subprocess.run(
        [sys.executable, "-c", code], cwd=project, capture_output=True, text=True, check=True
    ).stdout

    assert printed.splitlines() == ["my_pack 0.1.0 ['item'] ['hello']", "['example_prompt'] () () 0.5"]


@pytest.mark.parametrize("kind", ["directory", "file", "dangling link"])
def test_what_exists_is_never_touched(kind: str, tmp_path: Path) -> None:
    place = tmp_path / "my-pack"
    if kind == "directory":
        place.mkdir()
    elif kind == "file":
        place.write_text("mine")
    else:
        place.symlink_to(tmp_path / "nowhere")

    with pytest.raises(FileExistsError, match="my-pack"):
        scaffold_pack(tmp_path, "my-pack")

    assert [entry.name for entry in tmp_path.iterdir()] == ["my-pack"]
    assert kind != "directory" or list(place.iterdir()) == []


def test_a_target_that_is_no_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(FileNotFoundError) as missing:
        scaffold_pack(tmp_path / "nowhere", "my-pack")
    with pytest.raises(NotADirectoryError) as no_directory:
        scaffold_pack(tmp_path / "file", "my-pack")
    assert [refusal.value.filename for refusal in (missing, no_directory)] == [
        str(tmp_path / "nowhere"),
        str(tmp_path / "file"),
    ]


def test_a_file_that_cannot_be_written_leaves_none_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FILES, "$module/settings.py/below", "a file below a file")

    with pytest.raises(OSError, match=r"settings\.py"):
        scaffold_pack(tmp_path, "my-pack")

    assert list(tmp_path.iterdir()) == []
