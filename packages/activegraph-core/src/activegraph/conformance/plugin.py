"""The pytest plugin: options that name stores and metrics backends, and which cases are collected for them."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from activegraph.conformance.cases import SETTINGS, Case
from activegraph.conformance.targets import MetricsTarget, StoreTarget
from activegraph.errors import ActiveGraphError

__all__ = ["pytest_addoption", "pytest_configure"]

_HERE = Path(__file__).parent

HOW = """\
activegraph.conformance: nothing to test. Name a store, a metrics backend, or both:
    pytest --pyargs activegraph.conformance --store-url 'sqlite:///{tmp}/c.db'
    pytest --pyargs activegraph.conformance --store-url memory: --store-url 'mydb://host/db'
    pytest --pyargs activegraph.conformance --metrics my.module:MyMetrics --metrics-read my.module:read"""

_FILES = {"test_stores.py": "stores", "test_pairs.py": "pairs", "test_metrics.py": "metrics"}


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of the suites."""
    group = parser.getgroup("activegraph.conformance", "conformance of stores and metrics backends")
    group.addoption(
        "--store-url",
        action="append",
        default=[],
        metavar="URL",
        help="a store to test; {tmp} is a fresh directory for each test, memory: the memory store; "
        "several add the cases on every pair",
    )
    group.addoption(
        "--metrics",
        action="append",
        default=[],
        metavar="MODULE:FACTORY",
        help="a metrics backend to test, made by calling the factory",
    )
    group.addoption(
        "--metrics-read",
        default=None,
        metavar="MODULE:FUNCTION",
        help="reads a backend back: a dict from (kind, name, sorted tag items) to float",
    )
    group.addoption("--require-all", action="store_true", help="a capability that is lacking is a failure, not a skip")
    group.addoption(
        "--scale", choices=("small", "full"), default="small", help="sizes and repetitions: small takes about a minute"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Take over the options that the cases read, and refuse a URL that nobody here can open: that breaks no promise."""
    SETTINGS.require_all = config.getoption("--require-all")
    SETTINGS.scale = config.getoption("--scale")
    for target in stores_of(config):
        try:
            target.find_backend()
        except ActiveGraphError as error:
            raise pytest.UsageError(f"--store-url: {error.summary}\n{error.how_to_fix}") from None


def stores_of(config: pytest.Config) -> list[StoreTarget]:
    """The stores that the command line names."""
    return [StoreTarget(url) for url in dict.fromkeys(config.getoption("--store-url"))]


def metrics_of(config: pytest.Config) -> list[MetricsTarget]:
    """The metrics backends that the command line names."""
    reader = config.getoption("--metrics-read")
    return [MetricsTarget(factory, reader) for factory in dict.fromkeys(config.getoption("--metrics"))]


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out the suites that have nothing to test."""
    if collection_path.parent != _HERE or collection_path.name not in _FILES:
        return None
    stores, metrics = stores_of(config), metrics_of(config)
    wanted = {"stores": bool(stores), "pairs": len(stores) > 1, "metrics": bool(metrics)}
    return None if wanted[_FILES[collection_path.name]] else True


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each case and target."""
    chosen: dict[str, list[Any]] = {
        "store_target": stores_of(metafunc.config),
        "store_pair": list(permutations(stores_of(metafunc.config), 2)),
        "metrics_target": metrics_of(metafunc.config),
    }
    for name, targets in chosen.items():
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, targets, ids=map(_name, targets))


def _name(target: Any) -> str:
    if isinstance(target, tuple):
        return " to ".join(each.name for each in target)
    name: str = target.name
    return name


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out cases that are not about a store of a target's kind, in the order of their ids."""
    kept: list[pytest.Item] = []
    left_out: list[pytest.Item] = []
    for item in items:
        about = case_of(item)
        targets = _parameters(item)
        chosen = [targets.get("store_target"), targets.get("metrics_target"), *targets.get("store_pair", ())]
        fits = about is None or all(target is None or target.applies(about) for target in chosen)
        (kept if fits else left_out).append(item)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
    items[:] = kept


def case_of(item: pytest.Item) -> Case | None:
    """The case behind a test; None for a test of somebody else's."""
    return getattr(getattr(item, "function", None), "__conformance__", None)


def _parameters(item: pytest.Item) -> dict[str, Any]:
    specification = getattr(item, "callspec", None)
    return {} if specification is None else dict(specification.params)


def pytest_report_header(config: pytest.Config) -> list[str]:
    """What is tested, and what is not about a target."""
    lines = [f"conformance of the store {target.name}" for target in stores_of(config)]
    lines += [f"conformance of the metrics backend {target.name}" for target in metrics_of(config)]
    if any(target.is_memory for target in stores_of(config)):
        lines.append(
            "memory: has one handle, no URL and no other process by contract; cases on those are not collected"
        )
    if lines:
        lines.append(f"scale {SETTINGS.scale}{', every capability required' if SETTINGS.require_all else ''}")
    return lines


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say how to name something to test, and which promises were broken."""
    if not stores_of(config) and not metrics_of(config):
        terminalreporter.write_line(HOW)
        return
    broken = sorted(set(_promises(terminalreporter.stats.get("failed", []))))
    if broken:
        terminalreporter.section("broken promises")
        for line in broken:
            terminalreporter.write_line(line)


def _promises(reports: Iterable[Any]) -> Iterable[str]:
    for report in reports:
        crash = getattr(report.longrepr, "reprcrash", None)
        message = getattr(crash, "message", "")
        for line in message.splitlines():
            if " is broken: " in line:
                yield line.split("BrokenPromise: ", 1)[-1]
                break
