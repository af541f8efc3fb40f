"""Lecture mode: every chapter as slides, at the size of a laptop and of a projector, by keyboard alone."""

import json
import shutil
from pathlib import Path

import nbformat
import pytest
from nbformat.sign import NotebookNotary

from .conftest import TOP, Book, Lab, measured

NAMES = sorted(path.stem for path in Path(TOP, "notebooks").glob("[0-9]*.ipynb"))
SIZES = {(1280, 720): 16, (1920, 1080): 24}  # the smallest lettering that code may have there, in pixels

# Waits until another cell is active than `before`, at most a second; then tells what the screen shows.
STATE = """async before => {
    const all = () => [...document.querySelectorAll(".jp-Deck .jp-Cell")];
    const number = () => all().findIndex(c => c.matches(".jp-mod-active"));
    for (let n = 0; n < 60 && number() === before; n++) await new Promise(requestAnimationFrame);
    await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
    const cells = all(), slide = cells.filter(c => c.matches(".jp-deck-mod-onscreen"));
    const boxes = slide.map(c => c.getBoundingClientRect());
    const active = cells[number()], box = active.getBoundingClientRect();
    const parts = what => slide.flatMap(c => [...c.querySelectorAll(what)]).filter(e => e.getClientRects().length);
    return {
        active: number(),
        shown: active.matches(".jp-deck-mod-visible") && box.width > 9 && box.height > 9,
        content: active.innerText.trim().length + active.querySelectorAll("img, canvas, svg, .jupyter-widgets").length,
        top: Math.min(...boxes.map(b => b.top)),
        bottom: Math.max(...boxes.map(b => b.bottom)) - innerHeight,
        cut: parts(".cm-scroller, img, table, .jupyter-widgets").filter(e => e.getBoundingClientRect().right > innerWidth
            || e.matches(".cm-scroller") && e.scrollWidth > e.clientWidth + 2).map(e => e.className),
        code: Math.min(99, ...parts(".cm-content, pre").map(e => parseFloat(getComputedStyle(e).fontSize))),
        text: Math.min(99, ...parts(".jp-MarkdownOutput p, .jp-MarkdownOutput li").map(
            e => parseFloat(getComputedStyle(e).fontSize))),
    };
}"""


@pytest.fixture(autouse=True)
def leave(lab):
    """Forget that a deck is open: what a failed test has not left by Esc would open as slides next time."""
    yield
    settings = lab.log_path.parent / "JUPYTER_CONFIG_DIR" / "lab" / "user-settings" / "jupyterlab-slideshow"
    shutil.rmtree(settings, ignore_errors=True)


def trust(lab: Lab, name: str) -> None:
    """Sign a notebook, so that JupyterLab shows its stored widgets without running them."""
    notary = NotebookNotary(data_dir=str(lab.log_path.parent / "JUPYTER_DATA_DIR"))
    notary.sign(nbformat.read(lab.folder / name, as_version=4))
    notary.store.close()


class Deck:
    """An open notebook as slides."""

    def __init__(self, book: Book):
        self.page, self.name = book.page, book.name
        self.cells = json.loads((book.lab.folder / book.name).read_text(encoding="utf-8"))["cells"]

    def start(self, by_key: bool = False) -> None:
        if by_key:
            self.page.keyboard.press("F8")
        else:
            self.page.locator('.jp-NotebookPanel-toolbar [data-command="deck:toggle"]').click()
        self.page.wait_for_selector(".jp-Deck .jp-deck-mod-visible")
        self.page.wait_for_timeout(1500)  # JupyterLab closes its side bars, one after a second

    def state(self, before: int = -1) -> dict:
        return self.page.evaluate(STATE, before)

    def press(self, key: str) -> dict:
        before = self.state()["active"]
        self.page.keyboard.press(key)
        return self.state(before)

    def walk(self, key: str) -> list[dict]:
        """Press a key until nothing moves any more."""
        states = [self.state()]
        while True:
            before = states[-1]["active"]
            self.page.keyboard.press(key)
            states.append(self.state(before))
            assert len(states) < 200, f"{self.name}: {key} goes round in a circle"
            if states[-1]["active"] == before:
                return states[:-1]

    def go_to(self, part) -> None:
        """Step until a part of the page is seen."""
        while not part.is_visible():
            before = self.state()["active"]
            assert self.press("PageDown")["active"] > before, f"{self.name}: {part} is on no slide"

    def check(self, state: dict, size: tuple[int, int]) -> None:
        """Something new is seen, the whole slide fits, and its lettering can be read from the last row."""
        place = f"{self.name}, cell {self.cells[state['active']]['id']} at {size}: {state}"
        assert state["shown"] and state["content"], f"blank: {place}"
        assert state["top"] >= 0 and state["bottom"] <= 0, f"taller than the screen: {place}"
        assert not state["cut"], f"cut off: {place}"
        assert min(state["code"], state["text"]) >= SIZES[size], f"too small: {place}"


