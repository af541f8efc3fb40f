"""A real JupyterLab in a real browser, over a copy of the notebooks.

Needs chromium on the PATH, or its path in CHROMIUM, and the package playwright. Without them these tests are skipped,
but where CI is set that is a failure. Screenshots go to build/screenshots, which git ignores.
"""

import json
import os
import secrets
import shutil
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import Request, urlopen

import psutil
import pytest

TOP = Path(__file__).parents[2]
SHOTS = TOP / "build" / "screenshots"
HOW = "The browser tests need chromium (Debian: apt-get install chromium) and: pip install -r tests/requirements.txt"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
SECONDS: dict[str, list[float]] = {}  # what was measured, printed at the end


def measured(name: str, seconds: float) -> None:
    SECONDS.setdefault(name, []).append(seconds)


def pytest_terminal_summary(terminalreporter):
    if SECONDS:
        terminalreporter.section("measured in the browser (median of n)")
        for name, values in SECONDS.items():
            terminalreporter.write_line(f"{name:70} {statistics.median(values):8.3f}   n = {len(values)}")


def find_chromium() -> str | None:
    named = os.environ.get("CHROMIUM")
    return named if named else shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="session")
def browser():
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        sync_playwright = None
    path = find_chromium()
    if sync_playwright is None or path is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(HOW)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Lab:
    """A running JupyterLab whose folder holds copies of the notebooks."""

    def __init__(self, folder: Path, home: Path):
        self.folder, self.port, self.token = folder, free_port(), secrets.token_hex(16)
        shutil.copytree(TOP / "notebooks", folder, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
        settings = home / "settings"
        settings.mkdir(parents=True)
        overrides = {
            # all cells on the page, so that a test finds what a reader would scroll to
            "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},
            "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
        }
        (settings / "overrides.json").write_text(json.dumps(overrides), encoding="utf-8")
        own = {name: str(home / name) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")}
        command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={self.port}"]
        command += [f"--IdentityProvider.token={self.token}", f"--ServerApp.root_dir={folder}"]
        command += [f"--LabApp.app_settings_dir={settings}", f"--LabApp.workspaces_dir={home / 'workspaces'}"]
        self.log_path = home / "lab.log"
        self.log = self.log_path.open("w")
        self.process = subprocess.Popen(command, env={**os.environ, **own}, stdout=self.log, stderr=subprocess.STDOUT)

    def url(self, notebook: str) -> str:
        return f"http://127.0.0.1:{self.port}/lab/tree/{notebook}?token={self.token}&reset"

    def kernel(self, notebook: str) -> psutil.Process:
        """The process that runs a notebook's cells."""
        (session,) = [session for session in self.ask("sessions") if session["path"] == notebook]
        processes = psutil.Process(self.process.pid).children(recursive=True)
        (kernel,) = [process for process in processes if session["kernel"]["id"] in str(process.cmdline())]
        return kernel

    def write(self, name: str, cells: list[str]) -> None:
        """Put a notebook of code cells into the folder."""
        kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
        cells = [
            {"cell_type": "code", "id": f"c{i}", "metadata": {}, "execution_count": None, "outputs": [], "source": code}
            for i, code in enumerate(cells)
        ]
        content = {"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
        (self.folder / name).write_text(json.dumps(content), encoding="utf-8")

    def stop_kernel(self, notebook: str) -> None:
        for session in self.ask("sessions"):
            if session["path"] == notebook:
                self.ask(f"sessions/{session['id']}", "DELETE")

    def ask(self, what: str, method: str = "GET"):
        """What the server's REST interface answers."""
        request = Request(f"http://127.0.0.1:{self.port}/api/{what}", method=method)
        request.add_header("Authorization", f"token {self.token}")
        with urlopen(request, timeout=60) as answer:
            content = answer.read()
        return json.loads(content) if content else None

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(30)
        self.log.close()


@pytest.fixture(scope="session")
def lab(browser, tmp_path_factory):
    lab = Lab(tmp_path_factory.mktemp("course") / "notebooks", tmp_path_factory.mktemp("home"))
    yield lab
    lab.close()


PICTURE_STATE = """async image => {
    if (!image.src || image.offsetParent === null) return "no picture";
    const bytes = new Uint8Array(await (await fetch(image.src)).arrayBuffer());
    let sum = 0;
    for (const byte of bytes) sum = (sum * 31 + byte) % 4294967291;
    return bytes.length + ":" + sum;
}"""
WATCH = """image => {
    window.drawn = []; window.pressed = [];
    image.addEventListener("load", () => requestAnimationFrame(() => window.drawn.push(performance.now())));
    document.addEventListener("keydown", () => window.pressed.push(performance.now()), true);
}"""


class Widget:
    """One figure with controls on the page: its box, its picture, what it says."""

    def __init__(self, page, box):
        self.page, self.box = page, box
        self.image = box.locator(".widget-image").first

    def says(self) -> str:
        return "\n".join(self.box.locator(".widget-html").all_inner_texts())

    def picture(self) -> str:
        return self.image.evaluate(PICTURE_STATE) if self.image.count() else "no picture"

    def state(self) -> tuple[str, str]:
        return self.picture(), self.says()

    def labelled(self, label: str):
        """The line of one control, found by its label."""
        lines = self.box.locator(".widget-inline-hbox").filter(has=self.page.locator("label.widget-label"))
        return lines.filter(has=self.page.get_by_text(label, exact=True)).first

    def slider(self, label: str):
        return self.labelled(label).locator("[role=slider]")

    def wait_until(self, holds, what: str, timeout: float = 10):
        """Wait until `holds()`; the page goes on meanwhile."""
        end = time.monotonic() + timeout
        while not holds():
            assert time.monotonic() < end, f"not within {timeout} s: {what}; the figure says: {self.says()}"
            self.page.wait_for_timeout(30)

    def press(self, slider, key: str) -> bool:
        """Press a key on a slider; when its value changes, wait for the answer. Says whether it changed."""
        slider.scroll_into_view_if_needed()
        before, value = self.state(), slider.get_attribute("aria-valuetext")
        slider.focus()
        self.page.keyboard.press(key)
        self.page.wait_for_timeout(50)
        if slider.get_attribute("aria-valuetext") == value:
            return False
        self.wait_until(lambda: self.state() != before, f"an answer to {key}")
        return True

    def watch(self) -> None:
        """Note from now on when a key is pressed and when a new picture is on the page."""
        self.image.evaluate(WATCH)

    def answer_seconds(self) -> float:
        """Seconds from the last key pressed to the first new picture after it."""
        found = "() => (window.drawn.find(t => t > window.pressed.at(-1)) ?? -1) - window.pressed.at(-1)"
        self.wait_until(lambda: self.page.evaluate(found) > 0, "a new picture")
        return self.page.evaluate(found) / 1000

    def shot(self, name: str) -> None:
        SHOTS.mkdir(parents=True, exist_ok=True)
        self.box.scroll_into_view_if_needed()
        self.page.wait_for_timeout(150)
        self.box.screenshot(path=SHOTS / f"{name}.png")


class Book:
    """One notebook, open in JupyterLab."""

    def __init__(self, browser, lab: Lab, name: str, size: tuple[int, int] = (1280, 720)):
        self.lab, self.name = lab, name
        self.page = browser.new_page(viewport={"width": size[0], "height": size[1]})
        self.complaints: list[str] = []
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.open()

    def open(self) -> None:
        for _ in range(120):
            try:
                self.page.goto(self.lab.url(self.name))
                break
            except Exception:  # the server is not up yet
                time.sleep(0.5)
        self.page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
        self.page.wait_for_selector("text=/Python 3 .*Idle/", timeout=60_000)

    def menu(self, menu: str, entry: str) -> None:
        self.page.locator(".lm-MenuBar-item", has_text=menu).first.click()
        self.page.locator(".lm-Menu").get_by_text(entry, exact=True).first.click()

    def start_all(self) -> None:
        self.menu("Run", "Run All Cells")

    def prompts(self) -> list[str]:
        return self.page.locator(".jp-CodeCell .jp-InputPrompt").all_inner_texts()

    def wait_run(self, timeout: float = 120) -> None:
        """Wait until every cell of code has run."""
        end = time.monotonic() + timeout
        while True:
            prompts = [prompt.strip() for prompt in self.prompts()]
            if prompts and not any(prompt in ("[*]:", "[ ]:") for prompt in prompts):
                return
            assert time.monotonic() < end, f"{self.name}: not all cells have run: {prompts}"
            self.page.wait_for_timeout(100)

    def run(self, timeout: float = 120) -> None:
        """Restart the kernel, forget all outputs, and run every cell."""
        self.menu("Edit", "Clear Outputs of All Cells")
        self.start_all()
        self.page.wait_for_timeout(300)
        self.wait_run(timeout)
        self.check()

    def run_cell(self, number: int) -> None:
        """Run one cell of code, counted from 0."""
        self.page.locator(".jp-CodeCell").nth(number).locator(".jp-InputArea-editor").click()
        self.page.keyboard.press("Control+Enter")
        self.page.wait_for_timeout(300)
        self.wait_run()

    def check(self) -> None:
        """No error in any output or callback, no widget that did not render, nothing thrown on the page."""
        log = self.lab.log_path.read_text(encoding="utf-8")
        where = log.find("Exception in comm")  # what ipywidgets' callbacks raise goes to the kernel's log alone
        assert where < 0, log[where : where + 3000]
        assert not self.page.locator('[data-mime-type="application/vnd.jupyter.stderr"]').all_inner_texts()
        assert not self.page.locator('[data-mime-type="application/vnd.jupyter.error"]').all_inner_texts()
        text = self.page.locator(".jp-Notebook").inner_text().lower()
        for sentence in ("model not found", "error displaying widget", "error creating widget", "loading widget"):
            assert sentence not in text, f"{self.name}: “{sentence}” is on the page"
        assert "a figure with controls: run this cell" not in text, f"{self.name}: a widget did not render"
        assert not self.complaints, self.complaints

    def figures(self) -> list[Widget]:
        boxes = self.page.locator(".jp-OutputArea-output > .widget-vbox, .jp-OutputArea-output .widget-vbox")
        boxes = boxes.filter(has=self.page.locator(".widget-image"))
        return [Widget(self.page, boxes.nth(i)) for i in range(boxes.count())]

    def figure(self) -> Widget:
        (figure,) = self.figures()
        return figure

    def close(self) -> None:
        """Close the page and shut its kernel down: the machine has two cores."""
        self.page.close()
        self.lab.stop_kernel(self.name)


@pytest.fixture(scope="module")
def keep_open(browser, lab):
    """Write a notebook of code cells, open it and run it once; it stays open for all tests of a module."""
    books = []

    def open_it(name: str, cells: list[str]) -> Book:
        lab.write(name, cells)
        books.append(Book(browser, lab, name))
        books[-1].run()
        return books[-1]

    yield open_it
    for book in books:
        book.close()


@pytest.fixture
def open_book(browser, lab):
    books = []

    def open_it(name: str, size: tuple[int, int] = (1280, 720)) -> Book:
        books.append(Book(browser, lab, name, size))
        return books[-1]

    yield open_it
    for book in books:
        book.close()
