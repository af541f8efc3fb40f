"""The drawings that several chapters share show the values that they are given, and a reader's text as it is."""

import io
import math
from types import SimpleNamespace

import matplotlib
import numpy as np
import pytest
import torch

matplotlib.use("Agg")

from helpers import plot
from helpers.text import RandomBatches, SequentialBatches


def texts(ax) -> list[str]:
    return [text.get_text() for text in ax.texts]


def lines(ax) -> list[tuple[float, ...]]:
    return [tuple(line.get_ydata()) for line in ax.get_lines()]


IN_A_NOTEBOOK, IN_A_TERMINAL = SimpleNamespace(kernel=object()), SimpleNamespace()


@pytest.mark.parametrize("backend", ["agg", "inline", "module://matplotlib_inline.backend_inline", "qtagg"])
@pytest.mark.parametrize("shell", [IN_A_NOTEBOOK, IN_A_TERMINAL, None])
def test_a_notebook_that_cannot_show_pictures_says_so(monkeypatch, capsys, backend, shell):
    monkeypatch.setattr(plot, "get_ipython", lambda: shell, raising=False)
    monkeypatch.setattr(matplotlib, "get_backend", lambda: backend)
    with matplotlib.rc_context():
        plot.use_style()
    assert len(capsys.readouterr().out.splitlines()) == (backend == "agg" and shell is IN_A_NOTEBOOK)


def test_a_picture_is_a_png_of_its_size_and_an_error_leaves_the_next_one_possible():
    def fails(figure):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        plot.picture(fails, (1, 1))
    assert not plot.DRAWING.locked()
    with matplotlib.rc_context({"figure.dpi": 100, "savefig.dpi": "figure"}):
        png = plot.picture(lambda figure: figure.subplots(), (3, 2))
    assert matplotlib.image.imread(io.BytesIO(png)).shape[:2] == (200, 300)


def test_the_unrolled_network_shows_each_letter_state_and_guess(ax):
    plot.draw_unrolled(ax, "a c", ["(0)", "(1)"], ["$x", "y", "z"], back=["J1", "J2", "J3"], cut=1, biases=True)
    shown = texts(ax)
    assert len(ax.patches) == 4, "one box a letter, and one for the state before them"
    assert {"a", "␣", "c", "(0)", "(1)", "$H_2$", "$H_3$", "$x", "y", "z", "J1", "J3"} <= set(shown)
    assert "J2" not in shown, "no gradient crosses the cut"
    assert [shown.count(name) for name in ("$W_{hh}$", "$W_{xh}, b_h$", "$W_{hq}, b_q$")] == [3, 3, 3]
    (line,) = ax.get_lines()
    first, second = sorted(box.get_x() for box in ax.patches)[1:3]
    assert first < line.get_xdata()[0] < second, "the cut is not before letter 1"
    ax.clear()
    plot.draw_unrolled(ax, "ab")
    assert texts(ax).count("$W_{xh}$") == 2 and not any("W_{hq}" in text for text in texts(ax)), "there is no guess"


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


@pytest.mark.parametrize("kind", [SequentialBatches, RandomBatches])
def test_each_box_lies_where_its_row_reads(ax, kind):
    minibatches = [X for X, _ in kind(torch.arange(80), 3, 5)]
    plot.draw_minibatches(ax, minibatches)
    expected = [(X[row, 0].item(), row) for X in minibatches for row in range(3)]
    assert [(bar.get_x(), round(bar.get_y() + bar.get_height() / 2)) for bar in ax.patches] == expected
    assert all(bar.get_width() == 5 for bar in ax.patches)


@pytest.mark.parametrize("highest", [25.6, 100, 1e6])
def test_the_perplexity_axis_shows_what_it_is_asked_for_and_a_guess(ax, highest):
    limits = plot.use_perplexity_axis(ax, highest)
    assert ax.get_ylim() == limits and limits[0] < 1 and highest < limits[1] <= 2 * highest
    assert ax.get_yscale() == "log" and list(ax.get_yticks()) == [float(t.get_text()) for t in ax.get_yticklabels()]
    assert (27, 27) in lines(ax) and "guessing: 27" in texts(ax)


RUNS = [
    plot.Curve("a", "red", [20.0, 10.0, 1e50], {1: 21.0, 2: 11.0, 3: math.inf}),
    plot.Curve("b", "blue", [25.0, 24.0, 23.0]),
]


@pytest.mark.parametrize(("log", "limit", "scale"), [(True, 4000.0, "log"), (False, 320.0, "linear")])
def test_runs_are_drawn_as_they_are_and_marked(ax, log, limit, scale):
    plot.draw_runs(ax, RUNS, thick=0, epoch=2, log=log, num_epochs=3)
    assert {(20.0, 10.0, limit), (25.0, 24.0, 23.0)} <= set(lines(ax))
    assert (21.0, 11.0, limit) in lines(ax), "unseen text"
    marks = [(*line.get_xdata(), *line.get_ydata()) for line in ax.get_lines() if len(line.get_xdata()) == 1]
    assert marks == [(2, 10.0), (2, 11.0)], "the mark stands elsewhere"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b"]
    assert [handle.get_color() for handle in ax.get_legend().get_lines()] == ["red", "blue"]
    assert ax.get_yscale() == scale


def test_a_mark_beyond_the_picture_stays_at_its_edge(ax):
    plot.draw_runs(ax, RUNS, thick=0, epoch=3)
    marks = [line.get_ydata()[0] for line in ax.get_lines() if len(line.get_xdata()) == 1]
    assert len(marks) == 2 and all(200 < mark < ax.get_ylim()[1] for mark in marks)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("unseen", [True, False])
def test_curves_can_be_left_out(ax, training, unseen):
    curve = plot.Curve("a", "red", [9.0, 8.0], {1: 7.0, 2: 6.0})
    plot.draw_runs(ax, [curve], None, 0, False, training, unseen, {"best": 4.0})
    assert ((9.0, 8.0) in lines(ax)) is training and ((7.0, 6.0) in lines(ax)) is unseen
    assert (4, 4) in lines(ax) and "best 4" in texts(ax)
