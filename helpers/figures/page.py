"""Figures that the page draws: it answers alone where the answers are known, else the kernel sends it numbers."""

import gzip
import json
import math
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

import anywidget
import torch
import traitlets
from matplotlib.figure import Figure

from .. import plot
from ..plot import name_characters
from ..text import Vocab
from .answering import Box, in_words

FOLDER = Path(__file__).parent
COLORS = f":host {{ --strong: {plot.BLUE}; --focus: {plot.ORANGE}; --error: {plot.RED}; }}"
STYLE = f"{COLORS}\n{(FOLDER / 'page.css').read_text(encoding='utf-8')}"
WAITING = "This answer comes from the kernel, which is busy or not running."


class Page(anywidget.AnyWidget):
    """What page.js draws and says; controls: by name, as the functions below make them."""

    # the text, not the path: anywidget would watch a file, and keep every figure for that
    _esm = (FOLDER / "page.js").read_text(encoding="utf-8")
    frame = traitlets.Dict().tag(sync=True)  # what never changes
    known = traitlets.Bytes().tag(sync=True)  # the answers that need no kernel, as `pack` makes them
    values = traitlets.Dict().tag(sync=True)  # of the controls that the answer depends on
    answer = traitlets.Dict().tag(sync=True)  # the last one of the kernel

    def __init__(self, controls: dict[str, dict] | None = None, **traits):
        super().__init__(frame={"controls": controls or {}, "style": STYLE, "waiting": WAITING}, **traits)


class PageFigure(Box):
    """A figure that the page draws from numbers, anew whenever one of its controls moves.

    answer(**values) takes the values of all controls but the one that chooses among frames, and returns a dict:
    `drawings` and `words`, or `frames`, each with the words and whatever of the drawings it changes. Answers that are
    `known` beforehand need no kernel. When it raises, the message takes the drawings' place.
    preview(figure) draws the first view for a page without widgets.
    """

    def __init__(
        self,
        answer: Callable[..., dict],
        controls: dict[str, dict],
        known: bytes = b"",
        preview: Callable[[Figure], object] | None = None,
    ):
        self._answer, self._preview = answer, preview
        self._threads, self._answering = torch.get_num_threads(), threading.Lock()
        values = {name: control["value"] for name, control in controls.items() if not control.get("chooses")}
        self.page = Page(controls, known=known, values=values, answer=self._answered(values))
        super().__init__([self.page])
        self.page.observe(self._respond, "values")

    def _answered(self, values: dict) -> dict:
        try:
            answer = self._answer(**values)
        except Exception as error:  # whatever went wrong is said in the drawings' place, for the reader to see
            answer = {"error": in_words(error)}
        return {**answer, "asked": list(values.values())}

    def _respond(self, change) -> None:
        torch.set_num_threads(self._threads)  # a callback may come in a thread that does not know it
        with self._answering:  # else an older answer could come after a newer one
            if self._answer is not None:
                self.page.answer = self._answered(self.page.values)

    def close(self) -> None:
        """Close it, and let go of what the answers keep: IPython's Out may hold the figure itself for ever."""
        super().close()
        self._answer = self._preview = None

    def _repr_mimebundle_(self, **arguments):
        bundle = super()._repr_mimebundle_(**arguments)
        if self._preview is not None:
            bundle["image/png"] = plot.picture(self._preview, (8, 3), layout="constrained")
        return bundle


def pack(answers: Iterable[tuple[list, dict]]) -> bytes:
    """Answers by the values that ask for them, as the page reads them."""
    text = json.dumps({_compact(values): {**answer, "asked": values} for values, answer in answers})
    return gzip.compress(text.encode(), mtime=0)


def _compact(values: list) -> str:
    return json.dumps(values, separators=(",", ":"), ensure_ascii=False)


def slider(label: str, value: float, low: float, high: float | None, step: float = 1, **options) -> dict:
    """A slider; with chooses=True it chooses a frame of the answer, and without a `high` it ends at the last one."""
    return {"kind": "range", "label": label, "value": value, "low": low, "high": high, "step": step, **options}


def text_field(label: str, value: str) -> dict:
    """A field to type into."""
    return {"kind": "text", "label": label, "value": value}


def choice(label: str, options: dict[str, str], value: str) -> dict:
    """One button for each option, of which one is pressed; options: names by key."""
    return {"kind": "choice", "label": label, "options": list(options.items()), "value": value}


def axis(low: float, high: float, ticks: Iterable[float] | dict, label: str = "", log: bool = False) -> dict:
    """An axis from `low`, left or below, to `high`; ticks: where they stand, or their labels by where they stand."""
    ticks = ticks if isinstance(ticks, dict) else {tick: f"{tick:g}" for tick in ticks}
    return {"low": low, "high": high, "ticks": list(ticks.items()), "label": label, "log": log}


def next_chars(vocab: Vocab, top: int, **options) -> dict:
    """Bars of the `top` most probable next characters; the page makes them from the outputs in `series`."""
    return {
        "kind": "bars",
        "name": "Probability of the next character. The arrow keys go from bar to bar.",
        "labels": name_characters(vocab.tokens[1:]),
        "top": top,
        "x": {},
        "y": axis(0, 1, (0, 0.2, 0.4, 0.6, 0.8, 1), "probability"),
        "point": "“{x}”: {values}",
        **options,
    }


def series(outputs: torch.Tensor, color: str, point: str = "{value}") -> dict:
    """Bars of one colour from a network's outputs, (vocab,), without `<unk>`; point: words about one of them."""
    return {"outputs": outputs[1:].double().tolist(), "color": color, "point": point}


def curve(label: str, values: dict[int, float], color: str, style: str = "") -> dict:
    """A line through `values` by place; style: "dotted", or none. Infinity is sent as a very large number."""
    heights = [None if math.isnan(value) else float(f"{min(value, 1e300):.6g}") for value in values.values()]
    return {"label": label, "color": color, "style": f"line {style}", "x": list(values), "y": heights}
