"""Every public error has its page, every page its error, and every page shows the error raised."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import activegraph
import pytest
from activegraph.errors import ActiveGraphError
from support.pages import read_snippets

ERRORS = Path(__file__).parents[2] / "docs" / "reference" / "errors"
PAGES_WITHOUT_A_CLASS = {"index", "budget-exhausted"}


def _all_errors(of: type[ActiveGraphError] = ActiveGraphError) -> Iterator[type[ActiveGraphError]]:
    yield of
    for leaf in of.__subclasses__():
        if leaf.__module__.startswith("activegraph."):  # other tests declare errors of their own
            yield from _all_errors(leaf)


def _public_errors() -> dict[str, type[ActiveGraphError]]:
    """Errors by slug. Errors are declared in `activegraph.errors` and nowhere else, which a test below says."""
    for module in pkgutil.iter_modules(importlib.import_module("activegraph.errors").__path__):
        importlib.import_module(f"activegraph.errors.{module.name}")
    return {cls._doc_slug: cls for cls in _all_errors() if not cls.__name__.startswith("_")}


PUBLIC = _public_errors()


def test_every_public_error_has_a_page_and_every_page_an_error() -> None:
    pages = {page.stem for page in ERRORS.glob("*.md")}

    assert pages == PUBLIC.keys() | PAGES_WITHOUT_A_CLASS


def test_no_two_errors_share_a_page() -> None:
    classes = {cls for cls in _all_errors() if not cls.__name__.startswith("_")}

    assert len(classes) == len(PUBLIC)


@pytest.mark.parametrize("slug", sorted(PUBLIC))
def test_a_page_is_headed_by_the_name_of_its_class_and_says_how_to_fix_it(slug: str) -> None:
    text = (ERRORS / f"{slug}.md").read_text()

    assert text.startswith(f"# {PUBLIC[slug].__name__}\n")
    assert [line[3:] for line in text.splitlines() if line.startswith("## ")] == [
        "Why it must be so",
        "An example that provokes it",
        "How to fix it",
    ]


@pytest.mark.parametrize("slug", sorted(PUBLIC))
def test_a_page_shows_its_error_raised(slug: str) -> None:
    shown = "\n".join(f"{snippet.text}\n{snippet.expected}" for snippet in read_snippets(ERRORS / f"{slug}.md"))

    assert PUBLIC[slug].__name__ in shown


@pytest.mark.parametrize("slug", sorted(PUBLIC))
def test_a_page_names_the_classes_by_which_the_error_is_caught(slug: str) -> None:
    cls = PUBLIC[slug]
    named = set(re.findall(r"`(\w+)`", next(iter(re.findall("^- Caught as:.*$", _page(slug), re.MULTILINE)), "")))
    bases = {base.__name__ for base in cls.__bases__ if base is not Exception}

    assert {name for name in bases if not name.startswith("_")} <= named
    assert named <= {base.__name__ for base in cls.__mro__[1:]}


@pytest.mark.parametrize("slug", sorted(PUBLIC))
def test_the_index_leads_to_every_page(slug: str) -> None:
    assert f"[`{PUBLIC[slug].__name__}`]({slug}.md)" in _page("index")


@pytest.mark.parametrize("name", sorted(name for name in activegraph.__all__ if name.endswith("Error")))
def test_an_error_at_the_top_level_is_one_of_the_documented_ones(name: str) -> None:
    assert getattr(activegraph, name) in PUBLIC.values()


def _page(slug: str) -> str:
    return (ERRORS / f"{slug}.md").read_text()
