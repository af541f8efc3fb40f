"""Notebooks 00 and 07 in a real page; the two long runs of 07 are interrupted, as a reader may do at any time."""

import re
import time

import pytest

from .test_figures import drive_slider, measure_keys, nothing_cut_off
from .test_live import button, click_until, epoch


def test_the_first_notebook_has_an_explorer(open_book):
    book = open_book("00_start_here.ipynb")
    book.run()
    figure = book.figure()
    drive_slider(figure, "hidden units")
    drive_slider(figure, "learning rate")
    nothing_cut_off(figure)
    figure.shot("00_start_here_driven")
    book.check()


def wait_for(book, holds, what: str) -> None:
    end = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < end, f"not within 2 minutes: {what}"
        book.page.wait_for_timeout(100)


@pytest.fixture
def training(open_book):
    book = open_book("07_training.ipynb")
    book.menu("Edit", "Clear Outputs of All Cells")
    book.start_all()
    for number in (1, 2):
        running = book.page.locator(".jp-OutputArea-output", has_text=re.compile(r"tokens/s.* s to go"))
        stopped = book.page.locator(".jp-OutputArea-output", has_text="interrupted by you")
        wait_for(book, lambda running=running: running.count() == 1, f"an epoch of run {number}")
        book.menu("Kernel", "Interrupt Kernel")
        wait_for(book, lambda number=number, stopped=stopped: stopped.count() == number, f"run {number} is interrupted")
    book.wait_run()
    book.check()
    return book


def test_minibatches_answer_and_the_panel_trains(training):
    figure, panel = training.figures()
    figure.shot("07_training_first")
    for kind, says in (
        ("random", "The state starts from zero (0), whatever was read before"),
        ("sequential, state reset", "The state starts from zero (0), whatever was read before"),
        ("sequential, state carried", "so the state of minibatch 0 is carried on (H)"),
    ):
        figure.box.get_by_role("button", name=kind, exact=True).click()
        figure.wait_until(lambda says=says: says in figure.says(), f"{kind}: {says}")
        for label in ("rows", "time steps", "epoch"):
            drive_slider(figure, label)
        for label, key in (("rows", "Home"), ("time steps", "Home"), ("epoch", "Home"), ("minibatch", "Home")):
            figure.press(figure.slider(label), key)
        assert "it is the first of its epoch" in figure.says()
        drive_slider(figure, "minibatch")
        figure.press(figure.slider("minibatch"), "End")
        figure.press(figure.slider("rows"), "End")
        assert re.search(r"has only \d+ minibatches", figure.says())
        figure.press(figure.slider("rows"), "Home")
        figure.press(figure.slider("minibatch"), "Home")
        figure.press(figure.slider("minibatch"), "ArrowRight")
    figure.shot("07_training_driven")
    nothing_cut_off(figure)
    measure_keys(figure, "rows", "key press to new picture, 07_training, s")
    click_until(panel, "Start", "running")
    panel.wait_until(lambda: epoch(panel) >= 3, "epochs pass", 60)
    click_until(panel, "Stop", "stopped")
    assert button(panel, "Start").is_enabled()
    nothing_cut_off(panel)
    training.check()


def test_nothing_is_cut_off_on_a_projector(open_book):
    name = "08_perplexity"
    book = open_book(f"{name}.ipynb", size=(1920, 1080))
    book.run()
    for number, figure in enumerate(book.figures()):
        nothing_cut_off(figure)
        figure.shot(f"{name}_{number}_1920")
