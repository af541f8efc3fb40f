"""Arrays in, matplotlib Axes out; and the live perplexity plot. Colours are safe for colour-blind readers."""

import io
import itertools
import threading
import time

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import DisplayHandle, Image
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

# The palette of Okabe and Ito ("Color universal design", 2008), without its yellow.
BLUE, ORANGE, GREEN, RED, PURPLE, SKY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9"
INK, GREY = "#222222", "#8a8a8a"

# Live plots are drawn in threads beside the cells, and matplotlib draws safely in one thread at a time.
DRAWING = threading.Lock()


def use_style() -> None:
    """Set matplotlib to large lettering, plain frames and the course's colours."""
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
            "axes.prop_cycle": plt.cycler(color=[BLUE, ORANGE, GREEN, RED, PURPLE, SKY]),
            "lines.linewidth": 2.5,
            "legend.frameon": False,
        }
    )


def draw_matrix(ax: Axes, M, x: float, y: float, color: str, lit=None) -> None:
    """Draw matrix M (rows, columns) as boxed numbers, its top left corner at (x, y).

    Where the mask `lit`, of M's shape, is False, the box is pale.
    """
    M = np.asarray(M)
    lit = np.ones(M.shape, dtype=bool) if lit is None else lit
    for (i, j), number in np.ndenumerate(M):
        box = Rectangle((x + j, y - i - 1), 1, 1, facecolor=color, edgecolor="white", alpha=0.9 if lit[i, j] else 0.25)
        ax.add_patch(box)
        ink, weight = ("white", "bold") if lit[i, j] else (INK, "normal")
        ax.text(x + j + 0.5, y - i - 0.5, f"{number:g}", ha="center", va="center", color=ink, fontweight=weight)


def _lit(M, row: int | None = None, column: int | None = None):
    """A mask of M's shape that is True in one row, one column, or at the place where both meet."""
    mask = np.zeros(np.shape(M), dtype=bool)
    mask[slice(None) if row is None else row, slice(None) if column is None else column] = True
    return mask


def draw_concatenation(ax: Axes, X, H, W_xh, W_hh, row: int = 0, column: int = 0) -> None:
    """Draw [X, H] · [W_xh; W_hh] = result in blocks, the dot product of one `row` and one `column` lit.

    X: (batch, inputs), H: (batch, hidden), W_xh: (inputs, hidden), W_hh: (hidden, hidden).
    """
    X, H, W_xh, W_hh = (np.asarray(M) for M in (X, H, W_xh, W_hh))
    (batch, d), h = X.shape, H.shape[1]
    height = d + h + 0.3
    top = (height + batch) / 2  # the left matrices and the result stand at mid height
    x_weights = d + h + 1.7
    x_result = x_weights + h + 2.6

    result = X @ W_xh + H @ W_hh
    draw_matrix(ax, X, 0, top, BLUE, _lit(X, row))
    draw_matrix(ax, H, d + 0.2, top, ORANGE, _lit(H, row))
    draw_matrix(ax, W_xh, x_weights, height, BLUE, _lit(W_xh, column=column))
    draw_matrix(ax, W_hh, x_weights, h, ORANGE, _lit(W_hh, column=column))
    draw_matrix(ax, result, x_result, top, GREEN, _lit(result, row, column))
    for x, y, label in [
        (d / 2, top + 0.5, "$X$"),
        (d + 0.2 + h / 2, top + 0.5, "$H$"),
        (x_weights + h + 0.6, height - d / 2, "$W_{xh}$"),
        (x_weights + h + 0.6, h / 2, "$W_{hh}$"),
        (x_weights - 0.75, height / 2, "·"),
        (x_result - 0.7, height / 2, "="),
    ]:
        ax.text(x, y, label, ha="center", va="center", fontsize=24 if label in "·=" else 15)

    def dot(a, b):
        return " + ".join(f"{p:g}·{q:g}" for p, q in zip(a, b, strict=True)) + f" = {a @ b:g}"

    ax.text(0, -0.9, f"row {row}, column {column}:", va="center")
    ax.text(4.2, -0.9, dot(X[row], W_xh[:, column]), va="center", color=BLUE, fontweight="bold")
    ax.text(4.2, -1.7, dot(H[row], W_hh[:, column]), va="center", color="#9a6a00", fontweight="bold")
    ax.text(x_result, -1.3, f"together {result[row, column]:g}", va="center", color=GREEN, fontweight="bold")
    ax.set(xlim=(-0.2, x_result + h + 0.2), ylim=(-2.2, height + 0.3), aspect="equal")
    ax.axis("off")


