"""Arrays in, matplotlib Axes out: the course's style, and the drawings that several chapters share.

Colours are safe for colour-blind readers. Text that comes from a reader is drawn as it is, never as a formula.
"""

import io
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from IPython import get_ipython
from matplotlib.axes import Axes
from matplotlib.backends import BackendFilter, backend_registry
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

# The palette of Okabe and Ito ("Color universal design", 2008), without its yellow.
BLUE, ORANGE, GREEN, RED, PURPLE, SKY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9"
COLORS = [BLUE, ORANGE, GREEN, RED, PURPLE, SKY]
INK, GREY = "#222222", "#8a8a8a"

# Live plots are drawn in threads beside the cells, and matplotlib draws safely in one thread at a time.
DRAWING = threading.Lock()


def use_style() -> None:
    """Set matplotlib to large lettering, plain frames and the course's colours; say where it cannot show pictures."""
    plt.rcParams.update(
        {
            "figure.figsize": (9, 3.8),
            "figure.dpi": 100,
            "figure.constrained_layout.use": True,
            "font.size": 14,
            "axes.titlesize": 15,
            "axes.titlelocation": "left",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.edgecolor": GREY,
            "axes.labelcolor": INK,
            "axes.prop_cycle": plt.cycler(color=COLORS),
            "lines.linewidth": 2.5,
            "legend.frameon": False,
        }
    )
    backend = matplotlib.get_backend().lower()
    in_notebook = hasattr(get_ipython(), "kernel")  # a script has no shell, a terminal's shell no kernel
    if in_notebook and backend in backend_registry.list_builtin(BackendFilter.NON_INTERACTIVE):
        print(
            f"Matplotlib's backend is {backend!r}, which shows no pictures here: run %matplotlib inline in a cell of "
            "its own, and start Jupyter without the environment variable MPLBACKEND the next time."
        )


def picture(draw: Callable[[Figure], object], size: tuple[float, float], layout: str = "none") -> bytes:
    """The PNG of what `draw(figure)` draws on an empty figure of `size`, in inches.

    Without a `layout`, which would take longer than all the rest, `draw` says itself where its axes stand.
    """
    with DRAWING:
        figure = Figure(figsize=size, layout=layout)  # not pyplot's: a figure of pyplot would be shown a second time
        draw(figure)
        png = io.BytesIO()
        figure.savefig(png, format="png", pil_kwargs={"compress_level": 1})
    return png.getvalue()


def draw_matrix(ax: Axes, M, x: float, y: float, color: str, mask=None) -> None:
    """Draw matrix M (rows, columns) as boxed numbers, its top left corner at (x, y).

    Where the `mask`, of M's shape, is False, the box is pale.
    """
    M = np.asarray(M)
    mask = np.ones(M.shape, dtype=bool) if mask is None else mask
    on_color = "white" if color in (BLUE, INK) else INK  # what can be read on it
    for (i, j), number in np.ndenumerate(M):
        box = Rectangle((x + j, y - i - 1), 1, 1, facecolor=color, edgecolor="white", alpha=0.9 if mask[i, j] else 0.25)
        ax.add_patch(box)
        ink, weight = (on_color, "bold") if mask[i, j] else (INK, "normal")
        shown = f"{number:g}".replace("-", "−")  # a minus as long as in print
        ax.text(x + j + 0.5, y - i - 0.5, shown, ha="center", va="center", color=ink, fontweight=weight)


def lit(M, row: int | None = None, column: int | None = None) -> np.ndarray:
    """A mask of M's shape that is True in one row, one column, or at the place where both meet."""
    mask = np.zeros(np.shape(M), dtype=bool)
    mask[slice(None) if row is None else row, slice(None) if column is None else column] = True
    return mask


def name_characters(characters) -> list[str]:
    """Labels in which a space can be seen."""
    return ["␣" if character == " " else str(character) for character in characters]