@pytest.fixture
def open_deck(open_book, lab):
    """Open a chapter as a deck, with the outputs that are stored."""

    def open_it(stem: str, **how: bool) -> Deck:
        trust(lab, f"{stem}.ipynb")
        deck = Deck(open_book(f"{stem}.ipynb"))
        deck.page.locator(".jp-Notebook .jp-Cell").first.click()
        deck.start(**how)
        return deck

    return open_it


@pytest.mark.parametrize("stem", NAMES)
def test_every_slide_fits_forward_and_back(open_deck, stem: str):
    deck = open_deck(stem)
    small, large = SIZES
    forward = deck.walk("PageDown")
    deck.page.set_viewport_size({"width": large[0], "height": large[1]})
    deck.page.wait_for_timeout(300)
    back = deck.walk("PageUp")
    wanted = [i for i, c in enumerate(deck.cells) if c["metadata"]["slideshow"]["slide_type"] != "skip"]
    assert [state["active"] for state in forward] == wanted == [state["active"] for state in back][::-1]
    for states, size in ((forward, small), (back, large)):
        for state in states:
            deck.check(state, size)
    assert wanted[-1] == len(deck.cells) - 1, "the last cell is left out: the screen stays blank"
    measured(f"slides of {stem}", sum(c["metadata"]["slideshow"]["slide_type"] == "slide" for c in deck.cells))
    deck.page.keyboard.press("Escape")
    deck.page.wait_for_selector(".jp-Deck", state="detached")


def test_keys_work_without_focus_and_the_place_is_kept(open_deck):
    deck = open_deck("01_concatenation", by_key=True)
    places = [deck.state()["active"]]
    for key in ("PageDown", "Space", "ArrowRight", "PageDown", "PageUp", "Shift+Space", "ArrowLeft"):
        deck.page.evaluate("document.activeElement.blur()")
        assert deck.page.evaluate("document.activeElement === document.body")
        places.append(deck.press(key)["active"])
    assert places[5:] == places[3:0:-1] and len(set(places)) == 5, places
    place = deck.press("Space")["active"]
    for leave, come in (("Escape", True), ("F8", False)):
        deck.page.keyboard.press(leave)
        deck.page.wait_for_selector(".jp-Deck", state="detached")
        deck.start(by_key=come)
        assert deck.state()["active"] == place
    deck.page.keyboard.press("F8")


def test_figures_answer_and_code_runs_in_a_slide(open_book):
    book = open_book("01_concatenation.ipynb")
    book.run()
    figure, label = book.figure(), "cut after column"
    figure.measure_keys(label, "01, in the notebook")
    book.page.locator(".jp-Notebook .jp-Cell").first.click()
    deck = Deck(book)
    deck.start()
    deck.go_to(figure.box)
    figure.measure_keys(label, "01, in its slide")
    assert figure.press(figure.slider(label), "Home") and "Cut after 0 of 7 columns" in figure.says()
    deck.check(deck.state(), (1280, 720))
    place = deck.state()["active"]
    figure.image.click()  # from here on Page Down no longer moves the slider
    assert deck.press("PageDown")["active"] > place and deck.press("PageUp")["active"] == place
    editor = book.page.locator(".jp-deck-mod-visible.jp-mod-active .cm-content")
    deck.go_to(editor)
    editor.click()
    deck.page.keyboard.press("Control+a")
    deck.page.keyboard.insert_text("print('run', 'in its slide')")
    deck.page.keyboard.press("Control+Enter")
    book.page.locator(".jp-deck-mod-visible .jp-OutputArea-output", has_text="run in its slide").wait_for()
    book.check()
    deck.page.keyboard.press("F8")
