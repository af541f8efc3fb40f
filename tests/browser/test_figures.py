"""Every figure with controls, driven by keyboard and mouse in a real JupyterLab."""

import re

import pytest

from .conftest import Widget, measured

# Notebook, its figure's first control, and for some moves what the figure must then say: (label, keys, pattern).
FIGURES = {
    "01_concatenation": [
        ("cut after column", ["Home"], r"Cut after 0 of 7 columns: .* 0 \(blue\) \+ 3 \(orange\) = 3"),
        ("cut after column", ["End"], r"Cut after 7 of 7 columns: .* 3 \(blue\) \+ 0 \(orange\) = 3"),
        ("row", ["Home"], r"row 0, column 2 is 9 \(blue\) \+ 0 \(orange\) = 9"),
        ("column", ["End"], r"row 0, column 3 is 10 \(blue\)"),
    ],
    "03_parameters": [
        ("sigma", ["End"], r"sigma 1\.78, 512 units: the spread of the hidden state after 35 steps is 0\.9"),
        ("sigma", ["Home"], r"sigma 0\.001, .* First loss 3\.33, a blind guess 3\.33"),
        ("hidden units", ["Home"], r"32 units"),
    ],
    "04_forward_loop": [
        ("step", ["Home"], r"Step 1: reads “t”, then guesses “.”"),
        ("step", ["Home", "ArrowRight"], r"Step 2: reads “h”, then guesses “e”"),
        ("step", ["End"], r"Step 18: reads “r”, then guesses “.” with probability 0\.\d\d\."),
    ],
    "05_prediction": [
        ("temperature", ["Home"], r"After reading it all: +\S"),
        ("characters to write", ["Home"], r"After reading it all:\s*After “e” alone:\s*$"),
        ("characters to write", ["End"], r"After reading it all: .{120}"),
        ("temperature", ["End"], r"After reading it all: .{120}"),
        ("draw number", ["End"], r"After reading it all: .{120}"),
    ],
    "06_gradient_clipping": [
        ("radius of W_hh", ["Home"], r"radius 0\.3: .* clipping leaves it alone.*e-\d\d"),
        ("radius of W_hh", ["End"], r"50 steps, radius 2\.5: .* clipping cuts it to 1\."),
        ("threshold θ", ["Home"], r"clipping cuts it to 0\.01"),
        ("time steps", ["End"], r"100 steps"),
    ],
}
SLIDERS = {
    "01_concatenation": ["cut after column", "row", "column"],
    "03_parameters": ["sigma", "hidden units"],
    "04_forward_loop": ["step"],
    "05_prediction": ["temperature", "characters to write", "draw number"],
    "06_gradient_clipping": ["time steps", "radius of W_hh", "threshold θ"],
}


def drive_slider(figure: Widget, label: str) -> None:
    """To both ends and somewhere between; at each place the figure shows and says something else."""
    slider = figure.slider(label)
    seen = {}
    for keys in (["Home"], ["End"], ["ArrowLeft"], ["Home", "ArrowRight"]):
        for key in keys:
            figure.press(slider, key)
        seen.setdefault(slider.get_attribute("aria-valuetext"), figure.state())
    assert len(seen) >= 2, f"{label} has only one position"
    assert len(set(seen.values())) == len(seen), f"{label}: two positions show and say the same"


def measure_keys(figure: Widget, label: str, name: str, times: int = 9) -> None:
    """Seconds from a key press to the new picture on the page."""
    slider = figure.slider(label)
    figure.press(slider, "Home")
    figure.watch()
    for number in range(times):
        figure.press(slider, "ArrowRight" if number % 2 == 0 else "ArrowLeft")
        measured(name, figure.answer_seconds())


def nothing_cut_off(figure: Widget) -> None:
    """No control, picture or reading is wider than the place it has."""
    box = figure.box.bounding_box()
    for part in figure.box.locator(".widget-image, .widget-html, .widget-inline-hbox, button, input").all():
        place = part.bounding_box()
        if place is not None:
            assert place["x"] + place["width"] <= box["x"] + box["width"] + 2, part.evaluate("e => e.outerHTML")[:200]


@pytest.mark.parametrize("name", FIGURES)
def test_every_slider_of_every_figure_answers(open_book, name):
    book = open_book(f"{name}.ipynb")
    book.run()
    figure = book.figure()
    figure.shot(f"{name}_first")
    for label, keys, pattern in FIGURES[name]:
        for key in keys:
            figure.press(figure.slider(label), key)
        figure.wait_until(lambda p=pattern: re.search(p, figure.says(), re.S), f"{label} {keys}: {pattern}")
    for label in SLIDERS[name]:
        drive_slider(figure, label)
    figure.shot(f"{name}_driven")
    nothing_cut_off(figure)
    measure_keys(figure, SLIDERS[name][0], f"key press to new picture, {name}, s")
    if name in WITH_TEXT:
        WITH_TEXT[name](figure)
    book.check()


def type_into(figure: Widget, label: str, text: str) -> None:
    field = figure.labelled(label).locator("input")
    before = figure.state()
    field.fill(text)
    figure.wait_until(lambda: figure.state() != before, f"an answer to {text[:30]!r}")


