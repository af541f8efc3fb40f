"""Notebook 01: two matrix products as one, in blocks, and cut anywhere."""

import ipywidgets as w
import numpy as np
import torch
from matplotlib.axes import Axes

from ..plot import BLUE, INK, ORANGE, draw_matrix, lit
from .answering import AnsweringFigure, labelled

DARK_ORANGE = "#9a6a00"  # for letters on white


def draw_concatenation(ax: Axes, X, H, W_xh, W_hh, row: int = 0, column: int = 0) -> None:
    """Draw [X, H] × [W_xh; W_hh] = result in blocks, the sum that one `row` and one `column` make lit, and its terms.

    X: (batch, inputs), H: (batch, hidden), W_xh: (inputs, hidden), W_hh: (hidden, hidden).
    """
    X, H, W_xh, W_hh = (np.asarray(M) for M in (X, H, W_xh, W_hh))
    (batch, d), h = X.shape, H.shape[1]
    height = d + h + 0.3
    top = (height + batch) / 2  # the left matrices and the result stand at mid height
    x_weights = d + h + 1.8
    x_result = x_weights + h + 2.6

    result = X @ W_xh + H @ W_hh
    draw_matrix(ax, X, 0, top, ORANGE, lit(X, row))
    draw_matrix(ax, H, d + 0.2, top, BLUE, lit(H, row))
    draw_matrix(ax, W_xh, x_weights, height, ORANGE, lit(W_xh, column=column))
    draw_matrix(ax, W_hh, x_weights, h, BLUE, lit(W_hh, column=column))
    draw_matrix(ax, result, x_result, top, INK, lit(result, row, column))
    for x, y, label in [
        (d / 2, top + 0.5, "$X$"),
        (d + 0.2 + h / 2, top + 0.5, "$H$"),
        (x_weights + h + 0.6, height - d / 2, "$W_{xh}$"),
        (x_weights + h + 0.6, h / 2, "$W_{hh}$"),
        (x_weights - 0.8, height / 2, "×"),
        (x_result - 0.7, height / 2, "="),
    ]:
        ax.text(x, y, label, ha="center", va="center", fontsize=30 if label in "×=" else 16)

    def dot(a, b) -> str:
        return " + ".join(f"{_term(p)}×{_term(q)}" for p, q in zip(a, b, strict=True)) + f" = {_minus(a @ b)}"

    lines = [
        (f"row {row}, column {column}:", INK, "normal"),
        (dot(X[row], W_xh[:, column]), DARK_ORANGE, "bold"),
        (dot(H[row], W_hh[:, column]), BLUE, "bold"),
        (f"together {_minus(result[row, column])}", INK, "bold"),
    ]
    for place, (line, color, weight) in enumerate(lines):
        ax.text(x_result + h + 0.8, height / 2 + 1.2 - 0.8 * place, line, va="center", color=color, fontweight=weight)
    ax.set(xlim=(-0.2, x_result + h + 1.5 + 1.8 * max(d, h)), ylim=(-0.2, height + 0.2), aspect="equal")
    ax.axis("off")


def _minus(number: float) -> str:
    return f"{number + 0:g}".replace("-", "−")  # + 0: no −0


def _term(number: float) -> str:
    return _minus(number) if number >= 0 else f"({_minus(number)})"


def draw_cut(ax: Axes, joined, weights, cut: int, row: int = 0, column: int = 0) -> tuple[float, float]:
    """Draw joined × weights as the sum of two products, cut after column `cut` of `joined`; return the lit two terms.

    joined: (batch, n), weights: (n, hidden), 0 ≤ cut ≤ n. Lit: one `row`, one `column`, and what they give.
    """
    joined, weights = np.asarray(joined), np.asarray(weights)
    (batch, n), hidden = joined.shape, weights.shape[1]
    left, right = joined[:, :cut] @ weights[:cut], joined[:, cut:] @ weights[cut:]
    top, gap = (n + batch) / 2, 1.5
    x_weights = n + gap
    x_left = x_weights + hidden + gap
    x_right, x_sum = x_left + hidden + gap, x_left + 2 * (hidden + gap)

    for part, color in ((slice(0, cut), ORANGE), (slice(cut, n), BLUE)):
        shift = part.start
        draw_matrix(ax, joined[:, part], shift, top, color, lit(joined[:, part], row))
        draw_matrix(ax, weights[part], x_weights, n - shift, color, lit(weights[part], column=column))
    for M, x, color in ((left, x_left, ORANGE), (right, x_right, BLUE), (left + right, x_sum, INK)):
        draw_matrix(ax, M, x, top, color, lit(M, row, column))
    for x, sign in ((x_weights, "×"), (x_left, "="), (x_right, "+"), (x_sum, "=")):
        ax.text(x - gap / 2, n / 2, sign, ha="center", va="center", fontsize=26)
    ax.plot([cut, cut], [top - batch - 0.5, top + 0.5], color=INK, linestyle="--", linewidth=2)
    ax.plot([x_weights - 0.4, x_weights + hidden + 0.4], [n - cut, n - cut], color=INK, linestyle="--", linewidth=2)
    for x, width, name in (
        (0, n, "[X, H]"),
        (x_left, hidden, "orange part"),
        (x_right, hidden, "blue part"),
        (x_sum, hidden, "together"),
    ):
        ax.text(x + width / 2, top + 0.9, name, ha="center", va="center")
    ax.set(xlim=(-0.3, x_sum + hidden + 0.3), ylim=(-0.4, n + 0.4), aspect="equal")
    ax.axis("off")
    return left[row, column].item(), right[row, column].item()


def explore_concatenation(X, H, W_xh, W_hh) -> AnsweringFigure:
    """[X, H] × [W_xh; W_hh], cut anywhere into two products. Small whole numbers are easiest to read."""
    joined, weights = torch.cat([X, H], dim=1), torch.cat([W_xh, W_hh], dim=0)
    n, (batch, hidden) = joined.shape[1], (joined.shape[0], weights.shape[1])

    def draw(figure, cut, row, column):
        left, right = draw_cut(figure.add_axes((0, 0, 1, 1)), joined, weights, cut, row, column)
        return (
            f"Cut after {cut} of {n} columns: row {row}, column {column} is {left:g} (orange) + {right:g} (blue) "
            f"= {left + right:g}. Move the cut: the two parts change, the sum does not."
        )

    controls = {
        "cut": labelled(w.IntSlider, "cut after column", value=X.shape[1], min=0, max=n),
        "row": labelled(w.IntSlider, "row", "220px", value=1, min=0, max=batch - 1),
        "column": labelled(w.IntSlider, "column", "240px", value=2, min=0, max=hidden - 1),
    }
    return AnsweringFigure(draw, controls, size=(10, 3.2))
