"""The explorer: every control, pins, the scrubber, runs that diverged and runs that are not there."""

import re

import pytest

from .conftest import Widget, measured

TICKS = ["logarithmic", "training text (solid)", "unseen text (dotted)", "ladder", "gradient norm"]
CELLS = [
    "from helpers import plot\nfrom helpers.figures.explorer import Explorer\nplot.use_style()",
    "Explorer({'4-gram': 6.1})",
]


@pytest.fixture
def explorer(book) -> Widget:
    return book.figure()


def set_slider(figure: Widget, label: str, value: str) -> None:
    slider = figure.slider(label)
    figure.press(slider, "Home")
    while figure.labelled(label).locator(".widget-readout").inner_text() != value:
        assert figure.press(slider, "ArrowRight"), f"{label} has no position {value}"


def test_every_control_answers(explorer):
    for label in ("hidden units", "learning rate", "clipping"):
        slider, seen = explorer.slider(label), set()
        for key in ("Home", "ArrowRight", "End"):
            explorer.press(slider, key)
            seen.add(explorer.state())
        assert len(seen) == 3, f"{label}: two positions show and say the same"
        explorer.press(slider, "ArrowLeft")
    for kind in ("sequential, state reset", "random", "sequential, state carried"):
        explorer.click(kind)
        assert explorer.says().startswith(kind)
    for label in TICKS:
        box = explorer.box.get_by_label(label)
        for _ in range(2):
            before = explorer.picture()
            box.scroll_into_view_if_needed()
            box.focus()
            explorer.page.keyboard.press("Space")
            explorer.wait_until(lambda before=before: explorer.picture() != before, f"an answer to {label}")
    explorer.check_nothing_is_cut_off()
    height = explorer.box.bounding_box()["height"]
    assert height < 620, "controls, picture and reading do not fit on a page of 720"


def test_pins_are_kept_and_told_apart_and_cleared(explorer):
    set_slider(explorer, "hidden units", "128")
    explorer.click("pin")
    set_slider(explorer, "learning rate", "0.3")
    explorer.click("pin")
    set_slider(explorer, "clipping", "off")
    with_pins = explorer.picture()
    assert "2 pinned" in explorer.says()
    explorer.click("clear")
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
    play = explorer.box.locator(".widget-play button").first
    play.click()
    explorer.wait_until(lambda: re.search(r"Epoch (\d\d+)", explorer.says()), "play moves the epoch")
    play.click()
    explorer.page.wait_for_timeout(500)
    stopped = explorer.says()
    explorer.page.wait_for_timeout(700)
    assert explorer.says() == stopped, "pause does not stop the play"


def test_divergence_and_missing_settings_are_said(explorer):
    set_slider(explorer, "clipping", "off")
    explorer.wait_until(lambda: "It diverged: above 100 in epoch 300" in explorer.says(), "where it diverged")
    explorer.answers(explorer.box.get_by_label("gradient norm").check, "gradient norm")
    set_slider(explorer, "learning rate", "10")
    explorer.wait_until(lambda: "this setting was not recorded" in explorer.says(), "what was not recorded")


def test_keys_are_answered_quickly(explorer):
    slider = explorer.slider("learning rate")
    explorer.watch()
    for number in range(11):
        explorer.press(slider, "ArrowRight" if number % 2 == 0 else "ArrowLeft")
        measured("key press to new picture, explorer, s", explorer.answer_seconds())


def test_damaged_recordings_are_left_out_and_named(book, tmp_path):
    folder = tmp_path / "recordings"
    damage = [
        "import shutil\nfrom pathlib import Path\nfrom helpers.runs.files import FOLDER\n"
        f"folder = Path({str(folder)!r})\nshutil.copytree(FOLDER, folder)\n"
        "name = 'sequential_h512_lr1_clip1.json'\n"
        "(folder / name).write_text((folder / name).read_text()[:1000])\n"
        "(folder / 'random_h32_lr1_clip1.json').unlink()\n(folder / 'notes.txt').write_text('hello')\n",
        "Explorer(folder=folder)",
    ]
    book.run_cell(1, "".join(damage))
    figure = book.figure()
    says = figure.says()
    assert "not recorded, or its file was left out" in says
    for name in ("sequential_h512_lr1_clip1.json is damaged", "random_h32_lr1_clip1.json is missing", "notes.txt"):
        assert name in says
    set_slider(figure, "hidden units", "128")
    assert "It ends at" in figure.says(), "the rest does not work"
