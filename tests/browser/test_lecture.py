"""Lecture mode: every chapter as slides, at the size of a laptop and of a projector, by keyboard alone."""

import json
import shutil
from pathlib import Path

import nbformat
import pytest
from nbformat.sign import NotebookNotary

from .conftest import TOP, Book

NAMES = sorted(path.stem for path in Path(TOP, "notebooks").glob("[0-9]*.ipynb"))
SIZES = {(1280, 720): 16, (1920, 1080): 24}  # the smallest lettering there, in pixels
BUTTON = '.jp-NotebookPanel-toolbar [data-command="deck:toggle"]'
# Waits until another cell is active than `before`, at most a second; then tells what the screen shows.
STATE = """async before => {
    const all = () => [...document.querySelectorAll(".jp-Deck .jp-Cell")];
    const number = () => all().findIndex(c => c.matches(".jp-mod-active"));
    for (let n = 0; n < 60 && number() === before; n++) await new Promise(requestAnimationFrame);
    await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
    const cells = all(), slide = cells.filter(c => c.matches(".jp-deck-mod-onscreen"));
    const active = cells[number()], box = active.getBoundingClientRect();
    const boxes = slide.map(c => c.getBoundingClientRect());
    const parts = what => slide.flatMap(c => [...c.querySelectorAll(what)]).filter(e => e.getClientRects().length);
    return {
        active: number(),
        shown: active.matches(".jp-deck-mod-visible") && box.width > 9 && box.height > 9,
        content: active.innerText.trim().length + active.querySelectorAll("img, canvas, svg, .jupyter-widgets").length,
        above: Math.min(...boxes.map(b => b.top)), below: innerHeight - Math.max(...boxes.map(b => b.bottom)),
        cut: parts(".cm-scroller, img, table, .jupyter-widgets").filter(e => e.matches(".cm-scroller")
            ? e.scrollWidth > e.clientWidth + 2 : e.getBoundingClientRect().right > innerWidth).map(e => e.className),
        lettering: Math.min(...parts(".cm-content, pre, p, li").filter(e => !e.closest(".jupyter-widgets")).map(
            e => parseFloat(getComputedStyle(e).fontSize))),
    };
}"""


@pytest.fixture(autouse=True)
def leave(lab):
    """Forget that a deck is open: what a failed test has not left by Esc would open as slides next time."""
    yield
    settings = lab.log_path.parent / "JUPYTER_CONFIG_DIR" / "lab" / "user-settings" / "jupyterlab-slideshow"
    shutil.rmtree(settings, ignore_errors=True)


class Deck:
    """An open notebook as slides."""

    def __init__(self, book: Book):
        self.page, self.name = book.page, book.name
        self.cells = json.loads((book.lab.folder / book.name).read_text(encoding="utf-8"))["cells"]

    def start(self, by_key: bool = True) -> None:
        self.page.keyboard.press("F8") if by_key else self.page.locator(BUTTON).click()
        self.page.wait_for_selector(".jp-Deck .jp-deck-mod-visible")
        self.page.wait_for_timeout(1500)  # JupyterLab closes its side bars, one after a second

    def state(self, before: int = -1) -> dict:
        return self.page.evaluate(STATE, before)

    def press(self, key: str, before: dict | None = None) -> dict:
        before = before or self.state()
        self.page.keyboard.press(key)
        return self.state(before["active"])

    def walk(self, key: str) -> list[dict]:
        """Press a key until nothing moves any more."""
        states = [self.state()]
        while len(states) < 200:
            state = self.press(key, states[-1])
            if state["active"] == states[-1]["active"]:
                return states
            states.append(state)
        raise AssertionError(f"{self.name}: {key} goes round in a circle")

    def go_to(self, part) -> None:
        """Step until a part of the page is seen."""
        while not part.is_visible():
            before = self.state()["active"]
            assert self.press("PageDown")["active"] > before, f"{part} is on no slide"

    def check(self, state: dict, size: tuple[int, int]) -> None:
        """Something new is seen, the whole slide fits, and its lettering can be read from the last row."""
        place = f"{self.name}, cell {self.cells[state['active']]['id']} at {size}: {state}"
        assert state["shown"] and state["content"], f"blank: {place}"
        assert min(state["above"], state["below"]) >= 0, f"taller than the screen: {place}"
        assert not state["cut"], f"cut off: {place}"
        assert state["lettering"] >= SIZES[size], f"too small: {place}"


@pytest.fixture
def open_deck(open_book, lab):
    """Open a chapter as a deck. It is signed, so that its stored widgets are shown without running it."""

    def open_it(stem: str) -> Deck:
        notary = NotebookNotary(data_dir=str(lab.log_path.parent / "JUPYTER_DATA_DIR"))
        notary.sign(nbformat.read(lab.folder / f"{stem}.ipynb", as_version=4))
        notary.store.close()
        deck = Deck(open_book(f"{stem}.ipynb"))
        deck.page.locator(".jp-Notebook .jp-Cell").first.click()
        deck.start(by_key=False)
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
    for state, size in [(state, small) for state in forward] + [(state, large) for state in back]:
        deck.check(state, size)
    assert wanted[-1] == len(deck.cells) - 1, "the last cell is left out: the screen stays blank"


def test_keys_work_without_focus_and_the_place_is_kept(open_deck):
    deck = open_deck("01_concatenation")
    places = [deck.state()["active"]]
    for key in ("PageDown", "Space", "ArrowRight", "PageDown", "PageUp", "Shift+Space", "ArrowLeft"):
        deck.page.evaluate("document.activeElement.blur()")
        places.append(deck.press(key)["active"])
    assert places[5:] == places[3:0:-1] and len(set(places)) == 5, places
    place = deck.press("Space")["active"]
    for key in ("Escape", "F8"):
        deck.page.keyboard.press(key)
        deck.page.wait_for_selector(".jp-Deck", state="detached")
        deck.start()
        assert deck.state()["active"] == place


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


def test_the_guessing_game_keeps_its_keys_to_itself_on_a_slide(open_deck):
    deck = open_deck("10_beating_the_table")
    game = deck.page.locator(".page-figure .game")
    deck.go_to(game)
    game.locator(".words").click()
    place = deck.state()["active"]
    for count, key in enumerate(("Space", "e", "Enter"), start=1):
        deck.page.keyboard.press(key)
        deck.page.keyboard.press("Enter")
        assert deck.state()["active"] == place, f"{key} has left the slide"
        assert int(game.locator(".note").inner_text().split()[2].rstrip(".")) >= count, f"{key} was not heard"
    assert deck.press("PageDown")["active"] > place, "a clicker does not go on"


def test_without_the_extension_notebooks_open_and_run(page, open_book):
    for name in ("jupyterlab-slideshow", "@deathbeds"):
        page.route(f"**/lab/extensions/{name}/**", lambda route: route.abort())
    book = open_book("01_concatenation.ipynb")
    page.keyboard.press("F8")
    assert not page.locator(".jp-Deck").count()
    book.run()
    assert book.figure().press(book.figure().slider("cut after column"), "End")
