"""Notebook 05: what a model writes after a prefix, and what the warm-up changes."""

from matplotlib.figure import Figure

from ..generate import generate, next_char_probs, warm_up
from ..plot import BLUE, ORANGE, draw_next_chars, name_characters
from ..require import require_prefix
from ..text import Vocab
from .page import PageFigure, next_chars, series, slider, text_field


def explore_prediction(model, vocab: Vocab, prefix: str = "the time machine", limit: int = 200) -> PageFigure:
    """Any prefix, temperature and length: the next character, and the text, with and without warm-up."""

    def answer(prefix: str, temperature: float, num_chars: int, seed: int) -> dict:
        require_prefix(prefix, vocab)
        too_long = f"The prefix has {len(prefix):,} characters; only the last {limit} are read. "
        notice = too_long if len(prefix) > limit else ""
        prefix = prefix[-limit:]
        last = name_characters(prefix[-1])[0]
        short = prefix if len(prefix) <= 30 else f"…{prefix[-30:]}"
        named = [(prefix, BLUE, f"after reading “{short}”"), (prefix[-1], ORANGE, f"after “{last}” alone")]
        bars = [series(warm_up(read, model, vocab)[0], color, f"{{value}} {name}") for read, color, name in named]
        legend = [[name, color, "square"] for _, color, name in named]
        warm, cold = (
            generate(read, num_chars, model, vocab, temperature, seed)[len(read) :] for read in (prefix, prefix[-1])
        )
        return {
            "drawings": [next_chars(vocab, 12, temperature="temperature", legend=legend, series=bars)],
            "words": f"{notice}After reading it all:  {warm}\nAfter “{last}” alone:  {cold}",
        }

    def preview(figure: Figure) -> None:
        probs = next_char_probs(warm_up(prefix, model, vocab)[0], 0.5)
        draw_next_chars(figure.subplots(), probs, vocab.tokens, title=f"after “{prefix}”")

    controls = {
        "prefix": text_field("prefix", prefix),
        "temperature": slider("temperature", 0.5, 0, 3, step=0.1),
        "num_chars": slider("characters to write", 60, 0, 120, step=10),
        "seed": slider("draw number", 0, 0, 20),
    }
    return PageFigure(answer, controls, preview=preview)
