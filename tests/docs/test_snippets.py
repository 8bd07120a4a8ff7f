"""Every command and snippet of the documents does what its page says."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.pages import check_page, read_snippets

ROOT = Path(__file__).parents[2]
DATABASE = "RUNS_URL"
"""What pages that need a PostgreSQL database call it; it is empty."""

PAGES = sorted(
    str(page.relative_to(ROOT))
    for pattern in ("*.md", "docs/**/*.md", "packages/*/README.md")
    for page in ROOT.glob(pattern)
    if read_snippets(page)
)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_does_what_it_says(page: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    variables = {}
    if DATABASE in (ROOT / page).read_text():
        variables[DATABASE] = request.getfixturevalue("postgres_url")
    check_page(ROOT / page, tmp_path, variables=variables)


def test_a_snippet_that_prints_something_else_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```python\nprint(2)\n```\n```output\n3\n```\n")

    with pytest.raises(AssertionError, match="the page says"):
        check_page(page, tmp_path)


def test_an_exception_that_the_page_does_not_show_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```python\n1 / 0\n```\n")

    with pytest.raises(AssertionError, match="division by zero"):
        check_page(page, tmp_path)


def test_a_command_with_another_exit_code_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```console\n$ echo here; exit 4  # exit 3\nhere\n```\n")

    with pytest.raises(AssertionError, match="exit code 4, not 3"):
        check_page(page, tmp_path)
