"""What starts warm: forks of one process, each in its student's place, and none outlives its asker."""

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from course import TOP
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager

MOST = 2 * 2**30  # bytes that a student's process may allocate
SCRIPT = TOP / ".github" / "class" / "warm.py"


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    door = tmp_path_factory.mktemp("warm") / "door"
    process = subprocess.Popen([sys.executable, str(SCRIPT), "serve", str(door)], stderr=subprocess.DEVNULL)
    end = time.monotonic() + 60
    while not door.exists():
        assert time.monotonic() < end and process.poll() is None, "the service does not start"
        time.sleep(0.1)
    yield door, process
    process.kill()
    process.wait()


class Kernel:
    """A kernel as Jupyter starts one, and what a line of code prints in it."""

    def __init__(self, door: Path, folder: Path):
        argv = [
            sys.executable,
            "-I",
            "-S",
            str(SCRIPT),
            "ask",
            str(door),
            "-m",
            "ipykernel_launcher",
            "-f",
            "{connection_file}",
        ]
        self.manager = KernelManager(connection_file=str(folder / "connection.json"))
        self.manager._kernel_spec = KernelSpec(argv=argv, language="python", interrupt_mode="message")
        options = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_DATA, (MOST, MOST))}
        self.manager.start_kernel(cwd=str(folder), env={**os.environ, "STUDENT": folder.name}, **options)
        self.client = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(60)

    def prints(self, code: str) -> str:
        said = []

        def hear(message):
            said.append(message["content"].get("text") or message["content"].get("ename", ""))

        self.client.execute_interactive(code, output_hook=hear, timeout=60)
        return "".join(said).strip()

    def end(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


@pytest.fixture
def start(tmp_path):
    kernels = []

    def start_one(door: Path, name: str) -> Kernel:
        (tmp_path / name).mkdir()
        kernels.append(Kernel(door, tmp_path / name))
        return kernels[-1]

    yield start_one
    for kernel in kernels:
        kernel.end()


WHO = "import os, sys; print('torch' in sys.modules, os.getppid(), os.getcwd(), os.environ['STUDENT'])"


def test_each_kernel_is_a_fork_in_its_students_place(service, start, tmp_path):
    door, process = service
    ann, bob = start(door, "ann"), start(door, "bob")
    for kernel, name in ((ann, "ann"), (bob, "bob")):
        assert kernel.prints(WHO) == f"True {process.pid} {tmp_path / name} {name}"
        assert kernel.prints("import torch; torch.ones(3 * 2**30 // 4)") == "RuntimeError", "the limit does not hold"
    ann.prints("x = 1")
    assert bob.prints("x") == "NameError"
    draw = "import numpy; print(numpy.random.rand(4).tolist())"
    assert json.loads(ann.prints(draw)) != json.loads(bob.prints(draw)), "both draw the same random numbers"


def test_it_is_interrupted_restarted_and_ended_as_any_other(service, start):
    door, process = service
    kernel = start(door, "cay")
    kernel.client.execute("import time\ntry:\n    while True: time.sleep(0.01)\nexcept KeyboardInterrupt: pass")
    time.sleep(0.5)
    kernel.manager.interrupt_kernel()
    assert kernel.prints("print(6 * 7)") == "42"
    first = int(kernel.prints("import os; print(os.getpid())"))
    kernel.manager.restart_kernel(now=True)
    kernel.client.wait_for_ready(60)
    second = int(kernel.prints("import os; print(os.getpid())"))
    assert second != first
    kernel.manager.shutdown_kernel(now=True)  # kills the process that Jupyter sees, and no other
    psutil.wait_procs([p for p in psutil.Process(process.pid).children() if p.pid in (first, second)], timeout=20)
    assert not {first, second} & {child.pid for child in psutil.Process(process.pid).children()}


def test_without_the_service_it_starts_as_ever(start, tmp_path):
    kernel = start(tmp_path / "nobody", "dan")
    assert kernel.prints(WHO).startswith("False") and kernel.prints("print(6 * 7)") == "42"
