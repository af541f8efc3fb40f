"""The live plot is truthful, thrifty and safe to interrupt, as often and whenever one likes."""

import signal
import threading
import time
from contextlib import contextmanager

import pytest
from matplotlib.figure import Figure

from helpers.figures import live_plot
from helpers.figures.live_plot import LivePlot
from helpers.train import Record


def record(epoch: int, perplexity: float = 5.0) -> Record:
    return Record(epoch, perplexity, grad_norm=0.5, tokens_per_second=1000.0)


class Screen:
    """Stands in for the notebook: keeps what the two outputs of a live plot show."""

    def __init__(self):
        self.shown = []  # contents in the order they came

    @property
    def text(self) -> str:
        return [content for content in self.shown if isinstance(content, dict)][-1]["text/plain"]

    @property
    def pictures(self) -> list:
        return [content for content in self.shown if not isinstance(content, dict)]


@pytest.fixture
def screen(monkeypatch):
    screen = Screen()

    class Handle:
        def display(self, content, raw=False):
            screen.shown.append(content)

        update = display

    monkeypatch.setattr(live_plot, "DisplayHandle", Handle)
    return screen


@pytest.fixture
def before_picture(monkeypatch):
    """A list of what is to happen, one after the other, before the next pictures."""
    acts, picture = [], live_plot.picture

    def drawn(*args, **kwargs):
        if acts:
            acts.pop(0)()
        return picture(*args, **kwargs)

    monkeypatch.setattr(live_plot, "picture", drawn)
    return acts


@pytest.fixture
def click():
    """Interrupts the test like the stop button of a notebook, also where interrupts are ignored at first."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield lambda: signal.raise_signal(signal.SIGINT)
    assert signal.signal(signal.SIGINT, before) is signal.default_int_handler, "the handler was not put back"


@contextmanager
def quietly():
    try:
        yield
    except KeyboardInterrupt:
        pytest.fail("an interrupt came through")


def test_live_plot_shows_every_record_at_the_end_and_keeps_all_samples(screen):
    with LivePlot("a run", 40, goal=1.1) as live:
        for epoch in range(1, 31):
            sample = f"sample {epoch}" if epoch % 10 == 0 else None
            live.add(record(epoch, 30 / epoch), sample, unseen=epoch if sample else None)
    assert all(f"sample {epoch}" in screen.text for epoch in (10, 20, 30))
    assert "epoch 30 of 40" in screen.text and "finished" in screen.text and live.finished
    ax = Figure().subplots()
    live.draw(ax)
    curve, unseen = (
        next(line for line in ax.lines if line.get_label() == f"{text} text") for text in ("training", "unseen")
    )
    assert list(curve.get_ydata()) == [30 / epoch for epoch in range(1, 31)]
    assert list(unseen.get_xdata()) == [10, 20, 30] == list(unseen.get_ydata())


def test_live_plot_shows_something_even_for_a_run_of_one_epoch_or_none(screen):
    with LivePlot("short", 1) as live:
        live.add(record(1, 20.0))
    with LivePlot("nothing", 5):
        pass
    assert len(screen.pictures) >= 4


def test_values_that_are_not_finite_can_be_drawn(screen):
    with LivePlot("wild", 3) as live:
        for epoch, perplexity in enumerate([1e80, float("inf"), float("nan")], start=1):
            live.add(record(epoch, perplexity), sample="x", unseen=float("inf"))
    assert len(live.samples) == 3


def test_an_error_is_not_hidden(screen):
    with pytest.raises(ZeroDivisionError), LivePlot("a run", 100) as live:
        live.add(record(1))
        raise ZeroDivisionError
    assert "error" in screen.text and not live.finished


def test_an_interrupt_ends_quietly_and_leaves_a_truthful_plot(screen, click):
    with quietly(), LivePlot("a run", 100) as live:
        for epoch in range(1, 101):
            live.add(record(epoch))
            if epoch == 7:
                click()
    assert len(live.records) == 7 and not live.finished
    assert "epoch 7 of 100" in screen.text and "interrupted" in screen.text


def test_further_interrupts_do_not_break_off_the_last_picture(screen, click, before_picture):
    with quietly(), LivePlot("a run", 100) as live:
        live.add(record(1))
        before_picture.append(lambda: [click() for _ in range(3)])
        click()
    assert not before_picture and "interrupted" in screen.text and "to go" not in screen.text
    with quietly(), LivePlot("a run", 1) as live:
        live.add(record(1))
        before_picture.append(click)
    assert not before_picture and "finished" in screen.text and live.finished


def test_an_interrupt_during_the_first_picture_ends_the_loop_quietly_too(screen, click, before_picture):
    before_picture.append(click)
    with quietly(), LivePlot("a run", 100) as live:
        for epoch in range(1, 101):
            live.add(record(epoch))
    assert len(live.records) == 1 and not live.finished and "interrupted" in screen.text


def test_live_plot_works_in_a_thread(screen):
    def train():
        with LivePlot("in a thread", 1) as live:
            live.add(record(1))

    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
    assert "finished" in screen.text


def test_many_fast_records_do_not_make_many_pictures(screen, monkeypatch, before_picture):
    clock = [0.0]
    monkeypatch.setattr(LivePlot, "clock", staticmethod(lambda: clock[0]))

    def let_pass(seconds):
        clock[0] += seconds

    before_picture += [lambda: let_pass(0.1)] * 1000  # drawing costs a tenth of a second, an epoch a hundredth
    with LivePlot("fast", 1000, max_share=0.05) as live:
        for epoch in range(1, 1001):
            let_pass(0.01)
            live.add(record(epoch))
    assert live.seconds_drawing <= 0.05 * clock[0] + 0.2  # the first and the last picture come in any case
    assert len(screen.pictures) > 3


def test_live_plot_works_outside_a_notebook(capsys):
    start = time.perf_counter()
    with LivePlot("in a script", 1) as live:
        live.add(record(1, 20.0))
    assert 0 < live.seconds_drawing <= time.perf_counter() - start