def name_characters(characters) -> list[str]:
    """Labels in which a space can be seen."""
    return ["␣" if character == " " else str(character) for character in characters]


def draw_one_hot(ax: Axes, rows, row_labels, column_labels, title: str = "") -> None:
    """Draw one-hot vectors as a grid with one dark cell a row; rows: (n, vocab)."""
    rows = np.asarray(rows)
    ax.imshow(rows, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    ax.set_xticks(range(rows.shape[1]), name_characters(column_labels), fontsize=11)
    ax.set_yticks(range(rows.shape[0]), name_characters(row_labels))
    ax.set_xticks(np.arange(rows.shape[1]) - 0.5, minor=True)
    ax.set_yticks(np.arange(rows.shape[0]) - 0.5, minor=True)
    ax.grid(which="minor", color="#dddddd", linewidth=0.8)
    ax.tick_params(which="both", length=0)
    ax.set_title(title)


def draw_bars(ax: Axes, labels, values, color: str = BLUE, ylabel: str = "") -> None:
    """Draw one bar for each label."""
    ax.bar(range(len(labels)), np.asarray(values), color=color)
    ax.set_xticks(range(len(labels)), name_characters(labels))
    ax.set_ylabel(ylabel)


def draw_shapes(ax: Axes, shapes: dict[str, tuple[int, ...]]) -> None:
    """Draw named tensors as rectangles to one scale; a vector is a single row. Counts stand below the names."""
    gap, x = 110, 0
    colors = {"W_xh": BLUE, "W_hh": ORANGE, "b_h": GREEN, "W_hq": SKY, "b_q": RED}
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
        ax.text(x + columns / 2, -30, label, ha="center", va="top", fontsize=13)
        x += max(columns, 120) + gap
    ax.set(xlim=(-70, x - gap + 40), ylim=(-230, tallest + 20), aspect="equal")
    ax.axis("off")


def draw_states(ax: Axes, hidden, text: str, title: str = "") -> None:
    """Draw hidden states as columns under the characters they follow; hidden: (time, units), text: time characters."""
    hidden = np.asarray(hidden)
    limit = np.abs(hidden).max()
    ax.imshow(hidden.T, cmap="PuOr_r", vmin=-limit, vmax=limit, aspect="auto", interpolation="nearest")
    ax.set_xticks(range(len(text)), name_characters(text))
    ax.tick_params(length=0)
    ax.set(ylabel="hidden unit", title=title)


def draw_next_chars(ax: Axes, probs, tokens, title: str = "", top: int = 12, color: str = BLUE) -> None:
    """Draw the `top` most probable next characters as bars; probs: (vocab,)."""
    probs = np.asarray(probs)
    order = np.argsort(-probs, kind="stable")[:top]
    draw_bars(ax, [tokens[i] for i in order], probs[order], color=color)
    ax.set(ylim=(0, 1), title=title)


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


def use_perplexity_axis(ax: Axes, highest: float = 100.0, guess: float = 27.0) -> None:
    """Give the y axis a logarithmic scale for perplexities from 1 to `highest`, and a dashed line at a blind guess."""
    ticks = [tick for tick in (1, 2, 5, 10, 20, 50, 100, 1e3, 1e4, 1e5, 1e6) if tick <= 2 * highest]
    ax.set_yscale("log")
    ax.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.minorticks_off()
    ax.set(ylim=(0.95, highest * 1.25), xlabel="epoch", ylabel="perplexity")
    ax.axhline(guess, color=GREY, linestyle="--", linewidth=1.5)
    ax.text(0.01, guess, f"guessing: {guess:g}", color=GREY, va="bottom", transform=ax.get_yaxis_transform())


class LivePlot:
    """A perplexity curve that grows during training, with the sample texts below it.

    Use it as ``with LivePlot("name", num_epochs) as live:`` around the training loop and give it every
    record. It draws only as often as keeps its share of the time below `max_share`, and once more at
    the end, also when the loop is interrupted: an interrupt ends the loop quietly, and the plot says so.
    """

    def __init__(
        self, title: str, num_epochs: int, goal: float | None = None, guess: float = 27.0, max_share: float = 0.03
    ):
        self.title, self.num_epochs, self.goal, self.guess, self.max_share = title, num_epochs, goal, guess, max_share
        self.records, self.samples, self.unseen = [], [], []
        self.note, self.finished = "", False
        self.seconds_drawing = 0.0
        self._next_draw = 0.0
        self._picture, self._texts = DisplayHandle(), DisplayHandle()

    def __enter__(self) -> "LivePlot":
        self._start = time.perf_counter()
        self._draw(first=True)
        return self

    def __exit__(self, kind, error, traceback) -> bool:
        interrupted = kind is not None and issubclass(kind, KeyboardInterrupt)
        if interrupted:
            self.note = "interrupted by you: the model keeps what it has learned so far"
        elif kind is not None:
            self.note = "stopped by an error, see below"
        else:
            self.note, self.finished = "finished", True
        self._draw()
        return interrupted

    def add(self, record, sample: str | None = None, unseen: float | None = None) -> None:
        """Take in one epoch's record, and with it a sample text and the perplexity on unseen text if there are any."""
        self.records.append(record)
        if unseen is not None:
            self.unseen.append((record.epoch, unseen))
        if sample is not None:
            self.samples.append((record.epoch, record.perplexity, sample))
        if sample is not None or time.perf_counter() >= self._next_draw:
            self._draw()

    @property
    def perplexity(self) -> float:
        """Of the last epoch; NaN before the first."""
        return self.records[-1].perplexity if self.records else float("nan")

    def _status(self) -> str:
        if not self.records:
            return self.note or "the first epoch is running"
        last, passed = self.records[-1], time.perf_counter() - self._start
        status = f"epoch {last.epoch} of {self.num_epochs}, perplexity {last.perplexity:.3g}, "
        status += f"{last.tokens_per_second:,.0f} tokens/s, {passed:.0f} s"
        left = passed / last.epoch * (self.num_epochs - last.epoch)
        return f"{status}; {self.note}" if self.note else f"{status}; at most {left:.0f} s to go"

    def draw(self, ax: Axes) -> None:
        """Draw the curves as they stand."""
        values = [perplexity for _, perplexity in self.unseen] + [record.perplexity for record in self.records]
        # what a diverged run shows beyond a million would press the rest of the picture flat
        use_perplexity_axis(ax, max([40.0, *(value for value in values if value < 1e6)]), self.guess)
        epochs = [record.epoch for record in self.records]
        ax.plot(epochs, [record.perplexity for record in self.records], color=BLUE, label="training text")
        if self.unseen:
            ax.plot(*zip(*self.unseen, strict=True), color=RED, marker="o", label="unseen text")
        if self.goal is not None:
            ax.axhline(self.goal, color=GREEN, linestyle="--", linewidth=1.5)
            ax.text(
                0.01, self.goal, f"goal: {self.goal:g}", color=GREEN, va="bottom", transform=ax.get_yaxis_transform()
            )
        ax.set_xlim(0, self.num_epochs * 1.01)
        ax.set_title(self.title)
        if self.records:
            ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))

    def _draw(self, first: bool = False) -> None:
        start = time.perf_counter()
        with DRAWING:
            figure = Figure(figsize=(10, 3.6))  # not pyplot's: a figure of pyplot would be shown a second time
            self.draw(figure.subplots())
            png = io.BytesIO()
            figure.savefig(png, format="png")
        texts = {"text/plain": "\n".join([self._status(), "", *self._sample_lines()])}
        picture = Image(png.getvalue(), alt=f"Perplexity curve of {self.title}: {self._status()}")
        for handle, content, raw in ((self._picture, picture, False), (self._texts, texts, True)):
            (handle.display if first else handle.update)(content, raw=raw)
        now = time.perf_counter()
        self.seconds_drawing += now - start
        self._next_draw = now + (now - start) * (1 / self.max_share - 1)

    def _sample_lines(self) -> list[str]:
        if not self.samples:
            return []
        head = f"{'epoch':>5}  {'perplexity':>10}  sample"
        return [head, *(f"{epoch:5}  {perplexity:10.2f}  {sample}" for epoch, perplexity, sample in self.samples)]


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
        ax.text(
            x + 0.8,
            0.5,
            label,
            ha="center",
            va="center",
            color=INK if color == SKY else "white",
            fontweight="bold",
            fontsize=13,
        )
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


