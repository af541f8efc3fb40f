"""Notebook 04: a model at one time step after another."""

import ipywidgets as w
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ..generate import next_char_probs
from ..plot import GREEN, GREY, INK, draw_next_chars, name_characters
from ..require import require_prefix
from ..text import Vocab
from .answering import AnsweringFigure, cut_short, labelled, player


def draw_states(ax: Axes, hidden, text: str, title: str = "", limit: float | None = None) -> None:
    """Draw hidden states as columns under the characters they follow; hidden: (time, units), text: time characters.

    The colour bar beside them goes from −`limit` to `limit`, without one to the largest value.
    """
    hidden = np.asarray(hidden)
    limit = limit or np.nanmax(np.abs(hidden)) or 1
    image = ax.imshow(hidden.T, cmap="PuOr_r", vmin=-limit, vmax=limit, aspect="auto", interpolation="nearest")
    bar = ax.figure.colorbar(image, ax=ax, pad=0.02, fraction=0.04, ticks=[-limit, 0, limit])
    bar.ax.set_yticklabels([f"−{limit:.2g}", "0", f"+{limit:.2g}"])
    bar.outline.set_visible(False)
    ax.set_xticks(range(len(text)), name_characters(text), parse_math=False)
    ax.tick_params(length=0)
    ax.set_ylabel("hidden unit")
    ax.set_title(title, parse_math=False)


def draw_step(figure: Figure, hidden, text: str, probs, tokens, step: int) -> None:
    """Draw the network after `step` characters: what it has read, its state, and the most probable next characters.

    hidden: (time, units), of all of `text`; probs: (vocab,), after the step. The steps to come stay blank.
    """
    hidden = np.asarray(hidden)
    left, right = figure.subplots(
        1, 2, gridspec_kw={"left": 0.07, "right": 0.99, "bottom": 0.1, "wspace": 0.24, "width_ratios": [3, 2]}
    )
    shown = np.where(np.arange(len(text))[:, None] < step, hidden, np.nan)
    draw_states(left, shown, text, title=f"state after step {step}", limit=1)
    for t, label in enumerate(left.get_xticklabels()):
        label.set(color=INK if t < step else GREY, fontweight="bold" if t == step - 1 else "normal")
    left.add_patch(Rectangle((step - 1.5, -0.5), 1, hidden.shape[1], fill=False, edgecolor=INK, linewidth=3))
    draw_next_chars(right, probs, tokens, title="next character", top=10, color=GREEN)


def explore_steps(model, vocab: Vocab, text: str = "the time traveller", limit: int = 24) -> AnsweringFigure:
    """The model at one time step after another: character read, hidden state, next characters."""

    def read(text: str) -> tuple[torch.Tensor, list[torch.Tensor]]:
        hidden, outputs, state = [], [], model.initial_state(1)
        with torch.no_grad():
            for i in vocab.encode(text):
                output, state = model(i.reshape(1, 1), state)
                outputs.append(output[0, 0].cpu())
                hidden.append(state[0][0].cpu())
        return torch.stack(hidden), outputs

    def draw(figure, text, step):
        require_prefix(text, vocab)
        text, notice = cut_short(text, limit)
        beyond = f"The text has only {len(text)} characters. " if step > len(text) else ""
        step = min(step, len(text))
        hidden, outputs = read(text)
        probs = next_char_probs(outputs[step - 1])
        draw_step(figure, hidden, text, probs, vocab.tokens, step)
        best = int(probs.argmax())
        character, guess = name_characters([text[step - 1], vocab.tokens[best]])
        follows = f", and “{name_characters(text[step])[0]}” follows" if step < len(text) else ""
        return (
            f"{notice}{beyond}Step {step}: reads “{character}”, then guesses “{guess}” with probability "
            f"{probs[best]:.2f}{follows}."
        )

    step = labelled(w.IntSlider, "step", "330px", value=4, min=1, max=limit)
    controls = {"text": labelled(w.Text, "text to read", "330px", value=text), "step": step}
    play = player(step, interval=500)
    figure = AnsweringFigure(draw, controls, (10, 3.8), rows=[[controls["text"], step, play]])

    def follow(change) -> None:
        play.max = step.max = max(1, min(len(change["new"]), limit))

    controls["text"].observe(follow, "value")
    follow({"new": text})
    return figure
