"""The worked example: a store that is not ours, under its own entry point, keeps the contract that it claims."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "third_party_store"
SOURCES = sorted((EXAMPLE / "src").rglob("*.py"))
PAGE = ROOT / "docs" / "backends" / "writing-a-store.md"

LACKING = {
    "damaged",
    "fork_run",
    "get_run",
    "import_run",
    "iter_range",
    "iter_raw",
    "iter_types",
    "lock",
    "schema",
    "tables",
    "tail",
    "transaction",
}
"""Words that name what the example does not have."""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which the example is installed: its sources and its entry points are on the path."""
    folder = tmp_path_factory.mktemp("installed")
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    about = folder / f"activegraph_jsonl-{project['version']}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    points = project["entry-points"]["activegraph.stores"]
    lines = "".join(f"{name} = {value}\n" for name, value in points.items())
    (about / "entry_points.txt").write_text(f"[activegraph.stores]\n{lines}")
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(EXAMPLE / "src"), str(ROOT / "tests")])}


def conformance(environment: dict[str, str], *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "activegraph.conformance.plugin", "-p", "no:cacheprovider", "-q"]
    return subprocess.run(
        [*command, "--pyargs", "activegraph.conformance", "--store-url", "jsonl:///{tmp}/runs", *options],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_example_passes_the_suite_and_skips_what_it_lacks_by_name(installed: dict[str, str]) -> None:
    ended = conformance(installed)

    assert ended.returncode == 0, ended.stdout[-4000:]
    skips = re.findall(r"^SKIPPED \[\d+\] .*?: (.*)$", ended.stdout, re.MULTILINE)
    assert skips
    for skip in skips:
        assert set(re.findall(r"\w+", skip)) & LACKING, skip
    assert int(re.findall(r"(\d+) passed", ended.stdout)[0]) > 80


def test_what_the_example_lacks_fails_by_name_when_all_is_required(installed: dict[str, str]) -> None:
    ended = conformance(installed, "--require-all", "-k", "h3_parent or a1_events", "--tb=line")

    assert ended.returncode == 1
    assert "H3 is broken: after a fork both runs go on by themselves, and a fork can be forked" in ended.stdout
    assert "1 failed, 1 passed" in ended.stdout


def test_the_example_and_the_sqlite_store_hold_the_same_run(installed: dict[str, str]) -> None:
    ended = conformance(
        installed, "--store-url", "sqlite:///{tmp}/c.db", "-k", "test_pairs or (test_stores and b2_any)", "--tb=short"
    )

    assert ended.returncode == 0, ended.stdout[-4000:]


def test_a_runtime_records_into_the_example_and_goes_on_from_it(installed: dict[str, str], tmp_path: Path) -> None:
    program = (
        "from activegraph import Graph, Runtime, behavior\n"
        "@behavior(name='note', on=['goal.created'])\n"
        "def note(event, graph, ctx):\n"
        "    graph.add_object('note', {'text': 'kept'})\n"
        f"url = 'jsonl:///{tmp_path}/runs'\n"
        "runtime = Runtime(Graph(run_id='run_a'), [note], persist_to=url)\n"
        "runtime.run_goal('keep a note')\n"
        "runtime.close()\n"
        "loaded = Runtime.load(url, run_id='run_a', behaviors=[note])\n"
        "print(loaded.status().state, [each.data['text'] for each in loaded.graph.objects('note')])\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], env=installed, capture_output=True, text=True, check=False)

    assert ended.stdout == "idle ['kept']\n", ended.stderr


def test_the_store_of_the_example_fits_a_hundred_and_fifty_lines() -> None:
    store = next(path for path in SOURCES if path.name == "store.py")

    assert len(store.read_text().splitlines()) < 150


def test_the_example_knows_the_library_by_what_it_offers_to_everybody() -> None:
    imported = {
        line.split()[1]
        for path in SOURCES
        for line in path.read_text().splitlines()
        if "activegraph" in line and line.startswith("from ")
    }

    assert imported <= {
        "activegraph",
        "activegraph.store.refusals",
        "activegraph.store.serde",
        "activegraph_jsonl.backend",
        "activegraph_jsonl.store",
    }


def test_the_page_shows_the_code_of_the_example() -> None:
    code = "\n".join(path.read_text() for path in SOURCES)
    shown = re.findall(r"^```py\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)

    assert len(shown) >= 4
    for block in shown:
        assert block in code


def test_the_page_names_the_entry_point_of_the_example() -> None:
    points = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]["entry-points"]["activegraph.stores"]
    shown = tomllib.loads(re.findall(r"^```toml\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)[0])

    assert shown["project"]["entry-points"]["activegraph.stores"] == points
