"""Notebook 07: where minibatches read, and where their state comes from."""

import ipywidgets as w
import torch
from matplotlib.axes import Axes

from ..plot import GREEN, INK, RED, draw_minibatches
from ..text import RandomBatches, SequentialBatches
from .answering import AnsweringFigure, choice_of_minibatches, labelled


def draw_reading(ax: Axes, minibatches, chosen: int, carries_state: bool, length: int) -> None:
    """Draw where each row of each minibatch reads, the `chosen` one in full colour, and where its state comes from.

    minibatches: X of one minibatch after another, (batch, time), each holding positions below `length`.
    """
    draw_minibatches(ax, minibatches)
    boxes, labels = list(ax.patches), list(ax.texts)
    rows = len(minibatches[0])
    for place, (box, label) in enumerate(zip(boxes, labels, strict=True)):
        if place // rows != chosen:
            box.set_alpha(0.25)
            label.set_color(INK)
    carried = carries_state and chosen > 0
    badge = {"boxstyle": "circle", "facecolor": GREEN if carried else RED, "edgecolor": "white"}
    for row, positions in enumerate(minibatches[chosen]):
        state = "H" if carried else "0"
        ax.text(int(positions[0]), row, state, ha="center", va="center", color="white", fontweight="bold", bbox=badge)
    ax.set(xlim=(-1.5, length), ylim=(rows - 0.4, -0.6))


def explore_minibatches(length: int = 60) -> AnsweringFigure:
    """Where each row of each minibatch reads, and where its state comes from."""

    def draw(figure, kind, batch_size, num_steps, epoch, chosen):
        make = RandomBatches if kind == "random" else SequentialBatches
        batches = make(torch.arange(length), batch_size, num_steps, seed=0)
        batches.carries_state = kind == "sequential"
        for _ in range(epoch):
            minibatches = [X for X, _ in batches]  # each pass is another epoch, with another offset
        asked, chosen = chosen, min(chosen, len(minibatches) - 1)
        ax = figure.add_axes((0.08, 0.17, 0.89, 0.82))
        draw_reading(ax, minibatches, chosen, batches.carries_state, length)
        places = ", ".join(f"{int(row[0])}–{int(row[-1])}" for row in minibatches[chosen])
        only = f"This epoch has only {len(minibatches)} minibatches. " if asked > chosen else ""
        if batches.carries_state and chosen > 0:
            state = f"Each row goes on where it stopped, so the state of minibatch {chosen - 1} is carried on (H)."
        else:
            why = ": it is the first of its epoch" if chosen == 0 else ", whatever was read before"
            state = f"The state starts from zero (0){why}."
        return f"{only}Epoch {epoch}, minibatch {chosen} of 0 to {len(minibatches) - 1}: reads {places}. {state}"

    controls = {
        "kind": choice_of_minibatches(),
        "batch_size": labelled(w.IntSlider, "rows", "230px", value=3, min=1, max=6),
        "num_steps": labelled(w.IntSlider, "time steps", "250px", value=5, min=2, max=8),
        "epoch": labelled(w.IntSlider, "epoch", "220px", value=1, min=1, max=10),
        "chosen": labelled(w.IntSlider, "minibatch", "240px", value=1, min=0, max=9),
    }
    rows = [[controls["kind"]], list(controls.values())[1:]]
    return AnsweringFigure(draw, controls, (10, 3.2), rows)