def draw_cut(ax: Axes, joined, weights, cut: int, row: int = 0, column: int = 0) -> tuple[float, float]:
    """Draw joined · weights as the sum of two products, cut after column `cut` of `joined`; return the lit two terms.

    joined: (batch, n), weights: (n, hidden), 0 ≤ cut ≤ n. Lit: one `row`, one `column`, and what they give.
    """
    joined, weights = np.asarray(joined), np.asarray(weights)
    (batch, n), hidden = joined.shape, weights.shape[1]
    left, right = joined[:, :cut] @ weights[:cut], joined[:, cut:] @ weights[cut:]
    top, gap = (n + batch) / 2, 1.5
    x_weights = n + gap
    x_left = x_weights + hidden + gap
    x_right, x_sum = x_left + hidden + gap, x_left + 2 * (hidden + gap)

    for part, color in ((slice(0, cut), BLUE), (slice(cut, n), ORANGE)):
        shift = part.start
        draw_matrix(ax, joined[:, part], shift, top, color, _lit(joined[:, part], row))
        draw_matrix(ax, weights[part], x_weights, n - shift, color, _lit(weights[part], column=column))
    for M, x, color in ((left, x_left, BLUE), (right, x_right, ORANGE), (left + right, x_sum, GREEN)):
        draw_matrix(ax, M, x, top, color, _lit(M, row, column))
    for x, sign in ((x_weights, "·"), (x_left, "="), (x_right, "+"), (x_sum, "=")):
        ax.text(x - gap / 2, n / 2, sign, ha="center", va="center", fontsize=22)
    ax.plot([cut, cut], [top - batch - 0.5, top + 0.5], color=INK, linestyle="--", linewidth=2)
    ax.plot([x_weights - 0.4, x_weights + hidden + 0.4], [n - cut, n - cut], color=INK, linestyle="--", linewidth=2)
    for x, width, name in (
        (0, n, "[X, H]"),
        (x_left, hidden, "blue part"),
        (x_right, hidden, "orange part"),
        (x_sum, hidden, "together"),
    ):
        ax.text(x + width / 2, top + 0.9, name, ha="center", va="center")
    ax.set(xlim=(-0.3, x_sum + hidden + 0.3), ylim=(-0.4, n + 0.4), aspect="equal")
    ax.axis("off")
    return left[row, column].item(), right[row, column].item()


