"""A guessing game on hidden text, and the ranks of its right letters as a picture."""

import bz2
import lzma
import math
import time
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import anywidget
import numpy as np
import torch
import traitlets
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .. import plot
from ..plot import name_characters
from ..require import require
from ..rnn import RNN
from ..runs.settings import CLASSIC
from ..text import SequentialBatches, Vocab
from ..train import Record, train
from .answering import Box
from .page import COLORS

FOLDER = Path(__file__).parent
BEFORE, HIDDEN = 60, 100  # characters of a passage: shown from the start, and to be guessed
SHOWN = 30  # letters in the picture that stands for the game
LABELS = {
    "game": "Guessing game: type the letter that you expect next; the space bar is a letter too.",
    "start": "Click here and type your guess for the next letter. A space (␣) is a letter too.",
    "wrong": "not “{letter}”: guess on",
    "tried": "“{letter}” was tried already",
    "right": "“{letter}”, at guess {rank}",
    "given": "it was “{letter}”; given up, which counts as guess {rank}",
    "end": "{last}. That was the last letter: start again for another passage.",
    "you": "you",
    "heads": ["", "first guess", "right at guess", "at once", "bits a letter"],
    "give_up": "give up (Enter)",
    "again": "start again (Home)",
    "count": "letters guessed: {count}. Few letters make all the bits too low, at most log2 of their number; "
    "compare the rows.",
}


def ranks_of(shares: torch.Tensor, text: str, vocab: Vocab) -> tuple[str, list[int]]:
    """At which guess each character is found by who guesses in the order of its shares, and its first guesses.

    shares: (len(text), vocab), before each character; `<unk>`, index 0, is never guessed.
    """
    require(len(shares) == len(text), f"There are shares for {len(shares)} characters, but the text has {len(text)}.")
    order = shares[:, 1:].argsort(dim=1, descending=True, stable=True) + 1  # (time, guesses)
    found = (order == vocab.encode(text)[:, None]).int().argmax(dim=1) + 1
    return vocab.decode(order[:, 0]), found.tolist()


def bits_of_ranks(ranks: list[int]) -> float:
    """Shannon's upper bound on the bits of a character: the entropy of the ranks at which it is found.

    Source: Shannon, "Prediction and entropy of printed English" (1951).
    """
    return -sum(n / len(ranks) * math.log2(n / len(ranks)) for n in Counter(ranks).values())


def compressed_bits(text: str, before: str) -> dict[str, float]:
    """Bits a character that compressors need for `text`, from nothing, and when they have read what stands `before`."""
    bits = {}
    for compress in (zlib.compress, bz2.compress, lzma.compress):
        name = compress.__module__
        bits[name] = 8 * len(compress(text.encode())) / len(text)
        more = len(compress((before + text).encode())) - len(compress(before.encode()))
        bits[f"{name}, after the book"] = 8 * more / len(text)
    return bits


def draw_ranks(ax: Axes, text: str, ranks: dict[str, list[int]]) -> None:
    """Draw below each character of `text` the guess at which each player finds it: light at once, dark late."""
    rows = np.array([player[: len(text)] for player in ranks.values()])
    ax.imshow(np.log(rows), cmap="Blues", vmin=0, vmax=math.log(27), aspect="auto")
    for (row, column), rank in np.ndenumerate(rows):
        color = "white" if rank > 6 else plot.INK
        ax.text(column, row, rank, ha="center", va="center", color=color, fontsize=12)
    ax.set_xticks(range(len(text)), name_characters(text), parse_math=False)
    ax.set_yticks(range(len(ranks)), list(ranks), parse_math=False)
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def draw_cures(axes: Sequence[Axes], ends: dict[str, float], cures: Sequence[str]) -> None:
    """Draw where recipes end, on the left with one of the `cures`, on the right with all but one.

    ends: perplexity by recipe, beside them "plain" and "all five". A cure that helps is blue, one that hurts red.
    """
    for ax, recipe, start, side in zip(axes, ("{}", "all but {}"), ("plain", "all five"), (1, -1), strict=True):
        values = [ends[recipe.format(cure)] for cure in cures]
        ax.barh(cures, values, color=[plot.BLUE if side * (v - ends[start]) < 0 else plot.RED for v in values])
        ax.axvline(ends[start], color=plot.INK, linestyle="--", linewidth=1.5)
        title = f"{'with one' if side > 0 else 'without one'} (dashed: {start}, {ends[start]:.2f})"
        ax.set(xlabel="perplexity, part to choose", title=title, xlim=(0, 1.25 * max(ends.values())))
        for place, value in enumerate(values):
            paper = {"facecolor": "white", "edgecolor": "none", "pad": 1}  # the dashed line ends at the number
            ax.text(value + 0.1, place, f"{value:.2f}", va="center", bbox=paper)
    axes[0].invert_yaxis()


