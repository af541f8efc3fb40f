"""The figures that the page draws, in JupyterLab: what it shows is what the kernel would say, and text stays text."""

import random
import re

import pytest
import torch

from helpers.generate import next_char_probs, warm_up
from helpers.plot import name_characters
from helpers.rnn import RNN
from helpers.text import RandomBatches, SequentialBatches, Vocab

from .conftest import Widget

MAKE = """import time
import torch
from helpers.figures.forward_loop import explore_steps
from helpers.figures.page import PageFigure, text_field
from helpers.figures.prediction import explore_prediction
from helpers.figures.training import explore_minibatches
from helpers.rnn import RNN
from helpers.text import Vocab
LETTERS = "the time traveller machine<&>"
vocab = Vocab(LETTERS)
model = RNN(len(vocab), 12, sigma=0.9, device="cpu", dtype=torch.float64)"""
SHOW = """echo = PageFigure(lambda word: {"words": word}, {"word": text_field("word", "")})
display(explore_steps(model, vocab), explore_prediction(model, vocab), explore_minibatches(), echo)"""
CELLS = [MAKE, SHOW, "pass"]
LETTERS = "the time traveller machine<&>"
VOCAB = Vocab(LETTERS)
MODEL = RNN(len(VOCAB), 12, sigma=0.9, device="cpu", dtype=torch.float64)
NUMBER = r"−?[\d.]+(?:e−?\d+)?"
LUCK = random.Random(0)


def put(figure: Widget, label: str, value: float) -> None:
    """Move a slider at once, as a drag does."""
    move = "(slider, value) => { slider.value = value; slider.dispatchEvent(new Event('input')); }"
    figure.slider(label).evaluate(move, value)


def under_keys(figure: Widget, drawing: int, *keys: str) -> str:
    figure.page.mouse.move(0, 0)  # or the pointer speaks
    figure.box.locator("svg").nth(drawing).focus()
    for key in keys:
        figure.page.keyboard.press(key)
    return figure.box.locator(".point").nth(drawing).inner_text()


def close(shown: str, value: float) -> bool:
    return float(shown.replace("−", "-")) == pytest.approx(float(value), rel=6e-3, abs=6e-4)


def test_steps_show_the_states_and_guesses_of_the_network(book):
    figure = book.figures(4)[0]
    for _ in range(4):
        text = "".join(LUCK.choices(LETTERS, k=LUCK.randint(2, 20)))
        figure.type_into("text to read", text)
        figure.wait_until(lambda text=text: figure.slider("step").get_attribute("max") == f"{len(text)}", text)
        step = LUCK.randint(1, len(text))
        put(figure, "step", step)
        t, unit = LUCK.randrange(step), LUCK.randrange(12)
        shown = under_keys(figure, 0, "Home", *["ArrowRight"] * t, *["ArrowDown"] * unit)
        _, (state,) = warm_up(text[: t + 1], MODEL, VOCAB)
        found = re.fullmatch(rf"after “(.)”: unit {unit} is ({NUMBER})", shown)
        assert found[1] == name_characters(text[t])[0] and close(found[2], state[0, unit]), shown
        probs = next_char_probs(warm_up(text[:step], MODEL, VOCAB)[0])
        found = re.fullmatch(rf"“(.)”: ({NUMBER})", under_keys(figure, 1, "Home"))
        assert close(found[2], probs.max()) and found[1] == name_characters([VOCAB.tokens[probs.argmax()]])[0]


def test_bars_at_any_temperature_are_the_kernels(book):
    figure = book.figures(4)[1]
    for tenths in (0, 1, 30, LUCK.randint(2, 29)):
        prefix = "".join(LUCK.choices(LETTERS, k=6))
        figure.labelled("prefix").locator("input").fill(prefix)
        put(figure, "temperature", tenths / 10)
        figure.wait_until(lambda p=prefix: f"after reading “{p}”" in figure.box.locator(".legend").inner_text(), prefix)
        both = [next_char_probs(warm_up(p, MODEL, VOCAB)[0], tenths / 10) for p in (prefix, prefix[-1])]
        expected = {name_characters([token])[0]: i for i, token in enumerate(VOCAB.tokens)}
        shown = [under_keys(figure, 0, "Home"), *(under_keys(figure, 0, "ArrowRight") for _ in range(11))]
        for text in shown:
            found = re.fullmatch(rf"“(.)”: ({NUMBER}) after reading “.*”, ({NUMBER}) after “.” alone", text)
            assert all(close(found[n + 2], probs[expected[found[1]]]) for n, probs in enumerate(both)), text
        assert len(set(shown)) == 12


