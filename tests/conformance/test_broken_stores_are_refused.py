"""Every broken store is refused by the cases of the promise that it breaks, and by name."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from activegraph.conformance import BrokenPromise
from activegraph.conformance.cases import cases_of
from activegraph.conformance.pairs import PairConformance
from activegraph.conformance.targets import StoreTarget, StoreUnderTest
from support.broken_stores import Defect, defects, install

ATTEMPTS = 5
"""Times that processes are let loose on a store before it passes for one that keeps them apart: one run is a chance."""

BROKEN = [each for each in defects().values() if each.cases]
CASES = list(cases_of(StoreUnderTest))


@pytest.fixture(scope="module", autouse=True)
def _scheme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    path = list(sys.path)
    install(tmp_path_factory.mktemp("installed"))
    yield
    sys.path[:] = path


@pytest.mark.parametrize("defect", BROKEN, ids=lambda defect: defect.name)
def test_a_broken_store_is_refused_by_its_promise(defect: Defect, tmp_path: Path) -> None:
    for id in defect.cases:
        attempts = ATTEMPTS if id[0] in "EFH" else 1
        refusals = (first_refusal(defect, id, tmp_path / f"{id}_{number}") for number in range(attempts))
        refusal = next((each for each in refusals if each is not None), None)

        assert refusal is not None, f"no case of {id} refuses the store that {defect.name}"
        assert str(refusal).startswith(f"{id} is broken: {refusal.case.promise}")


def test_a_backend_that_tells_a_password_is_refused(tmp_path: Path) -> None:
    suite = StoreUnderTest()
    suite.enter(StoreTarget("telling:///{tmp}/x.db"), tmp_path)

    with pytest.raises(BrokenPromise, match="L5 is broken: a password in a URL is told by nothing"):
        suite.test_l5_a_password_is_never_told()


def test_a_source_that_follows_its_own_growth_is_refused(tmp_path: Path) -> None:
    pair = PairConformance()
    pair.source, pair.destination = suites = StoreUnderTest(), StoreUnderTest()
    urls = "broken:///{tmp}/x.db?defect=follows_raw_rows_that_are_appended_meanwhile", "sqlite:///{tmp}/y.db"
    for number, (suite, url) in enumerate(zip(suites, urls, strict=True)):
        (tmp_path / str(number)).mkdir()
        suite.enter(StoreTarget(url), tmp_path / str(number))

    with pytest.raises(BrokenPromise, match="I7 is broken: a run that grows meanwhile is copied as it was"):
        pair.test_i7_a_growing_run_is_copied_as_it_was()
    for suite in suites:
        suite.leave()


def test_there_is_a_broken_store_for_every_group_of_promises() -> None:
    assert {id[0] for defect in BROKEN for id in defect.cases} == set("ABCDEFGHIJKLM")
    assert len(BROKEN) >= 40


def first_refusal(defect: Defect, id: str, folder: Path) -> BrokenPromise | None:
    """What the first case of one id that refuses the store says."""
    for number, name in enumerate(cases_to_try(defect, id)):
        place = folder / str(number)
        place.mkdir(parents=True)
        suite = StoreUnderTest()
        suite.enter(StoreTarget(f"broken:///{{tmp}}/x.db?defect={defect.name}"), place)
        try:
            getattr(suite, name)()
        except BrokenPromise as refusal:
            return refusal
        finally:
            suite.leave()
    return None


def cases_to_try(defect: Defect, id: str) -> list[str]:
    """The methods of the cases of one id that are about a file, fewer where the defect says which."""
    target = StoreTarget("broken:///{tmp}/x.db?defect=none")
    names = [name for name, case in CASES if case.id == id and target.applies(case)]
    return [name for name in names if defect.by in name] or names
