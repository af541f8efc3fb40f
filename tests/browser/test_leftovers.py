"""A session with the browser that is ended leaves nothing behind: no server, no kernel, no browser."""

import os
import signal
import subprocess
import sys
import time
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


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGKILL])
def test_an_ended_session_leaves_no_process(browser, tmp_path, sent):
    command = [sys.executable, "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", f"--basetemp={tmp_path / 'base'}"]
    command += [f"--output={tmp_path / 'out'}", "tests/browser/test_live.py", "-k", "every_button"]
    session = subprocess.Popen(
        command, cwd=TOP, env={**os.environ, "CI": "true", "TMPDIR": str(tmp_path)}, stdout=subprocess.DEVNULL
    )
    children: list[psutil.Process] = []
    try:
        wait_until(lambda: any("ipykernel" in str(p.cmdline()) for p in started_in(tmp_path)), "a kernel runs")
        children = psutil.Process(session.pid).children(recursive=True)
        names = " ".join(process.name() for process in children)
        assert "chrom" in names and len(children) > 3, names
        session.send_signal(sent)
        session.wait(60)
        wait_until(lambda: not [p for p in children if p.is_running() and p.status() != "zombie"], "all have ended")
        assert not [process for process in started_in(tmp_path) if process.status() != "zombie"]
    finally:
        for process in [session, *(child for child in children if child.is_running())]:
            process.kill()
