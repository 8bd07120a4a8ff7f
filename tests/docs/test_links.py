"""A link inside the documents leads somewhere, also the ones that error messages print."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from activegraph.errors import DOCS_BASE_URL

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("packages/*/*.md")])
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)(?:#([^)]+))?\)")
CODE = re.compile(r"^```.*?^```$|`[^`\n]*`", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", [str(page.relative_to(ROOT)) for page in PAGES])
def test_every_link_of_a_page_leads_to_a_file(page: str) -> None:
    text = CODE.sub("", (ROOT / page).read_text())
    broken = [link[1] for link in LINK.finditer(text) if not ((ROOT / page).parent / link[1]).exists()]

    assert broken == []


def test_every_documentation_link_in_the_code_has_its_page() -> None:
    linked = set()
    for source in ROOT.glob("packages/*/src/**/*.py"):
        linked |= set(
            re.findall(
                r"(?:\{DOCS_BASE_URL\}|" + re.escape(DOCS_BASE_URL) + r")/((?:[\w-]+/)*[\w-]+)(?![\w/{-])",
                source.read_text(),
            )
        )
    pages = [name.replace("errors/", "reference/errors/", 1) if name.startswith("errors/") else name for name in linked]

    assert [page for page in sorted(pages) if not _has_page(page)] == []


def _has_page(address: str) -> bool:
    return (ROOT / "docs" / f"{address}.md").is_file() or (ROOT / "docs" / address / "index.md").is_file()