def test_boxes_are_the_minibatches_of_the_course(book):
    figure = book.figures(4)[2]
    for kind, name in (("random", RandomBatches), ("sequential, state carried", SequentialBatches)):
        rows, steps, epoch = LUCK.randint(1, 6), LUCK.randint(2, 8), LUCK.randint(1, 10)
        figure.button(kind).click()
        for label, value in (("rows", rows), ("time steps", steps), ("epoch", epoch)):
            put(figure, label, value)
        batches = name(torch.arange(60), rows, steps)
        minibatches = [[X.tolist() for X, _ in batches] for _ in range(epoch)][-1]
        n, row = LUCK.randrange(len(minibatches)), LUCK.randrange(rows)
        X = minibatches[n][row]
        shown = under_keys(figure, 0, "Home", *["ArrowRight"] * n, *["ArrowDown"] * row)
        assert shown == f"minibatch {n}, row {row}: {X[0]} to {X[-1]}"
        assert f"Epoch {epoch}, minibatch " in figure.says()


def test_text_stays_text_and_the_pointer_asks_nothing_of_anybody(book):
    figure, asked = book.figures(4)[0], []
    figure.type_into("text to read", "<time&")
    book.page.on("request", lambda request: asked.append(request.url))
    put(figure, "step", 1)
    assert "reads “<”" in figure.says()
    svg = figure.box.locator("svg").first.bounding_box()
    for n in range(50):
        book.page.mouse.move(svg["x"] + svg["width"] * n / 50, svg["y"] + svg["height"] * (n % 7) / 7)
    figure.type_into("text to read", "<b>&amp;</b>")
    assert "'b'" in figure.says() and figure.picture() == "no picture"
    echo = book.figures(4)[3]
    echo.type_into("word", "<b>&amp;'</b>")
    assert echo.says() == "<b>&amp;'</b>"
    book.figures(4)[1].type_into("prefix", "the <i>m&")
    book.figures(4)[1].wait_until(
        lambda: "the <i>m&" in book.figures(4)[1].box.locator(".legend").inner_text(), "as typed"
    )
    assert not [url for url in asked if not url.startswith(f"http://127.0.0.1:{book.lab.port}/")]


def test_what_is_known_needs_no_kernel_and_a_busy_one_is_named(book):
    steps, prediction, minibatches, _ = book.figures(4)
    cell = book.page.locator(".jp-CodeCell").nth(2)
    cell.locator(".cm-content").click()
    book.page.keyboard.press("Control+a")
    book.page.keyboard.insert_text("time.sleep(6)")
    book.page.keyboard.press("Control+Enter")
    before = prediction.picture()
    put(prediction, "temperature", 3)
    assert prediction.picture() != before, "the bars wait for the kernel"
    put(steps, "step", 2)
    assert "Step 2" in steps.says()
    minibatches.press(minibatches.slider("rows"), "End")
    assert minibatches.says().count("–") == 6
    prediction.wait_until(lambda: "the kernel, which is busy" in prediction.says(), "what it waits for")
    prediction.wait_until(lambda: "After reading it all" in prediction.says(), "the answer")


@pytest.mark.parametrize("width", [376, 1400])  # on a telephone, on a projector
def test_nothing_is_cut_off(book, width):
    book.page.set_viewport_size({"width": 1920, "height": 1080})
    for figure in book.figures(4):
        figure.box.evaluate("(box, width) => { box.style.width = width + 'px'; }", width)
        figure.settled()
        figure.check_nothing_is_cut_off()
