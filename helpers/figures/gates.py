"""Notebook 09: what the gates of one unit keep of its past."""

import math
from collections.abc import Sequence
from functools import cache
from itertools import product

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..plot import BLUE, GREEN, GREY, ORANGE, PURPLE, RED
from .page import PageFigure, axis, curve, pack, slider

KEEP, WRITE = range(-2, 9), range(-6, 3)  # the sums in front of z or f, and of i
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


def held(kept: float, written: float, num_steps: int = 100) -> list[float]:
    """What a unit holds after 0, 1, 2, … steps: a 1 at the start, and −1 as the candidate of every later step."""
    values = [1.0]
    for _ in range(num_steps):
        values.append(kept * values[-1] - written)
    return values


def share(value: float) -> str:
    """A share in a few digits, tiny ones with their power of ten."""
    return f"{value:.2g}" if value < 0.095 else f"{value:.2f}"


def surviving(keep: int, write: int) -> dict:
    """What the page draws and says for one setting of the gates."""
    kept, written = sigmoid(keep), sigmoid(write)
    gru, cell = held(kept, 1 - kept), held(kept, written)
    lstm = [math.tanh(value) for value in cell]
    lines = [
        ("left of the 1", BLUE, [kept**n for n in range(101)]),
        ("GRU shows", ORANGE, gru),
        ("LSTM shows", PURPLE, lstm),
    ]
    drawing = {
        "kind": "curves",
        "name": "What is left of the 1, and what the units show. The arrow keys go from step to step.",
        "x": axis(0, 104, (0, 10, 20, 50, 100), "steps"),
        "y": axis(-1.05, 1.05, (-1, -0.5, 0, 0.5, 1), "share, state"),
        "lines": [[0.5, "half"]],
        "legend": [[name, color, "line"] for name, color, _ in lines],
        "series": [curve(name, {n: round(values[n], 5) for n in STEPS}, color) for name, color, values in lines],
        "point": "after {x} steps: {values}",
    }
    left = ", ".join(share(kept**n) for n in (1, 10, 100))
    shown = [f"{round(values[100], 2) + 0.0:.2f}" for values in (gru, lstm)]  # + 0.0: no −0.00
    words = (
        f"z = f = σ({keep}) = {kept:.4f}, 1 − z = {1 - kept:.4f}, i = σ({write}) = {written:.4f}. "
        f"After 1, 10, 100 steps {left} of the 1 is left, and as much of a gradient comes back. "
        f"After 100 letters that want −1, the GRU's unit shows {shown[0]}, the LSTM's {shown[1]}."
    )
    return {"drawings": [drawing], "words": words.replace("-", "−")}


@cache
def all_gates() -> bytes:
    """Every answer of the figure, packed."""
    return pack(([keep, write], surviving(keep, write)) for keep, write in product(KEEP, WRITE))


def explore_gates() -> PageFigure:
    """The sums in front of the gates of one unit, and what survives of what it holds, in a GRU and in an LSTM."""

    def preview(figure: Figure) -> None:
        ax = figure.subplots()
        for line in surviving(3, 0)["drawings"][0]["series"]:
            ax.plot(line["x"], line["y"], color=line["color"], label=line["label"])
        ax.axhline(0.5, color=GREY, linestyle="--", linewidth=1.5)
        ax.set(xlabel="steps", ylabel="share, state", ylim=(-1.05, 1.05))
        ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))

    controls = {
        "keep": slider("sum in front of z, f", 3, KEEP[0], KEEP[-1]),
        "write": slider("sum in front of i", 0, WRITE[0], WRITE[-1]),
    }
    return PageFigure(surviving, controls, all_gates(), preview)