def draw_start(figure: Figure, hidden, sigmas, losses, sigma: float, vocab_size: int) -> None:
    """Draw the values of the hidden units after the last step, and the first loss at `sigma` among all `sigmas`."""
    left, right = figure.subplots(1, 2, gridspec_kw={"left": 0.08, "right": 0.98, "bottom": 0.18, "wspace": 0.25})
    hidden = np.asarray(hidden).ravel()
    left.hist(hidden, bins=41, range=(-1, 1), color=BLUE, weights=np.full(len(hidden), 100 / len(hidden)))
    left.set(xlabel="value of a hidden unit", ylabel="units, %", ylim=(0, 102), title=f"spread {hidden.std():.2g}")
    right.loglog(sigmas, losses, color=GREY, marker=".")
    right.plot([sigma], [losses[list(sigmas).index(sigma)]], marker="o", markersize=13, color=ORANGE)
    right.axhline(np.log(vocab_size), color=INK, linestyle="--", linewidth=1.5)
    right.text(sigmas[-1], np.log(vocab_size) * 0.94, "blind guess", ha="right", va="top")
    right.set_yticks([3, 10, 30, 100], ["3", "10", "30", "100"])
    right.minorticks_off()
    right.set(xlabel="sigma of the initial weights", ylim=(2, 120), title="first loss")


