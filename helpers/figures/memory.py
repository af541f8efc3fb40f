"""Notebook 11: which letters a guess needed, and what units do while a text is read."""

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from ..plot import GREEN, name_characters
from ..text import Vocab
from .page import PageFigure, axis, choice, next_chars, pack, series, slider

PLAY = {"label": "play", "interval": 700}
COLORS = "PuOr_r"  # purple below zero, orange above


def draw_strips(ax: Axes, values, text: str, labels: list[str], limit: float = 1.0) -> None:
    """Draw rows of colours under a text; values: (rows, characters), from −`limit`, purple, to `limit`, orange."""
    values = np.asarray(values)
    ax.imshow(values, cmap=COLORS, vmin=-limit, vmax=limit, aspect="auto", interpolation="nearest")
    ax.set_xticks(range(len(text)), name_characters(text), fontsize=12, parse_math=False)
    ax.xaxis.tick_top()
    ax.set_yticks(range(len(labels)), labels)
    ax.set_yticks(np.arange(len(labels) + 1) - 0.5, minor=True)
    ax.grid(which="minor", axis="y", color="white", linewidth=4)
    ax.tick_params(which="both", length=0)
    for side in ax.spines.values():
        side.set_visible(False)


def relative(values: np.ndarray) -> np.ndarray:
    """Each row of `values` divided by its largest size."""
    return values / np.maximum(np.abs(values).max(axis=1, keepdims=True), 1e-9)


def reading(text: str, found: dict[str, list], outputs: torch.Tensor, vocab: Vocab) -> dict:
    """What the page draws and says of one network's guesses.

    found: by row, for each guess, what each of the letters before it counts, the last one last; the guesses are those
    of the last letters of `text`. outputs: (guesses, vocab), from which they were drawn.
    """
    names, frames = list(found), []
    for number, output in enumerate(outputs):
        t = len(text) - len(outputs) + number  # letters read before this guess
        rows = np.zeros((len(names), len(text)))
        for row, name in enumerate(names):
            letters = found[name][number]
            rows[row, t - len(letters) : t] = letters
        rows = relative(rows)
        share = torch.softmax(output[1:].double(), 0)[vocab.index[text[t]] - 1]
        shown = name_characters(text)
        most = [f"by {name}: “{shown[i]}”, {t - i} back" for name, i in zip(names, np.abs(rows).argmax(1), strict=True)]
        words = f"After “{text[max(0, t - 24) : t]}” came “{shown[t]}”; its share was {share:.2f}. What counts most: "
        drawn = {"lit": t - 1, "title": f"the guess of “{shown[t]}”", "cells": np.round(rows.T, 2).tolist()}
        bars = {"series": [{**series(output, GREEN), "outputs": [round(v, 3) for v in output[1:].tolist()]}]}
        frames.append({"words": f"{words}{'; '.join(most)}.", "drawings": [drawn, bars]})
    palette = [to_hex(color) for color in colormaps[COLORS](np.linspace(0, 1, 41))]
    legend = ((0, "made it less probable"), (20, "no matter"), (40, "made it more probable"))
    strip = {
        "kind": "grid",
        "name": "What each letter counts for the guess. The arrow keys go from letter to letter.",
        "share": 2.2,
        "high": 9,
        "x": axis(-0.5, len(text) - 0.5, dict(enumerate(name_characters(text)))),
        "y": axis(len(names) - 0.5, -0.5, dict(enumerate(names))),
        "legend": [[label, palette[n], "square"] for n, label in legend],
        "palette": palette,
        "point": "“{x}”: {value} of the letter that counts most (row {row})",
    }
    return {"drawings": [strip, next_chars(vocab, 8, title="next letter", high=11)], "frames": frames}


def explore_letters(text: str, found: dict[str, dict[str, list]], outputs: dict, vocab: Vocab) -> PageFigure:
    """For each guess at the end of `text`, what the letters before it count; found, outputs: by network, as above."""
    answers = {network: reading(text, found[network], outputs[network], vocab) for network in found}

    def preview(figure: Figure) -> None:
        network = next(iter(found))
        names, last = list(found[network]), [np.asarray(guesses[-1]) for guesses in found[network].values()]
        draw_strips(figure.subplots(), relative(np.array(last)), text[-1 - len(last[0]) : -1], names)

    first = len(text) - len(next(iter(outputs.values())))
    controls = {
        "network": choice("network", {network: network for network in found}, next(iter(found))),
        "letters": slider("letters read", len(text) - 1, first, None, chooses=True, play=PLAY),
    }
    known = pack(([network], answer) for network, answer in answers.items())
    return PageFigure(lambda network: answers[network], controls, known, preview)
