"""Notebook 03: the five tensors to one scale, and what the scale of their first values decides."""

import math
from functools import cache

import ipywidgets as w
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ..plot import BLUE, GREEN, GREY, ORANGE, RED
from ..rnn import forward_hoisted, init_params, init_state
from ..train import mean_loss
from .answering import AnsweringFigure, labelled


def draw_shapes(ax: Axes, shapes: dict[str, tuple[int, ...]]) -> None:
    """Draw named tensors as rectangles to one scale; a vector is a single row. Counts stand below the names."""
    gap, x = 110, 0
    colors = {"W_xh": ORANGE, "W_hh": BLUE, "b_h": BLUE, "W_hq": GREEN, "b_q": GREEN}  # input, memory, output
    tallest = max(shape[0] for shape in shapes.values() if len(shape) == 2)
    for name, shape in shapes.items():
        rows, columns = shape if len(shape) == 2 else (1, shape[0])
        # a line of one row would be too thin to see at this scale, so every tensor gets an edge
        color = colors[name]
        ax.add_patch(Rectangle((x, (tallest - rows) / 2), columns, rows, facecolor=color, edgecolor=color, linewidth=2))
        symbol, index = name.split("_")
        label = f"${symbol}_{{{index}}}$\n{' × '.join(map(str, shape))}"
        if len(shape) == 2:
            label += f"\n= {rows * columns:,}"
        ax.text(x + columns / 2, -30, label, ha="center", va="top", fontsize=14)
        x += max(columns, 120) + gap
    ax.set(xlim=(-70, x - gap + 40), ylim=(-230, tallest + 20), aspect="equal")
    ax.axis("off")


def draw_start(figure: Figure, hidden, sigmas, losses, sigma: float, vocab_size: int) -> None:
    """Draw the values of the hidden units after the last step, and the first loss at `sigma` among all `sigmas`."""
    left, right = figure.subplots(1, 2, gridspec_kw={"left": 0.08, "right": 0.98, "bottom": 0.18, "wspace": 0.25})
    hidden = np.asarray(hidden).ravel()
    left.hist(hidden, bins=20, range=(-1, 1), color=BLUE, weights=np.full(len(hidden), 100 / len(hidden)))
    left.set(xlabel="value of a hidden unit", ylabel="units, %", ylim=(0, 102), title=f"spread {hidden.std():.2g}")
    right.loglog(sigmas, losses, color=RED)
    right.plot([sigma], [losses[list(sigmas).index(sigma)]], marker="o", markersize=13, color=RED)
    right.axhline(np.log(vocab_size), color=GREY, linewidth=1.5)
    right.text(sigmas[-1], np.log(vocab_size) * 0.94, "blind guess", ha="right", va="top")
    right.set_yticks([3, 10, 30, 100], ["3", "10", "30", "100"])
    right.set_xticks([0.001, 0.01, 0.1, 1], ["0.001", "0.01", "0.1", "1"])
    right.minorticks_off()
    right.set(xlabel="sigma of the initial weights (log)", ylim=(2, 120), title="first loss, nats (log)")


def explore_start(X: torch.Tensor, Y: torch.Tensor, vocab_size: int) -> AnsweringFigure:
    """The scale of the initial weights against the hidden units and the first loss on (X, Y), both (batch, time)."""
    sigmas = [round(10 ** (k / 4), 4) for k in range(-12, 2)]
    sizes = (32, 128, 512)

    @cache
    def first(sigma: float, hidden_size: int) -> tuple[np.ndarray, float]:
        params = init_params(vocab_size, hidden_size, sigma)
        with torch.no_grad():
            outputs, (H,) = forward_hoisted(X, init_state(len(X), hidden_size), params)
            return H.flatten().numpy(), mean_loss(outputs, Y).item()

    for hidden_size in sizes:  # in advance, so that no control has to wait
        for sigma in sigmas:
            first(sigma, hidden_size)

    def draw(figure, sigma, hidden_size):
        hidden, loss = first(sigma, hidden_size)
        losses = [first(s, hidden_size)[1] for s in sigmas]
        draw_start(figure, hidden, sigmas, losses, sigma, vocab_size)
        saturated = float(np.mean(np.abs(hidden) > 0.99))
        return (
            f"sigma {sigma:.3g}, {hidden_size} units: the spread of the hidden state after {X.shape[1]} steps is "
            f"{hidden.std():.2g}; {saturated:.0%} of the units are saturated (beyond ±0.99). "
            f"First loss {loss:.2f}, a blind guess {math.log(vocab_size):.2f}."
        )

    scales = [(f"{s:.3g}", s) for s in sigmas]
    controls = {
        "sigma": labelled(w.SelectionSlider, "sigma", "420px", options=scales, value=sigmas[4]),
        "hidden_size": labelled(w.SelectionSlider, "hidden units", "320px", options=sizes, value=512),
    }
    return AnsweringFigure(draw, controls, size=(10, 3.5))