def draw_step(figure: Figure, hidden, text: str, probs, tokens, step: int) -> None:
    """Draw the network after `step` characters: what it has read, its state, and the most probable next characters.

    hidden: (time, units), of all of `text`; probs: (vocab,), after the step. The steps to come stay blank.
    """
    hidden = np.asarray(hidden)
    left, right = figure.subplots(
        1, 2, gridspec_kw={"left": 0.07, "right": 0.99, "bottom": 0.1, "wspace": 0.14, "width_ratios": [3, 2]}
    )
    shown = np.where(np.arange(len(text))[:, None] < step, hidden, np.nan)
    left.imshow(shown.T, cmap="PuOr_r", vmin=-1, vmax=1, aspect="auto", interpolation="nearest")
    left.set_xticks(range(len(text)), name_characters(text))
    for t, label in enumerate(left.get_xticklabels()):
        label.set(color=INK if t < step else GREY, fontweight="bold" if t == step - 1 else "normal")
    left.add_patch(Rectangle((step - 1.5, -0.5), 1, hidden.shape[1], fill=False, edgecolor=INK, linewidth=3))
    left.tick_params(length=0)
    left.set(ylabel="hidden unit", title=f"state after step {step}")
    draw_next_chars(right, probs, tokens, title="next character", top=10, color=GREEN)


def draw_warm_up(ax: Axes, with_prefix, last_only, tokens, prefix: str, top: int = 12) -> None:
    """Draw the probabilities of the next character after the whole prefix, and after its last character alone.

    with_prefix, last_only: (vocab,). Shown are the characters that are most probable in either.
    """
    with_prefix, last_only = np.asarray(with_prefix), np.asarray(last_only)
    order = np.argsort(-np.maximum(with_prefix, last_only), kind="stable")[:top]
    order = order[np.argsort(-with_prefix[order], kind="stable")]
    places = np.arange(len(order))
    short = prefix if len(prefix) <= 30 else f"…{prefix[-30:]}"
    ax.bar(places - 0.2, with_prefix[order], width=0.4, color=BLUE, label=f"after reading “{short}”")
    ax.bar(places + 0.2, last_only[order], width=0.4, color=ORANGE, label=f"after “{prefix[-1]}” alone")
    ax.set_xticks(places, name_characters(tokens[i] for i in order))
    ax.set(ylim=(0, 1), ylabel="probability")
    ax.legend(loc="upper right")


def draw_norms(ax: Axes, lengths, of_weights, of_memory, length: int, max_norm: float) -> None:
    """Draw norms of gradients against the sequence length: of all weights, the same clipped, and of the first state."""
    of_weights, of_memory = np.asarray(of_weights), np.asarray(of_memory)
    here = list(lengths).index(length)
    clipped = np.minimum(of_weights, max_norm)
    ax.loglog(lengths, of_weights, color=RED, linestyle="--", label="all weights, before clipping")
    ax.plot(lengths, clipped, color=BLUE, linewidth=4, label="all weights, clipped")
    ax.plot(lengths, of_memory, color=ORANGE, label="the state at the start")
    for values, color in ((of_weights, RED), (clipped, BLUE), (of_memory, ORANGE)):
        ax.plot([length], [values[here]], marker="o", markersize=12, color=color)
    ax.axhline(max_norm, color=GREY, linestyle=":", linewidth=1.5)
    ax.text(lengths[0], max_norm * 1.5, f"θ = {max_norm:g}", color=INK)
    ax.set_xticks(lengths, [str(n) for n in lengths])
    ax.minorticks_off()
    ax.set(xlabel="time steps", ylabel="norm of the gradient", ylim=(1e-12, 1e8))
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))


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


