"""A skipped test is never silent: in CI it fails, elsewhere its layer is named at the end."""

import os
from collections import Counter
from collections.abc import Generator

import pytest
from hypothesis import settings

LAYERS = ("browser", "crash", "integration", "network_less", "bench", "static", "slow")
IN_CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}
_skipped: Counter[str] = Counter()

# A busy machine is no fault of the example; in CI the same examples are drawn every time.
settings.register_profile("house", deadline=None, derandomize=IN_CI, print_blob=True)
settings.load_profile("house")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        _skipped[_layer_of(item)] += 1
        if IN_CI:
            _refuse(report)
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if report.skipped:
        _skipped["whole file"] += 1
        if IN_CI:
            _refuse(report)
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not _skipped:
        return
    told = ", ".join(f"{layer} ({count})" for layer, count in sorted(_skipped.items()))
    verdict = "In CI nothing may skip" if IN_CI else "Not run here; make test brings what they need"
    terminalreporter.section("skipped layers", sep="-")
    terminalreporter.line(f"{verdict}: {told}")


def _layer_of(item: pytest.Item) -> str:
    return next((layer for layer in LAYERS if item.get_closest_marker(layer)), "unit")


def _refuse(report: pytest.TestReport | pytest.CollectReport) -> None:
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
    report.outcome = "failed"
    report.longrepr = f"{report.nodeid} skipped, and in CI nothing may skip: {reason}"
