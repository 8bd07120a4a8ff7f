"""The suites as a backend author runs them: by pytest, from a folder of one's own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import activegraph.conformance
import pytest

PACKAGE = Path(activegraph.conformance.__file__).parent
RECORDING = "activegraph.conformance.recording"


def conformance(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The end of a run in `folder`, whose modules can be imported."""
    # The plugin is named for an environment whose installed metadata is older than it, and the
    # conftest files of the source tree, which an installed package has not, are left out.
    command = [sys.executable, "-m", "pytest", "-p", "activegraph.conformance.plugin", "-p", "no:cacheprovider"]
    return subprocess.run(
        [*command, f"--confcutdir={PACKAGE}", "--pyargs", "activegraph.conformance", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "200", "PYTHONPATH": str(folder)},
        check=False,
    )


def test_without_anything_to_test_nothing_is_collected_and_a_message_says_how(tmp_path: Path) -> None:
    ended = conformance(tmp_path)

    assert ended.returncode == pytest.ExitCode.NO_TESTS_COLLECTED
    assert "pytest --pyargs activegraph.conformance --store-url 'sqlite:///{tmp}/c.db'" in ended.stdout
    assert "--metrics my.module:MyMetrics" in ended.stdout


@pytest.mark.parametrize(
    ("url", "said"),
    [("mydb://host/db", "unsupported store URL scheme 'mydb'"), ("runs/c.db", "has no scheme")],
)
def test_a_url_that_nobody_can_open_is_a_mistake_of_the_command_and_breaks_no_promise(
    url: str, said: str, tmp_path: Path
) -> None:
    ended = conformance(tmp_path, "--store-url", "memory:", "--store-url", url)

    assert ended.returncode == pytest.ExitCode.USAGE_ERROR
    assert said in ended.stderr
    assert "is broken" not in ended.stdout + ended.stderr


def test_the_memory_store_keeps_every_promise_that_is_asked_of_it(tmp_path: Path) -> None:
    ended = conformance(tmp_path, "--store-url", "memory:", "--require-all")

    assert ended.returncode == 0, ended.stdout[-3000:]
    assert "skipped" not in ended.stdout
    assert "memory: has one handle, no URL and no other process by contract" in ended.stdout


def test_backends_of_metrics_are_tested_by_their_factories(tmp_path: Path) -> None:
    ended = conformance(
        tmp_path,
        *("--metrics", "activegraph.metrics:NoOpMetrics"),
        *("--metrics", f"{RECORDING}:RecordingMetrics", "--metrics-read", f"{RECORDING}:read", "--require-all", "-v"),
    )

    assert ended.returncode == 0, ended.stdout[-3000:]
    assert "test_metrics_13_nothing_is_allocated_or_kept[activegraph.metrics:NoOpMetrics] PASSED" in ended.stdout
    assert f"test_metrics_3_counters_add_up[{RECORDING}:RecordingMetrics] PASSED" in ended.stdout
    assert "test_metrics_3_counters_add_up[activegraph.metrics:NoOpMetrics]" not in ended.stdout


def test_a_broken_promise_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "losing.py").write_text(
        "from activegraph.conformance.recording import RecordingMetrics, read\n"
        "class Losing(RecordingMetrics):\n"
        "    def gauge(self, name, tags, value):\n"
        "        super().gauge(name, {}, value)\n"
    )
    ended = conformance(tmp_path, "--metrics", "losing:Losing", "--metrics-read", "losing:read")

    assert ended.returncode == pytest.ExitCode.TESTS_FAILED
    promises = ended.stdout.split("broken promises")[1]
    assert "metrics-3 is broken: gauges hold what they were set to last" in promises
    assert "metrics-4 is broken: the order of tags does not matter" in promises


def test_an_unknown_store_is_refused_with_what_to_do(tmp_path: Path) -> None:
    ended = conformance(tmp_path, "--store-url", "nowhere://host/db", "-k", "a1_events", "--tb=short")

    assert ended.returncode != 0
    assert "unsupported store URL scheme 'nowhere'" in ended.stdout + ended.stderr


def test_the_suites_run_in_a_pytest_that_does_not_name_them_without_a_trace(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(
        "def test_mine(pytestconfig):\n    assert pytestconfig.getoption('--scale') == 'own'\n"
    )
    (tmp_path / "conftest.py").write_text(
        "def pytest_addoption(parser):\n    parser.addoption('--scale', default='own')\n"
    )
    # An installed entry point would register the same module a second time, and pytest refuses that.
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "activegraph.conformance.pytest_entry", "-p", "no:cacheprovider", "-q"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        check=False,
    )

    assert ended.returncode == 0, ended.stdout