def draw_one_hot(ax: Axes, rows, row_labels, column_labels, title: str = "") -> None:
    """Draw one-hot vectors as a grid with one dark cell a row; rows: (n, vocab)."""
    rows = np.asarray(rows)
    ax.imshow(rows, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    ax.set_xticks(range(rows.shape[1]), name_characters(column_labels), fontsize=12, parse_math=False)
    ax.set_yticks(range(rows.shape[0]), name_characters(row_labels), parse_math=False)
    ax.set_xticks(np.arange(rows.shape[1]) - 0.5, minor=True)
    ax.set_yticks(np.arange(rows.shape[0]) - 0.5, minor=True)
    ax.grid(which="minor", color="#dddddd", linewidth=0.8)
    ax.tick_params(which="both", length=0)
    ax.set_title(title, parse_math=False)


def draw_bars(ax: Axes, labels, values, color: str = BLUE, ylabel: str = "") -> None:
    """Draw one bar for each label."""
    ax.bar(range(len(labels)), np.asarray(values), color=color)
    ax.set_xticks(range(len(labels)), name_characters(labels), parse_math=False)
    ax.set_ylabel(ylabel)


def draw_next_chars(ax: Axes, probs, tokens, title: str = "", top: int = 12, color: str = BLUE) -> None:
    """Draw the `top` most probable next characters as bars; probs: (vocab,)."""
    probs = np.asarray(probs)
    order = np.argsort(-probs, kind="stable")[:top]
    draw_bars(ax, [tokens[i] for i in order], probs[order], color=color)
    ax.set_ylim(0, 1)
    ax.set_title(title, parse_math=False)


def draw_minibatches(ax: Axes, minibatches, title: str = "") -> None:
    """Draw where in the text each row of each minibatch reads, one box with the minibatch's number.

    minibatches: X of one minibatch after another, (batch, time), each holding positions in the text.
    """
    minibatches = [np.asarray(X) for X in minibatches]
    colors = plt.get_cmap("viridis")(np.linspace(0.1, 0.65, len(minibatches)))
    for number, (X, color) in enumerate(zip(minibatches, colors, strict=True)):
        for row, positions in enumerate(X):
            ax.barh(row, len(positions), left=positions[0], color=color, edgecolor="white", linewidth=2, height=0.8)
            ax.text(positions[0] + len(positions) / 2, row, number, ha="center", va="center", color="white")
    rows = len(minibatches[0])
    ax.set_yticks(range(rows), [f"row {row}" for row in range(rows)])
    ax.invert_yaxis()
    ax.set(xlabel="position in the text", title=title)


def use_perplexity_axis(
    ax: Axes, highest: float = 100.0, guess: float | None = 27.0, log: bool = True
) -> tuple[float, float]:
    """Make the y axis one of perplexities up to `highest`, with a dashed line at a blind guess; return its limits."""
    low, high = (0.95, 1.25 * highest) if log else (0.0, 1.25 * highest)
    if log:
        ticks = [tick for tick in (1, 2, 5, 10, 20, 50, 100, 200, 1e3, 1e4, 1e5, 1e6) if tick <= high]
        ax.set_yscale("log")
        ax.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
        ax.minorticks_off()
    ax.set(ylim=(low, high), xlabel="epoch", ylabel="perplexity")
    if guess is not None:
        ax.axhline(guess, color=GREY, linestyle="--", linewidth=1.5)
        ax.text(0.01, guess, f"guessing: {guess:g}", color=GREY, va="bottom", transform=ax.get_yaxis_transform())
    return low, high


@dataclass(frozen=True)
class Curve:
    """A run to be drawn: perplexity for each epoch on the training text, and by epoch on unseen text."""

    label: str
    color: str
    perplexity: list[float]
    unseen: dict[int, float] = field(default_factory=dict)


def draw_runs(
    ax: Axes,
    curves: list[Curve],
    thick: int | None = None,
    epoch: int = 0,
    log: bool = True,
    show_training: bool = True,
    show_unseen: bool = True,
    ladder: dict[str, float] | None = None,
    num_epochs: int = 100,
) -> None:
    """Draw perplexity against the epoch for several runs; the one numbered `thick` stands out, with a mark at `epoch`.

    ladder: name and perplexity of what to compare with, as horizontal lines. What leaves the picture ends at its edge.
    The axis has room for `num_epochs` at least.
    """
    _, high = use_perplexity_axis(ax, 320.0 if log else 25.6, guess=None, log=log)
    edge = 0.8 * high if log else 0.97 * high  # a mark for what is beyond stays inside the picture
    mark = {"marker": "o", "markersize": 11, "clip_on": False, "zorder": 6}
    for number, curve in enumerate(curves):
        color, chosen = curve.color, number == thick
        width, on_top = (3, 5) if chosen else (2, 2)
        # a diverged run is drawn up to the edge: what lies far beyond would slow the drawing down
        training, unseen = (
            np.clip(np.asarray(list(values), dtype=float), None, 10 * high)
            for values in (curve.perplexity, curve.unseen.values())
        )
        ax.plot([], [], color=color, linewidth=width, label=curve.label)
        if show_training:
            ax.plot(np.arange(1, len(training) + 1), training, color=color, linewidth=width, zorder=on_top)
            if chosen and 0 < epoch <= len(training):
                ax.plot([epoch], [min(training[epoch - 1], edge)], color=color, **mark)
        if show_unseen:
            dots = (0, (1.5, 1.2))
            ax.plot(list(curve.unseen), unseen, color=color, linewidth=width, linestyle=dots, zorder=on_top)
            if chosen and epoch in curve.unseen:
                ring = {**mark, "markeredgewidth": 2.5, "markerfacecolor": "white"}
                ax.plot([epoch], [min(curve.unseen[epoch], edge)], color=color, **ring)
    last = max([num_epochs, *(len(curve.perplexity) for curve in curves)])
    for name, value in (ladder or {}).items():
        ax.axhline(value, color=GREY, linewidth=1, linestyle="--", zorder=1)
        place = {"va": "bottom", "ha": "right", "fontsize": 11, "parse_math": False}
        ax.text(last * 1.01, value, f"{name} {value:g}", color=INK, **place)
    ax.set_xlim(0, last * 1.02)
    if curves:
        size = {"fontsize": 11} if len(curves) < 4 else {"fontsize": 9, "labelspacing": 0.3}
        legend = ax.legend(loc="upper left", bbox_to_anchor=(1, 1.03), handlelength=1.2, borderaxespad=0.3, **size)
        for text in legend.get_texts():
            text.set_parse_math(False)


def draw_unrolled(
    ax: Axes,
    letters: str,
    states: Sequence[str] = (),
    guesses: Sequence[str] = (),
    back: Sequence[str] = (),
    cut: int | None = None,
    biases: bool = False,
) -> None:
    """Draw a recurrent network unrolled over `letters`: a letter below each box, its state in it, its guess above.

    states: one text more than letters, the first for the state before them; guesses: one a letter. back: labels of
    dashed arrows that lead from each box to the one before it, the first arrow to the state before the letters.
    cut: the number of the letter before which the state is cut off for the gradient: no arrow leads back from there.
    biases: name b_h and b_q too, beside the weights to whose products they are added.
    """
    wide, gap = 1.7, 1.15
    states = [*states, *[""] * (len(letters) + 1 - len(states))]
    arrow = {"arrowstyle": "-|>", "lw": 2, "shrinkA": 0, "shrinkB": 0}
    middle = {"ha": "center", "va": "center"}
    to_hidden, to_guess = ("$W_{xh}, b_h$", "$W_{hq}, b_q$") if biases else ("$W_{xh}$", "$W_{hq}$")
    for t in range(len(letters) + 1):
        x = t * (wide + gap)
        first = t == 0
        ax.add_patch(Rectangle((x, 0), wide, 1, facecolor="white" if first else BLUE, edgecolor=BLUE, linewidth=2))
        name = states[t] or f"$H_{t}$"
        ax.text(x + wide / 2, 0.5, name, color=INK if first else "white", fontweight="bold", **middle)
        if first:
            continue
        ax.annotate("", (x, 0.5), (x - gap, 0.5), arrowprops={**arrow, "color": BLUE})
        ax.text(x - gap / 2, 0.62, "$W_{hh}$", ha="center", va="bottom", color=INK)
        ax.annotate("", (x + wide / 2, 0), (x + wide / 2, -0.75), arrowprops={**arrow, "color": INK})
        ax.text(x + wide / 2 + 0.1, -0.38, to_hidden, va="center", color=INK)
        ax.text(x + wide / 2, -1.05, name_characters(letters[t - 1])[0], fontsize=20, parse_math=False, **middle)
        if guesses:
            ax.annotate("", (x + wide / 2, 1.75), (x + wide / 2, 1), arrowprops={**arrow, "color": GREEN})
            ax.text(x + wide / 2 + 0.1, 1.38, to_guess, va="center", color=INK)
            ax.text(x + wide / 2, 2.05, guesses[t - 1], parse_math=False, **middle)
        if back and t - 1 != cut:
            bent = {**arrow, "color": RED, "linestyle": "--", "connectionstyle": "arc3,rad=-0.35"}
            ax.annotate("", (x - gap - 0.25 * wide, 0), (x + 0.25 * wide, 0), arrowprops=bent)
            ax.text(x - gap / 2, -0.45, back[t - 1], ha="center", va="top", color=RED)
        if t - 1 == cut:
            ax.plot([x - gap / 2] * 2, [-0.75, 0.4], color=RED, linestyle="--", linewidth=3)
    right = len(letters) * (wide + gap) + wide
    ax.set(xlim=(-0.2, right + 0.2), ylim=(-1.45, 2.4 if guesses else 1.45), aspect="equal")
    ax.axis("off")
