"""What MkDocs does beyond the pages under `docs/`: a hook, named in `mkdocs.yml`.

- A page of an error lies where error messages say, at `/errors/<slug>/`; the place of its file,
  `/reference/errors/<slug>/`, leads there.
- Files of the repository that are no page under `docs/` (the guide for contributors, the changes,
  the licence, the examples) become pages, and links to them lead to these pages.
- A `*` in the navigation stands for the pages that match and that it doesn't name elsewhere.
"""

from __future__ import annotations

import ast
import os
import posixpath
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
WHOLE_PAGES = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changes.md", "LICENSE": "licence.md"}
"""Files of the repository, and the pages that they become."""

_LINK = re.compile(r"(\]\()((?!https?://|#)[^)#\s]+)((?:#[^)]*)?\))")
_CODE = re.compile(r"(^```.*?^```$|`[^`\n]*`)", re.MULTILINE | re.DOTALL)
_ERRORS = "reference/errors/"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Give error pages their address, and add the pages that are made here."""
    for file in files.documentation_pages():
        if file.src_uri.startswith(_ERRORS):
            file.dest_uri = file.dest_uri.removeprefix("reference/")
    for name, page in WHOLE_PAGES.items():
        text = (ROOT / name).read_text(encoding="utf-8")
        shown = _leading_inside(text, ".", page) if name.endswith(".md") else f"# Licence\n\n```text\n{text}```\n"
        files.append(File.generated(config, page, content=shown))
    files.append(File.generated(config, "examples/index.md", content=_examples_page()))
    for example in _examples():
        files.append(File.generated(config, _page_of(example), content=_example_page(example)))
    pages = [file.src_uri for file in files.documentation_pages()]
    config.nav = _expanded(config.nav, pages, set(_named(config.nav)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead links that leave `docs/` to the pages that stand for their files."""
    if page.file.generated_by is not None:
        return markdown
    return _leading_inside(markdown, posixpath.join("docs", posixpath.dirname(page.file.src_uri)), page.file.src_uri)


def on_post_build(config: MkDocsConfig) -> None:
    """Lead from where the files of error pages lie to where the pages are."""
    for page in (ROOT / "docs" / _ERRORS).glob("*.md"):
        name = "" if page.stem == "index" else f"{page.stem}/"
        old = Path(config.site_dir, _ERRORS, name, "index.html")
        old.parent.mkdir(parents=True, exist_ok=True)
        old.write_text(_forwarding(f"{'../' * (_ERRORS + name).count('/')}errors/{name}"), encoding="utf-8")


def _named(nav: Any) -> Iterator[str]:
    """The pages that the navigation names, and its patterns."""
    if isinstance(nav, str):
        yield nav
    else:
        for item in nav.values() if isinstance(nav, dict) else nav:
            yield from _named(item)


def _expanded(nav: Any, pages: list[str], named: set[str]) -> Any:
    """The navigation with each pattern replaced by the pages that match it, an index first."""
    if isinstance(nav, dict):
        return {title: _expanded(item, pages, named) for title, item in nav.items()}
    if not isinstance(nav, list):
        return nav
    items: list[Any] = []
    for item in nav:
        if isinstance(item, str) and "*" in item:
            found = [page for page in pages if _matches(page, item) and page not in named]
            items += sorted(found, key=lambda page: (not page.endswith("/index.md"), page))
        else:
            items.append(_expanded(item, pages, named))
    return items


def _matches(page: str, pattern: str) -> bool:
    return page.count("/") == pattern.count("/") and fnmatchcase(page, pattern)


def _forwarding(address: str) -> str:
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>Errors</title>\n'
        f'<meta http-equiv="refresh" content="0; url={address}">\n<meta name="robots" content="noindex">\n</head>\n'
        f'<body><a href="{address}">The page is here.</a></body>\n</html>\n'
    )


def _leading_inside(text: str, folder: str, page: str) -> str:
    """`text`, which lies in `folder` of the repository, with its links as they must be on `page` of the site."""

    def lead(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(folder, link[2]))
        if target in WHOLE_PAGES:
            place = WHOLE_PAGES[target]
        elif target.startswith("examples"):
            place = "examples/index.md" if target == "examples" else _page_of(ROOT / target)
        elif target.startswith("docs/"):
            place = target.removeprefix("docs/")
        else:
            return link[0]
        return f"{link[1]}{posixpath.relpath(place, posixpath.dirname(page) or '.')}{link[3]}"

    parts = _CODE.split(text)
    parts[::2] = [_LINK.sub(lead, part) for part in parts[::2]]
    return "".join(parts)


def _examples() -> list[Path]:
    """Programs and projects under `examples/`."""
    found = (ROOT / "examples").iterdir()
    return sorted(path for path in found if path.suffix == ".py" or (path / "pyproject.toml").is_file())


def _page_of(example: Path) -> str:
    return f"examples/{example.stem}.md"


def _examples_page() -> str:
    rows = [f"| [`{each.name}`]({each.stem}.md) | {_idea(each)} |" for each in _examples()]
    return (
        "# Examples\n\nPrograms of the folder `examples/`, one idea each. Every one runs as it is, offline, in an empty "
        "folder, and a test sees to it that it prints what its last lines say.\n\n"
        "| Program | shows |\n|---|---|\n" + "\n".join(rows) + "\n"
    )


def _idea(example: Path) -> str:
    """What an example shows, in the first line of its docstring or the first paragraph of its README."""
    if example.is_dir():
        paragraphs = (example / "README.md").read_text(encoding="utf-8").split("\n\n")
        return re.sub(r"\[([^]]+)\]\([^)]*\)", r"\1", " ".join(paragraphs[1].split()))
    return (ast.get_docstring(ast.parse(example.read_text(encoding="utf-8"))) or example.stem).partition("\n")[0]


def _example_page(example: Path) -> str:
    """An example as a page: what it shows, and its files."""
    if example.is_dir():
        text = (example / "README.md").read_text(encoding="utf-8")
        sources = sorted(path for path in example.rglob("*.py") if path.stat().st_size)
        shown = [f"## `{path.relative_to(example)}`\n\n{_block(path)}" for path in sources]
        return "\n\n".join([_leading_inside(text, f"examples/{example.name}", _page_of(example)), *shown])
    title = example.stem.replace("_", " ").capitalize()
    return f"# {title}\n\n{_idea(example)}\n\n`{os.path.relpath(example, ROOT)}`:\n\n{_block(example)}"


def _block(source: Path) -> str:
    return f"```python\n{source.read_text(encoding='utf-8').rstrip()}\n```"
