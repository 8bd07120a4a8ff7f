"""Installed packs are found by their entry points; a broken one harms no other."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from activegraph.errors import PackNotFoundError, RegistrationError
from activegraph.packs import DiscoveredPack, clear_discovery_cache, discover, load_by_name
from support.installed_packs import announce, installed_from, write_pack


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[Path]:
    """A folder whose packs are installed."""
    with installed_from(tmp_path):
        yield tmp_path


def ours(folder: Path) -> list[DiscoveredPack]:
    """Found packs of `folder`; the environment of the tests has packs of its own."""
    return [found for found in discover() if "_module" in found.entry_point]


def test_packs_are_found_sorted_by_name_with_what_announces_them(installed: Path) -> None:
    write_pack(installed, "storage", version="1.2.0")
    write_pack(installed, "audio")

    assert [(f.name, f.version, f.entry_point, f.pack.name) for f in ours(installed)] == [
        ("audio", "1.0.0", "audio_module:pack", "audio"),
        ("storage", "1.2.0", "storage_module:pack", "storage"),
    ]
    assert [found.name for found in discover()] == sorted(found.name for found in discover())


def test_packs_are_looked_for_once_until_the_cache_is_cleared(installed: Path) -> None:
    assert ours(installed) == []
    write_pack(installed, "storage")
    assert ours(installed) == []
    with pytest.raises(PackNotFoundError):
        load_by_name("storage")

    clear_discovery_cache()

    assert [found.name for found in ours(installed)] == ["storage"]
    assert load_by_name("storage") is ours(installed)[0].pack


def test_a_pack_is_loaded_by_its_own_name_and_not_by_its_entry_points(installed: Path) -> None:
    (installed / "odd_module.py").write_text(
        "from activegraph.packs import Pack\npack = Pack('inner', '1.0.0')\nother = Pack('odd', '2.0.0')\n"
    )
    announce(installed, "odd", "odd_module:pack")
    announce(installed, "second", "odd_module:other")

    assert load_by_name("inner").version == "1.0.0"
    assert load_by_name("odd").version == "2.0.0"


def test_an_entry_point_of_that_very_name_is_enough(installed: Path) -> None:
    write_pack(installed, "storage")
    write_pack(installed, "broken", source="raise RuntimeError('never import me')")

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load_by_name("storage").name == "storage"
    assert "broken_module" not in sys.modules


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("raise RuntimeError('out of\\n order')", "raised RuntimeError: out of order"),
        ("import nowhere_to_be_found", "raised ModuleNotFoundError: No module named 'nowhere_to_be_found'"),
        ("raise SystemExit(3)", "raised SystemExit: 3"),
        ("pack = {{'name': 'storage'}}", "is no Pack but a dict"),
        ("nothing = 1", "raised AttributeError"),
        ("from activegraph.packs import Pack\npack = Pack('Bad Name', '1')", "raised PackValidationError"),
    ],
)
def test_a_broken_entry_point_is_warned_of_and_skipped(installed: Path, source: str, says: str) -> None:
    write_pack(installed, "broken", source=source)
    write_pack(installed, "storage")

    with pytest.warns(UserWarning, match=f"'broken'.*broken_module:pack.*{says}"):
        assert [found.name for found in ours(installed)] == ["storage"]

    clear_discovery_cache()
    with pytest.warns(UserWarning, match="broken"), pytest.raises(PackNotFoundError) as refusal:
        load_by_name("broken")
    assert says in str(refusal.value)


def test_a_module_that_raises_is_the_cause_when_its_pack_is_asked_for(installed: Path) -> None:
    write_pack(installed, "broken", source="raise RuntimeError('out of order')")

    with pytest.warns(UserWarning, match="broken"), pytest.raises(PackNotFoundError) as refusal:
        load_by_name("broken")

    assert isinstance(refusal.value.__cause__, RuntimeError)


def test_of_two_packs_of_one_name_the_first_is_kept(installed: Path) -> None:
    for number, entry_point in enumerate(("one", "two")):
        module = f"{entry_point}_module"
        (installed / f"{module}.py").write_text(
            f"from activegraph.packs import Pack\npack = Pack('same', '{number}.0')\n"
        )
        announce(installed, entry_point, f"{module}:pack")

    with pytest.warns(UserWarning, match="two installed packs are named 'same'"):
        (kept,) = ours(installed)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load_by_name("same") is kept.pack


def test_a_pack_that_is_announced_twice_is_one_pack(installed: Path) -> None:
    write_pack(installed, "storage")
    announce(installed, "storage_again", "storage_module:pack")

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [found.name for found in ours(installed)] == ["storage"]


def test_a_name_that_is_not_installed_is_named_beside_those_that_are(installed: Path) -> None:
    write_pack(installed, "storage")

    with pytest.raises(PackNotFoundError, match="'storrage'") as refusal:
        load_by_name("storrage")

    assert "storage" in refusal.value.installed
    assert "storage" in str(refusal.value)
    assert isinstance(refusal.value, RegistrationError)
    assert isinstance(refusal.value, LookupError)


def test_importing_packs_scans_and_imports_nothing(installed: Path) -> None:
    write_pack(installed, "storage")
    code = "import activegraph.packs, activegraph.packs.discovery, sys; print('storage_module' in sys.modules)"

    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": str(installed)}
    ).stdout

    assert printed == "False\n"