def draw_runs(
    ax: Axes,
    runs,
    thick: int | None = None,
    epoch: int = 0,
    log: bool = True,
    training: bool = True,
    unseen: bool = True,
    ladder: dict[str, float] | None = None,
    num_epochs: int = 100,
) -> None:
    """Draw perplexity against the epoch for several runs; the one numbered `thick` stands out, with a mark at `epoch`.

    runs: (label, colour, perplexity for each epoch, perplexity on unseen text by epoch).
    ladder: name and perplexity of what to compare with, as horizontal lines. What leaves the picture ends at its edge.
    The axis has room for `num_epochs` at least.
    """
    low, high = (0.93, 400) if log else (0, 32)
    edge = 0.8 * high if log else 0.97 * high  # a mark for what is beyond stays inside the picture
    for number, (label, color, perplexity, by_epoch) in enumerate(runs):
        chosen = number == thick
        width = 3 if chosen else 2
        # a diverged run is drawn up to the edge: what lies far beyond would slow the drawing down
        curve = np.clip(np.asarray(perplexity, dtype=float), None, 10 * high)
        look_at = np.asarray(list(by_epoch), dtype=float)
        values = np.clip(np.asarray(list(by_epoch.values()), dtype=float), None, 10 * high)
        on_top = 5 if chosen else 2
        ax.plot([], [], color=color, linewidth=width, label=label)
        if training:
            ax.plot(np.arange(1, len(curve) + 1), curve, color=color, linewidth=width, zorder=on_top)
        if unseen:
            dots = (0, (1.5, 1.2))
            ax.plot(look_at, values, color=color, linewidth=width - 0.5, linestyle=dots, zorder=on_top)
        if chosen:
            if training and 0 < epoch <= len(curve):
                ax.plot(
                    [epoch], [min(curve[epoch - 1], edge)], "o", markersize=11, color=color, clip_on=False, zorder=6
                )
            if unseen and epoch in by_epoch:
                seen = [min(by_epoch[epoch], edge)]
                ring = {"markersize": 11, "markeredgewidth": 2.5, "markerfacecolor": "white"}
                ax.plot([epoch], seen, "o", color=color, clip_on=False, zorder=6, **ring)
    last = max([num_epochs, *(len(run[2]) for run in runs)])
    for name, value in (ladder or {}).items():
        ax.axhline(value, color=GREY, linewidth=1, linestyle="--", zorder=1)
        ax.text(last * 1.01, value, f"{name} {value:g}", color=INK, fontsize=11, va="bottom", ha="right")
    if log:
        ax.set_yscale("log")
        ticks = [1, 2, 5, 10, 20, 50, 100, 200]
        ax.set_yticks(ticks, [str(tick) for tick in ticks])
        ax.minorticks_off()
    ax.set(xlim=(0, last * 1.02), ylim=(low, high), xlabel="epoch", ylabel="perplexity")
    if runs:
        size = {"fontsize": 11} if len(runs) < 4 else {"fontsize": 9, "labelspacing": 0.3}
        ax.legend(loc="upper left", bbox_to_anchor=(1, 1.03), handlelength=1.2, borderaxespad=0.3, **size)


def draw_grad_norms(ax: Axes, curves, max_norm: float | None) -> None:
    """Draw norms of gradients against the epoch, and the threshold if there is one; curves: (colour, norms)."""
    for color, norms in curves:
        ax.plot(np.arange(1, len(norms) + 1), np.clip(norms, 1e-3, 1e3), color=color, linewidth=2)
    ax.set_yscale("log")
    ax.set_yticks([0.01, 0.1, 1, 10, 100], ["0.01", "0.1", "1", "10", "100"])
    ax.minorticks_off()
    if max_norm is not None:
        ax.axhline(max_norm, color=GREY, linewidth=1, linestyle="--", zorder=1)
        place = {"ha": "right", "va": "bottom", "transform": ax.get_yaxis_transform()}
        ax.text(0.99, max_norm, f"clipped at {max_norm:g}", color=INK, fontsize=11, **place)
    ax.set(ylim=(0.008, 120), xlabel="epoch", ylabel="norm")
