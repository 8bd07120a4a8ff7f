"""The first command of the README, in a fresh checkout: the lock file, the editable builds and the quickstart."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from support.distributions import ROOT


def _fresh_checkout(place: Path) -> Path:
    """The files that the repository tracks, as they are now, and nothing that was built from them."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in listed.split("\0"):
        if name and (ROOT / name).is_file():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, place / name)
    return place


def test_what_follows_the_installation_of_uv_shows_a_whole_run(tmp_path: Path) -> None:
    said = re.search(r"^pip install uv && (uv run .+)$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert said is not None
    checkout = _fresh_checkout(tmp_path / "checkout")
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("UV_PROJECT", "VIRTUAL_ENV"))}

    command = [*said[1].split(), "--db", "demo.db"]
    done = subprocess.run(command, cwd=checkout, env=outside, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("activegraph quickstart: three incidents, reviewed\n")
    assert "(evidence: evidence#" in done.stdout
    assert (checkout / "demo.db").is_file()
