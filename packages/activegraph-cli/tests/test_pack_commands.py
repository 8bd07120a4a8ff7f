"""`pack list` and `pack new`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from activegraph.packs import discover
from support.cli import Said, process
from support.installed_packs import installed_from, write_pack

Cli = Callable[..., Said]


def test_installed_packs_are_listed_by_name(cli: Cli, tmp_path: Path) -> None:
    write_pack(tmp_path, "storage", version="1.2.0")
    write_pack(tmp_path, "a_name_of_more_than_twenty_four_letters")
    with installed_from(tmp_path):
        said = cli("pack", "list")

    assert (said.code, said.err) == (0, "")
    assert "  storage                  1.2.0      storage_module:pack" in said.lines
    assert (
        "  a_name_of_more_than_twenty_four_letters 1.0.0      a_name_of_more_than_twenty_four_letters_module:pack"
        in said.lines
    )
    assert said.lines == sorted(said.lines)


def test_json_has_name_version_and_entry_point(cli: Cli, tmp_path: Path) -> None:
    write_pack(tmp_path, "storage", version="1.2.0")
    with installed_from(tmp_path):
        shown = json.loads(cli("pack", "list", "--json").out)

    assert {"name": "storage", "version": "1.2.0", "entry_point": "storage_module:pack"} in shown


def test_a_pack_that_cannot_be_imported_is_named_and_left_out(cli: Cli, tmp_path: Path) -> None:
    write_pack(tmp_path, "broken", source="raise RuntimeError('out of order')")
    write_pack(tmp_path, "storage")
    with installed_from(tmp_path):
        said, quiet = cli("pack", "list"), cli("pack", "list", "--quiet")

    assert said.code == 0
    assert "broken_module" not in said.out
    assert said.err == (
        "note: pack entry point 'broken' (broken_module:pack) raised RuntimeError: out of order; it is skipped\n"
    )
    assert (quiet.code, "storage" in quiet.out) == (0, True)


def test_what_a_pack_prints_when_it_is_imported_is_none_of_the_result(cli: Cli, tmp_path: Path) -> None:
    source = "print('loading')\nfrom activegraph.packs import Pack\npack = Pack({name!r}, {version!r})"
    write_pack(tmp_path, "loud", source=source)
    with installed_from(tmp_path):
        said = cli("pack", "list", "--json")

    assert "loud" in [each["name"] for each in json.loads(said.out)]
    assert said.err == "loading\n"


def test_where_no_pack_is_installed_it_says_so(cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from activegraph.packs import discovery

    with installed_from(tmp_path):
        # The environment of the tests has packs; a scan that finds nothing looks like this.
        monkeypatch.setattr(discovery, "GROUP", "activegraph.packs.of.nobody")
        assert cli("pack", "list").out == "no packs installed\n"
        assert cli("pack", "list", "--json").out == "[]\n"
        assert discover() == ()


def test_a_new_pack_is_made_and_the_next_steps_are_told(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    said = cli("pack", "new", "my_pack")

    assert (said.code, said.err) == (0, "")
    assert said.lines == ["created my-pack", "next steps:", "  cd my-pack", "  pip install -e .", "  pytest"]
    assert (tmp_path / "my-pack" / "my_pack" / "__init__.py").is_file()


@pytest.mark.parametrize("option", ["-o", "--output-dir"])
def test_a_new_pack_may_be_made_elsewhere(cli: Cli, tmp_path: Path, option: str) -> None:
    said = cli("pack", "new", "my-pack", option, str(tmp_path))

    assert said.lines[0] == f"created {tmp_path}/my-pack"
    assert (tmp_path / "my-pack" / "pyproject.toml").is_file()


def test_a_bad_name_is_exit_2_and_makes_nothing(cli: Cli, tmp_path: Path) -> None:
    said = cli("pack", "new", "My Pack!", "-o", str(tmp_path))

    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("pack name 'My Pack!' must be letters, digits and single hyphens")
    assert "Try 'activegraph pack new --help'." in said.err
    assert list(tmp_path.iterdir()) == []


def test_an_existing_directory_is_exit_1_and_stays(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "my-pack").mkdir()

    said = cli("pack", "new", "my-pack", "-o", str(tmp_path))

    assert (said.code, said.out) == (1, "")
    assert said.err == f"the directory exists already: {tmp_path}/my-pack\n"
    assert list((tmp_path / "my-pack").iterdir()) == []


def test_a_directory_that_is_not_there_is_exit_3(cli: Cli, tmp_path: Path) -> None:
    assert cli("pack", "new", "my-pack", "-o", str(tmp_path / "nowhere")).code == 3


def test_a_group_alone_shows_its_commands_and_a_wrong_word_the_nearest(cli: Cli) -> None:
    assert "pack list" in cli("pack", "--help").out
    assert cli("pack").code in (0, 2)
    said = cli("pack", "nwe")
    assert said.code == 2
    assert "Did you mean 'pack new'?" in said.err


def test_a_process_lists_what_its_environment_has() -> None:
    said = process("pack", "list")

    assert said.code == 0
    assert said.out.startswith(("  ", "no packs installed"))
