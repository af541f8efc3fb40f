"""What every figure with controls is made of: the box that holds it, and the picture that answers its controls."""

import html
import threading
from collections.abc import Callable, Iterable

import ipywidgets as w
import torch
from IPython import get_ipython
from matplotlib.figure import Figure

from .. import plot

FALLBACK = "A figure with controls: run this cell in JupyterLab to use it."
ERROR_STYLE = f"border-left: 4px solid {plot.RED}; padding: 0.5em 0.8em; margin: 0.5em 0"


_made: dict[str, tuple[str, list[w.Widget]]] = {}  # cell: its last run, and the figures that this one made


def close_earlier(figure: w.Widget) -> None:
    """Close the figures of the run before of the cell that makes `figure`: else the kernel would keep every one."""
    cell, run = _running()
    if cell is not None:
        last, figures = _made.get(cell, (run, []))
        for earlier in figures if last != run else ():
            earlier.close()
        _made[cell] = run, [*(figures if last == run else ()), figure]


class Box(w.VBox):
    """Rows of controls above a picture; a page without widgets shows a sentence in its place."""

    def __init__(self, children: Iterable[w.Widget]):
        super().__init__(list(children))
        close_earlier(self)

    def close(self) -> None:
        """Take the figure from the page, and what it is made of from the kernel's list of widgets."""
        if self.comm is not None:  # else it was closed before, or never opened
            for part in _parts(self):
                w.Widget.close(part)

    def _repr_mimebundle_(self, **arguments):
        bundle = super()._repr_mimebundle_(**arguments)
        bundle["text/plain"] = FALLBACK
        return bundle


def _parts(widget: w.Widget) -> list[w.Widget]:
    """A widget and all that belong to it."""
    beside = [getattr(widget, name, None) for name in ("layout", "style", "link")]
    below = [part for child in getattr(widget, "children", ()) for part in _parts(child)]
    return [widget, *(part for part in beside if part is not None), *below]


def _running() -> tuple[str | None, str | None]:
    """The id of the cell that is running, and of this run of it; None where no page says so."""
    kernel = getattr(get_ipython(), "kernel", None)
    request = kernel.get_parent() if kernel is not None else {}
    return request.get("metadata", {}).get("cellId"), request.get("header", {}).get("msg_id")


class AnsweringFigure(Box):
    """A picture that is drawn anew whenever one of its controls moves, with its reading in words below.

    draw(figure, **values) draws on an empty matplotlib figure from the values of the controls and
    returns the reading. When it raises, the message takes the picture's place.
    """

    def __init__(
        self,
        draw: Callable[..., str],
        controls: dict[str, w.Widget],
        size: tuple[float, float] = (10, 3.8),
        rows: Iterable[Iterable[w.Widget]] | None = None,
    ):
        self.draw_figure, self.size, self.controls = draw, size, controls
        self._threads, self._answering = torch.get_num_threads(), threading.Lock()
        self.picture = w.Image(format="png", layout=w.Layout(width="100%", max_width=f"{100 * size[0]:.0f}px"))
        self.reading = w.HTML()
        rows = [controls.values()] if rows is None else rows
        super().__init__([*map(row_of, rows), self.picture, self.reading])
        for control in controls.values():
            control.observe(self.answer, "value")
        self.answer()

    def answer(self, change=None) -> None:
        """Draw and say what the controls now ask for."""
        if self.comm is None:  # closed: nobody sees it any more
            return
        torch.set_num_threads(self._threads)  # a callback may come in a thread that does not know it
        with self._answering:  # else an older answer could come after a newer one
            values = {name: control.value for name, control in self.controls.items()}
            readings = []

            def draw(figure: Figure) -> None:
                readings.append(self.draw_figure(figure, **values))

            try:
                png = plot.picture(draw, self.size)
            except Exception as error:  # whatever went wrong is said in the picture's place, for the reader to see
                self.picture.layout.display = "none"
                self.reading.value = in_html(in_words(error), ERROR_STYLE)
                return
            self.picture.value = png
            self.picture.layout.display = None
            self.reading.value = in_html(readings[0])

    def close(self) -> None:
        """Close it, and let go of what the drawing keeps: IPython's Out may hold the figure itself for ever."""
        super().close()
        self.draw_figure = None


def in_words(error: Exception) -> str:
    """The sentence of an error that was raised on purpose; any other with its name."""
    expected = isinstance(error, (ValueError, TypeError, RuntimeError, OSError)) and str(error)
    return str(error) if expected else f"{type(error).__name__}: {error}"


def in_html(text: str, style: str = "") -> str:
    """`text` for an HTML widget, its line ends kept."""
    return f'<div style="line-height: 1.45; white-space: pre-wrap; {style}">{html.escape(text)}</div>'


def row_of(controls: Iterable[w.Widget]) -> w.HBox:
    """Controls beside one another; those that find no room stand below."""
    return w.HBox(list(controls), layout=w.Layout(flex_flow="row wrap", align_items="center"))


def labelled(control_class: type, label: str, width: str = "310px", **options) -> w.Widget:
    """A control with its label before it."""
    return control_class(description=label, style={"description_width": "initial"}, layout={"width": width}, **options)


def cut_short(text: str, limit: int) -> tuple[str, str]:
    """`text`, cut after `limit` characters, and a sentence about it when it was."""
    if len(text) <= limit:
        return text, ""
    return text[:limit], f"The text has {len(text):,} characters; only the first {limit} are used. "
