"""The drawings show the values that they are given, and the live plot is truthful, thrifty and safe to interrupt."""

import time
from dataclasses import dataclass

import matplotlib
import numpy as np
import pytest
import torch

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from helpers import plot
from helpers.rnn import param_shapes
from helpers.text import RandomBatches, SequentialBatches


@dataclass
class FakeRecord:
    epoch: int
    perplexity: float
    grad_norm: float = 0.5
    tokens_per_second: float = 1000.0


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

    monkeypatch.setattr(plot, "DisplayHandle", Handle)
    return screen


@pytest.fixture
def ax():
    figure, ax = plt.subplots()
    yield ax
    figure.canvas.draw()  # what could not be drawn fails here
    plt.close(figure)


def texts(ax) -> list[str]:
    return [text.get_text() for text in ax.texts]


def test_the_concatenation_shows_the_product_and_its_two_parts(ax):
    numbers = np.random.default_rng(0)
    X, H = numbers.integers(0, 9, (2, 3)), numbers.integers(0, 9, (2, 4))
    W_xh, W_hh = numbers.integers(0, 9, (3, 4)), numbers.integers(0, 9, (4, 4))
    plot.draw_concatenation(ax, X, H, W_xh, W_hh, row=1, column=2)
    product = np.hstack([X, H]) @ np.vstack([W_xh, W_hh])
    shown = texts(ax)
    for M in (X, H, W_xh, W_hh, product):
        assert all(str(number) in shown for number in M.ravel())
    for part in (X @ W_xh, H @ W_hh):
        assert any(text.endswith(f"= {part[1, 2]}") for text in shown)
    assert f"together {product[1, 2]}" in shown


def test_one_hot_rows_are_drawn_as_given(ax):
    rows = np.eye(5)[[0, 3, 3]]
    plot.draw_one_hot(ax, rows, "a b", "abcde")
    assert np.array_equal(ax.images[0].get_array(), rows)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "␣", "b"]


def test_bars_have_the_height_of_their_values(ax):
    plot.draw_bars(ax, "ab ", [1, 2.5, 0])
    assert [bar.get_height() for bar in ax.patches] == [1, 2.5, 0]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["a", "b", "␣"]


def test_next_characters_come_in_order_of_probability(ax):
    plot.draw_next_chars(ax, torch.tensor([0.0, 0.2, 0.5, 0.3]), ["<unk>", "a", "b", "c"], top=3)
    assert [bar.get_height() for bar in ax.patches] == pytest.approx([0.5, 0.3, 0.2])
    assert [label.get_text() for label in ax.get_xticklabels()] == ["b", "c", "a"]


def test_shapes_are_drawn_to_scale_with_their_counts(ax):
    plot.draw_shapes(ax, param_shapes(28, 512))
    areas = [patch.get_width() * patch.get_height() for patch in ax.patches]
    assert areas == [28 * 512, 512 * 512, 512, 512 * 28, 28]
    assert "262,144" in "".join(texts(ax))


def test_states_are_drawn_with_time_to_the_right(ax):
    hidden = np.random.default_rng(0).normal(size=(3, 7))
    plot.draw_states(ax, hidden, "abc")
    assert np.array_equal(ax.images[0].get_array(), hidden.T)


@pytest.mark.parametrize("kind", [SequentialBatches, RandomBatches])
def test_each_box_lies_where_its_row_reads(ax, kind):
    minibatches = [X for X, _ in kind(torch.arange(80), 3, 5)]
    plot.draw_minibatches(ax, minibatches)
    expected = [(X[row, 0].item(), row) for X in minibatches for row in range(3)]
    assert [(bar.get_x(), round(bar.get_y() + bar.get_height() / 2)) for bar in ax.patches] == expected
    assert all(bar.get_width() == 5 for bar in ax.patches)


def test_the_map_can_be_drawn(ax):
    plot.draw_map(ax)
    assert {"notebook 04", "notebook 05"} <= set(texts(ax))


def test_live_plot_shows_every_record_at_the_end_and_keeps_all_samples(screen):
    with plot.LivePlot("a run", 40, goal=1.1) as live:
        for epoch in range(1, 31):
            sample = f"sample {epoch}" if epoch % 10 == 0 else None
            live.add(FakeRecord(epoch, 30 / epoch), sample, unseen=epoch if sample else None)
    assert all(f"sample {epoch}" in screen.text for epoch in (10, 20, 30))
    assert "epoch 30 of 40" in screen.text and "finished" in screen.text
    figure, ax = plt.subplots()
    live.draw(ax)
    curve, unseen = (
        next(line for line in ax.lines if line.get_label() == f"{text} text") for text in ("training", "unseen")
    )
    assert list(curve.get_ydata()) == [30 / epoch for epoch in range(1, 31)]
    assert list(unseen.get_xdata()) == [10, 20, 30] == list(unseen.get_ydata())
    plt.close(figure)


def test_live_plot_shows_something_even_for_a_run_of_one_epoch_or_none(screen):
    with plot.LivePlot("short", 1) as live:
        live.add(FakeRecord(1, 20.0))
    with plot.LivePlot("nothing", 5):
        pass
    assert len(screen.pictures) >= 4


def test_an_interrupt_ends_quietly_and_leaves_a_truthful_plot(screen):
    with plot.LivePlot("a run", 100) as live:
        for epoch in range(1, 101):
            live.add(FakeRecord(epoch, 5.0))
            if epoch == 7:
                raise KeyboardInterrupt
    assert len(live.records) == 7
    assert "epoch 7 of 100" in screen.text and "interrupted" in screen.text


def test_an_error_is_not_hidden(screen):
    with pytest.raises(ZeroDivisionError), plot.LivePlot("a run", 100) as live:
        live.add(FakeRecord(1, 5.0))
        raise ZeroDivisionError
    assert "error" in screen.text


def test_values_that_are_not_finite_can_be_drawn(screen):
    with plot.LivePlot("wild", 3) as live:
        for epoch, perplexity in enumerate([1e80, float("inf"), float("nan")], start=1):
            live.add(FakeRecord(epoch, perplexity), sample="x", unseen=float("inf"))
    assert len(live.samples) == 3


def test_many_fast_records_do_not_make_many_pictures(screen, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(plot.time, "perf_counter", lambda: clock[0])
    save = plot.Figure.savefig

    def slow_save(*args, **kwargs):
        clock[0] += 0.1  # drawing costs a tenth of a second, an epoch a hundredth
        return save(*args, **kwargs)

    monkeypatch.setattr(plot.Figure, "savefig", slow_save)
    with plot.LivePlot("fast", 1000, max_share=0.05) as live:
        for epoch in range(1, 1001):
            clock[0] += 0.01
            live.add(FakeRecord(epoch, 5.0))
    assert live.seconds_drawing <= 0.05 * clock[0] + 0.2  # the first and the last picture come in any case
    assert len(screen.pictures) > 3


def test_live_plot_works_outside_a_notebook(capsys):
    start = time.perf_counter()
    with plot.LivePlot("in a script", 1) as live:
        live.add(FakeRecord(1, 20.0))
    assert 0 < live.seconds_drawing <= time.perf_counter() - start
