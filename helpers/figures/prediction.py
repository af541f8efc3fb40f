"""Notebook 05: what a model writes after a prefix, and what the warm-up changes."""

import ipywidgets as w
import numpy as np
from matplotlib.axes import Axes

from ..generate import generate, next_char_probs, warm_up
from ..plot import BLUE, ORANGE, name_characters
from ..require import require_prefix
from ..text import Vocab
from .answering import AnsweringFigure, labelled


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
    for text in ax.legend(loc="upper right").get_texts():
        text.set_parse_math(False)


def explore_prediction(model, vocab: Vocab, prefix: str = "the time machine", limit: int = 200) -> AnsweringFigure:
    """Any prefix, temperature and length: the next character, and the text, with and without warm-up."""

    def draw(figure, prefix, temperature, num_chars, seed):
        require_prefix(prefix, vocab)
        too_long = f"The prefix has {len(prefix):,} characters; only the last {limit} are read. "
        notice = too_long if len(prefix) > limit else ""
        prefix = prefix[-limit:]
        probs = [next_char_probs(warm_up(read, model, vocab)[0], temperature) for read in (prefix, prefix[-1])]
        draw_warm_up(figure.add_axes((0.08, 0.1, 0.91, 0.86)), *probs, vocab.tokens, prefix)
        warm, cold = (
            generate(read, num_chars, model, vocab, temperature, seed)[len(read) :] for read in (prefix, prefix[-1])
        )
        return f"{notice}After reading it all:  {warm}\nAfter “{name_characters(prefix[-1])[0]}” alone:  {cold}"

    controls = {
        "prefix": labelled(w.Text, "prefix", "330px", value=prefix),
        "temperature": labelled(w.FloatSlider, "temperature", "300px", value=0.5, min=0, max=3, step=0.1),
        "num_chars": labelled(w.IntSlider, "characters to write", "320px", value=60, min=0, max=120, step=10),
        "seed": labelled(w.IntSlider, "draw number", "280px", value=0, min=0, max=20),
    }
    rows = [list(controls.values())[:2], list(controls.values())[2:]]
    return AnsweringFigure(draw, controls, (10, 3.1), rows)
