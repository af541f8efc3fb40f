"""What every test starts with: one thread, the same random inputs, long files first, and a clean end."""

import os
import signal
import statistics
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

TOP = Path(__file__).parents[1]

# Before torch is imported, here and in all that a test starts: several processes are faster with one thread each.
for library in ("OMP", "MKL", "OPENBLAS"):
    os.environ[f"{library}_NUM_THREADS"] = "1"

# derandomize: a failure in continuous integration is the same failure at home.
# deadline None: a busy machine must not fail a test.
settings.register_profile("course", max_examples=40, deadline=None, derandomize=True)
settings.load_profile("course")

# Seconds of what takes long on one core. A file stays on one worker, and the longest start first, so that all workers
# end together. The quick loop leaves out notebooks above SLOW, and the solutions: test_exercises judges their answers.
# What is not named here is short.
SECONDS = {
    "notebooks/07_training.ipynb": 220,
    "notebooks/10_beating_the_table.ipynb": 120,
    "tests/browser/test_notebooks.py": 170,
    "tests/browser/test_lecture.py": 110,
    "tests/browser/test_live.py": 50,
    "tests/test_runs.py": 35,
    "tests/browser/test_explorer.py": 30,
    "tests/test_exercises.py": 25,
    "tests/browser/test_leftovers.py": 25,
    "notebooks/11_memory.ipynb": 25,
    "notebooks/09_gates.ipynb": 20,
    "notebooks/05_prediction.ipynb": 14,
    "notebooks/03_parameters.ipynb": 12,
    "notebooks/04_forward_loop.ipynb": 12,
    "notebooks/solutions/04_forward_loop.ipynb": 12,
    "notebooks/06_gradient_clipping.ipynb": 11,
}
SLOW = 10


def name_of(item: pytest.Item) -> str:
    return item.path.relative_to(TOP).as_posix() if item.path.is_relative_to(TOP) else item.path.name


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    for item in items:
        name = name_of(item)
        if name.startswith("tests/browser/"):
            item.add_marker("browser")
        if name.endswith(".ipynb") and (SECONDS.get(name, 0) > SLOW or "/solutions/" in name):
            item.add_marker("slow")
    yield  # here -m chooses
    items.sort(key=lambda item: -SECONDS.get(name_of(item), 0))  # stable: the tests of a file keep their order


@pytest.fixture
def ax():
    """An empty drawing; what was put into it and cannot be drawn fails at the end."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure()
    yield figure.subplots()
    FigureCanvasAgg(figure).draw()


def pytest_terminal_summary(terminalreporter):
    found: dict[str, list[float]] = {}
    for report in (report for reports in terminalreporter.stats.values() for report in reports):
        if getattr(report, "when", None) == "teardown":
            for name, values in dict(report.user_properties).get("measured", {}).items():
                found.setdefault(name, []).extend(values)
    if found:
        terminalreporter.section("measured in the browser (median of n)")
        for name, values in sorted(found.items()):
            terminalreporter.write_line(f"{name:70} {statistics.median(values):8.3f}   n = {len(values)}")


def end(number: int, frame: object) -> None:
    pytest.exit(f"ended by {signal.Signals(number).name}", returncode=128 + number)


if threading.current_thread() is threading.main_thread():
    # The usual end would leave kernels, servers and browsers behind.
    signal.signal(signal.SIGTERM, end)
    # `nohup pytest &` starts with SIGINT ignored, and so would every process that a test starts and interrupts.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
