"""The built site answers at every address that the product prints, and loads nothing from elsewhere."""

from __future__ import annotations

import functools
import re
import threading
import urllib.request
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from activegraph.errors import DOCS_BASE_URL

ROOT = Path(__file__).parents[2]
ERRORS = sorted(page.stem for page in (ROOT / "docs" / "reference" / "errors").glob("*.md") if page.stem != "index")
ADDRESSED = sorted(
    str(path.relative_to(ROOT))
    for pattern in ("*.md", "pyproject.toml", "packages/*/*.md", "packages/*/pyproject.toml")
    for path in ROOT.glob(pattern)
    if DOCS_BASE_URL in path.read_text(encoding="utf-8")
)
LOADED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}
"""Elements that a browser loads by itself, and where their address stands."""


class _Page(HTMLParser):
    """What a page loads, what it leads to, and what can be led to inside it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.places: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if "id" in given:
            self.places.add(given["id"])
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        address = given.get(LOADED.get(tag, ""), "")
        if address and given.get("rel") not in ("canonical", "prev", "next"):
            self.loads.append(address)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[str, _Page]:
    """Every page of the site by its address below the site's."""
    return {str(path.relative_to(site)): _Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}


@pytest.fixture(scope="module")
def server(site: Path) -> Iterator[str]:
    """The address of a server that gives out the site's files and knows no more."""
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(site))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def _title(server: str, address: str) -> str:
    with urllib.request.urlopen(server + address) as answer:
        found = re.findall(r"<h1[^>]*>(.*?)</h1>", answer.read().decode(), re.DOTALL)
    bare: list[str] = [re.sub(r"<a class=\"headerlink.*?</a>|<[^>]+>", "", heading) for heading in found]
    return unescape("".join(bare[:1])).strip()


def test_the_site_is_made_for_the_address_that_messages_begin_with() -> None:
    config = (ROOT / "mkdocs.yml").read_text()

    assert f"\nsite_url: {DOCS_BASE_URL}/\n" in config
    assert urlsplit(DOCS_BASE_URL).path == ""


def test_every_error_is_answered_at_the_address_that_its_message_prints(server: str) -> None:
    def headed(slug: str) -> str:
        page = (ROOT / "docs" / "reference" / "errors" / f"{slug}.md").read_text()
        return page.partition("\n")[0].removeprefix("# ")

    assert {slug: _title(server, f"/errors/{slug}") for slug in ERRORS} == {slug: headed(slug) for slug in ERRORS}


def test_every_error_is_answered_where_its_file_lies_too(site: Path) -> None:
    def leads_to(slug: str) -> str:
        place = f"reference/errors/{slug}/"
        forward = re.search(r'content="0; url=([^"]+)"', (site / place / "index.html").read_text())
        return str(urljoin(f"/{place}", forward[1] if forward else ""))

    assert {leads_to(slug) for slug in ERRORS} == {f"/errors/{slug}/" for slug in ERRORS}


@pytest.mark.parametrize("page", ["design", "embed", "operate", "concepts/failure-model", "errors"])
def test_what_the_product_names_besides_is_answered(server: str, page: str) -> None:
    assert _title(server, f"/{page}")


@pytest.mark.parametrize("file", ADDRESSED)
def test_every_address_of_the_site_in_a_file_is_answered(pages: dict[str, _Page], file: str) -> None:
    lost = []
    for address in re.findall(re.escape(DOCS_BASE_URL) + r"(?:/[\w./#-]*)?", (ROOT / file).read_text(encoding="utf-8")):
        path, _, place = address.removeprefix(DOCS_BASE_URL).strip("/.").partition("#")
        page = pages.get(f"{path.strip('/')}/index.html".lstrip("/"))
        if page is None or (place and place not in page.places):
            lost.append(address)

    assert lost == []


def test_no_page_loads_anything_from_elsewhere(pages: dict[str, _Page]) -> None:
    assert {page: out for page, found in pages.items() if (out := [a for a in found.loads if urlsplit(a).netloc])} == {}


def test_every_link_of_every_page_leads_somewhere(site: Path, pages: dict[str, _Page]) -> None:
    broken = []
    for page, found in pages.items():
        for link in found.links:
            parts = urlsplit(urljoin(f"http://site/{page}", link))
            if parts.netloc != "site" or page == "404.html":
                continue
            target = unquote(parts.path).lstrip("/")
            target += "index.html" if not target or target.endswith("/") else ""
            known = pages[target].places if target in pages else None
            if not (site / target).is_file() or (parts.fragment and known is not None and parts.fragment not in known):
                broken.append(f"{page}: {link}")

    assert [link for link in broken if "#__" not in link] == []
