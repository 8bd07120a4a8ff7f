"""`activegraph quickstart`: a review of three recorded incidents, of a log of one's own, or by one's own hand.

Each mode writes to `stream` (stdout by default) and returns an exit code; what goes wrong is raised as
the error that it is, before anything has been written.
"""

from __future__ import annotations

from activegraph.cli.quickstart.fixtures import run_fixture_mode
from activegraph.cli.quickstart.interactive import run_interactive_mode
from activegraph.cli.quickstart.logs import review_file

__all__ = ["review_file", "run_fixture_mode", "run_interactive_mode"]
