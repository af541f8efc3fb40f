"""Notebook 04: a model at one time step after another."""

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from ..generate import next_char_probs
from ..plot import GREEN, draw_next_chars, name_characters
from ..require import require_prefix
from ..text import Vocab
from .answering import cut_short
from .page import PageFigure, axis, next_chars, series, slider, text_field

COLORS = "PuOr_r"  # of hidden states: purple below zero, orange above


def draw_states(ax: Axes, hidden, text: str, title: str = "", limit: float | None = None) -> None:
    """Draw hidden states as columns under the characters they follow; hidden: (time, units), text: time characters.

    The colour bar beside them goes from −`limit` to `limit`, without one to the largest value.
    """
    hidden = np.asarray(hidden)
    limit = limit or np.nanmax(np.abs(hidden)) or 1
    image = ax.imshow(hidden.T, cmap=COLORS, vmin=-limit, vmax=limit, aspect="auto", interpolation="nearest")
    bar = ax.figure.colorbar(image, ax=ax, pad=0.02, fraction=0.04, ticks=[-limit, 0, limit])
    bar.ax.set_yticklabels([f"−{limit:.2g}", "0", f"+{limit:.2g}"])
    bar.outline.set_visible(False)
    ax.set_xticks(range(len(text)), name_characters(text), parse_math=False)
    ax.tick_params(length=0)
    ax.set_ylabel("hidden unit")
    ax.set_title(title, parse_math=False)


def states(hidden, text: str) -> dict:
    """What the page draws of hidden states: columns of cells under their characters; hidden: (time, units)."""
    palette = [to_hex(color) for color in colormaps[COLORS](np.linspace(0, 1, 41))]
    return {
        "kind": "grid",
        "name": "Hidden state after each character. The arrow keys go from cell to cell.",
        "share": 1.5,
        "x": axis(-0.5, len(text) - 0.5, dict(enumerate(name_characters(text)))),
        "y": axis(hidden.shape[1] - 0.5, -0.5, (0, hidden.shape[1] - 1), "hidden unit"),
        "legend": [[name, palette[n], "square"] for name, n in (("−1", 0), ("0", 20), ("+1", 40))],
        "palette": palette,
        "cells": np.round(hidden, 3).tolist(),
        "point": "after “{x}”: unit {row} is {value}",
    }


def explore_steps(model, vocab: Vocab, text: str = "the time traveller", limit: int = 24) -> PageFigure:
    """The model at one time step after another: character read, hidden state, next characters."""

    def read(text: str) -> tuple[np.ndarray, list[torch.Tensor]]:
        hidden, outputs, state = [], [], model.initial_state(1)
        with torch.no_grad():
            for i in vocab.encode(text):
                output, state = model(i.reshape(1, 1), state)
                outputs.append(output[0, 0].cpu())
                hidden.append(state[0][0].cpu())
        return torch.stack(hidden).numpy(), outputs

    def answer(text: str) -> dict:
        require_prefix(text, vocab)
        text, notice = cut_short(text, limit)
        hidden, outputs = read(text)
        frames = []
        for step, output in enumerate(outputs, 1):
            probs = next_char_probs(output)
            best = int(probs.argmax())
            character, guess = name_characters([text[step - 1], vocab.tokens[best]])
            follows = f", and “{name_characters(text[step])[0]}” follows" if step < len(text) else ""
            words = f"{notice}Step {step}: reads “{character}”, then guesses “{guess}” with probability "
            drawn = {"title": f"state after step {step}", "lit": step - 1}, {"series": [series(output, GREEN)]}
            frames.append({"words": f"{words}{probs[best]:.2f}{follows}.", "drawings": drawn})
        return {"drawings": [states(hidden, text), next_chars(vocab, 10, title="next character")], "frames": frames}

    def preview(figure: Figure) -> None:
        left, right = figure.subplots(1, 2, width_ratios=[3, 2])
        hidden, outputs = read(text[:limit])
        draw_states(left, hidden, text[:limit], title="hidden state", limit=1)
        draw_next_chars(right, next_char_probs(outputs[-1]), vocab.tokens, title="next character", top=10, color=GREEN)

    step = slider("step", 4, 1, None, chooses=True, play={"label": "play", "interval": 500})
    return PageFigure(answer, {"text": text_field("text to read", text), "step": step}, preview=preview)
