"""Notebook 02: any text as one-hot vectors."""

import ipywidgets as w
import torch

from ..plot import RED, draw_one_hot
from ..text import Vocab, clean
from .answering import AnsweringFigure, cut_short, labelled


def explore_one_hot(vocab: Vocab, text: str = "Café, time!", limit: int = 16) -> AnsweringFigure:
    """Any text as one-hot vectors, unknown characters marked."""

    def draw(figure, text, cleaned):
        if cleaned:
            text = clean(text)
        if not text:
            raise ValueError("Type a text: without a character there is no row to draw.")
        text, notice = cut_short(text, limit)
        indices = vocab.encode(text)
        rows = torch.nn.functional.one_hot(indices, len(vocab))
        ax = figure.add_axes((0.06, 0.14, 0.93, 0.84))
        draw_one_hot(ax, rows, text, ["?", *vocab.tokens[1:]])
        unknown = [t for t, i in enumerate(indices) if i == 0]
        for t in unknown:
            ax.plot([0], [t], marker="s", markersize=9, color=RED)
            ax.get_yticklabels()[t].set(color=RED, fontweight="bold")
        ax.set(xlabel="token", ylabel="time")
        reading = f"{notice}Indices: {' '.join(str(int(i)) for i in indices)}. "
        if unknown:
            names = " ".join(dict.fromkeys(text[t] for t in unknown))
            return f"{reading}Not in the vocabulary, so index 0, in red: {names}"
        return f"{reading}All characters are in the vocabulary."

    controls = {
        "text": labelled(w.Text, "your text", "420px", value=text),
        "cleaned": w.Checkbox(value=False, description="clean it first", indent=False, layout={"width": "160px"}),
    }
    return AnsweringFigure(draw, controls, size=(10, 3.8))
