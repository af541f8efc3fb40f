"""Notebook 11: which letters a guess needed, and what units do while a text is read."""

from collections.abc import Callable

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
        "name": "What a letter counts for the guess, against others in its place. Arrow keys go from letter to letter.",
        "share": 2.2,
        "high": 9,
        "x": axis(-0.5, len(text) - 0.5, dict(enumerate(name_characters(text)))),
        "y": axis(len(names) - 0.5, -0.5, dict(enumerate(names))),
        "legend": [[label, palette[n], "square"] for n, label in legend],
        "palette": palette,
        "point": "“{x}”: {value} of the letter that counts most (row {row})",
    }
    return {"drawings": [strip, next_chars(vocab, 8, title="next letter", high=11)], "frames": frames}


def explore_letters(text: str, k: int, networks: dict, by: dict[str, Callable], vocab: Vocab) -> PageFigure:
    """For each guess in `text` from its letter `k` on, what each of the `k` letters before it counts.

    by: ways to find that, by name; each takes a model, X (guesses, k) and targets, and returns (guesses, k): how much
    log-probability of what came is lost, in the mean, when another symbol takes the letter's place.
    """
    X, targets = vocab.encode(text).unfold(0, k, 1)[:-1], vocab.encode(text[k:])
    answers, first = {}, {}
    for name, network in networks.items():
        found = {way: find(network, X, targets).tolist() for way, find in by.items()}
        first = first or found
        with torch.no_grad():
            outputs = network(X, network.initial_state(len(X)))[0][-1]
        answers[name] = reading(text, found, outputs, vocab)

    def preview(figure: Figure) -> None:
        last = np.array([first[way][-1] for way in by])
        draw_strips(figure.subplots(), relative(last), text[-1 - k : -1], list(by))

    controls = {
        "network": choice("network", {name: name for name in networks}, next(iter(networks))),
        "letters": slider("letters read", len(text) - 1, k, None, chooses=True, play=PLAY),
    }
    known = pack(([name], answer) for name, answer in answers.items())
    return PageFigure(lambda network: answers[network], controls, known, preview)
