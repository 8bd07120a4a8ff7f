"""What is in each wheel, and what is not."""

from __future__ import annotations

import tarfile
from email.parser import Parser

import pytest
from activegraph.errors import DOCS_BASE_URL
from support.distributions import ROOT, Wheel, workspace_names

SHARED = ("activegraph/__init__.py", "activegraph/store/__init__.py", "activegraph/packs/__init__.py")
ROOMS = {
    "activegraph-core": "activegraph",
    "activegraph-store-sqlite": "activegraph/store/sqlite",
    "activegraph-store-postgres": "activegraph/store/postgres",
    "activegraph-observability": "activegraph/observability",
    "activegraph-cli": "activegraph/cli",
    "activegraph-pack-incident-review": "activegraph/packs/incident_review",
}
"""The folder that each distribution owns inside the one import package."""


def test_every_distribution_of_the_workspace_is_built(wheels: dict[str, Wheel]) -> None:
    assert sorted(wheels) == workspace_names() == sorted(["activegraph", *ROOMS])


@pytest.mark.parametrize("name", ROOMS)
def test_a_wheel_holds_its_own_room_and_nothing_outside(wheels: dict[str, Wheel], name: str) -> None:
    outside = [file for file in wheels[name].files() if not file.startswith(f"{ROOMS[name]}/")]

    assert outside == []


def test_only_core_ships_the_shared_packages(wheels: dict[str, Wheel]) -> None:
    owners = {name: [file for file in SHARED if file in wheel.files()] for name, wheel in wheels.items()}

    assert {name: files for name, files in owners.items() if files} == {"activegraph-core": list(SHARED)}


def test_no_file_belongs_to_two_wheels(wheels: dict[str, Wheel]) -> None:
    files = [file for wheel in wheels.values() for file in wheel.files()]

    assert sorted(files) == sorted(set(files))


@pytest.mark.parametrize("name", ROOMS)
def test_type_checkers_are_told_that_the_package_is_typed(wheels: dict[str, Wheel], name: str) -> None:
    assert f"{ROOMS[name]}/py.typed" in wheels[name].files()


@pytest.mark.parametrize("name", ROOMS)
def test_no_test_or_cache_is_shipped(wheels: dict[str, Wheel], name: str) -> None:
    strangers = [file for file in wheels[name].files() if "/tests/" in file or "__pycache__" in file]

    assert strangers == []


@pytest.mark.parametrize("name", ["activegraph", *ROOMS])
def test_the_metadata_carries_licence_python_and_a_readme(wheels: dict[str, Wheel], name: str) -> None:
    metadata = Parser().parsestr(wheels[name].metadata())

    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.11"
    assert str(metadata.get_payload()).startswith("# ")
    assert wheels[name].metadata("licenses/LICENSE") == (ROOT / "LICENSE").read_text()


@pytest.mark.parametrize("name", ["activegraph", *ROOMS])
def test_the_metadata_says_who_it_is_for_and_where_to_read_on(wheels: dict[str, Wheel], name: str) -> None:
    metadata = Parser().parsestr(wheels[name].metadata())
    classifiers = metadata.get_all("Classifier") or []
    addresses = dict(each.split(", ", 1) for each in metadata.get_all("Project-URL") or [])

    assert [each for each in classifiers if each.startswith("License ::")] == []  # the expression above is enough
    assert {f"Programming Language :: Python :: {python}" for python in ("3.11", "3.12", "3.13")} <= set(classifiers)
    assert {"Operating System :: POSIX", "Typing :: Typed"} <= set(classifiers)
    assert addresses["Documentation"] == DOCS_BASE_URL
    assert metadata["Summary"].endswith(".")


@pytest.mark.parametrize("name", ["activegraph", *ROOMS])
def test_a_source_archive_carries_licence_changes_and_readme(wheels: dict[str, Wheel], name: str) -> None:
    with tarfile.open(wheels[name].source) as archive:
        files = {member.partition("/")[2] for member in archive.getnames()}

    assert {"pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE"} <= files
    assert [file for file in files if "__pycache__" in file or file.endswith((".db", ".pyc"))] == []


def test_the_metapackage_holds_no_code(wheels: dict[str, Wheel]) -> None:
    assert wheels["activegraph"].files() == []


def test_all_distributions_carry_one_version(wheels: dict[str, Wheel]) -> None:
    versions = {Parser().parsestr(wheel.metadata())["Version"] for wheel in wheels.values()}

    assert len(versions) == 1


def test_core_needs_msgspec_and_nothing_else(wheels: dict[str, Wheel]) -> None:
    requirements = Parser().parsestr(wheels["activegraph-core"].metadata()).get_all("Requires-Dist") or []

    assert [line.split(">")[0] for line in requirements if "extra ==" not in line] == ["msgspec"]


def test_the_sqlite_store_announces_itself(wheels: dict[str, Wheel]) -> None:
    assert "[activegraph.stores]\nsqlite = activegraph.store.sqlite:backend" in wheels[
        "activegraph-store-sqlite"
    ].metadata("entry_points.txt")
