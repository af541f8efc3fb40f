"""A real JupyterLab in a real browser, over a copy of the notebooks.

Needs chromium on the PATH, or its path in CHROMIUM. Without it these tests are skipped, but where CI is set that is a
failure. Of what fails, a screenshot and a trace stay in build/browser, which git ignores.
"""

import ctypes
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import Request, urlopen

import psutil
import pytest

TOP = Path(__file__).parents[2]
HOW = "The browser tests need chromium (Debian: apt-get install chromium), or its path in the variable CHROMIUM"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
MEASURED: dict[str, list[float]] = {}


def measured(name: str, value: float) -> None:
    MEASURED.setdefault(name, []).append(value)


@pytest.fixture(autouse=True)
def hand_on_what_was_measured(record_property):
    """Let the test's report carry it: the process that prints the summary is another one."""
    MEASURED.clear()
    yield
    record_property("measured", dict(MEASURED))


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args):
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(HOW)
    return {**browser_type_launch_args, "executable_path": path, "args": FLAGS}


def end_with_parent() -> None:
    """Let Linux end this process when the one that started it ends, however it ends; kernels then end by themselves."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # 1: PR_SET_PDEATHSIG


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
        (settings / "overrides.d").mkdir(parents=True)
        shutil.copy(TOP / "helpers" / "lecture.json5", settings / "overrides.d")  # as the course's install does
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
        with self.log_path.open("w") as log:
            self.process = subprocess.Popen(
                command,
                env={**os.environ, **own},
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=end_with_parent if sys.platform == "linux" else None,
            )

    def wait_until_up(self) -> None:
        end = time.monotonic() + 60
        while True:
            try:
                return self.ask("status")
            except OSError:
                assert time.monotonic() < end and self.process.poll() is None, self.log_path.read_text()
                time.sleep(0.1)

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
        """End the server; at its own end it shuts down its kernels."""
        self.process.terminate()
        try:
            self.process.wait(8)
        finally:
            self.process.kill()


@pytest.fixture(scope="session")
def lab(browser, tmp_path_factory):
    lab = Lab(tmp_path_factory.mktemp("course") / "notebooks", tmp_path_factory.mktemp("home"))
    try:
        lab.wait_until_up()
        yield lab
    finally:
        lab.close()


PICTURE_STATE = """async image => {
    if (image.matches(".drawings")) return image.offsetParent ? image.innerHTML : "no picture";
    if (!image.src || image.offsetParent === null) return "no picture";
    const bytes = new Uint8Array(await (await fetch(image.src)).arrayBuffer());
    let sum = 0;
    for (const byte of bytes) sum = (sum * 31 + byte) % 4294967291;
    return bytes.length + ":" + sum;
}"""
WATCH = """image => {
    window.drawn = []; window.pressed = [];
    if (image.watched) return;
    image.watched = true;
    const note = () => requestAnimationFrame(() => setTimeout(() => window.drawn.push(performance.now())));
    image.addEventListener("load", note);
    if (image.matches(".drawings")) {
        const changes = {subtree: true, childList: true, attributes: true};
        new MutationObserver(note).observe(image.getRootNode(), changes);
    }
    document.addEventListener("keydown", () => window.pressed.push(performance.now()), true);
}"""


class Widget:
    """One figure with controls on the page: its box, its picture, what it says."""

    def __init__(self, page, box):
        self.page, self.box = page, box
        self.image = box.locator(".widget-image, .page-figure .drawings").first

    def says(self) -> str:
        return "\n".join(self.box.locator(".widget-html, .page-figure .words").all_inner_texts())

    def picture(self) -> str:
        return self.image.evaluate(PICTURE_STATE) if self.image.count() else "no picture"

    def state(self) -> tuple[str, str]:
        return self.picture(), self.says()

    def settled(self) -> tuple[str, str]:
        """What it shows and says once it stands still, or after two seconds: a move may be answered in two steps."""
        now = self.state()
        for _ in range(20):
            before = now
            self.page.wait_for_timeout(80)
            now = self.state()
            if now == before:
                break
        return now

    def labelled(self, label: str):
        """The line of one control, found by its label."""
        return self._lines(self.page.get_by_text(label, exact=True)).first

    def _lines(self, having):
        lines = self.box.locator(".widget-inline-hbox, .page-figure .control")
        return lines.filter(has=self.page.locator("label.widget-label, span, legend")).filter(has=having)

    def slider(self, label: str):
        return self.labelled(label).locator("[role=slider], input[type=range]")

    def slider_labels(self) -> list[str]:
        lines = self._lines(self.page.locator("[role=slider], input[type=range]"))
        return [text for text in lines.locator("label.widget-label, span").all_inner_texts() if text]

    def button(self, name: str):
        return self.box.get_by_role("button", name=name, exact=True).or_(
            self.box.get_by_role("radio", name=name, exact=True)
        )

    def wait_until(self, holds, what: str, timeout: float = 20):
        """Wait until `holds()`; the page goes on meanwhile."""
        end = time.monotonic() + timeout
        while not holds():
            assert time.monotonic() < end, f"not within {timeout} s: {what}; the figure says: {self.says()}"
            self.page.wait_for_timeout(20)

    def answers(self, act, what: str) -> None:
        """Do something, and wait until the figure shows or says something else."""
        before = self.state()
        act()
        self.wait_until(lambda: self.state() != before, f"an answer to {what}")
        self.settled()

    def press(self, slider, key: str) -> bool:
        """Press a key on a slider; when its value changes, wait for the answer. Says whether it changed."""
        slider.scroll_into_view_if_needed()
        before, value = self.state(), slider.get_attribute("aria-valuetext")
        slider.focus()
        self.page.keyboard.press(key)
        self.page.wait_for_timeout(30)
        if slider.get_attribute("aria-valuetext") == value:
            return False
        self.wait_until(lambda: self.state() != before, f"an answer to {key}")
        self.settled()
        return True

    def type_into(self, label: str, text: str) -> None:
        field = self.labelled(label).locator("input")
        self.answers(lambda: field.fill(text), repr(text[:30]))

    def click(self, name: str) -> None:
        self.answers(self.button(name).click, name)

    def choose(self, label: str, option: str) -> None:
        line = self.box.locator(".widget-dropdown").filter(has=self.page.get_by_text(label, exact=True))
        line.locator("select").select_option(label=option)

    def drive(self, label: str) -> None:
        """A slider to both ends and a place between; at each the figure shows and says something else."""
        slider = self.slider(label)
        seen = {}
        for key in ("End", "Home", "ArrowRight"):
            self.press(slider, key)
            seen.setdefault(slider.get_attribute("aria-valuetext"), self.state())
        assert len(seen) >= 2, f"{label} has only one position"
        assert len(set(seen.values())) == len(seen), f"{label}: two positions show and say the same"

    def watch(self) -> None:
        """Note from now on when a key is pressed and when a new picture is on the page."""
        self.image.evaluate(WATCH)

    def answer_seconds(self, which: str = "find") -> float:
        """Seconds from the last key pressed to the first new picture after it, or to the last with "findLast"."""
        found = f"() => (window.drawn.{which}(t => t > window.pressed.at(-1)) ?? -1) - window.pressed.at(-1)"
        self.wait_until(lambda: self.page.evaluate(found) > 0, "a new picture")
        return self.page.evaluate(found) / 1000

    def measure_keys(self, label: str, name: str, times: int = 7) -> None:
        """Seconds from a key press to the new picture on the page."""
        slider = self.slider(label)
        self.press(slider, "Home")
        self.watch()
        for number in range(times):
            self.press(slider, "ArrowRight" if number % 2 == 0 else "ArrowLeft")
            measured(f"key press to new picture, {name}, s", self.answer_seconds())
            measured(f"key press to whole answer, {name}, s", self.answer_seconds("findLast"))

    def check_nothing_is_cut_off(self) -> None:
        """No control, picture or reading is wider than the place it has."""
        box = self.box.bounding_box()
        parts = ".widget-image, .widget-html, .widget-inline-hbox, button, input, .page-figure svg, .page-figure .words"
        for part in self.box.locator(parts).all():
            place = part.bounding_box()
            if place is not None:
                assert place["x"] + place["width"] <= box["x"] + box["width"] + 2, part.evaluate("e => e.outerHTML")


class PageFigure(Widget):
    """A figure that the page draws itself, in a shadow root, which locators look into."""

    def painted(self) -> None:
        """Wait until what was done before is on the page: it is drawn in the next frame."""
        self.page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def says(self) -> str:
        self.painted()
        return self.box.inner_text()

    def picture(self) -> str:
        return "".join(self.box.locator("svg").evaluate_all("all => all.map(svg => svg.outerHTML)"))

    def check_nothing_is_cut_off(self) -> None:
        wide, room = self.box.evaluate("box => [box.scrollWidth, box.clientWidth]")
        assert wide <= room, f"{wide} pixels wide in a place of {room}"


class Book:
    """One notebook, open in JupyterLab."""

    def __init__(self, page, lab: Lab, name: str):
        self.page, self.lab, self.name = page, lab, name
        self.complaints: list[str] = []
        self.log_start = lab.log_path.stat().st_size
        self.page.set_viewport_size({"width": 1280, "height": 720})
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.open()

    def open(self) -> None:
        self.page.goto(self.lab.url(self.name))
        self.page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
        self.page.wait_for_selector("text=/Python 3 .*Idle/", timeout=60_000)

    def menu(self, menu: str, entry: str) -> None:
        self.page.locator(".lm-MenuBar-item", has_text=menu).first.click()
        self.page.locator(".lm-Menu").get_by_text(entry, exact=True).first.click()

    def command(self, name: str) -> None:
        """Run a command from the palette."""
        self.page.keyboard.press("Control+Shift+C")
        self.page.locator(".lm-CommandPalette-input").fill(name)
        self.page.locator(".lm-CommandPalette-item").filter(has_text=name).first.click()

    def wait_for(self, holds, what: str, timeout: float = 120) -> None:
        end = time.monotonic() + timeout
        while not holds():
            assert time.monotonic() < end, f"{self.name}: not within {timeout} s: {what}"
            self.page.wait_for_timeout(50)

    def prompts(self) -> list[str]:
        return [text.strip() for text in self.page.locator(".jp-CodeCell .jp-InputPrompt").all_inner_texts()]

    def has_run(self) -> bool:
        """Whether every cell of code has run."""
        return not any(prompt in ("[*]:", "[ ]:") for prompt in self.prompts())

    def start_all(self) -> None:
        """Forget all outputs and start to run every cell."""
        self.menu("Edit", "Clear Outputs of All Cells")
        self.wait_for(lambda: set(self.prompts()) == {"[ ]:"}, "all outputs are cleared")
        self.menu("Run", "Run All Cells")

    def run(self) -> None:
        self.start_all()
        self.wait_for(self.has_run, "all cells have run")
        self.check()

    def run_cell(self, number: int, code: str | None = None) -> None:
        """Run one cell of code, counted from 0, with another text if it is given."""
        before = self.prompts()[number]
        self.page.locator(".jp-CodeCell").nth(number).locator(".cm-content").click()
        if code is not None:  # at once: while one types, the editor completes brackets and indentation
            self.page.keyboard.press("Control+a")
            self.page.keyboard.insert_text(code)
        self.page.keyboard.press("Control+Enter")
        self.wait_for(lambda: self.prompts()[number] not in (before, "[*]:", "[ ]:"), f"cell {number} has run")

    def save(self) -> None:
        self.menu("File", "Save Notebook")
        self.wait_for(lambda: not self.page.locator(".jp-mod-dirty, .jp-Document.jp-mod-dirty").count(), "it is saved")

    def check_no_error(self) -> None:
        for kind in ("stderr", "error"):
            found = self.page.locator(f'[data-mime-type="application/vnd.jupyter.{kind}"]').all_inner_texts()
            assert not found, f"{self.name}: {found}"

    def check(self) -> None:
        """No error in any output or callback, no widget that did not render, nothing thrown on the page."""
        log = self.lab.log_path.read_bytes()[self.log_start :].decode(errors="replace")
        where = log.find("Exception in comm")  # what ipywidgets' callbacks raise goes to the kernel's log alone
        assert where < 0, log[where : where + 3000]
        self.check_no_error()
        text = self.page.locator(".jp-Notebook").inner_text().lower()
        for sentence in ("model not found", "error displaying widget", "error creating widget", "loading widget"):
            assert sentence not in text, f"{self.name}: “{sentence}” is on the page"
        assert "a figure with controls: run this cell" not in text, f"{self.name}: a widget did not render"
        assert not self.complaints, self.complaints

    def figures(self, number: int = 1) -> list[Widget]:
        """All figures with controls, once there are `number` of them: a page-drawn one comes after its cell has run."""
        boxes = self.page.locator(".jp-OutputArea-output > .widget-vbox, .jp-OutputArea-output .widget-vbox")
        boxes = boxes.filter(has=self.page.locator(".widget-image, .page-figure")).or_(self.page.locator(".explorer"))
        self.wait_for(lambda: boxes.count() >= number, f"{number} figures are on the page", 30)
        kinds = ["explorer" in (box.get_attribute("class") or "") for box in boxes.all()]
        return [(PageFigure if own else Widget)(self.page, boxes.nth(i)) for i, own in enumerate(kinds)]

    def figure(self) -> Widget:
        (figure,) = self.figures()
        return figure


@pytest.fixture
def opened(lab):
    """Names of the notebooks that this test has opened; at its end, after its page, their kernels are shut down."""
    names: list[str] = []
    yield names
    for name in names:
        lab.stop_kernel(name)


@pytest.fixture
def open_book(lab, opened, page):
    """Open a notebook of the lab's folder in the page of this test."""

    def open_it(name: str) -> Book:
        opened.append(name)
        return Book(page, lab, name)

    return open_it


@pytest.fixture(scope="module")
def kept(request, browser, browser_context_args, lab):
    """A notebook of the module's CELLS, open and run once for all its tests."""
    context, name = browser.new_context(**browser_context_args), f"{request.module.__name__.split('_')[-1]}.ipynb"
    lab.write(name, request.module.CELLS)
    book = Book(context.new_page(), lab, name)
    book.run()
    yield book
    context.close()
    lab.stop_kernel(name)


@pytest.fixture
def book(kept, request, output_path):
    """The module's notebook with its figure as new; of a test that fails, a screenshot stays."""
    kept.run_cell(1, request.module.CELLS[1])
    yield kept
    if getattr(request.node, "rep_call", None) is None or request.node.rep_call.failed:
        kept.page.screenshot(path=Path(output_path) / "test-failed-1.png")
    else:
        kept.check()
