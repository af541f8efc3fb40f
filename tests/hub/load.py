"""A class on one server: N students at once through a real JupyterHub; prints what README's table says.

    pip install -r tests/hub/requirements.txt && npm install --prefix build/hub configurable-http-proxy
    python -m tests.hub.load --students 30                     all of them start and run notebook 01
    python -m tests.hub.load --students 30 --train 10          …then 10 train, and 20 drag figures meanwhile
    python -m tests.hub.load --students 30 --greedy            …and one takes all that it can get
    python -m tests.hub.load --students 30 --warm              servers and kernels are forks (.github/class/warm.py)

It is no test of pytest's: it takes minutes and a quiet machine.
"""

import argparse
import asyncio
import contextlib
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import psutil

from .student import Student

TOP = Path(__file__).parents[2]
HERE = Path(__file__).parent
PATIENCE = 300  # seconds until a student who waits has failed
PROXY = TOP / "build" / "hub" / "node_modules" / ".bin" / "configurable-http-proxy"


@contextlib.contextmanager
def hub(gigabytes: float, warm: bool):
    """A JupyterHub with its proxy; yields its address. All that it started ends with it."""
    proxy = shutil.which("configurable-http-proxy") or str(PROXY)
    homes = Path(tempfile.mkdtemp(prefix="class"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    environment = {
        **os.environ,
        "CLASS_HOMES": str(homes),
        "CLASS_URL": url,
        "CLASS_PROXY": proxy,
        "CLASS_GIGABYTES": str(gigabytes),
        "CLASS_WARM": str(homes / "warm.sock") if warm else "",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    log = (homes / "log").open("w")
    service = None
    if warm:
        script = [sys.executable, str(TOP / ".github" / "class" / "warm.py")]
        subprocess.run([*script, "install", environment["CLASS_WARM"], str(homes / "share")], check=True)
        service = subprocess.Popen([*script, "serve", environment["CLASS_WARM"]], stdout=log, stderr=log)
        while not Path(environment["CLASS_WARM"]).exists():
            time.sleep(0.1)
    command = [sys.executable, "-m", "jupyterhub", "-f", str(HERE / "jupyterhub_config.py")]
    process = subprocess.Popen(command, env=environment, cwd=homes, stdout=log, stderr=log, start_new_session=True)
    try:
        yield url, homes
    finally:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(60)
        if service is not None:
            service.kill()
        for child in processes_by_student(homes).values():
            for one in child:
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.kill()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        shutil.copy(homes / "log", Path(tempfile.gettempdir()) / "class_log")
        shutil.rmtree(homes, ignore_errors=True)


def processes_by_student(homes: Path) -> dict[str, list[psutil.Process]]:
    """Each student's processes: those whose home or, of a fork, whose folder is the student's."""
    found = defaultdict(list)
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            for folder in (Path(process.environ().get("HOME", "/")), Path(process.cwd())):
                if folder.parent == homes:
                    found[folder.name].append(process)
                    break
    return found


def memory(homes: Path) -> list[float]:
    """Proportional set size of each student's server and kernels, in MB."""
    sizes = []
    for processes in processes_by_student(homes).values():
        with contextlib.suppress(psutil.Error):
            sizes.append(sum(process.memory_full_info().pss for process in processes) / 1e6)
    return sizes


def say(what: str, values: list[float], unit: str) -> None:
    if values:
        ordered = sorted(values)
        p95 = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
        numbers = f"median {statistics.median(values):8.2f}   95 % {p95:8.2f}   most {ordered[-1]:8.2f}"
        print(f"{what:62} {numbers} {unit}   n = {len(values)}", flush=True)


async def start(student: Student, notebook: Path, times: dict[str, list[float]], begin: float) -> Student | None:
    """Log in, open, run to the end; what fails is said, and the class goes on."""
    act = "logging in"
    try:
        async with asyncio.timeout(PATIENCE):
            await student.log_in()
            times["from the click to one's own server, s"].append(time.perf_counter() - begin)
            act = "opening the notebook"
            await student.open(notebook)
            act = "running the notebook"
            await student.run_all()
        times[f"from the click to the end of {notebook.name}, s"].append(time.perf_counter() - begin)
        return student
    except Exception as error:
        print(f"{student.name} failed in {act}: {type(error).__name__}: {error}", flush=True)
        return None


async def drag_on(student: Student, answers: list[float], until: float) -> None:
    """Move a slider of the first figure about once in three seconds, as someone who looks at the answer does."""
    slider = next(iter(student.find("IntSliderModel") + student.find("FloatSliderModel")))
    low, high = student.widgets[slider]["min"], student.widgets[slider]["max"]
    step = 0
    while time.perf_counter() < until:
        step += 1
        answers.append(await student.drag(slider, low + (high - low) * (step % 4) / 4))
        await asyncio.sleep(3)


async def train_on(student: Student, epochs: list[float], until: float) -> None:
    """A live panel of the classic network in a cell, started by its button."""
    await student.execute(
        "from helpers.figures.live_panel import LivePanel\nfrom helpers.runs.settings import CLASSIC\n"
        "panel = LivePanel(CLASSIC)\npanel"
    )
    (button,) = student.find("ButtonModel", description="Start")
    await student.press(button)
    await asyncio.sleep(max(0, until - time.perf_counter()))
    await student.execute("assert panel.phase in ('running', 'finished'), panel.phase")


async def run(options: argparse.Namespace, url: str, homes: Path) -> int:
    times: dict[str, list[float]] = defaultdict(list)
    students = [Student(url, f"student{i:02}") for i in range(options.students)]
    for student in students:
        (homes / student.name).mkdir()
    begin = time.perf_counter()
    started = await asyncio.gather(*(start(s, TOP / options.notebook, times, begin) for s in students))
    whole = [student for student in started if student is not None]
    for what, values in times.items():
        say(what, values, "s")
    say("memory of a student, proportional set size, MB", memory(homes), "MB")
    if options.greedy:
        greedy, *whole = whole
        try:
            await greedy.execute("import torch\ntorch.ones(3 * 2**30 // 4)")
            print("a tensor of 3 GB was allowed")
        except Exception as error:
            print(f"a tensor of 3 GB: {type(error).__name__}: {str(error)[:80]}")
        endless = asyncio.create_task(greedy.execute("while True: pass"))
    until, answers = time.perf_counter() + options.seconds, []
    trainers, draggers = whole[: options.train], whole[options.train :]
    jobs = [train_on(student, [], until) for student in trainers] + [drag_on(s, answers, until) for s in draggers]
    ended = await asyncio.gather(*jobs, return_exceptions=True)
    failures = [error for error in ended if isinstance(error, BaseException)]
    for error in failures:
        print(f"failed: {type(error).__name__}: {error}")
    say(f"slider to answer, {len(draggers)} drag, {len(trainers)} train, s", answers, "s")
    say("memory of a student afterwards, MB", memory(homes), "MB")
    if options.greedy:
        endless.cancel()
    await asyncio.gather(*(student.leave() for student in students))
    failed = started.count(None) + len(failures)
    print(f"{failed} of {options.students} students failed")
    return failed


async def answering(url: str) -> None:
    """Wait for the hub itself."""
    import aiohttp

    async with aiohttp.ClientSession() as session:
        for _ in range(240):
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(f"{url}/hub/health") as page:
                    if page.status == 200:
                        return
            await asyncio.sleep(0.25)
    raise SystemExit("JupyterHub does not start: see class_log in the temporary folder.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--students", type=int, default=30)
    parser.add_argument("--train", type=int, default=0, help="how many of them train with the live panel")
    parser.add_argument("--greedy", action="store_true", help="one runs an endless loop and asks for a tensor of 3 GB")
    parser.add_argument("--seconds", type=float, default=60, help="of dragging and training")
    parser.add_argument("--notebook", default="notebooks/01_concatenation.ipynb")
    parser.add_argument("--gigabytes", type=float, default=1.5, help="that a process of a student may allocate")
    parser.add_argument("--warm", action="store_true", help="servers and kernels are forks of one that is warm")
    options = parser.parse_args()

    async def all_of_it(url: str, homes: Path) -> int:
        await answering(url)
        return await run(options, url, homes)

    with hub(options.gigabytes, options.warm) as (url, homes):
        sys.exit(bool(asyncio.run(all_of_it(url, homes))))


if __name__ == "__main__":
    main()
