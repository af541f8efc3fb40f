"""Notebook 00: the map of the course."""

from matplotlib.axes import Axes

from ..plot import BLUE, GREEN, INK, draw_unrolled


def draw_map(ax: Axes) -> None:
    """Draw what the course builds, unrolled over the letters of a word: each part with its notebooks' numbers."""
    draw_unrolled(ax, "tim", guesses="ime", biases=True)
    (_, right), left = ax.get_xlim(), -4.7
    for y, part, notebooks, color in [
        (2.05, "a guess at each letter", "05 · how good? 02, 08", GREEN),
        (0.5, "a memory, handed on", "01, 03, 04", BLUE),
        (-1.05, "letters as numbers", "02", INK),
        (-2.5, "the error goes back,\nthe weights learn", "03, 06, 07", INK),
    ]:
        ax.text(left, y + 0.05, part, va="bottom", color=color, fontweight="bold")
        ax.text(left, y - 0.05, f"notebook {notebooks}", va="top", color=INK, fontsize=13)
    arrow = {"arrowstyle": "-|>", "color": INK, "lw": 2, "linestyle": "--", "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", (0, -2.5), (right, -2.5), arrowprops=arrow)
    ax.set(xlim=(left - 0.2, right + 0.5), ylim=(-3.1, 2.7))
