"""A session with the browser that is ended leaves nothing behind: no server, no kernel, no browser."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from .conftest import TOP


def started_in(folder: Path) -> list[psutil.Process]:
    """Processes that carry the folder in their command line, or come from one that does."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if str(folder) in " ".join(process.info["cmdline"] or []):
            found.append(process)
    return found


def wait_until(holds, what: str, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.1)


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as short:  # chromium makes a socket in it, and its path must not be long
        yield Path(short)


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGKILL])
def test_an_ended_session_leaves_no_process(browser, folder, sent):
    command = [sys.executable, "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", f"--basetemp={folder / 'base'}"]
    command += [f"--output={folder / 'out'}", "tests/browser/test_live.py", "-k", "every_button"]
    alone = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}  # no worker of ours
    session = subprocess.Popen(
        command, cwd=TOP, env={**alone, "CI": "true", "TMPDIR": str(folder)}, stdout=subprocess.DEVNULL
    )
    children: list[psutil.Process] = []
    try:
        wait_until(lambda: any("ipykernel" in str(p.cmdline()) for p in started_in(folder)), "a kernel runs")
        children = psutil.Process(session.pid).children(recursive=True)
        names = " ".join(process.name() for process in children)
        assert "chrom" in names and len(children) > 3, names
        session.send_signal(sent)
        session.wait(60)
        wait_until(lambda: not [p for p in children if p.is_running() and p.status() != "zombie"], "all have ended")
        assert not [process for process in started_in(folder) if process.status() != "zombie"]
    finally:
        for process in [session, *(child for child in children if child.is_running())]:
            process.kill()