def test_one_hot_takes_any_text(open_book):
    book = open_book("02_one_hot.ipynb")
    book.run()
    figure = book.figure()
    figure.shot("02_one_hot_first")
    type_into(figure, "your text", "zoë 8")
    figure.wait_until(
        lambda: "Indices: 27 16 0 1 0" in figure.says() and "in red: ë 8" in figure.says(), "ë and 8 marked"
    )
    type_into(figure, "your text", "")
    figure.wait_until(lambda: figure.picture() == "no picture", "no picture without a text")
    assert "Type a text" in figure.says()
    type_into(figure, "your text", "the " * 5000)
    figure.wait_until(lambda: "has 20,000 characters; only the first 16 are used" in figure.says(), "the cut is said")
    type_into(figure, "your text", "Time, 1895!")
    before = figure.state()
    figure.box.get_by_label("clean it first").check()
    figure.wait_until(lambda: figure.state() != before and "All characters are" in figure.says(), "cleaned")
    figure.shot("02_one_hot_driven")
    figure.box.get_by_label("clean it first").uncheck()
    figure.wait_until(lambda: "in red: T , 1 8 9 5 !" in figure.says(), "not cleaned")
    nothing_cut_off(figure)
    type_into(figure, "your text", "a")
    figure.watch()
    for letter in "machine":
        before = figure.state()
        figure.labelled("your text").locator("input").press(letter)
        figure.wait_until(lambda before=before: figure.state() != before, "an answer to a letter")
        measured("key press to new picture, 02_one_hot, s", figure.answer_seconds())
    book.check()


def steps_take_another_text_and_play(figure: Widget) -> None:
    type_into(figure, "text to read", "")
    figure.wait_until(lambda: "prefix is empty" in figure.says(), "an empty text is named")
    type_into(figure, "text to read", "Ünknown")
    figure.wait_until(lambda: "'Ü'" in figure.says(), "unknown characters")
    type_into(figure, "text to read", "the time " * 500)
    figure.wait_until(lambda: "has 4,500 characters; only the first 24" in figure.says(), "the cut is said")
    type_into(figure, "text to read", "machine")
    figure.wait_until(
        lambda: figure.slider("step").get_attribute("aria-valuemax") == "7.0", "the slider follows the text"
    )
    figure.press(figure.slider("step"), "Home")
    figure.box.locator(".widget-play button").first.click()
    figure.wait_until(lambda: "Step 7" in figure.says(), "playing reaches the end", timeout=20)


def prediction_takes_any_prefix(figure: Widget) -> None:
    type_into(figure, "prefix", "")
    figure.wait_until(
        lambda: "The prefix is empty" in figure.says() and figure.picture() == "no picture", "empty prefix"
    )
    type_into(figure, "prefix", "Time")
    figure.wait_until(lambda: "'T'" in figure.says(), "an unknown character is named")
    type_into(figure, "prefix", "x" * 3000)
    figure.wait_until(lambda: "has 3,000 characters; only the last 200 are read" in figure.says(), "the cut is said")
    type_into(figure, "prefix", "the")
    figure.wait_until(lambda: figure.picture() != "no picture", "the picture is back")


def test_a_long_drag_shows_the_last_position_and_leaves_no_queue(open_book, lab):
    book = open_book("01_concatenation.ipynb")
    book.run()
    figure = book.figure()
    slider = figure.slider("cut after column")
    slider.scroll_into_view_if_needed()
    kernel = lab.kernel(book.name)

    def drag(moves: int) -> None:
        track = figure.labelled("cut after column").locator(".noUi-base").bounding_box()
        handle = slider.bounding_box()
        y = handle["y"] + handle["height"] / 2
        figure.page.mouse.move(handle["x"] + handle["width"] / 2, y)
        figure.page.mouse.down()
        for number in range(moves):
            share = abs(number % 40 - 20) / 20  # to and fro over the whole track
            figure.page.mouse.move(track["x"] + share * track["width"], y)
        figure.page.mouse.move(track["x"] + track["width"] + 30, y)
        figure.page.mouse.up()

    drag(20)
    figure.wait_until(lambda: "Cut after 7 of 7" in figure.says(), "the last position")
    before, outputs = kernel.memory_info().rss, book.page.locator(".jp-OutputArea-output").count()
    figure.watch()
    drag(200)
    done = figure.page.evaluate("performance.now()")
    figure.wait_until(lambda: "Cut after 7 of 7" in figure.says(), "the last position")
    figure.page.wait_for_timeout(1500)
    drawn = figure.page.evaluate("window.drawn")
    late = [t for t in drawn if t > done]
    assert len(drawn) < 200, "every single move was drawn"
    assert len(late) <= 3, f"{len(late)} pictures came after the drag: there was a queue"
    assert kernel.memory_info().rss - before < 50e6, "the kernel's memory grew by more than 50 MB"
    assert book.page.locator(".jp-OutputArea-output").count() == outputs, "the output grew"
    measured("a drag of 200 moves: pictures drawn", len(drawn))
    measured("a drag of 200 moves: kernel memory grown by, MB", (kernel.memory_info().rss - before) / 1e6)


WITH_TEXT = {
    "04_forward_loop": steps_take_another_text_and_play,
    "05_prediction": prediction_takes_any_prefix,
}
