"""The sessions of nox: what arguments do to the matrix of the suites."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("nox")

ROOT = Path(__file__).parents[2]


def selected(*arguments: str) -> list[str]:
    """The sessions that would run, less their versions of Python."""
    command = [sys.executable, "-m", "nox", "--list", "--session", "conformance", *arguments]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return re.findall(r"^\* conformance-3\.\d+(\(.*?\))", told, re.MULTILINE)


def test_every_store_meets_every_metrics_backend() -> None:
    assert len(set(selected())) == 9


def test_no_environment_is_made_for_a_combination_that_the_arguments_replace() -> None:
    assert len(set(selected("--", "--store-url", "memory:"))) == 1
