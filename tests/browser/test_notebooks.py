"""Every notebook in one visit: run in a real JupyterLab, its figures driven by keyboard and mouse."""

import re
import time
from pathlib import Path

import pytest

from .conftest import TOP, Book, Widget, measured
from .test_live import click_until, is_, wait_for_epoch

NAMES = sorted(path.stem for path in Path(TOP, "notebooks").glob("[0-9]*.ipynb"))

# For some moves, what the figure must then say: (label, keys, pattern).
SAYS = {
    "01_concatenation": [
        ("cut after column", ["Home"], r"Cut after 0 of 7 columns: .* 0 \(orange\) \+ 19 \(blue\) = 19"),
        ("cut after column", ["End"], r"Cut after 7 of 7 columns: .* 19 \(orange\) \+ 0 \(blue\) = 19"),
        ("row", ["Home"], r"row 0, column 2 is 26 \(orange\) \+ 0 \(blue\) = 26"),
        ("column", ["End"], r"row 0, column 3 is 22 \(orange\)"),
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
ANSWERS = [
    ("return torch.eye(vocab_size)[X]", "❌", "forget to transpose"),
    ("return 1 / 0", "❌", "ZeroDivisionError"),
    ("return torch.eye(vocab_size)[X.T]", "✅", "identity matrix"),
]


def long_drag(book: Book) -> None:
    """A long drag shows the last position and leaves no queue."""
    figure, label = book.figure(), "cut after column"
    slider = figure.slider(label)
    slider.scroll_into_view_if_needed()
    kernel = book.lab.kernel(book.name)

    def drag(moves: int) -> None:
        track = figure.labelled(label).locator(".noUi-base").bounding_box()
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
    figure.page.wait_for_timeout(1000)
    drawn = figure.page.evaluate("window.drawn")
    late = [t for t in drawn if t > done]
    assert len(drawn) < 200, "every single move was drawn"
    assert len(late) <= 3, f"{len(late)} pictures came after the drag: there was a queue"
    assert kernel.memory_info().rss - before < 50e6, "the kernel's memory grew by more than 50 MB"
    assert book.page.locator(".jp-OutputArea-output").count() == outputs, "the output grew"
    measured("a drag of 200 moves: pictures drawn", len(drawn))
    measured("a drag of 200 moves: kernel memory grown by, MB", (kernel.memory_info().rss - before) / 1e6)


def any_text_becomes_numbers(book: Book) -> None:
    figure = book.figure()
    figure.type_into("your text", "zoë 8")
    figure.wait_until(
        lambda: "Indices: 27 16 0 1 0" in figure.says() and "in red: ë 8" in figure.says(), "ë and 8 marked"
    )
    figure.type_into("your text", "")
    figure.wait_until(lambda: figure.picture() == "no picture", "no picture without a text")
    assert "Type a text" in figure.says()
    figure.type_into("your text", "the " * 5000)
    figure.wait_until(lambda: "has 20,000 characters; only the first 16 are used" in figure.says(), "the cut is said")
    figure.type_into("your text", "Time, 1895!")
    figure.answers(figure.box.get_by_label("clean it first").check, "clean it first")
    figure.wait_until(lambda: "All characters are" in figure.says(), "cleaned")
    figure.box.get_by_label("clean it first").uncheck()
    figure.wait_until(lambda: "in red: T , 1 8 9 5 !" in figure.says(), "not cleaned")
    figure.type_into("your text", "a")
    figure.watch()
    field = figure.labelled("your text").locator("input")
    for letter in "machine":
        figure.answers(lambda letter=letter: field.press(letter), letter)
        measured(f"key press to new picture, {book.name}, s", figure.answer_seconds())


def answers_are_judged_where_they_are_typed(book: Book) -> None:
    assert book.page.locator(".jp-OutputArea-output", has_text="⬜").count() == 4, "an exercise is not waiting"
    cells = book.page.locator(".jp-CodeCell")
    (number,) = [i for i, text in enumerate(cells.all_inner_texts()) if "check.one_hot_by_hand(" in text]
    for body, mark, hint in ANSWERS:
        book.run_cell(
            number, f"def one_hot_by_hand(X, vocab_size):\n    {body}\n\n\ncheck.one_hot_by_hand(one_hot_by_hand)"
        )
        output = cells.nth(number).locator(".jp-OutputArea-output", has_text=hint)
        output.wait_for(timeout=20_000)
        assert output.inner_text().startswith(mark)
        assert "Traceback" not in cells.nth(number).inner_text()


def steps_take_another_text_and_play(book: Book) -> None:
    figure = book.figure()
    figure.type_into("text to read", "")
    figure.wait_until(lambda: "prefix is empty" in figure.says(), "an empty text is named")
    figure.type_into("text to read", "Ünknown")
    figure.wait_until(lambda: "'Ü'" in figure.says(), "unknown characters")
    figure.type_into("text to read", "the time " * 500)
    figure.wait_until(lambda: "has 4,500 characters; only the first 24" in figure.says(), "the cut is said")
    figure.type_into("text to read", "time")
    figure.wait_until(lambda: figure.slider("step").get_attribute("max") == "4", "the slider follows")
    figure.watch()
    field = figure.labelled("text to read").locator("input")
    for letter in " machine":
        figure.answers(lambda letter=letter: field.press(letter), letter)
        measured(f"key press to whole answer, {book.name}, typing, s", figure.answer_seconds("findLast"))
    figure.type_into("text to read", "time")
    figure.press(figure.slider("step"), "Home")
    figure.button("play").click()
    figure.wait_until(lambda: "Step 4" in figure.says(), "playing reaches the end")


def prediction_takes_any_prefix(book: Book) -> None:
    figure = book.figure()
    figure.type_into("prefix", "")
    figure.wait_until(
        lambda: "The prefix is empty" in figure.says() and figure.picture() == "no picture", "empty prefix"
    )
    figure.type_into("prefix", "Time")
    figure.wait_until(lambda: "'T'" in figure.says(), "an unknown character is named")
    figure.type_into("prefix", "x" * 3000)
    figure.wait_until(lambda: "has 3,000 characters; only the last 200 are read" in figure.says(), "the cut is said")
    figure.type_into("prefix", "the")
    figure.wait_until(lambda: figure.picture() != "no picture", "the picture is back")


def minibatches_answer_and_the_panel_trains(book: Book) -> None:
    figure, panel = book.figures(2)
    for kind, says in (
        ("random", "The state starts from zero (0), whatever was read before"),
        ("sequential, state reset", "The state starts from zero (0), whatever was read before"),
        ("sequential, state carried", "so the state of minibatch 0 is carried on (H)"),
    ):
        figure.click(kind)
        figure.wait_until(lambda says=says: says in figure.says(), f"{kind}: {says}")
        if kind != "sequential, state carried":  # with which it has been driven
            for label in ("rows", "time steps", "epoch"):
                figure.drive(label)
        for label in ("rows", "time steps", "epoch", "minibatch"):
            figure.press(figure.slider(label), "Home")
        figure.wait_until(lambda: "it is the first of its epoch" in figure.says(), "the first minibatch of an epoch")
        figure.drive("minibatch")
        figure.press(figure.slider("minibatch"), "End")
        figure.press(figure.slider("rows"), "End")
        figure.wait_until(lambda: re.search(r"has only \d+ minibatches", figure.says()), "too few minibatches")
        figure.press(figure.slider("rows"), "Home")
        figure.press(figure.slider("minibatch"), "Home")
        figure.press(figure.slider("minibatch"), "ArrowRight")
    click_until(panel, "Start", "running")
    wait_for_epoch(panel, 3)
    click_until(panel, "Stop", "stopped")
    panel.wait_until(panel.button("Start").is_enabled, "a new start is offered")


def a_live_run_joins_the_recorded_ones(book: Book) -> None:
    explorer, panel = book.figures(2)
    panel.choose("epochs", "20")
    click_until(panel, "Start", "running")
    panel.wait_until(lambda: is_(panel, "finished"), "the end", 60)
    before = explorer.picture()
    panel.button("Pin").click()
    explorer.wait_until(lambda: explorer.picture() != before, "the live run in the explorer's picture")
    assert "live 1: random, h 64, lr 3, clip 0.3" in explorer.says()


def letters_are_stepped_through_and_an_own_book_is_learned(book: Book) -> None:
    letters, boxes = book.figure(), book.page.locator(".jp-OutputArea-output .widget-vbox")
    panel = Widget(book.page, boxes.filter(has=book.page.locator(".widget-upload, .jupyter-widgets.widget-text")).first)
    for network in ("RNN", "GRU"):
        letters.click(network)
        letters.press(letters.slider("letters read"), "Home")
        letters.wait_until(lambda: "After “ took hold o” came “f”" in letters.says(), "the first guess")
        assert "by gradient: “" in letters.says() and "by replacing: “" in letters.says()
        letters.press(letters.slider("letters read"), "End")
        letters.wait_until(lambda: "came “t”; its share was 0." in letters.says(), "the last guess")
    assert panel.button("Stop").is_disabled()
    click_until(panel, "Start", "failed")
    assert "No text yet" in panel.says()
    with book.page.expect_file_chooser() as chooser:
        panel.box.get_by_role("button", name="Upload").click()
    text = "всё смешалось в доме <b>облонских</b> " * 300
    chooser.value.set_files({"name": "kniga.txt", "mimeType": "text/plain", "buffer": text.encode()})
    panel.wait_until(lambda: "(1)" in panel.box.inner_text(), "the file is here")
    panel.choose("time to learn", "10 minutes")
    click_until(panel, "Start", "learning")
    wait_for_epoch(panel, 1)
    click_until(panel, "Stop", "finished")
    assert "Stopped" in panel.says() and "It writes: " in panel.says() and "облонских" in panel.says()
    assert re.search(r"both\s+\d", panel.says()) and panel.button("Start").is_enabled()


def a_letter_is_guessed(book: Book) -> None:
    """The network was interrupted, so it plays badly; the game plays on."""
    game = book.page.locator(".page-figure .game")
    cells = book.page.locator(".jp-Cell").count()
    game.locator(".words").click()
    book.page.keyboard.press("b")  # which would add a cell, if JupyterLab heard it
    for _ in range(3):
        book.page.keyboard.press("Space")
        book.page.keyboard.press("Enter")
    book.wait_for(lambda: "letters guessed: " in game.inner_text(), "the score")
    assert int(re.search(r"letters guessed: (\d+)", game.inner_text())[1]) >= 3
    assert book.page.locator(".jp-Cell").count() == cells, "a guess reached JupyterLab"


MORE = {
    "01_concatenation": [long_drag],
    "02_one_hot": [any_text_becomes_numbers, answers_are_judged_where_they_are_typed],
    "04_forward_loop": [steps_take_another_text_and_play],
    "05_prediction": [prediction_takes_any_prefix],
    "07_training": [minibatches_answer_and_the_panel_trains],
    "08_perplexity": [a_live_run_joins_the_recorded_ones],
    "11_memory": [letters_are_stepped_through_and_an_own_book_is_learned],
    "10_beating_the_table": [a_letter_is_guessed],
}


def run(book: Book) -> None:
    """Run all cells; every long run of training is interrupted after an epoch, as a reader may do at any time."""
    start = time.monotonic()
    book.start_all()
    running = book.page.locator(".jp-OutputArea-output", has_text=re.compile(r"tokens/s.* s to go"))
    stopped = book.page.locator(".jp-OutputArea-output", has_text="interrupted by you")
    drawn = None
    while not book.has_run():
        if running.count() and stopped.count() < 2:
            count = stopped.count()
            book.menu("Kernel", "Interrupt Kernel")
            book.wait_for(lambda count=count: stopped.count() > count, "the run is interrupted")
        if drawn is None and book.page.locator(".widget-image, .page-figure, .explorer").count():
            drawn = time.monotonic() - start
        book.check_no_error()
        assert time.monotonic() < start + 120, f"{book.name}: not all cells have run"
        book.page.wait_for_timeout(50)
    measured(f"from Run All to the first figure, {book.name}, s", drawn or time.monotonic() - start)
    book.check()


def drive(figure: Widget, name: str, moves: list) -> None:
    for label, keys, pattern in moves:
        for key in keys:
            figure.press(figure.slider(label), key)
        figure.wait_until(lambda p=pattern: re.search(p, figure.says(), re.S), f"{label} {keys}: {pattern}")
    labels = figure.slider_labels()
    for label in labels:
        figure.drive(label)
    if labels:
        figure.measure_keys(labels[0], name)


@pytest.mark.parametrize("name", NAMES)
def test_a_visit(open_book, name: str):
    book = open_book(f"{name}.ipynb")
    run(book)
    for figure in book.figures():  # one at least
        drive(figure, name, SAYS.get(name, []))
    for act in MORE.get(name, []):
        act(book)
    for width, height in ((1280, 720), (1920, 1080)):  # a laptop, a projector
        book.page.set_viewport_size({"width": width, "height": height})
        for figure in book.figures():
            figure.check_nothing_is_cut_off()
    book.check()
