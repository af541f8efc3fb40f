"""The explorer of notebook 08: every control, pins, the scrubber, runs that diverged and runs that are not there."""

import re
import time

import pytest

from .conftest import measured

SLIDERS = ["hidden units", "learning rate", "clipping", "epoch"]
TICKS = ["logarithmic", "training text (solid)", "unseen text (dotted)", "ladder", "gradient norm"]


ONLY_THE_EXPLORER = [
    "from helpers import plot\nfrom helpers.widgets import Explorer\nplot.use_style()",
    "Explorer({'4-gram': 6.1})",
]


@pytest.fixture(scope="module")
def book(keep_open):
    return keep_open("explorer.ipynb", ONLY_THE_EXPLORER)


@pytest.fixture
def explorer(book):
    book.run_cell(1)  # a new explorer, as it is at first
    yield book.figure()
    book.check()


def test_the_notebook_comes_to_the_explorer(open_book):
    book = open_book("08_perplexity.ipynb")
    book.menu("Edit", "Clear Outputs of All Cells")
    start = time.monotonic()
    book.start_all()
    book.page.wait_for_selector(".widget-image", timeout=60_000)
    measured("08: from Run All in a fresh kernel to the explorer drawn, s", time.monotonic() - start)
    book.wait_run()
    book.check()
    click(book.figures()[0], "random")


def set_slider(figure, label: str, value: str) -> None:
    slider = figure.slider(label)
    figure.press(slider, "Home")
    for _ in range(600):
        if figure.labelled(label).locator(".widget-readout").inner_text() == value:
            return
        assert figure.press(slider, "ArrowRight"), f"{label} has no position {value}"
    raise AssertionError(f"{label} never came to {value}")


def click(figure, name: str) -> None:
    before = figure.state()
    figure.box.get_by_role("button", name=name, exact=True).click()
    figure.wait_until(lambda: figure.state() != before, f"an answer to {name}")


def test_every_control_answers(explorer):
    explorer.shot("08_explorer_first")
    for label in SLIDERS[:3]:
        slider, seen = explorer.slider(label), set()
        for key in ("Home", "ArrowRight", "End"):
            explorer.press(slider, key)
            seen.add(explorer.state())
        assert len(seen) == 3, f"{label}: two positions show and say the same"
        explorer.press(slider, "ArrowLeft")
    for kind in ("sequential, state reset", "random", "sequential, state carried"):
        click(explorer, kind)
        assert explorer.says().startswith(kind)
    for label in TICKS:
        box = explorer.box.get_by_label(label)
        for _ in range(2):
            before = explorer.picture()
            box.scroll_into_view_if_needed()
            box.focus()
            explorer.page.keyboard.press("Space")
            explorer.wait_until(lambda before=before: explorer.picture() != before, f"an answer to {label}")
    box = explorer.box.bounding_box()
    for part in explorer.box.locator(".widget-image, .widget-html, .widget-inline-hbox, button, input").all():
        place = part.bounding_box()
        assert place is None or place["x"] + place["width"] <= box["x"] + box["width"] + 2, "something is cut off"
    assert box["height"] < 620, "controls, picture and reading do not fit on a page of 720"


def test_pins_are_kept_and_told_apart_and_cleared(explorer):
    set_slider(explorer, "hidden units", "128")
    click(explorer, "pin")
    set_slider(explorer, "learning rate", "0.3")
    click(explorer, "pin")
    set_slider(explorer, "clipping", "off")
    with_pins = explorer.picture()
    explorer.shot("08_explorer_pins")
    assert "2 pinned" in explorer.says()
    click(explorer, "clear")
    assert explorer.picture() != with_pins and "pinned" not in explorer.says()
    alone = explorer.picture()
    set_slider(explorer, "clipping", "1")
    set_slider(explorer, "clipping", "off")
    assert explorer.picture() == alone, "the same choice shows another picture"


def test_the_scrubber_shows_samples_and_plays(explorer):
    slider = explorer.slider("epoch")
    explorer.press(slider, "Home")
    assert "Epoch 1: training text" in explorer.says()
    assert re.search(r"It writes \(epoch 1\): time traveller ", explorer.says())
    explorer.press(slider, "End")
    assert "It writes (epoch 500): time traveller for so it will be convenient" in explorer.says()
    explorer.press(slider, "Home")
    explorer.box.locator(".widget-play button").first.click()
    explorer.wait_until(lambda: re.search(r"Epoch (\d\d+)", explorer.says()), "play moves the epoch", timeout=20)
    explorer.box.locator(".widget-play button").first.click()
    explorer.page.wait_for_timeout(800)
    stopped = explorer.says()
    explorer.page.wait_for_timeout(1000)
    assert explorer.says() == stopped, "pause does not stop the play"


def test_divergence_and_missing_settings_are_said(explorer):
    set_slider(explorer, "clipping", "off")
    explorer.wait_until(lambda: "It diverged: above 100 in epoch 300" in explorer.says(), "where it diverged")
    explorer.box.get_by_label("gradient norm").check()
    explorer.page.wait_for_timeout(500)
    explorer.shot("08_explorer_diverged")
    set_slider(explorer, "learning rate", "10")
    explorer.wait_until(lambda: "this setting was not recorded" in explorer.says(), "what was not recorded")
    explorer.shot("08_explorer_missing")


def test_keys_are_answered_quickly(explorer):
    slider = explorer.slider("learning rate")
    explorer.watch()
    for number in range(11):
        explorer.press(slider, "ArrowRight" if number % 2 == 0 else "ArrowLeft")
        measured("key press to new picture, explorer, s", explorer.answer_seconds())


def test_damaged_recordings_are_left_out_and_named(open_book, lab, tmp_path):
    lab.write(
        "damaged.ipynb",
        [
            "import shutil\nfrom pathlib import Path\nfrom helpers.record import FOLDER\n"
            f"folder = Path({str(tmp_path / 'recordings')!r})\nshutil.copytree(FOLDER, folder)\n"
            "name = 'sequential_h512_lr1_clip1.json'\n"
            "(folder / name).write_text((folder / name).read_text()[:1000])\n"
            "(folder / 'random_h32_lr1_clip1.json').unlink()\n(folder / 'notes.txt').write_text('hello')",
            "from helpers.widgets import Explorer\nExplorer(folder=folder)",
        ],
    )
    book = open_book("damaged.ipynb")
    book.run()
    says = book.figure().says()
    assert "not recorded, or its file was left out" in says
    for name in ("sequential_h512_lr1_clip1.json is damaged", "random_h32_lr1_clip1.json is missing", "notes.txt"):
        assert name in says
    set_slider(book.figure(), "hidden units", "128")
    assert "It ends at" in book.figure().says(), "the rest does not work"
    book.check()
