"""Notebook 00: the map of the course."""

import itertools

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from ..plot import BLUE, GREEN, INK, ORANGE, RED, SKY


def draw_map(ax: Axes) -> None:
    """Draw what the course builds: from text to the next character, each part with its notebook's number."""
    boxes = [
        (0.0, "text", "02", SKY),
        (2.3, "one-hot", "02", SKY),
        (4.6, "[X, H] · W", "01, 03", BLUE),
        (6.9, "state H", "04", BLUE),
        (9.2, "next\ncharacter", "05", GREEN),
    ]
    for x, label, notebook, color in boxes:
        ax.add_patch(Rectangle((x, 0), 1.6, 1, facecolor=color, edgecolor="none"))
        ink = INK if color == SKY else "white"
        ax.text(x + 0.8, 0.5, label, ha="center", va="center", color=ink, fontweight="bold", fontsize=13)
        ax.text(x + 0.8, -0.12, f"notebook {notebook}", ha="center", va="top", color=INK, fontsize=12)
    arrow = {"arrowstyle": "-|>", "color": INK, "lw": 2}
    for (x, *_), (after, *_) in itertools.pairwise(boxes):
        ax.annotate("", (after, 0.5), (x + 1.6, 0.5), arrowprops=arrow)
    back = {**arrow, "connectionstyle": "arc3,rad=0.5", "color": ORANGE}
    ax.annotate("", (5.4, 1.02), (7.7, 1.02), arrowprops=back)
    ax.text(6.55, 1.85, "to the next time step", ha="center", va="bottom", color=INK)
    learn = {"arrowstyle": "-|>", "color": RED, "lw": 2, "linestyle": "--"}
    ax.annotate("", (5.4, -0.75), (10.0, -0.75), arrowprops=learn)
    ax.text(7.7, -0.9, "notebooks 06, 07: the error goes back, and the weights learn", ha="center", va="top", color=RED)
    ax.set(xlim=(-0.1, 10.9), ylim=(-1.5, 2.4), aspect="equal")
    ax.axis("off")
