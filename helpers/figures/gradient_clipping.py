"""Notebook 06: how the gradient grows and shrinks with the sequence, and what clipping cuts off."""

import ipywidgets as w
import numpy as np
import torch
from matplotlib.axes import Axes

from ..plot import BLUE, GREEN, GREY, INK, RED
from ..rnn import forward_hoisted, init_params, init_state
from ..train import mean_loss
from .answering import AnsweringFigure, labelled

LENGTHS = [1, 2, 5, 10, 20, 50, 100]
RADII = [0.3, 0.5, 0.7, 0.9, 1.0, 1.1, 1.3, 1.5, 2.0, 2.5]
THRESHOLDS = [0.01, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0]


def draw_norms(ax: Axes, lengths, of_weights, of_memory, length: int, max_norm: float) -> None:
    """Draw norms of gradients against the sequence length: of all weights, the same clipped, and of the first state."""
    of_weights, of_memory = np.asarray(of_weights), np.asarray(of_memory)
    here = list(lengths).index(length)
    clipped = np.minimum(of_weights, max_norm)
    ax.loglog(lengths, of_weights, color=RED, linestyle="--", label="all weights, before clipping")
    ax.plot(lengths, clipped, color=BLUE, linewidth=4, label="all weights, clipped")
    ax.plot(lengths, of_memory, color=GREEN, label="the state at the start")
    for values, color in ((of_weights, RED), (clipped, BLUE), (of_memory, GREEN)):
        ax.plot([length], [values[here]], marker="o", markersize=12, color=color)
    ax.axhline(max_norm, color=GREY, linestyle=":", linewidth=1.5)
    ax.text(lengths[0], max_norm * 1.5, f"θ = {max_norm:g}", color=INK)
    ax.set_xticks(lengths, [str(n) for n in lengths])
    ax.minorticks_off()
    ax.set(xlabel="time steps", ylabel="norm of the gradient", ylim=(1e-12, 1e8))
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))


def gradient_norms(X, Y, vocab_size: int, hidden_size: int, radius: float) -> tuple[list[float], list[float]]:
    """For each of LENGTHS the norm of the gradient of all weights, and of the last loss for the state at the start.

    X, Y: (batch, time); `radius`: the spectral radius of W_hh.
    """
    params = init_params(vocab_size, hidden_size, dtype=torch.float64)
    with torch.no_grad():
        params[1].mul_(radius / torch.linalg.eigvals(params[1]).abs().max())
    of_weights, of_memory = [], []
    for length in LENGTHS:
        (H,) = init_state(len(X), hidden_size, dtype=torch.float64)
        H.requires_grad_()
        outputs, _ = forward_hoisted(X[:, :length], (H,), params)
        gradients = torch.autograd.grad(mean_loss(outputs, Y[:, :length]), params, retain_graph=True)
        of_weights.append(torch.cat([g.flatten() for g in gradients]).norm().item())
        last = mean_loss(outputs[-1:], Y[:, length - 1 : length])
        of_memory.append(torch.autograd.grad(last, H)[0].norm().item())
    return of_weights, of_memory


def explore_gradient(X: torch.Tensor, Y: torch.Tensor, vocab_size: int, hidden_size: int = 64) -> AnsweringFigure:
    """Sequence length, spectral radius of W_hh and threshold against the gradient's norm.

    X, Y: (batch, time), at least 100 time steps.
    """
    # in advance, so that no control has to wait
    norms = {radius: gradient_norms(X, Y, vocab_size, hidden_size, radius) for radius in RADII}

    def draw(figure, length, radius, max_norm):
        of_weights, of_memory = norms[radius]
        draw_norms(figure.add_axes((0.09, 0.16, 0.55, 0.8)), LENGTHS, of_weights, of_memory, length, max_norm)
        norm, memory = of_weights[LENGTHS.index(length)], of_memory[LENGTHS.index(length)]
        acts = f"clipping cuts it to {max_norm:g}" if norm > max_norm else "clipping leaves it alone"
        return (
            f"{length} steps, radius {radius:g}: the gradient of all weights has the norm {norm:.2g}, and {acts}. "
            f"The last loss depends on the state {length} steps back with a gradient of {memory:.1e}."
        )

    thresholds = [(f"{t:g}", t) for t in THRESHOLDS]
    controls = {
        "length": labelled(w.SelectionSlider, "time steps", "300px", options=LENGTHS, value=50),
        "radius": labelled(w.SelectionSlider, "radius of W_hh", "320px", options=RADII, value=2.0),
        "max_norm": labelled(w.SelectionSlider, "threshold θ", "300px", options=thresholds, value=1.0),
    }
    return AnsweringFigure(draw, controls, size=(10, 3.6))
