"""Notebook 09: what the gates of one unit keep of its past."""

import math
from collections.abc import Sequence
from functools import cache
from itertools import product

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..plot import BLUE, GREEN, GREY, ORANGE, PURPLE, RED
from .page import PageFigure, axis, choice, curve, pack, slider

CELLS = {"GRU": "GRU", "LSTM": "LSTM"}
KEEP, WRITE = range(-2, 9), range(-6, 3)  # the sums in front of the gates
STEPS = [*range(20), *range(20, 101, 5)]


def draw_lines(
    axes: Sequence[Axes], panels: dict[str, dict[str, Sequence[float]]], ylabel: str = "", **settings
) -> None:
    """Lines by name, in one panel for each title; the legend stands beside the last."""
    for ax, (title, lines) in zip(axes, panels.items(), strict=True):
        for (name, values), color in zip(lines.items(), (RED, BLUE, GREEN, PURPLE), strict=False):
            ax.plot(values, color=color, label=name, linewidth=1.8)
        ax.set(title=title, **settings)
    axes[0].set_ylabel(ylabel)
    axes[-1].legend(loc="center left", bbox_to_anchor=(1, 0.5))


def sigmoid(total: float) -> float:
    return 1 / (1 + math.exp(-total))


def gates_of(cell: str, keep: int, write: int) -> tuple[float, float]:
    """How much of the old value a step keeps, and how much of the candidate it writes."""
    kept = sigmoid(keep)
    return kept, 1 - kept if cell == "GRU" else sigmoid(write)


def held(kept: float, written: float, num_steps: int = 100) -> list[float]:
    """What a unit holds after 0, 1, 2, … steps: a 1 at the start, and −1 as the candidate of every later step."""
    values = [1.0]
    for _ in range(num_steps):
        values.append(kept * values[-1] - written)
    return values


def share(value: float) -> str:
    """A share in a few digits, tiny ones with their power of ten."""
    return f"{value:.2g}" if value < 0.095 else f"{value:.2f}"


def surviving(cell: str, keep: int, write: int) -> dict:
    """What the page draws and says for one setting of the gates."""
    kept, written = gates_of(cell, keep, write)
    values = held(kept, written)
    shown = values if cell == "GRU" else [math.tanh(value) for value in values]
    drawing = {
        "kind": "curves",
        "name": "What is left of the first value, and what the unit shows. The arrow keys go from step to step.",
        "x": axis(0, 104, (0, 10, 20, 50, 100), "steps"),
        "y": axis(-1.05, 1.05, (-1, -0.5, 0, 0.5, 1), "share, state"),
        "lines": [[0.5, "half"]],
        "legend": [["left of the 1", BLUE, "line"], ["what the unit shows", ORANGE, "line"]],
        "series": [
            curve("left of the 1", {n: round(kept**n, 5) for n in STEPS}, BLUE),
            curve("shown", {n: round(shown[n], 4) for n in STEPS}, ORANGE),
        ],
        "point": "after {x} steps: {values}",
    }
    sums = {"GRU": f"z = σ({keep}) = {kept:.4f}, and 1 − z = {written:.4f} is written"}
    sums["LSTM"] = f"f = σ({keep}) = {kept:.4f}, and i = σ({write}) = {written:.4f} is written"
    left = ", ".join(share(kept**n) for n in (1, 10, 100))
    words = (
        f"{sums[cell]}. After 1, 10, 100 steps {left} of the 1 is left, and as much of a gradient "
        f"comes back. After 100 letters that want −1, the unit shows {round(shown[100], 2) + 0.0:.2f}."
    )
    return {"drawings": [drawing], "words": words.replace("-", "−")}


@cache
def all_gates() -> bytes:
    """Every answer of the figure, packed."""
    asked = product(CELLS, KEEP, WRITE)
    return pack(([cell, keep, write], surviving(cell, keep, write)) for cell, keep, write in asked)


def explore_gates() -> PageFigure:
    """The sums in front of the gates of one unit, and what survives of what it holds."""

    def preview(figure: Figure) -> None:
        ax = figure.subplots()
        kept, written = gates_of("GRU", 3, 0)
        ax.plot([kept**n for n in range(101)], color=BLUE, label="left of the 1")
        ax.plot(held(kept, written), color=ORANGE, label="what the unit shows")
        ax.axhline(0.5, color=GREY, linestyle="--", linewidth=1.5)
        ax.set(xlabel="steps", ylabel="share, state", ylim=(-1.05, 1.05))
        ax.legend()

    controls = {
        "cell": choice("cell", CELLS, "GRU"),
        "keep": slider("sum in front of z or f", 3, KEEP[0], KEEP[-1]),
        "write": slider("sum in front of i (LSTM)", 0, WRITE[0], WRITE[-1]),
    }
    return PageFigure(surviving, controls, all_gates(), preview)