def seconds_of_classic_epoch(corpus: torch.Tensor, vocab: Vocab) -> float:
    """The seconds that one epoch of the classic recipe takes here and now."""
    batches = SequentialBatches(corpus, CLASSIC.batch_size, CLASSIC.num_steps)
    start = time.perf_counter()
    list(train(RNN(len(vocab), CLASSIC.hidden_size), batches, 1, CLASSIC.lr))
    return time.perf_counter() - start


def race(training: Iterable[Record], corpus: torch.Tensor, vocab: Vocab) -> tuple[list[float], list[float], float]:
    """Train, and return of each epoch the seconds and the perplexity, and the seconds of one of the classic recipe.

    The classic epochs are timed in between, so that a busy machine slows both.
    """
    seconds, curve, each, start = [], [], [], time.perf_counter()
    for record in training:
        seconds.append(time.perf_counter() - start)
        curve.append(record.perplexity)
        if record.epoch % 6 == 1:
            each.append(seconds_of_classic_epoch(corpus, vocab))
        start = time.perf_counter()
    return seconds, curve, sum(each) / len(each)


def draw_race(ax: Axes, seconds: list[float], curve: list[float], each: float, classic: list[float]) -> list[float]:
    """Draw two trainings over seconds, and return when each fell below 1.1.

    seconds: of each epoch of `curve`; each: of every epoch of the `classic` one.
    """
    plot.use_perplexity_axis(ax)
    runs = {"classic recipe": (each * np.arange(1, 1 + len(classic)), classic, plot.GREY)}
    runs |= {"better recipe": (np.cumsum(seconds), curve, plot.BLUE)}
    for label, (passed, values, color) in runs.items():
        ax.plot(passed, values, color=color, label=label)
    ax.axhline(1.1, color=plot.INK, linestyle="--", linewidth=1.5)
    ax.set_xlabel("seconds")
    ax.legend()
    return [float(passed[np.array(values) < 1.1][0]) for passed, values, _ in reversed(runs.values())]


def draw_bits(ax: Axes, bits: dict[str, float], ours: Sequence[str], people: tuple[float, float]) -> None:
    """Draw bits a character as bars, the longest below, `ours` in blue, and above them the range of `people`."""
    rungs = dict(sorted(bits.items(), key=lambda rung: -rung[1]))
    ax.barh(list(rungs), list(rungs.values()), color=[plot.BLUE if name in ours else plot.GREY for name in rungs])
    low, high = people
    ax.barh(["people (Shannon)"], [high - low], left=[low], color=plot.ORANGE)
    for place, value in enumerate(rungs.values()):
        ax.text(value + 0.05, place, f"{value:.2f}", va="center")
    ax.text(high + 0.05, len(rungs), f"{low} to {high}", va="center")
    ax.set_xlabel("bits a character")


class Game(anywidget.AnyWidget):
    """What guessing.js plays: passages, and the others' ranks in them."""

    _esm = (FOLDER / "guessing.js").read_text(encoding="utf-8")
    frame = traitlets.Dict().tag(sync=True)


class GuessingGame(Box):
    """Hidden text to be guessed letter by letter, against players whose guesses are known beforehand.

    text: what is guessed, of which the player sees BEFORE characters first. shares: for each player, its shares before
    every character of `text` but the first, (len(text) - 1, vocab). It works in the page alone.
    """

    def __init__(self, text: str, shares: dict[str, torch.Tensor], vocab: Vocab, num_passages: int = 6):
        length = BEFORE + HIDDEN
        require(len(text) > length, f"The game needs a text of more than {length} characters, not {len(text)}.")
        require(num_passages >= 1, f"num_passages must be at least 1, but it is {num_passages}.")
        players = {name: ranks_of(found, text[1:], vocab) for name, found in shares.items()}
        step = (len(text) - length) // num_passages
        starts = [text.find(" ", i * step, i * step + 30) + 1 or i * step + 1 for i in range(num_passages)]
        self.passages = [self._passage(text, start, players) for start in starts]
        frame = {"passages": self.passages, "letters": vocab.tokens[1:], "labels": LABELS}
        style = f"{COLORS}\n{(FOLDER / 'guessing.css').read_text(encoding='utf-8')}"
        self.game = Game(frame={**frame, "style": style})
        super().__init__([self.game])

    @staticmethod
    def _passage(text: str, start: int, players: dict[str, tuple[str, list[int]]]) -> dict:
        first, last = start + BEFORE, min(start + BEFORE + HIDDEN, len(text))
        inside = slice(first - 1, last - 1)  # the players' rows begin with the text's second character
        known = [{"name": n, "firsts": f[inside], "ranks": r[inside]} for n, (f, r) in players.items()]
        return {"shown": text[start:first], "hidden": text[first:last], "players": known}

    def _draw(self, figure: Figure) -> None:
        passage = self.passages[0]
        ranks = {player["name"]: player["ranks"] for player in passage["players"]}
        draw_ranks(figure.subplots(), passage["hidden"][:SHOWN], ranks)

    def _repr_mimebundle_(self, **arguments):
        bundle = super()._repr_mimebundle_(**arguments)
        bundle["image/png"] = plot.picture(self._draw, (10, 2.2), layout="constrained")
        return bundle
